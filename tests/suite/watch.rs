//! The numerics watch: which node, which step, how many elements; and that it changes nothing else.

use crate::harness::{Case, Prepared, device, labels, numbers};
use crate::{cases, harness};
use std::collections::{BTreeMap, BTreeSet};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::plan::{Fusion, Watch};
use wgrad::session::{NotFinite, SourceKind};
use wgrad::{
    Caps, Error, Graph, HostData, HostTensor, Mode, Plan, PlanOptions, Session, Value, Weights, optim,
};

const BATCH: usize = 4;
const PIXELS: usize = 8;

/// A small network's training step.
struct Training {
    graph: Graph,
    images: Value,
    labels: Value,
    rate: Value,
    loss: Value,
}

fn training() -> Training {
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]))
        .add("bn1", nn::BatchNorm::new(4))
        .add("relu1", nn::Relu)
        .add("pool1", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(64, 12))
        .add("relu2", nn::Relu)
        .add("fc2", nn::Linear::new(12, 10));
    let build = || {
        let mut graph = Graph::new();
        let images = graph.input("images", [BATCH, 1, PIXELS, PIXELS])?;
        let labels = graph.input_i32("labels", BATCH)?;
        let logits = net.forward(&mut graph, images, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("learning_rate")?;
        optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
        Ok(Training { graph, images, labels, rate, loss })
    };
    build().unwrap_or_else(|e: Error| panic!("{e}"))
}

fn unfused() -> PlanOptions {
    Fusion::ALL.into_iter().fold(PlanOptions::default(), PlanOptions::without)
}

fn session_of(graph: &Graph, outputs: &[Value], options: &PlanOptions) -> (Session, Weights) {
    let plan = Plan::with_options(graph, outputs, device().caps(), options).unwrap_or_else(|e| panic!("{e}"));
    let weights = Weights::init(device(), graph, 7).unwrap_or_else(|e| panic!("{e}"));
    let session = Session::new(device(), plan, &weights).unwrap_or_else(|e| panic!("{e}"));
    (session, weights)
}

fn prepared(training: &Training, options: &PlanOptions) -> (Session, Weights) {
    let (mut session, weights) = session_of(&training.graph, &[training.loss], options);
    session.write(training.images, &numbers([BATCH, 1, PIXELS, PIXELS], 1)).expect("the images fit");
    session.write(training.labels, &labels(BATCH, 10, 2)).expect("the labels fit");
    session.write_scalar(training.rate, 0.05).expect("a rate is a number");
    (session, weights)
}

fn steps(session: &mut Session, count: usize) {
    for _ in 0..count {
        session.step().expect("the step runs");
    }
}

fn found(session: &mut Session) -> NotFinite {
    session.not_finite().expect("the device answers").expect("something is not finite")
}

#[test]
fn a_nan_in_a_pixel_is_told_with_input_node_and_step() {
    let training = training();
    let images = numbers([BATCH, 1, PIXELS, PIXELS], 1);
    for options in [PlanOptions::default(), unfused()] {
        let (mut session, _) = prepared(&training, &options.watch(Watch::new()));
        steps(&mut session, 5);
        assert_eq!(session.not_finite().expect("the device answers"), None);
        let mut broken = images.as_f32().expect("images are floats").to_vec();
        broken[17] = f32::NAN;
        session.write(training.images, &broken).expect("the images fit");
        steps(&mut session, 1);
        session.write(training.images, &images).expect("the images fit");
        steps(&mut session, 3);
        let found = found(&mut session);
        assert_eq!(found.step, 5);
        let node = found.node.as_ref().expect("the convolution is hit");
        assert_eq!((node.operator.as_str(), node.node.as_str(), node.output), ("conv2d", "conv1", 0));
        // Pixel (2, 1) is within 3 x 3 windows, in each of the four channels.
        assert_eq!(node.elements, 9 * 4);
        let source = found.source.as_ref().expect("the input is the cause");
        assert_eq!((source.kind, source.name.as_str()), (SourceKind::Input, "images"));
        assert_eq!((source.elements, source.position), (1, Some(17)));
        assert_eq!(
            session.check_finite().expect_err("a NaN is a fault").to_string(),
            "step 5 (counted from 0): input \"images\" holds 1 element that is not finite, at position 17; first to follow: conv2d \"conv1\" made 36 elements that are not finite; check the data, and how it is normalised"
        );
    }
}

