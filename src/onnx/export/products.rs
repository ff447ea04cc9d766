//! Matrix products.

use super::message::{int, ints};
use super::node::Node;
use super::walk::Made;
use crate::ops::linear::Linear;
use crate::ops::matmul::MatMul;

pub(super) fn linear(node: &mut Node<'_, '_>, _: &Linear) -> Result<Made, String> {
    node.fixed_from(1)?;
    node.batch_outside([1], "multiplies")?;
    let inputs: Vec<String> = (0..node.inputs()).map(|i| node.input(i)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = node.op("Gemm", &inputs, vec![int("transB", 1)]);
    Ok(node.like_input(y))
}

pub(super) fn matmul(node: &mut Node<'_, '_>, matmul: &MatMul) -> Result<Made, String> {
    let rank = node.shape(0).len();
    let (rows, columns) = (rank - 2, rank - 1);
    let transposed = [matmul.transpose_lhs, matmul.transpose_rhs];
    let mut factors = [node.input(0), node.input(1)];
    for (factor, transposed) in factors.iter_mut().zip(transposed) {
        if transposed {
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rows, columns);
            *factor = node.op("Transpose", &[factor], vec![ints("perm", &order)]);
        }
    }
    let [lhs, rhs] = factors;
    let name = node.op("MatMul", &[&lhs, &rhs], vec![]);
    // The dimension of the result in which an input's batch is. The sum leaves none.
    let place = |i: usize| -> Result<Option<usize>, String> {
        let Some(batch) = node.batch(i) else { return Ok(None) };
        let axis = match (batch.axis, transposed[i]) {
            (axis, true) if axis == rows => columns,
            (axis, true) if axis == columns => rows,
            (axis, _) => axis,
        };
        let summed = [columns, rows][i];
        if axis == summed {
            return Err("sums over the batch, whose size is left open".into());
        }
        Ok(Some(axis))
    };
    let batch = match (place(0)?, place(1)?) {
        (None, None) => None,
        (Some(axis), None) if axis == rows => node.moved(axis),
        (None, Some(axis)) if axis == columns => {
            node.batch(1).map(|batch| batch.moved(node.shape(1), axis, node.output_shape()))
        }
        (Some(lhs), Some(rhs)) if lhs == rhs && lhs < rows => node.moved(lhs),
        _ => {
            return Err(
                "has the batch, whose size is left open, in one factor and a fixed size in the other".into(),
            );
        }
    };
    Ok(Made { name, batch })
}
