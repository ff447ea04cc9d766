//! Pooling, window by window.

use crate::op::{Array, Reference};
use crate::ops::pool2d::{
    Average, AvgPool2d, AvgPool2dGrad, LpPool2d, LpPool2dGrad, MaxPool2d, MaxPool2dGrad, MaxUnpool2d,
    MaxUnpool2dGrad, Norm, Pool2d, Unpool, Weighting, Windows,
};
use crate::tensor::Shape;

/// The output, and for each window the number of the winning tap (counted row by row; the first of equals, the last
/// NaN).
pub(super) fn max_pool2d(x: &Array, windows: &Windows) -> (Array, Vec<usize>) {
    let mut output = Array::zeros(output_shape(&x.shape, windows));
    let mut winners = vec![0; output.data.len()];
    for (o, y) in output.data.iter_mut().enumerate() {
        let mut best: Option<f64> = None;
        for tap in taps(o, &x.shape, windows) {
            if best.is_none_or(|best| x.data[tap.index] > best || x.data[tap.index].is_nan()) {
                best = Some(x.data[tap.index]);
                winners[o] = tap.number;
            }
        }
        *y = best.expect("the shape rule refuses windows without a tap in the input");
    }
    (output, winners)
}

impl Reference for MaxPool2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (output, taps) = max_pool2d(inputs[0], &self.0);
        let [h, w] = [inputs[0].shape[2], inputs[0].shape[3]];
        vec![output, pack_taps(&taps, self.0.taps_per_word([h, w]))]
    }
}

/// Gives each window's gradient to the tap that won.
pub(super) fn max_pool2d_grad(
    gradient: &Array,
    winners: &[usize],
    windows: &Windows,
    input: &Shape,
) -> Array {
    let mut result = Array::zeros(input.clone());
    for (&g, place) in gradient.data.iter().zip(places(winners, windows, input)) {
        // Taps that a test makes up may lie in the padding. Their gradient goes nowhere.
        if let Some(i) = place {
            result.data[i] += g;
        }
    }
    result
}

impl Reference for MaxPool2dGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let per_word = self.windows.taps_per_word([self.input[2], self.input[3]]);
        let taps = unpack_taps(inputs[1], inputs[0].data.len(), per_word);
        vec![max_pool2d_grad(inputs[0], &taps, &self.windows, &self.input)]
    }
}

/// Puts each value where its window's winner lies. If several windows meet there, the last one counts.
impl Reference for MaxUnpool2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let MaxUnpool2d(unpool) = self;
        let winners = winners(unpool, inputs[1], inputs[0].data.len());
        let output = unpool.output_shape(&inputs[0].shape).expect("the shape rule has passed");
        let mut result = Array::zeros(output.clone());
        for (&value, place) in inputs[0].data.iter().zip(places(&winners, &unpool.windows(), &output)) {
            if let Some(i) = place {
                result.data[i] = value;
            }
        }
        vec![result]
    }
}

/// Gives each window the gradient of the element that has its value.
impl Reference for MaxUnpool2dGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let gradient = inputs[0];
        let winners = winners(&self.unpool, inputs[1], self.input.elements());
        let places = places(&winners, &self.unpool.windows(), &gradient.shape);
        let mut last = vec![None; gradient.data.len()];
        for (o, place) in places.iter().enumerate() {
            if let Some(i) = *place {
                last[i] = Some(o);
            }
        }
        let taken = |(o, place): (usize, &Option<usize>)| {
            place.filter(|&i| last[i] == Some(o)).map_or(0.0, |i| gradient.data[i])
        };
        vec![Array::new(self.input.clone(), places.iter().enumerate().map(taken).collect())]
    }
}

fn winners(unpool: &Unpool, taps: &Array, count: usize) -> Vec<usize> {
    unpack_taps(taps, count, unpool.windows().taps_per_word(unpool.output_size))
}

/// The place of each window's winner. Taps that a test makes up may lie outside.
fn places(winners: &[usize], windows: &Windows, shape: &Shape) -> Vec<Option<usize>> {
    let output = output_shape(shape, windows);
    let width = windows.kernel([shape[2], shape[3]])[1];
    let place = |(o, &winner): (usize, &usize)| {
        let (plane, at) = window(o, &output);
        let tap = [winner / width, winner % width];
        let along = |d: usize| position(tap[d], at[d], d, shape[2 + d], output[2 + d], windows);
        Some((plane * shape[2] + along(0)?) * shape[3] + along(1)?)
    };
    winners.iter().enumerate().map(place).collect()
}

