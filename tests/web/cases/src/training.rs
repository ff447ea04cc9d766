//! A network that trains in mixed precision.

use crate::harness::digits::digits;
use crate::harness::training::{Training, training_of};
use crate::harness::{device, labels, numbers};
use wgrad::optim::LossScale;
use wgrad::plan::Precision;
use wgrad::{DType, Plan, PlanOptions, Result, Session, Weights};

const IMAGES: [usize; 4] = [16, 1, 28, 28];
const STEPS: usize = 20;
/// How far a loss may be from that in f32, relative to it.
const APART: f64 = 1e-2;

/// A session of the trainer's network, which has batch norm, with its inputs written.
fn begin(training: &Training, precision: Precision) -> Result<Session> {
    let options = PlanOptions::default().precision(precision);
    let plan = Plan::with_options(&training.graph, &[training.loss], device().caps(), &options)?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &training.graph, 1)?)?;
    session.write(training.images, &numbers(IMAGES, 1))?;
    session.write(training.labels, &labels(IMAGES[0], 10, 2))?;
    session.write_scalar(training.rate, 0.01)?;
    session.record(training.loss, STEPS)?;
    Ok(session)
}

async fn losses(training: &Training, precision: Precision) -> Result<Vec<f64>> {
    let mut session = begin(training, precision)?;
    for _ in 0..STEPS {
        session.step()?;
    }
    Ok(session.recorded_async(training.loss).await?.to_f64())
}

/// Verifies a step of mixed precision, whose loss is scaled, and compares twenty with steps in f32.
pub async fn in_f16() -> Result<String> {
    let network = digits([28, 28], 10, None);
    let (single, scaled) =
        (training_of(&network, IMAGES)?, Training::scaled(&network, IMAGES, LossScale::new())?);
    let mut session = begin(&scaled, Precision::Mixed)?;
    let halves = session.plan().graph().values().filter(|(_, info)| info.ty.dtype == DType::F16).count();
    let verified = session.verify_async().await?.len();
    let expected = losses(&single, Precision::F32).await?;
    let found = losses(&scaled, Precision::Mixed).await?;
    assert_eq!(losses(&scaled, Precision::Mixed).await?, found, "one seed gives the same losses");
    let apart = expected.iter().zip(&found).map(|(expected, found)| (found / expected - 1.0).abs());
    let apart = apart.fold(0.0, f64::max);
    let (first, last) = (expected[0], expected[STEPS - 1]);
    assert!(halves > 0, "the plan has no f16");
    assert!(apart <= APART && last < 0.5 * first, "{found:?}, in f32 {expected:?}");
    Ok(format!(
        "{verified} nodes verified, {halves} values of f16; {STEPS} losses from {first:.3} to {last:.3} differ from f32's by \
         at most {apart:.1e}"
    ))
}
