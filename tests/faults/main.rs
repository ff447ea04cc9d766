//! Faults: every call to a lost device fails by name, a rebuilt session gives the same bits, waits end, lack of
//! memory is an error, and objects of two devices don't mix.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../harness/mod.rs"]
mod harness;

mod apps;
mod futures;
#[cfg(target_os = "linux")]
mod host_memory;
mod limits;

use harness::{labels, numbers};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;
use wgrad::nn::{self, Layer};
use wgrad::optim::{AdamW, Ema, Sgd};
use wgrad::predict::PredictorOptions;
use wgrad::session::Snapshot;
use wgrad::{Device, Error, Graph, HostTensor, Mode, MonteCarlo, Plan, Result, Session, Value, Weights};

const BATCH: usize = 4;

/// What an optimizer appends to a graph, given the learning rate and the loss.
type Minimize = fn(&mut Graph, Value, Value) -> Result<()>;

fn momentum(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    Sgd::new(rate).momentum(0.9).dampening(0.25).weight_decay(1e-3).minimize(graph, loss)
}

/// Accumulates over three steps, so that a run interrupted after four has a gradient added up.
fn accumulated(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    let average = Ema::new(0.75).warm_up(true);
    AdamW::new(rate).amsgrad(true).clip_norm(1.0).accumulate(3).average(average).minimize(graph, loss)
}

/// A training of a small network with dropout and both kinds of running statistics.
struct Training {
    session: Session,
    weights: Weights,
    inputs: [Value; 3],
    loss: Value,
}

fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 3, [3, 3]).padding([1, 1]))
        .add("bn", nn::BatchNorm::new(3))
        .add("relu", nn::Relu)
        .add("flatten", nn::Flatten)
        .add("dropout", nn::Dropout::new(0.3).seed(5))
        .add("hidden", nn::Linear::new(3 * 6 * 6, 8))
        .add("norm", nn::BatchNorm::new(8).cumulative_average())
        .add("fc", nn::Linear::new(8, 5))
}

impl Training {
    fn new(device: &Device, minimize: Minimize) -> Result<Training> {
        let mut graph = Graph::new();
        let images = graph.input("images", [BATCH, 1, 6, 6])?;
        let labels = graph.input_i32("labels", BATCH)?;
        let logits = network().forward(&mut graph, images, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("learning_rate")?;
        minimize(&mut graph, rate, loss)?;
        let weights = Weights::init(device, &graph, 1)?;
        let mut session = Session::new(device, Plan::new(&graph, &[loss], device.caps())?, &weights)?;
        session.record(loss, 64)?;
        Ok(Training { session, weights, inputs: [images, labels, rate], loss })
    }

    fn write(&mut self, step: u32) -> Result<()> {
        let [images, targets, rate] = self.inputs;
        self.session.write(images, &numbers([BATCH, 1, 6, 6], step.into()))?;
        self.session.write(targets, &labels(BATCH, 5, step.into()))?;
        self.session.write_scalar(rate, 0.05 / (1.0 + step as f32))
    }

    /// Runs steps up to number `end`, each on a batch and at a rate of its own.
    fn run(&mut self, end: u32) -> Result<()> {
        while self.session.step_number() < end {
            self.write(self.session.step_number())?;
            self.session.step()?;
        }
        Ok(())
    }
}

/// Everything that a session's weights hold.
fn contents(session: &Session) -> BTreeMap<String, Vec<u32>> {
    let weights = session.weights();
    let read = |name: &str| bits(&weights.read(name).expect("the weights hold it"));
    weights.names().map(|name| (name.to_owned(), read(name))).collect()
}

fn bits(tensor: &HostTensor) -> Vec<u32> {
    tensor.as_f32().expect("it is f32").iter().map(|x| x.to_bits()).collect()
}

fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "expected \"{part}\" in: {text}");
    }
}

/// Requests that come after the loss fail by name, and dropping the predictor ends.
#[test]
fn a_predictor_says_that_its_device_is_lost() -> Result<()> {
    let device = harness::open();
    let weights = Training::new(&device, accumulated)?.weights;
    let options = PredictorOptions::new().network(network()).input_shape([1, 6, 6]).batching(Duration::ZERO);
    let predictor = options.share(&device, &weights)?;
    predictor.predict(&[7u8; 36])?;
    device.destroy();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for result in [
                    predictor.predict(&[7u8; 2 * 36]).map(drop),
                    predictor.spread(&[7u8; 36], 4).map(drop),
                    predictor.open_all(),
                    predictor.device().check(),
                ] {
                    let error = result.expect_err("the device is lost");
                    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
                }
            });
        }
    });
    assert_eq!(predictor.counters().waiting, 0);
    Ok(())
}

