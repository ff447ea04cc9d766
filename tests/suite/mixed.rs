//! Mixed precision: every operator with f16 for what it reads and stores, the bytes that it saves, and training.

use crate::cases;
use crate::harness::network::{Training, network};
use crate::harness::{self, device, halves, labels, numbers, sweep};
use std::collections::BTreeSet;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::op::{
    AdapterKind, Array, BackwardContext, CooperativeMatrix, LowerContext, Operator, Reference, Variant,
};
use wgrad::optim::{Adadelta, Adagrad, Adam, AdamW, Lion, LossScale, Nadam, Rmsprop, Sgd};
use wgrad::parallel::Threads;
use wgrad::plan::{Fusion, Precision, Watch};
use wgrad::session::{DataParallel, ParallelOptions};
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{
    Caps, DType, Error, Graph, Mode, Plan, PlanOptions, Result, Session, TensorType, Value, Weights,
};

/// Besides updates, what is only tried in f32: draws and counts, and what makes tensors of several dimensions of others. Copies
/// are around every case.
const IN_F32: [&str; 6] = ["augment_parameters", "batch_count", "copy", "dropout_mask", "expand", "one_hot"];

/// Each operator's first case of a tensor of several dimensions for each variant, and in the sweep all: the reference rounds
/// what is kept in f16.
#[test]
fn every_operator_agrees_with_the_reference_in_f16() {
    let (mut all, mut halved, mut failures) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (_, cases) in cases::all() {
        all.extend(cases.iter().map(|case| case.operator.name()));
        for (at, variant) in halves::runs(&cases, device().caps(), sweep::sweeping()) {
            let (case, name) = (&cases[at], cases[at].operator.name());
            let label = format!("{name} {variant}: {}", case.name);
            let prepared = halves::prepare(case, variant, device().caps());
            let mut session = prepared.unwrap_or_else(|e| panic!("{label}: {e}")).session;
            if let Err(e) = session.verify() {
                failures.push(format!("{label}: {e}"));
            }
            if touches_f16(session.plan().graph(), name) {
                halved.insert(name);
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    let rest: Vec<&str> =
        all.difference(&halved).copied().filter(|name| !name.ends_with("_update")).collect();
    assert_eq!(rest, IN_F32);
}

/// Whether the operator's node in a planned graph reads or makes f16.
fn touches_f16(graph: &Graph, operator: &str) -> bool {
    let node = graph.nodes().find(|(_, node)| node.operator.name() == operator);
    let (_, node) = node.unwrap_or_else(|| panic!("the plan has no {operator}"));
    let mut touched = node.inputs.iter().chain(&node.outputs);
    touched.any(|&value| graph.value(value).is_ok_and(|info| info.ty.dtype == DType::F16))
}

/// A training step, with a scaled loss if asked.
fn step(net: &dyn Layer, images: [usize; 4], classes: usize, scale: Option<LossScale>) -> Result<Training> {
    let mut graph = Graph::new();
    let x = graph.input("images", images)?;
    let labels = graph.input_i32("labels", images[0])?;
    let logits = net.forward(&mut graph, x, Mode::Train)?;
    assert_eq!(graph.shape(logits)?[..], [images[0], classes]);
    let loss = graph.cross_entropy(logits, labels)?;
    let rate = graph.input_scalar("rate")?;
    let mut sgd = Sgd::new(rate).momentum(0.9);
    if let Some(scale) = scale {
        sgd = sgd.loss_scale(scale);
    }
    sgd.minimize(&mut graph, loss)?;
    Ok(Training { graph, images: x, labels, rate, loss })
}

fn mixed() -> PlanOptions {
    PlanOptions::default().precision(Precision::Mixed)
}

/// Of the steps of two networks; the bytes are those of the plan, for which no device is needed.
#[test]
fn steps_move_and_take_little_more_than_half() -> Result<()> {
    let room =
        Caps { f16: true, max_binding_bytes: 1 << 30, max_buffer_bytes: 1 << 30, ..device().caps().clone() };
    for (net, images, classes, most_moved, most_taken) in [
        (Box::new(network()) as Box<dyn Layer>, [512, 1, 28, 28], 10, 0.6, 0.6),
        (Box::new(nn::models::resnet18(3, 1000)), [32, 3, 224, 224], 1000, 0.6, 0.6),
    ] {
        let training = step(&*net, images, classes, Some(LossScale::new()))?;
        let plan =
            |options: &PlanOptions| Plan::with_options(&training.graph, &[training.loss], &room, options);
        let (single, half) = (plan(&PlanOptions::default())?, plan(&mixed())?);
        let taken = |plan: &Plan| plan.device_bytes().values().sum::<u64>() as f64;
        let moved = half.traffic().total() as f64 / single.traffic().total() as f64;
        let taken = taken(&half) / taken(&single);
        assert!(moved <= most_moved && taken <= most_taken, "{images:?}: moves {moved:.3}, takes {taken:.3}");
    }
    // Large GPUs: Winograd's intermediate results would be f32, and cooperative matrices come first where there are any.
    let training = step(&nn::models::resnet18(3, 1000), [32, 3, 224, 224], 1000, None)?;
    let gpu = Caps { kind: AdapterKind::Discrete, subgroups: true, subgroup_size: 32, ..room.clone() };
    let matrix = Some(CooperativeMatrix { side: 16, subgroup: 32 });
    for cooperative_matrix in [None, matrix] {
        let caps = Caps { cooperative_matrix, max_workgroup_bytes: 48 << 10, ..gpu.clone() };
        let plan =
            |options: &PlanOptions| Plan::with_options(&training.graph, &[training.loss], &caps, options);
        let (single, half) = (plan(&PlanOptions::default())?, plan(&mixed())?);
        let moved = half.traffic().total() as f64 / single.traffic().total() as f64;
        assert!(moved <= 0.6, "{cooperative_matrix:?}: moves {moved:.3}");
        let count = |plan: &Plan, is: fn(&Variant) -> bool| {
            plan.steps().iter().filter(|step| is(&step.variant)).count()
        };
        assert_eq!(count(&single, |v| v.is_in_f16()), 0);
        assert_eq!(count(&half, |v| v.is_in_f32()), 0);
        assert_eq!(count(&half, |v| v.is_in_f16()) > 50, cooperative_matrix.is_some());
    }
    // Whatever sides and subgroups adapters may have: what would loop too long is not offered.
    for (side, subgroup) in [8, 16].into_iter().flat_map(|side| [1, 4, 8, 16, 32, 64, 128].map(|n| (side, n)))
    {
        let cooperative_matrix = Some(CooperativeMatrix { side, subgroup });
        for max_workgroup_bytes in [16 << 10, 64 << 10] {
            let caps = Caps { cooperative_matrix, max_workgroup_bytes, ..gpu.clone() };
            Plan::with_options(&training.graph, &[training.loss], &caps, &mixed())
                .unwrap_or_else(|e| panic!("{side}, {subgroup}: {e}"));
        }
    }
    let mut g = Graph::new();
    let x = g.input("x", [32, 3, 224, 224])?;
    let logits = nn::models::resnet18(3, 1000).forward(&mut g, x, Mode::Eval)?;
    let error = Plan::with_options(&g, &[logits], &Caps { f16: false, ..room }, &mixed());
    let error = error.expect_err("there is no f16").to_string();
    assert!(error.contains("needs an adapter with f16"), "{error}");
    Ok(())
}

/// The loss is so small that its gradients are below what f16 holds.
#[test]
fn a_network_whose_gradients_f16_loses_trains_by_a_scaled_loss() -> Result<()> {
    let net = nn::Sequential::new()
        .add("fc1", nn::Linear::new(8, 12))
        .add("tanh1", nn::Tanh)
        .add("fc2", nn::Linear::new(12, 12))
        .add("tanh2", nn::Tanh)
        .add("fc3", nn::Linear::new(12, 4));
    let run = |options: &PlanOptions, scale: Option<LossScale>| -> Result<[f64; 2]> {
        let mut g = Graph::new();
        let (x, classes) = (g.input("x", [16, 8])?, g.input_i32("labels", 16)?);
        let logits = net.forward(&mut g, x, Mode::Train)?;
        let loss = g.cross_entropy(logits, classes)?;
        let small = g.scale(loss, 1e-7)?;
        let rate = g.input_scalar("rate")?;
        let mut sgd = Sgd::new(rate);
        if let Some(scale) = scale {
            sgd = sgd.loss_scale(scale);
        }
        sgd.minimize(&mut g, small)?;
        let weights = Weights::init(device(), &g, 1)?;
        let plan = Plan::with_options(&g, &[loss], device().caps(), options)?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers([16, 8], 1))?;
        session.write(classes, &labels(16, 4, 2))?;
        // The rate makes up for it.
        session.write_scalar(rate, 5e6)?;
        session.record(loss, 201)?;
        for _ in 0..201 {
            session.step()?;
        }
        let losses = session.recorded(loss)?.to_f64();
        Ok([losses[0], losses[200]])
    };
    let [first, single] = run(&PlanOptions::default(), None)?;
    assert!(single < 0.5 * first, "in f32 it learns: {first} to {single}");
    let [first, lost] = run(&mixed(), None)?;
    assert!(lost == first, "without a scale gradients vanish: {first} to {lost}");
    let [_, scaled] = run(&mixed(), Some(LossScale::new().growth_interval(20)))?;
    assert!((scaled / single - 1.0).abs() < 0.1, "with a scale {scaled}, in f32 {single}");
    Ok(())
}

/// Minimises a loss by a rate.
type Minimize = fn(&mut Graph, Value, Value) -> Result<()>;

/// A convolution, batch norm and linear layers whose tensors have odd numbers of elements; images, labels and loss.
fn odd_network() -> Result<(Graph, [Value; 3], Value)> {
    let mut g = Graph::new();
    let (x, classes) = (g.input("x", [3, 1, 7, 7])?, g.input_i32("labels", 3)?);
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 5, [3, 3]))
        .add("bn1", nn::BatchNorm::new(5))
        .add("relu1", nn::Relu)
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(125, 13))
        .add("fc2", nn::Linear::new(13, 7));
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, classes)?;
    let rate = g.input_scalar("rate")?;
    Ok((g, [x, classes, loss], rate))
}

