//! The trainer's network, trained once: its filters and feature maps here, its parameters in `parameters`.

use crate::charts::{Axis, BLUE, Chart, Colours, Heat, Series, charts, heats};
use crate::digits::digits;
use crate::lab::{CLASSES, Lab, Recipe, Trained, batch, smoothed};
use crate::page::{Section, percent, short};
use crate::panels::Outcome;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, HostTensor, Mode, Plan, Session};

/// The network of the example `mnist`.
pub fn network() -> nn::Sequential {
    digits([28, 28], CLASSES, None)
}

/// Digits whose maps are drawn.
const DIGITS: usize = 2;

pub fn run(lab: &Lab) -> Outcome<Section> {
    let net = network();
    let steps = lab.pick(400, 40);
    let recipe = Recipe { steps, batch: 64, rate: 0.01, adam: false, seed: 0, items: Vec::new() };
    let trained = lab.train(&net, &recipe)?;
    let tested = lab.pick(2000, 300);
    let score = lab.score(&lab.probabilities(&net, &trained.weights, tested)?);
    charts(
        &lab.path("mnist-loss.png"),
        1,
        &[Chart::new(
            "Training the network of the example mnist",
            Axis::new("step"),
            Axis::new("loss (mean of 9 steps)").log(),
            vec![Series::line("", BLUE, smoothed(&trained.losses, 4))],
        )],
    )?;
    let filters = draw_filters(lab, &trained)?;
    let silent = draw_maps(lab, &net, &trained)?;

    let mut page = Section::new("Filters and feature maps of a trained network");
    page.text(
        "A convolution's weights are small pictures, one for each pair of an input and an output channel: the patterns that \
         the layer looks for. A feature map says where in the image a pattern was found. Batch norm and ReLU follow, so maps \
         are zero where the pattern is missing; pooling then keeps the strongest answer of each window.",
    );
    page.figure("mnist-loss.png", "The loss of training", &format!("{steps} steps of 64 digits."));
    page.figure(
        "filters.png",
        "The eight filters of the first layer and the first eight of the second layer, before and after training",
        "The eight 3 x 3 filters of the first convolution, before and after training, and for four channels of the second \
         convolution its 5 x 5 filters for each input channel. Orange is positive, blue negative.",
    );
    page.figure(
        "maps.png",
        "Two digits and their feature maps in both layers",
        "Two test digits and what the layers make of them: after ReLU of the first layer, and after pooling of the second \
         (the first 16 of 32 maps). Dark is strong.",
    );
    page.claim(
        score.accuracy > 0.5,
        format!(
            "After {steps} steps the network reads {} of {tested} unseen digits right; guessing reads 10 %.",
            percent(score.accuracy)
        ),
    );
    page.claim(
        filters > 0.05,
        format!("Training changes the first layer's filters by {} of their size.", percent(filters)),
    );
    page.claim(
        silent > 0.3,
        format!(
            "Feature maps are sparse: {} of the second layer's values behind ReLU are zero for these digits.",
            percent(silent)
        ),
    );
    page.text(&format!(
        "Its mean loss over the last tenth of the steps was {}.",
        short(trained.final_loss())
    ));
    Ok(page)
}

