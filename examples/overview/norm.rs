//! Training with and without batch norm, and beside dropout; and batch norm's noise: one example in many batches.

use crate::charts::{Axis, BLUE, Chart, ORANGE, SERIES, Series, charts};
use crate::lab::{CLASSES, Lab, PIXELS, Recipe, batch, deviation, mean};
use crate::page::{Section, percent, short};
use crate::panels::Outcome;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, Plan, Session, Weights};

/// Batches that the example is put into.
const BATCHES: usize = 40;

/// Four convolutions with sigmoids and a linear layer.
fn network(norm: bool, dropout: bool) -> nn::Sequential {
    let mut net = nn::Sequential::new();
    for (i, (from, to, stride)) in [(1, 8, 2), (8, 16, 2), (16, 16, 1), (16, 16, 1)].into_iter().enumerate() {
        let conv = nn::Conv2d::new(from, to, [3, 3]).padding([1, 1]).stride([stride; 2]);
        net = net.add(format!("conv{i}"), conv);
        if norm {
            net = net.add(format!("bn{i}"), nn::BatchNorm::new(to));
        }
        net = net.add(format!("sigmoid{i}"), nn::Sigmoid);
    }
    net = net.add("flatten", nn::Flatten).add("fc1", nn::Linear::new(16 * 49, 64)).add("relu", nn::Relu);
    if dropout {
        net = net.add("dropout", nn::Dropout::hidden());
    }
    net.add("fc2", nn::Linear::new(64, CLASSES))
}

pub fn run(lab: &Lab) -> Outcome<Section> {
    let steps = lab.pick(300, 60);
    let kinds = [
        ("plain", false, false),
        ("batch norm", true, false),
        ("dropout", false, true),
        ("both", true, true),
    ];
    let (mut series, mut rows, mut finals, mut scores) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut normed = None;
    for ((name, norm, dropout), colour) in kinds.into_iter().zip(SERIES) {
        let net = network(norm, dropout);
        let recipe = Recipe { steps, batch: 64, rate: 0.05, adam: false, seed: 5, items: Vec::new() };
        let compared = lab.compare((name, colour), &net, &recipe, 6)?;
        rows.push(compared.row);
        series.push(compared.curve);
        finals.push(compared.trained.final_loss());
        scores.push(compared.score.accuracy);
        if name == "batch norm" {
            normed = Some((net, compared.trained.weights));
        }
    }
    let (net, weights) = normed.ok_or("the list has a network with batch norm")?;
    charts(
        &lab.path("norm.png"),
        1,
        &[Chart::new(
            "Four sigmoid layers: the loss of training",
            Axis::new("step"),
            Axis::new("loss (mean of 13 steps)").range(0.0, 3.4),
            series,
        )],
    )?;

    let mut page = Section::new("Batch norm and dropout");
    page.text(
        "Batch norm makes each channel's values over the batch have mean 0 and deviation 1, then scales and shifts them by \
         learned numbers. Layers then keep getting inputs of a useful size, whatever the layers before them do: the plain \
         sigmoid network below hardly starts to learn, and the same network with batch norm does at once. Dropout sets units \
         to zero at random during training, so that no unit can rely on another.",
    );
    page.formula("y = &gamma; (x &minus; &mu;<sub>B</sub>) / &radic;(&sigma;&sup2;<sub>B</sub> + &epsilon;) + &beta;, &nbsp;&nbsp; dropout: y = m x / (1 &minus; p), &nbsp; m = 0 with probability p");
    page.figure(
        "norm.png",
        "Loss curves of four networks: plain, with batch norm, with dropout, and with both",
        &format!(
            "The same network in four forms, from the same start, over {steps} steps of 64 images. Where \
             curves coincide, the later one covers the earlier."
        ),
    );
    page.table(&["network", "last loss of training", "test loss", "test accuracy"], &rows);
    page.claim(
        finals[1] < finals[0] / 1.5 && scores[1] > scores[0],
        format!(
            "Batch norm lets the network learn: after {steps} steps its loss is {} and its test accuracy {}; without, {} and {}.",
            short(finals[1]),
            percent(scores[1]),
            short(finals[0]),
            percent(scores[0])
        ),
    );
    page.claim(
        finals[3] > finals[1],
        format!(
            "Dropout makes training harder: with batch norm and dropout the loss of training is {}, with batch norm alone {}.",
            short(finals[3]),
            short(finals[1])
        ),
    );
    noise(lab, &net, &weights, &mut page)?;
    Ok(page)
}

