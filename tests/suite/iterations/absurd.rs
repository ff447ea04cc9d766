//! Graphs at sizes that no adapter holds. Planning needs none.

use wgrad::graph::Init;
use wgrad::ops::batch_norm::{Momentum, Running};
use wgrad::ops::conv2d::{Conv1dOptions, Conv2d, Conv2dOptions, ConvTranspose1dOptions};
use wgrad::ops::losses::{CrossEntropyOptions, NllOptions, Reduction, TripletMarginOptions};
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::optim::{Adam, Nadam, Sgd};
use wgrad::{Graph, Mode, Result, Value};

/// Builds operators from an input `x` of this shape, and says what is read.
type Build = fn(&mut Graph, &[usize]) -> Result<Vec<Value>>;

/// What to plan: a name, how it is built, and for which shapes of its input.
pub struct Absurd {
    pub name: &'static str,
    pub build: Build,
    pub shapes: Vec<Vec<usize>>,
}

/// An output, and the gradients by inputs of a gradient of it that is an input too.
fn both_ways(g: &mut Graph, y: Value, by: &[Value]) -> Result<Vec<Value>> {
    let shape = g.shape(y)?.clone();
    let dy = g.input("dy", shape)?;
    let mut read = vec![y];
    read.extend(g.gradients_from(&[(y, dy)], by)?.into_iter().flatten());
    Ok(read)
}

fn x(g: &mut Graph, shape: &[usize]) -> Result<Value> {
    g.input("x", shape)
}

/// Every reduction over the odd dimensions, from the first or from the second on.
fn reductions(g: &mut Graph, shape: &[usize], first: usize) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let axes: Vec<usize> = (first..shape.len()).step_by(2).collect();
    let mut read = Vec::new();
    for (i, y) in [
        g.sum(x, &axes, false)?,
        g.mean(x, &axes, true)?,
        g.max(x, &axes, false)?,
        g.min(x, &axes, false)?,
        g.variance(x, &axes, 1, false)?,
    ]
    .into_iter()
    .enumerate()
    {
        let dy = g.input(&format!("dy{i}"), g.shape(y)?.clone())?;
        read.push(y);
        read.extend(g.gradients_from(&[(y, dy)], &[x])?.into_iter().flatten());
    }
    Ok(read)
}

fn soft(g: &mut Graph, shape: &[usize], axis: usize) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let (y, logarithm) = (g.softmax(x, axis)?, g.log_softmax(x, axis)?);
    let mut read = both_ways(g, y, &[x])?;
    let dy = g.input("d log", shape)?;
    read.push(logarithm);
    read.extend(g.gradients_from(&[(logarithm, dy)], &[x])?.into_iter().flatten());
    read.extend([g.argmax(x, Some(axis), false)?, g.argmin(x, Some(axis), true)?]);
    Ok(read)
}

/// Losses of classes, the second dimension, in every form.
fn classes(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let rows: Vec<usize> = [&shape[..1], &shape[2..]].concat();
    let labels = g.input_i32("labels", rows)?;
    let weight = g.input("weight", [shape[1]])?;
    let (of_logits, of_logarithms) = (CrossEntropyOptions::new(), NllOptions::new());
    let smoothed = of_logits.label_smoothing(0.1);
    let losses = [
        g.cross_entropy_with(x, labels, of_logits)?,
        g.cross_entropy_with(x, labels, smoothed)?,
        g.cross_entropy_with(x, labels, smoothed.weight(weight).reduction(Reduction::None))?,
        g.nll_loss_with(x, labels, of_logarithms)?,
        g.nll_loss_with(x, labels, of_logarithms.weight(weight).reduction(Reduction::Sum))?,
    ];
    let mut read = Vec::new();
    for loss in losses {
        let dy = g.input(&format!("dy{}", read.len()), g.shape(loss)?.clone())?;
        read.push(loss);
        read.extend(g.gradients_from(&[(loss, dy)], &[x])?.into_iter().flatten());
    }
    read.push(g.one_hot(labels, 1)?);
    if shape.len() == 2 {
        read.extend([g.correct_predictions(x, labels)?, g.in_top_k(x, labels, 5)?]);
    }
    Ok(read)
}

fn losses(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let (x, target) = (x(g, shape)?, g.input("target", shape)?);
    let (first, second) = (g.mse_loss(x, target)?, g.huber_loss(x, target)?);
    let mut read = both_ways(g, first, &[x])?;
    read.push(second);
    Ok(read)
}

