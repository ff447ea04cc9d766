//! Checkpoints: interrupted training resumes with the same bits, and files that don't fit change nothing.

use crate::harness::files::{self, listing};
use crate::harness::{device, labels, numbers};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use tempfile::TempDir;
use wgrad::nn::{self, Layer};
use wgrad::optim::{Adadelta, Adam, AdamW, Ema, Schedule, Sgd};
use wgrad::weights::{LoadOptions, Metadata};
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

const BATCH: usize = 4;

/// What an optimizer appends to a graph, given the learning rate and the loss.
type Minimize = fn(&mut Graph, Value, Value) -> Result<()>;

fn sgd(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    Sgd::new(rate).momentum(0.9).dampening(0.25).weight_decay(1e-3).minimize(graph, loss)
}

fn adam(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    Adam::new(rate).minimize(graph, loss)
}

/// Accumulates over three steps, so that a run interrupted after four has a gradient added up.
fn averaged(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    let average = Ema::new(0.75).warm_up(true);
    AdamW::new(rate).amsgrad(true).clip_norm(1.0).accumulate(3).average(average).minimize(graph, loss)
}

/// Groups, each with a part of the arenas, and a parameter that is not trained.
fn grouped(graph: &mut Graph, rate: Value, loss: Value) -> Result<()> {
    Adadelta::new(rate)
        .freeze(|name| name == "conv.bias")
        .group(|name| name.starts_with("fc."), |group| group.rho(0.5))
        .minimize(graph, loss)
}

/// A training of a small network with dropout and both kinds of running statistics.
struct Training {
    session: Session,
    weights: Weights,
    images: Value,
    labels: Value,
    rate: Value,
    loss: Value,
    schedule: Schedule,
}

fn network(hidden: usize) -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 3, [3, 3]).padding([1, 1]))
        .add("bn", nn::BatchNorm::new(3))
        .add("relu", nn::Relu)
        .add("flatten", nn::Flatten)
        .add("dropout", nn::Dropout::new(0.3).seed(5))
        .add("hidden", nn::Linear::new(3 * 6 * 6, hidden))
        .add("norm", nn::BatchNorm::new(hidden).cumulative_average())
        .add("fc", nn::Linear::new(hidden, 5))
}

impl Training {
    fn new(minimize: Minimize, seed: u64) -> Result<Training> {
        Training::of(&network(8), minimize, seed)
    }

