//! Networks that PyTorch exported, against PyTorch's own answers (`tests/fixtures/onnx_networks.py`): the outputs in
//! evaluation, and the losses of a training run on what was imported.

use crate::harness::{device, root};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;
use wgrad::onnx::Model;
use wgrad::{Error, Graph, HostTensor, Mode, Plan, Session, Shape, Weights, optim};

/// Names a folder with further networks, which the script writes with `--all`.
const VARIABLE: &str = "WGRAD_ONNX_NETWORKS";
/// The largest error of an output, relative to the largest.
const TOLERANCE: f64 = 1e-4;
/// The largest error of a loss, relative to it, or three times what PyTorch's own rounding makes.
const LOSS_TOLERANCE: f64 = 1e-4;

fn tensors(path: &Path) -> BTreeMap<String, HostTensor> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("the file is whole");
    let tensor = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        let (shape, words) = (Shape::from(view.shape()), view.data().as_chunks().0);
        let tensor = match view.dtype() {
            Dtype::F32 => HostTensor::f32(shape, words.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            _ => HostTensor::i32(shape, words.iter().map(|b| i32::from_le_bytes(*b)).collect()),
        };
        (name, tensor.expect("the file is whole"))
    };
    file.tensors().into_iter().map(tensor).collect()
}

/// The largest error of the outputs in evaluation, relative to the largest.
fn evaluated(path: &Path, answers: &BTreeMap<String, HostTensor>) -> Result<f64, Error> {
    let model = Model::open(path)?;
    let images = &answers["images"];
    let mut graph = Graph::new();
    let (input, output) = (&model.inputs()[0].name, &model.outputs()[0].name);
    let network = model.import().shape(input, images.shape.clone()).build(&mut graph)?;
    let logits = network.value(output)?;
    let weights = Weights::init(device(), &graph, 0)?;
    network.load_into(&weights)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[logits], device().caps())?, &weights)?;
    session.write(network.input(input)?, images)?;
    session.step()?;
    let (found, expected) = (session.read(logits)?.to_f64(), answers["logits"].to_f64());
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let error = found.iter().zip(&expected).fold(0.0, |most: f64, (a, b)| {
        let error = (a - b).abs();
        if error > most || error.is_nan() { error } else { most }
    });
    Ok(error / largest)
}

/// The losses of a training run.
fn trained(path: &Path, answers: &BTreeMap<String, HostTensor>) -> Result<Vec<f64>, Error> {
    let model = Model::open(path)?;
    let images = &answers["images"];
    let mut graph = Graph::new();
    let network = model.import().dimension("N", images.shape[0]).mode(Mode::Train).build(&mut graph)?;
    let labels = graph.input_i32("labels", images.shape[0])?;
    let loss = graph.cross_entropy(network.value("logits")?, labels)?;
    let rate = graph.input_scalar("rate")?;
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
    let weights = Weights::init(device(), &graph, 0)?;
    network.load_into(&weights)?;
    let mut session = Session::new(device(), Plan::new(&graph, &[loss], device().caps())?, &weights)?;
    session.write(network.input("images")?, images)?;
    session.write(labels, &answers["labels"])?;
    session.write(rate, &answers["rate"])?;
    let mut losses = Vec::new();
    for _ in 0..answers["losses"].shape.elements() {
        session.step()?;
        losses.extend(session.read(loss)?.to_f64());
    }
    Ok(losses)
}

fn check(path: &Path) -> Result<String, String> {
    let name = path.file_stem().expect("it is a file").to_string_lossy().into_owned();
    let answers = tensors(&path.with_extension("safetensors"));
    let error = evaluated(path, &answers).map_err(|e| format!("{name}: {e}"))?;
    if error.is_nan() || error > TOLERANCE {
        return Err(format!(
            "{name}: outputs are off by {error:.1e} of the largest, allowed are {TOLERANCE:.0e}"
        ));
    }
    let mut told = format!("{name}: outputs are off by {error:.1e} of the largest");
    if let Some(rounded) = answers.get("losses") {
        let found = trained(path, &answers).map_err(|e| format!("{name}: {e}"))?;
        let (exact, rounded) = (answers["losses_f64"].to_f64(), rounded.to_f64());
        let off =
            |losses: &[f64]| losses.iter().zip(&exact).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
        let (own, pytorch) = (off(&found), off(&rounded));
        told += &format!(", losses {found:.4?} by {own:.1e} from f64's, PyTorch's by {pytorch:.1e}");
        let whole = found.len() == exact.len() && found.iter().all(|loss| loss.is_finite());
        if !whole || own > LOSS_TOLERANCE.max(3.0 * pytorch) {
            return Err(format!("{name}: losses are {found:?}, PyTorch's {rounded:?}, and {exact:?} in f64"));
        }
    }
    Ok(told)
}

#[test]
fn exported_networks_compute_and_train_as_pytorch_does() {
    let folder = std::env::var_os(VARIABLE).map_or_else(|| root().join("tests/fixtures/onnx"), Into::into);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    paths.sort();
    assert!(!paths.is_empty(), "{} has no networks", folder.display());
    let results: Vec<_> = paths.iter().map(|path| check(path)).collect();
    for told in results.iter().flatten() {
        println!("{told}");
    }
    let failures: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
