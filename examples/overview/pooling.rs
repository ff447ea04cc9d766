//! Pooling: the picture of pools and paddings, how far pooled outputs change when the input is shifted, and what a learned
//! window comes to (`learned`).

use crate::charts::{Axis, Chart, SERIES, Series, charts};
use crate::edges::SIDE;
use crate::lab::{Lab, deviation, rms};
use crate::landscape::landscape;
use crate::learned;
use crate::page::{Section, percent};
use crate::panels::{self, Outcome, Panel};
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions, WeightedAvgPool2dOptions};
use wgrad::{Graph, HostTensor, Value};

const SHIFTS: usize = 9;
/// The part of the picture that is shifted: a multiple of every window.
const PART: usize = 480;

pub fn run(lab: &Lab) -> Outcome<Section> {
    picture(lab)?;
    let curves = invariance(lab)?;
    let shown = |curve: &(String, Vec<f64>), colour| {
        Series::line(
            curve.0.clone(),
            colour,
            curve.1.iter().enumerate().map(|(s, &x)| (s as f64, x)).collect(),
        )
    };
    charts(
        &lab.path("invariance.png"),
        2,
        &[
            Chart::new(
                "Max pooling, by the size of the window",
                Axis::new("shift of the input, pixels"),
                Axis::new("relative change of the output").range(0.0, 2.4),
                curves[..5].iter().zip(SERIES).map(|(curve, colour)| shown(curve, colour)).collect(),
            ),
            Chart::new(
                "Kinds of pooling, windows of 8 x 8",
                Axis::new("shift of the input, pixels"),
                Axis::new("relative change of the output").range(0.0, 2.4),
                [0, 3, 5, 6, 7].iter().zip(SERIES).map(|(&i, colour)| shown(&curves[i], colour)).collect(),
            ),
        ],
    )?;

    let mut page = Section::new("Pooling");
    page.text(
        "Pooling replaces each window of a map by one number: its largest value, its mean, a mean that weighs the window's \
         middle most, or the root of its mean square. The map gets smaller by the window's size, and what is left depends \
         less on where within the window something was.",
    );
    page.formula(
        "max: max x<sub>i</sub> &nbsp;&nbsp; mean: (1/n) &sum; x<sub>i</sub> &nbsp;&nbsp; by distance: &sum; d<sub>i</sub> \
         x<sub>i</sub> / &sum; d<sub>i</sub> &nbsp;&nbsp; L2: (&sum; x<sub>i</sub>&sup2;)<sup>1/2</sup>",
    );
    page.figure(
        "overview.png",
        "The landscape, its edges, four kinds of pooling, and a blur with three paddings",
        "The landscape and its edges; windows of 8 x 8, pooled in four ways and drawn four times as large; a blur of 9 x 9 \
         with three paddings, drawn twice as large (section 4).",
    );
    page.text(
        "Shift the input by a few pixels, and an output that is invariant to translation stays as it is. The curves take \
         the strengths of the landscape's edges, shift them, and measure how far the pooled maps change: the root mean \
         square of the change divided by the map's own deviation. Two unrelated maps are &radic;2 apart.",
    );
    page.figure(
        "invariance.png",
        "Curves of the relative change of pooled maps against the shift, for sizes and kinds of pooling",
        "Left: the larger the window, the less a shift changes. Right: kinds of pooling with the same window.",
    );
    let after = |i: usize| curves[i].1[1];
    page.claim(
        after(3) < after(0) / 2.0,
        format!(
            "A shift by one pixel changes the map of edges by {} of its deviation, and after max pooling by 8 x 8 by {}.",
            percent(after(0)),
            percent(after(3))
        ),
    );
    page.claim(
        (1..5).all(|i| after(i) < after(i - 1)),
        format!(
            "Larger windows are less sensitive to a shift by one pixel: {}.",
            curves[..5]
                .iter()
                .map(|(name, x)| format!("{name} {}", percent(x[1])))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    learned::run(lab, &mut page)?;
    Ok(page)
}

/// For each pooling its name, and the relative change of its output for each shift.
fn invariance(lab: &Lab) -> Outcome<Vec<(String, Vec<f64>)>> {
    let picture = landscape(SIDE);
    // A sample for each shift, one column wider, because edges are one narrower.
    let shifted =
        (0..SHIFTS).flat_map(|s| (0..PART * (PART + 1)).map(move |i| (i / (PART + 1), i % (PART + 1) + s)));
    let pixels = shifted.map(|(y, x)| picture[y * SIDE + x]).collect();
    let mut g = Graph::new();
    let images = g.constant(HostTensor::f32([SHIFTS, 1, PART, PART + 1], pixels)?)?;
    let kernel = g.constant(HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?)?;
    let edges = g.conv2d(images, kernel, None, Conv2dOptions::new())?;
    let edges = g.abs(edges)?;
    let mut outputs = vec![("no pooling".to_owned(), edges)];
    for side in [2, 4, 8, 16] {
        let pooled = g.max_pool2d(edges, MaxPool2dOptions::new([side; 2]))?;
        outputs.push((format!("max, {side} x {side}"), pooled));
    }
    outputs.push(("mean".into(), g.avg_pool2d(edges, AvgPool2dOptions::new([8, 8]))?));
    outputs.push((
        "mean by distance".into(),
        g.weighted_avg_pool2d(edges, WeightedAvgPool2dOptions::new([8, 8]))?,
    ));
    outputs.push(("L2".into(), g.l2_pool2d(edges, LpPool2dOptions::new([8, 8]))?));
    let values: Vec<Value> = outputs.iter().map(|output| output.1).collect();
    let found = lab.values(&g, &values)?;
    let change = |tensor: &HostTensor| {
        let all = tensor.to_f64();
        let maps: Vec<&[f64]> = all.chunks_exact(all.len() / SHIFTS).collect();
        let apart = |map: &&[f64]| rms(map.iter().zip(maps[0]).map(|(a, b)| a - b)) / deviation(maps[0]);
        maps.iter().map(apart).collect()
    };
    Ok(outputs.into_iter().zip(&found).map(|((name, _), tensor)| (name, change(tensor))).collect())
}

/// Draws the landscape, its edges, four kinds of pooling, and a blur with three paddings.
fn picture(lab: &Lab) -> Outcome<()> {
    let picture = landscape(SIDE);
    let mut g = Graph::new();
    let image = g.constant(HostTensor::f32([1, 1, SIDE, SIDE], picture.clone())?)?;
    let kernel = g.constant(HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?)?;
    let edges = g.conv2d(image, kernel, None, Conv2dOptions::new())?;
    let window = [8, 8];
    let largest = g.max_pool2d(image, MaxPool2dOptions::new(window))?;
    let mean = g.avg_pool2d(image, AvgPool2dOptions::new(window))?;
    let middle = g.weighted_avg_pool2d(image, WeightedAvgPool2dOptions::new(window))?;
    // The root of the mean square: the 2-norm divided by the root of 64.
    let norm = g.l2_pool2d(image, LpPool2dOptions::new(window))?;
    let norm = g.scale(norm, 0.125)?;
    // A blur by a kernel of 9 x 9, padded by nothing, half of the kernel, and the kernel's size minus one.
    let blur = g.constant(HostTensor::filled([1, 1, 9, 9], 1.0 / 81.0)?)?;
    let quarter = g.slice(image, 2, 0..SIDE, 4)?;
    let quarter = g.slice(quarter, 3, 0..SIDE, 4)?;
    let mut values = vec![edges, largest, mean, middle, norm];
    for padding in [0, 4, 8] {
        values.push(g.conv2d(quarter, blur, None, Conv2dOptions::new().padding([padding; 2]))?);
    }
    let names = ["edges by (-1, 1)", "largest of 8 x 8", "mean", "mean by distance", "2-norm"];
    let names = names.into_iter().chain(["valid padding", "half padding", "full padding"]);
    let found = lab.values(&g, &values)?;
    let mut drawn: Vec<Panel> = names
        .zip(&found)
        .map(|(name, tensor)| {
            let [height, width] = [tensor.shape[2], tensor.shape[3]];
            let pixels = tensor.as_f32().unwrap_or_default().to_vec();
            Panel::new(format!("{name}, {width} x {height}"), width, height, pixels)
        })
        .collect();
    drawn[0].pixels.iter_mut().for_each(|x| *x = (4.0 * x.abs()).min(1.0));
    let paddings = drawn.split_off(5).into_iter().map(|panel| panel.scaled(2)).collect();
    let pools = drawn.split_off(1).into_iter().map(|panel| panel.scaled(4)).collect();
    drawn.insert(0, Panel::new(format!("the picture, {SIDE} x {SIDE}"), SIDE, SIDE, picture));
    panels::draw(&lab.path("overview.png"), "Convolution, pooling, padding", &[drawn, pools, paddings])
}
