//! EfficientNet-B0.

use super::squeeze_excitation::squeeze_excitation;
use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{
    BatchNorm, Conv2d, Dropout, Flatten, GlobalAvgPool2d, Linear, Parallel, Sequential, Silu, StochasticDepth,
};

/// Expansion, kernel, first stride, channels and number of blocks of each stage: the paper's table 1.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// Channels before and after the stages.
const FIRST: usize = 32;
const LAST: usize = 1280;

/// Blocks of all stages.
const BLOCKS: usize = 16;

/// Probability of dropping the block behind the last one; it rises from 0 at the first.
const DEPTH_P: f64 = 0.2;

/// EfficientNet-B0 of Tan and Le (2019), "EfficientNet: rethinking model scaling for convolutional neural
/// networks": 5,288,548 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w] of any size; 224 x 224 in the paper. Names, initial values and stochastic
/// depth are torchvision's: `features.0.0.weight`, `features.2.0.block.2.fc1.weight`, `classifier.1.weight`.
pub fn efficientnet_b0(inputs: usize, classes: usize) -> Sequential {
    let mut features = Sequential::new().push(convolution(inputs, FIRST, 3, 2, 1).push(Silu));
    let (mut from, mut number) = (FIRST, 0);
    for (expansion, kernel, stride, to, blocks) in STAGES {
        let mut stage = Sequential::new();
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            let p = DEPTH_P * number as f64 / BLOCKS as f64;
            stage = stage.push(mb_conv([from, to], expansion, kernel, stride, p));
            (from, number) = (to, number + 1);
        }
        features = features.push(stage);
    }
    // With no classes the graph refuses the weight.
    let bound = 1.0 / (classes.max(1) as f64).sqrt();
    let linear = Linear::new(LAST, classes).init(Init::Uniform(bound as f32)).bias_init(Init::Constant(0.0));
    Sequential::new()
        .add("features", features.push(convolution(from, LAST, 1, 1, 1).push(Silu)))
        .add("avgpool", GlobalAvgPool2d)
        .add("flatten", Flatten)
        .add("classifier", Sequential::new().push(Dropout::new(0.2)).push(linear))
}

/// A 1x1 convolution to more channels, a depthwise one, squeeze and excitation, and a 1x1 convolution to fewer
/// channels without an activation. If the shape does not change, the input is added.
fn mb_conv([from, to]: [usize; 2], expansion: usize, kernel: usize, stride: usize, p: f64) -> Sequential {
    let hidden = from * expansion;
    let expand = match expansion {
        1 => Sequential::new(),
        _ => Sequential::new().push(convolution(from, hidden, 1, 1, 1).push(Silu)),
    };
    let squeezed = from / 4;
    let (fc1, fc2) = (Conv2d::new(hidden, squeezed, [1, 1]), Conv2d::new(squeezed, hidden, [1, 1]));
    let block = expand
        .push(convolution(hidden, hidden, kernel, stride, hidden).push(Silu))
        .push(squeeze_excitation(initialised(fc1), Silu, initialised(fc2)))
        .push(convolution(hidden, to, 1, 1, 1));
    let block = Sequential::new().add("block", block);
    if stride == 1 && from == to {
        let block = block.add("stochastic_depth", StochasticDepth::new(p));
        Sequential::new().inline(Parallel::sum().inline(block).identity())
    } else {
        block
    }
}

/// A convolution with torchvision's initial values.
fn initialised(convolution: Conv2d) -> Conv2d {
    convolution.init(Init::kaiming_normal(Fan::Out, Nonlinearity::Relu)).bias_init(Init::Constant(0.0))
}

/// A convolution with padding for the same size (before its stride), and batch norm.
fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, groups: usize) -> Sequential {
    let convolution =
        Conv2d::new(inputs, outputs, [kernel; 2]).stride([stride; 2]).padding([kernel / 2; 2]).groups(groups);
    Sequential::new().push(initialised(convolution.bias(false))).push(BatchNorm::new(outputs))
}
