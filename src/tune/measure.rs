//! Compares the variants of one node with the reference, and times those that agree.

use super::isolated::Isolated;
use super::poison::Poison;
use super::problem::Problem;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::op::{AdapterKind, Variant};
use crate::plan::TunedChoice;
use crate::session::{Mismatch, compare};
use crate::tensor::{HostSlice, HostTensor, TensorType};
use std::time::{Duration, Instant};

/// Further runs of a variant that may be chosen, whose bits must be those of its first.
const RUNS: usize = 2;

/// A variant that takes so many times as long as the best, by one run from a warm cache, is not timed again.
const HOPELESS: f64 = 1.6;

/// The most copies of a small node, and seconds that a run of all should not exceed.
const MOST_COPIES: usize = 64;
const PASS: f64 = 0.005;

/// Timed runs of all copies: so many at least and at most, and no further ones after this time.
const SAMPLES: std::ops::RangeInclusive<usize> = 3..=15;
const ENOUGH: Duration = Duration::from_millis(12);

/// Memory that all copies together should exceed, so that none finds its operands in a cache: the last cache of current
/// processors' cores, and of current GPUs.
fn cache_bytes(kind: AdapterKind) -> u64 {
    if kind.is_software() { 16 << 20 } else { 128 << 20 }
}

/// The fastest of the variants that are right.
///
/// # Errors
/// If none is right; a fault of the device.
pub(super) fn choose(device: &Device, problem: &Problem, poison: &mut Poison) -> Result<TunedChoice> {
    let mut choice = TunedChoice::default();
    // The default first, so that others are measured against it.
    let mut order = problem.offered.clone();
    order.sort_by_key(|&variant| variant != problem.default);
    let mut best = f64::INFINITY;
    for variant in order {
        let name = variant.name().to_owned();
        match measure(device, problem, variant, best, poison) {
            Ok(Found::Right(seconds)) => {
                choice.seconds.insert(name.clone(), seconds);
                if seconds < best {
                    (best, choice.variant) = (seconds, name);
                }
            }
            Ok(Found::Wrong(message)) => drop(choice.refused.insert(name, message)),
            // Not this variant's fault, and every later one would meet it too.
            Err(e @ (Error::DeviceLost { .. } | Error::Timeout { .. })) => return Err(e),
            Err(e) => drop(choice.refused.insert(name, e.to_string())),
        }
    }
    if choice.seconds.is_empty() {
        let refused: Vec<String> =
            choice.refused.iter().map(|(name, message)| format!("{name}: {message}")).collect();
        return Err(Error::Node {
            operator: problem.node.operator.name().to_owned(),
            node: problem.node.name.clone(),
            message: format!("no kernel variant is right on this device: {}", refused.join("; ")),
        });
    }
    Ok(choice)
}

enum Found {
    /// Seconds of a run.
    Right(f64),
    Wrong(String),
}

fn measure(
    device: &Device,
    problem: &Problem,
    variant: Variant,
    best: f64,
    poison: &mut Poison,
) -> Result<Found> {
    let samples = problem.samples.len();
    let mut one = Isolated::new(device, problem, variant, samples)?;
    let mut first = vec![None; samples];
    // A driver may compile at the first run.
    if let Err(message) = check(problem, variant, &mut one, &mut first, poison)? {
        return Ok(Found::Wrong(message));
    }
    let seconds = one.time()?;
    if seconds > HOPELESS * best {
        return Ok(Found::Right(seconds));
    }
    let cached = (cache_bytes(device.caps().kind) / problem.bytes().max(1)) as usize + 1;
    let copies = cached.min(MOST_COPIES).min(2 + (PASS / seconds.max(1e-9)) as usize).max(samples);
    let mut all = if copies == samples { one } else { Isolated::new(device, problem, variant, copies)? };
    let (mut samples, start) = (Vec::new(), Instant::now());
    for _ in 0..RUNS.div_ceil(copies / first.len()) {
        match check(problem, variant, &mut all, &mut first, poison)? {
            Err(message) => return Ok(Found::Wrong(message)),
            Ok(seconds) => samples.push(seconds),
        }
    }
    while samples.len() < *SAMPLES.start() || (samples.len() < *SAMPLES.end() && start.elapsed() < ENOUGH) {
        samples.push(all.time()?);
    }
    Ok(Found::Right(median(samples)))
}

/// Runs all copies, compares the first results of each sample with the reference, and the others with those, bit by bit.
/// Returns the seconds of a copy, or says what is wrong.
fn check(
    problem: &Problem,
    variant: Variant,
    isolated: &mut Isolated<'_>,
    first: &mut [Option<Bits>],
    poison: &mut Poison,
) -> Result<Result<f64, String>> {
    poison.run()?;
    let seconds = isolated.run()?;
    for copy in 0..isolated.copies() {
        let outputs = isolated.outputs(copy)?;
        let found = bits(&outputs);
        let sample = copy % first.len();
        match &first[sample] {
            Some(first) if *first == found => continue,
            Some(_) => return Ok(Err("results differ from run to run on the same inputs".into())),
            None => first[sample] = Some(found),
        }
        let operator = problem.node.operator.as_ref();
        let types: Vec<&TensorType> = problem.types.iter().collect();
        let serial = operator.serial_terms(&types, variant);
        if let Err(wrong) = compare(operator, serial, &problem.samples[sample].expected, outputs) {
            let Mismatch { output, element, found, expected, error, tolerance } = wrong;
            return Ok(Err(format!(
                "element {element} of output {output} is {found}, expected {expected}; largest error {error:.3e}, tolerance {tolerance:.1e}"
            )));
        }
    }
    Ok(Ok(seconds))
}

/// The bytes of each output.
type Bits = Vec<Vec<u8>>;

fn bits(outputs: &[(usize, HostTensor)]) -> Bits {
    outputs.iter().map(|(_, tensor)| HostSlice::from(tensor).bytes().to_vec()).collect()
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
