//! Dropout as bagging of networks that share weights: weight scaling and Monte-Carlo draws beside the exact mean over all
//! masks.

use crate::bagging::network;
use crate::charts::{Axis, BLUE, Chart, GREY, ORANGE, Series, charts};
use crate::lab::{CLASSES, Lab, Recipe, batch, mean, rms};
use crate::page::{Section, count, percent, short};
use crate::panels::Outcome;
use plotters::prelude::SeriesLabelPosition;
use wgrad::nn::Layer;
use wgrad::{Graph, HostTensor, Mode, Plan, Session, Value, Weights};

/// Test images that are read.
const BATCH: usize = 100;

/// The network in one mode, with its probabilities and their logarithms.
struct Reader {
    graph: Graph,
    pixels: Value,
    outputs: [Value; 2],
}

impl Reader {
    fn new(net: &dyn Layer, mode: Mode) -> Outcome<Reader> {
        let mut graph = Graph::new();
        let pixels = graph.input_u8("pixels", [BATCH, 1, 28, 28])?;
        let images = graph.bytes_to_float(pixels)?;
        let logits = net.forward(&mut graph, images, mode)?;
        let outputs = [graph.softmax(logits, 1)?, graph.log_softmax(logits, 1)?];
        Ok(Reader { graph, pixels, outputs })
    }

    fn session(&self, lab: &Lab, weights: &Weights, outputs: &[Value]) -> Outcome<Session> {
        let plan = Plan::new(&self.graph, outputs, lab.device.caps())?;
        let mut session = Session::new(&lab.device, plan, &weights.with_state_of(&self.graph)?)?;
        session.write(self.pixels, &batch(&lab.test, &(0..BATCH).collect::<Vec<_>>()).0)?;
        Ok(session)
    }
}

