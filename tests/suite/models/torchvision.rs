//! Networks against torchvision (`fixtures/models.py`): results, a training step, what it drops, initial values.

use super::{built, evaluated, starts};
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::published::{contents, save, table};
use crate::harness::{device, floats, numbers, relative_error, sweep};
use std::any::Any;
use tempfile::TempDir;
use wgrad::graph::{Distribution, Fan, Init};
use wgrad::nn::{Layer, Sequential, models};
use wgrad::ops::dropout::Dropout;
use wgrad::ops::row_norm::RowNorm;
use wgrad::weights::LoadOptions;
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights, optim};

/// A network under torchvision's name, the names and shapes of its tensors, and the images of the fixture.
struct Network {
    name: &'static str,
    table: &'static str,
    images: [usize; 4],
}

const EFFICIENTNET: Network =
    Network { name: "efficientnet_b0", table: include_str!("efficientnet_b0.txt"), images: [2, 3, 40, 33] };
const CONVNEXT: Network =
    Network { name: "convnext_tiny", table: include_str!("convnext_tiny.txt"), images: [2, 3, 64, 48] };
const DENSENET: Network =
    Network { name: "densenet121", table: include_str!("densenet121.txt"), images: [2, 3, 64, 48] };
const REGNET: Network =
    Network { name: "regnet_y_400mf", table: include_str!("regnet_y_400mf.txt"), images: [2, 3, 40, 33] };
const SHUFFLENET: Network = Network {
    name: "shufflenet_v2_x1_0",
    table: include_str!("shufflenet_v2_x1_0.txt"),
    images: [2, 3, 40, 33],
};

/// All of them. The first has few kernels to compile, and more operators than the others.
const ALL: [Network; 5] = [CONVNEXT, SHUFFLENET, REGNET, EFFICIENTNET, DENSENET];

impl Network {
    fn layers(&self) -> Sequential {
        models::by_name(self.name, 3, 1000).expect("the name is known")
    }

    fn answers(&self) -> Fixture {
        let found = Fixture::all("models").into_iter().find(|fixture| fixture.name == self.name);
        found.expect("the fixture has the network")
    }

    /// Evaluates the network with weights from a file of torchvision's names.
    fn assert_evaluates(&self) -> Result<()> {
        let tensors = contents(&table(self.table));
        let found = evaluated(&self.layers(), &tensors, &numbers(self.images, 1))?;
        let answers = self.answers();
        println!("{}: {:.1e}", self.name, relative_error(answers.array("logits"), &found));
        assert_close(&answers, "logits", &found, 1e-5);
        Ok(())
    }

    /// Compares gradients in evaluation, by all parameters.
    fn assert_differentiates(&self) -> Result<()> {
        let (mut g, loss) = self.loss(Mode::Eval)?;
        let mut gradients = g.backward(loss)?;
        assert_eq!(gradients.len(), g.parameters().len(), "{}: all parameters have gradients", self.name);
        let name = |parameter| g.value(parameter).expect("of this graph").name.clone();
        gradients.sort_by_key(|&(parameter, _)| name(parameter));
        let outputs: Vec<Value> = gradients.iter().map(|&(_, gradient)| gradient).collect();
        let mut session = self.stepped(&g, &outputs)?;
        let answers = self.answers();
        let norms = &answers.array("norms").data;
        assert_eq!(norms.len(), outputs.len());
        let most = norms.iter().copied().fold(0.0, f64::max);
        let mut worst: f64 = 0.0;
        for (&(parameter, gradient), &expected) in gradients.iter().zip(norms) {
            let found = norm(&session.read(gradient)?);
            // Rounding in the largest gradients reaches the smallest ones.
            let error = (found - expected).abs() / expected.max(1e-4 * most);
            assert!(error < 1e-5, "{}, {}: {found}, expected {expected}", self.name, name(parameter));
            worst = worst.max(error);
        }
        println!("{}: gradients {worst:.1e}", self.name);
        Ok(())
    }

