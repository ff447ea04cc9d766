//! One batch size of a network: a session, and runs of it over up to so many items.

use super::items::Items;
use super::network::{Batched, Loaded};
use crate::error::Result;
use crate::graph::{Mode, Value};
use crate::memory;
use crate::ops::sample_moments::MonteCarlo;
use crate::plan::Plan;
use crate::session::{Estimate, Session};
use crate::tensor::DType;
use std::ops::Range;

/// What is asked of a network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// Its outputs.
    Outputs,
    /// Mean and variance of its class probabilities over draws of dropout.
    Spread,
}

/// A session for batches of one size.
#[derive(Debug)]
pub(super) struct Rung {
    pub kind: Kind,
    pub batch: usize,
    session: Session,
    input: Value,
    output: Value,
    spread: Option<MonteCarlo>,
    /// What a step's outputs are read into; empty for a spread.
    outputs: Vec<f32>,
}

/// What a network makes of one batch or of several, item after item.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// Outputs, or means.
    pub values: Vec<f32>,
    /// Variances; empty for outputs.
    pub variances: Vec<f32>,
}

impl Rung {
    /// Plans and compiles, perhaps while other threads wait for answers.
    pub(super) fn open(loaded: &Loaded, kind: Kind, batch: usize, aside: bool) -> Result<Rung> {
        let Loaded { network, device, weights, plan, .. } = loaded;
        let mode = if kind == Kind::Outputs { Mode::Eval } else { Mode::MonteCarlo };
        let Batched { mut graph, input, mut output } = loaded.graph(batch, mode)?;
        let (mut spread, mut weights, mut outputs) = (None, weights.clone(), vec![output]);
        if kind == Kind::Spread {
            output = graph.softmax(output, 1)?;
            spread = Some(graph.monte_carlo(&[output])?);
            weights = weights.with_state_of(&graph)?;
            outputs.clear();
        }
        let plan = Plan::with_options(&graph, &outputs, device.caps(), plan)?;
        let open = if aside { Session::new_aside } else { Session::new };
        let mut session = open(device, plan, &weights)?;
        // The first step compiles what a driver leaves to it.
        let nothing = if network.dtype == DType::F32 { Items::Floats(vec![]) } else { Items::Bytes(vec![]) };
        let elements = batch * network.item.elements();
        session.write(input, nothing.padded(0..0, elements)?.slice(0..elements))?;
        match &spread {
            None => session.step()?,
            Some(spread) => drop(session.monte_carlo(spread, 2)?),
        }
        session.wait()?;
        let elements = if spread.is_none() { session.plan().graph().shape(output)?.elements() } else { 0 };
        let outputs = memory::filled(elements, 0.0, "a batch's outputs")?;
        Ok(Rung { kind, batch, session, input, output, spread, outputs })
    }

    /// Runs these items, as many as a batch has or fewer, and appends what comes of them. Returns whether it ran to the end:
    /// it stops where nobody wants the answer any more.
    pub(super) fn run(
        &mut self,
        items: &Items,
        of: Range<usize>,
        samples: usize,
        wanted: &(dyn Fn() -> bool + Sync),
        answer: &mut Answer,
    ) -> Result<bool> {
        let elements = self.session.plan().graph().shape(self.input)?.elements();
        let (each, count) = (elements / self.batch, of.len());
        let range = of.start * each..of.end * each;
        if count == self.batch {
            self.session.write(self.input, items.slice(range))?;
        } else {
            self.session.write(self.input, items.padded(range, elements)?.slice(0..elements))?;
        }
        let Some(spread) = &self.spread else {
            self.session.step()?;
            self.session.read_into(self.output, &mut self.outputs)?;
            append(&self.outputs, count, self.batch, &mut answer.values)?;
            return Ok(true);
        };
        // The same draws for every request.
        self.session.set_step_number(0);
        let Some(estimates) = self.session.monte_carlo_while(spread, samples, wanted)? else {
            return Ok(false);
        };
        for Estimate { mean, variance } in estimates {
            append(mean.as_f32().unwrap_or_default(), count, self.batch, &mut answer.values)?;
            append(variance.as_f32().unwrap_or_default(), count, self.batch, &mut answer.variances)?;
        }
        Ok(true)
    }
}

/// Appends the first `count` of a batch's rows.
fn append(rows: &[f32], count: usize, batch: usize, to: &mut Vec<f32>) -> Result<()> {
    let part = &rows[..rows.len() / batch * count];
    memory::reserve(to, part.len(), "an answer")?;
    to.extend_from_slice(part);
    Ok(())
}
