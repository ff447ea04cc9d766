//! U-Net.

use crate::nn::{BatchNorm, Conv2d, ConvTranspose2d, MaxPool2d, Parallel, Relu, Sequential};

/// How often the image is halved.
const DEPTH: usize = 4;

/// U-Net of Ronneberger, Fischer and Brox (2015), "U-Net: convolutional networks for biomedical image
/// segmentation", in the variant of Buda, Saha and Mazurowski (2019): padded, so that the output is as large
/// as the input, with batch norm, and with `width` channels in the first stage.
///
/// Images are \[n, inputs, h, w], h and w multiples of 16; the output is logits \[n, classes, h, w], without
/// a sigmoid. 7,763,041 parameters for three channels, one class and width 32, with names such as
/// `encoder1.enc1conv1.weight`, `upconv4.bias` and `conv.weight`, and the initial values of PyTorch's layers.
pub fn unet(inputs: usize, classes: usize, width: usize) -> Sequential {
    let channels = |stage: usize| match stage {
        0 => inputs,
        _ => width.saturating_mul(1 << (stage - 1)),
    };
    // Built from the bottom up: each stage wraps the stages below.
    let mut below =
        Sequential::new().add("bottleneck", convolutions("bottleneck", channels(DEPTH), channels(DEPTH + 1)));
    for stage in (1..=DEPTH).rev() {
        let here = channels(stage);
        let through =
            Sequential::new().add(format!("pool{stage}"), MaxPool2d::new([2, 2])).inline(below).add(
                format!("upconv{stage}"),
                ConvTranspose2d::new(channels(stage + 1), here, [2, 2]).stride([2, 2]),
            );
        below = Sequential::new()
            .add(format!("encoder{stage}"), convolutions(&format!("enc{stage}"), channels(stage - 1), here))
            .inline(Parallel::concatenate(1).inline(through).identity())
            .add(
                format!("decoder{stage}"),
                convolutions(&format!("dec{stage}"), here.saturating_mul(2), here),
            );
    }
    below.add("conv", Conv2d::new(width, classes, [1, 1]))
}

/// Two 3x3 convolutions, each with batch norm and ReLU.
fn convolutions(name: &str, inputs: usize, outputs: usize) -> Sequential {
    let mut from = inputs;
    let mut layers = Sequential::new();
    for index in 1..=2 {
        layers = layers
            .add(format!("{name}conv{index}"), Conv2d::new(from, outputs, [3, 3]).padding([1, 1]).bias(false))
            .add(format!("{name}norm{index}"), BatchNorm::new(outputs))
            .add(format!("{name}relu{index}"), Relu);
        from = outputs;
    }
    layers
}
