//! Published networks written once more, as calls of the f64 reference on a state dict's tensors.

use std::collections::BTreeMap;
use wgrad::op::{Array, Operator};
use wgrad::ops::batch_norm::{BatchNorm, BatchNormEval};
use wgrad::ops::conv2d::Conv2d;
use wgrad::ops::linear::Linear;

/// The tensors of a network by name.
pub struct State(pub BTreeMap<String, Array>);

impl State {
    fn get(&self, layer: &str, tensor: &str) -> Option<&Array> {
        self.0.get(&format!("{layer}.{tensor}"))
    }

    /// A convolution padded by half its kernel, in as many groups as its weight makes of the input.
    fn conv(&self, layer: &str, x: &Array, stride: usize) -> Array {
        let weight = self.get(layer, "weight").expect("the convolution has a weight");
        let attributes = Conv2d::new()
            .stride([stride; 2])
            .padding([weight.shape[2] / 2; 2])
            .groups(x.shape[1] / weight.shape[1]);
        one(&attributes, &[Some(x), Some(weight), self.get(layer, "bias")])
    }

    /// Batch norm by the running statistics.
    fn norm(&self, layer: &str, x: &Array) -> Array {
        let tensor = |name| self.get(layer, name);
        let tensors = [tensor("weight"), tensor("bias"), tensor("running_mean"), tensor("running_var")];
        one(&BatchNormEval::from(BatchNorm::default()), &[&[Some(x)], &tensors[..]].concat())
    }

    fn linear(&self, layer: &str, x: &Array) -> Array {
        one(&Linear, &[Some(x), self.get(layer, "weight"), self.get(layer, "bias")])
    }
}

fn one(operator: &dyn Operator, inputs: &[Option<&Array>]) -> Array {
    operator.reference(&inputs.iter().flatten().copied().collect::<Vec<_>>()).remove(0)
}

fn relu(x: Array) -> Array {
    x.map(|x| x.max(0.0))
}

fn add(x: &Array, y: &Array) -> Array {
    x.zip(y, |x, y| x + y)
}

/// The largest of each window at every second pixel: from `before` pixels before it to one after it.
fn max_pool(x: &Array, before: usize) -> Array {
    let [n, c, h, w] = x.shape[..] else { panic!("images have four dimensions") };
    let [oh, ow] = [h, w].map(|size| if before == 0 { size / 2 } else { size.div_ceil(2) });
    let mut y = Array::zeros([n, c, oh, ow]);
    for (at, y) in y.data.iter_mut().enumerate() {
        let (plane, row, column) = (at / (oh * ow), at / ow % oh, at % ow);
        let near =
            |middle: usize, size: usize| (2 * middle).saturating_sub(before)..(2 * middle + 2).min(size);
        let window = near(row, h).flat_map(|r| near(column, w).map(move |c| (r, c)));
        *y = window.map(|(r, c)| x.data[(plane * h + r) * w + c]).fold(f64::MIN, f64::max);
    }
    y
}

/// The mean of each channel: \[n, c].
fn mean(x: &Array) -> Array {
    let plane = x.shape[2] * x.shape[3];
    let data = x.data.chunks(plane).map(|channel| channel.iter().sum::<f64>() / plane as f64);
    Array::new([x.shape[0], x.shape[1]], data.collect())
}

/// Residual networks: figure 5 of He et al. (2015), with the bottleneck's stride in its 3x3 convolution.
pub fn resnet(state: &State, blocks: [usize; 4], images: &Array) -> Array {
    let mut x = max_pool(&relu(state.norm("bn1", &state.conv("conv1", images, 2))), 1);
    for (stage, blocks) in blocks.into_iter().enumerate() {
        for block in 0..blocks {
            let name = |layer: &str| format!("layer{}.{block}.{layer}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let layer = |index: usize, x: &Array, stride| {
                state.norm(
                    &name(&format!("bn{index}")),
                    &state.conv(&name(&format!("conv{index}")), x, stride),
                )
            };
            let main = if state.get(&name("conv3"), "weight").is_none() {
                layer(2, &relu(layer(1, &x, stride)), 1)
            } else {
                layer(3, &relu(layer(2, &relu(layer(1, &x, 1)), stride)), 1)
            };
            let shortcut = if state.get(&name("downsample.0"), "weight").is_some() {
                state.norm(&name("downsample.1"), &state.conv(&name("downsample.0"), &x, stride))
            } else {
                x
            };
            x = relu(add(&main, &shortcut));
        }
    }
    state.linear("fc", &mean(&x))
}

