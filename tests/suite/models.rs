//! Published networks: tensors, sizes and costs, files of weights, results, and summaries.

mod forward;
mod published;
mod torchvision;

use crate::harness;
use crate::harness::network::{Training, training_of};
use crate::harness::published::{arrays, contents, save, table};
use crate::harness::{array, device, numbers, relative_error};
use forward::State;
use published::{Published, published};
use std::collections::BTreeMap;
use tempfile::TempDir;
use wgrad::graph::{Distribution, Fan, Init, Source, SummaryRow};
use wgrad::nn::models::{self, ResNet};
use wgrad::nn::{Layer, Sequential};
use wgrad::op::{AdapterKind, Array};
use wgrad::{Caps, Graph, HostTensor, Mode, Plan, Result, Session, Shape, Value, Weights, optim};

/// The network on images of this shape, and its output.
fn built(network: &Sequential, images: &[usize], mode: Mode) -> Result<(Graph, Value, Value)> {
    let mut graph = Graph::new();
    let images = graph.input("images", images)?;
    let output = network.forward(&mut graph, images, mode)?;
    Ok((graph, images, output))
}

/// Names and shapes of all that files of a graph's weights hold.
fn held(graph: &Graph) -> BTreeMap<String, Vec<usize>> {
    let in_file =
        |source: &Source| matches!(source, Source::Parameter(_) | Source::State { in_state_dict: true, .. });
    graph
        .values()
        .filter(|(_, info)| in_file(&info.source))
        .map(|(_, info)| (info.name.clone(), info.ty.shape.to_vec()))
        .collect()
}

#[test]
fn tensors_and_costs_are_the_published_ones() -> Result<()> {
    for Published {
        name,
        network,
        images: [channels, height, width],
        table: text,
        parameters,
        multiply_adds,
    } in published()
    {
        let expected = table(text);
        let trained = expected.iter().filter(|(name, _)| !name.contains(".running_"));
        let counted: usize = trained.map(|(_, sizes)| sizes.iter().product::<usize>()).sum();
        assert_eq!(counted as u64, parameters, "{name}: the table itself");
        for mode in [Mode::Train, Mode::Eval] {
            let (graph, _, logits) = built(&network, &[2, channels, height, width], mode)?;
            assert_eq!(held(&graph), expected, "{name}");
            let summary = graph.summary(logits)?;
            assert_eq!(summary.parameters(), parameters, "{name}");
            let running = expected.iter().filter(|(name, _)| name.contains(".running_"));
            assert_eq!(summary.state, running.map(|(_, sizes)| sizes[0] as u64).sum::<u64>(), "{name}");
            if let Some(expected) = multiply_adds {
                let found = summary.multiply_adds() as f64 / 2.0 / 1e9;
                assert!((found - expected).abs() <= 0.0005, "{name}: {found}, published {expected}");
            }
        }
    }
    Ok(())
}

/// Evaluates `network` with these tensors, from a file of them.
fn evaluated(
    network: &Sequential,
    tensors: &BTreeMap<String, HostTensor>,
    images: &HostTensor,
) -> Result<HostTensor> {
    let (graph, input, logits) = built(network, &images.shape, Mode::Eval)?;
    let weights = Weights::init(device(), &graph, 0)?;
    let directory = TempDir::new().expect("there is room for temporary files");
    let path = directory.path().join("state_dict.safetensors");
    save(tensors, &path);
    weights.load(&path)?;
    for (name, tensor) in tensors {
        assert_eq!(weights.read(name)?, *tensor, "{name}");
    }
    let mut session = Session::new(device(), Plan::new(&graph, &[logits], device().caps())?, &weights)?;
    session.write(input, images)?;
    session.step()?;
    session.read(logits)
}

/// Compares a network with what it is published as, both with the tensors of one file.
fn agree(
    name: &str,
    network: &Sequential,
    tensors: &BTreeMap<String, Vec<usize>>,
    images: &HostTensor,
    definition: impl Fn(&State, &Array) -> Array,
) -> Result<()> {
    let tensors = contents(tensors);
    let expected = definition(&State(arrays(&tensors)), &array(images));
    let found = evaluated(network, &tensors, images)?;
    let error = relative_error(&expected, &found);
    println!("{name}: {error:.1e}, the largest {:.1e}", expected.largest());
    assert!(error < 1e-4, "{name} is off by {error:.1e}");
    Ok(())
}

