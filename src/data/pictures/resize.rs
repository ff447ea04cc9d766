//! Scales pictures bilinearly. Where a picture shrinks, each pixel is a weighted mean of all that fall into it
//! (antialiasing), with a triangle of weights. Sums are f32; only the result is rounded to bytes, where Pillow rounds
//! between rows and columns too.

/// For each pixel along one side of the result: the first pixel that it is made of, and all their weights.
pub(super) struct Taps {
    first: Vec<usize>,
    /// As many for each pixel; those past its own are 0 at the end.
    weights: Vec<f32>,
    each: usize,
}

impl Taps {
    /// For `count` pixels from `start` on, of `size` pixels that are scaled to `scaled`.
    pub(super) fn new(size: usize, scaled: usize, start: usize, count: usize) -> Taps {
        let scale = size as f64 / scaled as f64;
        // Half the triangle's base, in pixels of the picture.
        let reach = scale.max(1.0);
        let each = (2 * reach.ceil() as usize + 1).min(size);
        let mut first = Vec::with_capacity(count);
        let mut weights = Vec::with_capacity(count * each);
        for at in start..start + count {
            let centre = (at as f64 + 0.5) * scale - 0.5;
            let from = ((centre - reach).floor().max(-1.0) as isize + 1) as usize;
            let from = from.min(size - each);
            let triangle = |at: usize| (1.0 - (at as f64 - centre).abs() / reach).max(0.0);
            let sum: f64 = (from..from + each).map(triangle).sum();
            weights.extend((from..from + each).map(|at| (triangle(at) / sum) as f32));
            first.push(from);
        }
        Taps { first, weights, each }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.each))
    }
}

/// Scales a picture of `C` channels that follow each other in a pixel to `result`, where a channel's pixels follow each
/// other. It takes the columns' sums row by row, so that no picture of another size is needed in between.
pub(super) fn resize<const C: usize>(
    pixels: &[u8],
    width: usize,
    rows: &Taps,
    columns: &Taps,
    result: &mut [u8],
) {
    let (height, across) = (rows.first.len(), columns.first.len());
    let left = columns.first.iter().copied().min().unwrap_or(0);
    let right = columns.first.iter().copied().max().unwrap_or(0) + columns.each;
    // Four channels are read at once. The last are not used.
    let mut line = vec![0.0f32; (right - left) * C + 4];
    for (y, (top, weights)) in rows.iter().enumerate() {
        line.fill(0.0);
        for (row, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            let row = &pixels[((top + row) * width + left) * C..][..(right - left) * C];
            for (sum, &byte) in line.iter_mut().zip(row) {
                *sum += weight * f32::from(byte);
            }
        }
        for (x, (first, weights)) in columns.iter().enumerate() {
            let mut sums = [0.0f32; 4];
            for (column, &weight) in weights.iter().enumerate() {
                let pixel = &line[(first - left + column) * C..][..4];
                for (sum, &channel) in sums.iter_mut().zip(pixel) {
                    *sum += weight * channel;
                }
            }
            for (channel, &sum) in sums.iter().take(C).enumerate() {
                result[(channel * height + y) * across + x] = (sum + 0.5) as u8;
            }
        }
    }
}
