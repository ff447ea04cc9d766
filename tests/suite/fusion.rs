//! Each fusion appears in the plan, can be left out, and changes only rounding.

use crate::harness;
use crate::harness::network::training;
use crate::harness::{device, labels, numbers, sweep};
use std::collections::BTreeSet;
use wgrad::nn::{self, Layer};
use wgrad::op::{AdapterKind, Variant};
use wgrad::plan::Fusion;
use wgrad::{Caps, Error, Graph, HostTensor, Mode, Plan, PlanOptions, Session, Value, Weights, optim};

/// A training step, what it is fed, and what of it is compared.
struct Problem {
    name: &'static str,
    graph: Graph,
    inputs: Vec<(Value, HostTensor)>,
    loss: Value,
}

impl Problem {
    fn new(
        name: &'static str,
        shape: &[usize],
        classes: usize,
        build: impl FnOnce(&mut Graph, Value) -> Result<Value, Error>,
    ) -> Problem {
        let problem = || -> Result<Problem, Error> {
            let mut graph = Graph::new();
            let x = graph.input("x", shape)?;
            let targets = graph.input_i32("labels", shape[0])?;
            let logits = build(&mut graph, x)?;
            let loss = graph.cross_entropy(logits, targets)?;
            let rate = graph.input_scalar("rate")?;
            optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
            let inputs = vec![
                (x, numbers(shape, 1)),
                (targets, labels(shape[0], classes, 2)),
                (rate, HostTensor::filled([0; 0], 0.1)?),
            ];
            Ok(Problem { name, graph, inputs, loss })
        };
        problem().unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn plan(&self, caps: &Caps, options: &PlanOptions) -> Plan {
        Plan::with_options(&self.graph, &[self.loss], caps, options)
            .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    fn session(&self, options: &PlanOptions) -> (Session, Weights) {
        let session = || -> Result<(Session, Weights), Error> {
            let weights = Weights::init(device(), &self.graph, 3)?;
            let mut session = Session::new(device(), self.plan(device().caps(), options), &weights)?;
            for (value, data) in &self.inputs {
                session.write(*value, data)?;
            }
            Ok((session, weights))
        };
        session().unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The loss and every parameter and state after two steps.
    fn run(&self, options: &PlanOptions) -> Vec<(String, HostTensor)> {
        let (mut session, _weights) = self.session(options);
        session.step().unwrap_or_else(|e| panic!("{}: {e}", self.name));
        session.step().unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let stored = self.graph.values().filter(|(value, info)| self.graph.find(&info.name) == Some(*value));
        let stored = stored.map(|(value, info)| (value, info.name.clone()));
        let read: Vec<_> = stored.chain([(self.loss, "loss".to_owned())]).collect();
        read.into_iter()
            .filter(|(value, _)| !self.inputs.iter().any(|(input, _)| input == value))
            .map(|(value, name)| {
                let tensor = session.read(value).unwrap_or_else(|e| panic!("{}: {e}", self.name));
                (name, tensor)
            })
            .collect()
    }
}

/// Networks in which every fusion has something to do, alone and with others.
fn problems() -> Vec<Problem> {
    let flatten = || nn::Sequential::new().add("flatten", nn::Flatten);
    vec![
        Problem::new("norm, relu and pool", &[3, 2, 12, 8], 5, |g, x| {
            nn::Sequential::new()
                .add("conv", nn::Conv2d::new(2, 6, [3, 3]).padding([1, 1]))
                .add("norm", nn::BatchNorm::new(6))
                .add("relu", nn::Relu)
                .add("pool", nn::MaxPool2d::new([2, 2]))
                .add("conv2", nn::Conv2d::new(6, 5, [3, 3]).padding([1, 1]))
                .add("norm2", nn::BatchNorm::new(5))
                .add("pool2", nn::MaxPool2d::new([2, 2]))
                .add("flatten", nn::Flatten)
                .add("fc", nn::Linear::new(30, 5))
                .forward(g, x, Mode::Train)
        }),
        Problem::new("without norm, pools that overlap", &[2, 3, 11, 9], 7, |g, x| {
            nn::Sequential::new()
                .add("conv", nn::Conv2d::new(3, 4, [3, 3]))
                .add("relu", nn::Relu)
                .add("conv2", nn::Conv2d::new(4, 4, [3, 3]))
                .add("sigmoid", nn::Sigmoid)
                .add("pool", nn::MaxPool2d::new([3, 3]).stride([2, 2]).padding([1, 1]))
                .add("flatten", nn::Flatten)
                .add("fc", nn::Linear::new(48, 13))
                .add("tanh", nn::Tanh)
                .add("fc2", nn::Linear::new(13, 7))
                .forward(g, x, Mode::Train)
        }),
        Problem::new("a residual block", &[2, 3, 7, 5], 4, |g, x| {
            let stem = nn::Conv2d::new(3, 4, [3, 3]).padding([1, 1]);
            let x = g.scoped("stem", |g| stem.forward(g, x, Mode::Train))?;
            let y = nn::Sequential::new()
                .add("conv", nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]))
                .add("norm", nn::BatchNorm::new(4))
                .add("relu", nn::Relu)
                .add("conv2", nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]))
                .add("norm2", nn::BatchNorm::new(4))
                .forward(g, x, Mode::Train)?;
            let sum = g.scoped("sum", |g| g.add(y, x))?;
            let y = g.scoped("out", |g| g.relu(sum))?;
            let flat = g.flatten(y)?;
            g.scoped("fc", |g| nn::Linear::new(140, 4).forward(g, flat, Mode::Train))
        }),
        Problem::new("norm of features", &[9, 5], 3, |g, x| {
            flatten()
                .add("fc", nn::Linear::new(5, 6))
                .add("norm", nn::BatchNorm::new(6))
                .add("relu", nn::Relu)
                .add("fc2", nn::Linear::new(6, 3))
                .forward(g, x, Mode::Train)
        }),
        Problem::new("gradients of inputs and of outputs, gates", &[2, 3, 8, 6], 4, |g, x| {
            let gated = nn::Sequential::new()
                .add("conv", nn::Conv2d::new(3, 4, [3, 3]).padding([1, 1]))
                .add("silu", nn::Silu)
                .add("conv2", nn::Conv2d::new(4, 4, [3, 3]).padding([1, 1]))
                .add("norm", nn::BatchNorm::new(4))
                .add("leaky", nn::LeakyRelu::new().negative_slope(0.2))
                .add("pool", nn::MaxPool2d::new([2, 2]))
                .add("conv3", nn::Conv2d::new(4, 5, [2, 2]))
                .add("elu", nn::Elu::new())
                .forward(g, x, Mode::Train)?;
            let gate = g.parameter("gate", [5, 1, 2], wgrad::graph::Init::Constant(0.3))?;
            let open = g.scoped("open", |g| g.hard_sigmoid(gate))?;
            let y = g.scoped("gated", |g| g.mul(gated, open))?;
            nn::Sequential::new()
                .add("flatten", nn::Flatten)
                .add("fc", nn::Linear::new(30, 13))
                .add("prelu", nn::PRelu::new().num_parameters(13))
                .add("fc2", nn::Linear::new(13, 8))
                .add("gelu", nn::Gelu)
                .add("fc3", nn::Linear::new(8, 4))
                .forward(g, y, Mode::Train)
        }),
        Problem::new("norm by running statistics", &[2, 3, 5, 4], 3, |g, x| {
            nn::Sequential::new()
                .add("conv", nn::Conv2d::new(3, 4, [2, 2]))
                .add("norm", nn::BatchNorm::new(4))
                .add("relu", nn::Relu)
                .add("flatten", nn::Flatten)
                .add("fc", nn::Linear::new(48, 3))
                .forward(g, x, Mode::Eval)
        }),
    ]
}

