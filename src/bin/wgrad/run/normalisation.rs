//! How a picture's bytes become what the network was trained with: (byte / 255 - mean) / deviation for each channel.

use crate::out::{self, Outcome, usage};
use serde_json::{Value, json};
use wgrad::weights::Metadata;

/// ImageNet's, as torchvision's networks take it.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// What the command line says.
#[derive(clap::Args)]
pub(super) struct Wanted {
    /// The mean of each channel, such as 0.485,0.456,0.406
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', allow_hyphen_values = true, requires = "std", value_parser = mean)]
    mean: Option<Vec<f32>>,
    /// The standard deviation of each channel, such as 0.229,0.224,0.225
    #[arg(long, value_name = "R,G,B", value_delimiter = ',', allow_hyphen_values = true, requires = "mean", value_parser = deviation)]
    std: Option<Vec<f32>>,
}

fn mean(text: &str) -> Result<f32, &'static str> {
    text.parse().ok().filter(|x: &f32| x.is_finite()).ok_or("expected finite numbers")
}

fn deviation(text: &str) -> Result<f32, &'static str> {
    mean(text).ok().filter(|&x| x > 0.0).ok_or("expected finite numbers above 0")
}

/// Mean and deviation of each channel. Both are empty where bytes are only divided by 255.
pub(super) struct Normalisation {
    pub(super) mean: Vec<f32>,
    pub(super) deviation: Vec<f32>,
    from: &'static str,
}

impl Normalisation {
    /// Takes the options', else the file's, else ImageNet's for colours, which goes into `notes`.
    pub(super) fn of(
        wanted: &Wanted,
        metadata: &Metadata,
        channels: usize,
        notes: &mut Vec<String>,
    ) -> Outcome<Normalisation> {
        if let (Some(mean), Some(deviation)) = (&wanted.mean, &wanted.std) {
            let fits = |numbers: &[f32]| numbers.len() == 1 || numbers.len() == channels;
            if !fits(mean) || mean.len() != deviation.len() {
                return usage(format!(
                    "--mean has {} numbers and --std {}, expected {channels} of each, or one",
                    mean.len(),
                    deviation.len()
                ));
            }
            return Ok(Normalisation { mean: mean.clone(), deviation: deviation.clone(), from: "options" });
        }
        if !metadata.mean.is_empty() {
            let Metadata { mean, deviation, .. } = metadata;
            return Ok(Normalisation { mean: mean.clone(), deviation: deviation.clone(), from: "file" });
        }
        if channels == 3 {
            notes.push(
                "the file has no normalisation, so ImageNet's is taken; --mean and --std set another".into(),
            );
            let [mean, deviation] = IMAGENET.map(|numbers| numbers.to_vec());
            return Ok(Normalisation { mean, deviation, from: "imagenet" });
        }
        notes.push(
            "the file has no normalisation, so bytes are divided by 255; --mean and --std set another".into(),
        );
        Ok(Normalisation { mean: vec![], deviation: vec![], from: "none" })
    }

    pub(super) fn json(&self) -> Value {
        let floats = |numbers: &[f32]| numbers.iter().map(|&x| out::decimal(x)).collect::<Vec<_>>();
        json!({ "mean": floats(&self.mean), "deviation": floats(&self.deviation), "from": self.from })
    }
}
