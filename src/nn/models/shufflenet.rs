//! ShuffleNetV2.

use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use crate::nn::{
    BatchNorm, ChannelShuffle, Conv2d, Flatten, GlobalAvgPool2d, Layer, Linear, MaxPool2d, Parallel, Relu,
    Sequential,
};

/// Channels and number of units of each stage: the paper's table 5.
const STAGES: [(usize, usize); 3] = [(116, 4), (232, 8), (464, 4)];

/// Channels before and after the stages.
const FIRST: usize = 24;
const LAST: usize = 1024;

/// ShuffleNetV2 of Ma, Zhang, Zheng and Sun (2018), "ShuffleNet V2: practical guidelines for efficient CNN
/// architecture design", of width 1: 2,278,604 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w] of any size; 224 x 224 in the paper. Names are torchvision's, such as
/// `conv1.0.weight`, `stage2.0.branch1.0.weight` and `fc.bias`; initial values are those of PyTorch's layers.
pub fn shufflenet_v2_x1_0(inputs: usize, classes: usize) -> Sequential {
    let mut network = Sequential::new()
        .add("conv1", norm_relu(Sequential::new().push(square(inputs, FIRST, 2)), FIRST))
        .add("maxpool", MaxPool2d::new([3, 3]).stride([2, 2]).padding([1, 1]));
    let mut from = FIRST;
    for (number, (to, units)) in (2..).zip(STAGES) {
        let mut stage = Sequential::new().push(reduction(from, to));
        for _ in 1..units {
            stage = stage.push(unit(to));
        }
        network = network.add(format!("stage{number}"), stage);
        from = to;
    }
    network
        .add("conv5", norm_relu(Sequential::new().push(pointwise(from, LAST)), LAST))
        .add("avgpool", GlobalAvgPool2d)
        .add("flatten", Flatten)
        .add("fc", Linear::new(LAST, classes))
}

/// Half the channels pass as they are; figure 3c of the paper.
fn unit(channels: usize) -> Sequential {
    let half = channels / 2;
    let second = Sequential::new().inline(Half::Second).add("branch2", convolutions(half, half, 1));
    shuffled(Parallel::concatenate(1).inline(Half::First).inline(second))
}

/// Both branches take all channels and halve height and width; figure 3d of the paper.
fn reduction(inputs: usize, outputs: usize) -> Sequential {
    let half = outputs / 2;
    let branch1 = Sequential::new()
        .push(square(inputs, inputs, 2).groups(inputs))
        .push(BatchNorm::new(inputs))
        .push(pointwise(inputs, half));
    let branch2 = convolutions(inputs, half, 2);
    shuffled(Parallel::concatenate(1).add("branch1", norm_relu(branch1, half)).add("branch2", branch2))
}

/// Mixes the channels of both branches.
fn shuffled(branches: Parallel) -> Sequential {
    Sequential::new().inline(branches).inline(ChannelShuffle::new(2))
}

/// A 1x1, a depthwise 3x3 and a 1x1 convolution.
fn convolutions(inputs: usize, outputs: usize, stride: usize) -> Sequential {
    let layers = norm_relu(Sequential::new().push(pointwise(inputs, outputs)), outputs)
        .push(square(outputs, outputs, stride).groups(outputs))
        .push(BatchNorm::new(outputs))
        .push(pointwise(outputs, outputs));
    norm_relu(layers, outputs)
}

/// Appends batch norm and ReLU.
fn norm_relu(layers: Sequential, channels: usize) -> Sequential {
    layers.push(BatchNorm::new(channels)).push(Relu)
}

/// A 1x1 convolution.
fn pointwise(inputs: usize, outputs: usize) -> Conv2d {
    Conv2d::new(inputs, outputs, [1, 1]).bias(false)
}

/// A 3x3 convolution.
fn square(inputs: usize, outputs: usize, stride: usize) -> Conv2d {
    Conv2d::new(inputs, outputs, [3, 3]).stride([stride; 2]).padding([1, 1]).bias(false)
}

/// Half of an even number of channels.
#[derive(Debug)]
enum Half {
    First,
    Second,
}

impl Layer for Half {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        // Without channels, slice refuses the axis.
        let channels = g.shape(x)?.get(1).copied().unwrap_or(0);
        let half = match self {
            Half::First => 0..channels / 2,
            Half::Second => channels / 2..channels,
        };
        g.slice(x, 1, half, 1)
    }
}
