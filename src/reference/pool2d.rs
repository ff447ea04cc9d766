//! Max and average pooling, window by window.

use super::Array;
use crate::ops::pool2d::Pool2d;
use crate::tensor::Shape;

/// The output, and for each window the number of the tap that won (row by row, first of equals).
pub fn max_pool2d(x: &Array, pool: &Pool2d) -> (Array, Vec<usize>) {
    let mut output = Array::zeros(output_shape(&x.shape, pool));
    let mut taps = vec![0; output.data.len()];
    for (o, y) in output.data.iter_mut().enumerate() {
        let mut best: Option<f64> = None;
        for tap in 0..pool.kernel[0] * pool.kernel[1] {
            let Some(i) = input_index(o, tap, &x.shape, pool) else { continue };
            if best.is_none_or(|best| x.data[i] > best) {
                best = Some(x.data[i]);
                taps[o] = tap;
            }
        }
        *y = best.expect("the shape rule refuses windows without a tap in the input");
    }
    (output, taps)
}

/// Gives each window's gradient to the tap that won.
pub fn max_pool2d_grad(gradient: &Array, taps: &[usize], pool: &Pool2d, input: &Shape) -> Array {
    let mut result = Array::zeros(input.clone());
    for (o, (&g, &tap)) in gradient.data.iter().zip(taps).enumerate() {
        // Taps made up by a test may lie in the padding; nothing gets their gradient.
        if let Some(i) = input_index(o, tap, input, pool) {
            result.data[i] += g;
        }
    }
    result
}

/// The mean of each window.
pub fn avg_pool2d(x: &Array, pool: &Pool2d) -> Array {
    let mut output = Array::zeros(output_shape(&x.shape, pool));
    for (o, y) in output.data.iter_mut().enumerate() {
        let sum: f64 = (0..pool.kernel[0] * pool.kernel[1])
            .filter_map(|tap| input_index(o, tap, &x.shape, pool))
            .map(|i| x.data[i])
            .sum();
        *y = sum / divisor(o, &x.shape, pool);
    }
    output
}

/// Spreads each window's gradient over its taps.
pub fn avg_pool2d_grad(gradient: &Array, pool: &Pool2d, input: &Shape) -> Array {
    let mut result = Array::zeros(input.clone());
    for (o, &g) in gradient.data.iter().enumerate() {
        for tap in 0..pool.kernel[0] * pool.kernel[1] {
            if let Some(i) = input_index(o, tap, input, pool) {
                result.data[i] += g / divisor(o, input, pool);
            }
        }
    }
    result
}

/// Taps as the kernels keep them: 32-bit words, each of `per_word` equal parts, the first lowest.
pub fn pack_taps(taps: &[usize], per_word: usize) -> Array {
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
pub fn unpack_taps(words: &Array, count: usize, per_word: usize) -> Vec<usize> {
    let part = 1u64 << (32 / per_word);
    (0..count)
        .map(|i| {
            let word = u64::from(words.data[i / per_word] as i32 as u32);
            (word / part.pow((i % per_word) as u32) % part) as usize
        })
        .collect()
}

fn output_shape(input: &Shape, pool: &Pool2d) -> Shape {
    let [h, w] = pool.output_size([input[2], input[3]]).expect("the shape rule has passed");
    Shape::from([input[0], input[1], h, w])
}

/// Flat index of a tap of output `o` in the input, unless it lies outside.
fn input_index(o: usize, tap: usize, input: &Shape, pool: &Pool2d) -> Option<usize> {
    let output = output_shape(input, pool);
    let (plane, oy, ox) = (o / (output[2] * output[3]), o / output[3] % output[2], o % output[3]);
    let (ky, kx) = (tap / pool.kernel[1], tap % pool.kernel[1]);
    let y = (oy * pool.stride[0] + ky * pool.dilation[0]).checked_sub(pool.padding[0])?;
    let x = (ox * pool.stride[1] + kx * pool.dilation[1]).checked_sub(pool.padding[1])?;
    (y < input[2] && x < input[3]).then_some((plane * input[2] + y) * input[3] + x)
}

/// What the sum over output `o`'s window is divided by: its taps in the input, or those in the
/// padded input.
fn divisor(o: usize, input: &Shape, pool: &Pool2d) -> f64 {
    let output = output_shape(input, pool);
    let at = [o / output[3] % output[2], o % output[3]];
    let along = |d: usize| {
        let (size, padding) = (input[2 + d], pool.padding[d]);
        let padded = (0..pool.kernel[d]).map(|k| at[d] * pool.stride[d] + k);
        let counted = padded.filter(|&i| {
            if pool.count_include_pad { i < size + 2 * padding } else { i >= padding && i < size + padding }
        });
        counted.count()
    };
    (along(0) * along(1)) as f64
}
