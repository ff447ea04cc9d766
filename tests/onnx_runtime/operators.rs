//! Each operator by itself: the cases of the operators' tables, held to the f64 reference.

use crate::cases;
use crate::harness::{Case, build, device};
use crate::job::{self, Job};
use std::collections::BTreeSet;
use wgrad::op::Array;
use wgrad::{HostData, Weights, onnx};

/// Operators that evaluation graphs don't have: updates, random numbers, and what only training steps compute. Gradients,
/// whose names end in `_grad` and what it is by, are others.
const NOT_WRITTEN: &[&str] = &[
    "augment",
    "augment_gray",
    "augment_parameters",
    "batch_count",
    "batch_norm_max_pool2d",
    "cross_entropy_with_grad",
    "dropout",
    "dropout_mask",
    "equal_count",
    "extremum_share",
    "micro_batch_mean",
    "mix",
    "running_sum",
    "sample_moments",
    "sum_to",
];

/// Whether evaluation graphs have this case's operator.
fn is_written(case: &Case) -> bool {
    let name = case.operator.name();
    // A transposed convolution is the gradient of a convolution's input.
    let gradient = name.contains("_grad") && name != "conv2d_grad_input";
    !gradient && !name.ends_with("_update") && !NOT_WRITTEN.contains(&name)
}

#[test]
fn operators_give_what_the_reference_gives() {
    let (mut jobs, mut written) = (Vec::new(), BTreeSet::new());
    for (family, cases) in cases::all() {
        for case in cases {
            let name = format!("{family}: {} ({})", case.operator.name(), case.name);
            let export = export(&case);
            match (is_written(&case), export) {
                (true, Ok(file)) => {
                    written.insert(case.operator.name());
                    jobs.push(job(name, &case, file));
                }
                (true, Err(message)) => {
                    assert!(REFUSED.iter().any(|part| message.contains(part)), "{name}: {message}");
                }
                (false, Ok(_)) => panic!("{name} was written"),
                (false, Err(_)) => {}
            }
        }
    }
    job::holds(&format!("cases of {} operators", written.len()), &jobs);
}

/// What is refused of operators that are written otherwise.
const REFUSED: &[&str] = &[
    "updates running statistics",
    "leaves out rows or columns",
    "come from no max pooling that is written as one node",
    "output_padding can't make",
];

/// Cases in which ONNX Runtime rounds more or treats NaN and infinity otherwise: part of the case's name, and how far its
/// answer may be off. `None` compares the shape alone.
const LEEWAY: &[(&str, Option<f64>)] = &[
    // The loss is far below the logits, at whose size the logarithm is rounded.
    ("cross_entropy (well trained", Some(5e-3)),
    // Sums of many numbers one after the other.
    ("cross_entropy (many rows, in parts, their mean)", Some(5e-5)),
    ("variance (a long row)", Some(1e-4)),
    // The mean is rounded at its own size.
    ("layer_norm (a mean far from zero)", Some(1e-4)),
    ("layer_norm (long rows, a mean far from zero)", Some(1e-4)),
    // The largest of numbers and NaN is a number there, and pooling knows no minus infinity.
    ("max (extremes and NaN)", None),
    ("min (extremes and NaN)", None),
    ("max_pool2d (minus infinity everywhere)", None),
];

fn export(case: &Case) -> Result<Vec<u8>, String> {
    let built = build(case).expect("a case is valid");
    let weights = Weights::init(device(), &built.graph, 0).expect("the device works");
    let export = onnx::Export::new(&built.graph).output("y", built.outputs[0]);
    export.to_bytes(&weights).map_err(|e| e.to_string())
}

fn job(name: String, case: &Case, file: Vec<u8>) -> Job {
    let inputs: Vec<Array> = case.inputs.iter().map(crate::harness::array).collect();
    let expected = case.operator.reference(&inputs.iter().collect::<Vec<_>>()).swap_remove(0);
    let named = case.inputs.iter().enumerate().map(|(i, tensor)| (format!("input{i}"), tensor.clone()));
    let read = named.filter(|(_, tensor)| !matches!(tensor.data, HostData::U32(_)));
    let leeway = LEEWAY.iter().find(|(part, _)| name.contains(part));
    let tolerance = leeway.map_or(Some(job::TOLERANCE), |(_, leeway)| *leeway);
    Job { name, file, inputs: read.collect(), expected: vec![expected], own: true, tolerance }
}
