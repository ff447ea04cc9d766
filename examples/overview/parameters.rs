//! Where a network's parameters and its multiply-adds lie, and what flattening does.

use crate::charts::{Axis, BLUE, Chart, ORANGE, Series, charts};
use crate::filters::network;
use crate::lab::Lab;
use crate::page::{Section, count, percent};
use crate::panels::Outcome;
use wgrad::nn::Layer;
use wgrad::{Graph, HostTensor, Mode};

pub fn run(lab: &Lab) -> Outcome<Section> {
    let mut g = Graph::new();
    let images = g.input("images", [1, 1, 28, 28])?;
    let logits = network().forward(&mut g, images, Mode::Eval)?;
    let summary = g.summary(logits)?;
    // A row for each layer with parameters: its node may be called by the layer or by what the layer is made of.
    let layers = ["conv1", "bn1", "conv2", "bn2", "fc1", "fc2"];
    let of = |layer: &str, number: fn(&wgrad::graph::SummaryRow) -> u64| -> u64 {
        let own =
            |name: &str| name == layer || name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
        summary.rows.iter().filter(|row| own(&row.layer)).map(number).sum()
    };
    let parameters: Vec<u64> = layers.iter().map(|layer| of(layer, |row| row.parameters)).collect();
    let products: Vec<u64> = layers.iter().map(|layer| of(layer, |row| row.multiply_adds)).collect();
    let bars = |values: &[u64], colour| {
        let points = values.iter().enumerate().map(|(i, &n)| (i as f64, n as f64)).collect();
        vec![Series::bars("", colour, points, 0.7)]
    };
    let names = || Axis::new("layer").names(layers);
    charts(
        &lab.path("parameters.png"),
        2,
        &[
            Chart::new("Parameters", names(), Axis::new("").range(10.0, 2e6).log(), bars(&parameters, BLUE)),
            Chart::new(
                "Multiply-adds for one image",
                names(),
                Axis::new("").range(1e3, 1e7).log(),
                bars(&products, ORANGE),
            ),
        ],
    )?;
    let mut page = Section::new("Parameters, and flattening");
    page.text(
        "A convolution's weights serve every place of the image, so it has few of them and uses each often. A linear layer \
         behind it has a weight for every pair of an input and an output, and uses each once. Most parameters of a small \
         network therefore lie in its first linear layer, and most of its work in its convolutions.",
    );
    page.formula("convolution: C<sub>out</sub> (C<sub>in</sub> k&sup2; + 1) &nbsp;&nbsp; linear: n<sub>out</sub> (n<sub>in</sub> + 1)");
    page.figure(
        "parameters.png",
        "Bars of parameters and of multiply-adds for each layer",
        "The network of section 8, on logarithmic scales. Batch norm has no products or convolutions.",
    );
    let all = summary.parameters();
    let rows: Vec<Vec<String>> = layers
        .iter()
        .zip(parameters.iter().zip(&products))
        .map(|(layer, (&own, &products))| {
            vec![(*layer).to_owned(), count(own), percent(own as f64 / all as f64), count(products)]
        })
        .collect();
    page.table(&["layer", "parameters", "share", "multiply-adds for an image"], &rows);
    let formulas = [8 * (9 + 1), 16, 32 * (8 * 25 + 1), 64, 600 * (32 * 49 + 1), 10 * (600 + 1)];
    page.claim(
        parameters == formulas && parameters.iter().sum::<u64>() == all,
        format!("The formulas give each layer's count in the graph, {} in all.", count(all)),
    );
    page.claim(
        parameters[4] * 2 > all && products[2] * 2 > summary.multiply_adds(),
        format!(
            "fc1 has {} of the parameters and does {} of the multiply-adds; conv2 has {} and does {}.",
            percent(parameters[4] as f64 / all as f64),
            percent(products[4] as f64 / summary.multiply_adds() as f64),
            percent(parameters[2] as f64 / all as f64),
            percent(products[2] as f64 / summary.multiply_adds() as f64)
        ),
    );
    flattening(lab, &mut page)?;
    Ok(page)
}

fn flattening(lab: &Lab, page: &mut Section) -> Outcome<()> {
    let [samples, channels, height, width] = [2, 32, 7, 7];
    let elements = samples * channels * height * width;
    let mut g = Graph::new();
    let numbers = HostTensor::f32(
        [samples, channels, height, width],
        (0..elements).map(|i| (7 * i % 4099) as f32).collect(),
    )?;
    let maps = g.constant(numbers.clone())?;
    let twice = g.scale(maps, 2.0)?;
    let flat = g.flatten(twice)?;
    let found = lab.values(&g, &[flat])?.remove(0);
    let (flat, maps) = (found.to_f64(), numbers.to_f64());
    // Tensors are row-major, so the maps' own element (n, c, h, w) is looked up by its four indices.
    let mut agree = 0;
    for n in 0..samples {
        for c in 0..channels {
            for h in 0..height {
                for w in 0..width {
                    let before = maps[((n * channels + c) * height + h) * width + w];
                    let after = flat[n * found.shape[1] + c * height * width + h * width + w];
                    agree += usize::from(after == 2.0 * before);
                }
            }
        }
    }
    page.text(
        "Between the two kinds stands <i>flatten</i>: it lays all maps of an example out as one row, channel by channel and \
         row by row. Nothing is computed, only the shape changes.",
    );
    page.formula("(n, c, h, w) &rarr; (n, c &middot; H &middot; W + h &middot; W + w)");
    page.claim(
        agree == elements && found.shape[..] == [samples, channels * height * width],
        format!(
            "On the device maps of {samples} x {channels} x {height} x {width} become {} x {}, and {} of {} elements stand \
             where the formula puts them; element (c, h, w) = (3, 2, 1) is at {}.",
            found.shape[0],
            found.shape[1],
            count(agree as u64),
            count(elements as u64),
            3 * height * width + 2 * width + 1
        ),
    );
    Ok(())
}
