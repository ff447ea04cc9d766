//! The sizes of feature maps and the receptive fields of their pixels: by formulas, and as the graph and the device have
//! them.

use crate::charts::{Colours, Heat, heats};
use crate::lab::Lab;
use crate::page::{Section, count};
use crate::panels::Outcome;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::pool2d::AvgPool2dOptions;
use wgrad::{Graph, HostTensor};

const SIDE: usize = 96;
/// Layers: name, kernel, stride, dilation, and whether it pools.
const LAYERS: [(&str, usize, usize, usize, bool); 7] = [
    ("convolution 3", 3, 1, 1, false),
    ("convolution 3", 3, 1, 1, false),
    ("pooling 2, stride 2", 2, 2, 1, true),
    ("convolution 3, dilation 2", 3, 1, 2, false),
    ("convolution 3", 3, 1, 1, false),
    ("pooling 2, stride 2", 2, 2, 1, true),
    ("convolution 5", 5, 1, 1, false),
];
/// Cases of the table: n, k, stride, padding, dilation.
const SHOWN: [[usize; 5]; 10] = [
    [28, 5, 1, 0, 1],
    [28, 5, 1, 2, 1],
    [28, 3, 2, 1, 1],
    [29, 3, 2, 1, 1],
    [32, 2, 2, 0, 1],
    [33, 2, 2, 0, 1],
    [224, 7, 2, 3, 1],
    [224, 3, 1, 2, 2],
    [64, 5, 3, 1, 2],
    [7, 7, 1, 0, 1],
];

pub fn run(lab: &Lab) -> Outcome<Section> {
    let mut page = Section::new("Sizes of maps, and receptive fields");
    page.text(
        "How large a map is follows from the input's size n, the kernel k, the padding p and the stride s: the kernel fits as \
         often as its left end has steps of s to take, rounded down. Dilation d spreads the taps, so a kernel of k taps \
         covers d(k &minus; 1) + 1 pixels.",
    );
    page.formula("m = &lfloor;(n + 2p &minus; k) / s&rfloor; + 1, &nbsp; where a dilated kernel counts as d(k &minus; 1) + 1");
    let rows = SHOWN.iter().map(|&case| -> Outcome<Vec<String>> {
        let [n, k, s, p, d] = case;
        let found = size(case)?.to_string();
        Ok([n, k, s, p, d, formula(case)].iter().map(ToString::to_string).chain([found]).collect())
    });
    let rows: Vec<Vec<String>> = rows.collect::<Outcome<_>>()?;
    page.table(&["n", "k", "stride s", "padding p", "dilation d", "formula", "graph"], &rows);
    let (mut cases, mut agree) = (0, 0);
    for n in [7, 8, 27, 28, 32, 33, 224] {
        for k in [1, 2, 3, 5, 7] {
            for s in 1..4 {
                for p in [0, 1, 2, 3] {
                    for d in [1, 2, 3] {
                        if d * (k - 1) < n + 2 * p {
                            cases += 1;
                            agree += u64::from(size([n, k, s, p, d])? == formula([n, k, s, p, d]));
                        }
                    }
                }
            }
        }
    }
    page.claim(
        cases == agree,
        format!(
            "The formula and the graph agree in {} of {} cases of n, k, s, p and d.",
            count(agree),
            count(cases)
        ),
    );
    receptive(lab, &mut page)?;
    Ok(page)
}

/// A convolution's size along an axis, by the formula.
fn formula([n, k, s, p, d]: [usize; 5]) -> usize {
    (n + 2 * p - (d * (k - 1) + 1)) / s + 1
}

/// The same as the graph has it.
fn size([n, k, s, p, d]: [usize; 5]) -> Outcome<usize> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, n, n])?;
    let kernel = g.input("kernel", [1, 1, k, k])?;
    let options = Conv2dOptions::new().stride([s; 2]).padding([p; 2]).dilation([d; 2]);
    let y = g.conv2d(x, kernel, None, options)?;
    Ok(g.shape(y)?[3])
}

