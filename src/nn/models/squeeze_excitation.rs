//! Squeeze and excitation.

use crate::nn::{Conv2d, GlobalAvgPool2d, Layer, Parallel, Sequential, Sigmoid};

/// Squeeze and excitation of Hu, Shen and Sun (2018), "Squeeze-and-excitation networks": each channel times a factor
/// from 0 to 1, which two 1x1 convolutions make from the means of all channels. Names are torchvision's. The networks
/// differ in initial values, so each brings its own convolutions.
pub(super) fn squeeze_excitation(fc1: Conv2d, activation: impl Layer + 'static, fc2: Conv2d) -> Parallel {
    let scale = Sequential::new()
        .add("avgpool", GlobalAvgPool2d)
        .add("fc1", fc1)
        .add("activation", activation)
        .add("fc2", fc2)
        .add("scale_activation", Sigmoid);
    Parallel::product().inline(scale).identity()
}
