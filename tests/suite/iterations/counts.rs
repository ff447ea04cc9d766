//! Sums of ones, longer than the loops that a driver stops. The results are counts.

use crate::harness::{device, sweep};
use wgrad::op::AdapterKind;
use wgrad::ops::conv2d::{Conv1dOptions, Conv2dOptions};
use wgrad::{Caps, Graph, Plan, PlanOptions, Result, Session, Value, Weights};

/// Ones of this shape, made on the device.
fn ones(g: &mut Graph, name: &str, shape: &[usize]) -> Result<Value> {
    let one = g.input(name, vec![1; shape.len()])?;
    g.expand(one, shape)
}

/// The smallest and the largest element of what `build` makes, with one in every input, and with this variant of
/// an operator if one is named.
fn extremes(
    variant: Option<(&str, &str)>,
    build: impl FnOnce(&mut Graph) -> Result<Value>,
) -> Result<[f64; 2]> {
    planned(device().caps(), variant, build).map(|(found, _)| found)
}

/// As [`extremes`], as planned for an adapter of these traits, with the names of the kernels.
fn planned(
    caps: &Caps,
    variant: Option<(&str, &str)>,
    build: impl FnOnce(&mut Graph) -> Result<Value>,
) -> Result<([f64; 2], Vec<&'static str>)> {
    let mut graph = Graph::new();
    let output = build(&mut graph)?;
    let options = PlanOptions::default();
    let options = match variant {
        Some((operator, variant)) => options.variant(operator, variant),
        None => options,
    };
    let plan = Plan::with_options(&graph, &[output], caps, &options)?;
    let kernels = plan.dispatches().iter().map(|dispatch| dispatch.kernel.name()).collect();
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    for name in ["x", "w", "dy"] {
        if let Some(value) = graph.find(name) {
            session.write(value, &vec![1.0; graph.shape(value)?.elements()])?;
        }
    }
    session.step()?;
    let found = session.read(output)?.to_f64();
    let smallest = found.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(([smallest, found.iter().copied().fold(0.0, f64::max)], kernels))
}

#[test]
fn rows_and_channels_are_summed_whole() -> Result<()> {
    let rows = extremes(None, |g| {
        let x = ones(g, "x", &[33_000, 600])?;
        g.sum(x, &[0], false)
    })?;
    assert_eq!(rows, [33_000.0; 2]);
    let channels = extremes(None, |g| {
        let x = ones(g, "x", &[300, 33_001])?;
        g.sum(x, &[1], false)
    })?;
    assert_eq!(channels, [33_001.0; 2]);
    Ok(())
}

#[test]
fn a_loss_of_many_elements_counts_them_all() -> Result<()> {
    let loss = extremes(None, |g| {
        let x = ones(g, "x", &[16_800_001])?;
        let zeros = g.sub(x, x)?;
        g.mse_loss(x, zeros)
    })?;
    assert!((loss[0] - 1.0).abs() < 1e-6, "{loss:?}");
    Ok(())
}

#[test]
fn products_sum_over_all_terms() -> Result<()> {
    let product = |m, k, n| {
        move |g: &mut Graph| {
            let (x, w) = (ones(g, "x", &[m, k])?, ones(g, "w", &[k, n])?);
            g.matmul(x, w)
        }
    };
    // So many rows that only the length of the sum splits it.
    assert_eq!(extremes(None, product(704, 27_001, 8))?, [27_001.0; 2]);
    Ok(())
}

#[test]
fn parts_of_a_sum_are_added_in_levels() -> Result<()> {
    // On a GPU each row of an image makes a part.
    let gpu = Caps::webgpu_defaults(AdapterKind::Discrete);
    let (found, kernels) = planned(&gpu, Some(("conv2d_grad_weight", "direct")), |g| {
        let (x, w) = (ones(g, "x", &[700, 1, 1, 9])?, ones(g, "w", &[1, 1, 1, 3])?);
        let y = g.conv2d(x, w, None, Conv2dOptions::new())?;
        let dy = ones(g, "dy", &[700, 1, 1, 7])?;
        Ok(g.gradients_from(&[(y, dy)], &[w])?[0].expect("a convolution has a gradient by its weight"))
    })?;
    assert_eq!(found, [4900.0; 2]);
    assert_eq!(kernels.iter().filter(|name| **name == "sum_splits").count(), 2, "{kernels:?}");
    if !sweep::sweeping() {
        return Ok(());
    }
    // A multiple of what f32 tells apart at that size.
    let count = 33_550_000;
    let found = extremes(Some(("matmul", "tiled")), |g| {
        let (x, w) = (ones(g, "x", &[1, count])?, ones(g, "w", &[count, 1])?);
        g.matmul(x, w)
    })?;
    assert_eq!(found, [count as f64; 2]);
    Ok(())
}

#[test]
fn convolutions_sum_over_all_channels_and_pixels() -> Result<()> {
    let channels = extremes(None, |g| {
        let (x, w) = (ones(g, "x", &[1, 33_000, 2, 2])?, ones(g, "w", &[1, 33_000, 3, 3])?);
        g.conv2d(x, w, None, Conv2dOptions::new().padding([1, 1]))
    })?;
    assert_eq!(channels, [4.0 * 33_000.0; 2]);
    let weight = extremes(None, |g| {
        let (x, w) = (ones(g, "x", &[1, 4, 1_200_004])?, ones(g, "w", &[16, 4, 5])?);
        let y = g.conv1d(x, w, None, Conv1dOptions::new())?;
        let dy = ones(g, "dy", &[1, 16, 1_200_000])?;
        let gradients = g.gradients_from(&[(y, dy)], &[w])?;
        Ok(gradients[0].expect("a convolution has a gradient by its weight"))
    })?;
    assert_eq!(weight, [1_200_000.0; 2]);
    Ok(())
}
