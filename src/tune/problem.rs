//! The nodes to measure: one for each operator and shapes, with the inputs that it has in a real step and the outputs
//! that the reference makes of them.

use super::isolated;
use crate::device::{Ahead, Device, Pipelines};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Source};
use crate::hash::fnv1a;
use crate::op::{Array, Caps, Variant};
use crate::plan::{Plan, PlanOptions, Precision, Tuning, TuningKey, offered, read_outputs};
use crate::session::{Expected, Session};
use crate::shader::Kernel;
use crate::tensor::{DType, HostData, HostTensor, TensorType};
use crate::weights::Weights;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Host memory that problems may take at a time, in bytes.
const BYTES: u64 = 1 << 30;

/// A learning rate, or any other scalar input: small, so that the measured steps stay finite.
const SCALAR: f32 = 1e-3;

/// A node with what it computes.
pub(super) struct Problem {
    pub key: TuningKey,
    pub node: Node,
    /// Types of the node's inputs.
    pub types: Vec<TensorType>,
    /// Which outputs anything reads.
    pub read: Vec<bool>,
    pub offered: Vec<Variant>,
    /// That of the plan.
    pub precision: Precision,
    /// The variant that runs by default.
    pub default: Variant,
    /// What copies of the node compute. The first is the node's own in a step.
    pub samples: Vec<Sample>,
}

/// Inputs, and the outputs that the reference makes of them.
pub(super) struct Sample {
    pub inputs: Vec<HostTensor>,
    pub expected: Vec<Expected>,
}

/// Samples of an operator without products. A maximum over a part of a row is often that of the row, so one sample may
/// show nothing. A product is of all its terms.
const SAMPLES: usize = 4;
/// Samples of one that has few numbers. With few of them a wrong term changes an output seldom: where colours are cut off at
/// 0 and 1, all pixels of a small picture may be one or the other.
const SAMPLES_OF_FEW: usize = 16;
/// How many numbers are few.
const FEW: usize = 1 << 12;

impl Problem {
    /// Bytes that one run of the node binds.
    pub(super) fn bytes(&self) -> u64 {
        let expected = self.samples.iter().take(1).flat_map(|sample| &sample.expected);
        let outputs = expected.map(|expected| 4 * expected.array.data.len() as u64);
        self.types.iter().map(TensorType::bytes).chain(outputs).sum()
    }
}

/// The problems of a graph, and a session that makes their inputs.
pub(super) struct Problems {
    pub(super) device: Device,
    pub(super) session: Session,
    pub(super) weights: Weights,
    keys: BTreeMap<TuningKey, NodeId>,
    precision: Precision,
    waiting: VecDeque<TuningKey>,
    ready: VecDeque<Problem>,
    /// The kernels of all variants of those that are ready. Their sessions take them from here.
    compiled: Option<Pipelines>,
}

