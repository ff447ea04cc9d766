//! Shows convolution, pooling and padding on a picture: edges by a kernel of two taps, four kinds of pooling
//! by windows of 8 x 8, and a blur with three paddings.
//!
//! `cargo run --release --example overview -- FILE SIDE` writes FILE, by default `overview.png`, of a picture whose
//! sides are SIDE pixels, by default 512.

#[path = "help/mod.rs"]
mod help;
#[path = "panels/mod.rs"]
mod panels;

use panels::{Outcome, Panel, say};
use std::ffi::OsString;
use std::path::PathBuf;
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions, WeightedAvgPool2dOptions};
use wgrad::{Device, Graph, HostTensor, Plan, Session, Value, Weights};

/// What sides are multiples of: those of the quarter divide by the windows.
const STEP: usize = 32;

const HELP: &str = "\
usage: overview [FILE [SIDE]]
  FILE  where the picture goes (default overview.png)
  SIDE  height and width of the picture that is worked on, a multiple of 32 (default 512)
";

fn main() -> std::process::ExitCode {
    help::answer(HELP);
    panels::end(run())
}

fn run() -> Outcome<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("overview.png"), PathBuf::from);
    let size = side(std::env::args_os().nth(2))?;
    let picture = landscape(size);

    let mut g = Graph::new();
    let image = g.constant(HostTensor::f32([1, 1, size, size], picture.clone())?)?;

    // The difference of each pixel and its right neighbour, three operations each.
    let difference = g.constant(HostTensor::f32([1, 1, 1, 2], vec![-1.0, 1.0])?)?;
    let edges = g.conv2d(image, difference, None, Conv2dOptions::new())?;

    let window = [8, 8];
    let largest = g.max_pool2d(image, MaxPool2dOptions::new(window))?;
    let mean = g.avg_pool2d(image, AvgPool2dOptions::new(window))?;
    let middle = g.weighted_avg_pool2d(image, WeightedAvgPool2dOptions::new(window))?;
    // The root of the mean square: the 2-norm divided by the root of 64.
    let norm = g.lp_pool2d(image, 2.0, LpPool2dOptions::new(window))?;
    let norm = g.scale(norm, 0.125)?;

    // A blur by a kernel of 9 x 9, padded by nothing, half of the kernel, and the kernel's size minus one.
    let blur = g.constant(HostTensor::filled([1, 1, 9, 9], 1.0 / 81.0).expect("it is small"))?;
    let small = g.constant(HostTensor::f32([1, 1, size / 4, size / 4], quarter(&picture, size))?)?;
    let mut padded = Vec::new();
    for (name, padding) in [("valid", 0), ("half", 4), ("full", 8)] {
        let blurred = g.conv2d(small, blur, None, Conv2dOptions::new().padding([padding; 2]))?;
        padded.push((name, blurred));
    }

    let device = Device::open()?;
    say!("{}", device.summary());
    let pooled = [edges, largest, mean, middle, norm];
    let outputs: Vec<Value> = pooled.into_iter().chain(padded.iter().map(|&(_, value)| value)).collect();
    let weights = Weights::init(&device, &g, 0)?;
    let mut session = Session::new(&device, Plan::new(&g, &outputs, device.caps())?, &weights)?;
    session.step()?;
    let mut panel = |name: &str, value: Value, scale: usize| -> wgrad::Result<Panel> {
        let tensor = session.read(value)?;
        let [height, width] = [tensor.shape[2], tensor.shape[3]];
        say!("{name}: {width} x {height}");
        let caption = format!("{name}, {width} x {height}");
        Ok(Panel::new(caption, width, height, tensor.as_f32().unwrap_or_default().to_vec()).scaled(scale))
    };
    let original = Panel::new(format!("the picture, {size} x {size}"), size, size, picture);
    let mut edge = panel("edges by (-1, 1)", edges, 1)?;
    edge.pixels.iter_mut().for_each(|x| *x = (4.0 * x.abs()).min(1.0));
    say!("operations of the edges: {}", size * (size - 1) * 3);
    let pools = vec![
        panel("largest of 8 x 8", largest, 4)?,
        panel("mean", mean, 4)?,
        panel("mean by distance", middle, 4)?,
        panel("2-norm", norm, 4)?,
    ];
    let mut paddings = Vec::new();
    for &(name, value) in &padded {
        paddings.push(panel(&format!("{name} padding"), value, 2)?);
    }
    panels::draw(&path, "Convolution, pooling, padding", &[vec![original, edge], pools, paddings])?;
    say!("{} is written", wgrad::file::printable_path(&path));
    Ok(())
}

