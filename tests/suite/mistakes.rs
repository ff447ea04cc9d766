//! Networks that can't be built or don't fit are refused before anything runs. The error has the layer's name and
//! says what to change. No GPU is needed.

use crate::harness;
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::{Caps, Error, Graph, HostTensor, Mode, Plan, Result};

/// The error of a layer called "layer" on an input of this shape.
fn refused(layer: impl Layer + 'static, shape: &[usize]) -> String {
    let mut g = Graph::new();
    let x = g.input("x", shape).expect("the input is valid");
    let before = g.nodes().count();
    let net = nn::Sequential::new().add("layer", layer);
    let error = net.forward(&mut g, x, Mode::Train).expect_err("the layer does not fit");
    assert_eq!(g.nodes().count(), before, "what was refused left no node");
    error.to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "expected \"{part}\" in: {message}");
    }
}

#[test]
fn channels_and_ranks_that_do_not_fit_are_refused() {
    let conv = || nn::Conv2d::new(4, 2, [3, 3]);
    assert_says(&refused(conv(), &[1, 3, 5, 5]), &["conv2d \"layer\"", "3 channels", "expects 4"]);
    assert_says(&refused(conv(), &[3, 5, 5]), &["conv2d \"layer\"", "[3, 5, 5]"]);
    assert_says(&refused(nn::Linear::new(12, 2), &[5, 11]), &["\"layer\"", "11", "12"]);
    assert_says(&refused(nn::Linear::new(12, 2), &[5, 3, 11]), &["linear \"layer\"", "[5, 3, 11]"]);
    for (groups, shape) in [(4, &[1, 6, 2, 2][..]), (0, &[1, 6]), (2, &[6])] {
        assert_says(
            &refused(nn::ChannelShuffle::new(groups), shape),
            &["channel_shuffle \"layer\"", "expects"],
        );
    }
    assert_says(&refused(nn::Permute::new([0, 2, 2]), &[1, 2, 3]), &["permute \"layer\"", "[0, 2, 2]"]);
    assert_says(&refused(nn::BatchNorm::new(4), &[2, 3, 5, 5]), &["batch_norm \"layer\"", "3", "4"]);
    assert_says(&refused(nn::MaxPool2d::new([2, 2]), &[2, 3]), &["max_pool2d \"layer\"", "[2, 3]"]);
}

#[test]
fn windows_larger_than_the_padded_input_are_refused() {
    let conv = nn::Conv2d::new(1, 2, [3, 6]).padding([0, 1]);
    assert_says(&refused(conv, &[1, 1, 5, 3]), &["conv2d \"layer\"", "covers 6", "padded input has only 5"]);
    assert_says(&refused(nn::MaxPool2d::new([6, 2]), &[1, 1, 5, 5]), &["max_pool2d \"layer\"", "6", "5"]);
    assert_says(&refused(nn::AvgPool2d::new([2, 6]), &[1, 1, 5, 5]), &["avg_pool2d \"layer\"", "6", "5"]);
    // With padding enough it fits exactly once.
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 4, 4]).expect("the input is valid");
    let net = nn::Sequential::new().add("layer", nn::Conv2d::new(1, 2, [6, 6]).padding([1, 1]));
    let y = net.forward(&mut g, x, Mode::Train).expect("the kernel covers the padded input");
    assert_eq!(g.shape(y).expect("of this graph")[..], [1, 2, 1, 1]);
}

#[test]
fn nothing_has_no_size() {
    let mut g = Graph::new();
    for shape in [&[0, 1, 28, 28][..], &[1, 0, 28, 28], &[1, 1, 28, 0]] {
        let error = g.input("images", shape).expect_err("a size is zero").to_string();
        assert_says(&error, &["images", "at least 1"]);
    }
    assert_says(&g.input_i32("labels", 0).expect_err("no labels").to_string(), &["labels", "at least 1"]);
    assert_says(
        &g.input_i32("pixels", [2, 0, 3]).expect_err("no pixels").to_string(),
        &["pixels", "at least 1"],
    );
    assert_says(&refused(nn::Conv2d::new(1, 0, [3, 3]), &[1, 1, 5, 5]), &["layer.weight", "at least 1"]);
    assert_says(&refused(nn::Conv2d::new(1, 2, [0, 3]), &[1, 1, 5, 5]), &["layer.weight", "at least 1"]);
    assert_says(&refused(nn::Linear::new(4, 0), &[1, 4]), &["layer.weight", "at least 1"]);
    assert_says(&refused(nn::BatchNorm::new(0), &[1, 4]), &["layer.weight", "at least 1"]);
    for pool in [nn::MaxPool2d::new([2, 0]), nn::MaxPool2d::new([2, 2]).stride([0, 1])] {
        assert_says(&refused(pool, &[1, 1, 5, 5]), &["max_pool2d \"layer\""]);
    }
    let stride = nn::Conv2d::new(1, 2, [3, 3]).stride([1, 0]);
    assert_says(&refused(stride, &[1, 1, 5, 5]), &["conv2d \"layer\"", "stride"]);
}

