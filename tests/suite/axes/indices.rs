//! Where the largest stands, and rows by index.

use super::{assert_is, assert_says, counted, refusal};
use crate::harness::device;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::embedding::EmbeddingOptions;
use wgrad::{Graph, HostData, HostTensor, Mode, Plan, Result, Session, TensorType, Value, Weights};

/// What `build` makes of numbers in this shape, and whether it is whole numbers.
fn indices(
    shape: &[usize],
    numbers: &[f32],
    build: impl FnOnce(&mut Graph, Value) -> Result<Value>,
) -> HostTensor {
    let run = || -> Result<HostTensor> {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let y = build(&mut graph, x)?;
        let plan = Plan::new(&graph, &[y], device().caps())?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
        session.write(x, numbers)?;
        session.step()?;
        session.read(y)
    };
    run().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_first_of_equals_is_found() {
    let (shape, nan) = ([2, 4], f32::NAN);
    let x = [3.0, 7.0, 7.0, -1.0, 5.0, nan, 2.0, nan];
    let along = indices(&shape, &x, |graph, x| graph.argmax(x, Some(1), false));
    assert_eq!(along.ty(), TensorType::i32([2]));
    assert_is(&along, &[2], &[1.0, 1.0]);
    assert_is(&indices(&shape, &x, |graph, x| graph.argmin(x, Some(1), true)), &[2, 1], &[3.0, 1.0]);
    assert_is(&indices(&shape, &x, |graph, x| graph.argmax(x, Some(0), false)), &[4], &[1.0, 1.0, 0.0, 1.0]);
    assert_is(&indices(&shape, &x, |graph, x| graph.argmax(x, None, true)), &[1, 1], &[5.0]);
    assert_is(&indices(&shape, &x[..4].repeat(2), |graph, x| graph.argmin(x, None, false)), &[], &[3.0]);
    assert_says(&refusal(|graph, x| graph.argmax(x, Some(2), false)), &["argmax \"layer\"", "axis 2"]);
}

/// Rows of [[1, 2], [3, 4], [5, 6]], and the sum over what each became of 1, 2, 3, ...
#[test]
fn rows_by_index() {
    for (padding, third) in [(None, [5.0 + 1.0, 6.0 + 2.0]), (Some(2), [0.0, 0.0])] {
        let (y, dweight) = counted([3, 2], |graph, weight| {
            let indices =
                graph.constant(HostTensor { shape: [1, 3].into(), data: HostData::I32(vec![2, 0, 2]) })?;
            graph.embedding_with(weight, indices, EmbeddingOptions::new().padding_idx(padding))
        });
        assert_is(&y, &[1, 3, 2], &[5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
        assert_is(&dweight, &[3, 2], &[3.0, 4.0, 0.0, 0.0, third[0], third[1]]);
    }

    let says = |message: String, part: &str| assert_says(&message, &["embedding \"layer\"", part]);
    says(refusal(|graph, x| graph.embedding(x, x)), "i32 indices");
    says(
        refusal(|graph, x| {
            let (row, indices) = (graph.reshape(x, [6])?, graph.input_i32("indices", 2)?);
            graph.embedding(row, indices)
        }),
        "'weight' must be 2-D",
    );
    says(
        refusal(|graph, x| {
            let indices = graph.input_i32("indices", 2)?;
            graph.embedding_with(x, indices, EmbeddingOptions::new().padding_idx(2))
        }),
        "padding_idx must be within num_embeddings",
    );
}

#[test]
fn an_embedding_begins_normal_but_for_its_padding_row() -> Result<()> {
    let built = |layer: nn::Embedding| {
        let mut graph = Graph::new();
        let words = graph.input_i32("words", [2, 5])?;
        let y = graph.scoped("words", |graph| layer.forward(graph, words, Mode::Train))?;
        assert_eq!(graph.shape(y).expect("of this graph")[..], [2, 5, 64]);
        Weights::init(device(), &graph, 3)?.read("words.weight")
    };
    let weight = built(nn::Embedding::new(100, 64).padding_idx(99))?.to_f64();
    assert!(weight[99 * 64..].iter().all(|&x| x == 0.0));
    let square = weight[..99 * 64].iter().map(|x| x * x).sum::<f64>() / (99.0 * 64.0);
    // Four standard deviations of a mean of 6336 squares.
    assert!((square - 1.0).abs() < 4.0 * (2.0 / 6336f64).sqrt(), "{square}");
    let error =
        built(nn::Embedding::new(4, 64).padding_idx(4)).expect_err("there are rows 0 to 3").to_string();
    assert_says(&error, &["words.weight", "padding_idx must be within num_embeddings"]);
    Ok(())
}

/// What no input may hold, another kernel may give: nobody can check it beforehand.
#[test]
fn computed_indices_beyond_the_rows_give_zeros_and_take_no_gradient() -> Result<()> {
    let mut graph = Graph::new();
    let scores = graph.input("scores", [3, 4])?;
    let weight = graph.parameter("weight", [2, 2], Init::Constant(1.5))?;
    let indices = graph.argmax(scores, Some(1), false)?;
    let rows = graph.embedding(weight, indices)?;
    let loss = graph.sum(rows, &[0, 1], false)?;
    let gradient = graph.gradients(loss, &[weight])?[0].expect("the loss depends on it");
    let plan = Plan::new(&graph, &[rows, gradient], device().caps())?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    // The largest are at 1, 3 and 2; there are rows 0 and 1.
    session.write(scores, &[0.0, 9.0, 1.0, 2.0, 0.0, 1.0, 2.0, 9.0, 0.0, 1.0, 9.0, 2.0])?;
    session.step()?;
    assert_eq!(session.read(rows)?.to_f64(), [1.5, 1.5, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(session.read(gradient)?.to_f64(), [0.0, 0.0, 1.0, 1.0]);
    Ok(())
}

#[test]
fn indices_are_checked_before_upload() -> Result<()> {
    let mut graph = Graph::new();
    let weight = graph.input("weight", [3, 2])?;
    let indices = graph.input_i32("indices", [2, 2])?;
    let y = graph.embedding(weight, indices)?;
    let plan = Plan::new(&graph, &[y], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(indices, &[0, 1, 2, 0])?;
    for (wrong, position) in [([0, 1, 2, 3], 3), ([0, -1, 0, 0], 1)] {
        let error = session.write(indices, &wrong).expect_err("an index is no row").to_string();
        assert_says(&error, &["\"indices\"", &format!("index {}", wrong[position]), "outside 0..3"]);
    }
    Ok(())
}
