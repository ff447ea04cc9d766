//! From a folder of pictures, one folder a class, to a model, and to predictions in another process.
//!
//! `pictures train FOLDER` makes `model.safetensors`; `pictures read FILE...` says what is on pictures.

use std::error::Error;
use std::path::PathBuf;
use wgrad::data::{Dataset, Field, ImageFiles, Picture, Tensors, split};
use wgrad::optim::{AdamW, Preferred, Schedule};
use wgrad::train::{Accuracy, BestWeights, ProgressBar, Supervised, Trainer};
use wgrad::weights::Metadata;
use wgrad::{DType, HostData};
use wgrad::{Device, nn};

const MODEL: &str = "model.safetensors";
const PICTURE: fn() -> Picture = || Picture::rgb(64, 64);

/// Learns from pictures, or reads them
#[derive(clap::Parser)]
enum Command {
    /// Trains on FOLDER/CLASS/*.{png,jpg,webp} and writes model.safetensors
    Train { folder: PathBuf },
    /// Says what is on these pictures, by model.safetensors
    Read { files: Vec<PathBuf> },
}

fn trainer(classes: usize) -> wgrad::Result<Trainer> {
    let augment = nn::Augment::new(42).random_crop([64, 64], 6).flip(0.5);
    let task = Supervised::classifier(nn::models::ResNet::basic([2; 4]).width(16).build(3, classes));
    Ok(Trainer::new(&Device::open()?, task.augment(augment)).metric(Accuracy))
}

fn main() -> Result<(), Box<dyn Error>> {
    match <Command as clap::Parser>::parse() {
        Command::Train { folder } => {
            let (train, validation) = split(ImageFiles::folder(folder, PICTURE())?, 0.2, 42)?;
            println!("{} pictures of {}", train.len(), train.class_names().join(", "));
            trainer(train.class_names().len())?
                .optimizer(|g, loss, rate| AdamW::new(rate).weight_decay(0.05).minimize(g, loss))
                .schedule(|steps| Schedule::cosine(0.002, steps, 0.0))
                .epochs(10)
                .callback(ProgressBar::new())
                .callback(BestWeights::new(MODEL, "accuracy", Preferred::Larger))
                .fit(&train, Some(&validation))?;
        }
        Command::Read { files } => {
            let pixels = files.iter().map(|file| PICTURE().read(file)).collect::<Result<Vec<_>, _>>()?;
            let field = Field::new("image", PICTURE().shape(), DType::U8);
            let pictures = Tensors::new([(field, HostData::U8(pixels.concat()))])?;
            let classes = Metadata::read(MODEL)?.class_names;
            let logits = trainer(classes.len())?.load(MODEL).predict(&pictures)?.to_f64();
            for (file, logits) in files.iter().zip(logits.chunks(classes.len())) {
                let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0);
                println!("{}: {}", file.display(), classes[best]);
            }
        }
    }
    Ok(())
}