#[test]
fn attributes_out_of_range_are_refused_under_the_layers_name() {
    for probability in [-0.1, 1.1, f64::NAN] {
        let words = "probability has to be between 0 and 1";
        let error = refused(nn::Dropout::new(probability), &[1, 4]);
        assert_says(&error, &["dropout \"layer\"", words]);
        assert_says(&refused(nn::Dropout2d::new(probability), &[1, 4]), &["dropout2d \"layer\"", words]);
        let error = refused(nn::StochasticDepth::new(probability), &[1, 4]);
        assert_says(&error, &["stochastic_depth \"layer\"", words]);
    }
    let untracked = nn::BatchNorm::new(3).track_running_stats(false).freeze_statistics().affine(false);
    assert_says(&refused(untracked, &[4, 3]), &["batch_norm \"layer\"", "leave track_running_stats on"]);
}

#[test]
fn labels_must_match_the_logits() -> Result<()> {
    let mut g = Graph::new();
    let logits = g.input("logits", [8, 10])?;
    let labels = g.input_i32("labels", 7)?;
    for error in [g.cross_entropy(logits, labels), g.correct_predictions(logits, labels)] {
        assert_says(&error.expect_err("a label is missing").to_string(), &["8 rows", "7 labels"]);
    }
    let images = g.input("images", [7, 1, 2, 2])?;
    let error = g.cross_entropy(images, labels).expect_err("each pixel has a label");
    assert_says(&error.to_string(), &["labels of shape [7, 2, 2]", "logits [7, 1, 2, 2]", "found i32[7]"]);
    let flat = g.input("flat", [7])?;
    let error = g.cross_entropy(flat, labels).expect_err("there are no classes");
    assert_says(&error.to_string(), &["[rows, classes] or [N, classes, ...]", "f32[7]"]);
    let error = g.cross_entropy(logits, logits).expect_err("labels are whole numbers");
    assert_says(&error.to_string(), &["i32 labels", "f32[8, 10]"]);
    Ok(())
}

#[test]
fn values_of_another_graph_and_names_given_twice_are_refused() -> Result<()> {
    let (mut small, mut large) = (Graph::new(), Graph::new());
    for i in 0..4 {
        large.input(&format!("x{i}"), [2])?;
    }
    let foreign = large.input("foreign", [2])?;
    let own = small.input("own", [2])?;
    let error = small.add(own, foreign).expect_err("the value is not of this graph");
    assert_says(&error.to_string(), &["another graph"]);
    // A number that this graph has too does not make it this graph's value.
    let first = large.find("x0").expect("it was made above");
    let loss = small.input_scalar("loss")?;
    let another = "another graph";
    for error in [
        small.relu(first).map(drop),
        small.flatten(first).map(drop),
        small.gradients(loss, &[first]).map(drop),
        wgrad::optim::Sgd::new(loss).minimize(&mut small, first),
        Plan::new(&small, &[first], &Caps::webgpu_defaults(AdapterKind::Software)).map(drop),
    ] {
        assert_says(&error.expect_err("the value is not of this graph").to_string(), &[another]);
    }
    let error = small.input("own", [3]).expect_err("the name is taken");
    assert_says(&error.to_string(), &["own", "takes a name"]);
    let weight = small.parameter("w", [1, 1, 1, 1], wgrad::graph::Init::Constant(0.0))?;
    let error = small.conv2d(own, weight, None, Conv2dOptions::new()).expect_err("a vector is no image");
    assert_says(&error.to_string(), &["conv2d", "[2]"]);
    Ok(())
}

#[test]
fn the_largest_batch_that_is_named_is_the_largest_that_fits() -> Result<()> {
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        let caps = Caps::webgpu_defaults(kind);
        let plan = |batch: usize| {
            let training = harness::network::training(batch).expect("the network is valid");
            Plan::new(&training.graph, &[training.loss], &caps)
        };
        for asked in [20_000, 100_000] {
            match plan(asked) {
                Err(Error::Limit { operator, node, message, largest_batch: Some(batch) }) => {
                    assert_eq!((operator.as_str(), node.as_str()), ("conv2d", "conv1"), "{kind}");
                    assert!(message.contains("134217728"), "{message}");
                    // 8 channels of 28 x 28 floats for each image, and a binding of 128 MiB.
                    assert!(batch <= (128 << 20) / (8 * 28 * 28 * 4), "{kind}: {batch}");
                    plan(batch).unwrap_or_else(|e| panic!("{kind}: {batch} was said to fit: {e}"));
                    let more = plan(batch + 1).expect_err("one more does not fit");
                    assert!(matches!(more, Error::Limit { .. }), "{more}");
                }
                other => panic!("{kind}: expected the limit to be found, found {:?}", other.map(|_| ())),
            }
        }
    }
    Ok(())
}

#[test]
fn tensors_hold_as_many_numbers_as_their_shape_has_elements() {
    let message = |made: Result<HostTensor>| made.expect_err("a number is missing").to_string();
    let expected = "value \"tensor\": shape [2, 3] has 6 elements, the tensor holds 5";
    assert_eq!(message(HostTensor::f32([2, 3], vec![0.0; 5])), expected);
    assert_eq!(message(HostTensor::i32([2, 3], vec![0; 5])), expected);
    assert_eq!(message(HostTensor::u32([2, 3], vec![0; 5])), expected);
    assert_says(
        &message(HostTensor::f32([usize::MAX, 2], Vec::new())),
        &["has 18446744073709551615 elements"],
    );
    for (tensor, ty) in [
        (HostTensor::f32([], vec![1.0]), "f32[]"),
        (HostTensor::i32([2], vec![-1, 1]), "i32[2]"),
        (HostTensor::u32([1, 0], Vec::new()), "u32[1, 0]"),
    ] {
        assert_eq!(tensor.expect("it fits").ty().to_string(), ty);
    }
}