/// The weighted mean of each window.
impl Reference for AvgPool2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let AvgPool2d(average) = self;
        let x = inputs[0];
        let mut output = Array::zeros(output_shape(&x.shape, &average.windows));
        for (o, y) in output.data.iter_mut().enumerate() {
            let taps = taps(o, &x.shape, &average.windows);
            let sum: f64 =
                taps.iter().map(|tap| weight(tap.kernel, tap.at, average) * x.data[tap.index]).sum();
            *y = sum / divisor(o, &x.shape, average);
        }
        vec![output]
    }
}

/// Spreads each window's gradient over its taps.
impl Reference for AvgPool2dGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let AvgPool2dGrad { average, input } = self;
        let mut result = Array::zeros(input.clone());
        for (o, &g) in inputs[0].data.iter().enumerate() {
            let divisor = divisor(o, input, average);
            for tap in taps(o, input, &average.windows) {
                result.data[tap.index] += g * weight(tap.kernel, tap.at, average) / divisor;
            }
        }
        vec![result]
    }
}

/// The p-norm of each window.
impl Reference for LpPool2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let LpPool2d(norm) = self;
        let x = inputs[0];
        let windows = Windows::Sliding(norm.pool);
        let p = f64::from(norm.p);
        let mut output = Array::zeros(output_shape(&x.shape, &windows));
        for (o, y) in output.data.iter_mut().enumerate() {
            let taps = taps(o, &x.shape, &windows);
            let mean = taps.iter().map(|tap| power(x.data[tap.index], norm)).sum::<f64>() / taps.len() as f64;
            let sum = mean * (norm.pool.kernel[0] * norm.pool.kernel[1]) as f64;
            *y = sum.signum() * sum.abs().powf(1.0 / p);
        }
        vec![output]
    }
}

/// dy/dx = c |x|^(p-1) |y|^(1-p), with the sign of x unless p is odd. The factor c compensates for taps outside.
impl Reference for LpPool2dGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let LpPool2dGrad(norm) = self;
        let [gradient, x, y] = [0, 1, 2].map(|i| inputs[i]);
        let windows = Windows::Sliding(norm.pool);
        let p = f64::from(norm.p);
        let mut result = Array::zeros(x.shape.clone());
        for (o, (&g, &y)) in gradient.data.iter().zip(&y.data).enumerate() {
            let taps = taps(o, &x.shape, &windows);
            let scale = (norm.pool.kernel[0] * norm.pool.kernel[1]) as f64 / taps.len() as f64;
            for tap in taps {
                let x = x.data[tap.index];
                // PyTorch gives no gradient for a sum that is NaN.
                if y == 0.0 || (x == 0.0 && p < 1.0) || (y.is_nan() && p == 1.0) {
                    continue;
                }
                let sign = if norm.is_odd() { 1.0 } else { x.signum() };
                result.data[tap.index] += g * scale * sign * (x / y).abs().powf(p - 1.0);
            }
        }
        vec![result]
    }
}

fn power(x: f64, norm: &Norm) -> f64 {
    let size = x.abs().powf(f64::from(norm.p));
    if norm.is_odd() { x.signum() * size } else { size }
}

/// Taps as the kernels keep them: 32-bit words, each of `per_word` equal parts, the first lowest.
pub(super) fn pack_taps(taps: &[usize], per_word: usize) -> Array {
    let words: Vec<f64> = taps
        .chunks(per_word)
        .map(|taps| {
            let word = taps.iter().rev().fold(0u64, |word, &tap| word * (1 << (32 / per_word)) + tap as u64);
            f64::from(word as u32 as i32)
        })
        .collect();
    Array::new([words.len()], words)
}

/// The first `count` taps of packed words.
pub(super) fn unpack_taps(words: &Array, count: usize, per_word: usize) -> Vec<usize> {
    let part = 1u64 << (32 / per_word);
    (0..count)
        .map(|i| {
            let word = u64::from(words.data[i / per_word] as i32 as u32);
            (word / part.pow((i % per_word) as u32) % part) as usize
        })
        .collect()
}