/// The types of what updates take between parameters and state.
fn gradient_types(plan: &Plan) -> Vec<DType> {
    let graph = plan.graph();
    let updates = graph.nodes().filter(|(_, node)| node.operator.name().ends_with("_update"));
    let runs = updates.flat_map(|(_, node)| node.inputs[node.operator.arenas()[1].clone()].to_vec());
    runs.map(|value| graph.value(value).expect("it is of this graph").ty.dtype).collect()
}

#[test]
fn gradients_of_a_scaled_loss_are_f16() -> Result<()> {
    let scale = LossScale::new;
    let rules: [(&str, Minimize); 11] = [
        ("sgd", |g, loss, rate| Sgd::new(rate).momentum(0.9).loss_scale(LossScale::new()).minimize(g, loss)),
        ("clipped by value", |g, loss, rate| {
            Sgd::new(rate).clip_value(0.01).loss_scale(LossScale::new()).minimize(g, loss)
        }),
        ("clipped by norm", |g, loss, rate| {
            Sgd::new(rate).clip_norm(0.1).loss_scale(LossScale::new()).minimize(g, loss)
        }),
        ("groups", |g, loss, rate| {
            let sgd = Sgd::new(rate).group(|name| name.ends_with(".bias"), |group| group.weight_decay(0.1));
            sgd.loss_scale(LossScale::new()).minimize(g, loss)
        }),
        ("adam", |g, loss, rate| Adam::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("adamw", |g, loss, rate| AdamW::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("nadam", |g, loss, rate| Nadam::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("rmsprop", |g, loss, rate| Rmsprop::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("adagrad", |g, loss, rate| Adagrad::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("adadelta", |g, loss, rate| Adadelta::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
        ("lion", |g, loss, rate| Lion::new(rate).loss_scale(LossScale::new()).minimize(g, loss)),
    ];
    // Pages of the adapter's size, and so small that an arena has several.
    let caps = device().caps().clone();
    let paged = Caps { max_binding_bytes: 8192, ..caps.clone() };
    for ((name, minimize), caps) in rules.into_iter().flat_map(|rule| [(rule, &caps), (rule, &paged)]) {
        let (mut g, [x, classes, loss], rate) = odd_network()?;
        minimize(&mut g, loss, rate)?;
        let weights = Weights::init(device(), &g, 0)?;
        let mut session = Session::new(device(), Plan::with_options(&g, &[loss], caps, &mixed())?, &weights)?;
        let types = gradient_types(session.plan());
        assert!(types.len() == 8 && types.iter().all(|ty| *ty == DType::F16), "{name}: {types:?}");
        session.write(x, &numbers([3, 1, 7, 7], 1))?;
        session.write(classes, &labels(3, 7, 2))?;
        session.write_scalar(rate, 0.01)?;
        for _ in 0..3 {
            session.verify().unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
    // What f16 would lose, what somebody reads and what is asked for is f32.
    let types = |scale: Option<LossScale>, outputs: &dyn Fn(&Graph) -> Vec<Value>, options: &PlanOptions| {
        let (mut g, [.., loss], rate) = odd_network()?;
        let sgd = Sgd::new(rate);
        scale.map_or(sgd.clone(), |scale| sgd.loss_scale(scale)).minimize(&mut g, loss)?;
        let plan = Plan::with_options(&g, &outputs(&g), device().caps(), options)?;
        Ok::<_, Error>(gradient_types(&plan))
    };
    let nothing = |_: &Graph| Vec::new();
    let a_gradient = |g: &Graph| {
        let (_, update) =
            g.nodes().find(|(_, node)| node.operator.name() == "sgd_update").expect("it updates");
        vec![update.inputs[8]]
    };
    assert_eq!(types(Some(scale()), &nothing, &mixed())?, [DType::F16; 8]);
    assert_eq!(types(None, &nothing, &mixed())?, [DType::F32; 8]);
    assert_eq!(types(Some(scale()), &a_gradient, &mixed())?, [DType::F32; 8]);
    assert_eq!(types(Some(scale()), &nothing, &mixed().f32_gradients())?, [DType::F32; 8]);
    Ok(())
}

/// A copy whose kernel asks for the length of what it writes, so it can't write an odd number of f16.
#[derive(Debug)]
struct Counted;

static COUNTED: ShaderFile = ShaderFile::new(
    "counted",
    "
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&result)) {
        result[id.x] = source[id.x];
    }
}",
);

impl Operator for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let gradient = cx.apply1(Counted, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(Kernel::new(&COUNTED), &operands, 1);
        Ok(())
    }
}

impl Reference for Counted {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}

/// An update binds its gradients as one.
#[test]
fn one_gradient_that_can_not_be_f16_leaves_all_in_f32() -> Result<()> {
    let mut g = Graph::new();
    let (x, classes) = (g.input("x", [3, 4])?, g.input_i32("labels", 3)?);
    let weight = g.parameter("weight", [7, 4], Init::Uniform(1.0))?;
    let offset = g.parameter("offset", [7], Init::Constant(0.0))?;
    let (logits, offset) = (g.linear(x, weight, None)?, g.apply1(Counted, &[offset])?);
    let logits = g.add(logits, offset)?;
    let loss = g.cross_entropy(logits, classes)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).loss_scale(LossScale::new()).minimize(&mut g, loss)?;
    let plan = Plan::with_options(&g, &[loss], device().caps(), &mixed())?;
    assert_eq!(gradient_types(&plan), [DType::F32; 2]);
    let mut session = Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
    session.write(x, &numbers([3, 4], 1))?;
    session.write(classes, &labels(3, 7, 2))?;
    session.write_scalar(rate, 0.01)?;
    session.verify().map(drop)
}

/// Micro-batches add gradients in f32.
#[test]
fn micro_batches_ask_for_gradients_of_f32() -> Result<()> {
    let (mut g, [.., loss], rate) = odd_network()?;
    Sgd::new(rate).loss_scale(LossScale::new()).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 0)?;
    let training = |options: &PlanOptions| {
        let session =
            Session::new(device(), Plan::with_options(&g, &[loss], device().caps(), options)?, &weights)?;
        DataParallel::new(session, Threads::new(1)?.remove(0), &ParallelOptions::new(2))
    };
    let refused = training(&mixed()).expect_err("gradients are f16").to_string();
    assert!(refused.contains("is f16") && refused.contains("PlanOptions::f32_gradients"), "{refused}");
    training(&mixed().f32_gradients()).map(drop)
}

/// A loss of one's own from targets of f32, and a penalty on weights, are past what f16 holds.
#[test]
fn arithmetic_of_f32_stays_f32() -> Result<()> {
    let run = |options: &PlanOptions| -> Result<(Vec<f64>, usize)> {
        let mut g = Graph::new();
        let (x, target) = (g.input("x", [8, 3])?, g.input("target", [8, 5])?);
        let weight = g.parameter("weight", [5, 3], Init::Constant(1e-4))?;
        let y = g.linear(x, weight, None)?;
        let y = g.relu(y)?;
        let difference = g.sub(y, target)?;
        let squares = g.mul(difference, difference)?;
        let loss = g.mean(squares, &[], false)?;
        let of_weight = g.mul(weight, weight)?;
        let penalty = g.sum(of_weight, &[], false)?;
        let plan = Plan::with_options(&g, &[loss, penalty], device().caps(), options)?;
        let halves = plan.graph().values().filter(|(_, info)| info.ty.dtype == DType::F16).count();
        let mut session = Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
        session.write(x, &[1.0; 24])?;
        session.write(target, &[300.0; 40])?;
        session.verify()?;
        Ok((
            [loss, penalty]
                .map(|value| session.read(value).map(|x| x.to_f64()[0]))
                .into_iter()
                .collect::<Result<_>>()?,
            halves,
        ))
    };
    let apart = mixed().without(Fusion::Elementwise);
    let ((single, none), (found, halves)) = (run(&PlanOptions::default())?, run(&apart)?);
    assert!(none == 0 && halves >= 2, "{none} and {halves} values of f16");
    for (found, single) in found.iter().zip(&single) {
        assert!((found / single - 1.0).abs() < 1e-3, "{found}, in f32 {single}");
    }
    Ok(())
}

/// The accumulator holds what overflowed until the next sum begins. Neither the watch nor `verify` takes it for a fault.
#[test]
fn an_overflow_among_accumulated_gradients_is_no_fault() -> Result<()> {
    let mut g = Graph::new();
    let (x, labels) = (g.input("x", [2, 3, 8, 8])?, g.input_i32("labels", 2)?);
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(3, 8, [3, 3]).padding([1, 1]))
        .add("conv2", nn::Conv2d::new(8, 8, [3, 3]).padding([1, 1]).groups(8))
        .add("pool", nn::GlobalAvgPool2d)
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(8, 4));
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    let scale = LossScale::new().first(1e12);
    Sgd::new(rate).accumulate(2).loss_scale(scale).minimize(&mut g, loss)?;
    let again =
        Sgd::new(rate).loss_scale(scale).minimize(&mut g.clone(), loss).expect_err("there is one scale");
    assert!(again.to_string().contains("another optimizer of this graph scales its loss"), "{again}");
    let weights = Weights::init(device(), &g, 0)?;
    let plan = Plan::with_options(&g, &[loss], device().caps(), &mixed().watch(Watch::new()))?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(x, &numbers([2, 3, 8, 8], 1))?;
    session.write(labels, &harness::labels(2, 4, 2))?;
    session.write_scalar(rate, 0.01)?;
    for _ in 0..4 {
        session.verify()?;
    }
    let sum = weights.read("conv1.weight.gradient")?.to_f64();
    assert!(sum.iter().any(|x| !x.is_finite()), "the first scale is too large");
    session.reset_watch();
    session.step()?;
    session.check_finite()
}

