//! Copies of one node in a session of their own, which one kernel variant runs. They take turns at the samples.

use super::problem::Problem;
use crate::device::Device;
use crate::error::Result;
use crate::graph::{Graph, Init, Value};
use crate::op::Variant;
use crate::plan::{Plan, PlanOptions};
use crate::session::Session;
use crate::shader::Kernel;
use crate::tensor::{DType, HostData, HostTensor};
use crate::weights::Weights;
use std::sync::Arc;

/// Copies of a node, each in memory of its own.
pub(super) struct Isolated<'p> {
    problem: &'p Problem,
    session: Session,
    weights: Weights,
    /// State that the node updates: name, copy, and number of the input.
    states: Vec<(String, usize, usize)>,
    /// The outputs of each copy that something reads, with their numbers.
    outputs: Vec<Vec<(usize, Value)>>,
}

/// The plan of copies of a node.
struct Planned {
    graph: Graph,
    plan: Plan,
    states: Vec<(String, usize, usize)>,
    outputs: Vec<Vec<(usize, Value)>>,
}

impl Planned {
    fn new(device: &Device, problem: &Problem, variant: Variant, copies: usize) -> Result<Planned> {
        let operator = &problem.node.operator;
        let updated: Vec<usize> = operator.in_place().iter().map(|&(_, input)| input).collect();
        let mut graph = Graph::new();
        let (mut states, mut outputs) = (Vec::new(), Vec::new());
        for copy in 0..copies {
            let inputs = &problem.samples[copy % problem.samples.len()].inputs;
            let mut values = Vec::with_capacity(inputs.len());
            for (i, tensor) in inputs.iter().enumerate() {
                let value = match tensor.ty().dtype {
                    DType::F32 if updated.contains(&i) => {
                        let name = format!("input {i} of copy {copy}");
                        let state = graph.state(&name, tensor.shape.clone(), Init::Constant(0.0), false)?;
                        states.push((name, copy, i));
                        state
                    }
                    DType::U32 => graph.step_counter(),
                    // An input would take staging memory for each step in flight.
                    _ => graph.constant(tensor.clone())?,
                };
                values.push(value);
            }
            let made = graph.apply_named(format!("copy {copy}"), Arc::clone(operator), &values)?;
            let read = made.into_iter().enumerate().filter(|&(i, _)| problem.read[i]);
            outputs.push(read.collect::<Vec<_>>());
        }
        let read: Vec<Value> = outputs.iter().flatten().map(|&(_, value)| value).collect();
        let options = PlanOptions::default().variant(operator.name(), variant).precision(problem.precision);
        let plan = Plan::with_options(&graph, &read, device.caps(), &options)?;
        Ok(Planned { graph, plan, states, outputs })
    }
}

/// The kernels of any number of copies of a node.
pub(super) fn kernels(device: &Device, problem: &Problem, variant: Variant) -> Result<Vec<Kernel>> {
    let Planned { plan, .. } = Planned::new(device, problem, variant, 1)?;
    Ok(plan.dispatches().iter().map(|dispatch| dispatch.kernel.clone()).collect())
}

impl<'p> Isolated<'p> {
    pub(super) fn new(
        device: &Device,
        problem: &'p Problem,
        variant: Variant,
        copies: usize,
    ) -> Result<Self> {
        let Planned { graph, plan, states, outputs } = Planned::new(device, problem, variant, copies)?;
        let weights = Weights::init(device, &graph, 0)?;
        let session = Session::new(device, plan, &weights)?;
        Ok(Isolated { problem, session, weights, states, outputs })
    }

    /// Runs all copies once on their samples, and returns the seconds of one copy.
    pub(super) fn run(&mut self) -> Result<f64> {
        let samples = &self.problem.samples;
        for (name, copy, i) in &self.states {
            if let HostData::F32(numbers) = &samples[copy % samples.len()].inputs[*i].data {
                self.weights.write(name, numbers)?;
            }
        }
        let counted = samples[0].inputs.iter().find_map(|tensor| match &tensor.data {
            HostData::U32(number) => number.first(),
            _ => None,
        });
        self.session.set_step_number(counted.copied().unwrap_or(0));
        self.time()
    }

    /// Number of copies.
    pub(super) fn copies(&self) -> usize {
        self.outputs.len()
    }

    /// The outputs of a copy that something reads, with their numbers.
    pub(super) fn outputs(&mut self, copy: usize) -> Result<Vec<(usize, HostTensor)>> {
        let values = self.outputs[copy].clone();
        values.into_iter().map(|(i, value)| Ok((i, self.session.read(value)?))).collect()
    }

    /// Runs all copies once on what the state is by now, and returns the seconds of one copy.
    pub(super) fn time(&mut self) -> Result<f64> {
        let seconds: f64 = self.session.seconds_by_node(1)?.iter().flatten().sum();
        Ok(seconds / self.copies() as f64)
    }
}
