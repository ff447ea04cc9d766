//! The sections with rates, beside PyTorch's where it was measured.

use super::sections::{rows, shown};
use super::{Part, cell};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// PyTorch's figures of a part by row and mode, the modes in order, how often each error came, and a sentence about them.
#[derive(Default)]
pub struct Peer<'p> {
    figures: BTreeMap<(String, &'p str), &'p Value>,
    modes: Vec<&'p str>,
    errors: BTreeMap<&'p str, usize>,
    pub sentence: String,
}

impl<'p> Peer<'p> {
    /// Of the part `name`. `key` names a row.
    pub fn of(parts: &'p [Part], name: &str, key: impl Fn(&Value) -> String) -> Peer<'p> {
        let part = parts.iter().find(|part| part.name == name);
        let mut peer = Peer::default();
        let Some(part) = part else { return peer };
        let modes = part.results["modes"].as_array().map_or(&[][..], Vec::as_slice);
        peer.modes = modes.iter().filter_map(Value::as_str).collect();
        for row in rows(part) {
            let Some(mode) = row["mode"].as_str() else { continue };
            peer.figures.insert((key(row), mode), row);
            if let Some(error) = row["error"].as_str() {
                *peer.errors.entry(error).or_default() += 1;
            }
        }
        let versions = ["torch", "cuda", "cudnn", "device"].map(|field| shown(&part.results[field]));
        peer.sentence = match peer.modes.is_empty() {
            true => format!("PyTorch: {}.", part.outcome()),
            false => format!(
                "PyTorch {}, CUDA {}, cuDNN {}, on {}.",
                versions[0], versions[1], versions[2], versions[3]
            ),
        };
        peer
    }

    /// The cells of a row: PyTorch's rates in each mode.
    fn cells(&self, row: &str, field: &str) -> String {
        let mut text = String::new();
        for &mode in &self.modes {
            let figure = self.figures.get(&(row.to_owned(), mode));
            let cell = figure.map_or(String::new(), |figure| match figure[field].is_null() {
                true => "failed".into(),
                false => rate(figure, field),
            });
            let _ = write!(text, " {cell} |");
        }
        text
    }

    /// PyTorch's rate of a row in a mode.
    pub fn rate(&self, row: &str, mode: &'p str, field: &str) -> Option<f64> {
        self.figures.get(&(row.to_owned(), mode))?[field].as_f64()
    }

    fn told_errors(&self) -> String {
        let told = self
            .errors
            .iter()
            .map(|(error, count)| format!("\nPyTorch failed {count} times: {}\n", cell(error)));
        told.collect()
    }

    fn head(&self) -> String {
        self.modes.iter().map(|mode| format!(" PyTorch {mode} |")).collect()
    }
}

/// A rate, or why there is none.
pub fn rate(row: &Value, field: &str) -> String {
    match row[field].as_f64() {
        // Three digits that mean something, or more.
        Some(rate) if rate >= 100.0 => format!("{rate:.0}"),
        Some(rate) => format!("{rate:.2}"),
        None => shown(&row["error"]),
    }
}

/// The name of a row's problem and pass.
pub fn pass_name(row: &Value) -> String {
    format!("{}, {}", shown(&row["problem"]), shown(&row["pass"]))
}

/// The passes of a part in their order, each with its variants, the fastest first.
pub fn passes(part: &Part) -> Vec<(String, Vec<&Value>)> {
    let mut passes: Vec<(String, Vec<&Value>)> = Vec::new();
    for row in rows(part) {
        let name = pass_name(row);
        match passes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, variants)) => variants.push(row),
            None => passes.push((name, vec![row])),
        }
    }
    let speed = |row: &Value| row["gflops_per_second"].as_f64().unwrap_or(0.0);
    for (_, variants) in &mut passes {
        variants.sort_by(|a, b| speed(b).total_cmp(&speed(a)));
    }
    passes
}

/// The rate of each variant of a pass.
pub fn all_of(variants: &[&Value]) -> String {
    let one = |row: &&Value| format!("{} {}", shown(&row["variant"]), rate(row, "gflops_per_second"));
    variants.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Matrix products and convolutions: one line for each pass, with the chosen variant and all others.
pub fn throughput(part: &Part, parts: &[Part]) -> String {
    let peer = Peer::of(parts, "torch-throughput", pass_name);
    let mut text = format!(
        "GFLOP/s of each variant, by {}: medians over copies of the operands, which together are larger than a cache\n\
         on a GPU. Operands are random. `8x64x56x56, 32 of 3x3` is a convolution of 8 images of 64 channels and 56 x 56 pixels by\n\
         32 filters of 3 x 3. {}\n\n\
         | pass | default variant | GFLOP/s | of peak | fastest | GFLOP/s | all variants |{}\n\
         |---|---|---|---|---|---|---|{}\n",
        shown(&part.results["clock"]),
        peer.sentence,
        peer.head(),
        "---|".repeat(peer.modes.len())
    );
    for (name, variants) in passes(part) {
        let fastest = variants[0];
        let default = variants.iter().find(|row| row["default"] == true);
        let chosen = default.map_or("| |".to_owned(), |row| {
            let share =
                row["share_of_peak"].as_f64().map_or(String::new(), |s| format!("{:.0} %", 100.0 * s));
            format!("{} | {} | {share}", shown(&row["variant"]), rate(row, "gflops_per_second"))
        });
        let _ = writeln!(
            text,
            "| {name} | {chosen} | {} | {} | {} |{}",
            shown(&fastest["variant"]),
            rate(fastest, "gflops_per_second"),
            all_of(&variants),
            peer.cells(&name, "gflops_per_second")
        );
    }
    text + &peer.told_errors()
}

/// Milliseconds of a step.
pub fn milliseconds(row: &Value) -> String {
    row["step_seconds"].as_f64().map_or(String::new(), |seconds| format!("{:.3}", 1e3 * seconds))
}

/// The first and the last loss, marked if it does not fall.
pub fn losses(row: &Value) -> String {
    let loss =
        |field: &str| row[field].as_f64().map_or_else(|| shown(&row[field]), |loss| format!("{loss:.4}"));
    let falls = if row["falls"] == true { "" } else { " **does not fall**" };
    format!("{} to {}{falls}", loss("first_loss"), loss("last_loss"))
}

/// Images a second.
pub fn training(part: &Part, parts: &[Part]) -> String {
    let peer = Peer::of(parts, "torch-training", |row| shown(&row["name"]));
    let mut text = format!(
        "Images a second of training steps with SGD and momentum, by the processor's clock around many steps and one wait.\n\
         The batch stays on the device; in the column `uploading` it is copied there from host memory for each step.\n{}\n\n\
         | network | images/s | uploading | ms a step | device memory, MB | loss, first to last |{}\n\
         |---|---|---|---|---|---|{}\n",
        peer.sentence,
        peer.head(),
        "---|".repeat(peer.modes.len())
    );
    for row in rows(part) {
        let name = shown(&row["name"]);
        if row["error"].is_string() {
            let _ = writeln!(
                text,
                "| {name} | {} | | | | |{}",
                shown(&row["error"]),
                peer.cells(&name, "images_per_second")
            );
            continue;
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} |{}",
            rate(row, "images_per_second"),
            rate(row, "images_per_second_uploading"),
            milliseconds(row),
            rate(row, "device_megabytes"),
            losses(row),
            peer.cells(&name, "images_per_second")
        );
    }
    text + &peer.told_errors()
}
