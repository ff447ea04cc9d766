//! Gemm and MatMul.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::{Graph, Value};
use crate::onnx::constant::broadcast;
use crate::ops::matmul::MatMul;
use crate::tensor::Shape;

pub(super) fn gemm(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (alpha, beta) = (node.attributes.float("alpha", 1.0)?, node.attributes.float("beta", 1.0)?);
    let (transpose_lhs, transpose_rhs) =
        (node.attributes.flag("transA", false)?, node.attributes.flag("transB", false)?);
    let (a, b, c) = (node.value(0)?, node.weight(1)?, node.maybe_weight(2)?);
    let (lhs, rhs) = (node.shape(0)?, node.shape(1)?);
    if lhs.len() != 2 || rhs.len() != 2 {
        return Err(format!("expects matrices, found {lhs} and {rhs}").into());
    }
    let width = rhs[usize::from(!transpose_rhs)];
    let plain = !transpose_lhs && transpose_rhs && alpha == 1.0;
    if plain && (c.is_none() || beta == 1.0 && c.is_some_and(|c| node.shape_of(c)[..] == [width])) {
        return Ok(one(node.g().linear(a, b, c)?));
    }
    let mut y = node.g().apply1(MatMul { transpose_lhs, transpose_rhs }, &[a, b])?;
    if alpha != 1.0 {
        y = node.g().scale(y, alpha)?;
    }
    if let Some(mut c) = c.filter(|_| beta != 0.0) {
        if beta != 1.0 {
            c = node.g().scale(c, beta)?;
        }
        y = node.g().add(y, c)?;
    }
    Ok(one(y))
}

pub(super) fn matmul(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (a, b) = (node.weight(0)?, node.weight(1)?);
    Ok(one(product(node.g(), a, b)?))
}

/// NumPy's matmul: vectors are rows or columns, and batches broadcast.
pub(super) fn product(g: &mut Graph, a: Value, b: Value) -> Outcome<Value> {
    let (lhs, rhs) = (g.shape_of(a).clone(), g.shape_of(b).clone());
    if lhs.is_empty() || rhs.is_empty() {
        return Err("expects at least one dimension, found a scalar".into());
    }
    let (vector_lhs, vector_rhs) = (lhs.len() == 1, rhs.len() == 1);
    let a = if vector_lhs { g.reshape(a, [1, lhs[0]])? } else { a };
    let b = if vector_rhs { g.reshape(b, [rhs[0], 1])? } else { b };
    let (lhs, rhs) = (g.shape_of(a).clone(), g.shape_of(b).clone());
    let (outer_lhs, outer_rhs) = (&lhs[..lhs.len() - 2], &rhs[..rhs.len() - 2]);
    let outer = broadcast(outer_lhs, outer_rhs)?;
    let [m, k] = [lhs[lhs.len() - 2], lhs[lhs.len() - 1]];
    let n = rhs[rhs.len() - 1];
    let y = if outer_rhs.iter().all(|&size| size == 1) && rhs[rhs.len() - 2] == k {
        // One matrix for all: the batches are further rows.
        let rows = lhs.elements() / k.max(1);
        let (a, b) = (g.reshape(a, [rows, k])?, g.reshape(b, [k, n])?);
        g.matmul(a, b)?
    } else {
        let batches = outer.elements();
        let a = stretched(g, a, &outer, [m, k])?;
        let b = stretched(g, b, &outer, [rhs[rhs.len() - 2], n])?;
        let (a, b) = (g.reshape(a, [batches, m, k])?, g.reshape(b, [batches, rhs[rhs.len() - 2], n])?);
        g.matmul(a, b)?
    };
    let mut shape = outer.to_vec();
    shape.extend((!vector_lhs).then_some(m));
    shape.extend((!vector_rhs).then_some(n));
    Ok(g.reshape(y, shape)?)
}

/// A batch of matrices, repeated to so many batches.
fn stretched(g: &mut Graph, x: Value, outer: &Shape, matrix: [usize; 2]) -> Outcome<Value> {
    let shape = Shape::from([&outer[..], &matrix].concat());
    if *g.shape_of(x) == shape { Ok(x) } else { Ok(g.expand(x, shape)?) }
}
