//! Networks written as ONNX files and imported again, and what can't be written. `tests/onnx_runtime` compares files with
//! ONNX Runtime.

use crate::harness::{array, device, numbers};
use wgrad::nn::{self, Layer, models};
use wgrad::onnx::{Dimension, Export, Model};
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::weights::Metadata;
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Session, Value, Weights};

/// A network on `images`, its weights, and its output.
fn network(net: &dyn Layer, images: usize) -> Result<(Graph, Value, Weights), Error> {
    let mut g = Graph::new();
    let x = g.input("images", [images, 3, 12, 12])?;
    let y = net.forward(&mut g, x, Mode::Eval)?;
    let weights = Weights::init(device(), &g, 3)?;
    Ok((g, y, weights))
}

fn small() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(3, 8, [3, 3]))
        .add("bn", nn::BatchNorm::new(8))
        .add("relu", nn::Relu)
        .add("pool", nn::MaxPool2d::new([2, 2]))
        .add("drop", nn::Dropout::new(0.5))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(200, 5))
}

fn run(g: &Graph, x: Value, y: Value, weights: &Weights, images: &HostTensor) -> Result<HostTensor, Error> {
    let mut session = Session::new(device(), Plan::new(g, &[y], device().caps())?, weights)?;
    session.write(x, images)?;
    session.step()?;
    session.read(y)
}

#[test]
fn a_network_comes_back_with_its_names_and_answers() -> Result<(), Error> {
    let (g, y, weights) = network(&small(), 2)?;
    let mut metadata = Metadata::default();
    metadata.class_names = ["cat", "dog"].map(String::from).into();
    weights.set_metadata(metadata.clone())?;
    let file = Export::new(&g).output("logits", y).batch("N").to_bytes(&weights)?;
    let model = Model::from_bytes(file)?;
    assert_eq!(model.metadata(), &metadata);
    assert!(model.producer().starts_with("wgrad"), "{}", model.producer());
    assert_eq!(model.inputs()[0].to_string(), "images float32 [N, 3, 12, 12]");
    let [logits] = model.outputs() else { panic!("it has one output") };
    assert_eq!(logits.to_string(), "logits float32 [N, 5]");

    let mut imported = Graph::new();
    let back = model.import().dimension("N", 5).build(&mut imported)?;
    let loaded = Weights::init(device(), &imported, 0)?;
    back.load_into(&loaded)?;
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(loaded.names().collect::<Vec<_>>(), names);
    for name in names {
        assert_eq!(loaded.read(name)?, weights.read(name)?, "{name}");
    }

    let images = numbers([5, 3, 12, 12], 1);
    let (own, y, own_weights) = network(&small(), 5)?;
    for name in weights.names() {
        own_weights.write(name, weights.read(name)?.as_f32().expect("weights are floats"))?;
    }
    let x = own.find("images").expect("it is its input");
    let expected = run(&own, x, y, &own_weights, &images)?;
    let found = run(&imported, back.input("images")?, back.value("logits")?, &loaded, &images)?;
    assert_eq!(found, expected, "the same operators, the same bits");
    Ok(())
}

