//! Plans: a small one as committed text, memory by lifetime, limits, choices. No GPU is needed.

use crate::harness::snapshot;
use crate::{cases, harness};
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::plan::{BufferKind, Fusion, Place, Traffic};
use wgrad::shader::Access;
use wgrad::{Caps, Error, Graph, Mode, Plan, PlanOptions, Value, optim};

fn software() -> Caps {
    Caps::webgpu_defaults(AdapterKind::Software)
}

/// A chain of unpadded convolutions of one channel, the input `size` square.
fn chain(batch: usize, size: usize, layers: usize) -> Result<(Graph, Value), Error> {
    let mut graph = Graph::new();
    let mut x = graph.input("x", [batch, 1, size, size])?;
    let w = graph.input("w", [1, 1, 3, 3])?;
    for layer in 0..layers {
        let attributes = Conv2dOptions::new().padding([1, 1]);
        x = graph.scoped(&format!("layer{layer}"), |g| g.conv2d(x, w, None, attributes))?;
    }
    Ok((graph, x))
}

#[test]
fn a_plan_reads_as_committed() {
    let (graph, output) = chain(2, 8, 2).expect("the chain is valid");
    let plan = Plan::new(&graph, &[output], &software()).expect("the chain fits");
    snapshot::check("tests/snapshots/chain.txt", "plan::", &plan.to_string());
}

#[test]
fn the_same_graph_gives_the_same_plan() {
    let text = || {
        let (graph, output) = chain(4, 16, 5).expect("the chain is valid");
        Plan::new(&graph, &[output], &software()).expect("the chain fits").to_string()
    };
    assert_eq!(text(), text());
}

#[test]
fn values_that_are_not_alive_together_share_memory() {
    let (graph, output) = chain(2, 16, 9).expect("the chain is valid");
    let options = PlanOptions::default().variant("conv2d", "tiled");
    let plan = Plan::with_options(&graph, &[output], &software(), &options).expect("the chain fits");
    let activations: Vec<u64> =
        plan.buffers().iter().filter(|b| b.kind == BufferKind::Activations).map(|b| b.bytes).collect();
    let one = 2 * 16 * 16 * 4;
    assert_eq!(activations, [one, one], "nine equal values one after the other need two slots");
    assert_eq!(plan.activation_lower_bound(), 2 * one);
}

#[test]
fn no_dispatch_reads_and_writes_one_buffer() {
    for (_, cases) in cases::all() {
        for case in cases {
            let built = harness::build(&case).expect("the case is valid");
            let plan = Plan::new(&built.graph, &built.outputs, &software()).expect("the case fits");
            for dispatch in plan.dispatches() {
                let buffers = |access: Access| {
                    dispatch.bindings.iter().filter(move |b| b.access == access).filter_map(|b| {
                        match b.place {
                            Place::Owned { buffer, .. } => Some(buffer),
                            Place::Stored { .. } => None,
                        }
                    })
                };
                for written in buffers(Access::Write) {
                    assert!(
                        buffers(Access::Read).all(|read| read != written),
                        "{}: kernel {} reads and writes buffer {written}",
                        case.name,
                        dispatch.kernel.name()
                    );
                }
            }
        }
    }
}

#[test]
fn the_table_of_choices_speaks_of_every_operator_with_variants() {
    for (_, cases) in cases::all() {
        for case in cases {
            let built = harness::build(&case).expect("the case is valid");
            for kind in
                [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software]
            {
                let plan =
                    Plan::new(&built.graph, &built.outputs, &Caps::webgpu_defaults(kind)).expect("it fits");
                for step in plan.steps() {
                    assert_ne!(step.why, "no preference is stated", "{} on {kind}", case.operator.name());
                }
            }
        }
    }
}

#[test]
fn a_matrix_by_a_vector_is_a_class_of_its_own() {
    let chosen = |columns: usize| {
        let mut graph = Graph::new();
        let a = graph.input("a", [256, 512]).expect("the input is valid");
        let b = graph.input("b", [512, columns]).expect("the input is valid");
        let c = graph.matmul(a, b).expect("the sizes fit");
        let plan = Plan::new(&graph, &[c], &Caps::webgpu_defaults(AdapterKind::Discrete)).expect("it fits");
        (plan.steps()[0].variant.name(), plan.to_string())
    };
    assert_eq!(chosen(256).0, "tiled");
    let (variant, text) = chosen(1);
    assert_eq!(variant, "vector");
    assert!(text.contains("first choice for vector shapes"), "{text}");
}

