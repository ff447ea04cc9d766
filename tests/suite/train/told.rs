//! What is forgotten or goes wrong is told by name.

use super::{Rows, network, trainer};
use crate::harness::device;
use wgrad::DType;
use wgrad::data::{Dataset, Field, Item};
use wgrad::nn;
use wgrad::optim::{Preferred, Sgd};
use wgrad::train::{
    BestWeights, Callback, Confusion, Csv, Curves, EarlyStopping, Mean, Progress, Supervised, TopK, Trainer,
};
use wgrad::{Error, Result};

fn told<T>(found: Result<T>, parts: &[&str]) {
    let message = found.map(drop).expect_err("it is refused").to_string();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn what_is_missing_is_named() {
    let data = Rows::new(20);
    told(Trainer::new(device(), Supervised::classifier(network())).fit(&data, None), &["Trainer::optimizer"]);
    told(trainer().fit(&Rows::new(0), None), &["data", "no batch"]);
    told(trainer().drop_last(true).fit(&Rows::new(7), None), &["no batch"]);
    told(trainer().evaluate(&Rows::new(0)), &["data", "no items"]);
    told(trainer().predict(&Rows::new(0)), &["no items"]);
    told(trainer().weights(), &["no weights yet"]);
    let mut later = trainer();
    later.evaluate(&data).expect("there is data");
    told(later.batch_size(0).evaluate(&data), &["batch_size", "at least 1"]);
    told(trainer().batch_size(0).fit(&data, None), &["image", "0"]);
    told(trainer().epochs(u64::MAX).fit(&data, None), &["epochs", "2^32"]);
    told(trainer().load("nowhere.safetensors").fit(&data, None), &["nowhere.safetensors"]);
    told(trainer().checkpoint("nowhere/run.safetensors").fit(&data, None), &["nowhere/run.safetensors"]);
}

#[test]
fn figures_that_there_are_not_are_named_beside_those_there_are() {
    let stop = || EarlyStopping::new("acuracy", Preferred::Larger, 2);
    let (data, few) = (Rows::new(20), Rows::new(9));
    told(trainer().callback(stop()).fit(&data, Some(&few)), &["\"acuracy\"", "training_loss", "accuracy"]);
    told(trainer().callback(stop()).fit(&data, None), &["\"acuracy\"", "training_loss, learning_rate"]);
    let folder = tempfile::TempDir::new().expect("there is room for temporary files");
    let curves = |figure: &str| Curves::new(folder.path().join("curves.png"), figure);
    told(trainer().callback(curves("acuracy")).fit(&data, Some(&few)), &["\"acuracy\"", "accuracy"]);
    trainer()
        .callback(curves("accuracy"))
        .fit(&data, None)
        .expect("the loss has a curve without an evaluation");
    told(trainer().callback(Curves::new("curves.jpg", "accuracy")).fit(&data, None), &["curves.jpg", ".png"]);
}

/// Fails in the first step.
#[derive(Debug)]
struct NoStep;

impl Callback for NoStep {
    fn progress(&mut self, progress: &Progress<'_>) -> Result<()> {
        Err(Error::Graph(format!("step {} was run", progress.step)))
    }
}

#[test]
fn what_is_wrong_with_an_evaluation_is_told_before_the_first_step() {
    let (data, few) = (Rows::new(20), Rows::new(9));
    let with = || trainer().callback(NoStep);
    told(with().fit(&data, Some(&Rows::new(0))), &["there are no items"]);
    told(with().metric(TopK(0)).fit(&data, Some(&few)), &["in_top_k", "at least 1"]);
    told(with().averaged(true).fit(&data, Some(&few)), &["no averages"]);
    told(with().callback(Csv::new("nowhere/epochs.csv")).fit(&data, Some(&few)), &["nowhere/epochs.csv"]);
    let stop = EarlyStopping::new("acuracy", Preferred::Larger, 2);
    told(with().callback(stop).fit(&data, Some(&few)), &["\"acuracy\"", "accuracy"]);
    let best = BestWeights::new("best.safetensors", "accuracy", Preferred::Larger);
    told(with().callback(best).fit(&data, None), &["\"accuracy\"", "data to evaluate with"]);
    for name in ["error", "loss", "learning_rate"] {
        let mean = || Mean::new(name, |_, seen| Ok(seen.loss));
        told(with().metric(mean()).metric(mean()).fit(&data, Some(&few)), &[name, "another name"]);
    }
    told(with().checkpoint_every(0, "c.safetensors").fit(&data, Some(&few)), &["checkpoint_every"]);
    told(with().fit(&data, Some(&few)), &["was run"]);
}

#[test]
fn metrics_that_do_not_fit_are_refused() {
    let data = Rows::new(20);
    let wide = Mean::new("all", |_, seen| Ok(seen.prediction));
    told(trainer().metric(wide).evaluate(&data), &["\"all\"", "expected a scalar"]);
    told(trainer().follow(Confusion).fit(&data, None), &["\"confusion\"", "Trainer::metric"]);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let data = Rows::new(61);
    let wild = |watch| {
        Trainer::new(device(), Supervised::classifier(network()))
            .optimizer(|g, loss, rate| Sgd::new(rate).minimize(g, loss))
            .learning_rate(1e30)
            .batch_size(8)
            .watch(watch)
    };
    told(wild(true).fit(&data, None), &["step", "not finite"]);
    let error = wild(false).fit(&data, None).expect_err("it diverges");
    assert!(matches!(error, Error::Diverged { step: 2.., .. }), "{error}");
    told::<()>(Err(error), &["training diverged", "below 1e30"]);
}

/// Items whose third can't be read.
struct Damaged([Field; 2]);

impl Dataset for Damaged {
    fn len(&self) -> usize {
        16
    }

    fn fields(&self) -> &[Field] {
        &self.0
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        if index == 3 {
            return Err(Error::Graph("picture 3.png is damaged".into()));
        }
        item.f32("image")?.fill(index as f32);
        item.i32("label")?[0] = 0;
        Ok(())
    }
}

#[test]
fn errors_of_the_data_reach_the_caller() {
    let data = Damaged([Field::new("image", [4], DType::F32), Field::new("label", [0; 0], DType::I32)]);
    let net = || nn::Sequential::new().add("fc", nn::Linear::new(4, 2));
    let trainer = |workers| {
        Trainer::new(device(), Supervised::classifier(net()))
            .optimizer(|g, loss, rate| Sgd::new(rate).minimize(g, loss))
            .batch_size(4)
            .workers(workers)
    };
    for workers in [0, 1, 2] {
        told(trainer(workers).fit(&data, None), &["3.png"]);
        told(trainer(workers).predict(&data), &["3.png"]);
    }
}
