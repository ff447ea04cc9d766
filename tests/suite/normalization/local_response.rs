//! Local response normalisation: a worked example, gradients, refusals.

use super::session;
use crate::harness::{device, numbers};
use crate::{cases, harness};
use wgrad::nn::{self, Layer};
use wgrad::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormOptions};
use wgrad::{Graph, Mode, Result, Weights};

/// Worked by hand, as PyTorch's documentation states the formula: windows of 3 channels reach one down and
/// one up, those of 2 one down alone, and alpha is divided by the size though a window is cut short.
#[test]
fn local_response_norm_agrees_with_a_worked_example() -> Result<()> {
    let x = [1.0f32, 2.0, -3.0];
    for (size, sums) in [(3, [5.0, 14.0, 13.0]), (2, [1.0, 5.0, 13.0]), (1, [1.0, 4.0, 9.0])] {
        let layer = nn::LocalResponseNorm::new(size).alpha(0.6).beta(0.5).k(2.0);
        let mut graph = Graph::new();
        let input = graph.input("x", [1, 3, 1])?;
        let y = layer.forward(&mut graph, input, Mode::Train)?;
        let mut session = session(&graph, &[y], &Weights::init(device(), &graph, 0)?)?;
        session.write(input, &x)?;
        session.step()?;
        for ((found, x), sum) in session.read(y)?.to_f64().iter().zip(x).zip(sums) {
            let expected = f64::from(x) / (2.0 + 0.6 / size as f64 * sum).sqrt();
            assert!((found - expected).abs() < 1e-6, "size {size}: {found}, expected {expected}");
        }
    }
    Ok(())
}

#[test]
fn local_response_norm_gradients_are_slopes() {
    let strong = |size| LocalResponseNorm { alpha: 2.0, ..LocalResponseNorm::new(size) };
    for (shape, attributes) in [
        (vec![2, 5, 3], strong(3)),
        (vec![2, 4, 2, 2], strong(4)),
        (vec![1, 3, 5], strong(8)),
        (vec![2, 3, 4], LocalResponseNorm { size: 2, alpha: 0.5, beta: 2.0, k: 0.7 }),
    ] {
        let name = format!("{shape:?} {attributes:?}");
        let [case, _] = cases::local_response_norm::pair(&name, numbers(shape, 3), attributes);
        harness::finite::check_gradients(&case, &[0]);
    }
}

#[test]
fn local_responses_that_do_not_fit_are_refused() {
    let plain = LocalResponseNormOptions::new(5);
    for (shape, attributes, words) in [
        (&[2, 3][..], plain, "Expected 3D or higher dimensionality input (got 2 dimensions)"),
        (&[2, 3, 4], LocalResponseNormOptions::new(0), "size must be at least 1, found 0"),
        (&[2, 3, 4], plain.beta(f32::NAN), "beta must be a finite number"),
        (&[2, 3, 4], plain.alpha(f32::INFINITY), "alpha must be a finite number"),
    ] {
        let mut graph = Graph::new();
        let x = graph.input("x", shape).expect("the input is valid");
        let error = graph.local_response_norm(x, attributes).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}