impl Problems {
    /// The operators of `plan` that have several variants. Those are left out for which `options` ask for a variant by
    /// name, and those that are `known`. `plan` is planned without choices. `None` if no operator is left.
    pub(super) fn new(
        device: &Device,
        graph: &Graph,
        plan: Plan,
        options: &PlanOptions,
        known: &Tuning,
    ) -> Result<Option<Problems>> {
        let mut keys = BTreeMap::new();
        let planned = plan.graph();
        for ((id, node), read) in planned.nodes().zip(read_outputs(planned, plan.outputs())) {
            let key = TuningKey::of(planned, node, &read, options.precision);
            // An operator over arenas needs its tensors where the whole plan has them.
            let apart = node.operator.arenas().is_empty();
            let offered = candidates(planned, node, plan.caps(), options.precision);
            // A choice that names no variant of this version is none.
            let is_known = known.pick(&key, &offered).is_some();
            if apart && !is_known && !options.names(node) && offered.len() > 1 {
                keys.entry(key).or_insert(id);
            }
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let weights = Weights::init(device, graph, 0)?;
        let mut session = Session::new_compiled(device, plan, &weights)?;
        write_inputs(&mut session)?;
        let waiting = keys.keys().cloned().collect();
        let (device, precision) = (device.clone(), options.precision);
        let (ready, compiled) = (VecDeque::new(), None);
        Ok(Some(Problems { device, session, weights, keys, precision, waiting, ready, compiled }))
    }

    /// What is measured, and a node that stands for it.
    pub(super) fn keys(&self) -> &BTreeMap<TuningKey, NodeId> {
        &self.keys
    }

    /// The next problem, in the order of the keys.
    pub(super) fn next_one(&mut self) -> Result<Option<Problem>> {
        if self.ready.is_empty() {
            self.make_ready()?;
        }
        Ok(self.ready.pop_front())
    }

    /// Makes as many problems as memory holds, at least one if any are left.
    fn make_ready(&mut self) -> Result<()> {
        let (mut bytes, mut nodes) = (0, BTreeSet::new());
        while let Some(key) = self.waiting.front() {
            let id = self.keys[key];
            bytes += self.host_bytes(id);
            if bytes > BYTES && !nodes.is_empty() {
                break;
            }
            nodes.insert(id);
            self.waiting.pop_front();
        }
        if nodes.is_empty() {
            return Ok(());
        }
        let mut inputs = self.session.inputs_of(&nodes)?;
        let plan = self.session.plan();
        let graph = plan.graph();
        let read = read_outputs(graph, plan.outputs());
        for ((step, (id, node)), read) in plan.steps().iter().zip(graph.nodes()).zip(read) {
            let Some(mut inputs) = inputs.remove(&id) else { continue };
            let offered = candidates(graph, node, plan.caps(), self.precision);
            if offered.iter().any(|variant| variant.is_in_f16()) {
                // So one reference serves variants that round these and others.
                inputs.iter_mut().take(2).for_each(HostTensor::round_to_f16);
            }
            self.ready.push_back(Problem {
                key: TuningKey::of(graph, node, &read, self.precision),
                node: node.clone(),
                samples: samples(node, inputs),
                types: node.inputs.iter().map(|&value| graph.info(value).ty.clone()).collect(),
                read,
                offered,
                precision: self.precision,
                default: step.variant,
            });
        }
        self.ready.make_contiguous().sort_by(|a, b| a.key.cmp(&b.key));
        make_references(self.ready.make_contiguous());
        for problem in &mut self.ready {
            // In another order, numbers may mean nothing: a variance below zero.
            let finite =
                |sample: &Sample| sample.expected.iter().all(|e| e.array.data.iter().all(|x| x.is_finite()));
            let mut number = 0;
            problem.samples.retain(|sample| {
                number += 1;
                number == 1 || finite(sample)
            });
        }
        self.compiled = compile(&self.device, self.ready.make_contiguous());
        Ok(())
    }

    /// Bytes of a node's samples: inputs as downloaded and in f64, and outputs in f64. All references may be at work.
    fn host_bytes(&self, id: NodeId) -> u64 {
        let graph = self.session.plan().graph();
        let node = graph.node_at(id);
        let elements = |values: &[_]| -> u64 {
            values.iter().map(|&value| graph.info(value).ty.shape.elements() as u64).sum()
        };
        let types: Vec<&TensorType> = node.inputs.iter().map(|&value| &graph.info(value).ty).collect();
        count(node, &types) as u64 * (12 * elements(&node.inputs) + 8 * elements(&node.outputs))
    }
}

/// The variants to measure: those that can compute the node and suit the adapter.
fn candidates(graph: &Graph, node: &Node, caps: &Caps, precision: Precision) -> Vec<Variant> {
    let mut candidates = offered(graph, node, caps, precision);
    candidates.retain(|variant| variant.suits(caps.kind));
    candidates
}

/// How many samples of a node there are.
fn count(node: &Node, types: &[&TensorType]) -> usize {
    let numbers: usize = types.iter().map(|ty| ty.shape.elements()).sum();
    match node.operator.multiply_adds(types) {
        0 if numbers <= FEW => SAMPLES_OF_FEW,
        0 => SAMPLES,
        _ => 1,
    }
}

/// A node's own inputs, and others with the floats of each tensor in another order.
fn samples(node: &Node, inputs: Vec<HostTensor>) -> Vec<Sample> {
    let types: Vec<TensorType> = inputs.iter().map(HostTensor::ty).collect();
    let count = count(node, &types.iter().collect::<Vec<_>>());
    let mut random = Random(fnv1a(node.name.as_bytes()) | 1);
    let mut shuffled = |tensor: &HostTensor| {
        let mut tensor = tensor.clone();
        if let HostData::F32(numbers) = &mut tensor.data {
            for end in (1..numbers.len()).rev() {
                numbers.swap(end, (random.word() % (end as u64 + 1)) as usize);
            }
        }
        tensor
    };
    let others: Vec<Vec<HostTensor>> =
        (1..count).map(|_| inputs.iter().map(&mut shuffled).collect()).collect();
    let all = std::iter::once(inputs).chain(others);
    all.map(|inputs| Sample { inputs, expected: Vec::new() }).collect()
}

/// Computes the references' outputs, on all processors.
fn make_references(problems: &mut [Problem]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let samples = problems.iter_mut().flat_map(|Problem { node, samples, .. }| {
        let operator = node.operator.as_ref();
        samples.iter_mut().map(move |sample| (operator, sample))
    });
    let left = Mutex::new(samples);
    let work = || {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((operator, sample)) = next else { break };
            let arrays: Vec<Array> =
                sample.inputs.iter().map(|t| Array::new(t.shape.clone(), t.to_f64())).collect();
            let arrays: Vec<&Array> = arrays.iter().collect();
            let outputs = operator.reference(&arrays).into_iter().enumerate();
            sample.expected = outputs.map(|(i, array)| Expected::of(operator, i, array, &arrays)).collect();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // The system may give fewer threads; this one does what is left.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
}

/// Compiles the kernels of all variants at once, because several processors do, where one session's variant would keep
/// only one busy. If one can't be planned or compiled, its own session says so.
fn compile(device: &Device, problems: &[Problem]) -> Option<Pipelines> {
    let variants = problems.iter().flat_map(|problem| problem.offered.iter().map(move |&v| (problem, v)));
    let kernels: Vec<Kernel> =
        variants.filter_map(|(problem, v)| isolated::kernels(device, problem, v).ok()).flatten().collect();
    Pipelines::compile_for(device, &kernels.iter().collect::<Vec<_>>(), Ahead::All).ok()
}

/// Writes random numbers to every input, and labels that all readers permit.
pub(super) fn write_inputs(session: &mut Session) -> Result<()> {
    let graph = session.plan().graph().clone();
    for (value, info) in graph.values() {
        if !matches!(info.source, Source::Input) || session.plan().place(value).is_none() {
            continue;
        }
        let elements = info.ty.shape.elements();
        let mut random = Random(fnv1a(info.name.as_bytes()) | 1);
        match info.ty.dtype {
            DType::F32 if elements == 1 => session.write(value, &[SCALAR])?,
            DType::F32 => {
                let numbers: Vec<f32> = (0..elements).map(|_| random.number()).collect();
                session.write(value, &numbers)?;
            }
            DType::I32 => {
                let classes = info.labels.classes().unwrap_or(1).max(1) as u64;
                let labels: Vec<i32> = (0..elements).map(|_| (random.word() % classes) as i32).collect();
                session.write(value, &labels)?;
            }
            DType::U8 => {
                let bytes: Vec<u8> = (0..elements).map(|_| random.word() as u8).collect();
                session.write(value, &bytes)?;
            }
            DType::U32 | DType::F16 => {
                return Err(Error::Value {
                    name: info.name.clone(),
                    message: format!("holds {}, for which the tuner has no numbers", info.ty.dtype),
                });
            }
        }
    }
    Ok(())
}

/// Random numbers by xorshift. Any do: they stand for a user's data.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 24
    }

