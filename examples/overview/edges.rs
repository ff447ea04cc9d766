//! Edges by a kernel of two taps, and the same map as a dense matrix: how many operations each takes, and how long.

use crate::charts::{Colours, Heat, heats};
use crate::lab::{Lab, mean, seconds};
use crate::landscape::landscape;
use crate::page::{Section, count, short, time};
use crate::panels::Outcome;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::{Graph, HostTensor, Shape};

pub const SIDE: usize = 512;
/// Bytes of the largest block of the matrix that is built.
const BLOCK: u64 = 80 << 20;

pub fn run(lab: &Lab) -> Outcome<Section> {
    let width = SIDE - 1;
    let mut g = Graph::new();
    let image = g.constant(HostTensor::f32([1, 1, SIDE, SIDE], landscape(SIDE))?)?;
    let kernel = g.constant(HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?)?;
    let edges = g.conv2d(image, kernel, None, Conv2dOptions::new())?;
    let shape = g.shape(edges)?.clone();
    let mut session = lab.session(&g, &[edges])?;
    let convolving = seconds(&mut session, 20)?;
    let edges = session.read(edges)?.to_f64();
    // Two products and a sum for each output.
    let operations = (shape.elements() * 3) as u64;
    let (inputs, outputs) = ((SIDE * SIDE) as u64, shape.elements() as u64);

    let timed = lab.pick(vec![0, 170, 340, 511], vec![256]);
    let (rows, difference) = dense_rows(lab, &timed, &edges)?;
    let whole = mean(&rows) * SIDE as f64;
    let small = small_product(lab)?;

    let matrix = Conv2dOptions::new()
        .toeplitz(&Shape::from([1, 4, 5]), &HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?)?;
    let (height, across) = (matrix.shape[0], matrix.shape[1]);
    heats(
        &lab.path("edges.png"),
        &[vec![
            Heat::new("edges by (-1, 1)", [SIDE, width], edges, Colours::Signed)
                .side(1)
                .range(-0.25, 0.25)
                .with_scale(),
            Heat::new(
                "the same map of a 4 x 5 picture, as a matrix",
                [height, across],
                matrix.to_f64(),
                Colours::Signed,
            )
            .side(26)
            .with_scale(),
        ]],
    )?;

    let mut page = Section::new("Edges by two weights instead of a dense matrix");
    page.text(
        "The kernel (&minus;1, 1) subtracts each pixel from its right neighbour: it answers where brightness changes, and \
         is silent on even ground. A convolution is a linear map, so a dense matrix can do the same; nearly all of its \
         entries are zero, and the others repeat the same two weights along diagonals. That is what sparse connections and \
         shared weights save.",
    );
    page.formula("y(i, j) = x(i, j + 1) &minus; x(i, j) &nbsp;&nbsp; or &nbsp;&nbsp; vec(y) = T vec(x)");
    page.figure(
        "edges.png",
        "Left: the edges of the landscape. Right: the convolution of a small picture as a matrix with two diagonals",
        &format!(
            "Left: the landscape's upright edges, {} x {}. Right: the matrix of a 4 x 5 picture has {height} rows, one for \
             each output, and {across} columns; blue is &minus;1, orange 1.",
            shape[2], shape[3]
        ),
    );
    page.table(
        &["", "by convolution", "by a dense matrix"],
        &[
            vec!["weights".into(), "2".into(), count(inputs * outputs)],
            vec![
                "bytes of the weights (f32)".into(),
                "8".into(),
                format!("{} GB", short(inputs as f64 * outputs as f64 * 4e-9)),
            ],
            vec!["operations".into(), count(operations), count(2 * inputs * outputs - outputs)],
            vec!["time on this device".into(), time(convolving), format!("{} (estimated)", time(whole))],
        ],
    );
    page.text(&format!(
        "The whole matrix is too large for memory, so blocks of it were built. <b>{} of its {SIDE} bands were timed</b>, each the \
         map to one row of the output ({width} x {}), in {} on average; the rest of the time is that mean multiplied by \
         {SIDE}. Filling the matrix is not counted.",
        timed.len(),
        count(inputs),
        time(mean(&rows))
    ));
    page.claim(
        operations < (2 * inputs * outputs - outputs) / 100_000,
        format!(
            "The convolution takes {SIDE} &times; {width} &times; 3 = {} operations, {} times fewer than the dense product.",
            count(operations),
            count((2 * inputs * outputs - outputs) / operations)
        ),
    );
    page.claim(
        convolving * 100.0 < whole,
        format!(
            "On the device the convolution is {} times as fast: {} against {}.",
            short(whole / convolving),
            time(convolving),
            time(whole)
        ),
    );
    page.claim(
        difference < 1e-6,
        format!(
            "The {} bands give the convolution's rows: the largest difference is {}.",
            timed.len(),
            short(difference)
        ),
    );
    page.claim(
        small.difference < 1e-6,
        format!(
            "A whole dense product says the same: at {0} x {0} the matrix ({1} x {2}) fits, its product takes {3} and the \
             convolution {4}, and the largest difference is {5}.",
            small.side,
            count(small.size[0] as u64),
            count(small.size[1] as u64),
            time(small.seconds[0]),
            time(small.seconds[1]),
            short(small.difference)
        ),
    );
    Ok(page)
}

