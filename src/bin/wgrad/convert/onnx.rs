//! Writes ONNX files: of weights, whose network has to be known, and of another ONNX file, which is imported first. Parameters
//! go through a device, because that is where the library has them.

use super::{Arguments, Written};
use crate::model::{Built, Model};
use crate::out::{Outcome, fail};
use wgrad::onnx::{self, Export, Output};
use wgrad::{Mode, Value, Weights};

/// The batch of a graph whose file leaves it open. A 1 could be any dimension.
const OPEN: usize = 2;

/// Writes the network of a file.
pub(super) fn write(arguments: &Arguments) -> Outcome<Written> {
    let Arguments { from, to, .. } = arguments;
    let model = Model::open(from, &arguments.open)?;
    model.spare(to)?;
    let device = arguments.adapter.open()?;
    let batch = arguments.batch.map(|batch| batch as usize);
    let built = model.build(batch, OPEN, Mode::Eval)?;
    let weights = Weights::init(&device, &built.graph, 0)?;
    model.load(&built, &weights)?;
    weights.set_metadata(model.metadata.clone())?;
    let mut export = Export::new(&built.graph);
    for (name, value) in outputs(&built, &model)? {
        export = export.output(name, value);
    }
    if let (None, Some(name)) = (batch, model.batch_name()) {
        export = export.batch(name);
    }
    export.save(to, &weights)?;
    // What is there now, as any program reads it.
    let written = onnx::Model::open(to)?;
    let mut initializers = written.initializers();
    // Integers describe shapes.
    initializers.retain(|initializer| initializer.element.is_some_and(|element| element.is_float()));
    let mut notes = Vec::new();
    if model.is_random() {
        notes.push(format!("{} has random weights", model.name));
    }
    Ok(Written {
        tensors: initializers.len(),
        elements: initializers.iter().map(|initializer| initializer.shape.elements() as u64).sum(),
        bytes: initializers.iter().map(|initializer| initializer.bytes).sum(),
        left_out: Vec::new(),
        notes,
    })
}

/// The outputs by name: an ONNX file's own, or `logits`.
fn outputs(built: &Built, model: &Model) -> Outcome<Vec<(String, Value)>> {
    let Some(network) = &built.network else {
        return Ok(built.outputs.iter().map(|&value| ("logits".to_owned(), value)).collect());
    };
    let value = |(name, output): &(String, Output)| match output {
        Output::Value(value) => Ok((name.clone(), *value)),
        Output::Constant(_) => {
            fail(format!("{}: the output \"{name}\" depends on no input, so it can't be written", model.name))
        }
    };
    network.outputs().iter().map(value).collect()
}
