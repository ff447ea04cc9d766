//! Dropout: the generator against its published vectors, the masks' statistics and what they depend on,
//! channels, and chains.

mod every_mask;
mod monte_carlo;

use crate::harness;
use crate::harness::{Case, device, numbers};
use wgrad::nn::{self, Layer};
use wgrad::ops::dropout::{Dropout, Unit};
use wgrad::{Graph, HostData, HostTensor, Mode, Plan, Result, Session, Shape, Value, Weights};

fn session(graph: &Graph, outputs: &[Value]) -> Result<Session> {
    let plan = Plan::new(graph, outputs, device().caps())?;
    Session::new(device(), plan, &Weights::init(device(), graph, 0)?)
}

/// The mask of one dropout over `size` elements in step `step`.
fn mask(size: usize, p: f64, seed: u64, step: u32) -> Result<Vec<f64>> {
    let mut graph = Graph::new();
    let x = graph.input("x", [size])?;
    let y = graph.dropout(x, p, seed, Mode::Train)?;
    let mask = graph.dropout_mask(y)?;
    let mut session = session(&graph, &[mask])?;
    session.set_step_number(step);
    session.step()?;
    Ok(session.read(mask)?.to_f64())
}

/// Part of the elements in which two masks agree.
fn agreement(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

#[test]
fn masks_keep_each_unit_with_the_probability_and_by_itself() -> Result<()> {
    const SIZE: usize = 100_003;
    for keep in [0.1, 0.5, 0.8] {
        let mask = mask(SIZE, 1.0 - keep, 7, 0)?;
        assert!(mask.iter().all(|&kept| kept == 0.0 || kept == 1.0));
        let size = SIZE as f64;
        let mean = mask.iter().sum::<f64>() / size;
        // Four standard deviations of a mean of independent draws.
        let bound = 4.0 * (keep * (1.0 - keep) / size).sqrt();
        assert!((mean - keep).abs() < bound, "{mean} of the units are kept, expected {keep}");
        // Neighbours, words of one call, lanes of a workgroup and the next calls are uncorrelated.
        for lag in [1, 2, 3, 4, 5, 8, 64, 256, 1024] {
            let products = mask.iter().zip(&mask[lag..]).map(|(a, b)| (a - keep) * (b - keep));
            let correlation = products.sum::<f64>() / (size * keep * (1.0 - keep));
            assert!(correlation.abs() < 4.0 / size.sqrt(), "keep {keep}, lag {lag}: {correlation}");
        }
    }
    Ok(())
}

#[test]
fn masks_differ_between_steps_seeds_and_nodes_and_repeat_otherwise() -> Result<()> {
    const SIZE: usize = 40_001;
    let base = mask(SIZE, 0.5, 7, 3)?;
    assert_eq!(base, mask(SIZE, 0.5, 7, 3)?);
    for (what, other) in [
        ("step", mask(SIZE, 0.5, 7, 4)?),
        ("seed", mask(SIZE, 0.5, 8, 3)?),
        ("seed's high word", mask(SIZE, 0.5, 7 | 1 << 32, 3)?),
    ] {
        let same = agreement(&base, &other);
        assert!((same - 0.5).abs() < 0.02, "another {what} agrees in {same} of the units");
    }
    let mut graph = Graph::new();
    let x = graph.input("x", [SIZE])?;
    let first = graph.dropout(x, 0.5, 7, Mode::Train)?;
    let second = graph.dropout(first, 0.5, 7, Mode::Train)?;
    let masks = [graph.dropout_mask(first)?, graph.dropout_mask(second)?];
    let mut session = session(&graph, &masks)?;
    session.set_step_number(3);
    session.step()?;
    let [first, second] = masks;
    let (first, second) = (session.read(first)?.to_f64(), session.read(second)?.to_f64());
    assert_eq!(first, base);
    let same = agreement(&first, &second);
    assert!((same - 0.5).abs() < 0.02, "another node agrees in {same} of the units");
    Ok(())
}

#[test]
fn the_backward_pass_uses_the_masks_of_the_forward_pass() -> Result<()> {
    for size in [24, 1023] {
        let mut graph = Graph::new();
        let x = graph.input("x", [size])?;
        let dy = graph.input("dy", [size])?;
        let hidden = graph.dropout(x, 0.2, 11, Mode::Train)?;
        let y = graph.dropout(hidden, 0.5, 11, Mode::Train)?;
        let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
        // A dropout added after the gradients has bits of its own too.
        let later = graph.dropout(x, 0.5, 11, Mode::Train)?;
        let mask = graph.dropout_mask(later)?;
        let mut session = session(&graph, &[y, dx, mask])?;
        session.write(x, &vec![1.0; size])?;
        session.write(dy, &vec![1.0; size])?;
        let mut before = Vec::new();
        for _ in 0..3 {
            session.step()?;
            let (forward, backward) = (session.read(y)?.to_f64(), session.read(dx)?.to_f64());
            assert!(forward.contains(&0.0) && forward.contains(&2.5));
            assert_eq!(forward, backward);
            assert_ne!(forward, before, "two steps drop the same units");
            assert_ne!(session.read(mask)?.to_f64(), forward.iter().map(|y| y / 2.5).collect::<Vec<_>>());
            before = forward;
        }
        session.verify()?;
    }
    Ok(())
}

#[test]
fn a_backward_rule_agrees_with_finite_differences() {
    let step = HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![9]) };
    let dropout = Dropout { p: 0.3, of: Unit::Element, seed: 5, node: 2 };
    harness::finite::check_gradients(&Case::new("a prime", dropout, vec![numbers([3, 7], 1), step]), &[0]);
}