    /// Compares the loss of a training step in which nothing is dropped, and the running statistics behind it.
    fn assert_trains(&self) -> Result<()> {
        let (mut g, loss) = self.loss(Mode::Train)?;
        let rate = g.input_scalar("rate")?;
        optim::Sgd::new(rate).minimize(&mut g, loss)?;
        let mut session = self.stepped(&g, &[loss])?;
        let (answers, found) = (self.answers(), session.read(loss)?);
        println!("{}: loss {:.1e}", self.name, relative_error(answers.array("loss"), &found));
        assert_close(&answers, "loss", &found, 1e-5);
        let mut names: Vec<&str> =
            session.weights().names().filter(|name| name.contains(".running_")).collect();
        names.sort_unstable();
        let found = names.iter().map(|name| Ok(norm(&session.weights().read(name)?) as f32));
        let found = found.collect::<Result<Vec<f32>>>()?;
        assert_close(&answers, "statistics", &floats([names.len()], found), 1e-5);
        session.verify().map(drop)
    }

    /// The network without what it drops at random, and its loss.
    fn loss(&self, mode: Mode) -> Result<(Graph, Value)> {
        let mut layers = self.layers();
        without_chance(&mut layers, self.name);
        let mut g = Graph::new();
        let images = g.input("images", self.images)?;
        let labels = g.input_i32("labels", 2)?;
        let logits = layers.forward(&mut g, images, mode)?;
        assert!(dropped(&g).is_empty(), "{}", self.name);
        let loss = g.cross_entropy(logits, labels)?;
        Ok((g, loss))
    }

    /// One step with the fixture's weights and batch.
    fn stepped(&self, g: &Graph, outputs: &[Value]) -> Result<Session> {
        let weights = Weights::init(device(), g, 0)?;
        for (name, tensor) in contents(&table(self.table)) {
            weights.write(&name, tensor.as_f32().expect("it is f32"))?;
        }
        let mut session = Session::new(device(), Plan::new(g, outputs, device().caps())?, &weights)?;
        let input = |name| g.find(name).expect("the graph has this input");
        session.write(input("images"), &numbers(self.images, 1))?;
        session.write(input("labels"), &[3, 5])?;
        if let Some(rate) = g.find("rate") {
            session.write_scalar(rate, 1e-3)?;
        }
        session.step()?;
        Ok(session)
    }
}