fn rows_apart(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let (x, other, third) = (x(g, shape)?, g.input("other", shape)?, g.input("third", shape)?);
    let y = g.input("y", [shape[0]])?;
    let cosine = g.cosine_embedding_loss(x, other, y)?;
    let options = TripletMarginOptions::new().reduction(Reduction::Sum);
    let triplet = g.triplet_margin_loss_with(x, other, third, options)?;
    let loss = g.add(cosine, triplet)?;
    both_ways(g, loss, &[x, other])
}

fn batch_norm(g: &mut Graph, shape: &[usize], mode: Mode) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let channels = [shape[1]];
    let affine = [g.input("weight", channels)?, g.input("bias", channels)?];
    let mean = g.state("mean", channels, Init::Constant(0.0), true)?;
    let variance = g.state("variance", channels, Init::Constant(1.0), true)?;
    let running = Some(Running { mean, variance, momentum: Momentum::Share(0.1) });
    let mut y = g.batch_norm(x, Some(affine), running, 1e-5, mode)?;
    if shape.len() == 4 && shape[2..].iter().all(|size| size % 2 == 0) {
        y = g.relu(y)?;
        y = g.max_pool2d(y, MaxPool2dOptions::new([2, 2]))?;
    }
    both_ways(g, y, &[x, affine[0], affine[1]])
}

fn row_norms(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let [weight, bias] = [g.input("weight", &shape[1..])?, g.input("bias", &shape[1..])?];
    let y = g.layer_norm(x, &shape[1..], Some(weight), Some(bias), 1e-5)?;
    let mut read = both_ways(g, y, &[x, weight, bias])?;
    if shape.len() > 2 {
        let [weight, bias] = [g.input("w", [shape[1]])?, g.input("b", [shape[1]])?];
        for y in [
            g.group_norm(x, 1, Some(weight), Some(bias), 1e-5)?,
            g.instance_norm(x, Some(weight), Some(bias), 1e-5)?,
        ] {
            let dy = g.input(&format!("dy{}", read.len()), shape)?;
            read.extend(g.gradients_from(&[(y, dy)], &[x, weight, bias])?.into_iter().flatten());
            read.push(y);
        }
    }
    Ok(read)
}

/// Products (m, k) by (k, n) for a shape of m, k and n, and their gradients, which sum over n and m.
fn products(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let lhs = x(g, &shape[..2])?;
    let rhs = g.input("rhs", [shape[1], shape[2]])?;
    let y = g.matmul(lhs, rhs)?;
    let mut read = both_ways(g, y, &[lhs, rhs])?;
    let weight = g.input("weight", [shape[2], shape[1]])?;
    let bias = g.input("bias", [shape[2]])?;
    let y = g.linear(lhs, weight, Some(bias))?;
    let y = g.pow(y, 3.0)?;
    let dy = g.input("d linear", [shape[0], shape[2]])?;
    read.push(y);
    read.extend(g.gradients_from(&[(y, dy)], &[lhs, weight, bias])?.into_iter().flatten());
    Ok(read)
}

fn convolution(g: &mut Graph, shape: &[usize], options: Conv2dOptions, results: usize) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let groups = Conv2d::from(options).groups;
    let weight = g.input("weight", [results, shape[1] / groups, 3, 3])?;
    let bias = g.input("bias", [results])?;
    let y = g.conv2d(x, weight, Some(bias), options)?;
    both_ways(g, y, &[x, weight, bias])
}

fn line(g: &mut Graph, shape: &[usize], transposed: bool) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let weight = g.input("weight", [shape[1], shape[1], 5])?;
    let y = if transposed {
        g.conv_transpose1d(x, weight, None, ConvTranspose1dOptions::new())?
    } else {
        g.conv1d(x, weight, None, Conv1dOptions::new())?
    };
    both_ways(g, y, &[x, weight])
}

/// Steps of optimizers over one parameter, clipped by norm.
fn updates(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let rate = g.input_scalar("rate")?;
    for optimizer in 0..3 {
        let parameter = g.parameter(&format!("p{optimizer}"), shape, Init::Constant(0.0))?;
        let gradient = g.input(&format!("g{optimizer}"), shape)?;
        let pairs = [(parameter, gradient)];
        match optimizer {
            0 => Sgd::new(rate).momentum(0.9).clip_norm(1.0).clip_value(2.0).apply(g, &pairs)?,
            1 => Adam::new(rate).clip_norm(1.0).apply(g, &pairs)?,
            _ => Nadam::new(rate).clip_norm(1.0).apply(g, &pairs)?,
        }
    }
    Ok(Vec::new())
}

