//! Layers: PyTorch's parameter names, shapes and initial values, and errors that name the layer.

use crate::harness::device;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::softmax::Softmax;
use wgrad::ops::upsample::Resize;
use wgrad::{Error, Graph, Mode, Value, Weights};

/// Builds `layer` on an input of this shape under the name "layer".
fn built(layer: impl Layer + 'static, shape: &[usize]) -> Result<(Graph, Value), Error> {
    let mut g = Graph::new();
    let x = g.input("x", shape)?;
    let net = nn::Sequential::new().add("layer", layer);
    let y = net.forward(&mut g, x, Mode::Train)?;
    Ok((g, y))
}

/// Extremes of a parameter's first contents.
fn range(g: &Graph, name: &str) -> (f64, f64) {
    let data = Weights::init(device(), g, 3).unwrap().read(name).unwrap().to_f64();
    data.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)))
}

#[test]
fn weights_begin_uniform_within_one_over_the_root_of_fan_in() {
    let (conv, _) = built(nn::Conv2d::new(8, 64, [5, 5]), &[2, 8, 9, 9]).unwrap();
    let (grouped, _) = built(nn::Conv2d::new(8, 64, [5, 5]).groups(2), &[2, 8, 9, 9]).unwrap();
    let (linear, _) = built(nn::Linear::new(25, 640), &[2, 25]).unwrap();
    for (graph, fan_in) in [(&conv, 200.0), (&grouped, 100.0), (&linear, 25.0)] {
        let bound = 1.0 / f64::sqrt(fan_in);
        for name in ["layer.weight", "layer.bias"] {
            let (low, high) = range(graph, name);
            assert!(low >= -bound && high <= bound, "{name} {low} {high} {bound}");
            // Of 64 numbers or more the largest are near the ends.
            assert!(low < -0.9 * bound && high > 0.9 * bound, "{name} {low} {high} {bound}");
        }
    }
    assert_eq!(
        grouped.shape(grouped.find("layer.weight").unwrap()).expect("of this graph")[..],
        [64, 4, 5, 5]
    );
}

#[test]
fn first_contents_can_be_set() {
    let (one, two) = (Init::Constant(1.0), Init::Constant(2.0));
    let conv = nn::Conv2d::new(3, 4, [3, 3]).init(one.clone()).bias_init(two.clone());
    let transposed = nn::ConvTranspose1d::new(3, 4, 3).init(one.clone()).bias_init(two.clone());
    let linear = nn::Linear::new(5, 4).init(one).bias_init(two);
    let graphs = [built(conv, &[2, 3, 5, 5]), built(transposed, &[2, 3, 5]), built(linear, &[2, 5])];
    for built in graphs {
        let (graph, _) = built.unwrap();
        assert_eq!(range(&graph, "layer.weight"), (1.0, 1.0));
        assert_eq!(range(&graph, "layer.bias"), (2.0, 2.0));
    }
}

#[test]
fn batch_norm_begins_as_the_identity() {
    let (g, _) = built(nn::BatchNorm::new(4), &[2, 4, 3, 3]).unwrap();
    for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
        assert_eq!(range(&g, &format!("layer.{name}")), (value, value), "{name}");
    }
    assert!(built(nn::BatchNorm::new(4), &[2, 4]).is_ok(), "without an image too");
}

#[test]
fn bias_can_be_left_out() {
    let (g, _) = built(nn::Conv2d::new(1, 2, [3, 3]).bias(false), &[1, 1, 5, 5]).unwrap();
    assert!(g.find("layer.weight").is_some() && g.find("layer.bias").is_none());
    let (g, _) = built(nn::Linear::new(4, 2).bias(false), &[1, 4]).unwrap();
    assert!(g.find("layer.weight").is_some() && g.find("layer.bias").is_none());
}