    fn of(network: &nn::Sequential, minimize: Minimize, seed: u64) -> Result<Training> {
        let mut graph = Graph::new();
        let images = graph.input("images", [BATCH, 1, 6, 6])?;
        let labels = graph.input_i32("labels", BATCH)?;
        let logits = network.forward(&mut graph, images, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("learning_rate")?;
        minimize(&mut graph, rate, loss)?;
        let weights = Weights::init(device(), &graph, seed)?;
        let plan = Plan::new(&graph, &[loss], device().caps())?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.record(loss, 64)?;
        let schedule = Schedule::cosine(0.05, 12, 0.001)?;
        Ok(Training { session, weights, images, labels, rate, loss, schedule })
    }

    /// Runs steps up to number `end`, each on a batch and at a rate of its own, and gives their losses.
    fn run(&mut self, end: u32) -> Result<Vec<u32>> {
        while self.session.step_number() < end {
            let step = u64::from(self.session.step_number());
            self.session.write(self.images, &numbers([BATCH, 1, 6, 6], step))?;
            self.session.write(self.labels, &labels(BATCH, 5, step))?;
            self.session.write_scalar(self.rate, self.schedule.rate(step) as f32)?;
            self.session.step()?;
        }
        Ok(bits(&self.session.recorded(self.loss)?))
    }

    /// Everything that the weights hold, and the step number.
    fn contents(&self) -> (BTreeMap<String, Vec<u32>>, u32) {
        let names = self.weights.names();
        let read = |name: &str| bits(&self.weights.read(name).expect("the weights hold it"));
        (names.map(|name| (name.to_owned(), read(name))).collect(), self.session.step_number())
    }
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

#[test]
fn training_goes_on_with_the_same_bits() -> Result<()> {
    const STEPS: u32 = 10;
    let folder = TempDir::new().expect("a temporary folder can be made");
    for (name, minimize) in
        [("sgd", sgd as Minimize), ("adam", adam), ("averaged", averaged), ("grouped", grouped)]
    {
        let mut whole = Training::new(minimize, 1)?;
        let losses = whole.run(STEPS)?;
        for interrupted in [1, 4] {
            let path = folder.path().join(format!("{name}.safetensors"));
            let mut first = Training::new(minimize, 1)?;
            let mut found = first.run(interrupted)?;
            first.session.save_checkpoint(&path)?;
            // Nothing that a session did before shows: weights of another seed, trained for some steps.
            let mut second = Training::new(minimize, 99)?;
            second.run(3)?;
            assert_ne!(second.contents().0, first.contents().0);
            assert_eq!(second.session.load_checkpoint(&path)?, BTreeMap::new());
            assert_eq!(second.contents(), first.contents(), "{name} is what was saved");
            found.extend(second.run(STEPS)?);
            assert_eq!(found, losses, "{name} interrupted after {interrupted} steps");
            assert_eq!(second.contents(), whole.contents(), "{name} interrupted after {interrupted} steps");
            // Saving changed nothing either, and a session goes back to its own checkpoint.
            first.run(STEPS)?;
            assert_eq!(first.contents(), whole.contents(), "{name}");
            first.session.load_checkpoint(&path)?;
            assert_eq!(first.run(STEPS)?, losses[interrupted as usize..], "{name} went back");
            assert_eq!(first.contents(), whole.contents(), "{name} went back");
        }
    }
    Ok(())
}

#[test]
fn the_same_training_gives_the_same_file() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let notes = BTreeMap::from(
        [("seed", "7"), ("batch size", "\"4\"\n"), ("", "")]
            .map(|(name, note)| (name.to_owned(), note.to_owned())),
    );
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let mut training = Training::new(averaged, 1)?;
    training.run(2)?;
    let before = training.session.counters();
    training.session.save_checkpoint_with(&first, &notes)?;
    let held: usize = training.contents().0.values().map(Vec::len).sum();
    assert_eq!(training.session.counters().bytes_read_back - before.bytes_read_back, 4 * held as u64);
    let mut other = Training::new(averaged, 2)?;
    assert_eq!(other.session.load_checkpoint(&first)?, notes);
    other.session.save_checkpoint_with(&second, &notes)?;
    let [first, second] = [first, second].map(|path| std::fs::read(path).expect("it was written"));
    assert_eq!(first, second);
    assert_eq!(listing(folder.path()), ["first", "second"], "no temporary file is left");
    Ok(())
}

#[test]
fn what_files_hold_goes_through_memory_too() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("file.safetensors");
    let notes = BTreeMap::from([("seed".to_owned(), "7".to_owned())]);
    let mut training = Training::new(averaged, 1)?;
    let mut metadata = Metadata::default();
    metadata.class_names = vec!["cat".into(), "dog".into()];
    training.weights.set_metadata(metadata.clone())?;
    training.run(4)?;
    training.weights.save(&path)?;
    let bytes = training.weights.to_bytes()?;
    // Texts beside the tensors are in no fixed order.
    let file = std::fs::read(&path).expect("it was written");
    assert_eq!(bytes.len(), file.len());
    assert_eq!((Metadata::of_bytes(&bytes)?, Metadata::read(&path)?), (metadata.clone(), metadata));
    let mut other = Training::new(averaged, 2)?;
    let beside = Training::new(averaged, 2)?;
    other.weights.load_bytes(&bytes)?;
    beside.weights.load(&path)?;
    assert_eq!(other.contents(), beside.contents());
    let report =
        other.weights.load_bytes_with(&bytes, &LoadOptions::new().filter(|name| name == "fc.bias"))?;
    assert_eq!(report.taken.len(), 1);

