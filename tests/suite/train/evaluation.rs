//! Evaluations against the predictions, which the host looks at one by one.

use super::{Rows, bits, network, trainer};
use crate::harness::device;
use wgrad::DType;
use wgrad::data::{Dataset, Field, Item, Loader, Order};
use wgrad::nn::{self, Layer};
use wgrad::optim::{Ema, Sgd};
use wgrad::train::{Accuracy, Confusion, Mean, Supervised, TopK, Trainer};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session};

/// The loss of logits and a label by the definition.
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - most).exp()).sum();
    sum.ln() - f64::from(logits[label] - most)
}

/// Rows of predictions.
fn rows(predictions: &HostTensor) -> Vec<&[f32]> {
    let size = predictions.shape.elements() / predictions.shape[0];
    predictions.as_f32().expect("logits are floats").chunks(size).collect()
}

#[test]
fn figures_follow_from_the_predictions_whatever_the_last_batch() -> Result<()> {
    // Padded in the first, a session of its own in the second: one metric counts padding.
    let absolute = Mean::new("first_logit", |g, seen| {
        let first = g.slice(seen.prediction, 1, 0..1, 1)?;
        g.mean(first, &[0, 1], false)
    });
    for (own, items) in [(false, 21), (true, 21), (true, 16), (false, 3)] {
        let mut trainer = trainer().metric(TopK(2)).metric(Confusion);
        if own {
            trainer = trainer.metric(absolute.clone());
        }
        trainer.fit(&Rows::new(61), None)?;
        let data = Rows::new(items);
        let predictions = trainer.predict(&data)?;
        assert_eq!(predictions.shape[..], [items, 3]);
        let (mut loss, mut right, mut second, mut counts) = (0.0, 0, 0, [[0; 3]; 3]);
        for (i, logits) in rows(&predictions).into_iter().enumerate() {
            let label = Rows::class(i);
            let before = logits.iter().filter(|&&x| x > logits[label]).count();
            loss += cross_entropy(logits, label);
            right += usize::from(before == 0);
            second += usize::from(before < 2);
            let found = (0..3).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("three classes");
            counts[label][found] += 1;
        }
        // Twice, because sessions are kept.
        for _ in 0..2 {
            let found = trainer.evaluate(&data)?;
            assert_eq!(found.samples, items as u64);
            assert!((found.loss - loss / items as f64).abs() < 1e-5, "{} {loss}", found.loss);
            assert_eq!(found.figure("accuracy"), Some(right as f64 / items as f64));
            assert_eq!(found.figure("top2"), Some(second as f64 / items as f64));
            let matrix = found.confusion.as_ref().expect("a metric makes one");
            for (label, row) in counts.iter().enumerate() {
                for (class, &count) in row.iter().enumerate() {
                    assert_eq!(matrix.count(label, class), count, "{label} taken for {class}");
                }
            }
            if own {
                let mean = rows(&predictions).iter().map(|row| f64::from(row[0])).sum::<f64>() / items as f64;
                let found = found.figure("first_logit").expect("it is a metric");
                assert!((found - mean).abs() < 1e-5 * mean.abs().max(1.0), "{found} {mean}");
            }
        }
    }
    Ok(())
}

/// Pixels that belong to class 1 where they are bright; some are ignored.
struct Pixels([Field; 2]);

impl Dataset for Pixels {
    fn len(&self) -> usize {
        10
    }

    fn fields(&self) -> &[Field] {
        &self.0
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        for (i, x) in item.f32("image")?.iter_mut().enumerate() {
            *x = ((index * 25 + i) * 37 % 100) as f32 / 50.0 - 1.0;
        }
        for (i, label) in item.i32("label")?.iter_mut().enumerate() {
            let bright = (index * 25 + i) * 37 % 100 > 50;
            *label = if i % 7 == 3 {
                -100
            } else if i % 5 == 0 {
                2
            } else {
                i32::from(bright)
            };
        }
        Ok(())
    }
}

