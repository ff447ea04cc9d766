//! RegNet.

use super::squeeze_excitation::squeeze_excitation;
use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, Parallel, Relu, Sequential};

/// Channels and number of blocks of each stage.
const STAGES: [(usize, usize); 4] = [(48, 1), (104, 3), (208, 6), (440, 6)];

/// Channels in front of the stages.
const FIRST: usize = 32;

/// Channels of a group in the 3x3 convolutions.
const GROUP: usize = 8;

/// RegNetY-400MF of Radosavovic, Kosaraju, Girshick, He and Dollár (2020), "Designing network design spaces":
/// 4,344,144 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w] of any size; 224 x 224 in the paper. Names and initial values are torchvision's:
/// `stem.0.weight`, `trunk_output.block1.block1-0.f.se.fc1.weight`, `fc.bias`.
pub fn regnet_y_400mf(inputs: usize, classes: usize) -> Sequential {
    let mut trunk = Sequential::new();
    let mut from = FIRST;
    for (number, (to, blocks)) in (1..).zip(STAGES) {
        let mut stage = Sequential::new();
        for index in 0..blocks {
            stage =
                stage.add(format!("block{number}-{index}"), block(from, to, if index == 0 { 2 } else { 1 }));
            from = to;
        }
        trunk = trunk.add(format!("block{number}"), stage);
    }
    let fc =
        Linear::new(from, classes).init(Init::Normal { mean: 0.0, std: 0.01 }).bias_init(Init::Constant(0.0));
    Sequential::new()
        .add("stem", convolution(inputs, FIRST, 3, 2, 1).push(Relu))
        .add("trunk_output", trunk)
        .add("avgpool", GlobalAvgPool2d)
        .add("flatten", Flatten)
        .add("fc", fc)
}

/// A 1x1 convolution, a 3x3 one of groups, squeeze and excitation, and a 1x1 convolution, plus the input; then ReLU.
/// If the shape changes, the input goes through a 1x1 convolution first.
fn block(inputs: usize, outputs: usize, stride: usize) -> Sequential {
    // The paper takes a quarter of the block's input. All of these are multiples of 8, so nothing is rounded.
    let squeezed = inputs / 4;
    let fc1 = initialised(Conv2d::new(outputs, squeezed, [1, 1]));
    let fc2 = initialised(Conv2d::new(squeezed, outputs, [1, 1]));
    let main = Sequential::new()
        .add("a", convolution(inputs, outputs, 1, 1, 1).push(Relu))
        .add("b", convolution(outputs, outputs, 3, stride, outputs / GROUP).push(Relu))
        .add("se", squeeze_excitation(fc1, Relu, fc2))
        .add("c", convolution(outputs, outputs, 1, 1, 1));
    let sum = if inputs == outputs && stride == 1 {
        Parallel::sum().identity()
    } else {
        Parallel::sum().add("proj", convolution(inputs, outputs, 1, stride, 1))
    };
    Sequential::new().inline(sum.add("f", main)).add("activation", Relu)
}

/// A convolution with torchvision's initial weight; a bias keeps PyTorch's.
fn initialised(convolution: Conv2d) -> Conv2d {
    convolution.init(Init::kaiming_normal(Fan::Out, Nonlinearity::Relu))
}

/// A convolution with padding for the same size (before its stride), and batch norm.
fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize, groups: usize) -> Sequential {
    let convolution =
        Conv2d::new(inputs, outputs, [kernel; 2]).stride([stride; 2]).padding([kernel / 2; 2]).groups(groups);
    Sequential::new().push(initialised(convolution.bias(false))).push(BatchNorm::new(outputs))
}