#[test]
fn resnets_compute_what_is_published_from_files_of_their_names() -> Result<()> {
    let images = numbers([2, 3, 40, 33], 1);
    let tensors = table(include_str!("models/resnet18.txt"));
    agree("ResNet-18", &models::resnet18(3, 1000), &tensors, &images, |state, x| {
        forward::resnet(state, [2, 2, 2, 2], x)
    })?;
    let narrow = ResNet::bottleneck([2, 1, 2, 1]).width(4).build(3, 7);
    let tensors = held(&built(&narrow, &images.shape, Mode::Eval)?.0);
    agree("bottlenecks", &narrow, &tensors, &images, |state, x| forward::resnet(state, [2, 1, 2, 1], x))
}

#[test]
fn mobilenet_computes_what_is_published_from_a_file_of_its_names() -> Result<()> {
    let tensors = table(include_str!("models/mobilenet_v2.txt"));
    let network = models::mobilenet_v2(3, 1000);
    agree("MobileNetV2", &network, &tensors, &numbers([2, 3, 40, 33], 1), forward::mobilenet_v2)
}

#[test]
fn unet_computes_what_is_published() -> Result<()> {
    let network = models::unet(2, 3, 4);
    let images = numbers([2, 2, 32, 48], 1);
    let tensors = held(&built(&network, &images.shape, Mode::Eval)?.0);
    agree("U-Net", &network, &tensors, &images, forward::unet)
}

/// The initial value of a parameter.
fn starts(network: &Sequential, name: &str) -> Result<Init> {
    let (graph, ..) = built(network, &[2, 3, 32, 32], Mode::Train)?;
    let value = graph.find(name).unwrap_or_else(|| panic!("no {name}"));
    let Source::Parameter(init) = graph.value(value).expect("of this graph").source.clone() else {
        panic!("{name} is trained")
    };
    Ok(init)
}

/// What torchvision's constructors draw weights from, PyTorch's layers' own where they say nothing.
#[test]
fn parameters_start_as_the_published_ones() -> Result<()> {
    // kaiming_normal_(mode="fan_out"), of which the default nonlinearity has ReLU's gain, the root of 2.
    let kaiming = || Init::Scaled { fan: Fan::Out, gain: f64::sqrt(2.0), distribution: Distribution::Normal };
    let narrow = || Init::Normal { mean: 0.0, std: 0.01 };
    let zero = || Init::Constant(0.0);
    let resnet = models::resnet18(3, 10);
    assert_eq!(starts(&resnet, "conv1.weight")?, kaiming());
    assert_eq!(starts(&resnet, "layer2.0.downsample.0.weight")?, kaiming());
    assert_eq!(starts(&resnet, "fc.weight")?, Init::Uniform(1.0 / f32::sqrt(512.0)));
    assert_eq!(starts(&resnet, "fc.bias")?, Init::Uniform(1.0 / f32::sqrt(512.0)));
    let vgg = models::vgg11_bn(3, 10);
    assert_eq!(starts(&vgg, "features.4.weight")?, kaiming());
    assert_eq!(starts(&vgg, "features.4.bias")?, zero());
    for layer in [0, 3, 6] {
        assert_eq!(starts(&vgg, &format!("classifier.{layer}.weight"))?, narrow());
        assert_eq!(starts(&vgg, &format!("classifier.{layer}.bias"))?, zero());
    }
    let mobilenet = models::mobilenet_v2(3, 10);
    for name in ["features.0.0", "features.2.conv.1.0", "features.17.conv.2", "features.18.0"] {
        assert_eq!(starts(&mobilenet, &format!("{name}.weight"))?, kaiming());
    }
    assert_eq!(starts(&mobilenet, "classifier.1.weight")?, narrow());
    assert_eq!(starts(&mobilenet, "classifier.1.bias")?, zero());
    let unet = models::unet(3, 1, 4);
    assert_eq!(starts(&unet, "encoder1.enc1conv1.weight")?, Init::Uniform(1.0 / f32::sqrt(27.0)));
    // A transposed convolution's bound goes by the weight's second dimension.
    assert_eq!(starts(&unet, "upconv1.bias")?, Init::Uniform(0.25));
    Ok(())
}