#[test]
fn a_variant_can_be_asked_for_by_operator_or_by_node() {
    let (graph, output) = chain(1, 8, 2).expect("the chain is valid");
    let options =
        PlanOptions::default().variant("conv2d", "tiled").node_variant("conv2d", "layer1", "im2col");
    let plan = Plan::with_options(&graph, &[output], &software(), &options).expect("the variants exist");
    let variants: Vec<_> = plan.steps().iter().map(|s| s.variant.name()).collect();
    assert_eq!(variants, ["tiled", "im2col"]);
    let options = PlanOptions::default().node_variant("conv2d", "layer0", "quantum");
    match Plan::with_options(&graph, &[output], &software(), &options) {
        Err(e @ Error::Variant { .. }) => {
            let text = e.to_string();
            assert!(text.contains("\"layer0\"") && text.contains("tiled, direct"), "{text}");
        }
        other => panic!("expected an unknown variant to be refused, found {other:?}"),
    }
}

#[test]
fn past_a_limit_the_layer_is_named_with_the_largest_batch_that_fits() {
    // One image is 64 x 64 floats, 16 KiB; the adapter binds 100 of them.
    let mut caps = software();
    caps.max_binding_bytes = 100 * 64 * 64 * 4;
    let plan = |batch: usize| {
        let (graph, output) = chain(batch, 64, 1).expect("the chain is valid");
        Plan::new(&graph, &[output], &caps)
    };
    match plan(101) {
        Err(Error::Limit { operator, node, message, largest_batch }) => {
            assert_eq!((operator.as_str(), node.as_str(), largest_batch), ("conv2d", "layer0", Some(100)));
            assert!(message.contains("1654784") && message.contains("1638400"), "{message}");
        }
        other => panic!("expected the limit to be found, found {other:?}"),
    }
    plan(100).expect("the batch that was named fits");
}

#[test]
fn a_weight_past_a_limit_leaves_no_batch() {
    let mut caps = software();
    caps.max_binding_bytes = 1 << 10;
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 400]).expect("the input is valid");
    let w = graph.parameter("w", [2, 400], wgrad::graph::Init::Constant(0.0)).expect("the weight is valid");
    let y = graph.scoped("wide", |g| g.linear(x, w, None)).expect("the sizes fit");
    match Plan::new(&graph, &[y], &caps) {
        Err(e @ Error::Limit { largest_batch: None, .. }) => {
            assert!(e.to_string().contains("\"wide\""), "{e}")
        }
        other => panic!("expected the limit to be found, found {other:?}"),
    }
}

#[test]
fn long_rows_of_workgroups_fold_into_three_dimensions() {
    let mut caps = software();
    caps.max_workgroups = 5;
    let mut graph = Graph::new();
    let (a, b) = (graph.input("a", [1024 * 101]), graph.input("b", [1024 * 101]));
    let sum = graph.add(a.expect("valid"), b.expect("valid")).expect("equal shapes add");
    let plan = Plan::new(&graph, &[sum], &caps).expect("101 workgroups fold into 5 x 5 x 5");
    let groups = plan.dispatches()[0].workgroups;
    assert!(groups.iter().all(|&n| n <= 5) && groups.iter().product::<u32>() >= 101, "{groups:?}");
    let mut graph = Graph::new();
    let (a, b) = (graph.input("a", [1024 * 126]), graph.input("b", [1024 * 126]));
    let sum = graph.add(a.expect("valid"), b.expect("valid")).expect("equal shapes add");
    let error = Plan::new(&graph, &[sum], &caps).expect_err("126 do not fit");
    assert!(error.to_string().contains("workgroups"), "{error}");
}

#[test]
fn the_seed_network_trains_within_webgpus_default_limits() {
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        let training = harness::network::training(64).expect("the network is valid");
        let plan = Plan::new(&training.graph, &[training.loss], &Caps::webgpu_defaults(kind));
        let plan = plan.unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert!(plan.dispatches().iter().all(|d| d.bindings.len() <= 8), "{kind}");
    }
}