/// The side of the picture that was asked for.
fn side(argument: Option<OsString>) -> Outcome<usize> {
    let Some(argument) = argument else { return Ok(512) };
    let side = argument.to_str().and_then(|text| text.parse().ok());
    let fits = |side: &usize| (2 * STEP..=4096).contains(side) && side.is_multiple_of(STEP);
    side.filter(fits).ok_or_else(|| format!("SIDE must be a multiple of {STEP} from 64 to 4096").into())
}

/// Every fourth pixel of every fourth row.
fn quarter(picture: &[f32], size: usize) -> Vec<f32> {
    let rows = (0..size / 4).flat_map(|y| (0..size / 4).map(move |x| (4 * y, 4 * x)));
    rows.map(|(y, x)| picture[y * size + x]).collect()
}

/// A landscape: sun and sky over two ridges, a lake with their reflections, a house, trees, and grain.
fn landscape(size: usize) -> Vec<f32> {
    (0..size * size)
        .map(|i| {
            let (x, y) = ((i % size) as f32 / size as f32, (i / size) as f32 / size as f32);
            // Little grain, so that the picture compresses well.
            let grain = if hash(i as u32) < 0.1 { 0.02 } else { 0.0 };
            (scene(x, y) + grain).clamp(0.0, 1.0)
        })
        .collect()
}

/// Brightness at a point of the unit square, y downwards.
fn scene(x: f32, y: f32) -> f32 {
    const SHORE: f32 = 0.66;
    if y > SHORE {
        // The water mirrors the land above the shore, wavering and darker.
        let depth = y - SHORE;
        let wave = (x * 40.0 + (depth * 90.0).sin() * 3.0).sin() * depth * 0.06;
        let mirrored = land(x + wave, SHORE - depth * 1.4);
        return 0.75 * mirrored + 0.05 * (depth * 260.0 + (x * 23.0).sin()).sin();
    }
    land(x, y)
}

fn land(x: f32, y: f32) -> f32 {
    let sun = ((x - 0.74).powi(2) + (y - 0.2).powi(2)).sqrt();
    let mut grey = 0.5 + 0.3 * y + 0.35 * (-sun * 9.0).exp();
    if sun < 0.05 {
        grey = 1.0;
    }
    let far = 0.44 - 0.08 * (x * 7.0 + 1.0).sin() - 0.03 * (x * 19.0).sin() - 0.008 * (x * 71.0).sin();
    if y > far {
        grey = 0.42 + 0.25 * (y - far) + 0.03 * (x * 150.0 + y * 90.0).sin();
    }
    let near = 0.57 - 0.05 * (x * 5.0 + 4.0).sin() - 0.02 * (x * 31.0).sin();
    if y > near {
        grey = 0.27 + 0.2 * (y - near) + 0.04 * (x * 310.0).sin() * (y * 270.0).sin();
    }
    // Firs: triangles in three storeys.
    for tree in 0..9 {
        let (middle, foot) = (0.05 + 0.045 * tree as f32, 0.63 + 0.012 * (tree as f32 * 2.4).sin());
        let height = 0.13 + 0.03 * (tree as f32 * 1.7).sin();
        let up = (foot - y) / height;
        let half = 0.022 * (1.0 - up) * (0.6 + 0.4 * ((1.0 - up) * 3.0).fract());
        if (0.0..1.0).contains(&up) && (x - middle).abs() < half {
            grey = 0.1 + 0.06 * ((x - middle) / 0.022 + 1.0);
        }
    }
    // A house with a roof, a door and two windows.
    let (hx, hy) = (x - 0.63, y - 0.55);
    if (0.0..0.17).contains(&hx) && (0.0..0.09).contains(&hy) {
        grey = 0.82 - 0.03 * ((hy * 400.0).sin() > 0.6) as u8 as f32;
        let window = (hx - 0.035).abs() < 0.016 || (hx - 0.135).abs() < 0.016;
        let door = (hx - 0.085).abs() < 0.014 && hy > 0.025;
        if door || (window && (hy - 0.04).abs() < 0.016) {
            grey = 0.16;
        }
    }
    if (-0.07..0.0).contains(&hy) && (hx - 0.085).abs() < 0.1 + 1.35 * hy {
        grey = 0.33 + 0.05 * (hx * 500.0).sin();
    }
    grey
}

/// Numbers from 0 to 1 that look random.
fn hash(mut i: u32) -> f32 {
    i = (i ^ (i >> 16)).wrapping_mul(0x7feb_352d);
    i = (i ^ (i >> 15)).wrapping_mul(0x846c_a68b);
    (i ^ (i >> 16)) as f32 / u32::MAX as f32
}
