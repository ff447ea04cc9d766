//! The layers: PyTorch's parameters and padding modes.

use crate::harness::{self, device, floats, numbers, relative_error};
use wgrad::nn::{self, Layer};
use wgrad::op::Array;
use wgrad::ops::conv2d::Padding;
use wgrad::ops::pad::PadMode;
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Weights, optim};

/// Runs a layer on an input of given contents, its parameters as they begin, and checks every node.
pub fn layer(layer: impl Layer + 'static, input: &HostTensor) -> Result<(Graph, HostTensor, HostTensor)> {
    let mut graph = Graph::new();
    let x = graph.input("x", input.shape.clone())?;
    let y = nn::Sequential::new().add("layer", layer).forward(&mut graph, x, Mode::Train)?;
    let weights = Weights::init(device(), &graph, 5)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[y], device().caps())?, &weights)?;
    session.write(x, input)?;
    session.verify()?;
    let (y, weight) = (session.read(y)?, weights.read("layer.weight")?);
    Ok((graph, y, weight))
}

#[test]
fn layers_have_pytorchs_parameters() {
    let check = |graph: &Graph, weight: &HostTensor, shape: &[usize], outputs: usize, fan_in: f64| {
        assert_eq!(weight.shape[..], *shape);
        let bias = graph.find("layer.bias").map(|bias| graph.shape(bias).expect("of this graph").to_vec());
        assert_eq!(bias, Some(vec![outputs]));
        let largest = harness::array(weight).largest();
        let bound = 1.0 / fan_in.sqrt();
        assert!(largest <= bound && largest > 0.9 * bound, "{largest} {bound}");
    };
    let (graph, y, weight) =
        layer(nn::Conv1d::new(6, 8, 5).groups(2).stride(2).padding(Padding::Half), &numbers([2, 6, 9], 1))
            .expect("valid");
    check(&graph, &weight, &[8, 3, 5], 8, 15.0);
    assert_eq!(y.shape[..], [2, 8, 5]);
    let (graph, y, weight) = layer(
        nn::ConvTranspose1d::new(6, 8, 5).groups(2).stride(3).output_padding(2),
        &numbers([2, 6, 9], 1),
    )
    .expect("valid");
    check(&graph, &weight, &[6, 4, 5], 8, 20.0);
    assert_eq!(y.shape[..], [2, 8, 31]);
    let (graph, y, weight) = layer(
        nn::ConvTranspose2d::new(4, 6, [3, 2]).stride([2, 3]).padding([1, 0]).dilation([1, 2]),
        &numbers([1, 4, 5, 4], 1),
    )
    .expect("valid");
    check(&graph, &weight, &[4, 6, 3, 2], 6, 36.0);
    assert_eq!(y.shape[..], [1, 6, 9, 12]);
    let (graph, ..) =
        layer(nn::ConvTranspose2d::new(4, 6, [3, 2]).bias(false), &numbers([1, 4, 5, 4], 1)).expect("valid");
    assert!(graph.find("layer.bias").is_none());
}

#[test]
fn padding_modes_are_pytorchs() {
    // A window of a single one in the corner shows the padded input itself.
    let x = floats([1, 1, 4], vec![1.0, 2.0, 3.0, 4.0]);
    for (mode, expected) in [
        (PadMode::Constant(0.0), [0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 0.0]),
        (PadMode::Reflect, [3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0]),
        (PadMode::Replicate, [1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 4.0]),
        (PadMode::Circular, [3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0]),
    ] {
        let conv = nn::Conv1d::new(1, 1, 1).bias(false).padding([2, 1]).padding_mode(mode);
        let (_, y, weight) = layer(conv, &x).expect("valid");
        let expected: Vec<f64> = expected.map(|x| x * weight.to_f64()[0]).to_vec();
        assert!(relative_error(&Array::new([1, 1, 7], expected), &y) < 1e-6, "{mode:?}");
    }
    // The names stand for the same numbers, and the odd one comes after.
    let conv = || nn::Conv2d::new(2, 3, [4, 3]).dilation([1, 2]).padding_mode(PadMode::Circular);
    let x = numbers([2, 2, 6, 5], 1);
    let (graph, named, _) = layer(conv().padding(Padding::Same), &x).expect("valid");
    let (_, numbered, _) = layer(conv().padding([[1, 2], [2, 2]]), &x).expect("valid");
    assert_eq!(named.shape[..], [2, 3, 6, 5]);
    assert_eq!(named, numbered);
    let described: Vec<_> = graph.nodes().map(|(_, node)| node.operator.name()).collect();
    assert_eq!(described, ["pad", "conv2d"]);
    let error = layer(conv().padding(Padding::Same).stride([2, 2]), &x).expect_err("no stride").to_string();
    assert!(error.starts_with("conv2d \"layer\": padding='same' is not supported for strided"), "{error}");
    let error =
        layer(nn::Conv1d::new(2, 3, 9).padding(4).padding_mode(PadMode::Reflect), &numbers([1, 2, 4], 1));
    let error = error.expect_err("reflecting needs as much").to_string();
    assert!(error.starts_with("pad \"layer\": padding size should be less than"), "{error}");
}

#[test]
fn networks_of_them_learn_and_agree_with_the_reference() {
    // From a signal to another: down, up again with a transposed convolution, batch norm behind a bias.
    let signal = nn::Sequential::new()
        .add("down", nn::Conv1d::new(2, 6, 5).stride(2).padding(2).padding_mode(PadMode::Circular))
        .add("relu", nn::Relu)
        .add("depthwise", nn::Conv1d::new(6, 6, 3).padding(Padding::Same).groups(6).bias(false))
        .add("up", nn::ConvTranspose1d::new(6, 4, 4).stride(2).padding(1))
        .add("norm", nn::BatchNorm::new(4))
        .add("tanh", nn::Tanh)
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(64, 3));
    let image = nn::Sequential::new()
        .add(
            "up",
            nn::ConvTranspose2d::new(3, 4, [3, 3]).stride([2, 2]).padding([1, 1]).output_padding([1, 1]),
        )
        .add("relu", nn::Relu)
        .add("wide", nn::ConvTranspose2d::new(4, 8, [2, 3]).groups(4))
        .add("norm", nn::BatchNorm::new(8))
        .add("relu2", nn::Relu)
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(8 * 9 * 12, 3));
    for (network, shape) in [(signal, &[5, 2, 16][..]), (image, &[5, 3, 4, 5])] {
        let train = || -> Result<(f64, f64)> {
            let mut graph = Graph::new();
            let x = graph.input("x", shape)?;
            let labels = graph.input_i32("labels", shape[0])?;
            let logits = network.forward(&mut graph, x, Mode::Train)?;
            let loss = graph.cross_entropy(logits, labels)?;
            let rate = graph.input_scalar("rate")?;
            optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
            let weights = Weights::init(device(), &graph, 1)?;
            let mut session = Session::new(device(), Plan::new(&graph, &[loss], device().caps())?, &weights)?;
            session.write(x, &numbers(shape, 1))?;
            session.write(labels, &harness::labels(shape[0], 3, 2))?;
            session.write_scalar(rate, 0.05)?;
            session.step()?;
            let first = session.read(loss)?.to_f64()[0];
            for _ in 0..30 {
                session.step()?;
            }
            session.verify()?;
            Ok((first, session.read(loss)?.to_f64()[0]))
        };
        let (first, last) = train().unwrap_or_else(|e| panic!("{shape:?}: {e}"));
        assert!(last < 0.1 * first, "{shape:?}: the loss goes from {first} to {last}");
    }
}
