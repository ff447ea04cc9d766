//! Runs a case on a device, and compares what it gives with the reference.
//!
//! Programs for browsers have this file too, so results are awaited here. [`super`] has the forms that block.

use super::{Built, Case, build, device};
use wgrad::op::Array;
use wgrad::session::{difference, tolerance};
use wgrad::{Caps, Error, HostData, HostTensor, Plan, PlanOptions, Session, Value, Weights};

/// An operator built into a session, its inputs written.
pub struct Prepared {
    pub session: Session,
    pub outputs: Vec<Value>,
}

impl Prepared {
    /// Builds `case` into a session on the thread's device, planned with these options and limits. The first `read`
    /// outputs are read.
    pub fn new(case: &Case, options: &PlanOptions, read: usize, caps: &Caps) -> Result<Prepared, Error> {
        let mut built = build(case)?;
        built.outputs.truncate(read);
        Prepared::of(built, case, options, caps)
    }

    /// A graph of `case` in a session, its inputs written.
    pub fn of(built: Built, case: &Case, options: &PlanOptions, caps: &Caps) -> Result<Prepared, Error> {
        let Built { graph, outputs, inputs, stored } = built;
        let plan = Plan::with_options(&graph, &outputs, caps, options)?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), plan, &weights)?;
        for ((value, stored), tensor) in inputs.into_iter().zip(stored).zip(&case.inputs) {
            match (&tensor.data, stored) {
                (HostData::F32(data), Some(name)) => weights.write(&name, data)?,
                (HostData::U32(step), _) => session.set_step_number(step[0]),
                _ => session.write(value, tensor)?,
            }
        }
        Ok(Prepared { session, outputs })
    }

    /// Runs a step and downloads all outputs.
    pub async fn run_async(&mut self) -> Result<Vec<HostTensor>, Error> {
        self.session.step()?;
        let mut found = Vec::with_capacity(self.outputs.len());
        for &output in &self.outputs {
            found.push(self.session.read_async(output).await?);
        }
        Ok(found)
    }
}

/// What the reference makes of a case.
pub fn expected(case: &Case) -> Vec<Array> {
    let inputs: Vec<Array> = case.inputs.iter().map(super::array).collect();
    case.operator.reference(&inputs.iter().collect::<Vec<_>>())
}

/// The error of an output, and what to say of it if it is larger than the operator allows.
pub fn judge(case: &Case, output: usize, expected: &Array, found: &HostTensor) -> (f64, Option<String>) {
    if expected.shape != found.shape {
        let said = format!("output {output} is of shape {}, expected {}", found.shape, expected.shape);
        return (f64::INFINITY, Some(said));
    }
    let numbers = found.to_f64();
    let (error, at) = difference(expected, &numbers);
    let tolerance = tolerance(case.operator.as_ref(), found.ty().dtype);
    // A NaN is wrong too.
    let wrong = error.is_nan() || error > tolerance;
    let said = || {
        format!(
            "output {output} is off by {error:.2e}, more than {tolerance:.0e}: element {at} is {:e}, expected {:e}",
            numbers[at], expected.data[at]
        )
    };
    (error, wrong.then(said))
}
