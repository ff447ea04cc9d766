//! Loops stay short. Every kernel states the most loop iterations of an invocation, and the plan keeps that below the
//! number at which drivers stop. These tests compare the statements with the kernels' real loops, and plan and
//! compute sums of every operator that are longer than drivers allow.

mod absurd;
mod counts;
mod interpret;
mod slice;
mod values;

use crate::harness::sweep;
use crate::{cases, harness};
use interpret::{Invocation, Slices};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wgrad::op::{AdapterKind, MAX_ITERATIONS};
use wgrad::plan::Dispatch;
use wgrad::{Caps, Graph, Plan, PlanOptions, TensorType, Value};

/// Kernels of windows that slide, which hold numbers in registers and loop over those: they state what compilers
/// leave of their loops. Mesa's writes out loops of 32 iterations, and that many such loops within one that it keeps
/// end at the right sums (`tests/suite/long_windows`).
const WRITTEN_OUT: [&str; 6] = [
    "conv2d_direct",
    "conv2d_direct_subgroup",
    "conv2d_depthwise",
    "conv2d_depthwise_grad_weight",
    "conv2d_grad_weight_direct",
    "conv2d_grad_weight_subgroup",
];

/// Iterations past which it takes long to follow an invocation.
const LONG: u64 = 1000;

/// What was found of kernels, each looked at once.
#[derive(Default)]
struct Checked {
    /// By text and workgroups.
    seen: BTreeMap<(String, [u32; 3]), ()>,
    wrong: BTreeMap<String, String>,
    dispatches: usize,
    /// How many long kernels of each name there were.
    long: BTreeMap<&'static str, usize>,
}

impl Checked {
    /// Compares what a dispatch's kernel states with what some of its invocations do: the first, one in the middle and the
    /// last. Outside the sweep a long kernel shows one of the three at a time.
    fn check(&mut self, whose: &str, dispatch: &Dispatch) {
        let kernel = &dispatch.kernel;
        let source = kernel.source().expect("a planned kernel joins");
        if !source.contains("for (") && !source.contains("while (") && !source.contains("loop {") {
            return;
        }
        self.dispatches += 1;
        if self.seen.insert((source.clone(), dispatch.workgroups), ()).is_some() {
            return;
        }
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|e| panic!("{whose}: {}", e.emit_to_string(&source)));
        let slices = Slices::of(&module);
        let groups = dispatch.workgroups;
        let lanes: u32 = module.entry_points[0].workgroup_size.iter().product();
        let last = groups.map(|n| n - 1);
        let middle = groups.map(|n| n / 2);
        let mut most = 0;
        let written_out = WRITTEN_OUT.contains(&kernel.name());
        let stated = kernel.max_iterations();
        let mut places = vec![([0; 3], 0), (middle, 0), (last, lanes - 1)];
        if stated > LONG {
            // One after the other as the kernel comes again with other sizes.
            let times = self.long.entry(kernel.name()).or_default();
            places = sweep::turn(&places, *times);
            *times += 1;
        }
        for (group, lane) in places {
            match interpret::iterations(&module, &slices, Invocation { group, groups, lane }) {
                Ok(count) => most = most.max(if written_out { count.left } else { count.all }),
                Err(message) => self.fail(kernel.name(), format!("{whose}: {message}")),
            }
        }
        if most > stated {
            self.fail(kernel.name(), format!("{whose}: makes {most} iterations, states {stated}"));
        }
        if stated > MAX_ITERATIONS {
            self.fail(kernel.name(), format!("{whose}: states {stated} iterations"));
        }
    }

    /// Keeps the first fault of each kernel.
    fn fail(&mut self, kernel: &str, message: String) {
        self.wrong.entry(kernel.to_owned()).or_insert(message);
    }

    fn done(self) {
        println!("{} dispatches with loops, {} kernels", self.dispatches, self.seen.len());
        let lines: Vec<String> =
            self.wrong.iter().map(|(kernel, message)| format!("{kernel}: {message}")).collect();
        assert!(lines.is_empty(), "{} kernels:\n{}", lines.len(), lines.join("\n"));
        assert!(!self.seen.is_empty());
    }
}

