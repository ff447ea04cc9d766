//! Training steps of whole networks.

use crate::harness::network::{Training, network, training_of};
use crate::harness::{self, labels, numbers, sweep};
use crate::with_matrices;
use wgrad::plan::Precision;
use wgrad::{Caps, Plan, PlanOptions, Result, Session, Value, Weights, nn};

/// Convolutions with a stride, a dilation and groups, and linear layers.
fn mixture() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 24, [5, 5]).stride([2, 2]).padding([2, 2]))
        .add("relu1", nn::Relu)
        .add("conv2", nn::Conv2d::new(24, 40, [3, 3]).dilation([2, 2]))
        .add("norm2", nn::BatchNorm::new(40))
        .add("relu2", nn::Relu)
        .add("conv3", nn::Conv2d::new(40, 32, [3, 3]).groups(2))
        .add("relu3", nn::Relu)
        .add("conv4", nn::Conv2d::new(32, 48, [1, 1]))
        .add("pool", nn::GlobalAvgPool2d)
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(48, 30))
        .add("relu4", nn::Relu)
        .add("fc2", nn::Linear::new(30, 10))
}

/// A plan that takes cooperative matrices wherever it can, as for GPUs.
fn plan(training: &Training, precision: Precision) -> Result<Plan> {
    let mut options = PlanOptions::default().precision(precision);
    if precision == Precision::Mixed {
        for operator in
            ["conv2d", "conv2d_grad_input", "conv2d_grad_weight", "linear", "linear_grad_weight", "matmul"]
        {
            options = options.variant(operator, "cooperative");
        }
    }
    Plan::with_options(&training.graph, &[training.loss], harness::device().caps(), &options)
}

fn losses(training: &Training, precision: Precision, steps: usize) -> Result<Vec<f64>> {
    let Training { graph, images, labels: classes, rate, loss } = training;
    let weights = Weights::init(harness::device(), graph, 5)?;
    let mut session = Session::new(harness::device(), plan(training, precision)?, &weights)?;
    let shape = graph.shape(*images)?;
    session.write(*images, &numbers(shape.clone(), 1))?;
    session.write(*classes, &labels(shape[0], 10, 2))?;
    session.write_scalar(*rate, 0.01)?;
    session.record(*loss, steps)?;
    for _ in 0..steps {
        session.step()?;
    }
    Ok(session.recorded(*loss)?.to_f64())
}

#[test]
fn steps_verify_and_stay_close_to_f32() -> Result<()> {
    with_matrices(|| {
        for (net, batch) in
            sweep::turn(&[mixture as fn() -> nn::Sequential, network], 0).into_iter().zip([5, 6])
        {
            let net = net();
            let training = training_of(&net, [batch, 1, 28, 28])?;
            let planned = plan(&training, Precision::Mixed)?;
            let taken = planned.steps().iter().filter(|step| step.variant.is_in_f16()).count();
            assert!(taken >= 8, "{taken} products by cooperative matrices");
            let weights = Weights::init(harness::device(), &training.graph, 5)?;
            let mut session = Session::new(harness::device(), planned, &weights)?;
            session.write(training.images, &numbers([batch, 1, 28, 28], 1))?;
            session.write(training.labels, &labels(batch, 10, 2))?;
            session.write_scalar(training.rate, 0.01)?;
            session.verify()?;
            let (found, again) =
                (losses(&training, Precision::Mixed, 6)?, losses(&training, Precision::Mixed, 6)?);
            assert_eq!(found, again, "the same seed gives the same bits");
            for (found, single) in found.iter().zip(losses(&training, Precision::F32, 6)?) {
                assert!((found / single - 1.0).abs() < 1e-2, "{found}, in f32 {single}");
            }
        }
        Ok(())
    })
}

/// A plan that was made for a device with cooperative matrices needs one.
#[test]
fn a_device_without_them_refuses_the_plan() -> Result<()> {
    with_matrices(|| {
        let training = training_of(&mixture(), [2, 1, 28, 28])?;
        let planned = plan(&training, Precision::Mixed)?;
        let device = harness::open();
        let none: &Option<_> = &device.caps().cooperative_matrix;
        assert!(none.is_none(), "they are opened if asked for alone");
        let weights = Weights::init(&device, &training.graph, 5)?;
        let error = Session::new(&device, planned, &weights).expect_err("it has none").to_string();
        assert!(error.contains("cooperative") || error.contains("CooperativeMatrix"), "{error}");
        let caps = Caps { cooperative_matrix: None, ..harness::device().caps().clone() };
        let mixed = PlanOptions::default().precision(Precision::Mixed);
        let without: Value = training.loss;
        Plan::with_options(&training.graph, &[without], &caps, &mixed)?;
        Ok(())
    })
}
