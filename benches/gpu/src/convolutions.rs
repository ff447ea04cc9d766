//! The distinct convolutions of ResNet-50.

use serde_json::{Value, json};
use wgrad::ops::conv2d::Conv2d;

/// A square convolution without bias.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Convolution {
    pub images: usize,
    pub channels: usize,
    /// Height and width of an input image.
    pub side: usize,
    pub results: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    /// How often the network has it.
    pub times: usize,
}

impl Convolution {
    /// As the report names it.
    pub fn name(&self) -> String {
        let Convolution { images, channels, side, results, kernel, stride, .. } = self;
        let stride = if *stride == 1 { String::new() } else { format!(", stride {stride}") };
        format!("{images}x{channels}x{side}x{side}, {results} of {kernel}x{kernel}{stride}")
    }

    /// The fields that name it in the results.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name(),
            "images": self.images,
            "channels": self.channels,
            "side": self.side,
            "results": self.results,
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "times": self.times,
        })
    }

    /// Height and width of an output image.
    pub fn output_side(&self) -> usize {
        (self.side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    pub fn input(&self) -> [usize; 4] {
        [self.images, self.channels, self.side, self.side]
    }

    pub fn weight(&self) -> [usize; 4] {
        [self.results, self.channels, self.kernel, self.kernel]
    }

    pub fn output(&self) -> [usize; 4] {
        [self.images, self.results, self.output_side(), self.output_side()]
    }

    pub fn attributes(&self) -> Conv2d {
        Conv2d::default().stride([self.stride; 2]).padding([self.padding; 2])
    }
}

/// The distinct convolutions of ResNet-50 on images of this size, in the order of the network.
pub fn resnet50(images: usize, side: usize) -> Vec<Convolution> {
    let mut found: Vec<Convolution> = Vec::new();
    let mut add = |channels, side, results, kernel, stride| {
        let padding = kernel / 2;
        let new = Convolution { images, channels, side, results, kernel, stride, padding, times: 1 };
        match found.iter_mut().find(|known| Convolution { times: 1, ..**known } == new) {
            Some(known) => known.times += 1,
            None => found.push(new),
        }
        new.output_side()
    };
    let stem = add(3, side, 64, 7, 2);
    // Max pooling of 3x3 halves the image again.
    let (mut side, mut channels) = (stem.div_ceil(2), 64);
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let width = 64 << stage;
        for block in 0..blocks {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            if block == 0 {
                add(channels, side, 4 * width, 1, stride);
            }
            add(channels, side, width, 1, 1);
            side = add(width, side, width, 3, stride);
            add(width, side, 4 * width, 1, 1);
            channels = 4 * width;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::resnet50;
    use crate::networks::Workload;
    use std::collections::BTreeMap;

    type Counts = BTreeMap<[Vec<usize>; 3], usize>;

    #[test]
    fn they_are_those_of_the_library() {
        let graph = Workload { network: "resnet50", batch: 2, side: 64 }.training().unwrap().graph;
        let mut library = Counts::new();
        for (_, node) in graph.nodes().filter(|(_, node)| node.operator.name() == "conv2d") {
            let shape = |value| graph.shape(value).unwrap().to_vec();
            let key = [shape(node.inputs[0]), shape(node.inputs[1]), shape(node.outputs[0])];
            *library.entry(key).or_default() += 1;
        }
        let key = |c: &super::Convolution| [c.input().to_vec(), c.weight().to_vec(), c.output().to_vec()];
        let own: Counts = resnet50(2, 64).iter().map(|c| (key(c), c.times)).collect();
        assert_eq!(own, library);
        assert_eq!(own.values().sum::<usize>(), 53);
    }
}