pub fn run(lab: &Lab, page: &mut Section) -> Outcome<()> {
    let (units, steps) = lab.pick((12, 400), (7, 60));
    let masks = 1u64 << units;
    let net = network(units, true);
    let recipe = Recipe { steps, batch: 64, rate: 3e-3, adam: true, seed: 9, items: Vec::new() };
    let weights = lab.train(&net, &recipe)?.weights;

    let mut reader = Reader::new(&net, Mode::EveryMask)?;
    let means = reader.graph.mean_over_masks(&reader.outputs)?;
    let found = reader.session(lab, &weights, &[])?.mean_over_masks(&means)?;
    let exact = found[0].mean.to_f64();
    // The geometric mean, scaled to a sum of one.
    let geometric: Vec<f64> = found[1].mean.to_f64().iter().map(|x| x.exp()).collect();
    let geometric: Vec<f64> = geometric
        .chunks_exact(CLASSES)
        .flat_map(|row| row.iter().map(move |p| p / row.iter().sum::<f64>()))
        .collect();

    let reader = Reader::new(&net, Mode::Eval)?;
    let mut session = reader.session(lab, &weights, &reader.outputs)?;
    session.step()?;
    let scaled = session.read(reader.outputs[0])?.to_f64();

    let apart = |a: &[f64], b: &[f64]| rms(a.iter().zip(b).map(|(a, b)| a - b));
    let mut reader = Reader::new(&net, Mode::MonteCarlo)?;
    let estimates = reader.graph.monte_carlo(&reader.outputs[..1])?;
    let mut session = reader.session(lab, &weights, &[])?;
    let draws = lab.pick(vec![2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], vec![2, 4, 8, 16, 32, 64, 128]);
    let mut errors = Vec::new();
    let mut last = Vec::new();
    for &n in &draws {
        let repeats = (256 / n).clamp(2, 8);
        let mut found = Vec::new();
        for _ in 0..repeats {
            let one: HostTensor = session.monte_carlo(&estimates, n)?.remove(0).mean;
            last = one.to_f64();
            found.push(apart(&last, &exact));
        }
        errors.push((n as f64, rms(found)));
    }
    let slope = slope(&errors);
    let (wrong, most) = (apart(&scaled, &exact), *draws.last().unwrap_or(&1));
    let needed = errors.iter().find(|point| point.1 < wrong).map(|point| point.0);

    let ends = [errors[0].0, errors[errors.len() - 1].0];
    let rule = |n: f64| errors[0].1 * (errors[0].0 / n).sqrt();
    charts(
        &lab.path("masks.png"),
        1,
        &[Chart::new(
            format!("Distance from the exact mean over {} masks", count(masks)),
            Axis::new("draws").log(),
            Axis::new("root mean square of the difference").log(),
            vec![
                Series::line("slope -1/2", GREY, ends.map(|n| (n, rule(n))).to_vec()),
                Series::line("weight scaling", ORANGE, ends.map(|n| (n, wrong)).to_vec()),
                Series::line("Monte-Carlo", BLUE, errors.clone()),
                Series::dots("", BLUE, errors.clone()),
            ],
        )
        .legend(SeriesLabelPosition::LowerLeft)],
    )?;
    page.text(&format!(
        "Dropout trains one network for every choice of the units that stay, and all share their weights. Their average can be \
         had in three ways. <i>Weight scaling</i> runs the network once with all units. <i>Monte-Carlo</i> averages over some \
         masks, drawn at random. With few units all masks can be run: the {units} hidden units here make \
         2<sup>{units}</sup> = {} masks, each weighted by its probability, and the mean is exact.",
        count(masks)
    ));
    page.formula("p(y | x) = &sum;<sub>m</sub> p(m) p(y | x, m) &nbsp;&approx;&nbsp; (1/n) &sum;<sub>i</sub> p(y | x, m<sub>i</sub>)");
    page.figure(
        "masks.png",
        "Monte-Carlo's distance from the exact mean by the number of draws, on logarithmic axes, beside weight scaling's",
        &format!("A network with {units} hidden units, a quarter of them dropped, and the probabilities of {BATCH} test digits."),
    );
    let rows =
        [("weight scaling", &scaled), ("Monte-Carlo", &last), ("exact mean", &exact)].map(|(name, p)| {
            let (score, distance) = (lab.score(p), apart(p, &exact));
            vec![name.to_owned(), percent(score.accuracy), short(score.loss), short(distance)]
        });
    page.table(&["average", "accuracy", "loss", "distance from the exact mean"], &rows);
    page.claim(
        (slope + 0.5).abs() < 0.15,
        format!(
            "Monte-Carlo comes to the exact mean like 1/&radic;n: the slope on logarithmic axes is {}, and {most} draws leave {}.",
            short(slope),
            short(errors[errors.len() - 1].1)
        ),
    );
    page.claim(
        wrong > 0.0 && needed.is_some_and(|n| n > errors[0].0),
        format!(
            "Weight scaling takes one run, but is not exact: it is {} away. {}.",
            short(wrong),
            needed.map_or_else(
                || format!("Even {most} draws are further away"),
                |n| format!("Monte-Carlo takes {n} draws to come nearer")
            )
        ),
    );
    let difference = geometric.iter().zip(&scaled).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    page.claim(
        difference < 1e-4,
        format!(
            "Behind the dropped units is only a linear layer and the softmax, so weight scaling is the masks' geometric mean, \
             scaled to a sum of one: the largest difference is {}.",
            short(difference)
        ),
    );
    let sums: Vec<f64> = exact.chunks_exact(CLASSES).map(|row| row.iter().sum()).collect();
    page.claim(
        sums.iter().all(|sum| (sum - 1.0).abs() < 1e-4),
        format!(
            "The exact mean is a distribution: its {} sums have the mean {:.6}.",
            sums.len(),
            mean(&sums)
        ),
    );
    Ok(())
}

/// The slope of the straight line nearest to the points' logarithms.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (x.ln(), y.max(1e-12).ln())).collect();
    let middle = |of: fn(&(f64, f64)) -> f64| mean(&logs.iter().map(of).collect::<Vec<_>>());
    let (x, y) = (middle(|p| p.0), middle(|p| p.1));
    let product: f64 = logs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    product / logs.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>()
}
