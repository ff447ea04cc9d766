//! Checks the kernels of every operator, case, variant and kind of adapter with naga and tint; and which sources may
//! name the GPU library.

use crate::cases;
use crate::harness::{self, Case, halves};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use wgrad::device::Peaks;
use wgrad::op::{AdapterKind, CooperativeMatrix};
use wgrad::plan::Watch;
use wgrad::session::watch_kernels;
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{Caps, Plan, PlanOptions};

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

/// All kernels, and the shader files that they are made of.
#[derive(Default)]
struct All {
    /// By name and text.
    kernels: BTreeMap<&'static str, BTreeMap<String, Kernel>>,
    files: BTreeSet<&'static str>,
}

impl All {
    fn insert(&mut self, kernel: &Kernel) {
        let text = kernel.source().expect("a planned kernel joins");
        self.kernels.entry(kernel.name()).or_default().entry(text).or_insert_with(|| kernel.clone());
    }

    /// Of a case of an operator, or of what no operator brings.
    fn insert_with_files(&mut self, kernel: &Kernel) {
        self.insert(kernel);
        self.files.extend(kernel.files().iter().map(|file| file.path()));
    }
}

/// Made once: both compilers check them.
static ALL: LazyLock<All> = LazyLock::new(|| {
    let mut all = All::default();
    let families = cases::all();
    for case in families.iter().flat_map(|(_, cases)| cases) {
        let built = harness::build(case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let kinds = case.kinds();
        for kind in KINDS {
            let plain = Caps::webgpu_defaults(kind);
            let of_size = |size| Caps { subgroups: true, subgroup_size: size, ..plain.clone() };
            for caps in &[plain.clone(), of_size(8), of_size(32)] {
                for variant in case.operator.variants(&kinds.iter().collect::<Vec<_>>(), caps) {
                    let options = PlanOptions::default().variant(case.operator.name(), variant);
                    // What nobody reads may be left out.
                    for outputs in [&built.outputs[..], &built.outputs[..1]] {
                        let plan = Plan::with_options(&built.graph, outputs, caps, &options)
                            .unwrap_or_else(|e| panic!("{} {variant}: {e}", case.name));
                        plan.dispatches().iter().for_each(|dispatch| all.insert_with_files(&dispatch.kernel));
                    }
                }
            }
        }
    }
    // Whole steps, for what fusion makes of them.
    for training in [harness::network::training(4), harness::network::residual_training(2, 32, 8, 10)] {
        let training = training.expect("the network is valid");
        for kind in KINDS {
            let caps = Caps { subgroups: true, subgroup_size: 8, ..Caps::webgpu_defaults(kind) };
            let plan = Plan::new(&training.graph, &[training.loss], &caps).expect("the network fits");
            plan.dispatches().iter().for_each(|dispatch| all.insert(&dispatch.kernel));
        }
    }
    // Those that no operator brings.
    let peaks = KINDS.iter().flat_map(|&kind| Peaks::kernels(&Caps::webgpu_defaults(kind)));
    let is_other =
        |file: &&ShaderFile| file.name() == "poison" || file.path().starts_with("kernels/parallel/");
    let others = ShaderFile::kernels().iter().copied().filter(is_other).map(Kernel::new);
    let of_families = watched_kernels(&families).into_iter().chain(half_kernels(&families));
    of_families.chain(peaks).chain(others).for_each(|kernel| all.insert_with_files(&kernel));
    all
});

/// The kernels of every operator's first case, all variants, under the numerics watch, and those of the watch itself.
fn watched_kernels(families: &[(&str, Vec<Case>)]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let caps = Caps { subgroups: true, subgroup_size: 8, ..Caps::webgpu_defaults(AdapterKind::Software) };
    for (_, cases) in families {
        let mut seen = BTreeSet::new();
        for case in cases.iter().filter(|case| seen.insert(case.operator.name())) {
            let built = harness::build(case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let kinds = case.kinds();
            for variant in case.operator.variants(&kinds.iter().collect::<Vec<_>>(), &caps) {
                let options =
                    PlanOptions::default().variant(case.operator.name(), variant).watch(Watch::new());
                let plan = Plan::with_options(&built.graph, &built.outputs, &caps, &options)
                    .unwrap_or_else(|e| panic!("{} {variant}: {e}", case.name));
                kernels.extend(plan.dispatches().iter().map(|dispatch| dispatch.kernel.clone()));
                kernels.extend(watch_kernels(&plan));
            }
        }
    }
    // Tensors that are too large to wait for the end of the step.
    for rows in [4096, 4099] {
        let mut graph = wgrad::Graph::new();
        let x = graph.input("x", [rows, 5]).expect("the name is free");
        let softmax = graph.softmax(x, 1).and_then(|y| graph.softmax(y, 0)).expect("the shape is valid");
        let sum = graph.sum(softmax, &[0, 1], false).expect("the shape is valid");
        let plan = Plan::with_options(&graph, &[sum], &caps, &PlanOptions::default().watch(Watch::new()))
            .expect("the graph fits");
        kernels.extend(plan.dispatches().iter().map(|dispatch| dispatch.kernel.clone()));
    }
    kernels
}

/// The kernels of every operator's first case, all variants, with f16 in what they read and store.
fn half_kernels(families: &[(&str, Vec<Case>)]) -> Vec<Kernel> {
    let mut kernels = Vec::new();
    let matrices = [
        None,
        Some(CooperativeMatrix { side: 8, subgroup: 8 }),
        Some(CooperativeMatrix { side: 16, subgroup: 32 }),
    ];
    for (kind, cooperative_matrix) in KINDS.into_iter().flat_map(|kind| matrices.map(|matrix| (kind, matrix)))
    {
        let plain = Caps { f16: true, cooperative_matrix, ..Caps::webgpu_defaults(kind) };
        let caps = Caps { subgroups: true, subgroup_size: 8, ..plain };
        for (_, cases) in families {
            let mut seen = BTreeSet::new();
            for case in cases {
                for variant in case.variants_for(&caps) {
                    let name = case.operator.name();
                    let is_new = cooperative_matrix.is_none() || variant.is_in_f16();
                    if !(is_new && seen.insert((name, variant.name()))) {
                        continue;
                    }
                    let (built, options) = (halves::between_copies(case), halves::options(name, variant));
                    let plan = Plan::with_options(&built.graph, &built.outputs, &caps, &options)
                        .unwrap_or_else(|e| panic!("{} {variant}: {e}", case.name));
                    kernels.extend(plan.dispatches().iter().map(|dispatch| dispatch.kernel.clone()));
                }
            }
        }
    }
    kernels
}

fn validate(name: &str, source: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    let capabilities =
        Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    module
}

#[test]
fn every_kernel_passes_naga_within_webgpus_default_limits() {
    let All { kernels, files } = &*ALL;
    for (name, kernels) in kernels {
        for source in kernels.keys() {
            let module = validate(name, source);
            let invocations: u32 = module.entry_points[0].workgroup_size.iter().product();
            assert!(
                invocations <= 256,
                "{name} has {invocations} invocations a workgroup, WebGPU allows 256"
            );
            let shared: u32 = module
                .global_variables
                .iter()
                .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
                .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
                .sum();
            assert!(
                shared <= 16 << 10,
                "{name} takes {shared} bytes of workgroup memory, WebGPU allows 16384"
            );
        }
    }
    let all: BTreeSet<String> = files_below(&harness::root().join("shaders"), "wgsl")
        .iter()
        .map(|path| {
            let below =
                path.strip_prefix(harness::root().join("shaders")).expect("the file is below shaders");
            below.with_extension("").to_string_lossy().replace('\\', "/")
        })
        .collect();
    let unused: Vec<&String> = all.iter().filter(|name| !files.contains(name.as_str())).collect();
    assert!(unused.is_empty(), "no case of any operator reaches {unused:?}");
}

/// Chrome's compiler, which enforces uniform control flow around barriers. Where it is not
/// installed naga's check above stands alone, and this says so.
#[test]
fn every_kernel_passes_tint_where_it_is_installed() {
    if Command::new("tint").arg("--help").output().is_err() {
        eprintln!("tint is not installed: kernels were checked by naga only");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, kernels) in &ALL.kernels {
        // One text for each way of joining: texts that differ in constants alone count once.
        let mut shapes = BTreeMap::new();
        for kernel in kernels.values() {
            let source = kernel.strict_source().expect("a planned kernel joins");
            let shape: String = source.lines().filter(|line| !line.starts_with("const ")).collect();
            shapes.entry(shape).or_insert(source);
        }
        // It does not know cooperative matrices.
        for source in shapes.values().filter(|source| !source.contains("wgpu_cooperative_matrix")) {
            let path = folder.path().join("kernel.wgsl");
            std::fs::write(&path, source).expect("the temporary folder can be written");
            let output =
                Command::new("tint").args(["--format", "wgsl"]).arg(&path).output().expect("tint runs");
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn only_device_and_session_name_the_gpu_library() {
    for path in files_below(&harness::root().join("src"), "rs") {
        let below = path.strip_prefix(harness::root().join("src")).expect("the file is below src");
        if below.starts_with("device") || below.starts_with("session") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("sources can be read");
        // The crate shows the version that it uses, for apps that share their devices.
        let names =
            |line: &str| line.contains("wgpu") && line != "pub use wgpu;" && !line.starts_with("/// ");
        if let Some(line) = text.lines().position(names) {
            panic!("{}:{} names the GPU library; only device/ and session/ may", path.display(), line + 1);
        }
    }
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            found.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