fn none() -> PlanOptions {
    Fusion::ALL.into_iter().fold(PlanOptions::default(), PlanOptions::without)
}

fn compare(problem: &Problem, what: &str, expected: &[(String, HostTensor)], found: &[(String, HostTensor)]) {
    for ((name, tensor), (_, found)) in expected.iter().zip(found) {
        // The gradient of a bias in front of batch norm is rounding alone: what its layer's weight has
        // measures it.
        let weight = name.replace("bias.momentum_buffer", "weight.momentum_buffer");
        let scales = expected.iter().filter(|(other, _)| other == name || *other == weight);
        let scale = scales.map(|(_, tensor)| harness::array(tensor).largest()).fold(0.0, f64::max);
        let pairs = tensor.to_f64().into_iter().zip(found.to_f64());
        let error =
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / if scale > 0.0 { scale } else { 1.0 };
        assert!(error < 2e-5, "{}, {what}: {name} is off by {error:.1e}", problem.name);
    }
}

#[test]
fn a_fused_step_is_the_unfused_one() {
    for problem in problems() {
        let expected = problem.run(&none());
        // Where a fusion finds nothing to do, plans with and without it are the same.
        let text = |options: &PlanOptions| problem.plan(device().caps(), options).to_string();
        let mut plans = BTreeSet::from([text(&none())]);
        let mut check = |what: String, options: PlanOptions| {
            if plans.insert(text(&options)) {
                compare(&problem, &what, &expected, &problem.run(&options));
            }
        };
        check("everything fused".into(), PlanOptions::default());
        for fusion in Fusion::ALL {
            let others = Fusion::ALL.into_iter().filter(|&other| other != fusion);
            let alone = others.fold(PlanOptions::default(), PlanOptions::without);
            check(format!("only {fusion}"), alone);
            check(format!("without {fusion}"), PlanOptions::default().without(fusion));
        }
    }
}

