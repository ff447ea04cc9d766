//! Verification: runs a step node by node, gives each node's own GPU inputs to the reference, and compares
//! the outputs.

use super::Session;
use crate::error::{Error, Result};
use crate::graph::Value;
use crate::op::{Array, Operator};
use crate::plan::{Step, scaled};
use crate::tensor::{DType, HostData, HostTensor, TensorType};
use half::f16;
use std::collections::{BTreeMap, HashSet};

/// A node that was compared with the reference.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Operator.
    pub operator: &'static str,
    /// The node's name.
    pub node: String,
    /// The kernel variant that ran.
    pub variant: &'static str,
    /// The largest difference relative to the reference's largest magnitude, of the worst output. For plain
    /// sums it is relative to the largest sum of the terms' magnitudes, if that is larger.
    pub error: f64,
    /// The largest error allowed, given the length of the operator's sums here.
    pub tolerance: f64,
}

impl Verified {
    /// Whether the node's error is within its tolerance.
    pub fn agrees(&self) -> bool {
        self.error <= self.tolerance
    }

    /// A table of these nodes: a line for each operator and variant, with the largest error, relative to the
    /// reference's largest value or sum of terms.
    pub fn table(nodes: &[Verified]) -> String {
        let mut rows: BTreeMap<(&str, &str), (usize, f64, f64)> = BTreeMap::new();
        for node in nodes {
            let row = rows.entry((node.operator, node.variant)).or_insert((0, 0.0, node.tolerance));
            row.0 += 1;
            row.1 = row.1.max(node.error);
        }
        let mut text = format!(
            "  {:<26} {:<22} {:>5}  {:>8}  {:>9}\n",
            "operator", "variant", "nodes", "error", "tolerance"
        );
        for ((operator, variant), (nodes, error, tolerance)) in rows {
            text += &format!("  {operator:<26} {variant:<22} {nodes:>5}  {error:>8.1e}  {tolerance:>9.1e}\n");
        }
        text
    }
}

impl Session {
    /// Runs one step node by node and compares every node with the reference. It is a real step: weights
    /// change as in [`Session::step`]. It is slow, because the reference is scalar code.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session};
    /// # fn check(session: &mut Session) -> Result<()> {
    /// let nodes = session.verify()?; // fails at the first node that is off
    /// let worst = nodes.iter().map(|node| node.error).fold(0.0, f64::max);
    /// println!("{} nodes agree with the reference to {worst:.1e}", nodes.len());
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first node beyond its tolerance, after the step has run to its end; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn verify(&mut self) -> Result<Vec<Verified>> {
        crate::device::block_on(self.verify_async())
    }

    /// [`Session::verify`] without blocking for the GPU. It blocks while the reference computes each node. If the future is
    /// dropped before it is done, a part of the step was run, and saving the weights is refused.
    ///
    /// # Errors
    /// As [`Session::verify`].
    pub async fn verify_async(&mut self) -> Result<Vec<Verified>> {
        self.compare_nodes(true).await
    }

