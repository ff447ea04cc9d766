//! The choices within the whole step: one that is not faster there either becomes the default again.

use super::problem::{Problems, write_inputs};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::plan::{Plan, PlanOptions, Tuning, TuningKey, read_outputs};
use crate::session::Session;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Rounds in which sessions take turns: so many at least and at most, and no further ones after this time.
const ROUNDS: std::ops::RangeInclusive<usize> = 3..=10;
const ENOUGH: Duration = Duration::from_secs(1);

/// How often choices are dropped. The rest is measured again, except for the last time.
const ATTEMPTS: usize = 2;

/// By how much a step may seem slower than another: what two runs of one step differ by.
const NOISE: f64 = 1.02;

/// Seconds of each key in each step, of all nodes that have it together.
type Samples = BTreeMap<TuningKey, Vec<f64>>;

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
        // A choice that stays is measured by all attempts.
        let mut samples: [Samples; 2] = Default::default();
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
            let mut chosen = Session::new_compiled(&self.device, plan, &self.weights)?;
            write_inputs(&mut chosen)?;
            take_turns(&mut self.session, &mut chosen, &mut samples)?;
            let [default, chosen] = samples.each_ref().map(medians);
            // The plan leaves out what takes longer than a submission may.
            let taken = |key: &TuningKey| planned.get(key) == found.get(key).map(|choice| &choice.variant);
            let faster = |key: &TuningKey| match (default.get(key), chosen.get(key)) {
                (Some(default), Some(chosen)) => chosen < default && taken(key),
                _ => false,
            };
            let lost: Vec<TuningKey> = candidates.iter().filter(|key| !faster(key)).cloned().collect();
            for key in &lost {
                drop_choice(key, found, &defaults);
                // As by default from now on.
                if let Some(own) = samples[0].get(key).cloned() {
                    samples[1].insert(key.clone(), own);
                }
            }
            seconds = samples.each_ref().map(|samples| medians(samples).values().sum());
            if lost.is_empty() || attempt + 1 == ATTEMPTS {
                if seconds[1] > NOISE * seconds[0] {
                    candidates.iter().for_each(|key| drop_choice(key, found, &defaults));
                    seconds[1] = seconds[0];
                }
                break;
            }
        }
        Ok(seconds)
    }

    /// Seconds of the step by default.
    fn default_seconds(&mut self) -> Result<f64> {
        let mut samples = Samples::new();
        for _ in 0..*ROUNDS.start() {
            time(&mut self.session, &mut samples)?;
        }
        Ok(medians(&samples).values().sum())
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

/// Takes the default instead of what was found. A default that is wrong stays dropped, however fast it is.
fn drop_choice(key: &TuningKey, found: &mut Tuning, defaults: &BTreeMap<TuningKey, String>) {
    if let (Some(choice), Some(name)) = (found.choices.get_mut(key), defaults.get(key))
        && choice.seconds.contains_key(name)
    {
        choice.variant.clone_from(name);
    }
}

/// Times the steps of two sessions, which take turns. The first has run before.
fn take_turns(first: &mut Session, second: &mut Session, samples: &mut [Samples; 2]) -> Result<()> {
    // Drivers compile at the first run.
    second.step()?;
    second.wait()?;
    let start = Instant::now();
    for round in 0..*ROUNDS.end() {
        if round >= *ROUNDS.start() && start.elapsed() > ENOUGH {
            break;
        }
        for (session, samples) in [&mut *first, &mut *second].into_iter().zip(samples.iter_mut()) {
            time(session, samples)?;
        }
    }
    Ok(())
}

/// Times one step.
fn time(session: &mut Session, samples: &mut Samples) -> Result<()> {
    let seconds = session.seconds_by_node(1)?;
    let plan = session.plan();
    let mut of_step: BTreeMap<TuningKey, f64> = BTreeMap::new();
    let nodes = plan.graph().nodes().zip(read_outputs(plan.graph(), plan.outputs()));
    for (((_, node), read), seconds) in nodes.zip(seconds) {
        let key = TuningKey::of(plan.graph(), node, &read, plan.precision());
        *of_step.entry(key).or_default() += seconds.iter().sum::<f64>();
    }
    for (key, seconds) in of_step {
        samples.entry(key).or_default().push(seconds);
    }
    Ok(())
}

/// The median of each key's samples.
fn medians(samples: &Samples) -> BTreeMap<TuningKey, f64> {
    let median = |samples: &Vec<f64>| {
        let mut samples = samples.clone();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len() / 2).copied().unwrap_or(0.0)
    };
    samples.iter().map(|(key, samples)| (key.clone(), median(samples))).collect()
}