/// Networks that differ from those above in their depth alone.
#[test]
fn deeper_networks_have_the_published_sizes() -> Result<()> {
    let networks = [
        ("ResNet-34", models::resnet34(3, 1000), 21_797_672, 3.664),
        ("VGG-16", models::vgg16(3, 1000), 138_357_544, 15.47),
        ("VGG-16 with batch norm", models::vgg16_bn(3, 1000), 138_365_992, 15.47),
    ];
    for (name, network, parameters, multiply_adds) in networks {
        let (graph, _, logits) = built(&network, &[1, 3, 224, 224], Mode::Eval)?;
        let summary = graph.summary(logits)?;
        assert_eq!(summary.parameters(), parameters, "{name}");
        let found = summary.multiply_adds() as f64 / 1e9;
        assert!((found - multiply_adds).abs() <= 0.0005, "{name}: {found}, published {multiply_adds}");
    }
    Ok(())
}

#[test]
fn impossible_sizes_are_errors() {
    let most = usize::MAX;
    let networks = [
        models::lenet5(1, 0),
        models::lenet5(1, most),
        models::resnet18(0, 10),
        models::vgg11(1, most),
        models::mobilenet_v2(most, 10),
        models::convnext_tiny(0, 10),
        models::densenet121(1, most),
        models::efficientnet_b0(1, 0),
        models::regnet_y_400mf(most, 10),
        models::shufflenet_v2_x1_0(1, 0),
        models::unet(1, 1, 0),
        models::unet(1, most, most),
        ResNet::basic([1, 1, 1, 1]).width(0).build(1, 10),
        ResNet::bottleneck([0, 1, 0, 2]).width(most).build(1, 10),
    ];
    for network in networks {
        let error = built(&network, &[1, 1, 32, 32], Mode::Train).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains('"'), "names the layer: {error}");
    }
    // U-Net halves its images four times; what is not as large afterwards does not fit beside it.
    let error =
        built(&models::unet(1, 1, 2), &[1, 1, 32, 40], Mode::Eval).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("concatenate"), "{error}");
    built(&models::vgg11(3, 2), &[1, 3, 31, 32], Mode::Eval).map(|_| ()).unwrap_err();
    built(&models::convnext_tiny(3, 2), &[1, 3, 31, 32], Mode::Eval).map(|_| ()).unwrap_err();
    built(&models::densenet121(3, 2), &[1, 3, 29, 28], Mode::Eval).map(|_| ()).unwrap_err();
}

/// What stands between the convolutions of VGG-11 in training, which names and sizes do not tell.
#[test]
fn vgg_has_its_activations_pooling_and_dropout_where_they_are_published() -> Result<()> {
    let (graph, _, logits) = built(&models::vgg11(3, 10), &[1, 3, 64, 96], Mode::Train)?;
    let rows = graph.summary(logits)?.rows;
    let operators: Vec<&str> = rows.iter().map(|row| row.operator).collect();
    let stages = [
        "conv2d relu max_pool2d conv2d relu max_pool2d conv2d relu conv2d relu max_pool2d",
        "conv2d relu conv2d relu max_pool2d conv2d relu conv2d relu max_pool2d",
        "adaptive_avg_pool2d reshape linear relu dropout linear relu dropout linear",
    ];
    assert_eq!(operators.join(" "), stages.join(" "));
    Ok(())
}

/// A whole training step fits WebGPU's default limits on every kind of adapter, but for VGG, of which one
/// weight alone is larger than what is bound at most there.
#[test]
fn training_steps_can_be_planned() -> Result<()> {
    for Published { name, network, images: [channels, height, width], .. } in published() {
        let Training { graph, loss, .. } = training_of(&network, [1, channels, height, width])?;
        for kind in
            [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software]
        {
            let mut caps = Caps::webgpu_defaults(kind);
            if name.starts_with("VGG") {
                let error = Plan::new(&graph, &[loss], &caps).unwrap_err().to_string();
                assert!(error.contains("classifier.0"), "{name} on {kind}: {error}");
                (caps.max_binding_bytes, caps.max_buffer_bytes) = (1 << 30, 1 << 30);
            }
            Plan::new(&graph, &[loss], &caps).unwrap_or_else(|e| panic!("{name} on {kind}: {e}"));
        }
    }
    Ok(())
}