/// What works element by element, and what moves elements.
fn elements(g: &mut Graph, shape: &[usize]) -> Result<Vec<Value>> {
    let x = x(g, shape)?;
    let mut y = x;
    for exponent in [3.0, 2.5, 1e9] {
        y = g.pow(y, exponent)?;
    }
    let dropped = g.dropout(y, 0.5, 1, Mode::Train)?;
    let slope = g.input("slope", [1])?;
    let leaky = g.prelu(dropped, slope)?;
    let turned = g.permute(leaky, (0..shape.len()).rev().collect::<Vec<_>>())?;
    let flipped = g.flip(x, &[0])?;
    let mut read = both_ways(g, turned, &[x, slope])?;
    read.extend([flipped, g.concatenate(&[flipped, x], 0)?]);
    Ok(read)
}

/// Everything here, with the sizes that make each way of summing long.
pub fn all() -> Vec<Absurd> {
    let shapes = |shapes: &[&[usize]]| shapes.iter().map(|shape| shape.to_vec()).collect::<Vec<_>>();
    let absurd = |name, build, list: &[&[usize]]| Absurd { name, build, shapes: shapes(list) };
    let sums: &[&[usize]] = &[
        &[2_000_000_000],
        &[2_147_483_647],
        &[40_000, 50_000],
        &[400_000_000, 5],
        &[3, 700_000_001],
        &[7, 30_000_001, 9],
        &[3, 1_000_000, 700],
        &[2, 3, 5_000_011, 7, 9],
        &[20_000_003, 2, 50],
    ];
    let rows: &[&[usize]] = &[&[2_000_000_000, 1], &[40_000, 50_000], &[3, 700_000_001], &[1, 2_147_483_647]];
    let channels: &[&[usize]] = &[
        &[2_000_000_000, 1],
        &[100_000_000, 17],
        &[1, 1, 2_000_000_000],
        &[3, 5, 130_000_007],
        &[1, 2, 30_000, 30_000],
        &[70_000, 300, 2, 46],
    ];
    let images: &[&[usize]] = &[
        &[1, 100_000_004, 2, 2],
        &[1, 4, 20_000, 20_000],
        &[30_000_000, 4, 3, 3],
        &[2, 33_000, 30, 30],
        &[1, 48, 6_000, 6_000],
    ];
    let lines: &[&[usize]] = &[&[1, 1, 1_900_000_000], &[3, 4, 150_000_001], &[1_000_000, 16, 120]];
    vec![
        absurd("reductions", |g, s| reductions(g, s, 0), sums),
        absurd("reductions past the first", |g, s| reductions(g, s, 1), &sums[2..]),
        absurd("softmax and argmax", |g, s| soft(g, s, s.len() / 2), sums),
        absurd("softmax and argmax of columns", |g, s| soft(g, s, 0), &sums[2..]),
        absurd("classes", classes, rows),
        absurd(
            "classes of pixels",
            classes,
            &[&[3, 300_000_000, 2], &[300, 1_000, 7_000], &[1, 900_000, 2_047]],
        ),
        absurd("losses", losses, &[&[2_000_000_000], &[1_999_999_999], &[16_800_001]]),
        absurd("losses of rows", rows_apart, &[&[2, 900_000_000], &[600_000_000, 3]]),
        absurd("batch norm", |g, s| batch_norm(g, s, Mode::Train), channels),
        absurd("batch norm in evaluation", |g, s| batch_norm(g, s, Mode::Eval), channels),
        absurd("row norms", row_norms, &[rows[1], rows[2], channels[2], channels[3], channels[5]]),
        absurd(
            "products",
            products,
            &[
                &[2, 600_000_003, 1],
                &[1_000, 2_000_000, 900],
                &[600_000_001, 2, 3],
                &[4, 4, 500_000_000],
                &[40_000, 30_000, 40_000],
            ],
        ),
        absurd("convolution", |g, s| convolution(g, s, Conv2dOptions::new().padding([1, 1]), 2), images),
        absurd(
            "convolution with a stride",
            |g, s| convolution(g, s, Conv2dOptions::new().padding([1, 1]).stride([2, 2]), 2),
            &images[..4],
        ),
        absurd(
            "convolution in groups",
            |g, s| convolution(g, s, Conv2dOptions::new().padding([1, 1]).groups(s[1]), s[1]),
            &images[1..],
        ),
        absurd("convolution of lines", |g, s| line(g, s, false), lines),
        absurd("transposed convolution of lines", |g, s| line(g, s, true), &lines[..2]),
        absurd("updates", updates, &[&[2_000_000_000], &[40_000, 50_000]]),
        absurd("elements", elements, &[&[1_000_000_000], &[30_000, 35_000], &[1_000_003, 7, 150]]),
    ]
}
