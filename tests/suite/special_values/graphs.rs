//! Builds the fixture's cases as graphs: one operator of PyTorch each, with the case's attributes.

use crate::harness::fixture::Fixture;
use serde_json::Value as Json;
use wgrad::graph::Mode;
use wgrad::ops::batch_norm::{Momentum, Running};
use wgrad::ops::conv2d::{Conv2dOptions, ConvTranspose2dOptions};
use wgrad::ops::local_response_norm::LocalResponseNormOptions;
use wgrad::ops::losses::{
    BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, HuberOptions, KlDivOptions, L1Options,
    MseOptions, NllOptions, Reduction, SmoothL1Options, TripletMarginOptions,
};
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions};
use wgrad::ops::upsample::Resize;
use wgrad::{Graph, Result, Value};

/// The output of a case's operator. Inputs of whole numbers come behind the others.
pub fn build(graph: &mut Graph, case: &Fixture, x: &[Value]) -> Result<Value> {
    let number = case.number("number", f64::NAN) as f32;
    let bound = |name: &str| case.attributes[name].as_f64().map(|bound| bound as f32);
    match case.attributes["op"].as_str().expect("every case names its operator") {
        "relu" => graph.relu(x[0]),
        "leaky_relu" => graph.leaky_relu(x[0], number),
        "elu" => graph.elu(x[0], number),
        "selu" => graph.selu(x[0]),
        "gelu" => graph.gelu(x[0]),
        "gelu_tanh" => graph.gelu_tanh(x[0]),
        "silu" => graph.silu(x[0]),
        "mish" => graph.mish(x[0]),
        "softplus" => {
            graph.softplus(x[0], case.number("beta", 1.0) as f32, case.number("threshold", 20.0) as f32)
        }
        "sigmoid" => graph.sigmoid(x[0]),
        "tanh" => graph.tanh(x[0]),
        "hard_sigmoid" => graph.hard_sigmoid(x[0]),
        "hard_swish" => graph.hard_swish(x[0]),
        "hard_tanh" => graph.hard_tanh(x[0], bound("low").unwrap_or(-1.0), bound("high").unwrap_or(1.0)),
        "relu6" => graph.relu6(x[0]),
        "erf" => graph.erf(x[0]),
        "exp" => graph.exp(x[0]),
        "log" => graph.log(x[0]),
        "sqrt" => graph.sqrt(x[0]),
        "abs" => graph.abs(x[0]),
        "sign" => graph.sign(x[0]),
        "floor" => graph.floor(x[0]),
        "ceil" => graph.ceil(x[0]),
        "round" => graph.round(x[0]),
        "is_nan" => graph.is_nan(x[0]),
        "is_inf" => graph.is_inf(x[0]),
        "neg" => graph.neg(x[0]),
        "scale" => graph.scale(x[0], number),
        "shift" => graph.shift(x[0], number),
        "pow" => graph.pow(x[0], number),
        "clamp" => graph.clamp(x[0], bound("low"), bound("high")),
        "add" => graph.add(x[0], x[1]),
        "sub" => graph.sub(x[0], x[1]),
        "mul" => graph.mul(x[0], x[1]),
        "div" => graph.div(x[0], x[1]),
        "maximum" => graph.maximum(x[0], x[1]),
        "minimum" => graph.minimum(x[0], x[1]),
        "eq" => graph.eq(x[0], x[1]),
        "ne" => graph.ne(x[0], x[1]),
        "lt" => graph.lt(x[0], x[1]),
        "le" => graph.le(x[0], x[1]),
        "gt" => graph.gt(x[0], x[1]),
        "ge" => graph.ge(x[0], x[1]),
        "where" => graph.where_(x[0], x[1], x[2]),
        "prelu" => graph.prelu(x[0], x[1]),
        op if op.ends_with("_loss") => loss(graph, case, op, x),
        op if op.contains("pool") => pool(graph, case, op, x),
        "vector_norm" => graph.vector_norm(x[0], case.number("number", f64::INFINITY) as f32, &[1], false),
        op if op.contains("norm") => norm(graph, op, x),
        op => along_axes(graph, case, op, x),
    }
}

fn reduction(case: &Fixture) -> Reduction {
    match case.attributes["reduction"].as_str() {
        Some("mean") => Reduction::Mean,
        Some("sum") => Reduction::Sum,
        _ => Reduction::None,
    }
}

