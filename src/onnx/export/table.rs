//! Which function writes which operator.

use super::node::Node;
use super::walk::Made;
use super::{
    convolution, elementwise, losses, normalization, pooling, products, reductions, resampling, shapes,
};
use crate::graph;
use crate::ops::{
    argmax, arithmetic, batch_norm, byte_lookup, compare, concatenate, conv2d, correct, cross_entropy,
    dropout, elementwise as copies, embedding, expand, in_top_k, linear, local_response_norm, loss, matmul,
    one_hot, pad, permute, pool2d, prelu, reduce, reshape, row_norm, slice, softmax, unary, upsample,
};
use std::any::Any;

/// How many of a node's inputs are values of the file. The places of max pooling, which unpooling reads, are numbered
/// otherwise in ONNX: `pooling` has its node write them.
pub(super) fn values(node: &graph::Node) -> usize {
    let operator: &dyn Any = &*node.operator;
    if operator.is::<pool2d::MaxUnpool2d>() { 1 } else { node.inputs.len() }
}

/// Writes a node. The error says what of it has no counterpart.
pub(super) fn write(node: &mut Node<'_, '_>) -> Result<Made, String> {
    let operator: &dyn Any = &**node.operator();
    macro_rules! operators {
        ($($operator:ty => $function:path,)*) => {
            $(
                if let Some(operator) = operator.downcast_ref::<$operator>() {
                    return $function(node, operator);
                }
            )*
        };
    }
    operators! {
        arithmetic::Binary => elementwise::binary,
        compare::Compare => elementwise::compare,
        compare::Where => elementwise::choose,
        copies::Copy => elementwise::copy,
        prelu::PRelu => elementwise::prelu,
        softmax::Softmax => elementwise::softmax,
        unary::Unary => elementwise::unary,

        conv2d::Conv2d => convolution::convolution,
        conv2d::Conv2dGradInput => convolution::transposed,

        correct::CorrectPredictions => losses::correct,
        cross_entropy::CrossEntropy => losses::cross_entropy,
        in_top_k::InTopK => losses::in_top_k,
        loss::Loss => losses::elementwise,

        batch_norm::BatchNormEval => normalization::batch,
        batch_norm::BatchNormTrain => normalization::of_this_batch,
        local_response_norm::LocalResponseNorm => normalization::local_response,
        row_norm::RowNorm => normalization::rows,

        pool2d::AvgPool2d => pooling::average,
        pool2d::LpPool2d => pooling::lp,
        pool2d::MaxPool2d => pooling::max,
        pool2d::MaxUnpool2d => pooling::unpool,

        linear::Linear => products::linear,
        matmul::MatMul => products::matmul,

        argmax::ArgMax => reductions::argmax,
        reduce::Reduce => reductions::reduce,
        reduce::Variance => reductions::variance,

        byte_lookup::ByteLookup => shapes::byte_lookup,
        concatenate::Concatenate => shapes::concatenate,
        embedding::Embedding => shapes::embedding,
        expand::Expand => shapes::expand,
        one_hot::OneHot => shapes::one_hot,
        pad::Pad => shapes::pad,
        permute::Permute => shapes::permute,
        reshape::Reshape => shapes::reshape,
        slice::Slice => shapes::slice,

        upsample::Upsample2d => resampling::upsample,
    }
    if operator.is::<dropout::Dropout>() || operator.is::<dropout::DropoutMask>() {
        return Err("draws random numbers; build the network in Mode::Eval".into());
    }
    Err("has no counterpart in ONNX; export a network in Mode::Eval, or its loss".into())
}