#[test]
fn pixels_have_a_confusion_matrix_and_ignored_ones_count_nowhere() -> Result<()> {
    let data = Pixels([Field::new("image", [1, 5, 5], DType::F32), Field::new("label", [5, 5], DType::I32)]);
    let net = nn::Sequential::new().add("conv", nn::Conv2d::new(1, 3, [1, 1]));
    let mut trainer = Trainer::new(device(), Supervised::classifier(net))
        .optimizer(|g, loss, rate| Sgd::new(rate).minimize(g, loss))
        .learning_rate(0.5)
        .batch_size(4)
        .epochs(4)
        .metric(Confusion);
    trainer.fit(&data, None)?;
    let predictions = trainer.predict(&data)?;
    let mut counts = [[0u64; 3]; 3];
    for (index, image) in rows(&predictions).into_iter().enumerate() {
        for i in (0..25).filter(|i| i % 7 != 3) {
            let bright = (index * 25 + i) * 37 % 100 > 50;
            let label = if i % 5 == 0 { 2 } else { usize::from(bright) };
            let found = (0..3).rev().max_by(|&a, &b| image[a * 25 + i].total_cmp(&image[b * 25 + i]));
            counts[label][found.expect("three classes")] += 1;
        }
    }
    let found = trainer.evaluate(&data)?;
    let matrix = found.confusion.as_ref().expect("a metric makes one");
    assert_eq!(matrix.total(), 10 * (25 - 4));
    for (label, row) in counts.iter().enumerate() {
        for (class, &count) in row.iter().enumerate() {
            assert_eq!(matrix.count(label, class), count, "{label} taken for {class}");
        }
    }
    // By the definitions, written out for one class.
    let both = counts[1][1] as f64;
    let (labelled, predicted) =
        (counts[1].iter().sum::<u64>() as f64, counts.iter().map(|row| row[1]).sum::<u64>() as f64);
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    near(matrix.precision(1), both / predicted);
    near(matrix.recall(1), both / labelled);
    near(matrix.f1(1), 2.0 / (predicted / both + labelled / both));
    near(matrix.iou(1), both / (labelled + predicted - both));
    near(
        found.figure("accuracy").expect("it is there"),
        (0..3).map(|c| counts[c][c]).sum::<u64>() as f64 / 210.0,
    );
    assert!(matrix.table(&["dark".into(), "bright".into()]).contains("bright"));
    assert_eq!(matrix.to_string().lines().count(), 3);
    Ok(())
}

#[test]
fn averages_are_evaluated_if_asked() -> Result<()> {
    let with = |averaged: bool| -> Result<_> {
        let mut trainer = trainer()
            .optimizer(|g, loss, rate| Sgd::new(rate).average(Ema::new(0.9)).minimize(g, loss))
            .averaged(averaged);
        let history = trainer.fit(&Rows::new(61), Some(&Rows::new(20)))?;
        Ok((history, trainer))
    };
    let (plain, of_plain) = with(false)?;
    let (averaged, of_averaged) = with(true)?;
    assert_eq!(plain.losses, averaged.losses, "training is the same");
    assert_ne!(plain.epochs[2].evaluation, averaged.epochs[2].evaluation);
    let fc = |trainer: &Trainer| trainer.weights()?.read("fc.weight");
    assert_eq!(of_plain.weights()?.averaged()?.read("fc.weight")?, fc(&of_averaged)?);
    Ok(())
}