#[test]
fn an_update_that_overflows_is_named_and_not_the_next_steps_node() {
    let build = || {
        let mut graph = Graph::new();
        let x = graph.input("x", [8])?;
        let p = graph.parameter("p", [8], Init::Constant(1.0))?;
        let product = graph.mul(p, x)?;
        let loss = graph.sum(product, &[0], false)?;
        let rate = graph.input_scalar("learning_rate")?;
        optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
        Ok((graph, x, p, rate, loss))
    };
    let (graph, x, p, rate, loss) = build().unwrap_or_else(|e: Error| panic!("{e}"));
    // The update binds five buffers. With one more its kernel counts, without it is scanned.
    for most in [device().caps().max_storage_buffers, 5] {
        let caps = Caps { max_storage_buffers: most, ..device().caps().clone() };
        let options = PlanOptions::default().watch(Watch::new());
        let plan = Plan::with_options(&graph, &[loss], &caps, &options).unwrap_or_else(|e| panic!("{e}"));
        let weights = Weights::init(device(), &graph, 7).unwrap_or_else(|e| panic!("{e}"));
        let mut session = Session::new(device(), plan, &weights).unwrap_or_else(|e| panic!("{e}"));
        // The gradient is x. Of 1 - 3e38 x, the numbers past 1.13 overflow.
        session.write(x, &[0.5f32, 1.0, 1.2, 2.0, -1.5, 0.0, -0.1, 1.1]).expect("the numbers fit");
        session.write_scalar(rate, 3e38).expect("a rate is a number");
        steps(&mut session, 3);
        let found = found(&mut session);
        let node = found.node.expect("the update made it");
        assert_eq!(
            (found.step, node.operator.as_str(), node.is_update, node.elements),
            (0, "sgd_update", true, 3)
        );
        assert_eq!(found.source, None);
        assert!(not_finite(&session.read(p).expect("a parameter can be read")) >= 3);
        let text = session.check_finite().expect_err("an overflow is a fault").to_string();
        assert!(text.contains("sgd_update") && text.contains("lower the learning rate"), "{text}");
    }
}

/// With an eps of 0 what lies between the tensors of an arena becomes NaN. Only their elements count.
#[test]
fn only_elements_count_where_an_eps_of_0_divides_zeros() {
    let mut graph = Graph::new();
    let rate = graph.input_scalar("learning_rate").expect("the name is free");
    let pairs: Vec<_> = [("p", 3), ("q", 5)]
        .map(|(name, size)| {
            let parameter = graph.parameter(name, [size], Init::Constant(0.5)).expect("the name is free");
            (parameter, graph.input(&format!("d{name}"), [size]).expect("the name is free"))
        })
        .into();
    let optimizer = optim::Adam::new(rate).eps(0.0).average(optim::Ema::new(0.9));
    optimizer.apply(&mut graph, &pairs).expect("the parameters are the graph's");
    let options = PlanOptions::default().watch(Watch::new());
    let plan = Plan::with_options(&graph, &[], device().caps(), &options).unwrap_or_else(|e| panic!("{e}"));
    let weights = Weights::init(device(), &graph, 7).unwrap_or_else(|e| panic!("{e}"));
    let mut session = Session::new(device(), plan, &weights).unwrap_or_else(|e| panic!("{e}"));
    session.write(pairs[0].1, &[1.0f32, -2.0, 3.0]).expect("the numbers fit");
    session.write(pairs[1].1, &[1.0f32; 5]).expect("the numbers fit");
    session.write_scalar(rate, 0.1).expect("a rate is a number");
    steps(&mut session, 2);
    session.check_finite().expect("every element is finite");
    // Its gradient was never other than 0: 0 / 0, as in PyTorch.
    let mut fresh = session
        .rebuild(device(), &Weights::init(device(), &graph, 7).expect("as before"))
        .expect("as before");
    fresh.write(pairs[0].1, &[1.0f32, 0.0, 3.0]).expect("the numbers fit");
    fresh.write(pairs[1].1, &[1.0f32; 5]).expect("the numbers fit");
    fresh.write_scalar(rate, 0.1).expect("a rate is a number");
    steps(&mut fresh, 1);
    let node = found(&mut fresh).node.expect("the update made it");
    assert_eq!((node.operator.as_str(), node.is_update, node.elements), ("adam_update", true, 1));
}

fn not_finite(tensor: &HostTensor) -> u64 {
    tensor.to_f64().iter().filter(|x| !x.is_finite()).count() as u64
}

/// `exp(log(x))`, summed: the loss of an `x` of 0 is finite.
fn vanishing() -> (Graph, Value, Value) {
    let build = || {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 8])?;
        let log = graph.scoped("logarithm", |g| g.log(x))?;
        let exp = graph.scoped("power", |g| g.exp(log))?;
        let loss = graph.sum(exp, &[0, 1], false)?;
        Ok((graph, x, loss))
    };
    build().unwrap_or_else(|e: Error| panic!("{e}"))
}