    /// [`Session::verify`] that goes on behind a node beyond its tolerance. It returns all nodes of the step, and
    /// [`Verified::agrees`] says whether each is within its tolerance. Each node gets its own GPU inputs, so a wrong one does not make
    /// those behind it wrong.
    ///
    /// # Errors
    /// A fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn verify_all(&mut self) -> Result<Vec<Verified>> {
        crate::device::block_on(self.compare_nodes(false))
    }

    /// Compares each node, up to the first that is off if `stop` says so.
    async fn compare_nodes(&mut self, stop: bool) -> Result<Vec<Verified>> {
        self.begin_async(1).await?;
        self.submit_part(Session::encode_inputs)?;
        let (mut verified, mut next, mut failed) = (Vec::new(), 0, None);
        let scaled = scaled(self.plan.graph());
        let read = self.plan.graph().nodes().flat_map(|(_, node)| node.inputs.iter().copied());
        let read: HashSet<Value> = read.chain(self.plan.outputs().iter().copied()).collect();
        for step in self.plan.steps().to_vec() {
            if step.dispatches.is_empty() {
                continue;
            }
            match self.verify_node(&step, &mut next, &read, scaled[step.node.index]).await {
                Ok(node) => verified.push(node),
                Err(Error::Verify { node, error, tolerance, .. }) if !stop => {
                    let operator = self.plan.graph().node_at(step.node).operator.name();
                    verified.push(Verified {
                        operator,
                        node,
                        variant: step.variant.name(),
                        error,
                        tolerance,
                    });
                }
                Err(e) => {
                    failed = Some(e);
                    break;
                }
            }
        }
        // Finish the step in any case: half of one would leave weights that no step number describes.
        self.complete(next)?;
        failed.map_or(Ok(verified), Err)
    }

    /// Runs and compares a node. Sets `next` to the number of the step's next dispatch. `read` holds the
    /// values that a node or the user reads. Where a node is `scaled`, its inputs may have overflowed.
    async fn verify_node(
        &mut self,
        step: &Step,
        next: &mut usize,
        read: &HashSet<Value>,
        scaled: bool,
    ) -> Result<Verified> {
        let node = self.plan.graph().node_at(step.node).clone();
        let mut inputs = self.download(&node.inputs).await?;
        if step.variant.is_in_f16() {
            inputs.iter_mut().take(2).for_each(HostTensor::round_to_f16);
        }
        self.submit_part(|session| session.encode(step.dispatches.clone()))?;
        *next = step.dispatches.end;
        // Skip outputs that nothing reads: they may not be written, or a later dispatch of the node may have
        // overwritten them.
        let updated = node.operator.in_place();
        let is_read =
            |i: usize| read.contains(&node.outputs[i]) || updated.iter().any(|&(output, _)| output == i);
        let read: Vec<usize> = (0..node.outputs.len()).filter(|&i| is_read(i)).collect();
        let outputs = self.download(&read.iter().map(|&i| node.outputs[i]).collect::<Vec<_>>()).await?;
        let inputs: Vec<Array> = inputs.iter().map(|t| Array::new(t.shape.clone(), t.to_f64())).collect();
        let inputs: Vec<&Array> = inputs.iter().collect();
        let expected = node.operator.reference(&inputs);
        let types: Vec<&TensorType> =
            node.inputs.iter().map(|&input| &self.plan.graph().info(input).ty).collect();
        let serial = node.operator.serial_terms(&types, step.variant);
        let operator = node.operator.as_ref();
        let expected: Vec<Expected> = expected
            .into_iter()
            .enumerate()
            .map(|(i, array)| {
                let expected = Expected::of(operator, i, array, &inputs);
                let half = self.plan.graph().info(node.outputs[i]).ty.dtype == DType::F16;
                if half { expected.in_f16() } else { expected }
            })
            .collect();
        let mut found: Vec<(usize, HostTensor)> = read.into_iter().zip(outputs).collect();
        let finite = |array: &&Array| array.data.iter().all(|x| x.is_finite());
        if scaled && !inputs.iter().all(finite) {
            for (output, tensor) in &mut found {
                overlook(tensor, &expected[*output].array);
            }
        }
        match compare(operator, serial, &expected, found) {
            Ok(error) => Ok(Verified {
                operator: node.operator.name(),
                node: node.name.clone(),
                variant: step.variant.name(),
                error,
                tolerance: tolerance_at(operator, DType::F32, serial) + expected[0].unit(),
            }),
            Err(Mismatch { output, element, found, expected, error, tolerance }) => Err(Error::Verify {
                operator: node.operator.name().to_owned(),
                node: node.name.clone(),
                variant: step.variant.name().to_owned(),
                output,
                element,
                found,
                expected,
                error,
                tolerance,
            }),
        }
    }
}

/// Takes what is expected where that or what was found is not finite: infinity times the zeros around an image may count or
/// not.
fn overlook(found: &mut HostTensor, expected: &Array) {
    if let HostData::F32(found) = &mut found.data {
        for (found, &expected) in found.iter_mut().zip(&expected.data) {
            if !found.is_finite() || !expected.is_finite() {
                *found = expected as f32;
            }
        }
    }
}

/// An output that differs from the reference by more than its tolerance.
pub(crate) struct Mismatch {
    pub output: usize,
    /// The element with the largest difference, what was found there, and what was expected.
    pub element: usize,
    pub found: f64,
    pub expected: f64,
    pub error: f64,
    pub tolerance: f64,
}

/// An output of the reference, and the magnitude that errors are relative to.
pub(crate) struct Expected {
    pub array: Array,
    scale: f64,
    /// Whether the output is kept in f16.
    half: bool,
}

