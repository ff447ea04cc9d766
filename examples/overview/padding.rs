//! Padding: in how many windows each pixel takes part, after one convolution and after several.

use crate::charts::{Colours, Heat, heats};
use crate::lab::Lab;
use crate::page::{Section, count, percent};
use crate::panels::Outcome;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::{Graph, HostTensor, Value};

const SIDE: usize = 24;
const KERNEL: usize = 5;
const LAYERS: usize = 3;
const PADDINGS: [(&str, usize); 3] = [("valid", 0), ("half", KERNEL / 2), ("full", KERNEL - 1)];

pub fn run(lab: &Lab) -> Outcome<Section> {
    let mut g = Graph::new();
    let kernel = g.constant(HostTensor::filled([1, 1, KERNEL, KERNEL], 1.0)?)?;
    let mut values: Vec<Value> = Vec::new();
    let mut sizes = Vec::new();
    for (_, padding) in PADDINGS {
        let image = g.constant(HostTensor::filled([1, 1, SIDE, SIDE], 1.0)?)?;
        let mut x = image;
        for _ in 0..LAYERS {
            x = g.conv2d(x, kernel, None, Conv2dOptions::new().padding([padding; 2]))?;
            sizes.push(g.shape(x)?[2]);
            // With weights of one, the sum's gradient counts the paths from a pixel to the outputs.
            let sum = g.sum(x, &[], false)?;
            values.extend(g.gradients(sum, &[image])?.into_iter().flatten());
        }
    }
    let maps: Vec<Vec<f64>> = lab.values(&g, &values)?.iter().map(HostTensor::to_f64).collect();
    let row = |layer: usize| {
        let map = |(i, (name, _)): (usize, &(&str, usize))| {
            let values: &[f64] = &maps[i * LAYERS + layer];
            let most = values.iter().copied().fold(0.0, f64::max);
            let shares = values.iter().map(|x| x / most).collect();
            let layers = if layer == 0 { "one layer".to_owned() } else { format!("{} layers", layer + 1) };
            Heat::new(format!("{name}, {layers}"), [SIDE; 2], shares, Colours::Blue)
                .side(11)
                .range(0.0, 1.0)
                .with_scale()
        };
        PADDINGS.iter().enumerate().map(map).collect::<Vec<_>>()
    };
    heats(&lab.path("padding.png"), &(0..LAYERS).map(row).collect::<Vec<_>>())?;

    let mut page = Section::new("Padding, and the pixels at the border");
    page.text(
        "Without padding (<i>valid</i>) a kernel of <i>k</i> taps fits into <i>n</i> pixels at n &minus; k + 1 places, and \
         the map shrinks with each layer. Zeros around the input keep its size (<i>half</i>, (k &minus; 1)/2 to each side), or \
         let every tap meet every pixel (<i>full</i>, k &minus; 1). The blurs of section 3 show all three. A pixel in a \
         corner takes part in fewer windows than one in the middle, so the network hears less of it.",
    );
    page.formula("windows with pixel i = #{o : 0 &le; o &lt; n + 2p &minus; k + 1, &nbsp; o &minus; p &le; i &le; o &minus; p + k &minus; 1}");
    page.text(
        "With weights of one, the gradient of the sum of all outputs by a pixel is exactly this count; over several layers it \
         counts the paths from the pixel to the outputs. The maps show it as a part of its largest value.",
    );
    page.figure(
        "padding.png",
        "Nine maps of how often each pixel is used: three paddings, after one, two and three layers",
        &format!("How often each of {SIDE} x {SIDE} pixels is used, with kernels of {KERNEL} x {KERNEL}."),
    );
    // By the formula, without the device.
    let along = |i: usize, padding: usize| {
        let outputs = SIDE + 2 * padding - KERNEL + 1;
        (0..outputs).filter(|&o| o <= i + padding && i + padding < o + KERNEL).count()
    };
    let expected = |i: usize, padding: usize| (along(i / SIDE, padding) * along(i % SIDE, padding)) as f64;
    let agree = PADDINGS.iter().enumerate().all(|(p, &(_, padding))| {
        maps[p * LAYERS].iter().enumerate().all(|(i, &found)| found == expected(i, padding))
    });
    let corner = |p: usize, layer: usize| maps[p * LAYERS + layer][0];
    let middle = |p: usize, layer: usize| maps[p * LAYERS + layer][SIDE / 2 * SIDE + SIDE / 2];
    page.claim(
        agree,
        format!(
            "The gradient counts windows as the formula does, for all {} pixels: a corner takes part in this many windows: {} without \
             padding, {} with half and {} with full padding; a pixel in the middle in {}.",
            count((3 * SIDE * SIDE) as u64),
            corner(0, 0),
            corner(1, 0),
            corner(2, 0),
            middle(0, 0)
        ),
    );
    let share = |p: usize, layer: usize| corner(p, layer) / middle(p, layer);
    page.claim(
        share(0, LAYERS - 1) < share(0, 0) && share(1, LAYERS - 1) < 1.0 && share(2, LAYERS - 1) == 1.0,
        format!(
            "More layers make it worse, unless the padding is full: after {LAYERS} layers the corner has {} of the middle's \
             paths without padding ({} after one), {} with half padding, and {} with full padding.",
            percent(share(0, LAYERS - 1)),
            percent(share(0, 0)),
            percent(share(1, LAYERS - 1)),
            percent(share(2, LAYERS - 1))
        ),
    );
    let last = |p: usize| sizes[p * LAYERS + LAYERS - 1];
    page.claim(
        last(0) < SIDE && last(1) == SIDE && last(2) > SIDE,
        format!(
            "Sizes go with it: {LAYERS} layers turn {SIDE} pixels into {} without padding, {} with half, and {} with full padding.",
            last(0),
            last(1),
            last(2)
        ),
    );
    Ok(page)
}
