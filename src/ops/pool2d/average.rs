//! Average pooling: plain and weighted by distance, over sliding and adaptive windows. There are separate kernels for
//! windows of two by two that tile the input, and for windows that are the whole plane, which end most networks.

use super::parts::PARTS;
use super::parts::{self, is_short};
use super::windows::Takes;
use super::{GLOBAL, GLOBAL_WIDE, TWO_BY_TWO};
use super::{LANES, Pool2d, Windows, check_gradient, plane, team};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operand, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::pack::pack;
use crate::shader::{self, Kernel, ShaderFile, kernels};
use crate::tensor::{Shape, TensorType};

/// The weight of each tap in a window's average.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Weighting {
    /// All equal.
    Equal,
    /// 1 / (1 + d), where d is the Euclidean distance from the middle of the window in elements. In a window of odd
    /// size the middle has weight 1, its neighbours 1/2, and diagonal ones 0.41.
    Distance,
}

/// The windows of an average and the weights of their taps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Average {
    /// The windows.
    pub windows: Windows,
    /// The weights. Only sliding windows can have unequal ones.
    pub weighting: Weighting,
}

impl Average {
    fn name(&self, names: [&'static str; 3]) -> &'static str {
        match (self.weighting, self.windows) {
            (Weighting::Distance, _) => names[2],
            (_, Windows::Adaptive(_)) => names[1],
            (_, Windows::Sliding(_)) => names[0],
        }
    }

    fn check(&self) -> Result<(), String> {
        let equal = self.weighting == Weighting::Equal;
        let takes = Takes { padding: true, dilation: false, divisor: equal };
        match self.windows {
            Windows::Sliding(pool) if equal => pool.check("average pooling", takes),
            Windows::Sliding(pool) => pool.check("weighted average pooling", takes),
            Windows::Adaptive(_) if equal => Ok(()),
            Windows::Adaptive(_) => Err("weighted average pooling has no adaptive windows".into()),
        }
    }

    /// The windows, if a fast kernel may apply: equal weights.
    fn plain(&self) -> Option<&Pool2d> {
        match &self.windows {
            Windows::Sliding(pool)
                if self.weighting == Weighting::Equal && pool.divisor_override.is_none() =>
            {
                Some(pool)
            }
            _ => None,
        }
    }

    /// Whether windows are two by two, tile the input, and can be made four at a time.
    fn is_two_by_two(&self, input: &Shape) -> bool {
        let tiles = self.plain().is_some_and(|pool| pool.tiles_by_two([input[2], input[3]]));
        tiles && input.elements().is_multiple_of(16)
    }

    fn is_global(&self, input: &Shape) -> bool {
        self.plain().is_some_and(|pool| pool.is_global([input[2], input[3]]))
    }

    /// Fills the holes of a kernel over windows. `kept` says that a weighted mean's divisors are.
    fn fill(&self, cx: &LowerContext<'_>, kernel: Kernel, input: &Shape, kept: bool) -> Result<Kernel> {
        use shader::parts::{pool2d_average, pool2d_weight_kept, pool2d_weight_sum, pool2d_weighted};
        let files: &[&'static ShaderFile] = match self.weighting {
            Weighting::Equal => &[&pool2d_average],
            Weighting::Distance if kept => &[&pool2d_weighted, &pool2d_weight_kept],
            Weighting::Distance => &[&pool2d_weighted, &pool2d_weight_sum],
        };
        let kernel = self.windows.fill(cx, kernel, input)?.fill_all(files.iter().copied());
        let kernel = kernel.with("COUNT_INCLUDE_PAD", self.counts_padding());
        Ok(match (self.weighting, self.windows) {
            (Weighting::Equal, Windows::Sliding(Pool2d { divisor_override: Some(divisor), .. })) => {
                kernel.with("DIVISOR", divisor as f32)
            }
            (Weighting::Distance, windows) if !kept => {
                let [h, w] = windows.kernel([input[2], input[3]]);
                let off = |tap: usize, kernel: usize| tap as f64 - 0.5 * (kernel as f64 - 1.0);
                let taps = (0..h).flat_map(|y| (0..w).map(move |x| [y, x]));
                let total: f64 = taps.map(|[y, x]| 1.0 / (1.0 + off(y, h).hypot(off(x, w)))).sum();
                kernel.with("TOTAL", total as f32)
            }
            _ => kernel,
        })
    }

    fn counts_padding(&self) -> bool {
        match self.windows {
            Windows::Sliding(pool) => pool.count_include_pad,
            Windows::Adaptive(_) => true,
        }
    }

    /// Loop iterations for a window's divisor.
    fn divisor_iterations(&self, input: &Shape) -> u64 {
        let size = [input[2], input[3]];
        match self.windows {
            Windows::Sliding(pool) if self.weighting == Weighting::Distance => {
                let output = self.windows.output_size(size).expect("the shape rule has passed");
                if pool.inside(size, output) { 0 } else { self.windows.tap_iterations(input, 0) }
            }
            _ => 0,
        }
    }

    /// Loop iterations of the general kernel.
    fn iterations(&self, input: &Shape) -> u64 {
        self.windows.tap_iterations(input, 0).saturating_add(self.divisor_iterations(input))
    }

    /// Loop iterations of the general kernel of the gradient.
    fn grad_iterations(&self, input: &Shape) -> u64 {
        self.windows.cover_iterations(input, self.divisor_iterations(input))
    }

    /// Records the divisors of weighted means, if the kernels in parts need them.
    fn lower_divisors(&self, cx: &mut LowerContext<'_>, input: &Shape) -> Result<Option<Operand>> {
        if self.weighting == Weighting::Equal {
            return Ok(None);
        }
        let fill = |cx: &LowerContext<'_>, kernel: Kernel| {
            let kernel = self.windows.fill(cx, kernel, input)?;
            Ok(kernel.with("COUNT_INCLUDE_PAD", self.counts_padding()))
        };
        parts::lower_weights(cx, &self.windows, input, &fill).map(Some)
    }
}

/// The mean of each window. Padding counts as zeros. Inputs: x (N, C, H, W). Outputs: y.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool2d(pub Average);

impl Operator for AvgPool2d {
    fn name(&self) -> &'static str {
        self.0.name(["avg_pool2d", "adaptive_avg_pool2d", "weighted_avg_pool2d"])
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[0])?;
        self.0.check()?;
        Ok(vec![TensorType::f32(self.0.windows.output_shape(&inputs[0].shape)?)])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let input = &inputs[0].shape;
        let mut variants = vec![if is_short(self.0.iterations(input)) { Variant::DEFAULT } else { PARTS }];
        if self.0.is_two_by_two(input) {
            variants.push(TWO_BY_TWO);
        }
        if self.0.is_global(input) {
            let packs = input[2] * input[3] / pack(input[2] * input[3]).0;
            let short = |wide| is_short(parts::global(packs, team(packs, wide)));
            variants.extend(short(false).then_some(GLOBAL));
            variants.extend(short(true).then_some(GLOBAL_WIDE));
        }
        variants
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        const SOFTWARE: &[Variant] = &[GLOBAL, TWO_BY_TWO, Variant::DEFAULT, PARTS];
        Preference::gpus(&[GLOBAL_WIDE, TWO_BY_TWO, Variant::DEFAULT, PARTS], SOFTWARE)
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let gradient = cx.apply1(AvgPool2dGrad { average: self.0, input }, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == PARTS {
            let input = cx.input_type(0).shape.clone();
            let divisors = self.0.lower_divisors(cx, &input)?;
            let fill = |cx: &LowerContext<'_>, kernel: Kernel| self.0.fill(cx, kernel, &input, true);
            return parts::lower_sum(cx, &self.0.windows, &input, 0, divisors, &fill);
        }
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let (kernel, groups, width) = match cx.variant() {
            TWO_BY_TWO => {
                let (kernel, groups) = cx.made_by(&shader::parts::avg_pool2d_2x2, outputs / 4, 1)?;
                (kernel.with("OUT_W", cx.index(output[3])?), groups, 4)
            }
            GLOBAL | GLOBAL_WIDE => {
                let count = input[2] * input[3];
                let (width, pack) = pack(count);
                let plane = count / width;
                let team = team(plane, cx.variant() == GLOBAL_WIDE);
                let kernel = Kernel::new(&kernels::avg_pool2d_global)
                    .fill(pack)
                    .with("TEAM", cx.index(team)?)
                    .with("PLANES", cx.index(outputs)?)
                    .with("PLANE", cx.index(plane)?)
                    .with("COUNT", cx.index(count)?)
                    .iterations(parts::global(plane, team));
                (kernel, (outputs * team).div_ceil(LANES), 1)
            }
            _ => {
                let (kernel, groups) = cx.made_by(&shader::parts::pool2d_sum, outputs, 1)?;
                let kernel = self.0.fill(cx, kernel, input, false)?;
                (kernel.iterations(self.0.iterations(input)), groups, 1)
            }
        };
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        self.0.windows.serial_terms(self.0.windows.kernel(plane(&inputs[0].shape)), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.0.windows.flops(&inputs[0].shape)
    }
}

/// The gradient of [`AvgPool2d`]. Inputs: the output's gradient. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool2dGrad {
    /// The windows and weights.
    pub average: Average,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for AvgPool2dGrad {
    fn name(&self) -> &'static str {
        self.average.name(["avg_pool2d_grad", "adaptive_avg_pool2d_grad", "weighted_avg_pool2d_grad"])
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let ty = TensorType::f32(self.input.clone());
        checks::images(&ty)?;
        self.average.check()?;
        check_gradient(inputs[0], &self.average.windows.output_shape(&self.input)?)?;
        Ok(vec![ty])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let short = is_short(self.average.grad_iterations(&self.input));
        let mut variants = vec![if short { Variant::DEFAULT } else { PARTS }];
        if self.average.is_two_by_two(&self.input) {
            variants.push(TWO_BY_TWO);
        }
        if self.average.is_global(&self.input) {
            variants.push(GLOBAL);
        }
        variants
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[GLOBAL, TWO_BY_TWO, Variant::DEFAULT, PARTS])
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == PARTS {
            let divisors = self.average.lower_divisors(cx, &self.input)?;
            let fill =
                |cx: &LowerContext<'_>, kernel: Kernel| self.average.fill(cx, kernel, &self.input, true);
            let operands: Vec<Operand> = [cx.input(0)].into_iter().chain(divisors).collect();
            return parts::lower_gather(cx, &self.average.windows, &self.input, 0, &operands, &fill);
        }
        let (input, output) = (&self.input, &cx.input_type(0).shape);
        let elements = input.elements();
        let (kernel, groups, width) = match cx.variant() {
            TWO_BY_TWO => {
                let words = output.elements() / 4;
                let kernel = Kernel::new(&kernels::avg_pool2d_grad_2x2)
                    .with("WORDS", cx.index(words)?)
                    .with("OUT_W", cx.index(output[3])?)
                    .epilogue_calls(16);
                (kernel, words.div_ceil(LANES), 1)
            }
            GLOBAL => {
                let count = input[2] * input[3];
                let (width, _) = pack(count);
                let (kernel, groups) =
                    cx.made_by(&shader::parts::avg_pool2d_grad_global, elements / width, 1)?;
                let kernel = kernel.with("PLANE", cx.index(count / width)?).with("COUNT", cx.index(count)?);
                (kernel, groups, width)
            }
            _ => {
                let (kernel, groups) = cx.made_by(&shader::parts::pool2d_gather, elements, 1)?;
                let kernel = self.average.fill(cx, kernel, input, false)?;
                (kernel.iterations(self.average.grad_iterations(input)), groups, 1)
            }
        };
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    fn serial_terms(&self, _inputs: &[&TensorType], variant: Variant) -> u64 {
        self.average.windows.serial_terms(self.average.windows.covers(plane(&self.input)), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.average.windows.flops(&self.input).max(inputs[0].shape.elements() as u64)
    }
}