#[test]
fn an_infinity_that_vanishes_is_found_fused_or_not() {
    let (graph, x, loss) = vanishing();
    for options in [PlanOptions::default(), unfused()] {
        let (mut session, _) = session_of(&graph, &[loss], &options.clone().watch(Watch::new()));
        let mut numbers = vec![1.0; 16];
        (numbers[3], numbers[9]) = (0.0, 0.0);
        session.write(x, &numbers).expect("the numbers fit");
        steps(&mut session, 1);
        assert_eq!(session.read(loss).expect("the loss is kept").to_f64(), [14.0]);
        let node = found(&mut session).node.expect("the logarithm is hit");
        assert_eq!((node.node.as_str(), node.elements), ("logarithm", 2));
        assert!(node.operator.starts_with("log"), "{}", node.operator);
        // What is exempt, or no NaN, is not told.
        for watch in [Watch::new().except("logarithm"), Watch::new().nan_only()] {
            let (mut session, _) = session_of(&graph, &[loss], &options.clone().watch(watch));
            session.write(x, &numbers).expect("the numbers fit");
            steps(&mut session, 1);
            assert_eq!(session.not_finite().expect("the device answers"), None);
        }
    }
}

#[test]
fn of_several_nodes_the_first_of_the_graph_is_told() {
    let build = || {
        let mut graph = Graph::new();
        let x = graph.input("x", [8, 8])?;
        let large = graph.scoped("large", |g| g.exp(x))?;
        let product = graph.scoped("product", |g| g.matmul(large, large))?;
        let row = graph.scoped("softmax", |g| g.softmax(product, 1))?;
        Ok((graph, x, row, product))
    };
    let (graph, x, row, product) = build().unwrap_or_else(|e: Error| panic!("{e}"));
    let (mut session, _) = session_of(&graph, &[row, product], &PlanOptions::default().watch(Watch::new()));
    // exp(50) is finite and its square, summed over eight, is too; exp(88)'s is not.
    session.write(x, &vec![40.0; 64]).expect("the numbers fit");
    steps(&mut session, 2);
    assert_eq!(session.not_finite().expect("the device answers"), None);
    session.write(x, &vec![60.0; 64]).expect("the numbers fit");
    steps(&mut session, 1);
    let first = found(&mut session);
    let node = first.node.clone().expect("the product is hit");
    assert_eq!((first.step, node.node.as_str(), node.elements), (2, "product", 64));
    // Frozen until it is reset.
    session.write(x, &vec![1000.0; 64]).expect("the numbers fit");
    steps(&mut session, 1);
    assert_eq!(found(&mut session), first);
    session.reset_watch();
    steps(&mut session, 1);
    let again = found(&mut session);
    assert_eq!((again.step, again.node.expect("the power is hit").node), (4, "large".to_owned()));
}

#[test]
fn weights_that_are_not_finite_are_told_before_what_reads_them() {
    let training = training();
    let (mut session, weights) = prepared(&training, &PlanOptions::default().watch(Watch::new()));
    session.set_step_number(30);
    let mut weight = weights.read("fc1.weight").expect("it is there").to_f64();
    (weight[0], weight[70]) = (f64::INFINITY, f64::NAN);
    let weight: Vec<f32> = weight.into_iter().map(|x| x as f32).collect();
    weights.write("fc1.weight", &weight).expect("it fits");
    steps(&mut session, 2);
    let found = found(&mut session);
    let source = found.source.expect("the weight is the cause");
    assert_eq!(
        (found.step, source.kind, source.name.as_str(), source.elements),
        (30, SourceKind::Parameter, "fc1.weight", 2)
    );
    assert_eq!(found.node.expect("what reads it is hit").node, "fc1");
}

