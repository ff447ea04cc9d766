//! Networks whose batch size is left open: ONNX Runtime runs them with another one than they were built for.

use crate::harness::{array, device, numbers, sweep};
use crate::job::{self, Job};
use std::collections::HashMap;
use wgrad::graph::{Init, Source};
use wgrad::nn::{self, Layer, models};
use wgrad::op::Array;
use wgrad::ops::conv2d::{Conv1dOptions, ConvTranspose2dOptions};
use wgrad::ops::losses::{CrossEntropyOptions, KlDivOptions};
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::ops::upsample::Resize;
use wgrad::{Error, Graph, HostTensor, Mode, Value, Weights, onnx};

/// What builds a network on an input named `x`.
type Build<'b> = &'b dyn Fn(&mut Graph, Value) -> Result<Value, Error>;

/// A graph's output in f64, given its inputs and the weights.
fn evaluate(graph: &Graph, output: Value, inputs: &[(String, HostTensor)], weights: &Weights) -> Array {
    let mut held: HashMap<Value, Array> = HashMap::new();
    for (value, info) in graph.values() {
        let contents = match &info.source {
            Source::Input => {
                let (_, tensor) =
                    inputs.iter().find(|(name, _)| *name == info.name).expect("it has contents");
                array(tensor)
            }
            Source::Constant(tensor) => array(tensor),
            Source::Parameter(_) | Source::State { .. } => {
                array(&weights.read(&info.name).expect("the weights have it"))
            }
            _ => continue,
        };
        held.insert(value, contents);
    }
    for (_, node) in graph.nodes() {
        let inputs: Vec<&Array> = node.inputs.iter().map(|input| &held[input]).collect();
        let outputs = node.operator.reference(&inputs);
        held.extend(node.outputs.iter().copied().zip(outputs));
    }
    held.remove(&output).expect("it was computed")
}

/// The file of a network for inputs of this size, built for two samples, and what it has to give for three.
fn job_of(name: &str, sample: &[usize], build: Build<'_>) -> Job {
    let graph_for = |samples: usize| {
        let mut g = Graph::new();
        let x = g.input("x", [&[samples], sample].concat()).expect("a fresh name");
        let y = build(&mut g, x).unwrap_or_else(|e| panic!("{name}: {e}"));
        (g, y)
    };
    let (graph, y) = graph_for(2);
    let weights = Weights::init(device(), &graph, 1).expect("the device works");
    // Parameters and statistics that are not those of a fresh network, where a bias is 0 and a variance 1.
    for (_, info) in graph.values().filter(|(_, info)| info.ty.shape.len() == 1) {
        if matches!(info.source, Source::Parameter(_) | Source::State { .. }) {
            let spread = numbers(info.ty.shape.clone(), info.name.len() as u64).to_f64();
            let around = if info.name.ends_with("bias") || info.name.ends_with("mean") { 0.0 } else { 1.0 };
            let data: Vec<f32> = spread.iter().map(|&x| (around + x / 4.0) as f32).collect();
            weights.write(&info.name, &data).expect("it has the state's shape");
        }
    }
    let export = onnx::Export::new(&graph).output("y", y).batch("N");
    let file = export.to_bytes(&weights).unwrap_or_else(|e| panic!("{name}: {e}"));
    let (graph, y) = graph_for(3);
    let mut inputs = vec![("x".to_owned(), numbers([&[3], sample].concat(), 7))];
    if let Some(labels) = graph.find("labels") {
        let shape = graph.shape(labels).expect("it is the graph's").clone();
        let data = (0..shape.elements() as i32).map(|i| i % 4).collect();
        inputs.push(("labels".to_owned(), HostTensor::i32(shape, data).expect("as many as it has")));
    }
    let expected = vec![evaluate(&graph, y, &inputs, &weights)];
    Job { name: name.into(), file, inputs, expected, own: true, tolerance: Some(job::TOLERANCE) }
}

#[test]
fn published_networks() {
    let published = |name: &str| {
        let network = models::by_name(name, 3, 10).expect("it is among the names");
        let size = if name == "lenet5" { 28 } else { 32 };
        job_of(name, &[3, size, size], &|g, x| network.forward(g, x, Mode::Eval))
    };
    // Deeper ones of the same layers, which take the reference long.
    let deeper = ["resnet34", "vgg11_bn", "vgg16", "vgg16_bn"];
    let names = models::NAMES.into_iter().filter(|name| sweep::sweeping() || !deeper.contains(name));
    let mut jobs: Vec<Job> = names.map(published).collect();
    let unet = models::unet(3, 2, 8);
    jobs.push(job_of("unet", &[3, 32, 32], &|g, x| unet.forward(g, x, Mode::Eval)));
    job::holds("networks", &jobs);
}

