//! ConvNeXt-T.

use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};
use crate::nn::{
    Conv2d, Flatten, Gelu, GlobalAvgPool2d, Layer, LayerNorm, Linear, Parallel, Permute, Sequential,
    StochasticDepth,
};

/// Channels and number of blocks of each stage.
const STAGES: [(usize, usize); 4] = [(96, 3), (192, 3), (384, 9), (768, 3)];

/// Blocks of all stages.
const BLOCKS: usize = 18;

/// Probability of dropping the last block; it rises from 0 at the first.
const DEPTH_P: f64 = 0.1;

/// Initial factor of each channel of a block.
const SCALE: f32 = 1e-6;

/// What layer norms add to the variance.
const EPS: f32 = 1e-6;

/// ConvNeXt-T of Liu, Mao, Wu, Feichtenhofer, Darrell and Xie (2022), "A ConvNet for the 2020s": 28,589,128
/// parameters for three channels and a thousand classes.
///
/// Images are \[n, inputs, h, w], at least 32 x 32; 224 x 224 in the paper. Names, initial values and stochastic depth
/// are torchvision's: `features.0.0.weight`, `features.1.0.layer_scale`, `features.1.0.block.3.weight`,
/// `classifier.2.bias`.
pub fn convnext_tiny(inputs: usize, classes: usize) -> Sequential {
    let mut from = STAGES[0].0;
    let patches = convolution(Conv2d::new(inputs, from, [4, 4]).stride([4, 4]));
    let mut features = Sequential::new().push(Sequential::new().push(patches).push(layer_norm(from)));
    let mut number = 0;
    for (channels, blocks) in STAGES {
        if channels != from {
            let halved = convolution(Conv2d::new(from, channels, [2, 2]).stride([2, 2]));
            features = features.push(Sequential::new().push(layer_norm(from)).push(halved));
            from = channels;
        }
        let mut stage = Sequential::new();
        for _ in 0..blocks {
            stage = stage.push(block(channels, DEPTH_P * number as f64 / (BLOCKS - 1) as f64));
            number += 1;
        }
        features = features.push(stage);
    }
    let classifier =
        Sequential::new().push(layer_norm(from)).push(Flatten).push(linear(Linear::new(from, classes)));
    Sequential::new().add("features", features).add("avgpool", GlobalAvgPool2d).add("classifier", classifier)
}

/// A depthwise 7x7 convolution, and two linear layers of each pixel, plus the input.
fn block(channels: usize, p: f64) -> Parallel {
    let hidden = 4 * channels;
    let depthwise = Conv2d::new(channels, channels, [7, 7]).padding([3, 3]).groups(channels);
    let block = Sequential::new()
        .push(convolution(depthwise))
        .push(Permute::new([0, 2, 3, 1]))
        .push(LayerNorm::new([channels]).eps(EPS))
        .push(linear(Linear::new(channels, hidden)))
        .push(Gelu)
        .push(linear(Linear::new(hidden, channels)))
        .push(Permute::new([0, 3, 1, 2]));
    let branch = Sequential::new()
        .add("block", block)
        .inline(LayerScale { channels, id: LayerId::new() })
        .add("stochastic_depth", StochasticDepth::new(p));
    Parallel::sum().inline(branch).identity()
}

/// Layer norm of each pixel's channels, torchvision's `LayerNorm2d`.
fn layer_norm(channels: usize) -> Sequential {
    Sequential::new()
        .inline(Permute::new([0, 2, 3, 1]))
        .inline(LayerNorm::new([channels]).eps(EPS))
        .inline(Permute::new([0, 3, 1, 2]))
}

/// A convolution with torchvision's initial values.
fn convolution(convolution: Conv2d) -> Conv2d {
    convolution.init(weight()).bias_init(Init::Constant(0.0))
}

/// A linear layer with torchvision's initial values.
fn linear(linear: Linear) -> Linear {
    linear.init(weight()).bias_init(Init::Constant(0.0))
}

/// The initial weight of convolutions and linear layers, with the bounds of PyTorch's `trunc_normal_`.
fn weight() -> Init {
    Init::TruncatedNormal { mean: 0.0, std: 0.02, low: -2.0, high: 2.0 }
}

/// A trained factor of each channel, `layer_scale`.
#[derive(Debug)]
struct LayerScale {
    channels: usize,
    id: LayerId,
}

impl Layer for LayerScale {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.layer(&self.id, |g| {
            let scale = g.parameter("layer_scale", [self.channels, 1, 1], Init::Constant(SCALE))?;
            g.mul(x, scale)
        })
    }
}
