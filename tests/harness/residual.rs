//! A network of ResNet-18's shape: a 7x7 stem and max pooling, four stages of two basic blocks each,
//! a global average and one linear layer. Its widths and its image size can be made small enough to run.

use wgrad::nn::{self, Layer};
use wgrad::ops::pool2d::Pool2d;
use wgrad::{Error, Graph, Mode, Value, optim};

use super::network::Training;

/// Two 3x3 convolutions with batch norm, and the input added to them; where the shape changes, the
/// input goes through a 1x1 convolution.
#[derive(Debug)]
struct BasicBlock {
    inputs: usize,
    outputs: usize,
    stride: usize,
}

fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> nn::Conv2d {
    nn::Conv2d::new(inputs, outputs, [kernel; 2]).stride([stride; 2]).padding([kernel / 2; 2]).bias(false)
}

impl Layer for BasicBlock {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, Error> {
        let &BasicBlock { inputs, outputs, stride } = self;
        let body = nn::Sequential::new()
            .add("conv1", convolution(inputs, outputs, 3, stride))
            .add("bn1", nn::BatchNorm::new(outputs))
            .add("relu1", nn::Relu)
            .add("conv2", convolution(outputs, outputs, 3, 1))
            .add("bn2", nn::BatchNorm::new(outputs));
        let changed = body.forward(g, x, mode)?;
        let kept = if inputs == outputs && stride == 1 {
            x
        } else {
            let shortcut = nn::Sequential::new()
                .add("0", convolution(inputs, outputs, 1, stride))
                .add("1", nn::BatchNorm::new(outputs));
            g.scoped("downsample", |g| shortcut.forward(g, x, mode))?
        };
        let sum = g.scoped("add", |g| g.add(changed, kept))?;
        g.scoped("relu2", |g| g.relu(sum))
    }
}

/// Logits of `classes` classes. The first stage has `width` channels, each further one twice as many.
pub fn resnet18(
    g: &mut Graph,
    images: Value,
    width: usize,
    classes: usize,
    mode: Mode,
) -> Result<Value, Error> {
    let stem = nn::Sequential::new()
        .add("conv1", convolution(g.shape(images)[1], width, 7, 2))
        .add("bn1", nn::BatchNorm::new(width))
        .add("relu", nn::Relu)
        .add("maxpool", nn::MaxPool2d::new([3, 3]).stride([2, 2]).padding([1, 1]));
    let mut x = stem.forward(g, images, mode)?;
    let mut inputs = width;
    for stage in 0..4 {
        let outputs = width << stage;
        let stride = if stage == 0 { 1 } else { 2 };
        let blocks = nn::Sequential::new()
            .add("0", BasicBlock { inputs, outputs, stride })
            .add("1", BasicBlock { inputs: outputs, outputs, stride: 1 });
        x = g.scoped(&format!("layer{}", stage + 1), |g| blocks.forward(g, x, mode))?;
        inputs = outputs;
    }
    let plane = [g.shape(x)[2], g.shape(x)[3]];
    let mean = g.scoped("avgpool", |g| g.avg_pool2d(x, Pool2d::new(plane)))?;
    let head = nn::Sequential::new().add("flatten", nn::Flatten).add("fc", nn::Linear::new(inputs, classes));
    head.forward(g, mean, mode)
}

/// A training step of [`resnet18`] with SGD and momentum 0.9, on square colour images.
pub fn training(batch: usize, size: usize, width: usize, classes: usize) -> Result<Training, Error> {
    let mut graph = Graph::new();
    let images = graph.input("images", [batch, 3, size, size])?;
    let labels = graph.labels("labels", batch)?;
    let logits = resnet18(&mut graph, images, width, classes, Mode::Train)?;
    let loss = graph.cross_entropy(logits, labels)?;
    let rate = graph.scalar("learning_rate")?;
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
    Ok(Training { graph, images, labels, rate, loss })
}