fn loss(graph: &mut Graph, case: &Fixture, op: &str, x: &[Value]) -> Result<Value> {
    let number = case.number("number", f64::NAN) as f32;
    let reduction = reduction(case);
    let kl_div = || match case.attributes["reduction"].as_str() {
        Some("batchmean") => KlDivOptions::new().batch_mean(),
        _ => KlDivOptions::new().reduction(reduction),
    };
    match op {
        "mse_loss" => graph.mse_loss_with(x[0], x[1], MseOptions::new().reduction(reduction)),
        "l1_loss" => graph.l1_loss_with(x[0], x[1], L1Options::new().reduction(reduction)),
        "smooth_l1_loss" => {
            let options = SmoothL1Options::new().beta(number).reduction(reduction);
            graph.smooth_l1_loss_with(x[0], x[1], options)
        }
        "huber_loss" => {
            graph.huber_loss_with(x[0], x[1], HuberOptions::new().delta(number).reduction(reduction))
        }
        "kl_div_loss" => graph.kl_div_loss_with(x[0], x[1], kl_div()),
        "kl_div_log_loss" => graph.kl_div_loss_with(x[0], x[1], kl_div().log_target(true)),
        "bce_with_logits_loss" => {
            let options = BceWithLogitsOptions::new().pos_weight(x.get(2).copied()).reduction(reduction);
            graph.bce_with_logits_loss_with(x[0], x[1], options)
        }
        "nll_loss" => graph.nll_loss_with(x[0], x[1], NllOptions::new().reduction(reduction)),
        "triplet_margin_loss" => {
            let options = TripletMarginOptions::new()
                .p(case.number("p", 2.0) as f32)
                .eps(case.number("eps", 0.0) as f32)
                .swap(case.attributes["swap"] == true)
                .reduction(Reduction::None);
            graph.triplet_margin_loss_with(x[0], x[1], x[2], options)
        }
        "cosine_embedding_loss" => {
            let options = CosineEmbeddingOptions::new().margin(0.1).reduction(Reduction::None);
            graph.cosine_embedding_loss_with(x[0], x[1], x[2], options)
        }
        other => panic!("no loss for {other} of {}", case.name),
    }
}

fn pool(graph: &mut Graph, case: &Fixture, op: &str, x: &[Value]) -> Result<Value> {
    let two = MaxPool2dOptions::new([2, 2]);
    let pair = |name: &str| case.pair(name);
    let ceil = case.attributes["ceil"] == true;
    match op {
        "max_pool2d" => {
            let windows =
                MaxPool2dOptions::new(pair("kernel")).stride(pair("stride")).padding(pair("padding"));
            graph.max_pool2d(x[0], windows.dilation(pair("dilation")).ceil_mode(ceil))
        }
        "avg_pool2d" => {
            assert_eq!(pair("dilation"), [1, 1]);
            let windows =
                AvgPool2dOptions::new(pair("kernel")).stride(pair("stride")).padding(pair("padding"));
            graph.avg_pool2d(x[0], windows.ceil_mode(ceil))
        }
        "adaptive_max_pool2d" => graph.adaptive_max_pool2d(x[0], case.pair("output")),
        "adaptive_avg_pool2d" => graph.adaptive_avg_pool2d(x[0], case.pair("output")),
        "lp_pool2d" => {
            let p = case.number("number", f64::NAN) as f32;
            graph.lp_pool2d(x[0], p, LpPool2dOptions::new([2, 2]))
        }
        "max_unpool2d" => {
            let shape = graph.shape(x[0])?.clone();
            let (y, indices) = graph.max_pool2d_with_indices(x[0], two)?;
            graph.max_unpool2d(y, &indices, [shape[2], shape[3]])
        }
        "relu_pool" => {
            let y = graph.relu(x[0])?;
            graph.max_pool2d(y, two)
        }
        "batch_norm_pool" => {
            let y = graph.batch_norm(x[0], Some([x[1], x[2]]), None, 1e-5, Mode::Train)?;
            let y = graph.relu(y)?;
            graph.max_pool2d(y, two)
        }
        other => panic!("no pooling for {other} of {}", case.name),
    }
}