#[test]
fn population_statistics_are_means_over_the_training_set() -> Result<()> {
    let data = Rows::new(64);
    let mut trainer = trainer().population_statistics(true);
    trainer.fit(&data, None)?;
    let weights = trainer.weights()?;

    // The mean over batches of what batch norm sees, by the convolution alone.
    let mut g = Graph::new();
    let x = g.input("image", [8, 1, 6, 6])?;
    let net = nn::Sequential::new().add("conv", nn::Conv2d::new(1, 4, [3, 3]).padding([1, 1]));
    let y = net.forward(&mut g, x, Mode::Eval)?;
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
    let (mut means, mut variances) = ([0.0; 4], [0.0; 4]);
    Loader::new(8).run(&data, &Order::sequential(64)?, 0..8, |batch| {
        let pixels: Vec<f32> = batch.u8("image")?.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        session.write(x, &pixels)?;
        session.step()?;
        let y = session.read(y)?.to_f64();
        for channel in 0..4 {
            let of: Vec<f64> = (0..8).flat_map(|n| y[(n * 4 + channel) * 36..][..36].to_vec()).collect();
            let mean = of.iter().sum::<f64>() / 288.0;
            means[channel] += mean / 8.0;
            variances[channel] += of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 287.0 / 8.0;
        }
        Ok(())
    })?;
    let near = |name: &str, expected: [f64; 4]| -> Result<()> {
        for (found, expected) in weights.read(name)?.to_f64().into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5 * expected.abs().max(0.1), "{name}: {found} {expected}");
        }
        Ok(())
    };
    near("bn.running_mean", means)?;
    near("bn.running_var", variances)?;
    assert!(network().forward(&mut Graph::new(), x, Mode::Population).is_err(), "a value of another graph");

    // Also where a run ends early, and the last evaluation is made with them.
    let mut early = super::trainer().population_statistics(true).epochs(5).max_steps(24);
    let history = early.fit(&data, Some(&Rows::new(20)))?;
    assert_eq!(history.evaluation(), Some(&early.evaluate(&Rows::new(20))?));
    assert_ne!(history.evaluation(), history.epochs[2].evaluation.as_ref());
    let read = |trainer: &Trainer| trainer.weights()?.read("bn.running_mean");
    let mut later = super::trainer().epochs(5).max_steps(24);
    later.fit(&data, None)?;
    assert_ne!(read(&early)?, read(&later)?);
    later.measure_population(&data)?;
    assert_eq!(read(&early)?, read(&later)?);

    // It changes nothing else.
    let mut plain = super::trainer();
    plain.fit(&data, None)?;
    let others = |all: Vec<(String, Vec<u64>)>| -> Vec<_> {
        all.into_iter().filter(|(name, _)| !name.starts_with("bn.running")).collect()
    };
    assert_eq!(others(bits(&plain.weights()?)?), others(bits(&weights)?));
    Ok(())
}

#[test]
fn what_is_followed_is_there_for_each_step() -> Result<()> {
    let mut trainer = trainer().follow(Accuracy);
    let history = trainer.fit(&Rows::new(61), None)?;
    let (name, correct) = &history.followed[0];
    assert_eq!((name.as_str(), correct.len()), ("accuracy", 24));
    assert!(correct.iter().all(|&count| (0.0..=8.0).contains(&count) && count.fract() == 0.0));
    assert!(correct[20..].iter().sum::<f64>() > correct[..4].iter().sum::<f64>(), "it learns: {correct:?}");
    Ok(())
}

/// The pictures of [`Rows`] without their labels.
struct Unlabelled(Rows, [Field; 1]);

impl Dataset for Unlabelled {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fields(&self) -> &[Field] {
        &self.1
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        Rows::fill(index, item)
    }
}

#[test]
fn what_was_predicted_or_measured_before_does_not_matter() -> Result<()> {
    let data = Rows::new(61);
    let unlabelled = Unlabelled(Rows::new(10), [Field::new("image", [1, 6, 6], DType::U8)]);
    let mut first = trainer();
    let untrained = first.predict(&unlabelled)?;
    let whole = first.fit(&data, None)?;
    let mut plain = trainer();
    assert_eq!(plain.fit(&data, None)?.losses, whole.losses);
    assert_eq!(bits(&plain.weights()?)?, bits(&first.weights()?)?);
    assert_ne!(first.predict(&unlabelled)?, untrained);

    // A metric that is added later is measured too.
    assert_eq!(plain.evaluate(&data)?.figures.len(), 1);
    let mut more = plain.metric(TopK(2));
    assert!(more.evaluate(&data)?.figure("top2") >= more.evaluate(&data)?.figure("accuracy"));
    Ok(())
}

#[test]
fn a_trainer_begins_anew_with_what_it_loads() -> Result<()> {
    let folder = tempfile::TempDir::new().expect("there is room for temporary files");
    let file = folder.path().join("w.safetensors");
    let data = Rows::new(20);
    let mut first = trainer();
    first.fit(&Rows::new(61), None)?;
    first.weights()?.save(&file)?;
    let trained = first.evaluate(&data)?;
    let mut other = trainer().seed(9);
    assert_ne!(other.evaluate(&data)?, trained);
    let mut other = other.load(&file);
    assert_eq!(other.evaluate(&data)?, trained);
    assert!(other.load("nowhere.safetensors").evaluate(&data).is_err());
    Ok(())
}
