//! Bagging: networks trained on bootstrap samples, and their averaged probabilities. `masks` compares dropout.

use crate::charts::{Axis, BLUE, Chart, ORANGE, Series, charts};
use crate::lab::{CLASSES, Lab, Recipe, hash, mean};
use crate::masks;
use crate::page::{Section, percent, short};
use crate::panels::Outcome;
use wgrad::nn;

/// A small network, whose hidden layer is what dropout thins.
pub fn network(hidden: usize, dropout: bool) -> nn::Sequential {
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 6, [5, 5]).stride([2, 2]))
        .add("relu1", nn::Relu)
        .add("pool", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(6 * 6 * 6, hidden))
        .add("relu2", nn::Relu);
    let net = if dropout { net.add("dropout", nn::Dropout::new(0.25)) } else { net };
    net.add("fc2", nn::Linear::new(hidden, CLASSES))
}

pub fn run(lab: &Lab) -> Outcome<Section> {
    let (members, images, steps) = lab.pick((5, 2000, 250), (3, 500, 40));
    let images = images.min(lab.train.len());
    let tested = lab.pick(2000, 300);
    let net = network(32, false);
    let mut all: Vec<Vec<f64>> = Vec::new();
    let (mut accuracies, mut distinct) = (Vec::new(), Vec::new());
    for member in 0..members {
        // As many images as there are, drawn with replacement.
        let draw = |i: usize| (f64::from(hash((member * images + i) as u32 + 1)) * images as f64) as usize;
        let items: Vec<usize> = (0..images).map(|i| draw(i).min(images - 1)).collect();
        let mut different = items.clone();
        different.sort_unstable();
        different.dedup();
        distinct.push(different.len() as f64 / images as f64);
        let recipe = Recipe { steps, batch: 50, rate: 3e-3, adam: true, seed: 20 + member as u64, items };
        let trained = lab.train(&net, &recipe)?;
        let found = lab.probabilities(&net, &trained.weights, tested)?;
        accuracies.push(lab.score(&found));
        all.push(found);
    }
    let averaged = |count: usize| {
        let probabilities: Vec<f64> = (0..all[0].len())
            .map(|i| mean(&all[..count].iter().map(|one| one[i]).collect::<Vec<_>>()))
            .collect();
        lab.score(&probabilities)
    };
    let ensembles: Vec<_> = (1..=members).map(averaged).collect();
    let numbered = |values: Vec<f64>| {
        values.into_iter().enumerate().map(|(i, x)| ((i + 1) as f64, x)).collect::<Vec<_>>()
    };
    charts(
        &lab.path("bagging.png"),
        2,
        &[
            Chart::new(
                "Test accuracy",
                Axis::new("networks").range(0.5, members as f64 + 0.5),
                Axis::new("per cent").headroom(0.35),
                vec![
                    Series::dots(
                        "each alone",
                        BLUE,
                        numbered(accuracies.iter().map(|s| 100.0 * s.accuracy).collect()),
                    ),
                    Series::line(
                        "the first k averaged",
                        ORANGE,
                        numbered(ensembles.iter().map(|s| 100.0 * s.accuracy).collect()),
                    ),
                ],
            ),
            Chart::new(
                "Test loss",
                Axis::new("networks").range(0.5, members as f64 + 0.5),
                Axis::new("cross-entropy").headroom(0.35),
                vec![
                    Series::dots("each alone", BLUE, numbered(accuracies.iter().map(|s| s.loss).collect())),
                    Series::line(
                        "the first k averaged",
                        ORANGE,
                        numbered(ensembles.iter().map(|s| s.loss).collect()),
                    ),
                ],
            ),
        ],
    )?;
    let mut page = Section::new("Bagging and dropout");
    page.text(
        "Bagging trains several networks, each on a bootstrap sample: as many images as there are, drawn with replacement, so \
         that each network misses about a third (1/e) and sees others twice. Their errors differ, and averaging their \
         probabilities cancels a part of them.",
    );
    page.formula("p(y | x) = (1/k) &sum;<sub>i</sub> p<sub>i</sub>(y | x)");
    page.figure(
        "bagging.png",
        "Accuracy and loss of each network alone and of the average of the first k",
        &format!(
            "{members} networks, each trained for {steps} steps on a bootstrap sample of {images} images."
        ),
    );
    let missed = 1.0 - mean(&distinct);
    page.claim(
        (missed - (-1f64).exp()).abs() < 0.05,
        format!(
            "A bootstrap sample misses {} of the images; 1/e is {}.",
            percent(missed),
            percent((-1f64).exp())
        ),
    );
    let each = mean(&accuracies.iter().map(|s| s.accuracy).collect::<Vec<_>>());
    let (loss, last) =
        (mean(&accuracies.iter().map(|s| s.loss).collect::<Vec<_>>()), &ensembles[members - 1]);
    page.claim(
        last.accuracy > each && last.loss < loss,
        format!(
            "The average of {members} networks reads {} right, a network alone {} on average; the losses are {} and {}.",
            percent(last.accuracy),
            percent(each),
            short(last.loss),
            short(loss)
        ),
    );
    masks::run(lab, &mut page)?;
    Ok(page)
}
