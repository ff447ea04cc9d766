//! Runs one operator on the GPU and compares it with the reference. Shared by tests and benches.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]
#![allow(dead_code, reason = "each test and bench uses its part")]

pub mod bits;
pub mod files;
pub mod finite;
pub mod fixture;
pub mod network;
pub mod published;
pub mod snapshot;
pub mod sweep;
pub mod table;

use bits::Bits;
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wgrad::graph::Init;
use wgrad::op::{Array, Operator, Variant};
use wgrad::ops::elementwise::Copy;
use wgrad::session::tolerance;
use wgrad::{
    Caps, Device, DeviceOptions, Error, Graph, HostData, HostTensor, Plan, PlanOptions, Session, Shape,
    TensorType, Value, Weights,
};

/// One problem for one operator. Tests run it on every variant, benches time it.
pub struct Case {
    /// Why this case is in the table.
    pub name: String,
    pub operator: Arc<dyn Operator>,
    pub inputs: Vec<HostTensor>,
    /// If variants may leave it out by default: the edges that their kernels' text does not show.
    pub edges: Option<Vec<String>>,
}

impl Case {
    pub fn new(name: impl Into<String>, operator: impl Operator + 'static, inputs: Vec<HostTensor>) -> Case {
        Case { name: name.into(), operator: Arc::new(operator), inputs, edges: None }
    }

    pub fn kinds(&self) -> Vec<TensorType> {
        self.inputs.iter().map(HostTensor::ty).collect()
    }

    /// Lets variants leave this case out by default where it shows them no new edge. `named` are the edges that the text
    /// of their kernels does not show ([`sweep`]).
    pub fn by_edges<T: Into<String>>(mut self, named: impl IntoIterator<Item = T>) -> Case {
        self.edges = Some(named.into_iter().map(Into::into).collect());
        self
    }

    pub fn variants(&self) -> Vec<Variant> {
        let kinds = self.kinds();
        self.operator.variants(&kinds.iter().collect::<Vec<_>>(), device().caps())
    }
}

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

/// A graph of one operator.
pub struct Built {
    pub graph: Graph,
    pub outputs: Vec<Value>,
    inputs: Vec<Value>,
    stored: Vec<Option<String>>,
}

/// Builds `case` into a graph. Inputs that the operator updates in place are state; gradients that
/// must lie in an arena are copied there by a node of their own.
pub fn build(case: &Case) -> Result<Built, Error> {
    let mut graph = Graph::new();
    let in_place: Vec<usize> = case.operator.in_place().iter().map(|&(_, input)| input).collect();
    let arenas: Vec<usize> = case.operator.arenas().into_iter().flatten().collect();
    let (mut inputs, mut placed, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for (i, tensor) in case.inputs.iter().enumerate() {
        let name = format!("input{i}");
        let shape = tensor.shape.clone();
        let kept = in_place.contains(&i);
        let value = match &tensor.data {
            HostData::F32(_) if kept => graph.state(&name, shape, Init::Constant(0.0), false)?,
            HostData::F32(_) => graph.input(&name, shape)?,
            HostData::I32(_) => graph.input_i32(&name, shape)?,
            HostData::U32(_) => graph.step_counter(),
            HostData::U8(_) => graph.input_u8(&name, shape)?,
            other => panic!("no input holds {other:?}"),
        };
        inputs.push(value);
        placed.push(if arenas.contains(&i) && !kept { graph.apply1(Copy, &[value])? } else { value });
        stored.push(kept.then_some(name));
    }
    let outputs = graph.apply_named("case".into(), Arc::clone(&case.operator), &placed)?;
    Ok(Built { graph, outputs, inputs, stored })
}

/// An operator built into a session, its inputs written.
pub struct Prepared {
    pub session: Session,
    pub outputs: Vec<Value>,
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
    prepare_planned(case, &options, usize::MAX, caps)
}

fn prepare_with(case: &Case, options: &PlanOptions, read: usize) -> Result<Prepared, Error> {
    prepare_planned(case, options, read, device().caps())
}

fn prepare_planned(case: &Case, options: &PlanOptions, read: usize, caps: &Caps) -> Result<Prepared, Error> {
    let Built { graph, mut outputs, inputs, stored } = build(case)?;
    outputs.truncate(read);
    let plan = Plan::with_options(&graph, &outputs, caps, options)?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    for ((value, stored), tensor) in inputs.into_iter().zip(stored).zip(&case.inputs) {
        match (&tensor.data, stored) {
            (HostData::F32(data), Some(name)) => weights.write(&name, data)?,
            (HostData::U32(step), _) => session.set_step_number(step[0]),
            _ => session.write(value, tensor)?,
        }
    }
    Ok(Prepared { session, outputs })
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
    let Prepared { mut session, outputs } = prepare(case, variant)?;
    session.step()?;
    outputs.iter().map(|&o| session.read(o)).collect()
}

pub fn array(tensor: &HostTensor) -> Array {
    Array::new(tensor.shape.clone(), tensor.to_f64())
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
        let inputs: Vec<Array> = case.inputs.iter().map(array).collect();
        let expected = case.operator.reference(&inputs.iter().collect::<Vec<_>>());
        for &variant in variants {
            let label = format!("{} [{}] {}", case.operator.name(), variant, case.name);
            match run(case, variant) {
                Err(e) => failures.push(format!("{label}: {e}")),
                Ok(found) => {
                    for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                        let error = relative_error(expected, found);
                        let tolerance = tolerance(case.operator.as_ref(), found.ty().dtype);
                        if error.is_nan() || error > tolerance {
                            failures.push(format!("{label}: output {i} is off by {error:.2e}"));
                        }
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

/// Deterministic numbers in (-1, 1), different for each `seed`.
pub fn numbers(shape: impl Into<Shape>, seed: u64) -> HostTensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let data = (0..shape.elements())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    floats(shape, data)
}

/// Class labels in `0..classes`.
pub fn labels(count: usize, classes: usize, seed: u64) -> HostTensor {
    let data = numbers([count], seed)
        .to_f64()
        .iter()
        .map(|x| (((x + 1.0) / 2.0 * classes as f64) as i32).min(classes as i32 - 1))
        .collect();
    HostTensor { shape: Shape::from([count]), data: HostData::I32(data) }
}

/// Numbers as of [`numbers`], times `scale`.
pub fn scaled(shape: impl Into<Shape>, seed: u64, scale: f32) -> HostTensor {
    let tensor = numbers(shape, seed);
    let data = tensor.to_f64().iter().map(|&x| x as f32 * scale).collect();
    floats(tensor.shape, data)
}

/// A float tensor of as many numbers as its shape has elements.
pub fn floats(shape: impl Into<Shape>, data: Vec<f32>) -> HostTensor {
    HostTensor::f32(shape, data).expect("tests give as many numbers as the shape has elements")
}