#[test]
fn shapes_follow_the_layers() {
    let shape = |layer: Box<dyn Layer>| {
        let mut g = Graph::new();
        let x = g.input("x", [2, 3, 8, 9]).unwrap();
        let y = layer.forward(&mut g, x, Mode::Train).unwrap();
        g.shape(y).expect("of this graph").to_vec()
    };
    let conv = nn::Conv2d::new(3, 5, [3, 2]).stride([2, 1]).padding([1, 0]);
    assert_eq!(shape(Box::new(conv)), [2, 5, 4, 8]);
    assert_eq!(shape(Box::new(nn::MaxPool2d::new([2, 2]))), [2, 3, 4, 4]);
    assert_eq!(shape(Box::new(nn::AvgPool2d::new([3, 3]).stride([1, 2]).padding([1, 1]))), [2, 3, 8, 5]);
    assert_eq!(shape(Box::new(nn::MaxPool2d::new([3, 2]).dilation([2, 1]).ceil_mode(true))), [2, 3, 2, 5]);
    assert_eq!(shape(Box::new(nn::WeightedAvgPool2d::new([4, 3]).count_include_pad(false))), [2, 3, 2, 3]);
    assert_eq!(shape(Box::new(nn::LpPool2d::new(2.0, [2, 2]).stride([3, 3]).ceil_mode(true))), [2, 3, 3, 3]);
    assert_eq!(nn::LpPool2d::l2([2, 3]), nn::LpPool2d::new(2.0, [2, 3]));
    assert_eq!(shape(Box::new(nn::AdaptiveAvgPool2d::new([3, 9]))), [2, 3, 3, 9]);
    assert_eq!(shape(Box::new(nn::AdaptiveMaxPool2d::new([11, 1]))), [2, 3, 11, 1]);
    assert_eq!(shape(Box::new(nn::GlobalAvgPool2d)), [2, 3, 1, 1]);
    assert_eq!(shape(Box::new(nn::GlobalMaxPool2d)), [2, 3, 1, 1]);
    let twice = Resize::ScaleFactor([2.0, 1.5]);
    assert_eq!(shape(Box::new(nn::Upsample::nearest(twice))), [2, 3, 16, 13]);
    assert_eq!(shape(Box::new(nn::Upsample::bilinear(Resize::Size([3, 4]), true))), [2, 3, 3, 4]);
    let line = |layer: Box<dyn Layer>| {
        let mut g = Graph::new();
        let x = g.input("x", [2, 3, 9]).unwrap();
        let y = layer.forward(&mut g, x, Mode::Train).unwrap();
        g.shape(y).expect("of this graph").to_vec()
    };
    assert_eq!(line(Box::new(nn::MaxPool1d::new(3).stride(2).padding(1).dilation(2))), [2, 3, 4]);
    assert_eq!(line(Box::new(nn::AvgPool1d::new(2).ceil_mode(true).count_include_pad(false))), [2, 3, 5]);
    assert_eq!(line(Box::new(nn::AdaptiveAvgPool1d::new(4))), [2, 3, 4]);
    assert_eq!(line(Box::new(nn::AdaptiveMaxPool1d::new(3))), [2, 3, 3]);
    assert_eq!(shape(Box::new(nn::Flatten)), [2, 216]);
    for layer in [Box::new(nn::Relu) as Box<dyn Layer>, Box::new(nn::Sigmoid), Box::new(nn::Tanh)] {
        assert_eq!(shape(layer), [2, 3, 8, 9]);
    }
    assert_eq!(shape(Box::new(nn::Dropout::new(0.5).seed(1))), [2, 3, 8, 9]);
}

#[test]
fn softmax_goes_along_the_axis_given() -> Result<(), Error> {
    let layers: [(Box<dyn Layer>, Softmax); 2] = [
        (Box::new(nn::Softmax::new(1)), Softmax { axis: 1, log: false }),
        (Box::new(nn::LogSoftmax::new(2)), Softmax { axis: 2, log: true }),
    ];
    for (layer, operator) in layers {
        let mut g = Graph::new();
        let x = g.input("x", [2, 3, 5])?;
        layer.forward(&mut g, x, Mode::Eval)?;
        let operators: Vec<String> = g.nodes().map(|(_, node)| format!("{:?}", node.operator)).collect();
        assert_eq!(operators, [format!("{operator:?}")]);
    }
    let error = built(nn::Softmax::new(2), &[2, 3]).map(drop).expect_err("there are two axes").to_string();
    assert!(error.starts_with("softmax \"layer\": axis 2 is outside"), "{error}");
    Ok(())
}

#[test]
fn errors_name_the_layer() {
    let message = |result: Result<(Graph, Value), Error>| result.map(|_| ()).unwrap_err().to_string();
    let error = message(built(nn::Conv2d::new(4, 2, [3, 3]), &[1, 3, 5, 5]));
    assert!(error.contains("conv2d \"layer\": input has 3 channels, weight expects 4"), "{error}");
    let error = message(built(nn::Linear::new(5, 2), &[1, 4]));
    assert!(error.contains("\"layer\""), "{error}");
    for probability in [-0.1, 1.1, f64::NAN] {
        let error = message(built(nn::Dropout::new(probability), &[1, 4]));
        assert!(
            error.starts_with("dropout \"layer\": dropout probability has to be between 0 and 1"),
            "{error}"
        );
    }
    for layer in [nn::Conv2d::new(0, 2, [3, 3]), nn::Conv2d::new(3, 2, [3, 3]).groups(0)] {
        built(layer, &[1, 3, 5, 5]).unwrap_err();
    }
    let twice = nn::Sequential::new().add("fc", nn::Linear::new(4, 4)).add("fc", nn::Linear::new(4, 4));
    let error = message(built(twice, &[1, 4]));
    assert!(error.contains("\"layer.fc.weight\""), "{error}");
}