fn norm(graph: &mut Graph, op: &str, x: &[Value]) -> Result<Value> {
    let [weight, bias] = [1, 2].map(|i| x.get(i).copied());
    match op {
        "batch_norm" => graph.batch_norm(x[0], Some([x[1], x[2]]), None, 1e-5, Mode::Train),
        "batch_norm_eval" => {
            let &[.., mean, variance] = x else { panic!("there are running statistics") };
            let affine = (x.len() > 3).then(|| [x[1], x[2]]);
            let running = Running { mean, variance, momentum: Momentum::Share(0.1) };
            graph.batch_norm(x[0], affine, Some(running), 1e-5, Mode::Eval)
        }
        "layer_norm" => graph.layer_norm(x[0], [6], weight, bias, 1e-5),
        "group_norm" => graph.group_norm(x[0], 2, weight, bias, 1e-5),
        "instance_norm" => graph.instance_norm(x[0], weight, bias, 1e-5),
        "local_response_norm" => graph.local_response_norm(x[0], LocalResponseNormOptions::new(3).alpha(0.5)),
        other => panic!("no normalisation is called {other}"),
    }
}

fn along_axes(graph: &mut Graph, case: &Fixture, op: &str, x: &[Value]) -> Result<Value> {
    let axes: Vec<usize> = match &case.attributes["axes"] {
        Json::Array(axes) => axes.iter().map(|axis| axis.as_u64().expect("axes count") as usize).collect(),
        _ => Vec::new(),
    };
    let size = |name: &str, default: f64| [case.number(name, default) as usize; 2];
    let (stride, padding) = (size("stride", 1.0), size("padding", 0.0));
    let groups = case.number("groups", 1.0) as usize;
    match op {
        "cross_entropy" => {
            let options = CrossEntropyOptions::new()
                .weight((x.len() > 2).then(|| x[1]))
                .reduction(reduction(case))
                .label_smoothing(case.number("smoothing", 0.0) as f32);
            let labels = *x.last().expect("labels come last");
            graph.cross_entropy_with(x[0], labels, options)
        }
        "softmax" => graph.softmax(x[0], 1),
        "log_softmax" => graph.log_softmax(x[0], 1),
        "sum" => graph.sum(x[0], &axes, false),
        "mean" => graph.mean(x[0], &axes, false),
        "max" => graph.max(x[0], &axes, false),
        "min" => graph.min(x[0], &axes, false),
        "variance" => graph.variance(x[0], &axes, 1, false),
        "argmax" => graph.argmax(x[0], Some(1), false),
        "argmin" => graph.argmin(x[0], Some(1), false),
        "correct_predictions" => graph.correct_predictions(x[0], x[1]),
        "nearest" => graph.upsample_nearest2d(x[0], Resize::Size(case.pair("size"))),
        "bilinear" => {
            let corners = case.attributes["corners"] == true;
            graph.upsample_bilinear2d(x[0], Resize::Size(case.pair("size")), corners)
        }
        "permute" => graph.permute(x[0], [3, 0, 2, 1]),
        "reshape" => graph.reshape(x[0], [6, 4]),
        "expand" => graph.expand(x[0], [2, 2, 3, 4]),
        "slice" => graph.slice(x[0], 3, 0..4, 2),
        "concatenate" => graph.concatenate(x, 1),
        "pad" => {
            let mode = match case.attributes["mode"].as_str() {
                Some("reflect") => PadMode::Reflect,
                Some("replicate") => PadMode::Replicate,
                Some("circular") => PadMode::Circular,
                _ => PadMode::Constant(0.0),
            };
            graph.pad(x[0], [[2, 1], [1, 2]], mode)
        }
        "embedding" => graph.embedding(x[0], x[1]),
        "matmul" => graph.matmul(x[0], x[1]),
        "linear" => graph.linear(x[0], x[1], Some(x[2])),
        "conv2d" => {
            let options = Conv2dOptions::new().stride(stride).padding(padding).groups(groups);
            graph.conv2d(x[0], x[1], Some(x[2]), options)
        }
        "conv_transpose2d" => {
            let options = ConvTranspose2dOptions::new().stride(stride).padding(padding).groups(groups);
            graph.conv_transpose2d(x[0], x[1], None, options)
        }
        other => panic!("no operator for {other} of {}", case.name),
    }
}
