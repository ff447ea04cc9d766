//! Plans and kernels as committed text, so that a review sees what a change does to them. No GPU is needed.

use crate::harness::network::{Training, training, training_of};
use crate::harness::{files, snapshot};
use std::collections::BTreeSet;
use wgrad::nn::Layer;
use wgrad::nn::models::{self, ResNet};
use wgrad::op::AdapterKind;
use wgrad::{Caps, Error, Graph, Mode, Plan, Value};

const PLANS: &str = "tests/snapshots/plans";
const KERNELS: &str = "tests/snapshots/kernels";

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

/// The networks, by the names of their files.
const NETWORKS: [&str; 4] = ["seed", "residual", "mobilenet", "unet"];

/// What drivers of such adapters offer: more buffers than WebGPU's default, and subgroups of a size that software
/// adapters tell.
fn caps(kind: AdapterKind) -> Caps {
    let mut caps = Caps::webgpu_defaults(kind);
    caps.max_storage_buffers = 16;
    if kind == AdapterKind::Software {
        (caps.subgroups, caps.subgroup_size) = (true, 8);
    }
    caps
}

/// Training steps of the seed network, a residual one and one that labels pixels; and a network that is evaluated.
fn network(name: &str) -> Result<(Graph, Value), Error> {
    let trained = |built: Training| (built.graph, built.loss);
    match name {
        "seed" => training(64).map(trained),
        "residual" => {
            let network = ResNet::basic([1, 1, 1, 1]).width(16).build(3, 10);
            training_of(&network, [8, 3, 64, 64]).map(trained)
        }
        "unet" => training_of(&models::unet(1, 3, 8), [2, 1, 64, 64]).map(trained),
        "mobilenet" => {
            let mut graph = Graph::new();
            let images = graph.input("images", [1, 3, 224, 224])?;
            let logits = models::mobilenet_v2(3, 1000).forward(&mut graph, images, Mode::Eval)?;
            Ok((graph, logits))
        }
        other => panic!("{other} is no network of these"),
    }
}

fn plan(name: &str, kind: AdapterKind) -> Plan {
    let plan = || {
        let (graph, output) = network(name)?;
        Plan::new(&graph, &[output], &caps(kind))
    };
    plan().unwrap_or_else(|e| panic!("{name} on {kind}: {e}"))
}

/// Fails unless a folder holds these files and no others.
fn check_names(folder: &str, expected: BTreeSet<String>) {
    let found: BTreeSet<String> = files::listing(&snapshot::path(folder)).into_iter().collect();
    let stray: Vec<_> = found.difference(&expected).collect();
    assert!(stray.is_empty(), "no test writes these files of {folder}; remove them: {stray:?}");
}

#[test]
fn plans_read_as_committed() {
    let mut names = BTreeSet::new();
    for name in NETWORKS {
        for kind in KINDS {
            let file = format!("{name}_{kind}.txt");
            snapshot::check(&format!("{PLANS}/{file}"), "snapshots::", &plan(name, kind).to_string());
            names.insert(file);
        }
    }
    check_names(PLANS, names);
}

/// A kernel: its file, and where it is found.
struct Found {
    file: &'static str,
    network: &'static str,
    kind: AdapterKind,
    operator: &'static str,
    node: &'static str,
    /// Which of the node's dispatches.
    dispatch: usize,
}

/// One of each kind that matters to a training step's time, and such as have an epilogue.
const FOUND: [Found; 10] = {
    use AdapterKind::{Apple, Discrete, Integrated, Software};
    const fn found(
        file: &'static str,
        network: &'static str,
        kind: AdapterKind,
        [operator, node]: [&'static str; 2],
        dispatch: usize,
    ) -> Found {
        Found { file, network, kind, operator, node, dispatch }
    }
    [
        // An implicit product: loaders of a convolution in the tile of workgroup memory.
        found("conv2d_tiled.wgsl", "seed", Discrete, ["conv2d", "conv2"], 0),
        found("conv2d_direct_subgroup.wgsl", "seed", Software, ["conv2d", "conv2"], 0),
        // Depthwise, with the chain that evaluation makes of batch norm and its activation.
        found("conv2d_depthwise.wgsl", "mobilenet", Integrated, ["conv2d", "features.1.conv.0.0"], 0),
        found(
            "conv2d_grad_input_tiled.wgsl",
            "residual",
            Discrete,
            ["conv2d_grad_input", "layer4.0.conv1"],
            0,
        ),
        found("matmul_register.wgsl", "seed", Apple, ["matmul", "fc1"], 0),
        found("linear_subgroup.wgsl", "seed", Software, ["linear", "fc1"], 0),
        // The parts of a long sum, and an activation's gradient behind them.
        found("sum_splits.wgsl", "seed", Discrete, ["matmul", "fc1"], 1),
        found("batch_norm_max_pool2d.wgsl", "seed", Discrete, ["batch_norm", "bn1"], 2),
        found("cross_entropy_with_grad.wgsl", "seed", Discrete, ["cross_entropy", "cross_entropy"], 0),
        found("sgd_update.wgsl", "seed", Discrete, ["sgd_update", "sgd_update"], 0),
    ]
};

#[test]
fn kernels_read_as_committed() {
    let mut names = BTreeSet::new();
    for Found { file, network, kind, operator, node, dispatch } in FOUND {
        let plan = plan(network, kind);
        let step = plan.steps().iter().find(|step| {
            let found = plan.graph().node(step.node).expect("of this graph");
            found.operator.name().starts_with(operator) && found.name == node
        });
        let step = step.unwrap_or_else(|| panic!("{file}: {network} has no {operator} \"{node}\":\n{plan}"));
        let dispatch = step.dispatches.clone().nth(dispatch);
        let dispatch = dispatch.unwrap_or_else(|| panic!("{file}: the node has fewer dispatches:\n{plan}"));
        let source = plan.dispatches()[dispatch].kernel.source().unwrap_or_else(|e| panic!("{file}: {e}"));
        snapshot::check(&format!("{KERNELS}/{file}"), "snapshots::", &source);
        names.insert(file.to_owned());
    }
    check_names(KERNELS, names);
}

#[test]
fn a_difference_is_told_by_its_first_lines() {
    let told = |a: &str, b: &str| snapshot::difference(a, b);
    assert_eq!(told("a\nb\n", "a\nb\n"), None);
    let changed = told("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nx\ne\nf\n");
    assert_eq!(changed.as_deref(), Some("line 4\n  b\n  c\n- d\n+ x\n"));
    let added = told("a\nc\nd\n", "a\nb\nc\nd\n");
    assert_eq!(added.as_deref(), Some("line 2\n  a\n+ b\n"));
    let cut = told("a\nb\nc\n", "a\n");
    assert_eq!(cut.as_deref(), Some("line 2\n  a\n- b\n- c\n"));
    let longer: String = (0..20).map(|i| format!("{i}\n")).collect();
    let long = told("", &longer).expect("they differ");
    assert!(long.ends_with("+ 7\n+ and 12 more lines\n"), "{long}");
    assert!(told("a", "a\n").is_some(), "the last line's end counts");
}
