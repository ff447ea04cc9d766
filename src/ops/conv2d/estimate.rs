//! How long output and input gradient take on a software adapter, as a sliding window and as a product. Only which is
//! less counts. What an adapter does in truth is the tuner's business (`tune/`).
//!
//! Both are sums of what one vector of eight invocations does, in nanoseconds on Mesa's llvmpipe. The factors are fitted
//! to 465 measured passes of ResNet-18, ResNet-50, MobileNetV2 and U-Net; `docs/performance.md` has how well they choose.

use super::correlation::{Correlation, Tile};

/// Invocations of a vector.
const VECTOR: usize = 8;

/// For a sliding window: a load of an element, and of four; loading and handing round a tap of eight channels; a
/// multiply-add; each round of its loop and each invocation, whatever they do; storing an element.
const LOAD: f64 = 7.0;
const LOAD_VEC4: f64 = 16.0;
const TAP: f64 = 6.0;
const FMA: f64 = 0.27;
const ROUND: f64 = 27.0;
const INVOCATION: f64 = 3800.0;
const STORE: f64 = 11.0;

/// For a product: loading 4 x 4 elements of an image, gathered, gathered for a phase, or from four pixels of four
/// channels; loading eight rows of weights; a multiply-add; storing a row.
const GATHERED_BLOCK: f64 = 230.0;
const PHASE_BLOCK: f64 = 330.0;
const PIXEL_BLOCK: f64 = 95.0;
const WEIGHTS: f64 = 10.0;
const PRODUCT_FMA: f64 = 0.26;
const STORE_ROW: f64 = 70.0;

/// The most rows that an invocation of the product makes, and its columns.
const ROWS: usize = 32;
const COLUMNS: usize = 4;

/// Loading a stretch of a row, by fours if it starts so far past a multiple of four.
pub(super) fn row_loads(elements: usize, shift: Option<usize>) -> f64 {
    match shift {
        Some(shift) => LOAD_VEC4 * (shift + elements).div_ceil(4) as f64,
        None => LOAD * elements as f64,
    }
}

/// A round of a sliding window's loop with these loads and multiply-adds.
pub(super) fn round(loads: f64, products: usize) -> f64 {
    ROUND + loads + FMA * products as f64
}

/// What an invocation of a sliding window with so many sums takes beside its rounds.
pub(super) fn invocation(sums: usize) -> f64 {
    INVOCATION + STORE * sums as f64
}

/// So many products m x k by k x n whose second operand is gathered from an image.
pub(super) fn gathered_product(m: usize, k: usize, n: usize, batches: usize) -> f64 {
    product(m, k, n, batches, GATHERED_BLOCK)
}

fn product(m: usize, k: usize, n: usize, batches: usize, block: f64) -> f64 {
    let rows = m.div_ceil(m.div_ceil(ROWS)).next_multiple_of(8);
    let vectors = (m.div_ceil(rows) * n.div_ceil(VECTOR * COLUMNS) * batches) as f64;
    let eights = (rows / 8) as f64;
    let round = block + WEIGHTS * eights + PRODUCT_FMA * (rows * 4 * COLUMNS) as f64;
    vectors * (k.div_ceil(4) as f64 * round + STORE_ROW * rows as f64)
}

impl Correlation {
    /// Whether a product in registers takes less time than the sliding window.
    pub(super) fn suits_product(&self) -> bool {
        self.product_time() < self.sliding_time()
    }

    /// Whether there are places enough for the invocations of a sliding window's vectors.
    pub(super) fn fills_vectors(&self) -> bool {
        let tile = self.sliding_tile(true);
        2 * self.images * tile.rows * self.tiles(1, tile.width) >= VECTOR
    }

    /// Taps along a column that meet a source, over all rows of results.
    pub(super) fn column_taps(&self) -> usize {
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
        let Tile { width, block, shift, rows } = self.sliding_tile(true);
        let places = self.images * rows * self.tiles(1, width);
        let vectors = (places.div_ceil(VECTOR) * self.results.div_ceil(block) * self.groups) as f64;
        let products = block * width * self.kernel[1] / self.upsample[1];
        let loads = row_loads(self.span(1, width), shift) + TAP * (self.kernel[1] * block.div_ceil(8)) as f64;
        let round = round(loads, products);
        let lines =
            self.result[0].div_ceil(self.upsample[0]).div_ceil(rows) * self.upsample[0].min(self.result[0]);
        let taps = if rows == 1 { self.column_taps() } else { lines * self.kernel[0].div_ceil(self.step()) };
        vectors * ((self.channels * taps) as f64 * round + lines as f64 * invocation(block * width))
    }

    /// One product for each phase of an upsampling, each with its own taps.
    fn product_time(&self) -> f64 {
        let [phases_h, phases_w] = [0, 1].map(|axis| self.upsample[axis].min(self.result[axis]));
        let [height, width] = [0, 1].map(|axis| self.result[axis].div_ceil(self.upsample[axis]));
        let phases = phases_h * phases_w;
        let k = (self.channels * self.kernel[0] * self.kernel[1]).div_ceil(phases);
        let block = match phases {
            1 if self.is_pointwise_in_fours() => PIXEL_BLOCK,
            1 => GATHERED_BLOCK,
            _ => PHASE_BLOCK,
        };
        product(self.results, k, self.images * height * width, self.groups * phases, block)
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