/// Gradients through skips and transposed convolutions: each node of a step agrees with the reference, and the
/// loss of one batch falls.
#[test]
fn a_narrow_unet_trains_and_verifies() -> Result<()> {
    let Training { graph, images, labels, rate, loss } = training_of(&models::unet(1, 3, 2), [2, 1, 32, 16])?;
    let plan = Plan::new(&graph, &[loss], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 3)?)?;
    session.write(images, &numbers([2, 1, 32, 16], 1))?;
    session.write(labels, &harness::labels(2 * 32 * 16, 3, 2))?;
    session.write_scalar(rate, 0.1)?;
    session.verify()?;
    session.step()?;
    let first = session.read(loss)?.to_f64()[0];
    for _ in 0..20 {
        session.step()?;
    }
    let last = session.read(loss)?.to_f64()[0];
    assert!(last < first, "{first} {last}");
    Ok(())
}

/// Worked by hand: outputs, 5 x 5 x channels + 1 numbers for each map, as many multiply-adds less the bias for
/// each pixel, four bytes a number.
#[test]
fn the_summary_of_lenet_is_the_one_worked_by_hand() -> Result<()> {
    let (mut graph, _, logits) = built(&models::lenet5(1, 10), &[1, 1, 28, 28], Mode::Train)?;
    let row = |layer: &str, operator, shape: &[usize], parameters: u64, multiply_adds: u64, bytes: u64| {
        (layer.to_owned(), operator, Shape::from(shape), parameters, multiply_adds, bytes)
    };
    let expected = [
        row("conv1", "conv2d", &[1, 6, 28, 28], 156, 117_600, 18_816),
        row("tanh1", "tanh", &[1, 6, 28, 28], 0, 0, 18_816),
        row("pool1", "avg_pool2d", &[1, 6, 14, 14], 0, 0, 4_704),
        row("conv2", "conv2d", &[1, 16, 10, 10], 2_416, 240_000, 6_400),
        row("tanh2", "tanh", &[1, 16, 10, 10], 0, 0, 6_400),
        row("pool2", "avg_pool2d", &[1, 16, 5, 5], 0, 0, 1_600),
        row("flatten", "reshape", &[1, 400], 0, 0, 0),
        row("fc1", "linear", &[1, 120], 48_120, 48_000, 480),
        row("tanh3", "tanh", &[1, 120], 0, 0, 480),
        row("fc2", "linear", &[1, 84], 10_164, 10_080, 336),
        row("tanh4", "tanh", &[1, 84], 0, 0, 336),
        row("fc3", "linear", &[1, 10], 850, 840, 40),
    ];
    let summary = graph.summary(logits)?;
    let of_row = |r: &SummaryRow| {
        (r.layer.clone(), r.operator, r.shape.clone(), r.parameters, r.multiply_adds, r.bytes)
    };
    assert_eq!(summary.rows.iter().map(of_row).collect::<Vec<_>>(), expected);
    assert_eq!((summary.parameters(), summary.multiply_adds(), summary.bytes()), (61_706, 416_520, 58_408));
    let text = summary.to_string();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    let words = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(line("layer")), "layer operator output parameters multiply-adds bytes");
    assert_eq!(words(line("conv2")), "conv2 conv2d [1, 16, 10, 10] 2416 240000 6400");
    assert_eq!(words(line("total")), "total 61706 416520 58408");
    assert_eq!(line("parameters take"), "parameters take 246824 bytes, state 0");
    assert!(
        text.lines().take(14).all(|line| line.len() == text.find('\n').unwrap()),
        "columns align:\n{text}"
    );

    // Gradients and updates are no part of the network, and what two layers share counts once.
    let labels = graph.input_i32("labels", 1)?;
    let loss = graph.cross_entropy(logits, labels)?;
    let rate = graph.input_scalar("learning_rate")?;
    optim::Sgd::new(rate).minimize(&mut graph, loss)?;
    assert_eq!(graph.summary(logits)?, summary);
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 8])?;
    let weight = graph.parameter("weight", [8, 8], Init::Constant(0.5))?;
    let y = graph.linear(x, weight, None)?;
    let y = graph.linear(y, weight, None)?;
    assert_eq!(graph.summary(y)?.parameters(), 64);
    Ok(())
}