#[test]
fn every_call_on_a_lost_device_says_so() -> Result<()> {
    let device = harness::open();
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("run.safetensors");
    let mut training = Training::new(&device, accumulated)?;
    training.run(2)?;
    training.session.save_checkpoint(&path)?;
    let snapshot = training.session.snapshot()?;
    device.peaks()?;
    let plan = training.session.plan().clone();
    let graph = plan.graph().clone();
    let estimate: MonteCarlo = {
        let mut graph = Graph::new();
        let x = graph.input("x", [2])?;
        let y = graph.relu(x)?;
        graph.monte_carlo(&[y])?
    };
    device.destroy();
    let Training { mut session, weights, inputs: [images, _, rate], loss } = training;
    let mut twice = || -> Vec<(&str, Option<Error>)> {
        vec![
            ("step", session.step().err()),
            ("write", session.write(images, &numbers([BATCH, 1, 6, 6], 1)).err()),
            ("write, of a wrong length", session.write(images, &[0.0]).err()),
            ("write_scalar", session.write_scalar(rate, 0.1).err()),
            ("read", session.read(loss).err()),
            ("record", session.record(loss, 4).err()),
            ("recorded", session.recorded(loss).err()),
            ("recorded, again", session.recorded(loss).err()),
            ("wait", session.wait().err()),
            ("verify", session.verify().err()),
            ("profile", session.profile(1).err()),
            ("profile_by_wall_clock", session.profile_by_wall_clock(1).err()),
            ("monte_carlo", session.monte_carlo(&estimate, 2).err()),
            ("save_checkpoint", session.save_checkpoint(&path).err()),
            ("check_checkpoint", session.check_checkpoint(&path, &BTreeMap::new()).err()),
            ("load_checkpoint", session.load_checkpoint(&path).err()),
            ("snapshot", session.snapshot().err()),
            ("restore", session.restore(&snapshot).err()),
            ("rebuild", session.rebuild(&device, &snapshot).err()),
            ("Session::new", Session::new(&device, plan.clone(), &weights).err()),
            ("Weights::init", Weights::init(&device, &graph, 1).err()),
            ("Weights::with_state_of", weights.with_state_of(&graph).err()),
            ("Weights::read", weights.read("fc.weight").err()),
            ("Weights::write", weights.write("fc.bias", &[0.0; 5]).err()),
            ("Weights::save", weights.save(folder.path().join("w.safetensors")).err()),
            ("Weights::load", weights.load(&path).err()),
            ("Weights::load, no file", weights.load("/nowhere/at/all").err()),
            ("load_checkpoint, no file", session.load_checkpoint("/nowhere/at/all").err()),
            ("Weights::averaged", weights.averaged().err()),
            ("Device::wait", device.wait().err()),
            ("Device::check", device.check().err()),
            ("Device::peaks", device.peaks().err()),
        ]
    };
    for (call, error) in twice().into_iter().chain(twice()) {
        let error = error.unwrap_or_else(|| panic!("{call} says that all is well"));
        assert!(matches!(error, Error::DeviceLost { .. }), "{call}: {error}");
        assert_says(&error, &[&device.summary().name, "Device::destroy", "Session::rebuild"]);
    }
    assert_eq!(harness::files::listing(folder.path()), ["run.safetensors"]);
    // Another device of the same adapter has nothing of it.
    harness::open().check()
}

/// Destroys the device in the middle of runs, with steps in flight, and goes on elsewhere.
#[test]
fn a_rebuilt_session_goes_on_with_the_same_bits() -> Result<()> {
    const STEPS: u32 = 9;
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, minimize) in [("momentum", momentum as Minimize), ("accumulated", accumulated)] {
        let mut whole = Training::new(harness::device(), minimize)?;
        whole.run(STEPS)?;
        let losses = bits(&whole.session.recorded(whole.loss)?);
        let path = folder.path().join(name);
        for from_file in [true, false] {
            let device = harness::open();
            let mut training = Training::new(&device, minimize)?;
            training.run(4)?;
            let mut snapshot = None;
            if from_file {
                training.session.save_checkpoint(&path)?;
            } else {
                snapshot = Some(training.session.snapshot()?);
            }
            training.run(6)?;
            device.destroy();
            assert!(matches!(training.run(STEPS), Err(Error::DeviceLost { .. })));

            let device = harness::open();
            let rebuilt = match &snapshot {
                Some(snapshot) => training.session.rebuild(&device, snapshot)?,
                None => training.session.rebuild(&device, &path)?,
            };
            drop(std::mem::replace(&mut training.session, rebuilt));
            assert_eq!(training.session.step_number(), 4);
            // Inputs are the host's, and are not forgotten silently.
            let before = contents(&training.session);
            assert_says(&training.session.step().unwrap_err(), &["\"images\"", "write it"]);
            let [images, targets, rate] = training.inputs;
            training.session.write(images, &numbers([BATCH, 1, 6, 6], 4))?;
            training.session.write(targets, &labels(BATCH, 5, 4))?;
            assert_says(&training.session.step().unwrap_err(), &["\"learning_rate\"", "write it"]);
            training.session.write_scalar(rate, 0.05 / 5.0)?;
            assert_eq!((training.session.step_number(), contents(&training.session)), (4, before));

            training.run(STEPS)?;
            let case = format!("{name}, from a file: {from_file}");
            assert_eq!(contents(&training.session), contents(&whole.session), "{case}");
            assert_eq!(bits(&training.session.recorded(training.loss)?), losses[4..], "{case}");
        }
    }
    Ok(())
}

