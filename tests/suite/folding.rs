//! Batch norms folded into the weights before them, beside the same networks without folding and a worked example.

use crate::harness::{device, numbers};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer, models};
use wgrad::ops::batch_norm::{Momentum, Running};
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::optim;
use wgrad::weights::FoldedGraph;
use wgrad::{Graph, Mode, Plan, Result, Session, Value, Weights};

/// Weights with running statistics as after some training.
fn weights(graph: &Graph) -> Result<Weights> {
    let weights = Weights::init(device(), graph, 5)?;
    let names: Vec<String> = weights.names().map(String::from).collect();
    for (i, name) in names.iter().enumerate() {
        let elements = weights.read(name)?.shape.elements();
        let random = floats(elements, i as u64 + 1);
        let written: Vec<f32> = match name.rsplit('.').next() {
            Some("running_mean") => random.iter().map(|x| 0.3 * x).collect(),
            Some("running_var") => random.iter().map(|x| 0.5 + x.abs()).collect(),
            Some("weight") if weights.read(name)?.shape.len() == 1 => {
                random.iter().map(|x| 0.8 + 0.4 * x).collect()
            }
            Some("bias") => random.iter().map(|x| 0.4 * x).collect(),
            _ => continue,
        };
        weights.write(name, &written)?;
    }
    Ok(weights)
}

fn floats(elements: usize, seed: u64) -> Vec<f32> {
    numbers(elements, seed).as_f32().expect("they are floats").to_vec()
}

fn output(graph: &Graph, weights: &Weights, x: Value, y: Value) -> Result<Vec<f32>> {
    let mut session = Session::new(device(), Plan::new(graph, &[y], device().caps())?, weights)?;
    session.write(x, &floats(graph.shape(x)?.elements(), 77))?;
    session.step()?;
    Ok(session.read(y)?.as_f32().expect("outputs are floats").to_vec())
}

fn norms(graph: &Graph) -> usize {
    graph.nodes().filter(|(_, node)| node.operator.name() == "batch_norm_eval").count()
}

/// Folds a graph of random weights, and compares both.
fn compare(graph: &Graph, x: Value, y: Value, expected: usize, what: &str) -> Result<FoldedGraph> {
    let folded = FoldedGraph::new(graph, &[y])?;
    assert_eq!(folded.batch_norms(), expected, "{what}");
    assert_eq!(norms(folded.graph()) + expected, norms(graph), "{what}");
    let weights = weights(graph)?;
    let plain = output(graph, &weights, x, y)?;
    let found = output(folded.graph(), &weights.folded(&[&folded])?, x, y)?;
    let largest = plain.iter().fold(0f32, |most, x| most.max(x.abs()));
    for (i, (found, plain)) in found.iter().zip(&plain).enumerate() {
        let error = (found - plain).abs();
        assert!(error <= 1e-5 * largest, "{what}: {found} at {i}, expected {plain}, largest {largest}");
    }
    assert_eq!(found.len(), plain.len(), "{what}");
    Ok(folded)
}

fn network(shape: &[usize], layers: nn::Sequential) -> Result<(Graph, Value, Value)> {
    let mut graph = Graph::new();
    let x = graph.input("x", shape)?;
    let y = layers.forward(&mut graph, x, Mode::Eval)?;
    Ok((graph, x, y))
}

/// w = 3, b = 1; mean 5, variance 15, eps 1, weight 2, bias -4. So s = 2 / 4, the folded weight is 3 s = 1.5, and the bias
/// (1 - 5) s - 4 = -6.
#[test]
fn a_channel_by_hand() -> Result<()> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 1, 2])?;
    let w = g.parameter("w", [1, 1, 1, 1], Init::Constant(3.0))?;
    let mut number = |name: &str, number: f32| g.parameter(name, [1], Init::Constant(number));
    let (b, gamma, beta) = (number("b", 1.0)?, number("gamma", 2.0)?, number("beta", -4.0)?);
    let mut state = |name: &str, number: f32| g.state(name, [1], Init::Constant(number), true);
    let (mean, variance) = (state("mean", 5.0)?, state("variance", 15.0)?);
    let running = Running { mean, variance, momentum: Momentum::Share(0.1) };
    let conv = g.conv2d(x, w, Some(b), Conv2dOptions::default())?;
    let y = g.batch_norm(conv, Some([gamma, beta]), Some(running), 1.0, Mode::Eval)?;
    let folded = FoldedGraph::new(&g, &[y])?;
    let weights = Weights::init(device(), &g, 0)?.folded(&[&folded])?;
    let names: Vec<&str> = weights.names().collect();
    assert_eq!(names, ["batch_norm_eval.folded_bias", "batch_norm_eval.folded_weight"]);
    assert_eq!(weights.read(names[0])?.as_f32(), Some(&[-6.0][..]));
    assert_eq!(weights.read(names[1])?.as_f32(), Some(&[1.5][..]));
    let mut session = Session::new(device(), Plan::new(folded.graph(), &[y], device().caps())?, &weights)?;
    session.write(x, &[2.0, -1.0])?;
    session.step()?;
    assert_eq!(session.read(y)?.as_f32(), Some(&[-3.0, -7.5][..]));
    Ok(())
}

