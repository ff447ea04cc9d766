//! Several steps in one submission, over inputs written ahead; and steps that take several submissions.

use crate::harness::network::{Training, training};
use crate::harness::{device, labels, numbers};
use std::time::{Duration, Instant};
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::optim::Adam;
use wgrad::plan::Watch;
use wgrad::session::SourceKind;
use wgrad::{Caps, Error, Graph, HostTensor, Mode, Plan, PlanOptions, Result, Session, Value, Weights};

const BATCH: usize = 4;

/// Dropout and Adam depend on the step's number, batch norm on the steps before.
struct Network {
    graph: Graph,
    x: Value,
    targets: Value,
    rate: Value,
    loss: Value,
}

fn network() -> Result<Network> {
    let net = nn::Sequential::new()
        .add("a", nn::Linear::new(8, 16))
        .add("norm", nn::BatchNorm::new(16))
        .add("drop", nn::Dropout::new(0.5))
        .add("b", nn::Linear::new(16, 3));
    let mut graph = Graph::new();
    let x = graph.input("x", [BATCH, 8])?;
    let logits = net.forward(&mut graph, x, Mode::Train)?;
    let targets = graph.input_i32("targets", BATCH)?;
    let loss = graph.cross_entropy(logits, targets)?;
    let rate = graph.input_scalar("rate")?;
    Adam::new(rate).minimize(&mut graph, loss)?;
    Ok(Network { graph, x, targets, rate, loss })
}

fn session(network: &Network, options: &PlanOptions) -> Result<(Session, Weights)> {
    let weights = Weights::init(device(), &network.graph, 5)?;
    let plan = Plan::with_options(&network.graph, &[network.loss], device().caps(), options)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write_scalar(network.rate, 0.1)?;
    session.record(network.loss, 5)?;
    Ok((session, weights))
}

fn bits(tensor: &HostTensor) -> Vec<u32> {
    tensor.as_f32().expect("it holds floats").iter().map(|x| x.to_bits()).collect()
}

fn all_bits(weights: &Weights) -> Result<Vec<Vec<u32>>> {
    weights.names().map(|name| Ok(bits(&weights.read(name)?))).collect()
}

#[test]
fn several_steps_have_the_bits_of_single_ones() -> Result<()> {
    let network = network()?;
    for options in [PlanOptions::default(), PlanOptions::default().watch(Watch::new())] {
        let batch = |step: u64| (numbers([BATCH, 8], step), labels(BATCH, 3, step));
        let (mut single, single_weights) = session(&network, &options)?;
        for step in 0..8 {
            let (x, targets) = batch(step);
            single.write(network.x, &x)?;
            single.write(network.targets, &targets)?;
            single.step()?;
        }
        let (mut together, together_weights) = session(&network, &options)?;
        // More than the record holds, then some that take what is left.
        for step in 0..8 {
            let (x, targets) = batch(step);
            together.write_ahead(network.x, &x)?;
            together.write_ahead(network.targets, &targets)?;
        }
        let before = together.counters();
        together.run(6)?;
        let after = together.counters();
        assert_eq!((after.submits - before.submits, after.steps - before.steps), (1, 6));
        together.run(0)?;
        together.step()?;
        together.run(1)?;
        assert_eq!(single.step_number(), 8);
        assert_eq!(together.step_number(), 8);
        assert_eq!(single.counters().dispatches, together.counters().dispatches);
        assert_eq!(single.counters().bytes_uploaded, together.counters().bytes_uploaded);
        assert_eq!(bits(&single.read(network.loss)?), bits(&together.read(network.loss)?));
        let (a, b) = (single.recorded(network.loss)?, together.recorded(network.loss)?);
        assert_eq!(a.shape[..], [5]);
        assert_eq!(bits(&a), bits(&b));
        assert_eq!(all_bits(&single_weights)?, all_bits(&together_weights)?);
        assert_eq!(single.snapshot()?, together.snapshot()?);
    }
    Ok(())
}

