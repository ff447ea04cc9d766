//! Residual networks.

use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{BatchNorm, Conv2d, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, Parallel, Relu, Sequential};

/// ResNet-18 of He, Zhang, Ren and Sun (2015), "Deep residual learning for image recognition":
/// 11,689,512 parameters for three channels and a thousand classes.
pub fn resnet18(inputs: usize, classes: usize) -> Sequential {
    ResNet::basic([2, 2, 2, 2]).build(inputs, classes)
}

/// ResNet-34: 21,797,672 parameters for three channels and a thousand classes.
pub fn resnet34(inputs: usize, classes: usize) -> Sequential {
    ResNet::basic([3, 4, 6, 3]).build(inputs, classes)
}

/// ResNet-50: 25,557,032 parameters for three channels and a thousand classes.
pub fn resnet50(inputs: usize, classes: usize) -> Sequential {
    ResNet::bottleneck([3, 4, 6, 3]).build(inputs, classes)
}

/// Settings of a residual network.
///
/// Images are \[n, inputs, h, w] of any size. The network is a 7x7 convolution and max pooling, each of
/// stride 2; four stages of blocks, where the last three stages begin with stride 2; the mean of each
/// channel; a linear layer. Names and initial values are torchvision's: `layer2.0.conv1.weight`,
/// `layer2.0.downsample.0.weight`, `fc.bias`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResNet {
    blocks: [usize; 4],
    width: usize,
    bottleneck: bool,
}

impl ResNet {
    /// Blocks of two 3x3 convolutions. `blocks` is the number of blocks in each stage.
    pub fn basic(blocks: [usize; 4]) -> Self {
        ResNet { blocks, width: 64, bottleneck: false }
    }

    /// Blocks of a 1x1, a 3x3 and a 1x1 convolution, where the last has four times the channels. The 3x3
    /// convolution has the stage's stride, as in torchvision; in the paper the first 1x1 has it.
    pub fn bottleneck(blocks: [usize; 4]) -> Self {
        ResNet { blocks, width: 64, bottleneck: true }
    }

    /// Sets the channels of the first stage's 3x3 convolutions, 64 by default. Each further stage doubles
    /// them.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Builds the network, from `inputs` channels to logits of `classes` classes.
    pub fn build(&self, inputs: usize, classes: usize) -> Sequential {
        let mut net = Sequential::new()
            .add("conv1", convolution(inputs, self.width, 7, 2))
            .add("bn1", BatchNorm::new(self.width))
            .add("relu", Relu)
            .add("maxpool", MaxPool2d::new([3, 3]).stride([2, 2]).padding([1, 1]));
        let mut from = self.width;
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            let width = self.width.saturating_mul(1 << stage);
            let mut layer = Sequential::new();
            for block in 0..blocks {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                layer = layer.push(self.block(from, width, stride));
                from = self.outputs(width);
            }
            net = net.add(format!("layer{}", stage + 1), layer);
        }
        net.add("avgpool", GlobalAvgPool2d).add("flatten", Flatten).add("fc", Linear::new(from, classes))
    }

    /// Output channels of a block whose 3x3 convolution has `width` channels.
    fn outputs(&self, width: usize) -> usize {
        if self.bottleneck { width.saturating_mul(4) } else { width }
    }

    /// The convolutions plus the input, then ReLU. If the shape changes, the input goes through a 1x1
    /// convolution first.
    fn block(&self, inputs: usize, width: usize, stride: usize) -> Sequential {
        let outputs = self.outputs(width);
        let main = if self.bottleneck {
            Sequential::new()
                .add("conv1", convolution(inputs, width, 1, 1))
                .add("bn1", BatchNorm::new(width))
                .add("relu1", Relu)
                .add("conv2", convolution(width, width, 3, stride))
                .add("bn2", BatchNorm::new(width))
                .add("relu2", Relu)
                .add("conv3", convolution(width, outputs, 1, 1))
                .add("bn3", BatchNorm::new(outputs))
        } else {
            Sequential::new()
                .add("conv1", convolution(inputs, width, 3, stride))
                .add("bn1", BatchNorm::new(width))
                .add("relu1", Relu)
                .add("conv2", convolution(width, outputs, 3, 1))
                .add("bn2", BatchNorm::new(outputs))
        };
        let sum = Parallel::sum().inline(main);
        let sum = if inputs == outputs && stride == 1 {
            sum.identity()
        } else {
            let shortcut =
                Sequential::new().push(convolution(inputs, outputs, 1, stride)).push(BatchNorm::new(outputs));
            sum.add("downsample", shortcut)
        };
        Sequential::new().inline(sum).add("relu", Relu)
    }
}

/// A convolution with padding for the same size (before its stride), with torchvision's initial values.
fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Conv2d {
    Conv2d::new(inputs, outputs, [kernel; 2])
        .stride([stride; 2])
        .padding([kernel / 2; 2])
        .bias(false)
        .init(Init::kaiming_normal(Fan::Out, Nonlinearity::Relu))
}
