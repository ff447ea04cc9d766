//! Max pooling and its gradient. The forward pass stores the winning tap of each window, in a byte if that is enough,
//! so that the backward pass reads no input and compares nothing. Without a gradient none is stored.

use super::parts::PARTS;
use super::parts::{self, is_short};
use super::windows::Takes;
use super::{GLOBAL, GLOBAL_WIDE, TWO_BY_TWO, TWO_BY_TWO_ROWS};
use super::{LANES, Windows, check_gradient, plane, team};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operand, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::pack::pack;
use crate::shader::{self, Kernel, ShaderFile, kernels};
use crate::tensor::{Shape, TensorType};

/// The most output columns of the kernel that makes whole rows, which is unrolled over them.
const MOST_ROW_COLUMNS: usize = 7;

/// The largest element of each window. Inputs: x (N, C, H, W). Outputs: y, and the winning tap of each window, as i32
/// words for [`MaxPool2dGrad`]: four taps per word, the first in the lowest byte, or one per word if a window has
/// over 256 taps.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool2d(pub Windows);

/// How the kernel for windows that are whole planes reads a plane.
struct Global {
    pack: &'static ShaderFile,
    /// Packs of a plane.
    plane: usize,
    team: usize,
    iterations: u64,
}

impl MaxPool2d {
    fn global(&self, input: &Shape, wide: bool) -> Global {
        let (width, pack) = pack(input[2] * input[3]);
        let plane = input[2] * input[3] / width;
        let team = team(plane, wide);
        let planes = self.0.taps_per_word([input[2], input[3]]) as u64;
        Global { pack, plane, team, iterations: planes * (1 + parts::global(plane, team)) }
    }

    /// Loop iterations of the default kernel.
    fn iterations(&self, input: &Shape) -> u64 {
        let outputs = self.0.taps_per_word([input[2], input[3]]) as u64;
        outputs.saturating_mul(self.0.tap_iterations(input, 0).saturating_add(1))
    }
}

impl Operator for MaxPool2d {
    fn name(&self) -> &'static str {
        match self.0 {
            Windows::Sliding(_) => "max_pool2d",
            Windows::Adaptive(_) => "adaptive_max_pool2d",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[0])?;
        check_max(&self.0)?;
        let output = self.0.output_shape(&inputs[0].shape)?;
        let taps = kept_taps(&self.0, &inputs[0].shape, &output);
        Ok(vec![TensorType::f32(output), taps])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let operator = MaxPool2dGrad { windows: self.0, input };
        let gradient = cx.apply1(operator, &[gradient, cx.output(1)])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let input = &inputs[0].shape;
        let mut variants = variants(&self.0, input, self.iterations(input));
        let columns = input[3] / 2;
        if variants.contains(&TWO_BY_TWO) && columns % 2 == 1 && columns <= MOST_ROW_COLUMNS {
            variants.push(TWO_BY_TWO_ROWS);
        }
        if matches!(self.0, Windows::Sliding(pool) if pool.is_global([input[2], input[3]])) {
            let short = |wide| is_short(self.global(input, wide).iterations);
            variants.extend(short(false).then_some(GLOBAL));
            variants.extend(short(true).then_some(GLOBAL_WIDE));
        }
        variants
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        const SOFTWARE: &[Variant] = &[GLOBAL, TWO_BY_TWO_ROWS, TWO_BY_TWO, Variant::DEFAULT, PARTS];
        Preference::gpus(&[GLOBAL_WIDE, TWO_BY_TWO, Variant::DEFAULT, PARTS], SOFTWARE)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == PARTS {
            let input = cx.input_type(0).shape.clone();
            return parts::lower_max(cx, &self.0, &input);
        }
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let per_word = self.0.taps_per_word([input[2], input[3]]);
        let words = outputs.div_ceil(per_word);
        let (keep, taps) = keeping(cx);
        let (kernel, invocations) = match cx.variant() {
            TWO_BY_TWO | TWO_BY_TWO_ROWS => {
                let (kernel, invocations) = match (cx.variant(), output[3] % 2) {
                    (TWO_BY_TWO_ROWS, _) => (Kernel::new(&kernels::max_pool2d_2x2_rows), words / output[3]),
                    (_, odd) => {
                        let corners =
                            [&shader::parts::corners_from_fours, &shader::parts::corners_from_pairs][odd];
                        (Kernel::new(&kernels::max_pool2d_2x2).fill(corners), words)
                    }
                };
                let kernel = kernel
                    .fill_all(keep)
                    .with("WORDS", cx.index(words)?)
                    .with("OUT_W", cx.index(output[3])?)
                    .iterations(if cx.variant() == TWO_BY_TWO_ROWS { 4 * 3 * output[3] as u64 } else { 0 });
                (kernel, invocations)
            }
            GLOBAL | GLOBAL_WIDE => {
                let count = input[2] * input[3];
                let Global { pack, plane, team, iterations } =
                    self.global(input, cx.variant() == GLOBAL_WIDE);
                let kernel = Kernel::new(&kernels::max_pool2d_global)
                    .fill(pack)
                    .fill_all(keep)
                    .with("TEAM", cx.index(team)?)
                    .with("WORDS", cx.index(words)?)
                    .with("TAPS_PER_WORD", per_word as u32)
                    .with("PLANES", cx.index(outputs)?)
                    .with("PLANE", cx.index(plane)?)
                    .with("COUNT", cx.index(count)?)
                    .iterations(iterations);
                (kernel, words * team)
            }
            _ => {
                let kernel = self.0.fill(cx, Kernel::new(&kernels::max_pool2d).fill_all(keep), input)?;
                let kernel = kernel.with("OUTPUTS", cx.index(outputs)?);
                let kernel = kernel.with("TAPS_PER_WORD", per_word as u32);
                (kernel.iterations(self.iterations(input)), words)
            }
        };
        let mut operands = vec![cx.input(0), cx.output(0)];
        operands.extend(taps);
        cx.dispatch(kernel, &operands, invocations.div_ceil(LANES));
        Ok(())
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        self.0.flops(&inputs[0].shape)
    }
}

