//! A small training, whose files the tests read and write.

use crate::harness::device;
use std::collections::BTreeMap;
use wgrad::nn::{self, Layer};
use wgrad::{Error, Graph, Mode, Plan, Result, Session, Weights, optim};

pub struct Model {
    pub session: Session,
    pub weights: Weights,
}

/// A linear layer on 4 numbers that learns 3 classes, with momentum.
pub fn model() -> Result<Model> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 4])?;
    let labels = g.input_i32("labels", 2)?;
    let logits = nn::Sequential::new().add("fc", nn::Linear::new(4, 3)).forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 1)?;
    let session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    Ok(Model { session, weights })
}

/// The bits of everything that weights hold.
pub fn contents(weights: &Weights) -> BTreeMap<String, Vec<u32>> {
    let bits = |name: &str| {
        let tensor = weights.read(name).unwrap_or_else(|e| panic!("{e}"));
        tensor.as_f32().expect("it is f32").iter().map(|x| x.to_bits()).collect()
    };
    weights.names().map(|name| (name.to_owned(), bits(name))).collect()
}

/// Fails unless an error has all `parts` in it, no control character, and a length that a person reads.
pub fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected \"{part}\" in: {text}");
    }
    assert_clean(&text);
}

/// Fails if a terminal would obey the text, or a person give up on it.
pub fn assert_clean(text: &str) {
    let start: String = text.chars().take(500).collect();
    assert!(!text.contains(char::is_control), "it has control characters: {start:?}");
    assert!(text.len() < 8000, "it has {} bytes: {start}", text.len());
}
