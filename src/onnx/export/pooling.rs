//! Pooling over windows.

use super::elementwise::with_number;
use super::message::{int, ints};
use super::node::Node;
use super::walk::Made;
use crate::onnx::proto::AttributeProto;
use crate::ops::pool2d::{AvgPool2d, LpPool2d, MaxPool2d, MaxUnpool2d, Norm, Pool2d, Weighting, Windows};

/// Sliding windows over an image, with padding enough for all of them.
struct Sliding<'p> {
    pool: &'p Pool2d,
    input: [usize; 2],
    output: [usize; 2],
    /// Top, left, bottom, right.
    pads: [usize; 4],
    /// Whether a last window reaches past the padding.
    past_the_end: bool,
}

impl<'p> Sliding<'p> {
    fn new(node: &Node<'_, '_>, pool: &'p Pool2d) -> Self {
        let (input, output) = (plane(node.shape(0)), plane(node.output_shape()));
        let past = [0, 1].map(|d| {
            let last = (output[d] - 1) * pool.stride[d] + (pool.kernel[d] - 1) * pool.dilation[d] + 1;
            last.saturating_sub(input[d] + 2 * pool.padding[d])
        });
        let [top, left] = pool.padding;
        let pads = [top, left, top + past[0], left + past[1]];
        Sliding { pool, input, output, pads, past_the_end: past != [0, 0] }
    }

    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            ints("kernel_shape", &self.pool.kernel),
            ints("strides", &self.pool.stride),
            ints("pads", &self.pads),
        ]
    }

    fn average(&self, node: &mut Node<'_, '_>, x: &str, with_padding: bool) -> String {
        let mut attributes = self.attributes();
        attributes.push(int("count_include_pad", with_padding.into()));
        node.op("AveragePool", &[x], attributes)
    }

    /// The divisor of each window's sum.
    fn divisors(&self, weight: impl Fn([usize; 2]) -> f64) -> Vec<f64> {
        let pool = self.pool;
        let counts = |d: usize, at: usize, tap: usize| {
            let place = at * pool.stride[d] + tap;
            match pool.count_include_pad {
                true => place < self.input[d] + 2 * pool.padding[d],
                false => (pool.padding[d]..pool.padding[d] + self.input[d]).contains(&place),
            }
        };
        let window = |y: usize, x: usize| {
            let rows = (0..pool.kernel[0]).filter(|&tap| counts(0, y, tap));
            let columns = || (0..pool.kernel[1]).filter(|&tap| counts(1, x, tap));
            rows.flat_map(|row| columns().map(move |column| [row, column])).map(&weight).sum()
        };
        (0..self.output[0])
            .flat_map(|y| (0..self.output[1]).map(move |x| [y, x]))
            .map(|[y, x]| window(y, x))
            .collect()
    }
}

/// Height and width of images.
fn plane(shape: &[usize]) -> [usize; 2] {
    [shape[2], shape[3]]
}

/// The result. Images lie side by side, so the batch is the first or the second dimension.
fn images(node: &Node<'_, '_>, name: String) -> Result<Made, String> {
    node.batch_outside(2..4, "pools")?;
    Ok(node.like_input(name))
}