#[test]
fn containers_name_their_layers_as_pytorch_does() {
    let fc = || nn::Linear::new(4, 4).bias(false);
    let inner = nn::Sequential::new().add("a", fc()).push(fc());
    let net = nn::Sequential::new()
        .push(fc())
        .push(nn::Relu)
        .push(nn::Sequential::new().push(fc()))
        .inline(inner)
        .add("both", nn::Parallel::sum().add("b", fc()).inline(fc()));
    let (g, _) = built(net, &[1, 4]).unwrap();
    let names: Vec<String> =
        g.parameters().into_iter().map(|value| g.value(value).expect("of this graph").name.clone()).collect();
    let expected = ["0", "2.0", "a", "1", "both.b", "both"].map(|name| format!("layer.{name}.weight"));
    assert_eq!(names, expected);
}

/// Rows of any number of dimensions are rows; channels are dealt out; branches multiply.
#[test]
fn layers_of_vision_networks_do_what_pytorchs_do() -> Result<(), Error> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 6, 1, 2])?;
    let net = |name: &str, layer: Box<dyn Layer>| nn::Sequential::new().add(name, layer);
    let shuffle = net("shuffle", Box::new(nn::ChannelShuffle::new(2))).forward(&mut g, x, Mode::Train)?;
    let permute = net("permute", Box::new(nn::Permute::new([0, 2, 3, 1]))).forward(&mut g, x, Mode::Train)?;
    let fc = nn::Linear::new(6, 1).init(Init::Constant(1.0)).bias_init(Init::Constant(0.5));
    let rows = net("fc", Box::new(fc)).forward(&mut g, permute, Mode::Train)?;
    let gate = nn::Parallel::product().inline(nn::GlobalMaxPool2d).identity();
    let gated = net("gate", Box::new(gate)).forward(&mut g, x, Mode::Train)?;
    let outputs = [shuffle, permute, rows, gated];
    let plan = wgrad::Plan::new(&g, &outputs, device().caps())?;
    let mut session = wgrad::Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
    let data: Vec<f32> = (0..12).map(|x| x as f32).collect();
    session.write(x, &data)?;
    session.step()?;
    let mut found = Vec::new();
    for output in outputs {
        found.push((g.shape(output)?.to_vec(), session.read(output)?.to_f64()));
    }
    let expected = [
        (vec![1, 6, 1, 2], vec![0.0, 1.0, 6.0, 7.0, 2.0, 3.0, 8.0, 9.0, 4.0, 5.0, 10.0, 11.0]),
        (vec![1, 1, 2, 6], vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0]),
        (vec![1, 1, 2, 1], vec![30.5, 36.5]),
        (vec![1, 6, 1, 2], vec![0.0, 1.0, 6.0, 9.0, 20.0, 25.0, 42.0, 49.0, 72.0, 81.0, 110.0, 121.0]),
    ];
    assert_eq!(found, expected);
    let debug = format!("{:?}", nn::Parallel::product().identity());
    assert_eq!(debug, "Parallel::product(Sequential())");
    Ok(())
}

#[test]
fn parallel_branches_are_joined() -> Result<(), Error> {
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    let sum = nn::Parallel::sum().identity().add("relu", nn::Relu).add("tanh", nn::Tanh);
    let sum = sum.forward(&mut g, x, Mode::Train)?;
    let rows = nn::Parallel::concatenate(0).add("relu", nn::Relu).identity();
    let rows = rows.forward(&mut g, x, Mode::Train)?;
    let data = [-2.0, -0.5, 0.0, 0.25, 1.0, 3.0];
    let plan = wgrad::Plan::new(&g, &[sum, rows], device().caps())?;
    let mut session = wgrad::Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
    session.write(x, &data)?;
    session.step()?;
    for (x, found) in data.into_iter().zip(session.read(sum)?.to_f64()) {
        let x = f64::from(x);
        assert!((found - (x + x.max(0.0) + x.tanh())).abs() < 1e-6, "{x} {found}");
    }
    let expected: Vec<f64> = data.iter().map(|x| x.max(0.0)).chain(data).map(f64::from).collect();
    assert_eq!(session.read(rows)?.to_f64(), expected);
    assert_eq!(g.shape(rows).expect("of this graph")[..], [4, 3]);
    let error = built(nn::Parallel::sum(), &[1, 4]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "parallel \"layer\": found no branches, expected at least 1");
    let narrow = nn::Sequential::new().add("fc", nn::Linear::new(4, 3));
    let error = built(nn::Parallel::sum().identity().inline(narrow), &[2, 4]).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("add \"layer\": "), "{error}");
    let across = nn::Parallel::concatenate(2).identity().identity();
    let error = built(across, &[2, 4]).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("concatenate \"layer\": "), "{error}");
    Ok(())
}
