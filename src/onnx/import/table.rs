//! Which function builds which operator.

use super::node::Node;
use super::{Held, Outcome};
use super::{
    activations, arithmetic, convolution, logic, normalization, parts, pooling, products, quantized,
    reductions, resize, shapes, unpooling,
};

/// Builds a node.
pub(super) type Handler = fn(&mut Node<'_, '_, '_>) -> Outcome<Vec<Held>>;

/// The function that builds this operator's nodes.
pub(super) fn handler(operator: &str) -> Option<Handler> {
    Some(match operator {
        "Celu" | "Elu" | "Gelu" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Mish" | "Relu" | "Selu"
        | "Sigmoid" | "Softplus" | "Softsign" | "Swish" | "Tanh" => activations::function,
        "Clip" => activations::clip,
        "PRelu" => activations::prelu,
        "Softmax" | "LogSoftmax" => activations::softmax,
        "Dropout" => activations::dropout,

        "Add" | "Div" | "Mul" | "Sub" => arithmetic::binary,
        "Abs" | "Erf" | "Exp" | "Log" | "Neg" | "Reciprocal" | "Sqrt" => arithmetic::unary,
        "Max" | "Mean" | "Min" | "Sum" => arithmetic::variadic,
        "Pow" => arithmetic::power,

        "Conv" => convolution::convolution,
        "ConvTranspose" => convolution::transposed,

        "And" | "Not" | "Or" | "Xor" => logic::logic,
        "Ceil" | "Floor" | "Round" | "Sign" => logic::round,
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" => logic::compare,
        "IsInf" | "IsNaN" => logic::classify,
        "Shrink" | "ThresholdedRelu" => logic::shrink,
        "Where" => logic::choose,

        "BatchNormalization" => normalization::batch,
        "GroupNormalization" => normalization::group,
        "InstanceNormalization" => normalization::instance,
        "LayerNormalization" => normalization::layer,
        "LpNormalization" => normalization::lp,
        "LRN" => normalization::local_response,
        "MeanVarianceNormalization" => normalization::mean_variance,
        "RMSNormalization" => normalization::rms,

        "Concat" => parts::concatenate,
        "Gather" => parts::gather,
        "Pad" => parts::pad,
        "Slice" => parts::slice,
        "Split" => parts::split,

        "AveragePool" => pooling::average,
        "GlobalAveragePool" | "GlobalLpPool" | "GlobalMaxPool" => pooling::global,
        "LpPool" => pooling::lp,
        "MaxPool" => pooling::max,
        "MaxUnpool" => unpooling::max,

        "Gemm" => products::gemm,
        "MatMul" => products::matmul,

        "DequantizeLinear" | "QuantizeLinear" => quantized::linear,

        "ArgMax" | "ArgMin" => reductions::extreme_index,
        "ReduceL1" | "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean"
        | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" => reductions::reduce,

        "Resize" => resize::resize,
        "Upsample" => resize::upsample,

        "Cast" | "CastLike" => shapes::cast,
        "DepthToSpace" => shapes::depth_to_space,
        "Expand" => shapes::expand,
        "Flatten" => shapes::flatten,
        "Identity" => shapes::identity,
        "Reshape" => shapes::reshape,
        "SpaceToDepth" => shapes::space_to_depth,
        "Squeeze" => shapes::squeeze,
        "Tile" => shapes::tile,
        "Transpose" => shapes::transpose,
        "Unsqueeze" => shapes::unsqueeze,
        _ => return None,
    })
}
