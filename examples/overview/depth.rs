//! How large gradients are in each layer of a deep network, by its activation.

use crate::charts::{Axis, Chart, SERIES, Series, charts};
use crate::lab::{CLASSES, Lab, batch};
use crate::page::{Section, short};
use crate::panels::Outcome;
use plotters::prelude::SeriesLabelPosition;
use wgrad::graph::{Fan, Init, Nonlinearity};
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode};

type Activation = fn() -> Box<dyn Layer>;

const DEPTH: usize = 10;
const BATCH: usize = 64;

pub fn run(lab: &Lab) -> Outcome<Section> {
    let kinds: [(&str, Nonlinearity, Activation); 3] = [
        ("sigmoid", Nonlinearity::Linear, || Box::new(nn::Sigmoid)),
        ("tanh", Nonlinearity::Tanh, || Box::new(nn::Tanh)),
        ("ReLU", Nonlinearity::Relu, || Box::new(nn::Relu)),
    ];
    let mut found = Vec::new();
    for (name, nonlinearity, activation) in kinds {
        found.push((name, norms(lab, nonlinearity, activation)?));
    }
    let points =
        |norms: &[f64]| norms.iter().enumerate().map(|(i, &x)| ((i + 1) as f64, x)).collect::<Vec<_>>();
    let mut series = Vec::new();
    for ((name, norms), colour) in found.iter().zip(SERIES) {
        series.push(Series::line(*name, colour, points(norms)));
        series.push(Series::dots("", colour, points(norms)));
    }
    charts(
        &lab.path("depth.png"),
        1,
        &[Chart::new(
            "Gradients at the start of training, layer by layer",
            Axis::new("layer, from the input"),
            Axis::new("norm of the weight's gradient").log(),
            series,
        )
        .legend(SeriesLabelPosition::LowerRight)],
    )?;
    let ratio = |i: usize| found[i].1[0] / found[i].1[DEPTH - 1];
    let mut page = Section::new("Gradients by depth");
    page.text(
        "The gradient of an early layer is a product over all layers behind it: of their weights, and of the slopes of their \
         activations. A sigmoid's slope is at most 1/4, so ten of them shrink the product nearly to nothing, and early layers \
         do not learn. The slope of tanh is 1 at zero and less elsewhere; that of ReLU is 1 for every unit that is on.",
    );
    page.formula("&part;L/&part;x<sub>1</sub> = W<sub>1</sub><sup>T</sup> D<sub>1</sub> W<sub>2</sub><sup>T</sup> D<sub>2</sub> &hellip; &part;L/&part;x<sub>n</sub>, &nbsp; D = diag f&prime;(x); &nbsp; &sigma;&prime; = &sigma;(1 &minus; &sigma;) &le; 1/4");
    page.figure(
        "depth.png",
        "Norms of gradients of ten layers for sigmoid, tanh and ReLU on a logarithmic scale",
        &format!(
            "{DEPTH} convolutions of 8 channels without batch norm, one batch of {BATCH} digits. The weights start at the \
             size that suits each activation (Kaiming, with its gain)."
        ),
    );
    page.claim(
        ratio(0) < 0.25f64.powi(DEPTH as i32 - 3),
        format!(
            "With sigmoids gradients vanish: the first layer's is {} of the last layer's. (1/4)<sup>{}</sup> is {}.",
            short(ratio(0)),
            DEPTH - 1,
            short(0.25f64.powi(DEPTH as i32 - 1))
        ),
    );
    page.claim(
        ratio(2) > 1000.0 * ratio(0) && ratio(1) > 100.0 * ratio(0),
        format!(
            "With tanh and ReLU they keep their size: the first layer's is {} and {} times the last layer's.",
            short(ratio(1)),
            short(ratio(2))
        ),
    );
    Ok(page)
}

/// The norm of each convolution's gradient before the first update.
fn norms(lab: &Lab, nonlinearity: Nonlinearity, activation: Activation) -> Outcome<Vec<f64>> {
    let mut net = nn::Sequential::new();
    for i in 0..DEPTH {
        let (from, stride) = if i == 0 { (1, 2) } else { (8, 1) };
        let conv = nn::Conv2d::new(from, 8, [3, 3]).padding([1, 1]).stride([stride; 2]);
        let conv = conv.init(Init::kaiming_normal(Fan::In, nonlinearity)).bias_init(Init::Constant(0.0));
        net = net.add(format!("conv{i}"), conv).add(format!("activation{i}"), activation());
    }
    let net = net.add("flatten", nn::Flatten).add("fc", nn::Linear::new(8 * 14 * 14, CLASSES));
    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [BATCH, 1, 28, 28])?;
    // Around zero, as the weights' initial size expects.
    let images = g.normalize_bytes(pixels, &[0.1307], &[0.3081])?;
    let labels = g.input_i32("labels", BATCH)?;
    let logits = net.forward(&mut g, images, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let weights: Option<Vec<_>> = (0..DEPTH).map(|i| g.find(&format!("conv{i}.weight"))).collect();
    let weights = weights.ok_or("each convolution has a weight")?;
    let gradients = g.gradients(loss, &weights)?;
    let norms: Vec<_> = gradients
        .into_iter()
        .flatten()
        .map(|gradient| g.vector_norm(gradient, 2.0, &[], false))
        .collect::<wgrad::Result<_>>()?;
    let mut session = lab.session(&g, &norms)?;
    let (bytes, classes) = batch(&lab.train, &(0..BATCH).map(|i| i % lab.train.len()).collect::<Vec<_>>());
    session.write(pixels, &bytes)?;
    session.write(labels, &classes)?;
    session.step()?;
    norms.iter().map(|&norm| Ok(session.read(norm)?.to_f64()[0])).collect()
}