/// MobileNetV2: figure 4d of Sandler et al. (2018), as often and with the strides that table 2 says.
pub fn mobilenet_v2(state: &State, images: &Array) -> Array {
    let layer = |name: &str, x: &Array, stride| {
        let y = state.norm(&format!("{name}.1"), &state.conv(&format!("{name}.0"), x, stride));
        y.map(|y| y.clamp(0.0, 6.0))
    };
    let mut x = layer("features.0", images, 2);
    for block in 1..=17 {
        let name = |index: usize| format!("features.{block}.conv.{index}");
        let stride = if [2, 4, 7, 14].contains(&block) { 2 } else { 1 };
        let y = if block == 1 {
            state.norm(&name(2), &state.conv(&name(1), &layer(&name(0), &x, stride), 1))
        } else {
            let y = layer(&name(1), &layer(&name(0), &x, 1), stride);
            state.norm(&name(3), &state.conv(&name(2), &y, 1))
        };
        let same = [3, 5, 6, 8, 9, 10, 12, 13, 15, 16].contains(&block);
        x = if same { add(&x, &y) } else { y };
    }
    state.linear("classifier.1", &mean(&layer("features.18", &x, 1)))
}

/// A transposed convolution whose 2x2 windows lie side by side.
fn spread(weight: &Array, bias: &Array, x: &Array) -> Array {
    let [n, inputs, h, w] = x.shape[..] else { panic!("images have four dimensions") };
    let outputs = bias.data.len();
    let mut y = Array::zeros([n, outputs, 2 * h, 2 * w]);
    for (at, y) in y.data.iter_mut().enumerate() {
        let (row, column) = (at / (2 * w) % (2 * h), at % (2 * w));
        let (output, image) = (at / (4 * h * w) % outputs, at / (4 * h * w) / outputs);
        let tap = |input: usize| ((input * outputs + output) * 2 + row % 2) * 2 + column % 2;
        let pixel = |input: usize| ((image * inputs + input) * h + row / 2) * w + column / 2;
        *y = (0..inputs).map(|input| x.data[pixel(input)] * weight.data[tap(input)]).sum::<f64>()
            + bias.data[output];
    }
    y
}

/// The channels of `x`, then those of `y`.
fn concatenate(x: &Array, y: &Array) -> Array {
    let [n, c, h, w] = x.shape[..] else { panic!("images have four dimensions") };
    let (xs, ys) = (x.data.chunks(c * h * w), y.data.chunks(y.data.len() / n));
    let data = xs.zip(ys).flat_map(|(x, y)| [x, y].concat()).collect();
    Array::new([n, c + y.shape[1], h, w], data)
}

/// U-Net: figure 1 of Ronneberger et al. (2015).
pub fn unet(state: &State, images: &Array) -> Array {
    let block = |place: String, name: String, x: &Array| {
        let layer = |index: usize, x: &Array| {
            let y = state.conv(&format!("{place}.{name}conv{index}"), x, 1);
            relu(state.norm(&format!("{place}.{name}norm{index}"), &y))
        };
        layer(2, &layer(1, x))
    };
    let mut kept = Vec::new();
    let mut x = images.clone();
    for stage in 1..=4 {
        kept.push(block(format!("encoder{stage}"), format!("enc{stage}"), &x));
        x = max_pool(&kept[stage - 1], 0);
    }
    x = block("bottleneck".into(), "bottleneck".into(), &x);
    for stage in (1..=4).rev() {
        let tensor =
            |name| state.get(&format!("upconv{stage}"), name).expect("the layer has weight and bias");
        let up = spread(tensor("weight"), tensor("bias"), &x);
        x = block(format!("decoder{stage}"), format!("dec{stage}"), &concatenate(&up, &kept[stage - 1]));
    }
    state.conv("conv", &x, 1)
}