pub(super) fn max(node: &mut Node<'_, '_>, MaxPool2d(windows): &MaxPool2d) -> Result<Made, String> {
    let x = node.input(0);
    let y = match windows {
        Windows::Sliding(pool) => {
            let mut sliding = Sliding::new(node, pool);
            let mut x = x;
            // ONNX Runtime refuses padding as large as the kernel.
            if (0..4).any(|side| sliding.pads[side] >= pool.kernel[side % 2]) {
                let [top, left, bottom, right] = std::mem::take(&mut sliding.pads);
                let amounts = node.sizes(&[0, 0, top, left, 0, 0, bottom, right]);
                let least = node.number(f32::NEG_INFINITY);
                x = node.op("Pad", &[&x, &amounts, &least], vec![]);
            }
            let mut attributes = sliding.attributes();
            attributes.push(ints("dilations", &pool.dilation));
            node.op("MaxPool", &[&x], attributes)
        }
        Windows::Adaptive(_) => {
            // Windows side by side: each as long as the longest, the shorter ones with their last element again.
            let mut windowed = x;
            let mut longest = |d: usize| {
                let shares = shares(plane(node.shape(0))[d], plane(node.output_shape())[d]);
                let longest = shares.iter().map(|[from, to]| to - from).max().unwrap_or(1);
                let taps = |[from, to]: &[usize; 2]| {
                    let (from, last) = (*from, *to - 1);
                    (0..longest).map(move |tap| (from + tap).min(last))
                };
                let taps = node.sizes(&shares.iter().flat_map(taps).collect::<Vec<_>>());
                windowed = node.op("Gather", &[&windowed, &taps], vec![int("axis", 2 + d as i64)]);
                longest
            };
            let kernel = [longest(0), longest(1)];
            let attributes = vec![ints("kernel_shape", &kernel), ints("strides", &kernel)];
            node.op("MaxPool", &[&windowed], attributes)
        }
    };
    images(node, y)
}

/// For each of `windows` adaptive windows: its first element, and the first one behind it.
fn shares(size: usize, windows: usize) -> Vec<[usize; 2]> {
    (0..windows).map(|at| [at * size / windows, ((at + 1) * size).div_ceil(windows)]).collect()
}

pub(super) fn average(node: &mut Node<'_, '_>, AvgPool2d(average): &AvgPool2d) -> Result<Made, String> {
    let x = node.input(0);
    let y = match (&average.windows, average.weighting) {
        (Windows::Adaptive(_), _) => adaptive(node, x),
        (Windows::Sliding(pool), Weighting::Equal) => {
            let sliding = Sliding::new(node, pool);
            if pool.divisor_override.is_none() && pool.padding == [0, 0] && pool.kernel == sliding.input {
                node.op("GlobalAveragePool", &[&x], vec![])
            } else if pool.divisor_override.is_none() && !(sliding.past_the_end && pool.count_include_pad) {
                sliding.average(node, &x, pool.count_include_pad)
            } else {
                let mean = sliding.average(node, &x, true);
                let taps = (pool.kernel[0] * pool.kernel[1]) as f64;
                match pool.divisor_override {
                    Some(divisor) => with_number(node, "Mul", &mean, (taps / divisor as f64) as f32),
                    None => scaled(node, &mean, &sliding, sliding.divisors(|_| 1.0 / taps)),
                }
            }
        }
        (Windows::Sliding(pool), Weighting::Distance) => {
            let sliding = Sliding::new(node, pool);
            let weight = |at: [usize; 2]| distance_weight(pool.kernel, at);
            // A convolution of each channel by itself.
            let channels = node.shape(0)[1];
            node.batch_outside([1], "pools by weights")?;
            let [height, width] = pool.kernel;
            let taps = (0..height).flat_map(|row| (0..width).map(move |column| [row, column]));
            let window: Vec<f32> = taps.map(|at| weight(at) as f32).collect();
            let weights = node.floats(&[channels, 1, height, width], window.repeat(channels));
            let mut attributes = sliding.attributes();
            attributes.push(int("group", channels as i64));
            let sum = node.op("Conv", &[&x, &weights], attributes);
            scaled(node, &sum, &sliding, sliding.divisors(weight))
        }
    };
    images(node, y)
}

/// Each window's number by its divisor.
fn scaled(node: &mut Node<'_, '_>, x: &str, sliding: &Sliding<'_>, divisors: Vec<f64>) -> String {
    let [height, width] = sliding.output;
    let factors = divisors.iter().map(|divisor| (1.0 / divisor) as f32).collect();
    let factors = node.floats(&[1, 1, height, width], factors);
    node.op("Mul", &[x, &factors], vec![])
}

