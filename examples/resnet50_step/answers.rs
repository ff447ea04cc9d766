//! PyTorch's loss and norms of gradients for the same weights and batch, which tests/fixtures/resnet50_step.py writes.

use crate::program::{Outcome, say};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::Path;

const COMMITTED: &[u8] = include_bytes!("../../tests/fixtures/resnet50_step.safetensors");

/// The loss and norms of gradients, by name.
pub(crate) type Found = BTreeMap<String, f64>;

pub(crate) struct Answers {
    /// What is compared.
    f64: Found,
    /// The same step of PyTorch in f32, which shows what rounding alone does.
    f32: Found,
}

impl Answers {
    /// Reads a file that resnet50_step.py wrote; the committed one if none is named.
    pub(crate) fn read(path: Option<&Path>) -> Outcome<Answers> {
        let name = path.map_or_else(
            || "tests/fixtures/resnet50_step.safetensors".to_owned(),
            wgrad::file::printable_path,
        );
        let error =
            |what: &str| format!("{name}: {what}; write it anew with tests/fixtures/resnet50_step.py");
        let bytes = match path {
            Some(path) => &std::fs::read(path).map_err(|e| error(&e.to_string()))?,
            None => COMMITTED,
        };
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| error(&e.to_string()))?;
        let mut answers = Answers { f64: Found::new(), f32: Found::new() };
        for (name, tensor) in tensors.tensors() {
            let (precision, name) = name.split_once('/').unwrap_or_default();
            let answers = match precision {
                "f64" => &mut answers.f64,
                "f32" => &mut answers.f32,
                _ => return Err(error(&format!("a tensor is neither f64/... nor f32/...: {name}")).into()),
            };
            let number = <[u8; 8]>::try_from(tensor.data()).map_err(|_| error("expected f64 scalars"))?;
            answers.insert(name.to_owned(), f64::from_le_bytes(number));
        }
        if !answers.f64.contains_key("loss") || !answers.f64.keys().eq(answers.f32.keys()) {
            return Err(error("expected the loss and the same norms in f64 and f32").into());
        }
        Ok(answers)
    }

    /// Prints a table of what was found beside PyTorch's answers.
    ///
    /// # Errors
    /// A number that is missing, or off by more than its [`limit`].
    pub(crate) fn compare(&self, found: &Found) -> Outcome<()> {
        say!(
            "{:<29}{:>15}{:>17}{:>10}{:>14}{:>10}",
            "",
            "wgrad",
            "PyTorch in f64",
            "off by",
            "PyTorch f32",
            "at most"
        );
        let mut wrong = Vec::new();
        let norms = self.f64.iter().filter(|(name, _)| *name != "loss");
        for (name, &expected) in self.f64.get_key_value("loss").into_iter().chain(norms) {
            let here = *found.get(name).ok_or_else(|| format!("the graph has no gradient of {name}"))?;
            let off = |x: f64| (x - expected).abs() / expected.abs();
            let (off_here, off_f32) = (off(here), off(self.f32[name]));
            let most = limit(off_f32);
            let label = if name == "loss" { name.clone() } else { format!("norm, {name}") };
            say!("{label:<29}{here:>15.9}{expected:>17.11}{off_here:>10.1e}{off_f32:>14.1e}{most:>10.1e}");
            // NaN is wrong too.
            if off_here.is_nan() || off_here > most {
                wrong.push(format!(
                    "{label} is {here}, PyTorch has {expected}, off by {off_here:.1e}, at most {most:.1e}"
                ));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
    }
}

/// The largest relative difference from PyTorch in f64, given how far PyTorch in f32 is off. That is rounding alone, which
/// grows from the loss, by 8e-7, to the first convolution, by 2e-4. An adapter may add in any other order, and so gets ten
/// times as much.
fn limit(off_in_f32: f64) -> f64 {
    // A number may be nearly right by chance.
    (10.0 * off_in_f32).max(1e-5)
}