/// Seconds of the dense product for each of these rows of the output, and its largest difference from `edges`.
fn dense_rows(lab: &Lab, rows: &[usize], edges: &[f64]) -> Outcome<(Vec<f64>, f64)> {
    let (width, inputs) = (SIDE - 1, SIDE * SIDE);
    let caps = lab.device.caps();
    let room = BLOCK.min(caps.max_binding_bytes).min(caps.max_buffer_bytes) as usize / (4 * inputs);
    // Blocks divide a row evenly, so that one graph serves them all.
    let height = (1..=width).rev().find(|h| width.is_multiple_of(*h) && *h <= room).unwrap_or(1);
    let mut g = Graph::new();
    let image = g.constant(HostTensor::f32([1, inputs], landscape(SIDE))?)?;
    let block = g.input("block", [height, inputs])?;
    let product = g.linear(image, block, None)?;
    let mut session = lab.session(&g, &[product])?;
    let mut matrix = vec![0.0f32; height * inputs];
    let (mut times, mut difference) = (Vec::new(), 0f64);
    for &y in rows {
        let mut row = 0.0;
        for first in (0..width).step_by(height) {
            let place = |i: usize| i * inputs + y * SIDE + first + i;
            (0..height).for_each(|i| (matrix[place(i)], matrix[place(i) + 1]) = (-1.0, 1.0));
            session.write(block, &matrix)?;
            row += seconds(&mut session, 1)?;
            (0..height).for_each(|i| (matrix[place(i)], matrix[place(i) + 1]) = (0.0, 0.0));
            let expected = &edges[y * width + first..][..height];
            for (found, expected) in session.read(product)?.to_f64().iter().zip(expected) {
                difference = difference.max((found - expected).abs());
            }
        }
        times.push(row);
    }
    Ok((times, difference))
}

/// A whole dense product and the convolution, of a picture whose matrix fits.
struct Small {
    side: usize,
    size: [usize; 2],
    seconds: [f64; 2],
    difference: f64,
}

fn small_product(lab: &Lab) -> Outcome<Small> {
    let caps = lab.device.caps();
    let room = caps.max_binding_bytes.min(caps.max_buffer_bytes);
    let fits = |side: usize| (side * (side - 1) * side * side * 4) as u64 <= room;
    let side = lab.pick([96, 64, 48], [48; 3]).into_iter().find(|&side| fits(side)).unwrap_or(32);
    let kernel = HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?;
    let matrix = Conv2dOptions::new().toeplitz(&Shape::from([1, side, side]), &kernel)?;
    let picture = landscape(side);
    let mut g = Graph::new();
    let dense = g.input("matrix", matrix.shape.clone())?;
    let flat = g.constant(HostTensor::f32([1, side * side], picture.clone())?)?;
    let product = g.linear(flat, dense, None)?;
    let mut session = lab.session(&g, &[product])?;
    session.write(dense, &matrix)?;
    let multiplying = seconds(&mut session, 3)?;
    let product = session.read(product)?.to_f64();

    let mut g = Graph::new();
    let image = g.constant(HostTensor::f32([1, 1, side, side], picture)?)?;
    let kernel = g.constant(kernel)?;
    let edges = g.conv2d(image, kernel, None, Conv2dOptions::new())?;
    let mut session = lab.session(&g, &[edges])?;
    let convolving = seconds(&mut session, 20)?;
    let edges = session.read(edges)?.to_f64();
    let difference = product.iter().zip(&edges).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let size = [matrix.shape[0], matrix.shape[1]];
    Ok(Small { side, size, seconds: [multiplying, convolving], difference })
}