/// A first scale that is far too large: steps change nothing until it fits, and the numerics watch is silent.
#[test]
fn an_overflow_costs_steps_and_nothing_else() -> Result<()> {
    let training = step(&network(), [8, 1, 28, 28], 10, Some(LossScale::new().first(1e30)))?;
    let weights = Weights::init(device(), &training.graph, 0)?;
    let options = mixed().watch(Watch::new());
    let plan = Plan::with_options(&training.graph, &[training.loss], device().caps(), &options)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(training.images, &numbers([8, 1, 28, 28], 1))?;
    session.write(training.labels, &labels(8, 10, 2))?;
    session.write_scalar(training.rate, 0.01)?;
    let before = weights.read("fc2.weight")?;
    let mut skipped = 0;
    while weights.read("fc2.weight")?.data == before.data {
        session.step()?;
        skipped += 1;
        assert!(skipped < 120, "the scale never fits");
        session.check_finite()?;
    }
    assert!(skipped > 40, "1e30 fits after {skipped} steps");
    let scale = weights.read("loss_scale")?.to_f64()[0];
    assert!(
        scale < 1e20 && scale > 1.0 && weights.read("loss_scale.good_steps")?.to_f64() == [1.0],
        "{scale}"
    );
    let rate = training.rate;
    let refused = |scale: LossScale| {
        let optimizer = Sgd::new(rate).loss_scale(scale);
        optimizer.apply(&mut training.graph.clone(), &[]).expect_err("it is refused").to_string()
    };
    assert!(refused(LossScale::new()).contains("let minimize compute them"));
    assert!(refused(LossScale::new().first(0.5)).contains("at least 1 and finite, found 0.5"));
    assert!(refused(LossScale::new().growth_interval(0)).contains("from 1 to 2^24, found 0"));
    Ok(())
}