    let before = training.session.counters();
    let checkpoint = training.session.checkpoint_bytes(&notes)?;
    let held: usize = training.contents().0.values().map(Vec::len).sum();
    assert_eq!(training.session.counters().bytes_read_back - before.bytes_read_back, 4 * held as u64);
    training.session.save_checkpoint_with(&path, &notes)?;
    assert!(checkpoint == std::fs::read(&path).expect("it was written"));
    assert_eq!(other.session.load_checkpoint_bytes(&checkpoint)?, notes);
    assert_eq!(other.contents(), training.contents());
    other.run(7)?;
    training.run(7)?;
    assert_eq!(other.contents(), training.contents());
    Ok(())
}

#[test]
fn weights_go_through_files_of_f16() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 9])?;
    nn::Sequential::new()
        .add("fc", nn::Linear::new(9, 70))
        .add("bn", nn::BatchNorm::new(70).cumulative_average())
        .forward(&mut graph, x, Mode::Train)?;
    let weights = Weights::init(device(), &graph, 5)?;
    let mut bias = vec![f32::INFINITY; 70];
    // The largest number of f16, numbers between two of f16, and below all of them.
    bias[..5].copy_from_slice(&[65504.0, 1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 1e-9, 6e-8]);
    weights.write("fc.bias", &bias)?;
    weights.write("bn.running_var", &[70_000.0; 70])?;
    weights.write("bn.num_batches_tracked", &[12_345.0])?;
    let before: Vec<HostTensor> = weights.names().map(|name| weights.read(name)).collect::<Result<_>>()?;
    let folder = TempDir::new().expect("there is room for temporary files");
    let [single, half] = ["single", "half"].map(|name| folder.path().join(name));
    weights.save(&single)?;
    weights.save_f16(&half)?;
    let size = |path: &std::path::Path| std::fs::metadata(path).expect("it was written").len();
    assert!(size(&half) < size(&single) * 7 / 10, "{} of {}", size(&half), size(&single));
    let other = Weights::init(device(), &graph, 6)?;
    other.load(&half)?;
    for (name, before) in weights.names().zip(&before) {
        let found = other.read(name)?.to_f64();
        for (&found, &x) in found.iter().zip(before.as_f32().expect("weights are floats")) {
            let kept = ["bn.running_var", "bn.num_batches_tracked"].contains(&name);
            let expected = if kept { x } else { half::f16::from_f32(x).to_f32() };
            assert_eq!(found.to_bits(), f64::from(expected).to_bits(), "{name}: {x}");
        }
    }
    let bias = other.read("fc.bias")?.to_f64();
    assert_eq!(bias[..5], [65504.0, 1.0, 1.0 + 4.0 / 2048.0, 0.0, 2f64.powi(-24)]);
    Ok(())
}

#[test]
fn other_programs_find_the_parameters_by_pytorchs_names() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("run.safetensors");
    let mut training = Training::new(sgd, 1)?;
    training.run(5)?;
    training.session.save_checkpoint(&path)?;
    let bytes = std::fs::read(&path).expect("it was written");
    let file = SafeTensors::deserialize(&bytes).expect("the file is whole");
    for name in ["conv.weight", "bn.running_var", "fc.bias", "fc.bias.momentum_buffer"] {
        let tensor = file.tensor(name).expect(name);
        let held = training.weights.read(name)?;
        assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &held.shape[..]), "{name}");
        let floats: Vec<u8> =
            held.as_f32().expect("it is f32").iter().flat_map(|x| x.to_le_bytes()).collect();
        assert!(tensor.data() == floats, "{name}");
    }
    let count = file.tensor("norm.num_batches_tracked").expect("it is counted");
    assert_eq!((count.dtype(), count.data()), (Dtype::I64, &5i64.to_le_bytes()[..]));
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("the file is whole");
    let metadata = header.metadata().as_ref().expect("there is metadata");
    let fields: serde_json::Value = serde_json::from_str(&metadata["wgrad_checkpoint"]).expect("it is JSON");
    assert_eq!(fields["step_number"], 5);
    Ok(())
}

