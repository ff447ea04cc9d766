//! DenseNet-121.

use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{
    AvgPool2d, BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Parallel, Relu, Sequential,
};

/// Layers of each block: the paper's table 1.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];

/// Channels in front of the blocks, channels that a layer adds, and channels of its 1x1 convolution.
const FIRST: usize = 64;
const GROWTH: usize = 32;
const BOTTLENECK: usize = 4 * GROWTH;

/// DenseNet-121 of Huang, Liu, van der Maaten and Weinberger (2017), "Densely connected convolutional networks":
/// 7,978,856 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w], at least 29 x 29; 224 x 224 in the paper. Names and initial values are
/// torchvision's: `features.conv0.weight`, `features.denseblock1.denselayer1.norm1.weight`, `classifier.bias`. The
/// file on torchvision's page is older and has `norm.1` where its state dict has `norm1`; `docs/pytorch-weights.md`
/// loads it.
pub fn densenet121(inputs: usize, classes: usize) -> Sequential {
    let mut features = Sequential::new()
        .add("conv0", initialised(Conv2d::new(inputs, FIRST, [7, 7]).stride([2, 2]).padding([3, 3])))
        .add("norm0", BatchNorm::new(FIRST))
        .add("relu0", Relu)
        .add("pool0", MaxPool2d::new([3, 3]).stride([2, 2]).padding([1, 1]));
    let mut channels = FIRST;
    for (number, layers) in (1..).zip(BLOCKS) {
        features = features.add(format!("denseblock{number}"), dense_block(channels, layers));
        channels += layers * GROWTH;
        if number < BLOCKS.len() {
            features = features.add(format!("transition{number}"), transition(channels));
            channels /= 2;
        }
    }
    Sequential::new()
        .add("features", features.add("norm5", BatchNorm::new(channels)))
        .add("relu", Relu)
        .add("avgpool", GlobalAvgPool2d)
        .add("flatten", Flatten)
        .add("classifier", Linear::new(channels, classes).bias_init(Init::Constant(0.0)))
}

/// Layers that each take the block's input and the outputs of all layers before.
fn dense_block(inputs: usize, layers: usize) -> Sequential {
    let mut block = Sequential::new();
    for index in 0..layers {
        let layer = dense_layer(inputs + index * GROWTH);
        let name = format!("denselayer{}", index + 1);
        block = block.inline(Parallel::concatenate(1).identity().add(name, layer));
    }
    block
}

/// A 1x1 and a 3x3 convolution, each behind batch norm and ReLU.
fn dense_layer(inputs: usize) -> Sequential {
    Sequential::new()
        .add("norm1", BatchNorm::new(inputs))
        .add("relu1", Relu)
        .add("conv1", initialised(Conv2d::new(inputs, BOTTLENECK, [1, 1])))
        .add("norm2", BatchNorm::new(BOTTLENECK))
        .add("relu2", Relu)
        .add("conv2", initialised(Conv2d::new(BOTTLENECK, GROWTH, [3, 3]).padding([1, 1])))
}

/// Half the channels, height and width.
fn transition(channels: usize) -> Sequential {
    Sequential::new()
        .add("norm", BatchNorm::new(channels))
        .add("relu", Relu)
        .add("conv", initialised(Conv2d::new(channels, channels / 2, [1, 1])))
        .add("pool", AvgPool2d::new([2, 2]))
}

/// A convolution without a bias, with torchvision's initial values.
fn initialised(convolution: Conv2d) -> Conv2d {
    convolution.bias(false).init(Init::kaiming_normal(Fan::In, Nonlinearity::Relu))
}
