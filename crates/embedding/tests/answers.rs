//! Good answers, and all the ways in which one can be bad.

use base64::Engine;
use embedding::{Answer, Fault, parse};
use proptest::prelude::*;

fn of(body: &str, texts: usize, dimensions: usize) -> Result<Answer, Fault> {
    parse(body.as_bytes(), texts, dimensions)
}

#[test]
fn in_the_order_of_the_texts() {
    let body = r#"{"object":"list","data":[{"object":"embedding","index":1,"embedding":[3, -4e-2]},
        {"index":0,"embedding":[0.1,2]}],"model":"m","usage":{"prompt_tokens":7,"total_tokens":8}}"#;
    assert_eq!(of(body, 2, 2), Ok(Answer { vectors: vec![vec![0.1, 2.0], vec![3.0, -0.04]], tokens: 8 }));
    // Without index and usage, as some services answer.
    let bare = r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#;
    assert_eq!(of(bare, 2, 1), Ok(Answer { vectors: vec![vec![1.0], vec![2.0]], tokens: 0 }));
}

#[test]
fn base64_is_read_too() {
    let bytes: Vec<u8> = [1.5_f32, -0.25].iter().flat_map(|number| number.to_le_bytes()).collect();
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let body = format!(r#"{{"data":[{{"index":0,"embedding":"{}"}}]}}"#, text.replace('/', "\\/"));
    assert_eq!(of(&body, 1, 2).unwrap().vectors, [[1.5, -0.25]]);
    let nan = base64::engine::general_purpose::STANDARD.encode(f32::NAN.to_le_bytes());
    let said = |embedding: &str| of(&format!(r#"{{"data":[{{"embedding":"{embedding}"}}]}}"#), 1, 1).unwrap_err();
    assert_eq!(said(&nan), Fault::NotANumber("NaN".into()));
    assert_eq!(said("AAA="), Fault::NotANumber("base64 of 2 bytes".into()));
    assert_eq!(said("%%%"), Fault::NotANumber("%%%".into()));
}

#[test]
fn faults_say_which() {
    let said = |body: &str| of(body, 1, 2).unwrap_err().to_string();
    assert!(said("").starts_with("the answer is not that of an /embeddings: EOF"));
    assert!(said("<html>").starts_with("the answer is not that of an /embeddings"));
    assert!(said(r#"{"data":{}}"#).starts_with("the answer is not that of an /embeddings"));
    assert!(said(r#"{"data":[{"index":-1,"embedding":[1,2]}]}"#).starts_with("the answer is not"));
    assert_eq!(said(r#"{"data":[]}"#), "the answer has 0 vectors for 1 texts");
    assert_eq!(said(r#"{"data":[{"embedding":[1,2]},{"embedding":[1,2]}]}"#), "the answer has 2 vectors for 1 texts");
    assert_eq!(
        said(r#"{"data":[{"index":5,"embedding":[1,2]}]}"#),
        "the answer has index 5 twice, or it was not asked for"
    );
    assert_eq!(said(r#"{"data":[{"embedding":[1,2,3]}]}"#), "the answer has vectors of 3 dimensions, not of 2");
    assert_eq!(said(r#"{"data":[{"embedding":[]}]}"#), "the answer has vectors of 0 dimensions, not of 2");
    assert_eq!(said(r#"{"data":[{"embedding":[1,null]}]}"#), "the answer has a vector with null in it");
    assert_eq!(said(r#"{"data":[{"embedding":[1,"x"]}]}"#), "the answer has a vector with \"x\" in it");
    assert_eq!(said(r#"{"data":[{"embedding":[1,[2]]}]}"#), "the answer has a vector with [2 in it");
    assert_eq!(said(r#"{"data":[{"embedding":[1,1e60]}]}"#), "the answer has a vector with inf in it");
    assert_eq!(said(r#"{"data":[{"embedding":null}]}"#), "the answer has a vector with null in it");
    assert_eq!(said(r#"{"data":[{"embedding":[0,0.0]}]}"#), "the answer has a vector of zeros");
    let twice = r#"{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}"#;
    assert_eq!(of(twice, 2, 2), Err(Fault::Index(0)));
    assert!(said(r#"{"data":[{"embedding":[1,NaN]}]}"#).starts_with("the answer is not"));
}

proptest! {
    #[test]
    fn every_float_comes_through_bit_by_bit(numbers in prop::collection::vec(any::<f32>(), 1..20)) {
        let numbers: Vec<f32> = numbers.into_iter().map(|number| if number.is_finite() { number } else { 1.0 }).collect();
        prop_assume!(numbers.iter().any(|number| *number != 0.0));
        let list: Vec<String> = numbers.iter().map(f32::to_string).collect();
        let body = format!(r#"{{"data":[{{"index":0,"embedding":[{}]}}]}}"#, list.join(","));
        let got = of(&body, 1, numbers.len()).unwrap().vectors.remove(0);
        let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&got), bits(&numbers));
    }

    #[test]
    fn anything_is_survived(body: Vec<u8>, texts in 0_usize..4, dimensions in 0_usize..4) {
        let _ = parse(&body, texts, dimensions);
    }
}