/// Draws filters, and returns by which part of their size training changed the first layer's.
fn draw_filters(lab: &Lab, trained: &Trained) -> Outcome<f64> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 28, 28])?;
    network().forward(&mut g, x, Mode::Eval)?;
    // The same seed gives the values that training started from.
    let start = wgrad::Weights::init(&lab.device, &g, 0)?.read("conv1.weight")?.to_f64();
    let after = trained.weights.read("conv1.weight")?.to_f64();
    let second = trained.weights.read("conv2.weight")?.to_f64();
    let most = |values: &[f64]| values.iter().fold(0f64, |most, x| most.max(x.abs()));
    let row = |name: &str, values: &[f64], side: usize, scale: i32| -> Vec<Heat> {
        let all = most(values);
        let heat = |(i, taps): (usize, &[f64])| {
            let caption = if i == 0 { name.to_owned() } else { String::new() };
            Heat::new(caption, [side; 2], taps.to_vec(), Colours::Signed).side(scale).range(-all, all)
        };
        values.chunks_exact(side * side).enumerate().map(heat).collect()
    };
    let mut rows = vec![row("at the start", &start, 3, 38), row("after training", &after, 3, 38)];
    for channel in 0..4 {
        let taps = &second[channel * 8 * 25..][..8 * 25];
        rows.push(row(&format!("layer 2, map {}", channel + 1), taps, 5, 23));
    }
    // A caption stands above the first of a row only, and the others leave room for it.
    rows.iter_mut()
        .flatten()
        .filter(|heat| heat.caption.is_empty())
        .for_each(|heat| heat.caption = " ".into());
    heats(&lab.path("filters.png"), &rows)?;
    let change: f64 = start.iter().zip(&after).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    Ok((change / start.iter().map(|a| a * a).sum::<f64>()).sqrt())
}

/// Draws two digits' maps, and returns which part of the second layer's values is zero.
fn draw_maps(lab: &Lab, net: &nn::Sequential, trained: &Trained) -> Outcome<f64> {
    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [DIGITS, 1, 28, 28])?;
    let images = g.bytes_to_float(pixels)?;
    let mut x = images;
    let mut values = Vec::new();
    for (name, layer) in net.iter() {
        let name = name.unwrap_or_default();
        x = g.scoped(name, |g| layer.forward(g, x, Mode::Eval))?;
        if ["relu1", "relu2", "pool2"].contains(&name) {
            values.push(x);
        }
    }
    let plan = Plan::new(&g, &[&[images], &values[..]].concat(), lab.device.caps())?;
    let mut session = Session::new(&lab.device, plan, &trained.weights)?;
    let chosen: Vec<usize> = (0..DIGITS).map(|i| i % lab.test.len()).collect();
    let (bytes, labels) = batch(&lab.test, &chosen);
    session.write(pixels, &bytes)?;
    session.step()?;
    let mut rows = Vec::new();
    let read = |tensor: HostTensor| -> Vec<Vec<f64>> {
        let all = tensor.to_f64();
        all.chunks_exact(all.len() / DIGITS).map(<[f64]>::to_vec).collect()
    };
    let [first, behind, last] =
        [read(session.read(values[0])?), read(session.read(values[1])?), read(session.read(values[2])?)];
    let planes = |values: &[f64], side: usize, count: usize, scale: i32, range: f64| -> Vec<Heat> {
        let heat =
            |map: &[f64]| Heat::new("", [side; 2], map.to_vec(), Colours::Blue).side(scale).range(0.0, range);
        values.chunks_exact(side * side).take(count).map(heat).collect()
    };
    let most = |values: &[f64]| values.iter().copied().fold(1e-6, f64::max);
    for i in 0..DIGITS {
        let digit: Vec<f64> =
            bytes[i * 784..][..784].iter().map(|&byte| 1.0 - f64::from(byte) / 255.0).collect();
        let mut row = vec![Heat::new(" ", [28; 2], digit, Colours::Grey).side(3).range(0.0, 1.0)];
        row[0].caption = format!("a {}", labels[i]);
        row.extend(planes(&first[i], 28, 8, 3, most(&first[i])));
        row[1].caption = "layer 1".into();
        row[2..].iter_mut().for_each(|heat| heat.caption = " ".into());
        rows.push(row);
        let mut row = planes(&last[i], 7, 16, 7, most(&last[i]));
        row[0].caption = "layer 2".into();
        row[1..].iter_mut().for_each(|heat| heat.caption = " ".into());
        rows.push(row);
    }
    heats(&lab.path("maps.png"), &rows)?;
    let zeros = behind.iter().flatten().filter(|x| **x == 0.0).count();
    Ok(zeros as f64 / behind.iter().map(Vec::len).sum::<usize>() as f64)
}