/// The logits of the first test image in many batches of other images.
fn logits(lab: &Lab, net: &dyn Layer, weights: &Weights, size: usize, mode: Mode) -> Outcome<Vec<Vec<f64>>> {
    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [size, 1, 28, 28])?;
    let images = g.bytes_to_float(pixels)?;
    let logits = net.forward(&mut g, images, mode)?;
    let plan = Plan::new(&g, &[logits], lab.device.caps())?;
    let mut session = Session::new(&lab.device, plan, &weights.with_state_of(&g)?)?;
    let mut found = Vec::new();
    for round in 0..BATCHES {
        let others: Vec<usize> = (0..size).map(|i| (round * size + i) % lab.train.len()).collect();
        let mut bytes = batch(&lab.train, &others).0;
        bytes[..PIXELS].copy_from_slice(lab.test.image(0).unwrap_or(&[0; PIXELS]));
        session.write(pixels, &bytes)?;
        session.step()?;
        found.push(session.read(logits)?.to_f64()[..CLASSES].to_vec());
    }
    Ok(found)
}

fn noise(lab: &Lab, net: &dyn Layer, weights: &Weights, page: &mut Section) -> Outcome<()> {
    // First, because training batches move the running statistics.
    let still = logits(lab, net, weights, 8, Mode::Eval)?;
    let spread = |all: &[Vec<f64>]| -> Vec<f64> {
        (0..CLASSES).map(|class| deviation(&all.iter().map(|row| row[class]).collect::<Vec<_>>())).collect()
    };
    let sizes = [8, 32, 128];
    let mut deviations = Vec::new();
    let mut shown = Vec::new();
    for size in sizes {
        let all = logits(lab, net, weights, size, Mode::Train)?;
        deviations.push(mean(&spread(&all)));
        if size == 8 {
            shown = all;
        }
    }
    let quiet = mean(&spread(&still));
    let dots: Vec<(f64, f64)> = shown
        .iter()
        .enumerate()
        .flat_map(|(round, row)| {
            row.iter()
                .enumerate()
                .map(move |(class, &x)| (class as f64 - 0.15 + 0.3 * (round as f64 / BATCHES as f64), x))
        })
        .collect();
    charts(
        &lab.path("norm-noise.png"),
        2,
        &[
            Chart::new(
                "One digit's logits in 40 batches of 8",
                Axis::new("class").names((0..CLASSES).map(|i| i.to_string())),
                Axis::new("logit").headroom(0.3),
                vec![
                    Series::dots("in training mode", BLUE, dots),
                    Series::dots(
                        "in evaluation mode",
                        ORANGE,
                        still[0].iter().enumerate().map(|(i, &x)| (i as f64, x)).collect(),
                    ),
                ],
            ),
            Chart::new(
                "The noise falls as batches grow",
                Axis::new("images in a batch").log(),
                Axis::new("deviation of the logits").log(),
                vec![
                    Series::line(
                        "",
                        BLUE,
                        sizes.iter().zip(&deviations).map(|(&n, &d)| (n as f64, d)).collect(),
                    ),
                    Series::dots(
                        "",
                        BLUE,
                        sizes.iter().zip(&deviations).map(|(&n, &d)| (n as f64, d)).collect(),
                    ),
                ],
            ),
        ],
    )?;
    page.text(
        "The mean and deviation of a batch depend on who else is in it. In training the same example therefore comes out a \
         little differently in each batch: noise, which regularises as dropout does. In evaluation batch norm uses running \
         averages, and the noise is gone.",
    );
    page.figure(
        "norm-noise.png",
        "Left: one digit's ten logits in forty batches. Right: their deviation by the size of the batch",
        "The first test image among other images, in the network with batch norm.",
    );
    page.claim(
        quiet == 0.0 && deviations[0] > 0.0,
        format!(
            "In {BATCHES} batches of {} the example's logits deviate by {} in training mode, and by {quiet} in evaluation mode.",
            sizes[0],
            short(deviations[0])
        ),
    );
    page.claim(
        deviations[1] < deviations[0] && deviations[2] < deviations[1],
        format!(
            "The noise falls with the size of the batch: {}.",
            sizes
                .iter()
                .zip(&deviations)
                .map(|(n, d)| format!("{} with {n} images", short(*d)))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    Ok(())
}