#[test]
fn a_checkpoint_is_enough_to_evaluate() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let [path, dict] = ["run.safetensors", "weights.safetensors"].map(|name| folder.path().join(name));
    let mut training = Training::new(averaged, 1)?;
    training.run(7)?;
    training.session.save_checkpoint(&path)?;
    training.weights.save(&dict)?;

    let mut graph = Graph::new();
    let images = graph.input("images", [BATCH, 1, 6, 6])?;
    let logits = network(8).forward(&mut graph, images, Mode::Eval)?;
    let evaluate = |path: &Path| -> Result<Vec<u32>> {
        let weights = Weights::init(device(), &graph, 3)?;
        weights.load(path)?;
        let mut session = Session::new(device(), Plan::new(&graph, &[logits], device().caps())?, &weights)?;
        session.write(images, &numbers([BATCH, 1, 6, 6], 50))?;
        session.step()?;
        Ok(bits(&session.read(logits)?))
    };
    assert_eq!(evaluate(&path)?, evaluate(&dict)?);

    // Averages come out of a checkpoint; after a state dict they start from the parameters.
    let fresh = Training::new(averaged, 2)?;
    let before = fresh.weights.read("fc.weight.exp_avg")?;
    fresh.weights.load(&path)?;
    let name = "fc.weight";
    assert_eq!(fresh.weights.read(name)?, training.weights.read(name)?);
    assert_eq!(fresh.weights.averaged()?.read(name)?, training.weights.averaged()?.read(name)?);
    assert_ne!(fresh.weights.averaged()?.read(name)?, training.weights.read(name)?);
    assert_eq!(fresh.weights.read("fc.weight.exp_avg")?, before, "the optimizer's state is its own");
    fresh.weights.load(&dict)?;
    assert_eq!(fresh.weights.averaged()?.read(name)?, training.weights.read(name)?);

    // Parameters of another network are extra, whatever else the file holds.
    let mut small = Graph::new();
    let x = small.input("x", [BATCH, 8])?;
    nn::Sequential::new().add("fc", nn::Linear::new(8, 5)).forward(&mut small, x, Mode::Eval)?;
    let error = Weights::init(device(), &small, 0)?.load(&path).expect_err("the networks differ");
    assert_says(&error, &["\"bn.bias\" is extra"]);
    Ok(())
}

#[test]
fn checkpoints_that_do_not_fit_change_nothing() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("run.safetensors");
    let mut training = Training::new(sgd, 1)?;
    training.run(2)?;
    let before = training.contents();
    let mut refused = |path: &Path, parts: &[&str]| {
        let error = training.session.load_checkpoint(path).expect_err("the file does not fit");
        assert_says(&error, parts);
        assert_eq!(training.contents(), before);
    };
    let saved = |network: &nn::Sequential, minimize: Minimize| -> Result<()> {
        Training::of(network, minimize, 4)?.session.save_checkpoint(&path)
    };

    saved(&network(8), adam)?;
    let advice = ["another optimizer", "build the graph as it was saved with", "Weights::load"];
    let missing = ["run.safetensors", "state \"bn.bias.momentum_buffer\" [3] is missing", "bn.bias.exp_avg"];
    refused(&path, &[&missing[..], &advice].concat());
    saved(&network(8), |graph, rate, loss| Sgd::new(rate).minimize(graph, loss))?;
    refused(&path, &["momentum_buffer\" [3] is missing", "holds no state"]);
    saved(&network(8), |graph, rate, loss| {
        Sgd::new(rate).momentum(0.9).average(Ema::new(0.9)).minimize(graph, loss)
    })?;
    refused(&path, &[&["state \"bn.bias.average\" is extra"][..], &advice].concat());
    saved(&network(9), sgd)?;
    refused(&path, &["\"fc.weight\" has shape [5, 9], expected [5, 8]"]);
    saved(&network(8).add("more", nn::Linear::new(5, 5)), |graph, rate, loss| {
        Sgd::new(rate).momentum(0.9).freeze(|name| name.starts_with("more.")).minimize(graph, loss)
    })?;
    refused(&path, &["\"more.bias\" is extra: the network has no such parameter"]);

    Training::new(sgd, 4)?.weights.save(&path)?;
    refused(&path, &["holds weights but no checkpoint", "Weights::load", "Session::save_checkpoint"]);
    refused(&folder.path().join("missing"), &["reading", "missing"]);
    Ok(())
}