#[test]
fn a_session_that_shares_weights_is_rebuilt_with_them() -> Result<()> {
    let device = harness::open();
    let mut training = Training::new(&device, momentum)?;
    let mut graph = Graph::new();
    let images = graph.input("images", [BATCH, 1, 6, 6])?;
    let logits = network().forward(&mut graph, images, Mode::Eval)?;
    let plan = Plan::new(&graph, &[logits], device.caps())?;
    let mut evaluation = Session::new(&device, plan, &training.weights)?;
    let evaluate = |evaluation: &mut Session| -> Result<Vec<u32>> {
        evaluation.write(images, &numbers([BATCH, 1, 6, 6], 50))?;
        evaluation.step()?;
        Ok(bits(&evaluation.read(logits)?))
    };
    training.run(2)?;
    let before = evaluate(&mut evaluation)?;
    let snapshot = training.session.snapshot()?;
    device.destroy();

    let device = harness::open();
    training.session = training.session.rebuild(&device, &snapshot)?;
    // The old weights are another device's, and an evaluation has no checkpoint of its own.
    assert!(matches!(evaluation.rebuild(&device, &training.weights), Err(Error::OtherDevice { .. })));
    assert_says(&evaluation.rebuild(&device, &snapshot).unwrap_err(), &["momentum_buffer"]);
    let mut evaluation = evaluation.rebuild(&device, training.session.weights())?;
    assert_eq!(evaluate(&mut evaluation)?, before);
    training.run(3)?;
    assert_ne!(evaluate(&mut evaluation)?, before, "the weights are shared");
    Ok(())
}

#[test]
fn a_session_goes_back_to_a_snapshot() -> Result<()> {
    let mut training = Training::new(harness::device(), accumulated)?;
    training.run(2)?;
    let snapshot = training.session.snapshot()?;
    assert_eq!(snapshot.step_number(), 2);
    let held: BTreeMap<_, _> =
        snapshot.tensors().iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect();
    assert_eq!(held, contents(&training.session));
    training.run(7)?;
    let after = contents(&training.session);
    assert_ne!(after, held);
    training.session.restore(&snapshot)?;
    assert_eq!((training.session.step_number(), contents(&training.session)), (2, held.clone()));
    training.run(7)?;
    assert_eq!(contents(&training.session), after);
    // One of another optimizer changes nothing.
    let other: Snapshot = Training::new(harness::device(), momentum)?.session.snapshot()?;
    let error = training.session.restore(&other).unwrap_err();
    assert_says(&error, &["bn.bias.average", "found no such tensor"]);
    assert_eq!((training.session.step_number(), contents(&training.session)), (7, after));
    Ok(())
}

#[test]
fn objects_of_two_devices_do_not_mix() -> Result<()> {
    let [first, second] = [harness::open(), harness::open()];
    let mut training = Training::new(&first, accumulated)?;
    let plan = training.session.plan().clone();
    for weights in [training.weights.clone(), training.weights.averaged()?] {
        let error = Session::new(&second, plan.clone(), &weights).expect_err("they are the first's");
        assert!(matches!(error, Error::OtherDevice { object: "weights", .. }), "{error}");
        assert_says(&error, &["weights belong to another device", "Session::rebuild"]);
    }
    // A clone is the same device.
    Session::new(&first.clone(), plan.clone(), &training.weights)?;
    let other = Session::new(&second, plan.clone(), &Weights::init(&second, plan.graph(), 1)?)?;
    assert!(matches!(training.session.rebuild(&first, other.weights()), Err(Error::OtherDevice { .. })));
    // Losing one leaves the other as it was.
    second.destroy();
    training.run(1)?;
    // A plan for a larger adapter.
    for enlarge in [
        |caps: &mut wgrad::Caps| caps.max_workgroups = u32::MAX,
        |caps: &mut wgrad::Caps| caps.max_storage_buffers = 1 << 30,
        |caps: &mut wgrad::Caps| (caps.subgroups, caps.subgroup_size) = (true, 128),
    ] {
        let mut caps = first.caps().clone();
        enlarge(&mut caps);
        let plan = Plan::new(plan.graph(), &[training.loss], &caps)?;
        let error = Session::new(&first, plan, &training.weights).expect_err("the device is smaller");
        assert_says(&error, &["the plan was made for", "Device::caps"]);
    }
    Ok(())
}