/// The weight of a tap by its distance from the middle.
fn distance_weight(kernel: [usize; 2], at: [usize; 2]) -> f64 {
    let [y, x] = [0, 1].map(|d| at[d] as f64 - (kernel[d] as f64 - 1.0) / 2.0);
    1.0 / (1.0 + y.hypot(x))
}

/// Windows of different sizes: a product with a matrix of shares along each axis.
fn adaptive(node: &mut Node<'_, '_>, x: String) -> String {
    let (input, output) = (plane(node.shape(0)), plane(node.output_shape()));
    let matrix = |d: usize, at: &dyn Fn(usize, usize) -> usize| {
        let mut matrix = vec![0.0; input[d] * output[d]];
        for (window, [from, to]) in shares(input[d], output[d]).into_iter().enumerate() {
            (from..to).for_each(|element| matrix[at(window, element)] = 1.0 / (to - from) as f32);
        }
        matrix
    };
    let rows = matrix(0, &|window, element| window * input[0] + element);
    let columns = matrix(1, &|window, element| element * output[1] + window);
    let rows = node.floats(&[output[0], input[0]], rows);
    let columns = node.floats(&[input[1], output[1]], columns);
    let y = node.op("MatMul", &[&rows, &x], vec![]);
    node.op("MatMul", &[&y, &columns], vec![])
}

/// A mean of powers; ONNX's own operator has whole exponents only.
pub(super) fn lp(node: &mut Node<'_, '_>, LpPool2d(norm): &LpPool2d) -> Result<Made, String> {
    let Norm { p, pool } = norm;
    let (x, odd) = (node.input(0), p % 2.0 == 1.0);
    let base = if odd { x } else { node.op("Abs", &[&x], vec![]) };
    let powers = with_number(node, "Pow", &base, *p);
    let mean = Sliding::new(node, pool).average(node, &powers, false);
    let sum = with_number(node, "Mul", &mean, (pool.kernel[0] * pool.kernel[1]) as f32);
    let y = if odd {
        let (sign, size) = (node.op("Sign", &[&sum], vec![]), node.op("Abs", &[&sum], vec![]));
        let root = with_number(node, "Pow", &size, 1.0 / p);
        node.op("Mul", &[&sign, &root], vec![])
    } else {
        with_number(node, "Pow", &sum, 1.0 / p)
    };
    images(node, y)
}

pub(super) fn unpool(node: &mut Node<'_, '_>, MaxUnpool2d(unpool): &MaxUnpool2d) -> Result<Made, String> {
    let indices =
        node.second_output_of(1).ok_or("its places come from no max pooling that is written as one node")?;
    if node.input_of_maker(1).map(|shape| plane(shape)) != Some(unpool.output_size) {
        return Err("has an output of another size than the input of its max pooling".into());
    }
    let x = node.input(0);
    let pool = &unpool.pool;
    let size = |d: usize| {
        let windows = (plane(node.shape(0))[d] - 1) * pool.stride[d] + pool.kernel[d];
        windows.checked_sub(2 * pool.padding[d]).filter(|&size| size > 0)
    };
    let (Some(height), Some(width)) = (size(0), size(1)) else {
        return Err("has so much padding that nothing is left of ONNX's output".into());
    };
    let mut inputs = vec![x, indices];
    if [height, width] != unpool.output_size {
        if node.batch(0).is_some() {
            return Err(
                "has rows or columns that no window covers, for which the batch size must be fixed".into()
            );
        }
        let shape = node.output_shape();
        inputs.push(node.sizes(shape));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let pads = [pool.padding, pool.padding].concat();
    let attributes =
        vec![ints("kernel_shape", &pool.kernel), ints("strides", &pool.stride), ints("pads", &pads)];
    let y = node.op("MaxUnpool", &inputs, attributes);
    images(node, y)
}
