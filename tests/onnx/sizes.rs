//! Sizes that follow from factors, sizes that are too large, and initialisers that several nodes read.

use crate::message::{field, floats, initializer, int, model, node, port};
use std::time::{Duration, Instant};
use wgrad::onnx::Model;
use wgrad::{Error, Graph, Mode};

/// As f32 the factors are just below 0.7, 0.9 and 2.3; PyTorch and ONNX Runtime make 7, 9 and 23 of 10.
#[test]
fn sizes_by_factors_are_those_of_f32() -> Result<(), Error> {
    for (factor, expected) in [(0.7, 7), (0.9, 9), (2.3, 23), (1.5, 15), (0.25, 2)] {
        let graph = [
            initializer("scales", &[3], &floats(&[1.0, 1.0, factor])),
            node("Resize", &["x", "", "scales"], "y"),
            port(11, "x", &[Some(1), Some(2), Some(10)]),
            port(12, "y", &[None]),
        ];
        let mut g = Graph::new();
        let network = Model::from_bytes(model(&graph))?.import().build(&mut g)?;
        assert_eq!(g.shape(network.value("y")?)?[..], [1, 2, expected], "{factor}");
    }
    Ok(())
}

/// Exporters merge what is equal: a fresh batch norm's bias and mean, and its weight and variance.
#[test]
fn statistics_that_share_an_initialiser_are_copies() -> Result<(), Error> {
    let norm = |x, y| node("BatchNormalization", &[x, "ones", "zeros", "zeros", "ones"], y);
    let graph = [
        initializer("ones", &[3], &floats(&[1.0, 1.0, 1.0])),
        initializer("zeros", &[3], &floats(&[0.0, 0.0, 0.0])),
        norm("x", "h"),
        norm("h", "i"),
        // A bias that is read as statistics before.
        initializer("w", &[3, 3, 1, 1], &floats(&[0.5; 9])),
        node("Conv", &["i", "w", "zeros"], "y"),
        port(11, "x", &[Some(2), Some(3), Some(4), Some(4)]),
        port(12, "y", &[None]),
    ];
    let model = Model::from_bytes(model(&graph))?;
    for mode in [Mode::Eval, Mode::Train] {
        let mut g = Graph::new();
        let network = model.import().mode(mode).build(&mut g)?;
        let names: Vec<&str> = network.parameters().collect();
        let copies = ["zeros.copy2", "ones.copy2", "zeros.copy3", "ones.copy3"];
        for name in ["ones", "zeros", "w"].iter().chain(&copies) {
            assert!(names.contains(name), "{name} is not among {names:?}");
        }
        let y = network.value("y")?;
        let loss = g.sum(y, &[], false)?;
        let trained = g.backward(loss)?.len();
        assert_eq!((names.len(), trained), (7, 3), "{mode:?}");
    }
    Ok(())
}

/// Counting taps one by one would take hours.
#[test]
fn large_windows_are_counted_at_once() {
    let size = 1 << 20;
    let ints = |name: &str, list: &[i64]| {
        let list: Vec<u8> = list.iter().flat_map(|&number| int(8, number)).collect();
        field(5, &[field(1, name.as_bytes()), list, int(20, 7)].concat())
    };
    let ends = [field(1, b"x"), field(2, b"y"), field(4, b"AveragePool")].concat();
    let pool = [ends, ints("kernel_shape", &[size]), ints("pads", &[size, size])].concat();
    let graph = [field(1, &pool), port(11, "x", &[Some(1), Some(1), Some(8)]), port(12, "y", &[None])];
    let start = Instant::now();
    let built = Model::from_bytes(model(&graph)).and_then(|model| model.import().build(&mut Graph::new()));
    // Refused or not, it is soon.
    drop(built);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn dimensions_whose_product_overflows_are_an_error() -> Result<(), Error> {
    let large = 1 << 40;
    let axis = field(5, &[field(1, b"axis"), int(3, 2), int(20, 2)].concat());
    let graph = [
        initializer("w", &[large, large, 0], &floats(&[])),
        field(1, &[field(1, b"w"), field(2, b"y"), field(4, b"Flatten"), axis].concat()),
        port(12, "y", &[None]),
    ];
    let error = Model::from_bytes(model(&graph))?.import().build(&mut Graph::new());
    let error = error.map(drop).expect_err("there is no such size").to_string();
    assert!(error.contains("more elements than can be counted"), "{error}");
    Ok(())
}
