//! LeNet-5.

use crate::nn::{AvgPool2d, Conv2d, Flatten, Linear, Sequential, Tanh};

/// LeNet-5 of LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document
/// recognition", as it is built today: each map of the second convolution takes all maps of the first,
/// pooling has no coefficients, and the last layer is linear. Images are \[n, inputs, 28, 28], padded to the
/// paper's 32 x 32.
///
/// 61,706 parameters for one channel and ten classes, in `conv1`, `conv2`, `fc1`, `fc2` and `fc3`, with the
/// initial values of PyTorch's layers.
pub fn lenet5(inputs: usize, classes: usize) -> Sequential {
    Sequential::new()
        .add("conv1", Conv2d::new(inputs, 6, [5, 5]).padding([2, 2]))
        .add("tanh1", Tanh)
        .add("pool1", AvgPool2d::new([2, 2]))
        .add("conv2", Conv2d::new(6, 16, [5, 5]))
        .add("tanh2", Tanh)
        .add("pool2", AvgPool2d::new([2, 2]))
        .add("flatten", Flatten)
        .add("fc1", Linear::new(16 * 5 * 5, 120))
        .add("tanh3", Tanh)
        .add("fc2", Linear::new(120, 84))
        .add("tanh4", Tanh)
        .add("fc3", Linear::new(84, classes))
}
