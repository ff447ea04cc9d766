//! The choices within the whole step: one that is not faster there either becomes the default again.

use super::problem::{Problems, write_inputs};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::plan::{Plan, PlanOptions, Tuning, TuningKey, read_outputs};
use crate::session::Session;
use std::collections::BTreeMap;

/// Rounds in which sessions take turns, and steps in each.
const ROUNDS: usize = 5;
const STEPS: usize = 2;

/// How often choices are dropped and the rest is measured again.
const ATTEMPTS: usize = 3;

/// By how much a step may seem slower than another: what two runs of one step differ by.
const NOISE: f64 = 1.02;

/// Seconds by key, of all nodes that have it, and of the whole step.
type Times = (BTreeMap<TuningKey, f64>, f64);

impl Problems {
    /// Times the step by default and as `found` and `known` have it, in turns. Where the nodes of a choice are not
    /// faster than the default's, it becomes the default; all do if the step is slower. Returns the seconds of both
    /// steps.
    pub(super) fn in_the_step(
        &mut self,
        graph: &Graph,
        outputs: &[Value],
        options: &PlanOptions,
        found: &mut Tuning,
        known: &Tuning,
    ) -> Result<[f64; 2]> {
        let defaults = self.defaults();
        let changed = |found: &Tuning| -> Vec<TuningKey> {
            let differs = |key: &TuningKey, variant| defaults.get(key).is_some_and(|name| name != variant);
            found
                .choices()
                .filter(|(key, choice)| differs(key, &choice.variant))
                .map(|(key, _)| key.clone())
                .collect()
        };
        let mut seconds = [0.0; 2];
        for attempt in 0..ATTEMPTS {
            let candidates = changed(found);
            if candidates.is_empty() {
                let default = if attempt == 0 { self.default_seconds()? } else { seconds[0] };
                return Ok([default; 2]);
            }
            let mut tuning = known.clone();
            tuning.choices.extend(found.choices.clone());
            let options = options.clone().untuned().tuned(tuning);
            let plan = Plan::with_options(graph, outputs, self.device.caps(), &options)?;
            let planned = variants(&plan);
            let mut chosen = Session::new(&self.device, plan, &self.weights)?;
            write_inputs(&mut chosen)?;
            let [default, chosen] = take_turns(&mut self.session, &mut chosen)?;
            seconds = [default.1, chosen.1];
            // The plan leaves out what takes longer than a submission may.
            let taken = |key: &TuningKey| planned.get(key) == found.get(key).map(|choice| &choice.variant);
            let faster = |key: &TuningKey| match (default.0.get(key), chosen.0.get(key)) {
                (Some(default), Some(chosen)) => chosen < default && taken(key),
                _ => false,
            };
            let slower = chosen.1 > NOISE * default.1;
            let lost: Vec<TuningKey> = candidates.iter().filter(|key| !faster(key)).cloned().collect();
            // What is left after the last attempt would not be measured.
            let all = if lost.is_empty() { slower } else { attempt + 1 == ATTEMPTS };
            let lost = if all { candidates } else { lost };
            if all {
                seconds[1] = seconds[0];
            }
            if lost.is_empty() {
                break;
            }
            for key in lost {
                let (Some(choice), Some(name)) = (found.choices.get_mut(&key), defaults.get(&key)) else {
                    continue;
                };
                // A default that is wrong stays dropped, however fast it is.
                if choice.seconds.contains_key(name) {
                    choice.variant.clone_from(name);
                }
            }
        }
        Ok(seconds)
    }

    /// Seconds of the step by default.
    fn default_seconds(&mut self) -> Result<f64> {
        let samples = self.session.seconds_by_node(ROUNDS)?;
        Ok(times(&self.session, samples).1)
    }

    /// The variant that each key has by default.
    fn defaults(&self) -> BTreeMap<TuningKey, String> {
        let mut variants = variants(self.session.plan());
        variants.retain(|key, _| self.keys().contains_key(key));
        variants
    }
}

/// The variant of each key in a plan.
fn variants(plan: &Plan) -> BTreeMap<TuningKey, String> {
    let read = read_outputs(plan.graph(), plan.outputs());
    let nodes = plan.graph().nodes().zip(read).zip(plan.steps());
    nodes
        .map(|(((_, node), read), step)| {
            (TuningKey::of(plan.graph(), node, &read, plan.precision()), step.variant.name().to_owned())
        })
        .collect()
}

/// The times of two sessions' steps, which take turns. The first has run before.
fn take_turns(first: &mut Session, second: &mut Session) -> Result<[Times; 2]> {
    // Drivers compile at the first run.
    second.step()?;
    second.wait()?;
    let mut samples: [Vec<Vec<f64>>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for (session, samples) in [&mut *first, &mut *second].into_iter().zip(&mut samples) {
            let seconds = session.seconds_by_node(STEPS)?;
            samples.resize(seconds.len(), Vec::new());
            samples.iter_mut().zip(seconds).for_each(|(all, new)| all.extend(new));
        }
    }
    let [first_samples, second_samples] = samples;
    Ok([times(first, first_samples), times(second, second_samples)])
}

/// Medians of each node's samples, added up.
fn times(session: &Session, samples: Vec<Vec<f64>>) -> Times {
    let plan = session.plan();
    let graph = plan.graph();
    let (mut by_key, mut all) = (BTreeMap::new(), 0.0);
    let nodes = graph.nodes().zip(read_outputs(graph, plan.outputs()));
    for (((_, node), read), mut samples) in nodes.zip(samples) {
        samples.sort_by(f64::total_cmp);
        let median = samples.get(samples.len() / 2).copied().unwrap_or(0.0);
        *by_key.entry(TuningKey::of(graph, node, &read, plan.precision())).or_insert(0.0) += median;
        all += median;
    }
    (by_key, all)
}
