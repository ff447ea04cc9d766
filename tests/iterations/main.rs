//! Loops stay short: every kernel states how many loop iterations an invocation makes at most, and the plan keeps
//! that below what a driver runs to the end. Here what kernels state is compared with what they do, and long
//! sums of every operator are planned, and computed, past the length at which drivers stop.

#[path = "../cases/mod.rs"]
mod cases;
#[path = "../harness/mod.rs"]
mod harness;
mod interpret;
mod values;

use interpret::{Invocation, Slices};
use std::collections::BTreeMap;
use wgrad::plan::{AdapterKind, Dispatch, MAX_ITERATIONS};
use wgrad::shader::Kernel;
use wgrad::{Caps, Plan, PlanOptions};

/// What was found of kernels, each looked at once.
#[derive(Default)]
struct Checked {
    /// By text and workgroups.
    seen: BTreeMap<(String, [u32; 3]), ()>,
    wrong: BTreeMap<String, String>,
}

impl Checked {
    /// Compares what a dispatch's kernel states with what some of its invocations do: first, last and others.
    fn check(&mut self, whose: &str, dispatch: &Dispatch) {
        let kernel = &dispatch.kernel;
        let source = kernel.source().expect("a planned kernel joins");
        if !source.contains("for (") && !source.contains("while (") && !source.contains("loop {") {
            return;
        }
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
        for (group, lane) in [([0; 3], 0), (middle, 0), (last, lanes - 1)] {
            let invocation = Invocation { group, groups, lane };
            match interpret::iterations(&module, &slices, invocation, most_written_out(kernel)) {
                Ok(count) => most = most.max(count),
                Err(message) => self.fail(kernel.name(), format!("{whose}: {message}")),
            }
        }
        let stated = kernel.max_iterations();
        if most > stated {
            self.fail(kernel.name(), format!("{whose}: makes {most} iterations, states {stated}"));
        } else if stated > 8 * most + 256 {
            // Not wrong, but work would be split that need not be.
            self.fail(kernel.name(), format!("{whose}: states {stated} iterations, makes {most}"));
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
        let lines: Vec<String> =
            self.wrong.iter().map(|(kernel, message)| format!("{kernel}: {message}")).collect();
        assert!(lines.is_empty(), "{} kernels:\n{}", lines.len(), lines.join("\n"));
        assert!(!self.seen.is_empty());
    }
}

/// Iterations of loops that compilers write out: those over what windows that slide hold in registers, which would
/// leave them otherwise. Mesa's unrolls 32, and that many such loops within one that it keeps end at the right sums
/// (`tests/long_windows`).
fn most_written_out(kernel: &Kernel) -> u64 {
    const SLIDING: [&str; 5] = [
        "conv2d_direct",
        "conv2d_direct_subgroup",
        "conv2d_grad_weight_direct",
        "conv2d_depthwise",
        "conv2d_depthwise_grad_weight",
    ];
    if SLIDING.contains(&kernel.name()) { 32 } else { 0 }
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