#[test]
fn convolutions_and_linear_layers_take_batch_norms() -> Result<()> {
    let conv = |inputs, outputs, kernel| nn::Conv2d::new(inputs, outputs, kernel);
    let norm = nn::BatchNorm::new;
    let new = nn::Sequential::new;
    let cases: [(&str, &[usize], nn::Sequential, usize); 11] = [
        ("with a bias", &[2, 3, 5, 7], new().add("a", conv(3, 5, [3, 3])).add("b", norm(5)), 1),
        ("without", &[2, 3, 5, 7], new().add("a", conv(3, 5, [3, 2]).bias(false)).add("b", norm(5)), 1),
        ("not affine", &[1, 3, 5, 5], new().add("a", conv(3, 4, [1, 1])).add("b", norm(4).affine(false)), 1),
        ("grouped", &[3, 6, 5, 4], new().add("a", conv(6, 9, [3, 3]).groups(3)).add("b", norm(9)), 1),
        ("depthwise", &[1, 7, 9, 9], new().add("a", conv(7, 7, [5, 5]).groups(7)).add("b", norm(7)), 1),
        (
            "one dimension",
            &[2, 3, 17],
            new().add("a", nn::Conv1d::new(3, 4, 5)).add("b", norm(4)).add("c", nn::Relu),
            1,
        ),
        ("linear", &[5, 13], new().add("a", nn::Linear::new(13, 11)).add("b", norm(11)), 1),
        (
            "two in a row",
            &[2, 3, 5, 7],
            new().add("a", conv(3, 5, [3, 3])).add("b", norm(5)).add("c", norm(5)).add("d", nn::Relu),
            1,
        ),
        (
            "behind an activation",
            &[2, 3, 5, 7],
            new().add("a", conv(3, 5, [3, 3])).add("b", nn::Relu).add("c", norm(5)),
            0,
        ),
        (
            "transposed",
            &[2, 3, 5, 7],
            new().add("a", nn::ConvTranspose2d::new(3, 5, [3, 3])).add("b", norm(5)),
            0,
        ),
        (
            "rows of channels",
            &[2, 3, 1, 4],
            new().add("a", conv(3, 5, [1, 1])).add("b", nn::Flatten).add("c", norm(20)),
            0,
        ),
    ];
    for (what, shape, layers, expected) in cases {
        let (g, x, y) = network(shape, layers)?;
        compare(&g, x, y, expected, what)?;
    }
    Ok(())
}

/// DenseNet normalises what it joins, so that half of its batch norms have no convolution before them.
#[test]
fn published_networks_are_folded() -> Result<()> {
    let expected = [
        ("resnet18", 20, 0),
        ("resnet50", 53, 0),
        ("mobilenet_v2", 52, 0),
        ("efficientnet_b0", 49, 0),
        ("shufflenet_v2_x1_0", 56, 0),
        ("vgg11_bn", 8, 0),
        ("densenet121", 59, 62),
        ("convnext_tiny", 0, 0),
    ];
    for (name, folded, left) in expected {
        let network_of = models::by_name(name, 3, 10).expect("it is published");
        let (g, x, y) = network(&[1, 3, 32, 32], network_of)?;
        let found = FoldedGraph::new(&g, &[y])?;
        assert_eq!((found.batch_norms(), norms(found.graph())), (folded, left), "{name}");
        if name == "mobilenet_v2" {
            compare(&g, x, y, folded, name)?;
        }
    }
    Ok(())
}