#[test]
fn damaged_checkpoints_change_nothing() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("run.safetensors");
    let mut training = Training::new(sgd, 1)?;
    training.session.save_checkpoint(&path)?;
    training.run(2)?;
    let before = training.contents();
    let whole = std::fs::read(&path).expect("it was written");
    let (header, _) = SafeTensors::read_metadata(&whole).expect("the file is whole");
    let cuts = (0..whole.len()).step_by(97).chain([whole.len() - 1]);
    for cut in cuts {
        files::write(folder.path(), "run.safetensors", &whole[..cut]);
        let error = training.session.load_checkpoint(&path).expect_err("the file is cut");
        assert_says(&error, &["run.safetensors", "is not a whole safetensors file"]);
    }
    files::write(folder.path(), "run.safetensors", &[&whole[..], &[0]].concat());
    assert!(training.session.load_checkpoint(&path).is_err());
    assert_eq!(training.contents(), before);

    // A header with a wrong byte is refused or says what it says; it never panics.
    let fresh = Training::new(sgd, 1)?;
    for at in 0..8 + header {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        files::write(folder.path(), "run.safetensors", &bytes);
        let _ = training.session.load_checkpoint(&path);
        let _ = fresh.weights.load(&path);
    }

    // Metadata that was changed, by its text.
    let tensors = SafeTensors::deserialize(&whole).expect("the file is whole").tensors();
    let before = training.contents();
    for (text, part) in [
        (r#"{"notes":{},"state":[]}"#, "the step number is missing"),
        (
            r#"{"step_number":-1,"notes":{},"state":[]}"#,
            "the step number is -1, expected a whole number from 0",
        ),
        ("7", "found no JSON object"),
    ] {
        let views: Vec<(&String, &TensorView<'_>)> =
            tensors.iter().map(|(name, view)| (name, view)).collect();
        let metadata = HashMap::from([("wgrad_checkpoint".to_owned(), text.to_owned())]);
        let bytes = safetensors::serialize(views, Some(metadata)).expect("names are unique");
        files::write(folder.path(), "run.safetensors", &bytes);
        assert_says(&training.session.load_checkpoint(&path).unwrap_err(), &["run.safetensors", part]);
        assert_says(&training.weights.load(&path).unwrap_err(), &["run.safetensors", part]);
    }
    assert_eq!(training.contents(), before);
    Ok(())
}

#[test]
fn only_the_session_that_trains_has_a_checkpoint() -> Result<()> {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let path = folder.path().join("run.safetensors");
    let mut training = Training::new(sgd, 1)?;
    training.session.save_checkpoint(&path)?;
    let old = std::fs::read(&path).expect("it was written");

    let mut graph = Graph::new();
    let images = graph.input("images", [BATCH, 1, 6, 6])?;
    let logits = network(8).forward(&mut graph, images, Mode::Eval)?;
    let plan = Plan::new(&graph, &[logits], device().caps())?;
    let mut evaluation = Session::new(device(), plan, &training.weights)?;
    let parts = ["momentum_buffer", "not in this session's graph", "by the session that trains"];
    assert_says(&evaluation.save_checkpoint(&path).expect_err("it does not train"), &parts);
    assert_says(&evaluation.load_checkpoint(&path).expect_err("it does not train"), &parts);

    // What can't be written leaves what was there.
    let missing = folder.path().join("missing/run.safetensors");
    assert_says(&training.session.save_checkpoint(missing).expect_err("no such folder"), &["writing"]);
    assert_eq!(std::fs::read(&path).expect("it is there"), old);
    assert_eq!(listing(folder.path()), ["run.safetensors"]);
    Ok(())
}
