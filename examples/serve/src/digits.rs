//! Trains LeNet-5 on MNIST, so that there is something to serve.

use crate::program::{Outcome, say};
use std::path::Path;
use std::sync::Arc;
use wgrad::Device;
use wgrad::data::Images;
use wgrad::nn::models;
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Accuracy, Lines, Supervised, Trainer};
use wgrad::weights::Metadata;

/// MNIST, as it comes with the source.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist");

/// Trains for one epoch, and writes the weights with all that a server needs to know.
pub fn train(device: &Device, path: &Path) -> Outcome<()> {
    wgrad::file::check_writable(path)?;
    let read = |part: &str| {
        let file = |kind: &str| Path::new(DATA).join(format!("{part}-{kind}-ubyte.gz"));
        Images::from_files(&file("images-idx3"), &file("labels-idx1"), 10)
    };
    let (train, test) = (read("train")?, read("t10k")?);
    let mut trainer = Trainer::new(device, Supervised::classifier(Arc::new(models::lenet5(1, 10))))
        .optimizer(|g, loss, rate| AdamW::new(rate).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.003, steps, 0.0))
        .batch_size(64)
        .metric(Accuracy)
        .callback(Lines::new());
    trainer.fit(&train, Some(&test))?;
    let weights = trainer.weights()?;
    let mut metadata = Metadata::default();
    metadata.network = Some("lenet5".into());
    metadata.class_names = (0..10).map(|digit: u32| digit.to_string()).collect();
    metadata.input_shape = Some([1, train.rows(), train.columns()].into());
    weights.set_metadata(metadata)?;
    weights.save(path)?;
    say!("{} has the weights; serve --model takes them", wgrad::file::printable_path(path));
    Ok(())
}
