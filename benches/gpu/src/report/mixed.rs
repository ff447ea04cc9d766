//! The sections of mixed precision, beside this library's f32 and PyTorch's f16.

use super::Part;
use super::figures::{Peer, all_of, losses, milliseconds, pass_name, passes, rate};
use super::sections::{rows, shown, steps, variants};
use serde_json::Value;
use std::fmt::Write as _;

/// PyTorch's modes that mixed precision stands beside.
const TRAINING_MODE: &str = "autocast f16 channels_last";
const THROUGHPUT_MODE: &str = "f16 channels_last";

const SPEED: &str = "gflops_per_second";
const IMAGES: &str = "images_per_second";

/// The main result of `mixed-verify`.
pub fn verify_headline(part: &Part) -> String {
    let networks = part.results["networks"].as_array().map_or(&[][..], Vec::as_slice);
    let failed = networks.iter().filter(|row| row["error"].is_string()).count();
    let networks = format!("{} networks, {failed} failed", networks.len());
    match part.results["planned_runs"].as_u64() {
        Some(planned) if planned > 0 => {
            let [runs, failed] = ["runs", "failed"].map(|field| shown(&part.results[field]));
            format!("{runs} of {planned} runs by cooperative matrices, {failed} failed; {networks}")
        }
        _ => format!("no cooperative matrices; {networks}"),
    }
}

/// The main result of `mixed-throughput`: the largest matrix product.
pub fn throughput_headline(part: &Part) -> String {
    let count = format!("{} results", rows(part).len());
    let passes = passes(part);
    let mut products = passes.iter().filter(|(_, variants)| variants[0]["pass"] == "matmul");
    match products.next_back() {
        Some((name, variants)) if variants[0][SPEED].is_number() => {
            let speed = variants[0][SPEED].as_f64().unwrap_or(0.0) / 1e3;
            format!("{count}; {name}: {speed:.2} TFLOP/s by {}", shown(&variants[0]["variant"]))
        }
        _ => count,
    }
}

/// What mixed precision comes to beside f32 and PyTorch, for the networks of most interest.
pub fn ratios(part: &Part, parts: &[Part]) -> String {
    let mut text = String::new();
    for row in rows(part).iter().filter(|row| row["network"] == "resnet50") {
        let Ratios { f32, peer, .. } = Ratios::of(row, parts);
        let Some(f32) = f32 else { continue };
        let _ = write!(text, "; {}: {f32:.2} x f32", shown(&row["name"]));
        if let Some(peer) = peer {
            let _ = write!(text, ", {peer:.2} of PyTorch's autocast");
        }
    }
    text
}

/// A training step's rates beside others.
struct Ratios {
    single: Option<f64>,
    f32: Option<f64>,
    autocast: Option<f64>,
    peer: Option<f64>,
}

impl Ratios {
    fn of(row: &Value, parts: &[Part]) -> Ratios {
        let own = row[IMAGES].as_f64();
        let training = parts.iter().find(|part| part.name == "training");
        let same = |other: &&Value| other["name"] == row["name"];
        let single = training.and_then(|part| rows(part).iter().find(same)?[IMAGES].as_f64());
        let peer = Peer::of(parts, "torch-training", |row| shown(&row["name"]));
        let autocast = peer.rate(&shown(&row["name"]), TRAINING_MODE, IMAGES);
        let over = |other: Option<f64>| Some(own? / other?);
        Ratios { single, f32: over(single), autocast, peer: over(autocast) }
    }
}

/// A ratio, or a mark that a figure is missing.
fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("-".into(), |ratio| format!("{ratio:.2}"))
}

fn number(number: Option<f64>) -> String {
    number.map_or("-".into(), |number| format!("{number:.0}"))
}

/// Products by cooperative matrices, and whole training steps, against the reference.
pub fn verify(part: &Part) -> String {
    let mut text = String::new();
    if !rows(part).is_empty() {
        text.push_str(
            "The largest difference from the f64 reference, which rounds where the kernel does, of each variant by\n\
             cooperative matrices.\n\n",
        );
        text.push_str(&variants(part));
        text.push('\n');
    }
    if let Some(networks) = part.results["networks"].as_array() {
        text.push_str(
            "Every node of a training step in mixed precision, by the variants that plans choose here.\n\n",
        );
        text.push_str(&steps(networks));
    }
    text
}

/// Matrix products and convolutions in mixed precision: one line for each pass.
pub fn throughput(part: &Part, parts: &[Part]) -> String {
    let peer = Peer::of(parts, "torch-throughput", pass_name);
    let single = parts.iter().find(|part| part.name == "throughput").map(passes).unwrap_or_default();
    let mut text = format!(
        "GFLOP/s in mixed precision, by {}. Operands and results are f16, but weights of convolutions and their gradients\n\
         are f32, as in training; PyTorch's are all f16. Listed are the variants by cooperative matrices, and what plans choose\n\
         with and without these. `f32` is the fastest variant of the part `throughput`, `ratio` what the fastest one here comes\n\
         to beside the figure before it. {}\n\n\
         | pass | default variant | GFLOP/s | fastest | GFLOP/s | all variants | f32 | ratio | PyTorch {THROUGHPUT_MODE} | ratio |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        shown(&part.results["clock"]),
        peer.sentence,
    );
    for (name, variants) in passes(part) {
        let fastest = variants[0];
        let default = variants.iter().find(|row| row["default"] == true);
        let chosen = default
            .map_or("| ".to_owned(), |row| format!("{} | {}", shown(&row["variant"]), rate(row, SPEED)));
        let before =
            single.iter().find(|(known, _)| *known == name).and_then(|(_, all)| all[0][SPEED].as_f64());
        let theirs = peer.rate(&name, THROUGHPUT_MODE, SPEED);
        let over =
            |other: Option<f64>| ratio(fastest[SPEED].as_f64().zip(other).map(|(own, other)| own / other));
        let _ = writeln!(
            text,
            "| {name} | {chosen} | {} | {} | {} | {} | {} | {} | {} |",
            shown(&fastest["variant"]),
            rate(fastest, SPEED),
            all_of(&variants),
            number(before),
            over(before),
            number(theirs),
            over(theirs),
        );
    }
    text
}

/// Images a second in mixed precision.
pub fn training(part: &Part, parts: &[Part]) -> String {
    let peer = Peer::of(parts, "torch-training", |row| shown(&row["name"]));
    let mut text = format!(
        "Images a second of training steps in mixed precision, measured as in the part `training`; the loss is scaled. `nodes` are\n\
         those of a step that multiply by cooperative matrices. `f32` is the figure of the part `training`, `ratio` what mixed\n\
         precision comes to beside the figure before it. {}\n\n\
         | network | images/s | f32 | ratio | PyTorch {TRAINING_MODE} | ratio | uploading | ms a step | nodes | device memory, MB | loss, first to last |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
        peer.sentence,
    );
    for row in rows(part) {
        let name = shown(&row["name"]);
        let Ratios { single, f32, autocast, peer } = Ratios::of(row, parts);
        let beside = format!("{} | {} | {} | {}", number(single), ratio(f32), number(autocast), ratio(peer));
        if row["error"].is_string() {
            let _ = writeln!(text, "| {name} | {} | {beside} | | | | | |", shown(&row["error"]));
            continue;
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {beside} | {} | {} | {} | {} | {} |",
            rate(row, IMAGES),
            rate(row, "images_per_second_uploading"),
            milliseconds(row),
            shown(&row["nodes_by_cooperative_matrices"]),
            rate(row, "device_megabytes"),
            losses(row),
        );
    }
    text
}
