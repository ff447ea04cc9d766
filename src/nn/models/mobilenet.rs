//! MobileNetV2.

use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{BatchNorm, Conv2d, Dropout, Flatten, GlobalAvgPool2d, Linear, Parallel, Relu6, Sequential};

/// Expansion, channels, number of blocks and first stride of each stage: the paper's table 2.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// Channels before and after the stages.
const FIRST: usize = 32;
const LAST: usize = 1280;

/// MobileNetV2 of Sandler, Howard, Zhu, Zhmoginov and Chen (2018), "MobileNetV2: inverted residuals and
/// linear bottlenecks", of width 1: 3,504,872 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w] of any size; 224 x 224 in the paper. Names and initial values are
/// torchvision's: `features.0.0.weight`, `features.1.conv.0.0.weight`, `classifier.1.weight`.
pub fn mobilenet_v2(inputs: usize, classes: usize) -> Sequential {
    let mut features = Sequential::new().push(convolution(inputs, FIRST, 3, 2, 1));
    let mut from = FIRST;
    for (expansion, to, blocks, stride) in STAGES {
        for block in 0..blocks {
            features =
                features.push(inverted_residual(from, to, expansion, if block == 0 { stride } else { 1 }));
            from = to;
        }
    }
    let linear =
        Linear::new(LAST, classes).init(Init::Normal { mean: 0.0, std: 0.01 }).bias_init(Init::Constant(0.0));
    let classifier = Sequential::new().push(Dropout::new(0.2)).push(linear);
    Sequential::new()
        .add("features", features.push(convolution(from, LAST, 1, 1, 1)))
        .add("avgpool", GlobalAvgPool2d)
        .add("flatten", Flatten)
        .add("classifier", classifier)
}

/// A 1x1 convolution to more channels, a depthwise 3x3 one, and a 1x1 one to fewer channels without an
/// activation. If the shape does not change, the input is added.
fn inverted_residual(inputs: usize, outputs: usize, expansion: usize, stride: usize) -> Parallel {
    let hidden = inputs * expansion;
    let expand = match expansion {
        1 => Sequential::new(),
        _ => Sequential::new().push(convolution(inputs, hidden, 1, 1, 1)),
    };
    let conv = expand
        .push(convolution(hidden, hidden, 3, stride, hidden))
        .push(bare(Conv2d::new(hidden, outputs, [1, 1])))
        .push(BatchNorm::new(outputs));
    let block = Parallel::sum().add("conv", conv);
    if stride == 1 && inputs == outputs { block.identity() } else { block }
}

/// A convolution without a bias, with torchvision's initial values.
fn bare(convolution: Conv2d) -> Conv2d {
    convolution.bias(false).init(Init::kaiming_normal(Fan::Out, Nonlinearity::Relu))
}

/// A convolution with padding for the same size (before its stride), batch norm and ReLU6.
fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, groups: usize) -> Sequential {
    let convolution =
        Conv2d::new(inputs, outputs, [kernel; 2]).stride([stride; 2]).padding([kernel / 2; 2]).groups(groups);
    Sequential::new().push(bare(convolution)).push(BatchNorm::new(outputs)).push(Relu6)
}