#[test]
fn without_anything_to_drop_the_value_itself_comes_back() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4])?;
    assert_eq!(graph.dropout(x, 0.5, 0, Mode::Eval)?, x);
    assert_eq!(graph.dropout(x, 0.0, 0, Mode::Train)?, x);
    let error = graph.dropout_mask(x).expect_err("x is an input");
    assert_eq!(error.to_string(), "graph: \"x\" is not the output of a dropout");
    for p in [-1e-6, -0.5, 1.5, f64::NAN, f64::INFINITY] {
        for mode in [Mode::Train, Mode::Eval] {
            let error = graph.dropout(x, p, 0, mode).expect_err("no probability");
            assert!(error.to_string().contains("has to be between 0 and 1, but got"), "{error}");
        }
    }
    assert_eq!(graph.nodes().count(), 0);
    Ok(())
}

#[test]
fn channels_are_dropped_whole_and_by_themselves() -> Result<()> {
    const SHAPE: [usize; 4] = [61, 83, 3, 4];
    let mut graph = Graph::new();
    let x = graph.input("x", SHAPE)?;
    let dy = graph.input("dy", SHAPE)?;
    let y = graph.dropout2d(x, 0.2, 3, Mode::Train)?;
    let mask = graph.dropout_mask(y)?;
    let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
    let mut session = session(&graph, &[y, mask, dx])?;
    session.write(x, &numbers(SHAPE, 1))?;
    session.write(dy, &numbers(SHAPE, 2))?;
    session.verify()?;
    let (y, mask) = (session.read(y)?.to_f64(), session.read(mask)?.to_f64());
    let planes: Vec<f64> = mask.chunks(12).map(|plane| plane[0]).collect();
    assert!(mask.chunks(12).zip(&planes).all(|(plane, &first)| plane.iter().all(|&kept| kept == first)));
    for (((x, y), dx), kept) in
        numbers(SHAPE, 1).to_f64().iter().zip(&y).zip(session.read(dx)?.to_f64()).zip(&mask)
    {
        assert!((y - x * kept / 0.8).abs() < 1e-6);
        assert_eq!(*kept == 0.0, dx == 0.0);
    }
    let (count, keep) = (planes.len() as f64, 0.8f64);
    let mean = planes.iter().sum::<f64>() / count;
    // Four standard deviations of a mean of independent draws.
    assert!(
        (mean - keep).abs() < 4.0 * (keep * (1.0 - keep) / count).sqrt(),
        "{mean} of the channels are kept"
    );
    Ok(())
}

#[test]
fn samples_are_dropped_whole_and_by_themselves() -> Result<()> {
    const SHAPE: [usize; 3] = [2003, 3, 5];
    let mut graph = Graph::new();
    let x = graph.input("x", SHAPE)?;
    let y = nn::StochasticDepth::new(0.2).seed(3).forward(&mut graph, x, Mode::Train)?;
    let mut session = session(&graph, &[y])?;
    session.write(x, &numbers(SHAPE, 1))?;
    session.verify()?;
    let (x, y) = (numbers(SHAPE, 1).to_f64(), session.read(y)?.to_f64());
    let mut kept = 0.0;
    for (x, y) in x.chunks(15).zip(y.chunks(15)) {
        let factor = if y[0] == 0.0 { 0.0 } else { 1.25 };
        assert!(x.iter().zip(y).all(|(x, y)| (y - factor * x).abs() < 1e-6));
        kept += factor / 1.25;
    }
    let (count, keep) = (SHAPE[0] as f64, 0.8f64);
    // Four standard deviations of a mean of independent draws.
    let bound = 4.0 * (keep * (1.0 - keep) / count).sqrt();
    assert!((kept / count - keep).abs() < bound, "{kept} of {count} samples are kept");
    let scalar = graph.input("scalar", Shape::scalar())?;
    let error = graph.stochastic_depth(scalar, 0.5, 0, Mode::Train).expect_err("there are no samples");
    assert!(error.to_string().contains("requires samples"), "{error}");
    Ok(())
}