#[test]
fn later_runs_reuse_what_earlier_ones_allocated() -> Result<()> {
    let network = network()?;
    let (mut session, _) = session(&network, &PlanOptions::default())?;
    let mut allocated = Vec::new();
    for _ in 0..6 {
        for step in 0..8 {
            session.write_ahead(network.x, &numbers([BATCH, 8], step))?;
            session.write_ahead(network.targets, &labels(BATCH, 3, step))?;
        }
        session.run(8)?;
        session.wait()?;
        allocated.push(session.counters().allocations);
    }
    assert_eq!(allocated[1..], [allocated[1]; 5], "{allocated:?}");
    Ok(())
}

/// Writing the next steps' inputs waits for no step in flight: there is staging memory for as many submissions of as many
/// steps as may be in flight.
#[test]
fn writing_ahead_does_not_wait_for_the_device() -> Result<()> {
    let training = training(64)?;
    let weights = Weights::init(device(), &training.graph, 0)?;
    let plan = Plan::new(&training.graph, &[training.loss], device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(training.images, &numbers([64, 1, 28, 28], 1))?;
    session.write(training.labels, &labels(64, 10, 2))?;
    session.write_scalar(training.rate, 0.01)?;
    session.step()?;
    session.wait()?;
    const STEPS: usize = 12;
    let mut writes = Duration::ZERO;
    let start = Instant::now();
    for _ in 0..2 {
        let before = Instant::now();
        for _ in 0..STEPS {
            session.write_ahead(training.rate, &[0.01])?;
        }
        writes += before.elapsed();
        session.run(STEPS)?;
    }
    session.wait()?;
    // The second round's writes would take as long as the first round's steps, half of all.
    assert!(4 * writes < start.elapsed(), "{writes:?} of {:?}", start.elapsed());
    Ok(())
}

#[test]
fn very_many_steps_take_several_submissions() -> Result<()> {
    let network = network()?;
    let mut found = Vec::new();
    for steps in [1, 150] {
        let (mut session, weights) = session(&network, &PlanOptions::default())?;
        session.write(network.x, &numbers([BATCH, 8], 1))?;
        session.write(network.targets, &labels(BATCH, 3, 1))?;
        for _ in 0..150 / steps {
            session.run(steps)?;
        }
        assert_eq!(session.counters().submits, if steps == 1 { 150 } else { 3 });
        assert_eq!(session.step_number(), 150);
        found.push(all_bits(&weights)?);
    }
    assert!(found[0] == found[1]);
    Ok(())
}

#[test]
fn an_input_that_is_written_ahead_for_some_steps_only_is_named() -> Result<()> {
    let network = network()?;
    let (mut session, _) = session(&network, &PlanOptions::default())?;
    session.write(network.targets, &labels(BATCH, 3, 1))?;
    session.write_ahead(network.x, &numbers([BATCH, 8], 1))?;
    session.write_ahead(network.x, &numbers([BATCH, 8], 2))?;
    match session.run(3) {
        Err(Error::Value { name, message }) => {
            assert_eq!(name, "x");
            assert!(message.contains("for 2 steps, expected 3"), "{message}");
        }
        other => panic!("expected a refusal, found {other:?}"),
    }
    assert_eq!((session.step_number(), session.counters().submits), (0, 0));
    // The third step's contents, and then all three run. The targets were written once and stay.
    session.write_ahead(network.x, &numbers([BATCH, 8], 3))?;
    session.run(3)?;
    assert_eq!(session.step_number(), 3);
    // Nothing is ahead any more, so what was last stays.
    session.run(2)?;
    // `write` drops what is ahead.
    session.write_ahead(network.x, &numbers([BATCH, 8], 4))?;
    session.write_ahead(network.x, &numbers([BATCH, 8], 5))?;
    session.write(network.x, &numbers([BATCH, 8], 6))?;
    session.run(3)?;
    let found = session.read(network.loss)?;
    let (mut other, _) = self::session(&network, &PlanOptions::default())?;
    other.write(network.targets, &labels(BATCH, 3, 1))?;
    for seed in [1, 2, 3, 3, 3, 6, 6, 6] {
        other.write(network.x, &numbers([BATCH, 8], seed))?;
        other.step()?;
    }
    assert_eq!(bits(&found), bits(&other.read(network.loss)?));
    Ok(())
}

/// What is left of one input would meet later contents of another.
#[test]
fn inputs_that_are_written_ahead_for_other_steps_than_each_other_are_named() -> Result<()> {
    let network = network()?;
    let (mut session, _) = session(&network, &PlanOptions::default())?;
    for step in 0..3 {
        session.write_ahead(network.x, &numbers([BATCH, 8], step))?;
    }
    for step in 0..2 {
        session.write_ahead(network.targets, &labels(BATCH, 3, step))?;
    }
    let refused = |result: Result<()>| match result {
        Err(Error::Value { name, message }) => {
            assert_eq!(name, "targets");
            assert!(message.contains("for 2 steps, and input \"x\" for 3"), "{message}");
        }
        other => panic!("expected a refusal, found {other:?}"),
    };
    session.run(0)?;
    refused(session.run(2));
    refused(session.step());
    assert_eq!((session.step_number(), session.counters().submits), (0, 0));
    // With the contents that were missing, steps run in any number of calls.
    session.write_ahead(network.targets, &labels(BATCH, 3, 2))?;
    session.run(2)?;
    session.write_ahead(network.x, &numbers([BATCH, 8], 3))?;
    session.write_ahead(network.targets, &labels(BATCH, 3, 3))?;
    session.run(2)?;
    let found = session.read(network.loss)?;
    let (mut single, _) = self::session(&network, &PlanOptions::default())?;
    for step in 0..4 {
        single.write(network.x, &numbers([BATCH, 8], step))?;
        single.write(network.targets, &labels(BATCH, 3, step))?;
        single.step()?;
    }
    assert_eq!(bits(&found), bits(&single.read(network.loss)?));
    Ok(())
}

#[test]
fn the_watch_names_the_step_and_the_input_of_a_later_step() -> Result<()> {
    let network = network()?;
    let (mut session, _) = session(&network, &PlanOptions::default().watch(Watch::new()))?;
    session.write(network.targets, &labels(BATCH, 3, 1))?;
    session.set_step_number(40);
    for step in 0..5 {
        let mut x: Vec<f32> = numbers([BATCH, 8], step).as_f32().expect("floats").to_vec();
        if step == 3 {
            x[7] = f32::NAN;
        }
        session.write_ahead(network.x, &x)?;
    }
    session.run(5)?;
    let found = session.not_finite()?.expect("a NaN was written");
    let source = found.source.expect("the input is the cause");
    assert_eq!((found.step, source.kind, source.name.as_str()), (43, SourceKind::Input, "x"));
    Ok(())
}

/// A step of the seed network, and what two of them leave.
fn steps(training: &Training, options: &PlanOptions) -> Result<(Session, Vec<Vec<u32>>)> {
    let weights = Weights::init(device(), &training.graph, 3)?;
    let plan = Plan::with_options(&training.graph, &[training.loss], device().caps(), options)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(training.images, &numbers([BATCH, 1, 28, 28], 1))?;
    session.write(training.labels, &labels(BATCH, 10, 2))?;
    session.write_scalar(training.rate, 0.05)?;
    session.record(training.loss, 4)?;
    session.step()?;
    session.run(2)?;
    let mut found = all_bits(&weights)?;
    found.push(bits(&session.recorded(training.loss)?));
    Ok((session, found))
}

/// Into how many submissions a step is cut by its own estimate: as many as need no dispatch to be split, and as many as need
/// some. How far kernels split depends on the adapter's variants.
fn shares(training: &Training, caps: &Caps) -> Result<[(u32, bool); 2]> {
    let plan = |options: &PlanOptions| Plan::with_options(&training.graph, &[training.loss], caps, options);
    let whole = plan(&PlanOptions::default())?;
    let splits = |shares: u32| {
        let longest = whole.submits()[0].longest / shares;
        let plan = plan(&PlanOptions::default().longest_submit(longest)).ok()?;
        Some(plan.dispatches().len() > whole.dispatches().len())
    };
    let find = |wanted| (2..=60).rev().find(|&shares| splits(shares) == Some(wanted));
    let (Some(fewer), Some(more)) = (find(false), find(true)) else {
        panic!("{}: no cut of the step leaves dispatches whole, or none splits any", caps.kind);
    };
    Ok([(fewer, false), (more, true)])
}

/// What the test on the adapter at hand needs, there is on all kinds.
#[test]
fn steps_can_be_cut_with_and_without_splitting_dispatches() -> Result<()> {
    let training = training(BATCH)?;
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        for size in [0, 8, 32, 64] {
            let caps = Caps { subgroups: size > 0, subgroup_size: size, ..Caps::webgpu_defaults(kind) };
            let [(fewer, _), (more, _)] = shares(&training, &caps)?;
            println!("{kind}, subgroups of {size}: {fewer} and {more}");
            assert!(fewer >= 2 && more > fewer);
        }
    }
    Ok(())
}