#[test]
fn a_healthy_run_is_silent_and_has_the_same_bits_at_no_readback() {
    let training = training();
    for options in [PlanOptions::default(), unfused()] {
        let (mut plain, plain_weights) = prepared(&training, &options);
        let (mut watched, watched_weights) = prepared(&training, &options.clone().watch(Watch::new()));
        for session in [&mut plain, &mut watched] {
            session.record(training.loss, 8).expect("a loss is one number");
            steps(session, 6);
        }
        let (before, after) = (plain.counters(), watched.counters());
        assert_eq!((after.submits, after.bytes_read_back, after.allocations), (before.submits, 0, 1));
        // Of a step: what ends it, what is small. Before the first: the weights.
        let scans = watched.plan().dispatches().len() - plain.plan().dispatches().len();
        let extra = after.dispatches - before.dispatches;
        assert!(extra <= 6 * (3 + scans as u64) + 2, "{extra} dispatches more");
        let losses = plain.recorded(training.loss).expect("losses come back");
        assert_eq!(losses, watched.recorded(training.loss).expect("losses come back"));
        let read = watched.counters();
        assert_eq!(watched.not_finite().expect("the device answers"), None);
        assert_eq!(watched.counters(), read, "what a readback brought is not read again");
        for name in plain_weights.names() {
            let [a, b] = [&plain_weights, &watched_weights].map(|w| w.read(name).expect("it is there"));
            let bits = |t: HostTensor| {
                t.as_f32().expect("weights are floats").iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            assert_eq!(bits(a), bits(b), "{name}");
        }
    }
}

/// For each operator its smallest case: with a NaN in the first elements of its inputs, the watch's count of the first
/// output that is hit is the host's own.
#[test]
fn every_operators_count_is_exact() {
    let mut smallest: BTreeMap<&str, Case> = BTreeMap::new();
    let size = |case: &Case| case.inputs.iter().map(|t| t.shape.elements()).sum::<usize>();
    for case in cases::all().into_iter().flat_map(|(_, cases)| cases) {
        let name = case.operator.name();
        if smallest.get(name).is_none_or(|known| size(&case) < size(known)) {
            smallest.insert(name, case);
        }
    }
    let mut failures = Vec::new();
    for (name, mut case) in smallest {
        if case.operator.is_view() {
            continue;
        }
        let in_place: Vec<usize> = case.operator.in_place().iter().map(|&(_, input)| input).collect();
        let mut planted = false;
        for (i, tensor) in case.inputs.iter_mut().enumerate() {
            // A rate that is NaN would reach the padding between tensors too.
            let is_rate = tensor.shape.is_empty() && !case.operator.arenas().is_empty();
            if let (HostData::F32(data), false) = (&mut tensor.data, in_place.contains(&i) || is_rate) {
                data[0] = f32::NAN;
                planted = true;
            }
        }
        if !planted {
            continue;
        }
        // Gradients are copied to where updates want them; what is told is to be the update.
        let built = harness::build(&case).unwrap_or_else(|e| panic!("{name}: {e}"));
        let copies = built.graph.nodes().filter(|(_, node)| node.name != "case");
        let watch = copies.fold(Watch::new(), |watch, (_, node)| watch.except(&node.name));
        let options = PlanOptions::default().watch(watch);
        let is_update = !case.operator.arenas().is_empty();
        let Prepared { mut session, outputs } =
            harness::prepare_options(&case, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
        steps(&mut session, 1);
        let mut expected = None;
        for (i, &output) in outputs.iter().enumerate() {
            let read = session.read(output).expect("an output can be read");
            let count = not_finite(&read);
            if count > 0 && expected.is_none() {
                expected = Some((is_update, if is_update { 0 } else { i }, count));
            } else if let (true, Some((_, _, all))) = (is_update, &mut expected) {
                // An update's tensors count together.
                *all += count;
            }
        }
        let found = session.not_finite().expect("the device answers");
        let node = found.and_then(|found| found.node).filter(|node| node.node == "case");
        let told = node.map(|node| (node.is_update, node.output, node.elements));
        if told != expected {
            failures.push(format!("{name} ({}): expected {expected:?}, told {told:?}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Thousands of nodes, WebGPU's default limits and every kind of adapter: what the watch binds fits, and it takes
/// few kernels.
#[test]
fn watched_plans_keep_within_limits_and_share_kernels() {
    let training = training();
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        for least in [4, 8] {
            let caps = Caps { max_storage_buffers: least, ..Caps::webgpu_defaults(kind) };
            let plain = Plan::new(&training.graph, &[training.loss], &caps);
            let options = PlanOptions::default().watch(Watch::new());
            let watched = Plan::with_options(&training.graph, &[training.loss], &caps, &options);
            assert_eq!(plain.is_ok(), watched.is_ok(), "{kind} with {least} bindings");
        }
    }
    let mut graph = Graph::new();
    let mut x = graph.input("x", [4, 16]).expect("the name is free");
    for _ in 0..1000 {
        x = graph.softmax(x, 1).expect("the shape is valid");
        x = graph.exp(x).expect("the shape is valid");
    }
    let caps = Caps::webgpu_defaults(AdapterKind::Discrete);
    let sources = |options: &PlanOptions| -> BTreeSet<String> {
        let plan = Plan::with_options(&graph, &[x], &caps, options).expect("it fits");
        plan.dispatches().iter().map(|d| d.kernel.source().expect("it joins")).collect()
    };
    let [plain, watched] = [PlanOptions::default(), PlanOptions::default().watch(Watch::new())];
    assert_eq!(sources(&plain).len(), sources(&watched).len());
}

#[test]
fn a_plan_without_a_watch_says_so() {
    let (graph, _, loss) = vanishing();
    let (mut session, _) = session_of(&graph, &[loss], &PlanOptions::default());
    let error = session.not_finite().expect_err("nothing watched").to_string();
    assert!(error.contains("PlanOptions::watch"), "{error}");
    session.reset_watch();
}