fn output_shape(input: &Shape, windows: &Windows) -> Shape {
    let [h, w] = windows.output_size([input[2], input[3]]).expect("the shape rule has passed");
    Shape::from([input[0], input[1], h, w])
}

/// The plane, row and column of output `o`'s window.
fn window(o: usize, output: &Shape) -> (usize, [usize; 2]) {
    (o / (output[2] * output[3]), [o / output[3] % output[2], o % output[3]])
}

/// One tap of a window that lies in the input.
struct Tap {
    /// Row and column within the window.
    at: [usize; 2],
    /// Row by row, in a window of the largest size.
    number: usize,
    /// Flat index in the input.
    index: usize,
    /// Size of the window.
    kernel: [usize; 2],
}

/// The taps of output `o`'s window that lie in the input, row by row.
fn taps(o: usize, input: &Shape, windows: &Windows) -> Vec<Tap> {
    let output = output_shape(input, windows);
    let (plane, at) = window(o, &output);
    let [rows, columns] = [0, 1].map(|d| positions(at[d], d, input[2 + d], output[2 + d], windows));
    let width = windows.kernel([input[2], input[3]])[1];
    let mut taps = Vec::new();
    for (ky, &y) in rows.iter().enumerate() {
        for (kx, &x) in columns.iter().enumerate() {
            if let (Some(y), Some(x)) = (y, x) {
                taps.push(Tap {
                    at: [ky, kx],
                    number: ky * width + kx,
                    index: (plane * input[2] + y) * input[3] + x,
                    kernel: [rows.len(), columns.len()],
                });
            }
        }
    }
    taps
}

/// The positions of the taps of window `at` along dimension `d`; `None` outside of the input.
fn positions(
    at: usize,
    d: usize,
    size: usize,
    windows_there: usize,
    windows: &Windows,
) -> Vec<Option<usize>> {
    let taps = match windows {
        Windows::Sliding(pool) => pool.kernel[d],
        Windows::Adaptive(_) => ((at + 1) * size).div_ceil(windows_there) - at * size / windows_there,
    };
    (0..taps).map(|tap| position(tap, at, d, size, windows_there, windows)).collect()
}

/// The position of one tap of window `at` along dimension `d`.
fn position(
    tap: usize,
    at: usize,
    d: usize,
    size: usize,
    windows_there: usize,
    windows: &Windows,
) -> Option<usize> {
    match windows {
        Windows::Sliding(Pool2d { kernel, stride, padding, dilation, .. }) => {
            let place = (at * stride[d] + tap * dilation[d]).checked_sub(padding[d])?;
            (tap < kernel[d] && place < size).then_some(place)
        }
        Windows::Adaptive(_) => {
            let place = at * size / windows_there + tap;
            (place < ((at + 1) * size).div_ceil(windows_there)).then_some(place)
        }
    }
}

fn weight(kernel: [usize; 2], at: [usize; 2], average: &Average) -> f64 {
    if average.weighting == Weighting::Equal {
        return 1.0;
    }
    let middle = kernel.map(|size| (size as f64 - 1.0) / 2.0);
    let squares = (0..2).map(|d| (at[d] as f64 - middle[d]).powi(2));
    1.0 / (1.0 + squares.sum::<f64>().sqrt())
}

/// The divisor of the sum over output `o`'s window: the weights of its taps in the input, or of those in the padded
/// input.
fn divisor(o: usize, input: &Shape, average: &Average) -> f64 {
    let windows = &average.windows;
    if let Windows::Sliding(pool) = windows {
        if let Some(divisor) = pool.divisor_override {
            return divisor as f64;
        }
        if pool.count_include_pad {
            let (_, at) = window(o, &output_shape(input, windows));
            let along = |d: usize| {
                let padded = input[2 + d] + 2 * pool.padding[d];
                (0..pool.kernel[d]).filter(move |k| at[d] * pool.stride[d] + k < padded)
            };
            let taps = along(0).flat_map(|ky| along(1).map(move |kx| [ky, kx]));
            return taps.map(|at| weight(pool.kernel, at, average)).sum();
        }
    }
    taps(o, input, windows).iter().map(|tap| weight(tap.kernel, tap.at, average)).sum()
}