#[test]
fn published_networks_come_back() -> Result<(), Error> {
    // Half a gigabyte each, and layers that others have too; the pooling over windows of different sizes is in the next test.
    let large = ["resnet34", "resnet50", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn"];
    for name in models::NAMES.into_iter().filter(|name| !large.contains(name)) {
        let size = if name == "lenet5" { 28 } else { 64 };
        let mut g = Graph::new();
        let x = g.input("images", [2, 3, size, size])?;
        let net = models::by_name(name, 3, 10).expect("it is among the names");
        let y = net.forward(&mut g, x, Mode::Eval)?;
        let weights = Weights::init(device(), &g, 0)?;
        let model = Model::from_bytes(Export::new(&g).output("logits", y).batch("N").to_bytes(&weights)?)?;
        let mut imported = Graph::new();
        let back =
            model.import().dimension("N", 7).build(&mut imported).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(imported.shape(back.value("logits")?)?[..], [7, 10], "{name}");
        assert_eq!(back.parameters().len(), weights.names().count(), "{name}");
    }
    Ok(())
}

#[test]
fn constants_come_back_as_constants() -> Result<(), Error> {
    let net = nn::Sequential::new().add("pool", nn::AdaptiveAvgPool2d::new([5, 7]));
    let (g, y, weights) = network(&net, 2)?;
    let model = Model::from_bytes(Export::new(&g).output("y", y).to_bytes(&weights)?)?;
    let mut imported = Graph::new();
    let back = model.import().build(&mut imported)?;
    assert_eq!(back.parameters().len(), 0, "matrices of shares are no parameters");
    let loaded = Weights::init(device(), &imported, 0)?;
    let images = numbers([2, 3, 12, 12], 4);
    let found = run(&imported, back.input("images")?, back.value("y")?, &loaded, &images)?;
    let x = g.find("images").expect("it is its input");
    let expected = run(&g, x, y, &weights, &images)?;
    for (found, expected) in found.to_f64().iter().zip(expected.to_f64()) {
        assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
    }
    Ok(())
}

#[test]
fn without_a_batch_all_sizes_are_fixed() -> Result<(), Error> {
    let (g, y, weights) = network(&small(), 1)?;
    let model = Model::from_bytes(Export::new(&g).output("logits", y).to_bytes(&weights)?)?;
    let sizes = model.inputs()[0].dimensions.clone().expect("it has a shape");
    assert_eq!(sizes, [1, 3, 12, 12].map(Dimension::Fixed));
    Ok(())
}

/// What an export is refused with.
fn refusal(export: Export<'_>, weights: &Weights) -> String {
    export.to_bytes(weights).expect_err("it has to be refused").to_string()
}

#[test]
fn everything_without_a_counterpart_is_listed() -> Result<(), Error> {
    let mut g = Graph::new();
    let x = g.input("images", [2, 3, 12, 12])?;
    let y = small().forward(&mut g, x, Mode::Train)?;
    let weights = Weights::init(device(), &g, 0)?;
    let message = refusal(Export::new(&g).output("logits", y), &weights);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(lines[0].contains("\"bn\" (batch_norm): updates running statistics"), "{message}");
    assert!(
        lines[1].contains("\"drop\" (dropout): draws random numbers; build the network in Mode::Eval"),
        "{message}"
    );
    Ok(())
}

#[test]
fn mistakes_are_named() -> Result<(), Error> {
    let (g, y, weights) = network(&small(), 2)?;
    let has = |export: Export<'_>, part: &str| {
        let message = refusal(export, &weights);
        assert!(message.contains(part), "{message}");
    };
    has(Export::new(&g), "needs an output; add it with Export::output");
    has(Export::new(&g).output("images", y), "\"images\" is an output's and another value's");
    has(Export::new(&g).output("y", y).output("y", y), "names of their own");
    let (one, y, _) = network(&small(), 1)?;
    has(Export::new(&one).output("y", y).batch("N"), "a batch of 2 or more");
    // Two samples in a row have no counterpart for any other number of them.
    let mut g = Graph::new();
    let x = g.input("x", [2, 6])?;
    let pair = g.reshape(x, [3, 4])?;
    has(Export::new(&g).output("y", pair).batch("N"), "divides the batch");
    let weight = g.parameter("w", [2, 6], wgrad::graph::Init::Constant(1.0))?;
    let each = g.mul(x, weight)?;
    has(Export::new(&g).output("y", each).batch("N"), "has a fixed size where the batch is");
    // An unpooling behind a pooling that is refused.
    let mut g = Graph::new();
    let x = g.input("x", [2, 2, 4, 4])?;
    let x = g.permute(x, [1, 2, 0, 3])?;
    let (pooled, indices) = g.max_pool2d_with_indices(x, MaxPool2dOptions::new([2, 2]))?;
    let y = g.max_unpool2d(pooled, &indices, [2, 4])?;
    has(Export::new(&g).output("y", y).batch("N"), "pools along dimension 2");
    let mut g = Graph::new();
    let x = g.input("", [2, 6])?;
    let y = g.relu(x)?;
    has(Export::new(&g).output("y", y), "has an empty name");
    // Weights of another graph.
    let mut g = Graph::new();
    let weight = g.parameter("w", [2, 6], wgrad::graph::Init::Constant(1.0))?;
    let each = g.relu(weight)?;
    has(Export::new(&g).output("y", each), "the weights hold no tensor of this name");
    Ok(())
}

#[test]
fn a_constant_yields_its_name() -> Result<(), Error> {
    let mut g = Graph::new();
    let two = g.constant(HostTensor::f32([1], vec![2.0])?)?;
    let name = g.value(two)?.name.clone();
    let x = g.input(&name, [2, 3])?;
    let y = g.mul(x, two)?;
    let weights = Weights::init(device(), &g, 0)?;
    let model = Model::from_bytes(Export::new(&g).output("y", y).to_bytes(&weights)?)?;
    assert_eq!(model.inputs()[0].name, name);
    Ok(())
}

#[test]
fn an_input_and_a_parameter_can_be_outputs() -> Result<(), Error> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    let y = g.relu(x)?;
    let w = g.parameter("w", [4], wgrad::graph::Init::Constant(0.5))?;
    let weights = Weights::init(device(), &g, 0)?;
    let export = Export::new(&g).output("same", x).output("y", y).output("again", y).output("weight", w);
    let model = Model::from_bytes(export.to_bytes(&weights)?)?;
    let names: Vec<&str> = model.outputs().iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["same", "y", "again", "weight"]);
    let mut back = Graph::new();
    let network = model.import().build(&mut back)?;
    let loaded = Weights::init(device(), &back, 0)?;
    network.load_into(&loaded)?;
    let numbers = numbers([2, 3], 1);
    let (x, y) = (network.input("x")?, network.value("again")?);
    let positive = array(&numbers).map(|x| x.max(0.0));
    assert_eq!(run(&back, x, y, &loaded, &numbers)?.to_f64(), positive.data);
    Ok(())
}
