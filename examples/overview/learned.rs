//! A pooling whose weights are trained, beside the largest and the mean.

use crate::charts::{Axis, Chart, Colours, Heat, SERIES, charts, heats};
use crate::lab::{CLASSES, Lab, Recipe};
use crate::page::{Section, percent, short};
use crate::panels::Outcome;
use wgrad::graph::{Init, LayerId};
use wgrad::nn::{self, Layer};
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::{Graph, Mode, Value};

const WINDOW: usize = 4;

/// A weighted sum of each window, with the same weights in all channels: (N, C, H, W) to (N, C, H / 4, W / 4).
#[derive(Clone, Debug)]
struct LearnedPool(LayerId);

impl Layer for LearnedPool {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> wgrad::Result<Value> {
        let shape = g.shape(x)?.clone();
        g.layer(&self.0, |g| {
            // Channels become samples, so that one kernel serves them all.
            let planes = g.reshape(x, [shape[0] * shape[1], 1, shape[2], shape[3]])?;
            // It starts as the mean.
            let even = Init::Constant(1.0 / (WINDOW * WINDOW) as f32);
            let weight = g.parameter("weight", [1, 1, WINDOW, WINDOW], even)?;
            let pooled = g.conv2d(planes, weight, None, Conv2dOptions::new().stride([WINDOW; 2]))?;
            g.reshape(pooled, [shape[0], shape[1], shape[2] / WINDOW, shape[3] / WINDOW])
        })
    }
}

pub fn run(lab: &Lab, page: &mut Section) -> Outcome<()> {
    let steps = lab.pick(300, 40);
    let net = |pool: Box<dyn Layer>| {
        nn::Sequential::new()
            .add("conv", nn::Conv2d::new(1, 8, [5, 5]).padding([2, 2]))
            .add("relu", nn::Relu)
            .add("pool", pool)
            .add("flatten", nn::Flatten)
            .add("fc", nn::Linear::new(8 * 7 * 7, CLASSES))
    };
    let kinds: [(&str, Box<dyn Layer>); 3] = [
        ("mean", Box::new(nn::AvgPool2d::new([WINDOW; 2]))),
        ("max", Box::new(nn::MaxPool2d::new([WINDOW; 2]))),
        ("learned", Box::new(LearnedPool(LayerId::new()))),
    ];
    let (mut series, mut rows, mut scores, mut weights) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((name, pool), colour) in kinds.into_iter().zip(SERIES) {
        let net = net(pool);
        let recipe = Recipe { steps, batch: 64, rate: 3e-3, adam: true, seed: 3, items: Vec::new() };
        let compared = lab.compare((name, colour), &net, &recipe, 8)?;
        rows.push(compared.row);
        series.push(compared.curve);
        if name == "learned" {
            weights = compared.trained.weights.read("pool.weight")?.to_f64();
        }
        scores.push(compared.score);
    }
    charts(
        &lab.path("pools-trained.png"),
        1,
        &[Chart::new(
            "Loss of training with three kinds of pooling",
            Axis::new("step"),
            Axis::new("loss (mean of 17 steps)").log(),
            series,
        )],
    )?;
    let even = 1.0 / (WINDOW * WINDOW) as f64;
    let largest = weights.iter().copied().fold(f64::MIN, f64::max);
    let least = weights.iter().copied().fold(f64::MAX, f64::min);
    let sum: f64 = weights.iter().sum();
    heats(
        &lab.path("pool-weights.png"),
        &[vec![
            Heat::new("at the start: the mean", [WINDOW; 2], vec![even; WINDOW * WINDOW], Colours::Blue)
                .side(64)
                .digits(3)
                .range(0.0, largest),
            Heat::new("after training", [WINDOW; 2], weights, Colours::Blue)
                .side(64)
                .digits(3)
                .range(least.min(0.0), largest)
                .with_scale(),
        ]],
    )?;
    page.text(
        "The weights of a window can be learned like any others. Here one window of 4 x 4, the same for all channels, \
         starts as the mean and is trained with a small network (a convolution of 8 channels, ReLU, pooling, a linear \
         layer) beside networks with fixed pooling, from the same start and on the same images.",
    );
    page.formula("y<sub>c</sub>(i, j) = &sum;<sub>a, b</sub> w(a, b) x<sub>c</sub>(4i + a, 4j + b)");
    page.figure(
        "pools-trained.png",
        "Loss curves of networks with mean, max and learned pooling",
        &format!("The loss of training over {steps} steps of 64 images."),
    );
    page.table(&["pooling", "last loss of training", "test loss", "test accuracy"], &rows);
    page.figure(
        "pool-weights.png",
        "The sixteen weights of the window before and after training",
        "The window's weights at the start and after training.",
    );
    page.claim(
        largest - least > 0.2 * even,
        format!(
            "Training moves the window away from the mean: its weights now lie between {} and {}, and sum to {}; each \
             started at {}.",
            short(least),
            short(largest),
            short(sum),
            short(even)
        ),
    );
    page.claim(
        scores[2].loss < scores[0].loss,
        format!(
            "A learned window does better than the mean that it started as: its test loss is {} instead of {}, its accuracy \
             {} instead of {}. Max pooling comes to {} and {}.",
            short(scores[2].loss),
            short(scores[0].loss),
            percent(scores[2].accuracy),
            percent(scores[0].accuracy),
            short(scores[1].loss),
            percent(scores[1].accuracy)
        ),
    );
    Ok(())
}
