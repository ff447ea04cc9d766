//! Runs one operator on the GPU and compares it with the reference. Shared by tests and benches.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]
#![allow(dead_code, unused_imports, reason = "each test and bench uses its part")]

pub mod begin;
pub mod bits;
pub mod case;
pub mod edges;
pub mod files;
pub mod finite;
pub mod fixture;
pub mod halves;
pub mod network;
pub mod published;
pub mod pytorch;
pub mod runner;
pub mod snapshot;
pub mod sweep;
pub mod table;

pub use case::{Built, Case, array, build, build_between, floats, labels, numbers, scaled};
pub use runner::Prepared;

use bits::Bits;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wgrad::op::{Array, Variant};
use wgrad::{Caps, Device, DeviceOptions, Error, Graph, HostTensor, Plan, PlanOptions, Session, Weights};

/// Environment variable that names the repository's folder, for programs that run on another machine than built them.
pub const ROOT_VARIABLE: &str = "WGRAD_ROOT";

/// The repository's folder, with the files that tests read.
pub fn root() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os(ROOT_VARIABLE).map_or_else(built, PathBuf::from)
}

/// Devices that no thread has now.
static FREE: Mutex<Vec<&'static Device>> = Mutex::new(Vec::new());

thread_local! {
    static HELD: Held = Held(free().pop().unwrap_or_else(|| Box::leak(Box::new(open()))));
    static OTHER: Cell<Option<&'static Device>> = const { Cell::new(None) };
}

/// A device while a thread has it.
struct Held(&'static Device);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.check().is_ok() {
            free().push(self.0);
        }
    }
}

fn free() -> MutexGuard<'static, Vec<&'static Device>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This thread's device, which a later thread takes over. A device does one thing after the other, and a software
/// adapter compiles kernels there, so tests that run at the same time have one each. Without an adapter they fail, with
/// the fix in the message.
pub fn device() -> &'static Device {
    OTHER.get().unwrap_or_else(|| HELD.with(|held| held.0))
}

/// Does something with another device as this thread's.
pub fn with_device<T>(device: &'static Device, work: impl FnOnce() -> T) -> T {
    let before = OTHER.replace(Some(device));
    let result = work();
    OTHER.set(before);
    result
}

/// A device of its own, which keeps nothing from run to run.
pub fn open() -> Device {
    Device::open_with(&DeviceOptions::default().cache(None)).unwrap_or_else(|e| panic!("{e}"))
}

impl Case {
    /// The variants that this thread's device offers.
    pub fn variants(&self) -> Vec<Variant> {
        self.variants_for(device().caps())
    }
}

/// Builds `case` into a session that runs one variant.
pub fn prepare(case: &Case, variant: impl AsRef<str>) -> Result<Prepared, Error> {
    prepare_with(case, &PlanOptions::default().variant(case.operator.name(), variant), usize::MAX)
}

/// As [`prepare`], with nobody reading any output but the first.
pub fn prepare_first(case: &Case, variant: impl AsRef<str>) -> Result<Prepared, Error> {
    prepare_with(case, &PlanOptions::default().variant(case.operator.name(), variant), 1)
}

/// Builds `case` into a session that runs the variant of the plan's choice.
pub fn prepare_default(case: &Case) -> Result<Prepared, Error> {
    prepare_with(case, &PlanOptions::default(), usize::MAX)
}

/// Builds `case` into a session planned with these options, every output read.
pub fn prepare_options(case: &Case, options: &PlanOptions) -> Result<Prepared, Error> {
    prepare_with(case, options, usize::MAX)
}

/// Builds `case` into a session that runs one variant, planned for an adapter with these limits.
pub fn prepare_within(case: &Case, variant: Variant, caps: &Caps) -> Result<Prepared, Error> {
    let options = PlanOptions::default().variant(case.operator.name(), variant);
    Prepared::new(case, &options, usize::MAX, caps)
}

fn prepare_with(case: &Case, options: &PlanOptions, read: usize) -> Result<Prepared, Error> {
    Prepared::new(case, options, read, device().caps())
}

/// Whether this thread's device counts denormal numbers as zero: whether a product of one, or a sum, is.
pub fn flushes_denormals() -> Result<bool, Error> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2])?;
    let outputs = [graph.scale(x, 1024.0)?, graph.add(x, x)?];
    let plan = Plan::new(&graph, &outputs, device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    // The double of the larger is a normal number.
    session.write(x, &[1e-39, 1e-38])?;
    session.step()?;
    let mut found = Vec::new();
    for output in outputs {
        found.extend(session.read(output)?.to_f64());
    }
    Ok(found.contains(&0.0))
}

/// Runs `case` once with one variant and downloads all outputs.
pub fn run(case: &Case, variant: impl AsRef<str>) -> Result<Vec<HostTensor>, Error> {
    pollster::block_on(prepare(case, variant)?.run_async())
}

/// Largest difference over the largest magnitude expected.
pub fn relative_error(expected: &Array, found: &HostTensor) -> f64 {
    assert_eq!(expected.shape, found.shape, "shapes differ");
    wgrad::session::difference(expected, &found.to_f64()).0
}

/// The largest error of one variant of an operator on one case.
pub struct Seen {
    pub operator: &'static str,
    pub error: f64,
}

/// Compares the variants that run each case with the reference; returns the failures, one line each.
pub fn failures(cases: &[Case]) -> Vec<String> {
    compare(cases, &sweep::runs(cases), None).0
}

/// Compares these variants of each case with the reference: the failures, one line each, and the errors.
pub fn compare(
    cases: &[Case],
    runs: &[Vec<Variant>],
    mut bits: Option<&mut Bits>,
) -> (Vec<String>, Vec<Seen>) {
    let (mut failures, mut seen) = (Vec::new(), Vec::new());
    for (case, variants) in cases.iter().zip(runs) {
        if variants.is_empty() {
            continue;
        }
        let expected = runner::expected(case);
        for &variant in variants {
            let label = format!("{} [{}] {}", case.operator.name(), variant, case.name);
            match run(case, variant) {
                Err(e) => failures.push(format!("{label}: {e}")),
                Ok(found) => {
                    for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                        let (error, wrong) = runner::judge(case, i, expected, found);
                        failures.extend(wrong.map(|wrong| format!("{label}: {wrong}")));
                        if let Some(bits) = &mut bits {
                            let case = format!("{} {}", case.operator.name(), case.name);
                            bits.add(&case, variant.name(), &i.to_string(), found);
                        }
                        seen.push(Seen { operator: case.operator.name(), error });
                    }
                }
            }
        }
    }
    (failures, seen)
}

/// Whether a variant's result is not the reference's, or it gives none.
pub fn wrong(case: &Case, variant: Variant) -> bool {
    let (failures, _) = compare(std::slice::from_ref(case), &[vec![variant]], None);
    !failures.is_empty()
}