#[test]
fn layers_with_an_open_batch() {
    let layer = |name: &str, sample: &[usize], layer: &dyn Layer| {
        job_of(name, sample, &|g, x| layer.forward(g, x, Mode::Eval))
    };
    let image = [4, 7, 6];
    job::holds(
        "layers",
        &[
            layer("group norm", &image, &nn::GroupNorm::new(2, 4)),
            layer("instance norm", &image, &nn::InstanceNorm::new(4)),
            layer("layer norm", &image, &nn::LayerNorm::new([7, 6])),
            layer("local response over an even window", &image, &nn::LocalResponseNorm::new(2)),
            layer("local response over an odd window", &image, &nn::LocalResponseNorm::new(3)),
            layer("batch norm of rows", &[5], &nn::BatchNorm::new(5)),
            layer("PReLU", &image, &nn::PRelu::new()),
            layer("channel shuffle", &image, &nn::ChannelShuffle::new(2)),
            layer("padding", &image, &nn::Pad::new([[1, 2], [2, 1]], PadMode::Reflect)),
            layer("power pooling", &image, &nn::LpPool2d::new(3.0, [2, 3])),
            layer("doubled", &image, &nn::Upsample::nearest(Resize::ScaleFactor([2.0, 2.0]))),
            layer("stretched", &image, &nn::Upsample::bilinear(Resize::Size([9, 11]), true)),
            layer("scaled", &image, &nn::Upsample::bilinear(Resize::ScaleFactor([1.7, 2.3]), false)),
            job_of("adaptive pooling", &image, &|g, x| {
                let mean = g.adaptive_avg_pool2d(x, [3, 4])?;
                let largest = g.adaptive_max_pool2d(x, [3, 4])?;
                g.concatenate(&[mean, largest], 1)
            }),
            job_of("max pooling undone", &[2, 8, 8], &|g, x| {
                let (y, indices) = g.max_pool2d_with_indices(x, MaxPool2dOptions::new([2, 2]))?;
                let y = g.relu(y)?;
                g.max_unpool2d(y, &indices, [8, 8])
            }),
            job_of("convolution in one dimension", &[4, 9], &|g, x| {
                let weight = g.parameter("weight", [6, 4, 3], Init::Uniform(0.5))?;
                g.conv1d(x, weight, None, Conv1dOptions::new().stride(2).padding(1))
            }),
            job_of("transposed convolution", &image, &|g, x| {
                let weight = g.parameter("weight", [4, 3, 3, 2], Init::Uniform(0.5))?;
                let bias = g.parameter("bias", [6], Init::Constant(0.0))?;
                let options = ConvTranspose2dOptions::new()
                    .stride([2, 3])
                    .padding([1, 0])
                    .groups(2)
                    .output_padding([1, 2]);
                g.conv_transpose2d(x, weight, Some(bias), options)
            }),
            job_of("images behind channels", &image, &|g, x| {
                let x = g.permute(x, [1, 0, 2, 3])?;
                let samples = g.shape(x)?[1];
                let rows = g.reshape(x, [4, samples, 42])?;
                let sums = g.softmax(rows, 2)?;
                let back = g.permute(sums, [1, 0, 2])?;
                g.reshape(back, [samples, 168])
            }),
            job_of("samples against each other", &[5], &|g, x| {
                let least = g.scale(x, 2.0)?;
                let pairs = g.maximum(x, least)?;
                g.mul(pairs, x)
            }),
            job_of("a loss of probabilities", &[4], &|g, x| {
                let likelier = g.scale(x, 2.0)?;
                let targets = g.softmax(likelier, 1)?;
                g.cross_entropy_of_probabilities(x, targets)
            }),
            job_of("a divergence by the first dimension, which is not the batch", &[4, 3], &|g, x| {
                let x = g.permute(x, [1, 0, 2])?;
                let (log, half) = (g.log_softmax(x, 2)?, g.scale(x, 0.5)?);
                let targets = g.softmax(half, 2)?;
                g.kl_div_loss_with(log, targets, KlDivOptions::new().batch_mean())
            }),
            // In f32 the product of size and factor is 29, in f64 less.
            layer(
                "scaled by a factor that f32 rounds up",
                &[1, 25, 25],
                &nn::Upsample::bilinear(Resize::ScaleFactor([1.16, 1.16]), false),
            ),
            layer("local response to the power of 0", &image, &nn::LocalResponseNorm::new(3).beta(0.0)),
            job_of("transposed convolution with more behind the windows than a step", &[2, 5, 4], &|g, x| {
                let weight = g.parameter("weight", [2, 3, 2, 4], Init::Uniform(0.5))?;
                let options = ConvTranspose2dOptions::new()
                    .stride([1, 3])
                    .padding([2, 0])
                    .dilation([3, 2])
                    .output_padding([1, 1]);
                g.conv_transpose2d(x, weight, None, options)
            }),
            job_of("max pooling over more padding than its kernel", &[2, 5, 8], &|g, x| {
                let options = MaxPool2dOptions::new([3, 2])
                    .stride([4, 4])
                    .padding([0, 1])
                    .dilation([1, 3])
                    .ceil_mode(true);
                g.max_pool2d(x, options)
            }),
            job_of("a loss of labels", &[4, 3], &|g, x| {
                let samples = g.shape(x)?[0];
                let labels = g.input_i32("labels", [samples, 3])?;
                g.cross_entropy_with(x, labels, CrossEntropyOptions::new().label_smoothing(0.1))
            }),
        ],
    );
}
