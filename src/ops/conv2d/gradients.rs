//! The other passes of a convolution: gradients of input and weight. That of the bias is a sum (`reduce`).

use super::Conv2d;
use super::correlation::{Correlation, Operands};
use super::geometry::{Geometry, plane_store};
use super::serial_terms;
use super::winograd::Winograd;
use super::{DEPTHWISE, DIRECT, DIRECT_ROW, DIRECT_SUBGROUP, WINOGRAD, WINOGRAD_FIRST, preference};
use crate::error::Result;
use crate::op::{AdapterKind, BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::gemm::{Bias, Gemm, Loader, Tiling};
use crate::ops::gemm::{REGISTER, SUBGROUP, TILED};
use crate::ops::matmul::{lhs, require_f32, store};
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};

/// Gradient of a convolution's input, from the output's gradient and the weight: a transposed
/// convolution.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dGradInput {
    /// The convolution's attributes.
    pub attributes: Conv2d,
    /// Shape of the input.
    pub input: Shape,
}

impl Conv2dGradInput {
    fn geometry(&self, weight: &Shape) -> Result<Geometry, String> {
        self.attributes.geometry(&self.input, weight)
    }
}

impl Operator for Conv2dGradInput {
    fn name(&self) -> &'static str {
        "conv2d_grad_input"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.geometry(&inputs[1].shape)?;
        expect_shape("the output's gradient", &inputs[0].shape, &geometry.output_shape())?;
        Ok(vec![TensorType::f32(self.input.clone())])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        // The operator is linear in both operands: one gradient is the forward pass, the other the weight's gradient.
        let gradient = cx.output_gradient(0)?;
        let (output_gradient, weight) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let value = cx.apply1(self.attributes, &[gradient, weight])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let operator = Conv2dGradWeight { attributes: self.attributes, weight: cx.shape(weight) };
            let value = cx.apply1(operator, &[output_gradient, gradient])?;
            cx.set(1, value);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        let Ok(geometry) = self.geometry(&inputs[1].shape) else { return vec![TILED] };
        let sliding = Correlation::grad_input(&geometry).variants(geometry.is_depthwise(), caps);
        [TILED]
            .into_iter()
            .chain(sliding)
            .chain([REGISTER])
            .chain(Tiling::ahead(caps))
            .chain(Winograd::grad_input(&geometry).and_then(|winograd| winograd.offered(caps)))
            .chain(Tiling::subgroup(caps))
            .collect()
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        match self.geometry(&inputs[1].shape) {
            Ok(geometry) => {
                let (product, winograd) = (geometry.grad_input_product(), Winograd::grad_input(&geometry));
                let preference =
                    preference(&geometry, &Correlation::grad_input(&geometry), product, winograd);
                product.or_cooperative(preference)
            }
            Err(_) => Preference::NONE,
        }
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let geometry = self.geometry(&cx.input_type(1).shape).expect("the graph has checked the shapes");
        let operands =
            Operands { weight: cx.input(1), source: cx.input(0), result: cx.output(0), bias: None };
        match cx.variant() {
            DIRECT | DIRECT_SUBGROUP | DIRECT_ROW | DEPTHWISE => {
                return Correlation::grad_input(&geometry).lower(cx, &operands);
            }
            WINOGRAD => {
                let winograd = Winograd::grad_input(&geometry).expect("the variant is not offered otherwise");
                return winograd.lower(cx, &operands);
            }
            _ => {}
        }
        let Operands { weight, source: gradient, result, .. } = operands;
        if geometry.has_phases() {
            return geometry.lower_grad_input_phases(cx, weight, gradient, result);
        }
        let plane = geometry.size[0] * geometry.size[1];
        let size = geometry.grad_input_product();
        let pointwise = geometry.is_pointwise_in_fours();
        let (lhs, rhs) = if pointwise {
            (lhs(true, cx.index(size.m)?, cx.index(size.k)?), Loader::new(&parts::conv2d_pixels))
        } else {
            (Loader::new(&parts::conv2d_weight_by_input), Loader::new(&parts::conv2d_gradient_columns))
        };
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size,
            lhs,
            rhs,
            store: plane_store(plane, cx)?,
            common: Some(geometry.constants(cx)?),
            bias: Bias::None,
            second_result: None,
        };
        gemm.lower(cx, weight, gradient, result)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        self.geometry(&inputs[1].shape).map_or(1, |g| serial_terms(g.results * g.taps(), variant))
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        self.geometry(&inputs[1].shape).map_or(0, |g| g.multiply_adds())
    }
}

/// Gradient of a convolution's weight, from the output's gradient and the input.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2dGradWeight {
    /// The convolution's attributes.
    pub attributes: Conv2d,
    /// Shape of the weight.
    pub weight: Shape,
}

impl Conv2dGradWeight {
    fn geometry(&self, input: &Shape) -> Result<Geometry, String> {
        self.attributes.geometry(input, &self.weight)
    }
}

