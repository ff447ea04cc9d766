//! The networks that are compiled, verified, trained and profiled, with their sizes, and a session that trains one.

use crate::harness::network::{Training, network, training_of};
use crate::harness::{labels, numbers};
use serde_json::{Value, json};
use wgrad::nn::{Sequential, models};
use wgrad::optim::LossScale;
use wgrad::plan::Precision;
use wgrad::{Device, Error, HostTensor, Plan, PlanOptions, Session, Weights};

/// A network and the images of a step.
#[derive(Clone, Copy)]
pub struct Workload {
    pub network: &'static str,
    pub batch: usize,
    /// Height and width of an image.
    pub side: usize,
}

const fn workload(network: &'static str, batch: usize, side: usize) -> Workload {
    Workload { network, batch, side }
}

/// What is trained: the most interesting first, because a time limit cuts off the last.
pub const TRAINED: &[Workload] = &[
    workload("seed", 64, 28),
    workload("seed", 256, 28),
    workload("resnet18", 64, 224),
    workload("resnet50", 32, 224),
    workload("seed", 1024, 28),
    workload("seed", 4096, 28),
    workload("resnet18", 128, 32),
    workload("resnet50", 64, 224),
    workload("mobilenet_v2", 64, 224),
    workload("unet", 8, 256),
];

/// What is trained in mixed precision too, in this order.
pub const MIXED: &[Workload] = &[
    workload("resnet50", 32, 224),
    workload("resnet50", 64, 224),
    workload("resnet18", 64, 224),
    workload("seed", 64, 28),
    workload("seed", 4096, 28),
    workload("resnet18", 128, 32),
    workload("seed", 1024, 28),
    workload("seed", 256, 28),
];

/// What is trained in mixed precision too on a software adapter.
pub const MIXED_BY_SOFTWARE: &[Workload] =
    &[workload("seed", 64, 28), workload("resnet18", 2, 32), workload("resnet50", 2, 32)];

/// What is trained on a software adapter.
pub const TRAINED_BY_SOFTWARE: &[Workload] = &[
    workload("seed", 64, 28),
    workload("seed", 256, 28),
    workload("resnet18", 2, 32),
    workload("resnet50", 2, 32),
    workload("mobilenet_v2", 8, 32),
    workload("unet", 1, 32),
];

/// What is compiled and profiled.
pub const PROFILED: &[Workload] = &[workload("seed", 64, 28), workload("resnet50", 32, 224)];

/// What is compiled and profiled on a software adapter.
pub const PROFILED_BY_SOFTWARE: &[Workload] = &[workload("seed", 64, 28), workload("resnet50", 2, 32)];

/// What is verified: few images, because the reference runs on one processor core.
pub const VERIFIED: &[Workload] = &[workload("seed", 16, 28), workload("resnet18", 2, 32)];

impl Workload {
    /// As the report names it.
    pub fn name(&self) -> String {
        let Workload { network, batch, side } = self;
        format!("{network}, {batch} of {side}x{side}")
    }

    /// The fields that name it in the results.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name(),
            "network": self.network,
            "batch": self.batch,
            "side": self.side,
            "channels": self.channels(),
            "classes": self.classes(),
        })
    }

    fn channels(&self) -> usize {
        if self.network == "seed" { 1 } else { 3 }
    }

    fn classes(&self) -> usize {
        match self.network {
            "seed" => 10,
            "unet" => 2,
            _ => 1000,
        }
    }

    fn layers(&self) -> Sequential {
        let (channels, classes) = (self.channels(), self.classes());
        match self.network {
            "seed" => network(),
            "resnet18" => models::resnet18(channels, classes),
            "resnet50" => models::resnet50(channels, classes),
            "mobilenet_v2" => models::mobilenet_v2(channels, classes),
            "unet" => models::unet(channels, classes, 32),
            other => unreachable!("{other} is in no list above"),
        }
    }

    /// The graph of a training step with SGD and momentum.
    pub fn training(&self) -> Result<Training, Error> {
        training_of(&self.layers(), self.images())
    }

    fn images(&self) -> [usize; 4] {
        [self.batch, self.channels(), self.side, self.side]
    }
}

/// A session that trains a network on fixed noise.
pub struct Trainer {
    pub session: Session,
    training: Training,
    images: HostTensor,
    labels: HostTensor,
}

impl Trainer {
    /// Builds the session of this plan and writes the inputs.
    pub fn new(device: &Device, work: &Workload, training: Training, plan: Plan) -> Result<Trainer, Error> {
        let weights = Weights::init(device, &training.graph, 1)?;
        let mut session = Session::new(device, plan, &weights)?;
        session.write_scalar(training.rate, 0.01)?;
        let images = numbers(training.graph.shape(training.images)?.clone(), 1);
        let count = training.graph.shape(training.labels)?.elements();
        let labels = labels(count, work.classes(), 2);
        let mut trainer = Trainer { session, training, images, labels };
        trainer.write()?;
        Ok(trainer)
    }

    /// A session with the default plan.
    pub fn planned(device: &Device, work: &Workload) -> Result<Trainer, Error> {
        let training = work.training()?;
        let plan = Plan::new(&training.graph, &[training.loss], device.caps())?;
        Trainer::new(device, work, training, plan)
    }

    /// A session with the default plan of mixed precision, which scales the loss.
    pub fn mixed(device: &Device, work: &Workload) -> Result<Trainer, Error> {
        Trainer::mixed_by(device, work, LossScale::new())
    }

    /// The same with a scale of 1, because gradients of few images overflow by a larger one.
    pub fn mixed_by_one(device: &Device, work: &Workload) -> Result<Trainer, Error> {
        Trainer::mixed_by(device, work, LossScale::new().first(1.0))
    }

    fn mixed_by(device: &Device, work: &Workload, scale: LossScale) -> Result<Trainer, Error> {
        let training = Training::scaled(&work.layers(), work.images(), scale)?;
        let options = PlanOptions::default().precision(Precision::Mixed);
        let plan = Plan::with_options(&training.graph, &[training.loss], device.caps(), &options)?;
        Trainer::new(device, work, training, plan)
    }

    /// Uploads the batch with the next step.
    pub fn write(&mut self) -> Result<(), Error> {
        self.session.write(self.training.images, &self.images)?;
        self.session.write(self.training.labels, &self.labels)
    }

    /// The last step's loss.
    pub fn loss(&mut self) -> Result<f64, Error> {
        Ok(self.session.read(self.training.loss)?.to_f64()[0])
    }
}