/// A GPU and a software adapter, with and without subgroups: the other kinds run the same kernels.
fn adapters() -> Vec<Caps> {
    let each = |(kind, size)| {
        let plain = Caps::webgpu_defaults(kind);
        [plain.clone(), Caps { subgroups: true, subgroup_size: size, ..plain }]
    };
    [(AdapterKind::Discrete, 32), (AdapterKind::Software, 8)].into_iter().flat_map(each).collect()
}

#[test]
fn kernels_state_as_many_iterations_as_they_make() {
    let mut checked = Checked::default();
    for (_, cases) in cases::all() {
        for case in cases {
            let built = harness::build(&case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let kinds = case.kinds();
            for caps in adapters() {
                for variant in case.operator.variants(&kinds.iter().collect::<Vec<_>>(), &caps) {
                    let options = PlanOptions::default().variant(case.operator.name(), variant);
                    let plan = Plan::with_options(&built.graph, &built.outputs, &caps, &options)
                        .unwrap_or_else(|e| panic!("{} {variant}: {e}", case.name));
                    for dispatch in plan.dispatches() {
                        let whose = format!("{} {variant} on {}", case.name, caps.kind);
                        checked.check(&whose, dispatch);
                    }
                }
            }
        }
    }
    checked.done();
}

/// Adapters that hold whatever is asked of them, for plans that may take any time: a GPU and a software adapter, which between them have every variant, and
/// in the sweep one of every kind.
fn without_limits() -> Vec<Caps> {
    let each = |(kind, size)| Caps {
        max_binding_bytes: 1 << 50,
        max_buffer_bytes: 1 << 50,
        subgroups: size > 0,
        subgroup_size: size,
        ..Caps::webgpu_defaults(kind)
    };
    let adapters = [
        (AdapterKind::Discrete, 32),
        (AdapterKind::Software, 8),
        (AdapterKind::Integrated, 8),
        (AdapterKind::Apple, 32),
        (AdapterKind::Software, 0),
        (AdapterKind::SwiftShader, 0),
    ];
    adapters[..sweep::count(2, 6)].iter().copied().map(each).collect()
}

#[test]
fn no_kernel_loops_long_at_any_size() {
    let mut checked = Checked::default();
    for absurd::Absurd { name, build, shapes } in absurd::all() {
        for shape in shapes {
            let mut graph = Graph::new();
            let read = build(&mut graph, &shape).unwrap_or_else(|e| panic!("{name} of {shape:?}: {e}"));
            for caps in without_limits() {
                let whose = format!("{name} of {shape:?} on {}", caps.kind);
                let plain = PlanOptions::default().longest_submit(Duration::MAX);
                let plan = Plan::with_options(&graph, &read, &caps, &plain)
                    .unwrap_or_else(|e| panic!("{whose}: {e}"));
                plan.dispatches().iter().for_each(|dispatch| checked.check(&whose, dispatch));
                if matches!(caps.kind, AdapterKind::Integrated | AdapterKind::Apple) {
                    // Their variants are those of a discrete one.
                    continue;
                }
                // Every other variant of every operator, all others as they are chosen.
                let mut asked = BTreeSet::new();
                for step in plan.steps() {
                    let node = plan.graph().node(step.node).expect("a plan's steps are its graph's nodes");
                    let kinds: Vec<_> = node.inputs.iter().map(|&v| kind(plan.graph(), v)).collect();
                    for variant in node.operator.variants(&kinds.iter().collect::<Vec<_>>(), &caps) {
                        if variant == step.variant || !asked.insert((node.operator.name(), variant)) {
                            continue;
                        }
                        let (operator, node) = (node.operator.name(), &node.name);
                        let options = plain.clone().node_variant(operator, node, variant);
                        let whose = format!("{whose}, {operator} {node} by {variant}");
                        let plan = Plan::with_options(&graph, &read, &caps, &options)
                            .unwrap_or_else(|e| panic!("{whose}: {e}"));
                        plan.dispatches().iter().for_each(|dispatch| checked.check(&whose, dispatch));
                    }
                }
            }
        }
    }
    checked.done();
}

fn kind(graph: &Graph, value: Value) -> TensorType {
    graph.value(value).expect("an input of one of its nodes").ty.clone()
}