impl Operator for Conv2dGradWeight {
    fn name(&self) -> &'static str {
        "conv2d_grad_weight"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        require_f32(inputs)?;
        let geometry = self.geometry(&inputs[1].shape)?;
        expect_shape("the output's gradient", &inputs[0].shape, &geometry.output_shape())?;
        expect_shape("the input", &inputs[1].shape, &geometry.input_shape())?;
        Ok(vec![TensorType::f32(geometry.weight_shape())])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let (output_gradient, input) = (cx.input(0), cx.input(1));
        if cx.wants(0) {
            let value = cx.apply1(self.attributes, &[input, gradient])?;
            cx.set(0, value);
        }
        if cx.wants(1) {
            let operator = Conv2dGradInput { attributes: self.attributes, input: cx.shape(input) };
            let value = cx.apply1(operator, &[output_gradient, gradient])?;
            cx.set(1, value);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], caps: &Caps) -> Vec<Variant> {
        let geometry = self.geometry(&inputs[1].shape).ok();
        let offered =
            |name, can: &dyn Fn(&Geometry) -> bool| geometry.as_ref().filter(|g| can(g)).map(|_| name);
        [TILED, REGISTER]
            .into_iter()
            .chain(Tiling::ahead(caps))
            .chain(geometry.as_ref().and_then(Winograd::output).and_then(|w| w.grad_weight_offered(caps)))
            .chain(offered(DIRECT, &|g| g.grad_weight_slides(caps)))
            .chain(offered(DIRECT_SUBGROUP, &|g| g.grad_weight_shares(caps)))
            .chain(offered(DIRECT_ROW, &|g| caps.kind.is_software() && g.grad_weight_slides_along_rows()))
            .chain(offered(DEPTHWISE, &Geometry::is_depthwise))
            .chain(Tiling::subgroup(caps))
            .collect()
    }

    fn preference(&self, inputs: &[&TensorType]) -> Preference {
        match self.geometry(&inputs[1].shape) {
            Ok(g) if g.is_depthwise() => Preference::all(&[DEPTHWISE]).for_class("depthwise"),
            Ok(g) if g.results <= 8 => Preference::gpus(&[TILED], &[DIRECT, SUBGROUP, REGISTER])
                .on(AdapterKind::SwiftShader, &[DIRECT_ROW, REGISTER])
                .for_class("few results"),
            Ok(g) => {
                let preference = match g.grad_weight_suits_sharing() {
                    true => Preference::gpus(&[TILED], &[DIRECT_SUBGROUP, SUBGROUP, REGISTER])
                        .for_class("sliding"),
                    false => Preference::gpus(&[TILED], &[SUBGROUP, REGISTER]),
                };
                let preference = preference.on(AdapterKind::SwiftShader, &[DIRECT_ROW, REGISTER]);
                let product = g.grad_weight_product();
                let preference = product.or_cooperative(preference);
                match Winograd::output(&g) {
                    Some(winograd) if winograd.grad_weight_pays() => {
                        let class =
                            if preference.class().is_empty() { "winograd" } else { "winograd sliding" };
                        preference.on(AdapterKind::Discrete, WINOGRAD_FIRST).for_class(class)
                    }
                    // The sum over few pixels is too short for the parts that larger tiles take.
                    _ if g.kernel == [1, 1] || product.k >= MANY_PIXELS => product.or_tall(preference),
                    _ => preference,
                }
            }
            Err(_) => Preference::NONE,
        }
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let geometry = self.geometry(&cx.input_type(1).shape).expect("the graph has checked the shapes");
        let (gradient, input, result) = (cx.input(0), cx.input(1), cx.output(0));
        if cx.variant() == WINOGRAD {
            let winograd = Winograd::output(&geometry).expect("the variant is not offered otherwise");
            return winograd.lower_grad_weight(cx, gradient, input, result);
        }
        if cx.variant() == DEPTHWISE {
            return geometry.lower_grad_weight_depthwise(cx, gradient, input, result);
        }
        let size = geometry.grad_weight_product();
        let vec4 = geometry.pixels().is_multiple_of(4);
        let gemm = Gemm {
            body: Tiling::of(cx.variant()),
            size,
            lhs: Loader::new(if vec4 {
                &parts::conv2d_gradient_rows_vec4
            } else {
                &parts::conv2d_gradient_rows
            }),
            // Neighbouring terms are neighbouring pixels.
            rhs: Loader::new(if geometry.is_pointwise_in_fours() {
                &parts::conv2d_pixel_columns
            } else {
                &parts::conv2d_input_rows
            })
            .by_column(),
            store: store(cx.index(size.n)?),
            common: Some(geometry.constants(cx)?),
            bias: Bias::None,
            second_result: None,
        };
        match cx.variant() {
            DIRECT => geometry.lower_grad_weight_direct(cx, &gemm, gradient, input, result),
            DIRECT_SUBGROUP => geometry.lower_grad_weight_subgroup(cx, &gemm, gradient, input, result),
            DIRECT_ROW => geometry.lower_grad_weight_row(cx, &gemm, gradient, input, result),
            _ => gemm.lower(cx, gradient, input, result),
        }
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        self.geometry(&inputs[1].shape).map_or(1, |g| serial_terms(g.images * g.pixels(), variant))
    }

    fn multiply_adds(&self, inputs: &[&TensorType]) -> u64 {
        self.geometry(&inputs[1].shape).map_or(0, |g| g.multiply_adds())
    }
}

/// Pixels from which the weight's gradient of windows takes larger tiles on discrete GPUs.
const MANY_PIXELS: usize = 4096;

fn expect_shape(what: &str, found: &Shape, expected: &Shape) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} must be {expected}, found {found}")) }
}
