//! Shadow-runs a step: each node's own GPU inputs go to the CPU reference, and its GPU outputs
//! are compared with the answer.

use super::Session;
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::op::{Array, Operator};
use crate::plan::Step;
use crate::tensor::{DType, TensorType};
use std::collections::HashSet;

/// What verifying found of one node that agreed.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// Operator.
    pub operator: &'static str,
    /// The node's name.
    pub node: String,
    /// The kernel variant that ran.
    pub variant: &'static str,
    /// The largest difference over the reference's largest magnitude, of the worst output; for plain
    /// sums over the largest sum of the terms' magnitudes, if that is larger.
    pub error: f64,
    /// What the operator may differ by, with sums as long as it adds here.
    pub tolerance: f64,
}

impl Session {
    /// Runs one step node by node and compares every node with the reference. It is a real step:
    /// weights change as by [`Session::step`]. Slow: the reference is scalar code.
    ///
    /// # Errors
    /// The first node beyond its tolerance, after the step has run to its end; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn verify(&mut self) -> Result<Vec<Verified>> {
        self.begin()?;
        self.submit_part(|_| ())?;
        let (mut verified, mut next, mut failed) = (Vec::new(), 0, None);
        let read = self.plan.graph().nodes().flat_map(|(_, node)| node.inputs.iter().copied());
        let read: HashSet<Value> = read.chain(self.plan.outputs().iter().copied()).collect();
        for step in self.plan.steps().to_vec() {
            if step.dispatches.is_empty() {
                continue;
            }
            match self.verify_node(&step, &mut next, &read) {
                Ok(node) => verified.push(node),
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        // Whatever was found, half a step would leave weights that no step number tells of.
        self.complete(next)?;
        failed.map_or(Ok(verified), Err)
    }

    /// Runs and compares a node. `next` becomes the number of the dispatch that comes next in the step; `read` are the
    /// values that a node or the user reads.
    fn verify_node(&mut self, step: &Step, next: &mut usize, read: &HashSet<Value>) -> Result<Verified> {
        let node = self.plan.graph().node_at(step.node).clone();
        let inputs = self.download(&node.inputs)?;
        self.submit_part(|session| session.encode(step.dispatches.clone()))?;
        *next = step.dispatches.end;
        // An output that nothing reads need not be written, or a later dispatch of the node has taken its
        // place.
        let updated = node.operator.in_place();
        let is_read =
            |i: usize| read.contains(&node.outputs[i]) || updated.iter().any(|&(output, _)| output == i);
        let read: Vec<usize> = (0..node.outputs.len()).filter(|&i| is_read(i)).collect();
        let outputs = self.download(&read.iter().map(|&i| node.outputs[i]).collect::<Vec<_>>())?;
        let inputs: Vec<Array> = inputs.iter().map(|t| Array::new(t.shape.clone(), t.to_f64())).collect();
        let inputs: Vec<&Array> = inputs.iter().collect();
        let expected = node.operator.reference(&inputs);
        let types: Vec<TensorType> =
            node.inputs.iter().map(|&input| self.plan.graph().info(input).ty.clone()).collect();
        let serial = node.operator.serial_terms(&types.iter().collect::<Vec<_>>(), step.variant);
        let mut worst: f64 = 0.0;
        for (&output, found) in read.iter().zip(&outputs) {
            let tolerance = tolerance_at(node.operator.as_ref(), found.ty().dtype, serial);
            let terms = node.operator.largest_sum_of_terms(output, &inputs);
            let scale = terms.unwrap_or(0.0).max(expected[output].largest());
            let (error, element) = difference_by(scale, &expected[output], &found.to_f64());
            worst = worst.max(error);
            // A NaN fails too.
            if error.is_nan() || error > tolerance {
                return Err(Error::Verify {
                    operator: node.operator.name().to_owned(),
                    node: node.name.clone(),
                    variant: step.variant.to_owned(),
                    output,
                    element,
                    found: found.to_f64()[element],
                    expected: expected[output].data[element],
                    error,
                    tolerance,
                });
            }
        }
        Ok(Verified {
            operator: node.operator.name(),
            node: node.name.clone(),
            variant: step.variant,
            error: worst,
            tolerance: tolerance_at(node.operator.as_ref(), DType::F32, serial),
        })
    }
}

/// What an operator's output of this element type may differ by: whole numbers are exact.
pub fn tolerance(operator: &dyn Operator, dtype: DType) -> f64 {
    if dtype == DType::F32 { operator.tolerance() } else { 0.0 }
}

/// What an operator's output may differ by where `serial` terms of a sum are added one after the other.
///
/// Each addition rounds by at most half a unit in the last place, 2^-24 of the sum so far, so that n of them are off by
/// at most n 2^-24 of the sum of the terms' magnitudes (Higham, "Accuracy and Stability of Numerical Algorithms",
/// 2002, section 4.2). With terms of all kinds roundings cancel, and the root of n is near; with equal ones, such as the
/// gradient of a mean, those within one power of two have one sign and add up to nearly a quarter of the bound.
/// That is what right kernels are off by, and PyTorch's products and convolutions of a million terms of 0.01 are by
/// 1.3 %. It concerns no sum of fewer than 671 terms. As long sums are split, it stays far below what the loss of a part
/// makes of one.
fn tolerance_at(operator: &dyn Operator, dtype: DType, serial: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 24) as f64;
    let tolerance = tolerance(operator, dtype);
    if tolerance == 0.0 { tolerance } else { tolerance.max(0.25 * UNIT * serial as f64) }
}

/// The largest difference over the largest finite magnitude expected, and where it is. Infinities
/// agree with themselves only; a NaN agrees with nothing but a NaN.
pub fn difference(expected: &Array, found: &[f64]) -> (f64, usize) {
    difference_by(expected.largest(), expected, found)
}

/// [`difference`] over a scale other than the largest magnitude expected.
fn difference_by(scale: f64, expected: &Array, found: &[f64]) -> (f64, usize) {
    let mut worst = (0.0, 0);
    for (i, (&e, &f)) in expected.data.iter().zip(found).enumerate() {
        let error = if e == f || (e.is_nan() && f.is_nan()) {
            0.0
        } else if !e.is_finite() || !f.is_finite() {
            f64::INFINITY
        } else if (e - f).abs() <= f64::from(f32::MIN_POSITIVE) {
            // Numbers this small f32 rounds to zero, or drivers do.
            0.0
        } else {
            (e - f).abs() / if scale > 0.0 { scale } else { 1.0 }
        };
        if error > worst.0 {
            worst = (error, i);
        }
    }
    worst
}
