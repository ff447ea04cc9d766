//! VGG networks.

use crate::graph::{Fan, Init, Nonlinearity};
use crate::nn::{
    AdaptiveAvgPool2d, BatchNorm, Conv2d, Dropout, Flatten, Linear, MaxPool2d, Relu, Sequential,
};

/// Channels of the convolutions before each pooling: configurations A and D of the paper's table 1.
const A: [&[usize]; 5] = [&[64], &[128], &[256, 256], &[512, 512], &[512, 512]];
const D: [&[usize]; 5] = [&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];

/// Height and width of the linear layers' input.
const PLANE: usize = 7;

/// VGG-11 of Simonyan and Zisserman (2014), "Very deep convolutional networks for large-scale image
/// recognition", configuration A: 132,863,336 parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w], at least 32 x 32; 224 x 224 in the paper. The convolutions' output is
/// averaged to 7 x 7, as in torchvision. Names and initial values are torchvision's: `features.0.weight`,
/// `classifier.6.bias`.
///
/// The first linear layer's weight is one tensor of 411 MB. The adapter has to bind more than the 128 MiB
/// that WebGPU guarantees.
pub fn vgg11(inputs: usize, classes: usize) -> Sequential {
    vgg(A, false, inputs, classes)
}

/// [`vgg11`] with batch norm after each convolution: 132,868,840 parameters.
pub fn vgg11_bn(inputs: usize, classes: usize) -> Sequential {
    vgg(A, true, inputs, classes)
}

/// VGG-16, the paper's configuration D: like [`vgg11`], with 138,357,544 parameters.
pub fn vgg16(inputs: usize, classes: usize) -> Sequential {
    vgg(D, false, inputs, classes)
}

/// [`vgg16`] with batch norm after each convolution: 138,365,992 parameters.
pub fn vgg16_bn(inputs: usize, classes: usize) -> Sequential {
    vgg(D, true, inputs, classes)
}

fn vgg(stages: [&[usize]; 5], batch_norm: bool, inputs: usize, classes: usize) -> Sequential {
    let mut features = Sequential::new();
    let mut from = inputs;
    for widths in stages {
        for &width in widths {
            let convolution = Conv2d::new(from, width, [3, 3])
                .padding([1, 1])
                .init(Init::kaiming_normal(Fan::Out, Nonlinearity::Relu))
                .bias_init(Init::Constant(0.0));
            features = features.push(convolution);
            if batch_norm {
                features = features.push(BatchNorm::new(width));
            }
            features = features.push(Relu);
            from = width;
        }
        features = features.push(MaxPool2d::new([2, 2]));
    }
    let linear = |inputs, outputs| {
        Linear::new(inputs, outputs)
            .init(Init::Normal { mean: 0.0, std: 0.01 })
            .bias_init(Init::Constant(0.0))
    };
    let classifier = Sequential::new()
        .push(linear(from * PLANE * PLANE, 4096))
        .push(Relu)
        .push(Dropout::new(0.5))
        .push(linear(4096, 4096))
        .push(Relu)
        .push(Dropout::new(0.5))
        .push(linear(4096, classes));
    Sequential::new()
        .add("features", features)
        .add("avgpool", AdaptiveAvgPool2d::new([PLANE, PLANE]))
        .add("flatten", Flatten)
        .add("classifier", classifier)
}
