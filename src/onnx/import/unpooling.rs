//! MaxUnpool. Its places come from a MaxPool of the graph, or are known.

use super::convolution::like_input;
use super::node::{Node, one};
use super::parts::take;
use super::pooling::with_height;
use super::windows::{Windows, planes};
use super::{Held, Outcome};
use crate::graph::Value;
use crate::memory;
use crate::ops::pad::PadMode;
use crate::tensor::Shape;

pub(super) fn max(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let input = node.shape(0)?;
    let windows = Windows::of(node, &input, None)?;
    let pooled = planes(&input);
    let sizes = [0, 1].map(|d| {
        let [before, after] = windows.pads[d];
        let whole = (pooled[d].saturating_sub(1)).saturating_mul(windows.stride[d]);
        whole.saturating_add(windows.kernel[d]).saturating_sub(before + after)
    });
    let given = match node.maybe_ints(2)? {
        Some(list) => Some(given_size(&list, &input)?),
        None => None,
    };
    let x = with_height(node)?;
    let y = match node.held(1)? {
        Held::Indices(indices) => {
            let (found, pooled) = (given.unwrap_or(sizes), indices.input_size());
            if found != pooled {
                return Err(format!(
                    "makes planes of {found:?} by the places of a MaxPool over planes of {pooled:?}; sizes that differ are not supported"
                )
                .into());
            }
            node.g().max_unpool2d(x, &indices, found)?
        }
        _ => known(node, x, sizes, given)?,
    };
    like_input(node, y, &input).map(one)
}

/// Height and width that an output's shape says.
fn given_size(list: &[i64], input: &Shape) -> Outcome<[usize; 2]> {
    let sizes: Option<Vec<usize>> = list.iter().map(|&size| usize::try_from(size).ok()).collect();
    match sizes.filter(|sizes| sizes.len() == input.len() && sizes[..2] == input[..2]) {
        Some(sizes) => Ok(planes(&sizes)),
        None => Err(format!("output_shape {list:?} does not fit an input of {input}").into()),
    }
}

/// By known places: a gather from the elements and a zero. The places are those of an output of the size that the windows
/// make. A larger size that is given adds zeros behind it, as in ONNX's own reference.
fn known(
    node: &mut Node<'_, '_, '_>,
    x: Value,
    sizes: [usize; 2],
    given: Option<[usize; 2]>,
) -> Outcome<Value> {
    let list = node.maybe_ints(1)?.ok_or("its places are missing")?;
    let shape = node.shape_of(x);
    if node.shape(1)? != node.shape(0)? {
        return Err(format!("places of shape {} for an input of {}", node.shape(1)?, node.shape(0)?).into());
    }
    let whole = [shape[0], shape[1], sizes[0], sizes[1]];
    let count = whole.iter().fold(1usize, |count, &size| count.saturating_mul(size));
    if count == 0 || count >= i32::MAX as usize || list.len() >= i32::MAX as usize {
        return Err(format!("an output of {whole:?} by known places is not supported").into());
    }
    node.afford(count)?;
    let mut places = memory::filled(count, list.len() as i32, "places of an ONNX file")?;
    for (i, &at) in list.iter().enumerate() {
        let place = usize::try_from(at).ok().and_then(|at| places.get_mut(at));
        *place.ok_or_else(|| format!("place {at} is outside of {count}"))? = i as i32;
    }
    let zero = node.numbers([1, 1], vec![0.0])?;
    let column = node.g().reshape(x, [list.len(), 1])?;
    let elements = node.g().concatenate(&[column, zero], 0)?;
    let y = take(node.g(), elements, 0, places)?;
    let y = node.g().reshape(y, whole)?;
    let Some(given) = given.filter(|given| *given != sizes) else { return Ok(y) };
    let behind = |d: usize| given[d].checked_sub(sizes[d]).map(|more| [0, more]);
    match (behind(0), behind(1)) {
        (Some(rows), Some(columns)) => {
            Ok(node.g().pad(y, [[0; 2], [0; 2], rows, columns], PadMode::Constant(0.0))?)
        }
        _ => Err(format!("an output_shape with planes of {given:?} is less than the windows make").into()),
    }
}