    /// In [-1, 1).
    fn number(&mut self) -> f32 {
        (self.word() & 0xff_ffff) as f32 / (1u32 << 23) as f32 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::isolated::Isolated;
    use super::*;
    use crate::graph::Init;
    use crate::ops::conv2d::Conv2dOptions;

    #[test]
    fn only_variants_that_suit_the_adapter_are_measured() -> Result<()> {
        use crate::op::AdapterKind::{Discrete, Software, SwiftShader};
        let mut g = Graph::new();
        let (x, weight) = (g.input("x", [1, 8, 16, 16])?, g.input("weight", [8, 8, 3, 3])?);
        g.conv2d(x, weight, None, Conv2dOptions::new().padding([1, 1]))?;
        let (_, node) = g.nodes().next().expect("there is one");
        let expected =
            [(Discrete, [true, true, false]), (Software, [false; 3]), (SwiftShader, [false, false, true])];
        for (kind, expected) in expected {
            let found = candidates(&g, node, &Caps::webgpu_defaults(kind), Precision::F32);
            let has = |name| found.iter().any(|variant| variant.name() == name);
            assert_eq!(["large", "tiled", "direct_row"].map(has), expected, "{kind}");
        }
        Ok(())
    }

    #[test]
    fn sessions_of_variants_find_their_kernels_compiled() -> Result<()> {
        let device = Device::open()?;
        let mut g = Graph::new();
        let x = g.input("x", [2, 3, 7, 6])?;
        let weight = g.parameter("weight", [4, 3, 3, 3], Init::Uniform(0.5))?;
        let y = g.conv2d(x, weight, None, Conv2dOptions::new().padding([1, 1]))?;
        let options = PlanOptions::default();
        let plan = Plan::with_options(&g, &[y], device.caps(), &options)?;
        let known = Tuning::default();
        let mut problems = Problems::new(&device, &g, plan, &options, &known)?.expect("it has variants");
        let problem = problems.next_one()?.expect("there is a convolution");
        let compiled = device.kernels();
        assert!(compiled >= problem.offered.len());
        for &variant in &problem.offered {
            let _session = Isolated::new(&device, &problem, variant, 3)?;
            assert_eq!(device.kernels(), compiled, "{}", variant.name());
        }
        Ok(())
    }
}