#[test]
fn a_long_step_is_submitted_in_parts_and_keeps_its_bits() -> Result<()> {
    let training = training(BATCH)?;
    let (whole, expected) = steps(&training, &PlanOptions::default())?;
    let plan = whole.plan();
    let limit = match device().caps().kind {
        AdapterKind::Software => None,
        _ => Some(Duration::from_secs(1)),
    };
    assert_eq!((plan.submits().len(), plan.longest_submit()), (1, limit), "a software adapter has no limit");
    assert_eq!(whole.counters().submits, 2);
    let step = plan.submits()[0].longest;
    for (shares, splits) in shares(&training, device().caps())? {
        let longest = step / shares;
        let (session, found) = steps(&training, &PlanOptions::default().longest_submit(longest))?;
        let plan = session.plan();
        let submits = plan.submits();
        assert!(submits.len() >= shares as usize, "{submits:?}");
        assert!(submits.iter().all(|submit| submit.longest <= longest), "{submits:?}");
        let starts: Vec<usize> = submits.iter().map(|submit| submit.dispatches.start).collect();
        let ends: Vec<usize> = submits.iter().map(|submit| submit.dispatches.end).collect();
        assert_eq!((starts[0], *ends.last().expect("there is one")), (0, plan.dispatches().len()));
        assert_eq!(starts[1..], ends[..ends.len() - 1]);
        assert_eq!(plan.dispatches().len() > whole.plan().dispatches().len(), splits, "{plan}");
        assert!(plan.to_string().contains(&format!("{} submits", submits.len())), "{plan}");
        // Parts of neighbouring steps may share a submission.
        let counted = session.counters().submits;
        assert!(counted > submits.len() as u64 && counted <= 3 * submits.len() as u64, "{counted}");
        assert_eq!(session.counters().steps, 3);
        assert!(found == expected, "bits differ when a step is {} submits", submits.len());
    }
    Ok(())
}