#[test]
fn a_fused_step_agrees_with_the_reference_and_repeats_bit_by_bit() {
    for problem in problems() {
        let (mut session, _weights) = problem.session(&PlanOptions::default());
        session.verify().unwrap_or_else(|e| panic!("{}: {e}", problem.name));
        assert_eq!(problem.run(&PlanOptions::default()), problem.run(&PlanOptions::default()));
    }
}

/// Every variant of every operator that a chain ends in, with the chain; in the sweep of every such node. Each step runs
/// as many of them as it has nodes.
#[test]
fn every_variant_can_finish_with_a_chain() {
    let mut ran = BTreeSet::new();
    for (number, problem) in problems().iter().enumerate() {
        let plan = problem.plan(device().caps(), &PlanOptions::default());
        let graph = plan.graph();
        loop {
            let (mut options, mut new) = (PlanOptions::default(), Vec::new());
            for (place, (_, node)) in graph.nodes().enumerate() {
                if !node.operator.describe().contains('+') {
                    continue;
                }
                let types: Vec<_> =
                    node.inputs.iter().map(|&v| &graph.value(v).expect("of this graph").ty).collect();
                let place = sweep::sweeping().then_some((number, place));
                let unseen = |variant: &Variant| ran.insert((node.operator.name(), *variant, place));
                let variants = node.operator.variants(&types, device().caps());
                if let Some(variant) = variants.into_iter().find(unseen) {
                    options = options.node_variant(node.operator.name(), &node.name, variant);
                    new.push(format!("{} [{variant}]", node.operator.describe()));
                }
            }
            if new.is_empty() {
                break;
            }
            let (mut session, _weights) = problem.session(&options);
            session.verify().unwrap_or_else(|e| panic!("{}, {}: {e}", problem.name, new.join(", ")));
        }
    }
    assert!(ran.len() > 20, "{ran:?}");
}

#[test]
fn each_fusion_shows_in_the_plan_and_can_be_left_out() {
    let described =
        |problem: &Problem, options: &PlanOptions| problem.plan(device().caps(), options).to_string();
    let problems = problems();
    for (fusion, problem, text) in [
        (Fusion::LossGradient, 0, "cross_entropy + cross_entropy_grad"),
        (Fusion::PooledActivation, 0, "conv2d_grad_input + relu_grad"),
        (Fusion::Elementwise, 1, "conv2d + relu"),
        (Fusion::Elementwise, 2, "batch_norm + add + relu"),
        (Fusion::Elementwise, 4, "conv2d_grad_input + silu_grad"),
        (Fusion::Elementwise, 4, "conv2d + elu"),
        (Fusion::Elementwise, 4, "matmul + gelu_grad"),
        (Fusion::NormPool, 4, "batch_norm + leaky_relu + max_pool2d"),
        (Fusion::NormPool, 0, "batch_norm + relu + max_pool2d"),
        (Fusion::NormPool, 0, "max_pool2d_grad + batch_norm_grad"),
    ] {
        let problem = &problems[problem];
        let with = described(problem, &PlanOptions::default());
        assert!(with.contains(text), "{}, {fusion}: no \"{text}\" in\n{with}", problem.name);
        let without = described(problem, &PlanOptions::default().without(fusion));
        assert!(!without.contains(text), "{}, {fusion}: \"{text}\" in\n{without}", problem.name);
    }
    let biases = |options| described(&problems[0], &options).matches("\nsum \"").count();
    assert_eq!(biases(PlanOptions::default()), 0);
    assert_eq!(biases(PlanOptions::default().without(Fusion::NormBias)), 2);
}