/// The root of the sum of squares.
fn norm(tensor: &HostTensor) -> f64 {
    tensor.to_f64().iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Puts nothing in the place of dropout and stochastic depth.
fn without_chance(layers: &mut Sequential, name: &str) {
    let blocks: &[(usize, usize)] = match name {
        "convnext_tiny" => &[(1, 3), (3, 3), (5, 9), (7, 3)],
        "efficientnet_b0" => &[(2, 2), (3, 2), (4, 3), (5, 3), (6, 4)],
        _ => &[],
    };
    for &(stage, blocks) in blocks {
        // In EfficientNet the first block of a stage has nothing to drop.
        for block in usize::from(name == "efficientnet_b0")..blocks {
            let path = format!("features.{stage}.{block}.stochastic_depth");
            layers.replace(&path, Sequential::new()).expect("the layer is there");
        }
    }
    if name == "efficientnet_b0" {
        layers.replace("classifier.0", Sequential::new()).expect("the layer is there");
    }
}

/// The probabilities of a graph's dropouts, in order.
fn dropped(g: &Graph) -> Vec<f64> {
    let dropout = |operator: &dyn Any| operator.downcast_ref::<Dropout>().map(|dropout| dropout.p);
    g.nodes().filter_map(|(_, node)| dropout(&*node.operator)).collect()
}

#[test]
fn efficientnet_computes_what_torchvision_does() -> Result<()> {
    EFFICIENTNET.assert_evaluates()
}

#[test]
fn convnext_computes_what_torchvision_does() -> Result<()> {
    CONVNEXT.assert_evaluates()
}

#[test]
fn densenet_computes_what_torchvision_does() -> Result<()> {
    DENSENET.assert_evaluates()
}

#[test]
fn regnet_computes_what_torchvision_does() -> Result<()> {
    REGNET.assert_evaluates()
}

#[test]
fn shufflenet_computes_what_torchvision_does() -> Result<()> {
    SHUFFLENET.assert_evaluates()
}

#[test]
fn gradients_are_those_of_torchvisions_networks() -> Result<()> {
    ALL[..sweep::count(1, 5)].iter().try_for_each(Network::assert_differentiates)
}

/// In the sweep alone: the kernels of these steps take longer to compile than those of all results above.
#[test]
fn training_steps_are_those_of_torchvisions_networks() -> Result<()> {
    ALL[..sweep::count(0, 5)].iter().try_for_each(Network::assert_trains)
}

/// The file on torchvision's page has `norm.1` where the state dict has `norm1`: docs/pytorch-weights.md renames.
#[test]
fn the_older_names_of_densenet_load() -> Result<()> {
    let weights = Weights::init(device(), &DENSENET.loss(Mode::Eval)?.0, 0)?;
    let older = |name: &str| {
        let name = name.replace(".norm1.", ".norm.1.").replace(".norm2.", ".norm.2.");
        name.replace(".conv1.", ".conv.1.").replace(".conv2.", ".conv.2.")
    };
    let tensors = contents(&table(DENSENET.table));
    let directory = TempDir::new().expect("there is room for temporary files");
    let path = directory.path().join("densenet121.safetensors");
    save(&tensors.iter().map(|(name, tensor)| (older(name), tensor.clone())).collect(), &path);
    assert!(weights.load(&path).is_err());
    let options = LoadOptions::new().rename_with(|name| {
        let name = name.replace(".norm.1.", ".norm1.").replace(".norm.2.", ".norm2.");
        name.replace(".conv.1.", ".conv1.").replace(".conv.2.", ".conv2.")
    });
    let report = weights.load_with(&path, &options)?;
    assert!(report.is_complete(), "{report}");
    for name in ["features.denseblock3.denselayer7.norm2.running_var", "features.transition1.norm.bias"] {
        assert_eq!(weights.read(name)?, tensors[name], "{name}");
    }
    Ok(())
}

/// What training drops, and with which probabilities; evaluation drops nothing.
#[test]
fn blocks_are_dropped_with_torchvisions_probabilities() -> Result<()> {
    for network in ALL {
        let expected = network.answers().array("dropped").data.clone();
        assert_eq!(dropped(&built(&network.layers(), &network.images, Mode::Train)?.0), expected);
        assert!(dropped(&built(&network.layers(), &network.images, Mode::Eval)?.0).is_empty());
    }
    Ok(())
}

/// ConvNeXt's variances are so large that results hardly tell.
#[test]
fn layer_norms_have_torchvisions_epsilon() -> Result<()> {
    let (graph, ..) = built(&CONVNEXT.layers(), &CONVNEXT.images, Mode::Train)?;
    let norm = |operator: &dyn Any| operator.downcast_ref::<RowNorm>().map(|norm| norm.eps);
    let found: Vec<f32> = graph.nodes().filter_map(|(_, node)| norm(&*node.operator)).collect();
    assert_eq!(found, [1e-6; 23]);
    Ok(())
}

/// What torchvision's constructors draw weights from, PyTorch's layers' own where they say nothing.
#[test]
fn parameters_start_as_torchvisions() -> Result<()> {
    let kaiming = |fan| Init::Scaled { fan, gain: f64::sqrt(2.0), distribution: Distribution::Normal };
    let narrow = Init::TruncatedNormal { mean: 0.0, std: 0.02, low: -2.0, high: 2.0 };
    let uniform = |terms: f64| Init::Uniform((1.0 / terms.sqrt()) as f32);
    let zero = Init::Constant(0.0);
    let expected = [
        ("efficientnet_b0", "features.0.0.weight", kaiming(Fan::Out)),
        ("efficientnet_b0", "features.2.0.block.1.0.weight", kaiming(Fan::Out)),
        ("efficientnet_b0", "features.2.0.block.2.fc1.weight", kaiming(Fan::Out)),
        ("efficientnet_b0", "features.2.0.block.2.fc2.bias", zero.clone()),
        ("efficientnet_b0", "features.8.0.weight", kaiming(Fan::Out)),
        // From the outputs, not the inputs.
        ("efficientnet_b0", "classifier.1.weight", uniform(10.0)),
        ("efficientnet_b0", "classifier.1.bias", zero.clone()),
        ("convnext_tiny", "features.0.0.weight", narrow.clone()),
        ("convnext_tiny", "features.0.0.bias", zero.clone()),
        ("convnext_tiny", "features.1.0.layer_scale", Init::Constant(1e-6)),
        ("convnext_tiny", "features.1.0.block.0.weight", narrow.clone()),
        ("convnext_tiny", "features.1.0.block.3.weight", narrow.clone()),
        ("convnext_tiny", "features.1.0.block.5.bias", zero.clone()),
        ("convnext_tiny", "features.2.1.weight", narrow.clone()),
        ("convnext_tiny", "classifier.2.weight", narrow),
        ("convnext_tiny", "classifier.2.bias", zero.clone()),
        ("densenet121", "features.conv0.weight", kaiming(Fan::In)),
        ("densenet121", "features.denseblock2.denselayer3.conv1.weight", kaiming(Fan::In)),
        ("densenet121", "features.denseblock2.denselayer3.conv2.weight", kaiming(Fan::In)),
        ("densenet121", "features.transition1.conv.weight", kaiming(Fan::In)),
        ("densenet121", "classifier.weight", uniform(1024.0)),
        ("densenet121", "classifier.bias", zero.clone()),
        ("regnet_y_400mf", "stem.0.weight", kaiming(Fan::Out)),
        // Normal with deviation sqrt(2 / (3 x 3 x 48)): of a weight [48, 8, 3, 3] that is the fan.
        ("regnet_y_400mf", "trunk_output.block1.block1-0.f.b.0.weight", kaiming(Fan::Out)),
        ("regnet_y_400mf", "trunk_output.block1.block1-0.proj.0.weight", kaiming(Fan::Out)),
        ("regnet_y_400mf", "trunk_output.block1.block1-0.f.se.fc1.weight", kaiming(Fan::Out)),
        ("regnet_y_400mf", "trunk_output.block1.block1-0.f.se.fc1.bias", uniform(48.0)),
        ("regnet_y_400mf", "trunk_output.block1.block1-0.f.se.fc2.bias", uniform(8.0)),
        ("regnet_y_400mf", "fc.weight", Init::Normal { mean: 0.0, std: 0.01 }),
        ("regnet_y_400mf", "fc.bias", zero),
        ("shufflenet_v2_x1_0", "conv1.0.weight", uniform(27.0)),
        ("shufflenet_v2_x1_0", "stage2.0.branch1.0.weight", uniform(9.0)),
        ("shufflenet_v2_x1_0", "stage2.1.branch2.0.weight", uniform(58.0)),
        ("shufflenet_v2_x1_0", "fc.weight", uniform(1024.0)),
        ("shufflenet_v2_x1_0", "fc.bias", uniform(1024.0)),
    ];
    for (network, parameter, init) in expected {
        let layers = models::by_name(network, 3, 10).expect("the name is known");
        assert_eq!(starts(&layers, parameter)?, init, "{network}, {parameter}");
    }
    Ok(())
}