#[test]
fn memory_traffic_is_counted_as_by_hand() {
    // y = x + w, z = relu(y): y is written once and read once.
    let mut graph = Graph::new();
    let x = graph.input("x", [100]).expect("valid");
    let w = graph.input("w", [100]).expect("valid");
    let y = graph.add(x, w).expect("equal shapes add");
    let z = graph.relu(y).expect("valid");
    let apart = PlanOptions::default().without(Fusion::Elementwise);
    let plan = Plan::with_options(&graph, &[z], &software(), &apart).expect("it fits");
    let each = [
        Traffic { read: 800, written: 400, least_read: 800, least_written: 400 },
        Traffic { read: 400, written: 400, least_read: 400, least_written: 400 },
    ];
    assert_eq!(plan.traffic_by_step(), each);
    assert_eq!((plan.traffic().total(), plan.traffic().least()), (2000, 2000));
    assert_eq!(plan.uploaded_bytes(), 800);
    // Fused, y touches no memory.
    let plan = Plan::new(&graph, &[z], &software()).expect("it fits");
    assert_eq!(plan.traffic(), Traffic { read: 800, written: 400, least_read: 800, least_written: 400 });

    // Unrolled windows are written by one kernel and read by the next.
    let (graph, output) = chain(2, 8, 1).expect("the chain is valid");
    let options = PlanOptions::default().variant("conv2d", "im2col");
    let plan = Plan::with_options(&graph, &[output], &software(), &options).expect("the chain fits");
    let columns = plan.dispatches()[0].bindings[1].place.bytes();
    let (image, weight) = (2 * 8 * 8 * 4, 9 * 4);
    let expected = Traffic {
        read: image + weight + columns,
        written: image + columns,
        least_read: image + weight,
        least_written: image,
    };
    assert_eq!(plan.traffic(), expected);
}

#[test]
fn an_update_in_place_is_read_and_written() {
    // SGD over two parameters of 3 and 70 floats, which lie in arenas at multiples of 512 bytes.
    let mut graph = Graph::new();
    let x = graph.input("x", [5, 3]).expect("valid");
    let rate = graph.input_scalar("rate").expect("valid");
    let net = nn::Sequential::new().add("a", nn::Linear::new(3, 70)).add("b", nn::Linear::new(70, 1));
    let y = net.forward(&mut graph, x, Mode::Train).expect("valid");
    let labels = graph.input_i32("labels", 5).expect("valid");
    let loss = graph.cross_entropy(y, labels).expect("valid");
    optim::Sgd::new(rate).minimize(&mut graph, loss).expect("valid");
    let plan = Plan::new(&graph, &[loss], &software()).expect("it fits");
    let update = plan
        .steps()
        .iter()
        .position(|s| plan.graph().node(s.node).expect("of this graph").operator.name() == "sgd_update");
    let traffic = plan.traffic_by_step()[update.expect("the step updates")];
    let floats = 3 * 70 + 70 + 70 + 1;
    assert_eq!(traffic.least_read, 2 * 4 * floats + 8, "parameters, gradients, rate and step");
    assert_eq!(traffic.least_written, 4 * floats);
    let arena = 4 * 128 * (2 + 1 + 1 + 1);
    assert_eq!((traffic.read, traffic.written), (2 * arena + 8, arena));
}

/// Sets one number of some caps.
type Set = fn(&mut Caps, u32);

#[test]
fn caps_that_no_adapter_has_are_refused_and_small_ones_give_errors() {
    let fields: [(&str, Set); 9] = [
        ("max_binding_bytes", |caps, n| caps.max_binding_bytes = n.into()),
        ("max_buffer_bytes", |caps, n| caps.max_buffer_bytes = n.into()),
        ("max_storage_buffers", |caps, n| caps.max_storage_buffers = n),
        ("max_workgroup_bytes", |caps, n| caps.max_workgroup_bytes = n),
        ("max_invocations", |caps, n| caps.max_invocations = n),
        ("max_workgroups", |caps, n| caps.max_workgroups = n),
        ("offset_alignment", |caps, n| caps.offset_alignment = n),
        ("subgroup_size", |caps, n| (caps.subgroups, caps.subgroup_size) = (true, n)),
        ("all", |caps, n| {
            let limits = Caps {
                max_binding_bytes: n.into(),
                max_buffer_bytes: n.into(),
                max_storage_buffers: n,
                max_workgroup_bytes: n,
                max_invocations: n,
                max_workgroups: n,
                offset_alignment: n,
                ..caps.clone()
            };
            *caps = limits;
        }),
    ];
    let training = harness::network::training(4).expect("the network is valid");
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        for (field, set) in fields {
            for number in [0, 1, 2, 3, 7, 8, 60, 64, 100, 1 << 10, 1 << 16, u32::MAX] {
                let mut caps = Caps::webgpu_defaults(kind);
                set(&mut caps, number);
                let planned = Plan::new(&training.graph, &[training.loss], &caps).map(drop);
                if number == 0 && field != "subgroup_size" {
                    let error = planned.expect_err("there is no such adapter").to_string();
                    let named = if field == "all" { "max_binding_bytes" } else { field };
                    assert!(error.contains("caps") && error.contains(named), "{kind}, {field}: {error}");
                } else if let Err(error) = planned {
                    let fits = matches!(error, Error::Setting { setting: "caps", .. } | Error::Limit { .. });
                    assert!(fits, "{kind}, {field} of {number}: {error}");
                }
            }
        }
    }
}
