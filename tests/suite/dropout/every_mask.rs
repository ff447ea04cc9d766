//! The average over all masks: against f64 (`monte_carlo` has the network), by hand, and what is refused.

use super::monte_carlo::{CLASSES, INPUTS, ROWS, classifier_weights, network, over_all_masks};
use crate::harness::{device, numbers};
use wgrad::nn::{self, Layer};
use wgrad::session::Estimate;
use wgrad::{Graph, Mode, Plan, Result, Session, Value, Weights};

/// The moments of a network of `x`, over all of its masks.
fn moments(
    x: &[f32],
    shape: &[usize],
    build: impl Fn(&mut Graph, Value) -> Result<Value>,
) -> Result<Estimate> {
    let mut g = Graph::new();
    let input = g.input("x", shape)?;
    let output = build(&mut g, input)?;
    let of = g.mean_over_masks(&[output])?;
    let weights = Weights::init(device(), &g, 0)?;
    let mut session = Session::new(device(), Plan::new(&g, &[], device().caps())?, &weights)?;
    session.write(input, x)?;
    Ok(session.mean_over_masks(&of)?.remove(0))
}

#[test]
fn the_mean_over_all_masks_is_that_of_f64() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [ROWS, INPUTS])?;
    let logits = network(1).forward(&mut g, x, Mode::EveryMask)?;
    let probabilities = g.softmax(logits, 1)?;
    let of = g.mean_over_masks(&[probabilities, logits])?;
    let weights = classifier_weights()?.with_state_of(&g)?;
    let mut session = Session::new(device(), Plan::new(&g, &[], device().caps())?, &weights)?;
    let input = numbers([ROWS, INPUTS], 9);
    session.write(x, &input)?;
    let before = session.counters();
    let found = session.mean_over_masks(&of)?;
    let after = session.counters();
    assert_eq!(after.steps - before.steps, 64);
    assert_eq!(after.bytes_read_back - before.bytes_read_back, 2 * 2 * 4 * (ROWS * CLASSES) as u64);
    for (softmax, found) in [true, false].into_iter().zip(&found) {
        let exact = over_all_masks(&weights, &input.to_f64(), softmax)?;
        let pairs = found.mean.to_f64().into_iter().zip(found.variance.to_f64());
        for ((mean, variance), [exact_mean, exact_variance, _]) in pairs.zip(exact) {
            assert!(
                (mean - exact_mean).abs() < 1e-5 * exact_mean.abs().max(1.0),
                "{mean}, expected {exact_mean}"
            );
            assert!(
                (variance - exact_variance).abs() < 1e-4 * exact_variance,
                "{variance}, expected {exact_variance}"
            );
        }
    }
    // The same again, although the moments hold those of the first time.
    assert_eq!(session.mean_over_masks(&of)?, found);
    Ok(())
}

/// (a + b)^2 with a kept by 3/4 and b by 1/2: the four masks by hand.
#[test]
fn each_mask_counts_by_its_probability() -> Result<()> {
    let found = moments(&[3.0, 4.0], &[1, 2], |g, x| {
        let [a, b] = [0..1, 1..2].map(|columns| g.slice(x, 1, columns, 1));
        let (a, b) = (g.dropout(a?, 0.25, 0, Mode::EveryMask)?, g.dropout(b?, 0.5, 0, Mode::EveryMask)?);
        let sum = g.add(a, b)?;
        g.mul(sum, sum)
    })?;
    // Kept, a counts 3 / 0.75 = 4 and b counts 4 / 0.5 = 8.
    let outcomes = [(0.75 * 0.5, 144.0), (0.75 * 0.5, 16.0), (0.25 * 0.5, 64.0), (0.25 * 0.5, 0.0)];
    let mean: f64 = outcomes.iter().map(|(p, y)| p * y).sum();
    let variance: f64 = outcomes.iter().map(|(p, y)| p * (y - mean).powi(2)).sum();
    assert_eq!(mean, 68.0);
    assert!((found.mean.to_f64()[0] - mean).abs() < 1e-4, "{:?}", found.mean);
    assert!(
        (found.variance.to_f64()[0] - variance).abs() < 1e-5 * variance,
        "{:?}, {variance}",
        found.variance
    );
    Ok(())
}

/// Channels are units of `dropout2d`; the mean of what is linear in the mask is the input.
#[test]
fn channels_are_dropped_whole() -> Result<()> {
    let x = numbers([2, 3, 2, 2], 4);
    let pixels = x.as_f32().expect("they are floats").to_vec();
    let found = moments(&pixels, &[2, 3, 2, 2], |g, x| g.dropout2d(x, 0.4, 0, Mode::EveryMask))?;
    for ((mean, variance), x) in found.mean.to_f64().iter().zip(found.variance.to_f64()).zip(x.to_f64()) {
        assert!((mean - x).abs() < 1e-5 * x.abs().max(1.0), "{mean}, expected {x}");
        // x / 0.6 with probability 0.6, else 0.
        let expected = x * x * 0.4 / 0.6;
        assert!((variance - expected).abs() < 1e-4 * expected.max(1e-3), "{variance}, expected {expected}");
    }
    Ok(())
}

/// Stochastic depth has one unit, since a mask is the same for all samples.
#[test]
fn samples_are_dropped_whole() -> Result<()> {
    let x = [1.0, -2.0, 3.0, 0.5];
    let found = moments(&x, &[2, 2], |g, x| g.stochastic_depth(x, 0.4, 0, Mode::EveryMask))?;
    for ((mean, variance), x) in found.mean.to_f64().iter().zip(found.variance.to_f64()).zip(x) {
        let x = f64::from(x);
        assert!((mean - x).abs() < 1e-5, "{mean}, expected {x}");
        assert!((variance - x * x * 0.4 / 0.6).abs() < 1e-4, "{variance} for {x}");
    }
    Ok(())
}

#[test]
fn sixteen_units_are_the_most() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [5, 17])?;
    let refused = |g: &mut Graph, y: Value| g.mean_over_masks(&[y]).expect_err("it is refused").to_string();
    let y = g.dropout(x, 0.5, 0, Mode::EveryMask)?;
    assert!(refused(&mut g, y).contains("1 to 16 units"), "{}", refused(&mut g, y));
    assert!(refused(&mut g, y).contains("found 17"), "{}", refused(&mut g, y));
    let y = g.relu(x)?;
    assert!(refused(&mut g, y).contains("found 0"), "{}", refused(&mut g, y));
    let flat = g.input("flat", [17])?;
    let error = g.dropout(flat, 0.5, 0, Mode::EveryMask).expect_err("it has no samples").to_string();
    assert!(error.contains("samples and units"), "{error}");
    // A dropout of the same graph that the outputs do not depend on is no matter; what keeps nothing is no unit.
    let other = g.input("other", [5, 3])?;
    let other = g.dropout(other, 0.5, 0, Mode::EveryMask)?;
    let other = nn::Dropout::new(1.0).forward(&mut g, other, Mode::EveryMask)?;
    g.mean_over_masks(&[other])?;
    Ok(())
}