/// The bias of a layer that is applied twice has the sum of two gradients, each of which is zero.
#[test]
fn a_shared_bias_in_front_of_norm_needs_no_sum() {
    let mut graph = Graph::new();
    let conv = nn::Conv2d::new(3, 5, [3, 3]);
    let net = nn::Sequential::new().add("conv", conv).add("norm", nn::BatchNorm::new(5));
    let [left, right] = ["left", "right"].map(|name| {
        let x = graph.input(name, [2, 3, 9, 8]).unwrap();
        net.forward(&mut graph, x, Mode::Train).unwrap()
    });
    let difference = graph.sub(left, right).unwrap();
    let squares = graph.mul(difference, difference).unwrap();
    let loss = graph.mean(squares, &[], false).unwrap();
    let rate = graph.input_scalar("rate").unwrap();
    optim::Sgd::new(rate).minimize(&mut graph, loss).unwrap();
    let plan = Plan::new(&graph, &[loss], device().caps()).unwrap().to_string();
    assert!(!plan.contains("\nsum \""), "{plan}");
}

#[test]
fn in_inference_norm_and_activation_go_into_the_convolution() {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 9, 8]).unwrap();
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(3, 5, [3, 3]))
        .add("norm", nn::BatchNorm::new(5).eps(0.02))
        .add("relu", nn::Relu);
    let y = net.forward(&mut graph, x, Mode::Eval).unwrap();
    let weights = Weights::init(device(), &graph, 0).unwrap();
    for (name, seed) in [("norm.weight", 3), ("norm.bias", 4), ("norm.running_mean", 5)] {
        weights.write(name, numbers([5], seed).as_f32().unwrap()).unwrap();
    }
    for variant in sweep::turn(&["direct", "tiled", "register", "im2col"], 0) {
        let options = PlanOptions::default().variant("conv2d", variant);
        let plan = Plan::with_options(&graph, &[y], device().caps(), &options).unwrap();
        assert_eq!(plan.steps().len(), 1, "{plan}");
        assert!(plan.to_string().contains("conv2d + batch_norm_eval + relu \"conv\""), "{plan}");
        let mut session = Session::new(device(), plan, &weights).unwrap();
        session.write(x, &numbers([2, 3, 9, 8], 1)).unwrap();
        session.verify().unwrap_or_else(|e| panic!("{variant}: {e}"));
    }
}