/// A weight that two convolutions share is folded into two weights; the parameters that nothing reads are gone.
#[test]
fn a_shared_weight_is_folded_for_each_reader() -> Result<()> {
    let conv = nn::Conv2d::new(2, 4, [3, 3]);
    let mut g = Graph::new();
    let x = g.input("x", [1, 2, 5, 6])?;
    let once = g.scoped("conv", |g| conv.forward(g, x, Mode::Eval))?;
    let twice = g.scoped("conv", |g| conv.forward(g, x, Mode::Eval))?;
    let [a, b] = [("a", once), ("b", twice)]
        .map(|(name, x)| g.scoped(name, |g| nn::BatchNorm::new(4).forward(g, x, Mode::Eval)));
    let sum = g.add(a?, b?)?;
    let folded = compare(&g, x, sum, 2, "a weight that two convolutions share")?;
    assert!(folded.graph().find("conv.weight").is_none());
    let plain = g.add(sum, once)?;
    let folded = compare(&g, x, plain, 1, "one of which is read apart")?;
    assert!(folded.graph().find("conv.weight").is_some());
    assert!(folded.graph().find("b.running_mean").is_none());
    assert!(folded.graph().find("a.running_mean").is_some());
    Ok(())
}

#[test]
fn what_a_step_changes_or_a_user_reads_stays() -> Result<()> {
    let layers =
        nn::Sequential::new().add("conv", nn::Conv2d::new(2, 4, [3, 3])).add("norm", nn::BatchNorm::new(4));
    let (mut g, _, y) = network(&[1, 2, 5, 6], layers)?;
    let conv = g.nodes().next().expect("there is a convolution").1.outputs[0];
    assert_eq!(FoldedGraph::new(&g, &[y])?.batch_norms(), 1);
    assert_eq!(FoldedGraph::new(&g, &[y, conv])?.batch_norms(), 0, "the convolution is an output");
    let loss = g.mean(y, &[0, 1, 2, 3], false)?;
    let rate = g.input_scalar("rate")?;
    optim::Sgd::new(rate).minimize(&mut g, loss)?;
    assert_eq!(FoldedGraph::new(&g, &[y])?.batch_norms(), 0, "the optimizer changes the weight");

    // Another batch norm moves the statistics behind this one.
    let mut g = Graph::new();
    let x = g.input("x", [2, 3])?;
    let (w, mean) =
        (g.parameter("w", [3, 3], Init::Constant(1.0))?, g.state("mean", [3], Init::Constant(0.0), true)?);
    let variance = g.state("variance", [3], Init::Constant(1.0), true)?;
    let running = Some(Running { mean, variance, momentum: Momentum::Share(0.1) });
    let linear = g.linear(x, w, None)?;
    let y = g.batch_norm(linear, None, running, 1e-5, Mode::Eval)?;
    assert_eq!(FoldedGraph::new(&g, &[y])?.batch_norms(), 1);
    g.batch_norm(x, None, running, 1e-5, Mode::Train)?;
    assert_eq!(FoldedGraph::new(&g, &[y])?.batch_norms(), 0, "the statistics move");

    let (other, ..) = network(&[1, 2], nn::Sequential::new().add("fc", nn::Linear::new(2, 2)))?;
    assert!(FoldedGraph::new(&other, &[y]).is_err());
    Ok(())
}

/// Weights for graphs that fold other tensors under one name would be wrong for one of them.
#[test]
fn graphs_of_other_networks_do_not_share_folded_weights() -> Result<()> {
    let networks = ["one", "two"].map(|name| {
        let mut g = Graph::new();
        let x = g.input("x", [1, 2, 5, 6])?;
        let x = g.scoped(name, |g| nn::Conv2d::new(2, 4, [3, 3]).forward(g, x, Mode::Eval))?;
        let y = g.scoped("norm", |g| nn::BatchNorm::new(4).forward(g, x, Mode::Eval))?;
        FoldedGraph::new(&g, &[y]).map(|folded| (g, folded))
    });
    let [(one, first), (two, second)] = networks.map(|network| network.expect("they are folded"));
    let weights = Weights::init_all(device(), &[&one, &two], 0)?;
    assert!(weights.folded(&[&first, &first]).is_ok());
    let error = weights.folded(&[&first, &second]).expect_err("they differ").to_string();
    assert!(error.contains("norm.folded_weight") && error.contains("fold different tensors"), "{error}");
    let lacking =
        Weights::init(device(), &one, 0)?.folded(&[&second]).expect_err("conv is missing").to_string();
    assert!(lacking.contains("two."), "{lacking}");
    Ok(())
}
