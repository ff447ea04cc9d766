//! How long output and input gradient take on a software adapter, as a sliding window and as a product. Only which is
//! less counts. What an adapter does in truth is the tuner's business (`tune/`).
//!
//! Both are sums of what one vector of eight invocations does, in nanoseconds on Mesa's llvmpipe. The factors are fitted
//! to 680 measured passes of ResNet-18, ResNet-50, MobileNetV2 and U-Net; `docs/performance.md` has how well they choose.

use super::correlation::{Correlation, Tile};

/// Invocations of a vector.
const VECTOR: usize = 8;

/// For a sliding window: a load of an element, and of four; a multiply-add; each round of its loop and each invocation,
/// whatever they do; storing an element.
const LOAD: f64 = 12.0;
const LOAD_VEC4: f64 = 28.0;
const FMA: f64 = 0.26;
const ROUND: f64 = 36.0;
const INVOCATION: f64 = 1400.0;
const STORE: f64 = 12.0;

/// For a product: loading 4 x 4 elements of an image, gathered or from four pixels of four channels; loading eight rows
/// of weights; a multiply-add; storing a row.
const GATHERED_BLOCK: f64 = 200.0;
const PIXEL_BLOCK: f64 = 70.0;
const WEIGHTS: f64 = 15.0;
const PRODUCT_FMA: f64 = 0.37;
const STORE_ROW: f64 = 77.0;

/// The most rows that an invocation of the product makes, and its columns.
const ROWS: usize = 32;
const COLUMNS: usize = 4;

impl Correlation {
    /// Whether a product in registers takes less time than the sliding window.
    pub(super) fn suits_product(&self) -> bool {
        self.product_time() < self.sliding_time()
    }

    /// Whether there are places enough for the invocations of a sliding window's vectors.
    pub(super) fn fills_vectors(&self) -> bool {
        2 * self.images * self.tiles(1, self.sliding_tile(true).width) >= VECTOR
    }

    /// Taps along a column that meet a source, over all rows of results.
    fn column_taps(&self) -> usize {
        let [stride, upsample] = [self.stride[0] as i64, self.upsample[0] as i64];
        let (results, sources) = (self.result[0] as i64, self.source[0] as i64);
        let meets = |tap: usize| {
            // Results p with 0 <= p stride + shift <= (sources - 1) upsample, where upsample divides it.
            let shift = (tap * self.dilation[0]) as i64 - i64::from(self.padding[0]);
            let first = (-shift).max(0).div_euclid(stride) + i64::from((-shift).max(0) % stride != 0);
            let last = ((sources - 1) * upsample - shift).div_euclid(stride).min(results - 1);
            // With an upsampling the stride is one, and every so many results meet.
            let first = first + (-(first + shift)).rem_euclid(upsample) * i64::from(upsample > 1);
            if last < first { 0 } else { ((last - first) / upsample + 1) as usize }
        };
        (0..self.kernel[0]).map(meets).sum()
    }

    fn sliding_time(&self) -> f64 {
        let Tile { width, block, shift } = self.sliding_tile(true);
        let places = self.images * self.tiles(1, width);
        let vectors = (places.div_ceil(VECTOR) * self.results.div_ceil(block) * self.groups) as f64;
        let span = self.span(1, width);
        let loads = match shift {
            Some(shift) => LOAD_VEC4 * (shift + span).div_ceil(4) as f64,
            None => LOAD * span as f64,
        };
        let sums = (block * width) as f64;
        let round = ROUND + loads + FMA * sums * self.kernel[1] as f64 / self.upsample[1] as f64;
        let rounds = (self.channels * self.column_taps()) as f64;
        vectors * (rounds * round + self.result[0] as f64 * (INVOCATION + STORE * sums))
    }

    /// One product for each phase of an upsampling.
    fn product_time(&self) -> f64 {
        let along = |axis: usize| {
            let upsample = self.upsample[axis];
            let phases = upsample.min(self.result[axis]);
            [phases, self.result[axis].div_ceil(upsample), self.kernel[axis].div_ceil(upsample)]
        };
        let ([phases_h, height, taps_h], [phases_w, width, taps_w]) = (along(0), along(1));
        let rows = self.results.div_ceil(self.results.div_ceil(ROWS)).next_multiple_of(8);
        let columns = (self.images * height * width).div_ceil(VECTOR * COLUMNS);
        let vectors = (self.results.div_ceil(rows) * columns * self.groups * phases_h * phases_w) as f64;
        let rounds = (self.channels * taps_h * taps_w).div_ceil(4) as f64;
        let block = if self.is_pointwise_in_fours() { PIXEL_BLOCK } else { GATHERED_BLOCK };
        let eights = (rows / 8) as f64;
        let round = block + WEIGHTS * eights + PRODUCT_FMA * (rows * 4 * COLUMNS) as f64;
        vectors * (rounds * round + STORE_ROW * rows as f64)
    }

    fn is_pointwise_in_fours(&self) -> bool {
        self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.upsample == [1, 1]
            && self.result == self.source
            && (self.result[0] * self.result[1]).is_multiple_of(4)
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Geometry;
    use super::Correlation;

    fn geometry([size, kernel, stride, dilation, padding]: [usize; 5]) -> Option<Geometry> {
        let reach = (kernel - 1) * dilation + 1;
        let output = (size + 2 * padding).checked_sub(reach)? / stride + 1;
        Some(Geometry {
            groups: 1,
            stride: [stride; 2],
            dilation: [dilation; 2],
            padding: [padding; 2],
            images: 1,
            channels: 1,
            results: 1,
            size: [size; 2],
            kernel: [kernel; 2],
            output: [output; 2],
        })
    }

    #[test]
    fn taps_are_counted_as_they_meet() {
        let mut cases = 0;
        for size in [1, 2, 3, 7, 12] {
            for kernel in [1, 2, 3, 5] {
                for stride in [1, 2, 3, 4] {
                    for dilation in [1, 2, 3] {
                        for padding in [0, 1, 2, 4] {
                            let Some(g) = geometry([size, kernel, stride, dilation, padding]) else {
                                continue;
                            };
                            // Pairs of an output and a tap that lies within the input; both passes have the same.
                            let within = |output: usize, tap: usize| {
                                (output * stride + tap * dilation)
                                    .checked_sub(padding)
                                    .is_some_and(|source| source < size)
                            };
                            let outputs = 0..g.output[0];
                            let expected = outputs
                                .map(|o| (0..kernel).filter(|&tap| within(o, tap)).count())
                                .sum::<usize>();
                            let case = format!("{size} by {kernel}, {stride} {dilation} {padding}");
                            assert_eq!(Correlation::output(&g).column_taps(), expected, "output, {case}");
                            assert_eq!(
                                Correlation::grad_input(&g).column_taps(),
                                expected,
                                "gradient, {case}"
                            );
                            cases += 1;
                        }
                    }
                }
            }
        }
        assert!(cases > 500, "{cases} cases");
    }
}
