//! Files for ONNX Runtime: what is written, what it answers, and how far that is from what is expected.

use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::Command;
use wgrad::op::Array;
use wgrad::{HostData, HostSlice, HostTensor};

/// Environment variable that names a Python with the packages onnx and onnxruntime.
const PYTHON: &str = "WGRAD_ONNX_PYTHON";

/// The largest error of what the library writes.
pub const TOLERANCE: f64 = 1e-5;

/// A file, inputs for it, and the outputs that it has to give.
pub struct Job {
    pub name: String,
    pub file: Vec<u8>,
    pub inputs: Vec<(String, HostTensor)>,
    pub expected: Vec<Array>,
    /// Whether the library wrote the file.
    pub own: bool,
    /// Largest error, relative to the largest expected magnitude. `None` compares shapes alone.
    pub tolerance: Option<f64>,
}

/// Fails unless ONNX Runtime gives what each job expects.
pub fn holds(what: &str, jobs: &[Job]) {
    let (failures, largest) = run(jobs);
    println!("{} {what}, largest error {largest:.1e}", jobs.len());
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), jobs.len(), failures.join("\n"));
}

/// Runs all jobs, and returns what is wrong with each that fails, and the largest error of the others.
fn run(jobs: &[Job]) -> (Vec<String>, f64) {
    let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
        panic!("{PYTHON} names no Python; scripts/test-onnx-runtime.sh makes one and runs this")
    });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let list: Vec<Json> = jobs.iter().enumerate().map(|(i, job)| write(folder.path(), i, job)).collect();
    std::fs::write(folder.path().join("jobs.json"), json!(list).to_string()).expect("it can be written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_runtime/run.py");
    let status = Command::new(python).arg(script).arg(folder.path()).status().expect("Python starts");
    assert!(status.success(), "Python ended with {status}");
    let results = std::fs::read(folder.path().join("results.json")).expect("Python wrote it");
    let results: Vec<Json> = serde_json::from_slice(&results).expect("it is JSON");
    assert_eq!(results.len(), jobs.len());
    let (mut failures, mut largest) = (Vec::new(), 0.0f64);
    for (i, (job, result)) in jobs.iter().zip(&results).enumerate() {
        match compare(folder.path(), i, job, result) {
            Ok(error) => {
                // A leeway of its own would hide the others.
                if jobs.len() < 2 || job.tolerance == jobs[0].tolerance {
                    largest = largest.max(error);
                }
            }
            Err(message) => failures.push(format!("{}: {message}", job.name)),
        }
    }
    (failures, largest)
}

fn write(folder: &Path, i: usize, job: &Job) -> Json {
    let save =
        |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("it can be written");
    save(&format!("{i}.onnx"), &job.file);
    let input = |(at, (name, tensor)): (usize, &(String, HostTensor))| {
        let file = format!("{i}.input{at}");
        save(&file, HostSlice::from(tensor).bytes());
        let element = match &tensor.data {
            HostData::F32(_) => "<f4",
            HostData::I32(_) => "<i4",
            HostData::U8(_) => "u1",
            other => panic!("no input holds {other:?}"),
        };
        json!({ "name": name, "file": file, "element": element, "shape": tensor.shape.to_vec() })
    };
    let inputs: Vec<Json> = job.inputs.iter().enumerate().map(input).collect();
    let outputs: Vec<String> = (0..job.expected.len()).map(|at| output(i, at)).collect();
    // Other programs' files may have attributes that the checker refuses and every runtime takes.
    let own = job.own;
    json!({ "file": format!("{i}.onnx"), "check": own, "inputs": inputs, "outputs": outputs })
}

fn output(i: usize, at: usize) -> String {
    format!("{i}.output{at}")
}

/// The largest error of a job's outputs.
fn compare(folder: &Path, i: usize, job: &Job, result: &Json) -> Result<f64, String> {
    if let Some(error) = result["error"].as_str() {
        return Err(error.to_owned());
    }
    let mut largest = 0.0f64;
    for (at, expected) in job.expected.iter().enumerate() {
        let shape: Vec<usize> =
            serde_json::from_value(result["shapes"][at].clone()).expect("a list of sizes");
        if shape != expected.shape[..] {
            return Err(format!("output {at} has shape {shape:?}, expected {}", expected.shape));
        }
        let Some(tolerance) = job.tolerance else { continue };
        let bytes = std::fs::read(folder.join(output(i, at))).expect("Python wrote it");
        let found =
            bytes.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight bytes")));
        let scale =
            expected.data.iter().copied().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
        for (place, (found, &expected)) in found.zip(&expected.data).enumerate() {
            let same = found == expected || (found.is_nan() && expected.is_nan());
            let error = if same { 0.0 } else { (found - expected).abs() / scale.max(f64::MIN_POSITIVE) };
            if error.is_nan() || error > tolerance {
                return Err(format!(
                    "output {at}, element {place}: found {found:e}, expected {expected:e}, off by {error:.1e} of the largest"
                ));
            }
            largest = largest.max(error);
        }
    }
    Ok(largest)
}