/// The distance of f16's numbers from 1 to 2: two roundings of one number are no further apart, relative to the largest.
const HALF_UNIT: f64 = 1.0 / 1024.0;
/// The distance of f16's smallest numbers.
const HALF_LEAST: f64 = 1.0 / (1 << 24) as f64;

impl Expected {
    pub(crate) fn of(operator: &dyn Operator, output: usize, array: Array, inputs: &[&Array]) -> Expected {
        let terms = operator.largest_sum_of_terms(output, inputs);
        let scale = terms.unwrap_or(0.0).max(array.largest());
        Expected { array, scale, half: false }
    }

    /// As the kernel stores it in f16.
    fn in_f16(mut self) -> Expected {
        self.array.data.iter_mut().for_each(|x| *x = f16::from_f64(*x).to_f64());
        Expected { half: true, ..self }
    }

    /// What storing the output may add to its error.
    fn unit(&self) -> f64 {
        if self.half { HALF_UNIT } else { 0.0 }
    }
}

/// Compares outputs, each with its number, with the reference's. `serial` is the operator's
/// [`serial_terms`](Operator::serial_terms) here. The largest error, or the first output that is wrong.
pub(crate) fn compare(
    operator: &dyn Operator,
    serial: u64,
    expected: &[Expected],
    found: impl IntoIterator<Item = (usize, HostTensor)>,
) -> Result<f64, Mismatch> {
    let mut worst: f64 = 0.0;
    for (output, found) in found {
        let tolerance = tolerance_at(operator, found.ty().dtype, serial) + expected[output].unit();
        let Expected { array: expected, scale, half } = &expected[output];
        let found = found.to_f64();
        let least = if *half { HALF_LEAST } else { f32::MIN_POSITIVE.into() };
        let (error, element) = difference_by(*scale, least, expected, &found);
        worst = worst.max(error);
        // A NaN fails too.
        if error.is_nan() || error > tolerance {
            let (found, expected) = (found[element], expected.data[element]);
            return Err(Mismatch { output, element, found, expected, error, tolerance });
        }
    }
    Ok(worst)
}

/// The largest error allowed of an operator's output of this element type. Integers are exact.
pub fn tolerance(operator: &dyn Operator, dtype: DType) -> f64 {
    if dtype == DType::F32 { operator.tolerance() } else { 0.0 }
}

/// The largest error allowed of an output whose sums add `serial` terms one after the other.
///
/// Each addition rounds by at most half a unit in the last place, 2^-24 of the sum so far. So n additions are
/// off by at most n 2^-24 of the sum of the terms' magnitudes (Higham, "Accuracy and Stability of Numerical
/// Algorithms", 2002, section 4.2). With mixed terms roundings cancel, and the error is near the root of n.
/// With equal terms, such as the gradient of a mean, roundings within one power of two have the same sign and
/// add up to nearly a quarter of the bound: correct kernels reach it, and PyTorch's products and convolutions
/// of a million terms of 0.01 are off by 1.3 %. The tolerance is a quarter of the bound. It exceeds the
/// operator's own only from 671 terms on. Long sums are split, so it stays far below the error that a missing
/// part would cause.
fn tolerance_at(operator: &dyn Operator, dtype: DType, serial: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 24) as f64;
    let tolerance = tolerance(operator, dtype);
    if tolerance == 0.0 { tolerance } else { tolerance.max(0.25 * UNIT * serial as f64) }
}

/// The largest difference relative to the largest finite magnitude expected, and its index. An infinity
/// agrees only with itself, and a NaN only with a NaN.
pub fn difference(expected: &Array, found: &[f64]) -> (f64, usize) {
    difference_by(expected.largest(), f32::MIN_POSITIVE.into(), expected, found)
}

/// As [`difference`], relative to `scale`; differences up to `least` count as none.
fn difference_by(scale: f64, least: f64, expected: &Array, found: &[f64]) -> (f64, usize) {
    let mut worst = (0.0, 0);
    for (i, (&e, &f)) in expected.data.iter().zip(found).enumerate() {
        let error = if e == f || (e.is_nan() && f.is_nan()) {
            0.0
        } else if !e.is_finite() || !f.is_finite() {
            f64::INFINITY
        } else if (e - f).abs() <= least {
            // The format or the driver may round numbers this small to zero.
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
