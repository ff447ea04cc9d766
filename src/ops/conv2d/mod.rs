//! Two-dimensional convolution (cross-correlation): output, gradient of input, of weight.
//!
//! Stride, padding, dilation and groups are attributes of one family. Each pass is a matrix product whose operands
//! are gathered by loaders (the tilings of `gemm`), a product with a materialised matrix (`im2col`), a sliding
//! window (`direct`, `depthwise`), or products between transforms (`winograd`). This file has the forward pass;
//! `gradients` has the others, `options` what users set, `attributes` its checks, `geometry` the sizes, `correlation`
//! the sliding windows of output and input gradient, `row` the one for compilers that unroll no loops, `estimate` how
//! long these take, `grad_weight` those of the weight's gradient, and `phases` the product of a strided convolution's
//! input gradient.
//! Convolutions in one dimension (`one_dimension`) and transposed ones (`transposed`) are the same operators on other
//! shapes. `flipped` has true convolution, and `toeplitz` writes a convolution as a matrix.

mod attributes;
mod correlation;
mod estimate;
mod flipped;
mod geometry;
mod grad_weight;
mod grad_weight_row;
mod grad_weight_subgroup;
mod gradients;
mod one_dimension;
mod options;
mod phases;
mod row;
mod toeplitz;
mod transposed;
mod winograd;

pub use attributes::Padding;
pub use gradients::{Conv2dGradInput, Conv2dGradWeight};
pub use options::{Conv1dOptions, Conv2d, Conv2dOptions, ConvTranspose1dOptions, ConvTranspose2dOptions};

pub(crate) const DIRECT: Variant = Variant::new("direct");
pub(crate) const DIRECT_ROW: Variant = Variant::for_swiftshader("direct_row");
pub(crate) const DIRECT_SUBGROUP: Variant = Variant::new("direct_subgroup");
pub(crate) const DEPTHWISE: Variant = Variant::new("depthwise");
pub(crate) const WINOGRAD: Variant = Variant::for_gpus("winograd").in_f32();
pub(crate) const IM2COL: Variant = Variant::new("im2col");

use super::gemm::{Bias, Gemm, Loader, Size, Tiling};
use super::matmul::{lhs, require_f32, rhs};
use super::reduce::Reduce;
use super::serial;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{
    AdapterKind, BackwardContext, Caps, LowerContext, MAX_ITERATIONS, Operator, Preference, Variant,
};
use crate::ops::gemm::{REGISTER, SUBGROUP, TILED};
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};
use correlation::{Correlation, MOST_UNROLLED, Operands};
use geometry::{Geometry, plane_store};
use winograd::Winograd;

/// What discrete GPUs prefer where Winograd's algorithm pays.
const WINOGRAD_FIRST: &[Variant] = &[WINOGRAD, TILED];