/// A value that several operators of a chain read, and nothing else does, stays in registers.
#[test]
fn what_a_chain_reads_again_is_kept() -> Result<(), Error> {
    type Build = fn(&mut Graph, Value) -> Result<Value, Error>;
    /// `x` times a clamped line, as files have it of networks with hard swish.
    fn hard_swish(g: &mut Graph, x: Value) -> Result<Value, Error> {
        let line = g.shift(x, 3.0)?;
        let gate = g.clamp(line, Some(0.0), Some(6.0))?;
        let product = g.mul(x, gate)?;
        g.scale(product, 1.0 / 6.0)
    }
    fn silu(g: &mut Graph, x: Value) -> Result<Value, Error> {
        let gate = g.sigmoid(x)?;
        g.mul(gate, x)
    }
    fn conv(g: &mut Graph, x: Value) -> Result<Value, Error> {
        nn::Conv2d::new(3, 5, [3, 3]).forward(g, x, Mode::Eval)
    }
    let cases: [(&str, usize, Build); 8] = [
        ("hard swish", 1, |g, x| {
            let x = conv(g, x)?;
            hard_swish(g, x)
        }),
        ("silu behind norm", 1, |g, x| {
            let x = conv(g, x)?;
            let x = g.scoped("norm", |g| nn::BatchNorm::new(5).forward(g, x, Mode::Eval))?;
            silu(g, x)
        }),
        ("a square", 1, |g, x| {
            let x = conv(g, x)?;
            g.mul(x, x)
        }),
        ("one after the other", 1, |g, x| {
            let x = conv(g, x)?;
            let x = silu(g, x)?;
            let x = hard_swish(g, x)?;
            silu(g, x)
        }),
        ("three reads", 1, |g, x| {
            let x = conv(g, x)?;
            let gate = g.tanh(x)?;
            let product = g.mul(gate, x)?;
            g.sub(product, x)
        }),
        // The inner chain keeps a value itself.
        ("one in the other", 2, |g, x| {
            let x = conv(g, x)?;
            let line = g.shift(x, 0.5)?;
            let inner = silu(g, line)?;
            g.add(inner, x)
        }),
        // The mean is read by each element of its channel.
        ("a mean of it", 3, |g, x| {
            let x = conv(g, x)?;
            let mean = g.mean(x, &[2, 3], true)?;
            g.mul(x, mean)
        }),
        ("without a convolution", 1, |g, x| {
            let x = g.exp(x)?;
            hard_swish(g, x)
        }),
    ];
    for (name, dispatches, build) in cases {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3, 9, 7])?;
        let y = build(&mut graph, x)?;
        let weights = Weights::init(device(), &graph, 3)?;
        let run = |options: &PlanOptions| -> Result<(usize, HostTensor), Error> {
            let plan = Plan::with_options(&graph, &[y], device().caps(), options)?;
            let count = plan.dispatches().len();
            let mut session = Session::new(device(), plan, &weights)?;
            session.write(x, &numbers([2, 3, 9, 7], 1))?;
            session.verify().unwrap_or_else(|e| panic!("{name}: {e}"));
            Ok((count, session.read(y)?))
        };
        let (count, fused) = run(&PlanOptions::default())?;
        assert_eq!(count, dispatches, "{name}");
        let (_, apart) = run(&none())?;
        for (x, y) in fused.to_f64().into_iter().zip(apart.to_f64()) {
            assert!((x - y).abs() <= 1e-6 * (1.0 + y.abs()), "{name}: {x}, and apart {y}");
        }
    }
    Ok(())
}

#[test]
fn what_the_user_reads_is_not_fused_away() {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 4, 4]).unwrap();
    let w = graph.input("w", [5, 3, 3, 3]).unwrap();
    let inner = graph.conv2d(x, w, None, wgrad::ops::conv2d::Conv2dOptions::new()).unwrap();
    let outer = graph.relu(inner).unwrap();
    let plan = Plan::new(&graph, &[inner, outer], device().caps()).unwrap();
    assert_eq!(plan.steps().len(), 2);
    let fused = Plan::new(&graph, &[outer], device().caps()).unwrap();
    assert_eq!(fused.steps().len(), 1);
    let weights = Weights::init(device(), &graph, 0).unwrap();
    let mut session = Session::new(device(), fused, &weights).unwrap();
    session.write(x, &numbers([2, 3, 4, 4], 1)).unwrap();
    session.write(w, &numbers([5, 3, 3, 3], 2)).unwrap();
    session.step().unwrap();
    let error = session.read(inner).expect_err("the inner value is kept nowhere").to_string();
    assert!(error.contains("name it among the plan's outputs"), "{error}");
}

#[test]
fn the_seed_networks_step_takes_at_most_32_dispatches() {
    for batch in [64, 256] {
        let training = training(batch).expect("the network is valid");
        for kind in
            [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software]
        {
            let plan = Plan::new(&training.graph, &[training.loss], &Caps::webgpu_defaults(kind));
            let plan = plan.unwrap_or_else(|e| panic!("{kind}: {e}"));
            let count = plan.dispatches().len();
            assert!(count <= 32, "batch {batch} on {kind} adapters: {count} dispatches\n{plan}");
        }
    }
}