#[test]
fn what_has_no_channels_is_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", [4]).expect("the input is valid");
    let error = graph.dropout2d(x, 0.5, 0, Mode::Train).expect_err("there are no channels").to_string();
    assert!(error.contains("Feature dropout requires at least 2 dimensions in the input"), "{error}");
    for layer in [Box::new(nn::Dropout::new(1.01)) as Box<dyn Layer>, Box::new(nn::Dropout2d::new(f64::NAN))]
    {
        let error = layer.forward(&mut graph, x, Mode::Eval).expect_err("no probability").to_string();
        assert!(error.contains("probability has to be between 0 and 1, but got"), "{error}");
    }
    assert_eq!(nn::Dropout::input(), nn::Dropout::new(0.2));
    assert_eq!(nn::Dropout2d::hidden(), nn::Dropout2d::new(0.5));
}

/// Verifies three steps on some inputs.
fn verify(graph: &Graph, plan: Plan, inputs: &[Value]) -> Result<()> {
    let mut session = Session::new(device(), plan, &Weights::init(device(), graph, 0)?)?;
    for (seed, &value) in (1..).zip(inputs) {
        session.write(value, &numbers(graph.shape(value).expect("of this graph").clone(), seed))?;
    }
    (0..3).try_for_each(|_| session.verify().map(drop))
}

/// Dropout and its gradient go into what is before them, several in one kernel, whatever its width.
#[test]
fn dropout_fuses_with_chains_around_it() -> Result<()> {
    for (shape, features) in [([6, 5], 12), ([5, 7], 9)] {
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let w = graph.input("w", [features, shape[1]])?;
        let dy = graph.input("dy", [shape[0], features])?;
        let linear = graph.linear(x, w, None)?;
        let relu = graph.relu(linear)?;
        let dropped = graph.dropout(relu, 0.5, 1, Mode::Train)?;
        let tanh = graph.tanh(dropped)?;
        let y = graph.dropout(tanh, 0.2, 2, Mode::Train)?;
        let forward = Plan::new(&graph, &[y], device().caps())?;
        assert!(forward.to_string().contains("linear + relu + dropout + tanh + dropout"), "{forward}");
        verify(&graph, forward, &[x, w])?;
        let dw = graph.gradients_from(&[(y, dy)], &[w])?[0].expect("y depends on w");
        let plan = Plan::new(&graph, &[y, dw], device().caps())?;
        assert!(plan.to_string().contains("dropout + tanh_grad + dropout + relu_grad"), "{plan}");
        verify(&graph, plan, &[x, w, dy])?;
    }
    // Channels behind a convolution, in planes that fours straddle.
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 5, 9])?;
    let w = graph.input("w", [7, 3, 3, 3])?;
    let conv = graph.conv2d(x, w, None, Default::default())?;
    let y = graph.dropout2d(conv, 0.5, 1, Mode::Train)?;
    let plan = Plan::new(&graph, &[y], device().caps())?;
    assert!(plan.to_string().contains("conv2d + dropout"), "{plan}");
    verify(&graph, plan, &[x, w])
}

/// PyTorch's `p=1`: zeros, of NaN and infinity times zero, and a gradient of zeros.
#[test]
fn a_dropout_that_keeps_nothing_gives_zeros() -> Result<()> {
    const X: [f32; 8] = [1.0, -2.0, f32::INFINITY, f32::NAN, 0.5, 3.0, -0.25, 7.0];
    for through_a_layer in [false, true] {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 4])?;
        let y = match through_a_layer {
            true => nn::Dropout::new(1.0).forward(&mut graph, x, Mode::Train)?,
            false => graph.dropout2d(x, 1.0, 3, Mode::Train)?,
        };
        let mask = graph.dropout_mask(y)?;
        let loss = graph.sum(y, &[], false)?;
        let gradient = graph.gradients(loss, &[x])?[0].expect("the loss depends on x");
        let mut session = session(&graph, &[y, mask, gradient])?;
        session.write(x, &X)?;
        session.step()?;
        let expected = X.map(|x| if x.is_finite() { 0.0 } else { f64::NAN });
        for (found, expected) in session.read(y)?.to_f64().into_iter().zip(expected) {
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{found}, expected {expected}");
        }
        assert_eq!(session.read(mask)?.to_f64(), [0.0; 8]);
        assert_eq!(session.read(gradient)?.to_f64(), [0.0; 8]);
        session.verify()?;
    }
    Ok(())
}