/// The preference of output and input gradient. On a software adapter a load costs as much as dozens of multiply-adds,
/// so that it depends on all sizes what is faster (`estimate`). On discrete GPUs it is by measurements on an NVIDIA H200
/// (`docs/reports/h200.md`).
fn preference(
    geometry: &Geometry,
    correlation: &Correlation,
    product: Size,
    winograd: Option<Winograd>,
) -> Preference {
    const SLIDING: &[Variant] = &[DIRECT_SUBGROUP, DIRECT, SUBGROUP, REGISTER];
    const PRODUCT: &[Variant] = &[SUBGROUP, DIRECT_SUBGROUP, DIRECT, REGISTER];
    const DEPTHWISE_FIRST: &[Variant] = &[DEPTHWISE, DIRECT_SUBGROUP, DIRECT, SUBGROUP];
    if !geometry.is_depthwise() {
        let software = if correlation.suits_product() { PRODUCT } else { SLIDING };
        // The other sliding windows have arrays that loops index, and SwiftShader seems to unroll no loops: products are four
        // to six times as fast there.
        let preference =
            Preference::gpus(&[TILED], software).on(AdapterKind::SwiftShader, &[DIRECT_ROW, REGISTER]);
        let preference = if software == PRODUCT { preference.for_class("product") } else { preference };
        let [rows, columns] = correlation.result;
        let terms = correlation.channels * geometry.kernel.iter().product::<usize>();
        if (2..=4).contains(&(correlation.images * rows * columns)) && terms >= 1024 {
            // Most lanes of vectors along an image would have no place, so that it is best to share the sum.
            const WINDOWS: &[Variant] = &[IM2COL, REGISTER, DIRECT_SUBGROUP, SUBGROUP];
            const POINTS: &[Variant] = &[REGISTER, SUBGROUP];
            let few = if geometry.kernel == [1, 1] { POINTS } else { WINDOWS };
            return preference.on(AdapterKind::Software, few).for_class("few places");
        }
        // A tile of 64 rows would be nearly empty.
        if correlation.upsample != [1, 1] && correlation.results <= 4 {
            const IMAGE: &[Variant] = &[DIRECT_SUBGROUP, DIRECT, TILED];
            return preference.on(AdapterKind::Discrete, IMAGE).for_class("image gradient");
        }
        return match winograd {
            Some(winograd) if winograd.pays() => preference
                .on(AdapterKind::Discrete, WINOGRAD_FIRST)
                .for_class(if software == PRODUCT { "winograd product" } else { "winograd" }),
            // A gather from larger windows, or from phases, keeps larger tiles waiting.
            _ if geometry.kernel == [1, 1] && correlation.upsample == [1, 1] => product.or_wide(preference),
            _ => preference,
        };
    }
    // Sliding windows load four neighbours at once, which serves few results if they are a stride apart.
    let strided = geometry.stride != [1, 1] && geometry.size[1] >= 16 && correlation.fills_vectors();
    if strided {
        return Preference::gpus(&[DEPTHWISE, TILED], SLIDING).for_class("strided depthwise");
    }
    let preference = Preference::gpus(&[DEPTHWISE, TILED], DEPTHWISE_FIRST);
    // The rows that a tile of such windows needs are more than there are registers.
    let large = geometry.kernel.iter().product::<usize>() > 9 && geometry.size[1] > 8;
    if large {
        return preference.on(AdapterKind::Software, SLIDING).for_class("large depthwise");
    }
    preference.for_class("depthwise")
}

/// Terms of a sum of `terms` that a variant of any pass adds one after the other. Sliding windows add all of them so,
/// products as few as other products.
fn serial_terms(terms: usize, variant: Variant) -> u64 {
    match variant {
        DIRECT | DIRECT_SUBGROUP | DEPTHWISE => (terms as u64).min(MOST_UNROLLED as u64 * MAX_ITERATIONS),
        _ => serial::product(terms),
    }
}

impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.geometry(&inputs[0].shape, &inputs[1].shape)?;
        let results = inputs[1].shape[0];
        if let Some(bias) = inputs.get(2)
            && bias.shape != Shape::from([results])
        {
            return Err(format!(
                "bias must be [{results}] for weight {}, found {}",
                inputs[1].shape, bias.shape
            ));
        }
        Ok(vec![TensorType::f32(geometry.output_shape())])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (input, weight) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let shape = cx.shape(input);
            let value =
                cx.apply1(Conv2dGradInput { attributes: *self, input: shape }, &[gradient, weight])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let shape = cx.shape(weight);
            let value =
                cx.apply1(Conv2dGradWeight { attributes: *self, weight: shape }, &[gradient, input])?;
            cx.set(1, value);
        }
        if cx.inputs() > 2 && cx.wants(2) {
            let value = cx.apply1(Reduce::sum([0, 2, 3]), &[gradient])?;
            cx.set(2, value);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        let Ok(geometry) = self.geometry(&inputs[0].shape, &inputs[1].shape) else { return vec![TILED] };
        let sliding = Correlation::output(&geometry).variants(geometry.is_depthwise(), caps);
        [TILED]
            .into_iter()
            .chain(sliding)
            .chain([REGISTER])
            .chain(Tiling::ahead(caps))
            .chain(geometry.unrolled().map(|_| IM2COL))
            .chain(Winograd::output(&geometry).and_then(|winograd| winograd.offered(caps)))
            .chain(Tiling::subgroup(caps))
            .collect()
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        match self.geometry(&inputs[0].shape, &inputs[1].shape) {
            Ok(geometry) => {
                let (product, winograd) = (geometry.output_product(), Winograd::output(&geometry));
                let preference = preference(&geometry, &Correlation::output(&geometry), product, winograd);
                product.or_cooperative(preference)
            }
            Err(_) => Preference::NONE,
        }
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let geometry = self
            .geometry(&cx.input_type(0).shape, &cx.input_type(1).shape)
            .expect("the graph has checked the shapes");
        let bias = (cx.inputs() > 2).then(|| cx.input(2));
        let operands = Operands { weight: cx.input(1), source: cx.input(0), result: cx.output(0), bias };
        match cx.variant() {
            DIRECT | DIRECT_SUBGROUP | DIRECT_ROW | DEPTHWISE => {
                return Correlation::output(&geometry).lower(cx, &operands);
            }
            WINOGRAD => {
                let winograd = Winograd::output(&geometry).expect("the variant is not offered otherwise");
                return winograd.lower(cx, &operands);
            }
            _ => {}
        }
        let Operands { weight, source: input, result: output, bias } = operands;
        let size = geometry.output_product();
        let (m, n, k) = (cx.index(size.m)?, cx.index(size.n)?, cx.index(size.k)?);
        let mut gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size,
            lhs: lhs(false, m, k),
            rhs: Loader::new(if geometry.is_pointwise_in_fours() {
                &parts::conv2d_pixels
            } else {
                &parts::conv2d_input_columns
            }),
            store: plane_store(geometry.pixels(), cx)?,
            common: Some(geometry.constants(cx)?),
            bias: bias.map_or(Bias::None, Bias::Rows),
            second_result: None,
        };
        if cx.variant() != IM2COL {
            return gemm.lower(cx, weight, input, output);
        }
        let elements = geometry.unrolled().expect("the variant is not offered otherwise");
        let columns = cx.temporary(elements);
        let (unroll, groups) = cx.made_by(&parts::conv2d_im2col, elements, 1)?;
        let unroll = geometry.constants(cx)?.set(unroll);
        cx.dispatch_without_epilogue(unroll, &[input, columns.clone()], groups, 1);
        gemm.body = if cx.caps().kind.is_software() { Tiling::Register } else { Tiling::Tiled };
        gemm.rhs = rhs(false, k, n);
        gemm.common = None;
        gemm.lower(cx, weight, columns, output)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        let geometry = self.geometry(&inputs[0].shape, &inputs[1].shape);
        geometry.map_or(1, |g| serial_terms(g.channels * g.taps(), variant))
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        self.geometry(&inputs[0].shape, &inputs[1].shape).map_or(0, |g| g.multiply_adds())
    }
}

impl Graph {
    /// Convolution (cross-correlation) of `input` (N, C, H, W) by `weight` (out, C / groups, kh, kw)
    /// plus `bias` (out), as PyTorch's `conv2d`.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    /// use wgrad::ops::conv2d::Conv2dOptions;
    ///
    /// let mut g = Graph::new();
    /// let images = g.input("images", [8, 3, 32, 32])?;
    /// let weight = g.input("weight", [16, 3, 3, 3])?;
    /// let y = g.conv2d(images, weight, None, Conv2dOptions::new().stride([2, 2]).padding([1, 1]))?;
    /// assert_eq!(g.shape(y)?[..], [8, 16, 16, 16]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Channels, groups or bias that do not fit; a kernel larger than the padded input.
    pub fn conv2d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: Conv2dOptions,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [input, weight].into_iter().chain(bias).collect();
        self.apply1(Conv2d::from(options), &inputs)
    }
}
