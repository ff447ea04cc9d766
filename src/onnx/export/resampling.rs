//! Resampling of images.

use super::message::{int, string};
use super::node::Node;
use super::walk::Made;
use crate::onnx::proto::AttributeProto;
use crate::ops::upsample::{Interpolation, Resize, Upsample, Upsample2d};

pub(super) fn upsample(node: &mut Node<'_, '_>, Upsample2d(upsample): &Upsample2d) -> Result<Made, String> {
    node.batch_outside(2..4, "resamples")?;
    let x = node.input(0);
    let [input, output] = [node.shape(0), node.output_shape()].map(|shape| [shape[2], shape[3]]);
    let y = match upsample.interpolation {
        Interpolation::Nearest if (0..2).all(|d| rounds_alike(upsample, d, input[d], output[d])) => {
            let modes = [
                ("mode", "nearest"),
                ("coordinate_transformation_mode", "asymmetric"),
                ("nearest_mode", "floor"),
            ];
            resize(node, &x, output, None, &modes)
        }
        // Elsewhere rounding decides, and ONNX Runtime's differs from PyTorch's.
        Interpolation::Nearest => {
            let mut taken = x;
            for d in 0..2 {
                let indices: Vec<i64> =
                    nearest(upsample, d, input[d], output[d]).iter().map(|&i| i as i64).collect();
                let indices = node.integers(&indices);
                taken = node.op("Gather", &[&taken, &indices], vec![int("axis", 2 + d as i64)]);
            }
            taken
        }
        Interpolation::Bilinear { align_corners } => {
            let scales = match upsample.resize {
                Resize::ScaleFactor(factors) if !align_corners => {
                    let scale = |d: usize| match input[d] == output[d] {
                        true => Ok(1.0),
                        false => scale(factors[d], input[d], output[d]),
                    };
                    Some([scale(0)?, scale(1)?])
                }
                _ => None,
            };
            let positions = if align_corners { "align_corners" } else { "half_pixel" };
            let modes = [("mode", "linear"), ("coordinate_transformation_mode", positions)];
            resize(node, &x, output, scales, &modes)
        }
    };
    Ok(node.like_input(y))
}

/// Resize to a height and width, or by factors.
fn resize(
    node: &mut Node<'_, '_>,
    x: &str,
    output: [usize; 2],
    scales: Option<[f32; 2]>,
    modes: &[(&str, &str)],
) -> String {
    let mut attributes: Vec<AttributeProto> = modes.iter().map(|(name, mode)| string(name, mode)).collect();
    attributes.push(super::message::ints("axes", &[2, 3]));
    match scales {
        Some(scales) => {
            let scales = node.floats(&[2], scales.to_vec());
            node.op("Resize", &[x, "", &scales], attributes)
        }
        None => {
            let sizes = node.sizes(&output);
            node.op("Resize", &[x, "", "", &sizes], attributes)
        }
    }
}

/// A factor in f32 by which the output has its size, whether the product with the input's size is rounded to f32, as in ONNX
/// Runtime, or not, as in the ONNX project's rules: the nearest such number.
fn scale(factor: f64, input: usize, output: usize) -> Result<f32, String> {
    let makes = |scale: &f32| {
        let exact = f64::from(*scale) * input as f64;
        [exact.floor(), f64::from((scale * input as f32).floor())] == [output as f64; 2]
    };
    let nearest = factor as f32;
    let (mut below, mut above) = (nearest, nearest);
    for _ in 0..4 {
        if let Some(found) = [below, above].into_iter().find(makes) {
            return Ok(found);
        }
        (below, above) = (below.next_down(), above.next_up());
    }
    Err(format!(
        "resizes {input} to {output} elements by a factor that f32 rounds to another size; set the size"
    ))
}

/// The input element of each output along an axis.
fn nearest(upsample: &Upsample, d: usize, input: usize, output: usize) -> Vec<usize> {
    let step = upsample.step(d, input, output);
    (0..output).map(|at| ((at as f32 * step) as usize).min(input - 1)).collect()
}

/// Whether dividing by the scale in f32, as ONNX Runtime does, chooses the same elements.
fn rounds_alike(upsample: &Upsample, d: usize, input: usize, output: usize) -> bool {
    let scale = output as f32 / input as f32;
    let theirs = (0..output).map(|at| ((at as f32 / scale).floor() as usize).min(input - 1));
    nearest(upsample, d, input, output).into_iter().eq(theirs)
}