#[test]
fn what_no_splitting_makes_short_is_refused_by_name() -> Result<()> {
    let training = training(BATCH)?;
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        for longest in [Duration::from_nanos(1), Duration::ZERO] {
            let options = PlanOptions::default().longest_submit(longest);
            let caps = Caps::webgpu_defaults(kind);
            match Plan::with_options(&training.graph, &[training.loss], &caps, &options) {
                Err(Error::Limit { operator, node, message, .. }) => {
                    assert_eq!((operator.as_str(), node.as_str()), ("conv2d", "conv1"));
                    let slow = format!(" us on a slow {kind} adapter");
                    assert!(message.contains("longest_submit") && message.contains(&slow), "{message}");
                }
                other => panic!("expected a refusal, found {other:?}"),
            }
        }
    }
    Ok(())
}

/// Networks as large as these take a GPU several submissions by the estimate, and none of their dispatches is refused.
#[test]
fn plans_for_gpus_limit_every_submission() -> Result<()> {
    use crate::harness::network::training_of;
    use wgrad::nn::models;
    let large = training_of(&models::resnet50(3, 1000), [32, 3, 224, 224])?;
    let small = training(64)?;
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple] {
        let caps =
            Caps { max_binding_bytes: 1 << 31, max_buffer_bytes: 1 << 33, ..Caps::webgpu_defaults(kind) };
        let plan = Plan::new(&large.graph, &[large.loss], &caps)?;
        let longest = plan.longest_submit().expect("a GPU has a limit");
        println!("{kind}: {} dispatches, {} submits", plan.dispatches().len(), plan.submits().len());
        assert!(plan.submits().len() > 1 && plan.submits().iter().all(|submit| submit.longest <= longest));
        let plan = Plan::new(&small.graph, &[small.loss], &caps)?;
        assert_eq!(plan.submits().len(), 1, "{kind}");
        println!("{kind}: the seed network's step takes at the most {:?}", plan.submits()[0].longest);
    }
    Ok(())
}
