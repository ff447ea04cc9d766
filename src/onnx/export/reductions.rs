//! Reductions over dimensions.

use super::elementwise::with_number;
use super::message::{INT32, int};
use super::node::Node;
use super::walk::Made;
use crate::ops::argmax::ArgMax;
use crate::ops::reduce::{Axes, Function, Reduce, Variance};

/// The dimensions that are reduced, of a tensor of this rank.
fn reduced(axes: &Axes, rank: usize) -> Vec<usize> {
    if axes.axes.is_empty() { (0..rank).collect() } else { axes.axes.clone() }
}

/// The result of a reduction of the first input over these dimensions.
fn result(node: &Node<'_, '_>, name: String, axes: &[usize], keepdim: bool) -> Made {
    let kept = node.batch(0).map(|batch| batch.axis).filter(|axis| !axes.contains(axis));
    let place = |axis: usize| {
        let before = axes.iter().filter(|&&reduced| reduced < axis).count();
        if keepdim { axis } else { axis - before }
    };
    Made { name, batch: kept.and_then(|axis| node.moved(place(axis))) }
}

pub(super) fn argmax(node: &mut Node<'_, '_>, search: &ArgMax) -> Result<Made, String> {
    let x = node.input(0);
    let operator = if search.smallest { "ArgMin" } else { "ArgMax" };
    let attributes = vec![int("axis", search.axis as i64), int("keepdims", search.keepdim.into())];
    let found = node.op(operator, &[&x], attributes);
    let y = node.cast(&found, INT32);
    Ok(result(node, y, &[search.axis], search.keepdim))
}

/// The deviations of `x` from its means over these dimensions.
pub(super) fn deviations(node: &mut Node<'_, '_>, x: &str, axes: &[usize]) -> String {
    let mean = over(node, "ReduceMean", x, axes, true);
    let deviations = node.op("Sub", &[x, &mean], vec![]);
    // The mean is rounded at its own size, which may be far above the deviations': what is left of it goes too.
    let rest = over(node, "ReduceMean", &deviations, axes, true);
    node.op("Sub", &[&deviations, &rest], vec![])
}

pub(super) fn over(
    node: &mut Node<'_, '_>,
    operator: &str,
    x: &str,
    axes: &[usize],
    keepdim: bool,
) -> String {
    if axes.is_empty() {
        return node.op("Identity", &[x], vec![]);
    }
    let axes = node.sizes(axes);
    node.op(operator, &[x, &axes], vec![int("keepdims", keepdim.into())])
}

pub(super) fn reduce(node: &mut Node<'_, '_>, reduce: &Reduce) -> Result<Made, String> {
    let operator = match reduce.function {
        Function::Sum => "ReduceSum",
        Function::Mean => "ReduceMean",
        Function::Max => "ReduceMax",
        Function::Min => "ReduceMin",
    };
    let (x, axes) = (node.input(0), reduced(&reduce.axes, node.shape(0).len()));
    let y = over(node, operator, &x, &axes, reduce.axes.keepdim);
    Ok(result(node, y, &axes, reduce.axes.keepdim))
}

pub(super) fn variance(node: &mut Node<'_, '_>, variance: &Variance) -> Result<Made, String> {
    let (x, shape) = (node.input(0), node.shape(0));
    let axes = reduced(&variance.axes, shape.len());
    if variance.correction > 0 {
        node.batch_outside(axes.iter().copied(), "divides by a number of elements")?;
    }
    let deviations = deviations(node, &x, &axes);
    let squares = node.op("Mul", &[&deviations, &deviations], vec![]);
    let mut y = over(node, "ReduceMean", &squares, &axes, variance.axes.keepdim);
    if variance.correction > 0 {
        let elements: usize = axes.iter().map(|&axis| shape[axis]).product();
        // Of too few elements the variance is NaN or infinite, as the divisor zero makes it.
        let divisor = elements.saturating_sub(variance.correction) as f64;
        y = with_number(node, "Mul", &y, (elements as f64 / divisor) as f32);
    }
    Ok(result(node, y, &axes, variance.axes.keepdim))
}
