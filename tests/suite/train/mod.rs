//! The trainer: its steps are those of a loop by hand, its figures those of the predictions, and an interrupted run is
//! the uninterrupted one.

mod augmented;
mod callbacks;
mod evaluation;
mod ranks;
mod resumed;
mod told;

use crate::harness::device;
use wgrad::DType;
use wgrad::data::{Dataset, Field, Item, Loader, Order};
use wgrad::nn::{self, Layer};
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Accuracy, Supervised, Trainer};
use wgrad::{Graph, Mode, Plan, Result, Session, Weights};

/// Bytes of [1, 6, 6] with a bright row by class, and the class.
pub struct Rows {
    items: usize,
    fields: [Field; 2],
}

impl Rows {
    pub fn new(items: usize) -> Rows {
        Rows {
            items,
            fields: [Field::new("image", [1, 6, 6], DType::U8), Field::new("label", [0; 0], DType::I32)],
        }
    }

    /// The picture of an item.
    pub fn fill(index: usize, item: &mut Item<'_>) -> Result<()> {
        let class = Rows::class(index);
        for (i, pixel) in item.u8("image")?.iter_mut().enumerate() {
            let noise = (index * 131 + i * 71) % 97;
            *pixel = (noise + if i / 6 == 2 * class { 120 } else { 0 }) as u8;
        }
        Ok(())
    }

    pub fn class(index: usize) -> usize {
        (index * 7 + index / 5) % 3
    }
}

impl Dataset for Rows {
    fn len(&self) -> usize {
        self.items
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        Rows::fill(index, item)?;
        item.i32("label")?[0] = Rows::class(index) as i32;
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(Rows::class(index))
    }
}

pub fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]))
        .add("bn", nn::BatchNorm::new(4))
        .add("relu", nn::Relu)
        .add("drop", nn::Dropout::new(0.2).seed(3))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(4 * 36, 3))
}

pub fn trainer() -> Trainer {
    Trainer::new(device(), Supervised::classifier(network()))
        .optimizer(|g, loss, rate| AdamW::new(rate).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.01, steps, 0.0))
        .batch_size(8)
        .epochs(3)
        .seed(5)
        .metric(Accuracy)
}

/// All tensors, as bits.
pub fn bits(weights: &Weights) -> Result<Vec<(String, Vec<u64>)>> {
    let names: Vec<String> = weights.names().map(str::to_owned).collect();
    let read = |name: String| {
        let numbers = weights.read(&name)?.to_f64().iter().map(|x| x.to_bits()).collect();
        Ok((name, numbers))
    };
    names.into_iter().map(read).collect()
}

#[test]
fn its_steps_are_those_of_a_loop_by_hand() -> Result<()> {
    let data = Rows::new(61); // the last batch has 5 of 8
    let mut trainer = trainer();
    let history = trainer.fit(&data, None)?;

    let mut g = Graph::new();
    let images = g.input("image", [8, 1, 6, 6])?;
    let labels = g.input_i32("label", [8])?;
    let net = network();
    let logits = net.forward(&mut g, images, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("learning_rate")?;
    AdamW::new(rate).minimize(&mut g, loss)?;
    let weights = Weights::init(device(), &g, 5)?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    let schedule = Schedule::cosine(0.01, 24, 0.0)?;
    let mut losses = Vec::new();
    for epoch in 0..3 {
        let order = Order::shuffled(data.len(), 5, epoch)?;
        Loader::new(8).workers(0).run(&data, &order, 0..8, |batch| {
            let pixels: Vec<f32> = batch.u8("image")?.iter().map(|&byte| f32::from(byte) / 255.0).collect();
            session.write(images, &pixels)?;
            session.write(labels, batch.i32("label")?)?;
            session.write_scalar(rate, schedule.rate(session.step_number().into()) as f32)?;
            session.step()?;
            losses.push(session.read(loss)?.as_f32().map_or(f32::NAN, |loss| loss[0]));
            Ok(())
        })?;
    }
    assert_eq!(history.losses, losses);
    assert_eq!(bits(&trainer.weights()?)?, bits(&weights)?);
    assert_eq!(history.epochs.iter().map(|epoch| epoch.steps).collect::<Vec<_>>(), [8, 16, 24]);
    assert!(history.epochs[2].training_loss < history.epochs[0].training_loss, "it learns");
    Ok(())
}

#[test]
fn threads_change_nothing() -> Result<()> {
    let data = Rows::new(61);
    let mut found = Vec::new();
    for workers in [0, 1, 3] {
        let mut trainer = trainer().workers(workers);
        let history = trainer.fit(&data, Some(&Rows::new(20)))?;
        found.push((history.losses, history.epochs, bits(&trainer.weights()?)?));
    }
    assert!(found[0] == found[1] && found[1] == found[2]);
    Ok(())
}