/// Compares the recursion with where the gradient of one output pixel is not zero.
fn receptive(lab: &Lab, page: &mut Section) -> Outcome<()> {
    let mut g = Graph::new();
    let image = g.constant(HostTensor::filled([1, 1, SIDE, SIDE], 1.0)?)?;
    let mut x = image;
    let (mut fields, mut jump, mut field) = (Vec::new(), 1, 1);
    let mut values = Vec::new();
    for (_, kernel, stride, dilation, pools) in LAYERS {
        x = if pools {
            g.avg_pool2d(x, AvgPool2dOptions::new([kernel; 2]).stride([stride; 2]))?
        } else {
            let taps = HostTensor::filled([1, 1, kernel, kernel], 1.0 / (kernel * kernel) as f32)?;
            let taps = g.constant(taps)?;
            g.conv2d(x, taps, None, Conv2dOptions::new().stride([stride; 2]).dilation([dilation; 2]))?
        };
        field += dilation * (kernel - 1) * jump;
        jump *= stride;
        fields.push((field, jump));
        // The gradient of one pixel in the middle.
        let side = g.shape(x)?[2];
        let mut one = vec![0.0; side * side];
        one[side / 2 * side + side / 2] = 1.0;
        let one = g.constant(HostTensor::f32([1, 1, side, side], one)?)?;
        values.extend(g.gradients_from(&[(x, one)], &[image])?.into_iter().flatten());
    }
    let maps: Vec<Vec<f64>> = lab.values(&g, &values)?.iter().map(HostTensor::to_f64).collect();
    let measured: Vec<usize> = maps
        .iter()
        .map(|map| (0..SIDE).filter(|x| (0..SIDE).any(|y| map[y * SIDE + x] != 0.0)).count())
        .collect();

    // The part around the middle that the last layer sees.
    const CUT: usize = 48;
    let heat = |i: usize| {
        let at = |j: usize| maps[i][(j / CUT + (SIDE - CUT) / 2) * SIDE + j % CUT + (SIDE - CUT) / 2];
        let most = maps[i].iter().copied().fold(0.0, f64::max);
        let shares = (0..CUT * CUT).map(|j| at(j) / most).collect();
        Heat::new(format!("layer {}: {} pixels", i + 1, measured[i]), [CUT; 2], shares, Colours::Blue)
            .side(4)
            .range(0.0, 1.0)
    };
    heats(&lab.path("receptive.png"), &[(0..4).map(heat).collect(), (4..LAYERS.len()).map(heat).collect()])?;
    page.text(
        "The receptive field of a pixel is the part of the input that it depends on. It grows layer by layer: a kernel of k \
         taps adds k &minus; 1 steps, and a step is as many input pixels as all strides before it make. Measured, it is where \
         the gradient of one pixel by the input is not zero. The gradient also shows that the middle of the field counts far \
         more than its border.",
    );
    page.formula("r &larr; r + d(k &minus; 1) &middot; j, &nbsp; j &larr; j &middot; s, &nbsp; starting with r = j = 1");
    page.figure(
        "receptive.png",
        "Seven maps of the gradient of one output pixel, wider from layer to layer",
        "The gradient of one pixel by the input, as a part of its largest value, after each layer of the table.",
    );
    let rows: Vec<Vec<String>> = LAYERS
        .iter()
        .zip(&fields)
        .zip(&measured)
        .map(|((layer, (field, jump)), found)| {
            vec![layer.0.to_owned(), jump.to_string(), field.to_string(), found.to_string()]
        })
        .collect();
    page.table(&["layer", "step j after it", "field r by the recursion", "measured"], &rows);
    page.claim(
        fields.iter().zip(&measured).all(|(field, found)| field.0 == *found),
        format!(
            "The recursion gives the measured receptive field after each of {} layers; the last pixel sees {} x {} input \
             pixels.",
            LAYERS.len(),
            measured[LAYERS.len() - 1],
            measured[LAYERS.len() - 1]
        ),
    );
    let last = &maps[LAYERS.len() - 1];
    let half = measured[LAYERS.len() - 1] / 2;
    // The quarter of the field's area around its middle.
    let lit: Vec<usize> = (0..SIDE).filter(|x| (0..SIDE).any(|y| last[y * SIDE + x] != 0.0)).collect();
    let start = lit.first().copied().unwrap_or(0) + half / 2;
    let inside = start..start + half;
    let weight: f64 = inside.clone().flat_map(|y| inside.clone().map(move |x| last[y * SIDE + x])).sum();
    let share = weight / last.iter().sum::<f64>();
    page.claim(
        share > 0.4,
        format!(
            "The middle counts most: the inner quarter of the last field's area has {} of the gradient.",
            crate::page::percent(share)
        ),
    );
    Ok(())
}
