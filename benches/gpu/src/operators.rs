//! The part `operators`: every variant of every operator against the f64 reference, on the tests' cases.
//!
//! First come the cases that show a variant an edge (`tests/harness/edges.rs`), then all others while there is time.

use crate::cases;
use crate::harness::{self, Case, device, runner, sweep};
use crate::results::Results;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use wgrad::op::{AdapterKind, Variant};

/// The share of the part's time after which no further case starts.
const SHARE: f64 = 0.85;
/// Lost devices after which the part gives up.
const MOST_LOST: usize = 5;
/// Failures that are told of one variant; more are counted.
const MOST_TOLD: usize = 5;

/// A case with the variants that run it.
type Work<'c> = (&'c Case, Vec<Variant>);

/// What one variant of an operator showed so far.
#[derive(Default)]
struct Row {
    runs: usize,
    error: f64,
    tolerance: f64,
    failed: usize,
    failures: Vec<String>,
}

/// What all threads showed so far, by operator and variant.
type Seen = Mutex<BTreeMap<(&'static str, Variant), Row>>;

/// Writes the part.
pub fn run(results: &mut Results) -> Result<(), wgrad::Error> {
    // The first case of each family, the second of each, and so on: if the time ends, all have had their turn.
    let mut cases: Vec<(usize, Case)> =
        cases::all().into_iter().flat_map(|(_, cases)| cases.into_iter().enumerate()).collect();
    cases.sort_by_key(|&(turn, _)| turn);
    let cases: Vec<Case> = cases.into_iter().map(|(_, case)| case).collect();
    let edges = sweep::fewest(&cases);
    let others = |(case, edges): (&'_ Case, &Vec<Variant>)| -> Vec<Variant> {
        case.variants().into_iter().filter(|variant| !edges.contains(variant)).collect()
    };
    let mut work: Vec<Work<'_>> = cases.iter().zip(edges.clone()).collect();
    // A software adapter compiles each kernel for a tenth of a second and more.
    if device().caps().kind != AdapterKind::Software {
        work.extend(cases.iter().zip(&edges).map(|pair| (pair.0, others(pair))));
    }
    work.retain(|(_, variants)| !variants.is_empty());
    let runs: usize = work.iter().map(|(_, variants)| variants.len()).sum();
    results.set("planned_runs", runs);

    let seen = Seen::default();
    let (next, lost, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| survive(&work, &next, &lost, &stop, &seen))).collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            results.replace_rows(rows(&seen));
            if results.is_past(SHARE) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    let rows = rows(&seen);
    let sum = |field: &str| rows.iter().filter_map(|row| row[field].as_u64()).sum::<u64>();
    let (done, failed) = (sum("runs"), sum("failed"));
    results.set("runs", done);
    results.set("failed", failed);
    results.set("lost_devices", lost.load(Ordering::Relaxed));
    if done < runs as u64 {
        results.note(format!(
            "The time ended after {done} of {runs} runs. The first cases of each family ran first."
        ));
    }
    println!("{done} runs, {failed} failed");
    results.replace_rows(rows);
    if failed > 0 {
        results.wrong(format!("{failed} of {done} runs differ from the reference or could not run"));
    }
    Ok(())
}

/// Does the work on devices of this thread's own. A lost one is replaced: it belongs to a thread, so the work goes on in
/// another.
fn survive(work: &[Work<'_>], next: &AtomicUsize, lost: &AtomicUsize, stop: &AtomicBool, seen: &Seen) {
    loop {
        let done = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed)
                    && let Some((case, variants)) = work.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    compare(case, variants, seen);
                    if device().check().is_err() {
                        return false;
                    }
                }
                true
            });
            thread.join().unwrap_or(false)
        });
        if done || lost.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_LOST {
            break;
        }
    }
}

/// Runs the variants of a case.
fn compare(case: &Case, variants: &[Variant], seen: &Seen) {
    let expected = runner::expected(case);
    for &variant in variants {
        // A panic of the driver's part of the GPU library is a failure of this run and of no other.
        let run = catch_unwind(AssertUnwindSafe(|| harness::run(case, variant)));
        let (mut worst, mut failures) = (0.0f64, Vec::new());
        match run {
            Err(_) => failures.push(format!("{}: panicked", case.name)),
            Ok(Err(error)) => failures.push(format!("{}: {error}", case.name)),
            Ok(Ok(found)) => {
                for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                    let (error, wrong) = runner::judge(case, i, expected, found);
                    worst = if error.is_nan() { error } else { worst.max(error) };
                    failures.extend(wrong.map(|wrong| format!("{}: {wrong}", case.name)));
                }
            }
        }
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let row = seen.entry((case.operator.name(), variant)).or_default();
        row.runs += 1;
        row.tolerance = case.operator.tolerance();
        row.error = if worst.is_nan() { worst } else { row.error.max(worst) };
        row.failed += usize::from(!failures.is_empty());
        let told = MOST_TOLD - row.failures.len().min(MOST_TOLD);
        row.failures.extend(failures.into_iter().take(told));
    }
}

fn rows(seen: &Seen) -> Vec<Value> {
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let row = |(&(operator, variant), row): (&(&'static str, Variant), &Row)| {
        json!({
            "operator": operator,
            "variant": variant.name(),
            "runs": row.runs,
            // JSON has no infinity and no NaN.
            "error": if row.error.is_finite() { json!(row.error) } else { json!(row.error.to_string()) },
            "tolerance": row.tolerance,
            "failed": row.failed,
            "failures": row.failures,
        })
    };
    seen.iter().map(row).collect()
}
