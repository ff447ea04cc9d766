//! Matrix products as three loops.

use crate::op::{Array, Reference};
use crate::ops::matmul::MatMul;

/// `op(lhs) op(rhs)` over the last two dimensions; leading dimensions are batches.
pub(super) fn matmul(lhs: &Array, rhs: &Array, transpose_lhs: bool, transpose_rhs: bool) -> Array {
    let rank = lhs.shape.len();
    let (rows, columns) = (lhs.shape[rank - 2], lhs.shape[rank - 1]);
    let (m, inner) = if transpose_lhs { (columns, rows) } else { (rows, columns) };
    let n = rhs.shape[if transpose_rhs { rank - 2 } else { rank - 1 }];
    let batches: usize = lhs.shape[..rank - 2].iter().product();
    let mut shape = lhs.shape[..rank - 2].to_vec();
    shape.extend([m, n]);
    let mut result = Array::zeros(shape);
    for z in 0..batches {
        for i in 0..m {
            for j in 0..n {
                let mut sum = 0.0;
                for k in 0..inner {
                    let a = if transpose_lhs { k * m + i } else { i * inner + k };
                    let b = if transpose_rhs { j * inner + k } else { k * n + j };
                    sum += lhs.data[z * m * inner + a] * rhs.data[z * inner * n + b];
                }
                result.data[(z * m + i) * n + j] = sum;
            }
        }
    }
    result
}

impl Reference for MatMul {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![matmul(inputs[0], inputs[1], self.transpose_lhs, self.transpose_rhs)]
    }
}