/// The gradient of [`MaxPool2d`]. Inputs: the output's gradient and the winning taps. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool2dGrad {
    /// The windows.
    pub windows: Windows,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for MaxPool2dGrad {
    fn name(&self) -> &'static str {
        match self.windows {
            Windows::Sliding(_) => "max_pool2d_grad",
            Windows::Adaptive(_) => "adaptive_max_pool2d_grad",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let ty = TensorType::f32(self.input.clone());
        checks::images(&ty)?;
        check_max(&self.windows)?;
        let output = self.windows.output_shape(&self.input)?;
        check_gradient(inputs[0], &output)?;
        check_taps(inputs[1], &kept_taps(&self.windows, &self.input, &output))?;
        Ok(vec![ty])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        variants(&self.windows, &self.input, self.windows.cover_iterations(&self.input, 0))
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[TWO_BY_TWO, Variant::DEFAULT])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (input, output) = (&self.input, &cx.input_type(0).shape);
        let elements = input.elements();
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        if cx.variant() == PARTS {
            let per_word = self.windows.taps_per_word([input[2], input[3]]) as u32;
            let fill = |cx: &LowerContext<'_>, kernel: Kernel| {
                let kernel = kernel.fill(&shader::parts::pool2d_winner_share);
                Ok(self.windows.fill(cx, kernel, input)?.with("TAPS_PER_WORD", per_word))
            };
            return parts::lower_gather(cx, &self.windows, input, 0, &operands[..2], &fill);
        }
        if cx.variant() == TWO_BY_TWO {
            let words = output.elements() / 4;
            let corners = [&shader::parts::corners_to_fours, &shader::parts::corners_to_pairs][output[3] % 2];
            let kernel = Kernel::new(&kernels::max_pool2d_grad_2x2)
                .fill(corners)
                .with("WORDS", cx.index(words)?)
                .with("OUT_W", cx.index(output[3])?);
            cx.dispatch(kernel, &operands, words.div_ceil(LANES));
        } else {
            let per_word = self.windows.taps_per_word([input[2], input[3]]);
            let (kernel, groups) = cx.made_by(&shader::parts::pool2d_gather, elements, 1)?;
            let kernel = self
                .windows
                .fill(cx, kernel.fill(&shader::parts::pool2d_winner_share), input)?
                .with("TAPS_PER_WORD", per_word as u32)
                .iterations(self.windows.cover_iterations(input, 0));
            cx.dispatch_epilogue(kernel, &operands, groups, 1);
        }
        Ok(())
    }

    fn serial_terms(&self, _inputs: &[&TensorType], variant: Variant) -> u64 {
        self.windows.serial_terms(self.windows.covers(plane(&self.input)), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// The type of the winning taps.
pub(super) fn kept_taps(windows: &Windows, input: &Shape, output: &Shape) -> TensorType {
    TensorType::i32([output.elements().div_ceil(windows.taps_per_word([input[2], input[3]]))])
}

pub(super) fn check_taps(found: &TensorType, expected: &TensorType) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("expected the winning taps as {expected}, found {found}"))
}

pub(super) fn check_max(windows: &Windows) -> Result<(), String> {
    match windows {
        Windows::Sliding(pool) => {
            pool.check("max pooling", Takes { padding: true, dilation: true, divisor: false })
        }
        Windows::Adaptive(_) => Ok(()),
    }
}

/// The file that keeps the taps that won, and where they go, if something reads them.
pub(super) fn keeping(cx: &LowerContext<'_>) -> (Option<&'static ShaderFile>, Option<Operand>) {
    if cx.is_read(1) { (Some(&shader::parts::max_pool2d_keep), Some(cx.output(1))) } else { (None, None) }
}

/// Kernels that can pool this input or its gradient, given the loop iterations of the default one. The kernel for two
/// by two makes four outputs at a time.
fn variants(windows: &Windows, input: &Shape, iterations: u64) -> Vec<Variant> {
    match windows {
        _ if !is_short(iterations) => vec![PARTS],
        Windows::Sliding(pool)
            if pool.tiles_by_two([input[2], input[3]]) && input.elements().is_multiple_of(16) =>
        {
            vec![TWO_BY_TWO, Variant::DEFAULT]
        }
        _ => vec![Variant::DEFAULT],
    }
}
