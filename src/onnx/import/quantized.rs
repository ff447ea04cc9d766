//! QuantizeLinear and DequantizeLinear of known tensors: quantised weights become float parameters.

use super::node::Node;
use super::{Held, Outcome};
use crate::onnx::ElementType;
use crate::onnx::constant::listed;
use crate::onnx::rules::{axis, elements};
use crate::onnx::tensor::Tensor;
use crate::tensor::Shape;
use std::sync::Arc;

/// Scale and zero point of each element.
struct Steps {
    scales: Vec<f32>,
    zeros: Vec<i64>,
    /// Size of the axis that steps go along, and elements of one of its places; `None` if there is one step for all.
    along: Option<[usize; 2]>,
    /// Places that share a step; 0 if none do.
    block: usize,
    /// Type of the zero points.
    element: Option<ElementType>,
}

impl Steps {
    fn of(node: &Node<'_, '_, '_>, shape: &Shape) -> Outcome<Steps> {
        let (scale, zero) = (node.host(1)?, node.maybe_host(2)?);
        let Some(scales) = scale.as_floats() else {
            return Err(format!("its scale must be floats, found {}", scale.element).into());
        };
        let zeros = match &zero {
            None => vec![0; scales.len()],
            Some(zero) if zero.as_floats().is_some() => {
                return Err("floats of 8 bits are not supported".into());
            }
            Some(zero) => zero.to_f64().iter().map(|&x| x as i64).collect(),
        };
        if zeros.len() != scales.len() {
            return Err(format!("{} scales and {} zero points", scales.len(), zeros.len()).into());
        }
        let block = node.attributes.int("block_size", 0)?.max(0) as usize;
        let given = node.attributes.int("axis", 1)?;
        let mut places = None;
        if scales.len() != 1 {
            let along = axis(given, shape.len())?;
            let size = shape[along];
            let groups = if block > 0 { size.div_ceil(block) } else { size };
            let fits = if block > 0 {
                scale.shape.len() == shape.len()
                    && (0..shape.len()).all(|d| scale.shape[d] == if d == along { groups } else { shape[d] })
            } else {
                scale.shape[..] == [size]
            };
            if !fits {
                return Err(format!("scales {} don't fit {shape} along axis {along}", scale.shape).into());
            }
            places = Some([size, elements(&shape[along + 1..])?]);
        }
        Ok(Steps {
            scales: scales.to_vec(),
            zeros,
            along: places,
            block,
            element: zero.map(|zero| zero.element),
        })
    }

    /// The number of an element's step.
    fn which(&self, i: usize) -> usize {
        let Some([size, inner]) = self.along else { return 0 };
        let (outer, at, rest) = (i / inner / size, i / inner % size, i % inner);
        at.checked_div(self.block)
            .map_or(at, |group| (outer * size.div_ceil(self.block) + group) * inner + rest)
    }
}

pub(super) fn linear(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["saturate", "precision"]);
    if let Held::Value(_) = node.held(0)? {
        return Err("quantising computed values is not supported; export the model without quantisation, or with quantised weights alone".into());
    }
    let x = node.host(0)?;
    let steps = Steps::of(node, &x.shape)?;
    let output = node.attributes.int("output_dtype", 0)?;
    if node.operator() == "DequantizeLinear" {
        let Some(data) = x.as_ints() else {
            return Err(format!("expects integers, found {}", x.element).into());
        };
        let number = |i: usize| {
            let k = steps.which(i);
            data[i].wrapping_sub(steps.zeros[k]) as f32 * steps.scales[k]
        };
        let data = listed(data.len(), number)?;
        let tensor = Tensor::floats(ElementType::F32, x.shape.clone(), data);
        return Ok(vec![node.new_weight(0, tensor)]);
    }
    let Some(data) = x.as_floats() else {
        return Err(format!("expects floats, found {}", x.element).into());
    };
    let element = match (steps.element, output) {
        (Some(element), _) => element,
        (None, 0) => ElementType::U8,
        (None, output) => ElementType::of(output)?,
    };
    let [least, largest] = element.range();
    let number = |i: usize| {
        let k = steps.which(i);
        let rounded = (data[i] / steps.scales[k]).round_ties_even();
        (rounded as i64).saturating_add(steps.zeros[k]).clamp(least, largest)
    };
    let data = listed(data.len(), number)?;
    Ok(vec![Held::Host(Arc::new(Tensor::ints(element, x.shape.clone(), data)))])
}
