//! Pictures read from JPEG files a second: 500 x 375, the shorter side scaled to 256, 224 x 224 cut out of the centre, in
//! batches of 64 by two threads. Counted in the process's processor time, because other programs may be at work too: the
//! figure is what two cores read in a second if they do nothing else. Unix only.
//!
//! `WGRAD_TORCHVISION=python3 cargo bench --bench pictures` has torchvision's loader read the same files in turns with
//! this one (`benches/peers/torchvision_loader.py`). `WGRAD_PICTURES=FOLDER` reads the pictures of a folder with a folder
//! for each class instead of drawn ones.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;
use wgrad::Result;
use wgrad::data::{Dataset, Fit, ImageFiles, Loader, Order, Picture};

const PICTURES: u32 = 512;
const WIDTH: u32 = 500;
const HEIGHT: u32 = 375;
const CORES: usize = 2;
const TURNS: usize = 5;

/// Seconds that all threads of this process have computed so far.
fn computed() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` and to nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "the system counts a process's time");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// A number from 0 to 1 that follows from a place.
fn noise(x: i64, y: i64, seed: u32) -> f32 {
    let mut z = (x as u64) ^ (y as u64).rotate_left(24) ^ u64::from(seed).rotate_left(48);
    for _ in 0..2 {
        z = (z ^ (z >> 29)).wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (z >> 40) as f32 / (1 << 24) as f32
}

/// Noise of this wavelength in pixels, interpolated.
fn smooth(x: f32, y: f32, wavelength: f32, seed: u32) -> f32 {
    let (x, y) = (x / wavelength, y / wavelength);
    let (left, top) = (x.floor(), y.floor());
    let (right, down) = (x - left, y - top);
    let at = |dx: i64, dy: i64| noise(left as i64 + dx, top as i64 + dy, seed);
    let across = |dy| at(0, dy) + right * (at(1, dy) - at(0, dy));
    across(0) + down * (across(1) - across(0))
}

/// Surfaces, outlines and texture, which as a JPEG is as large as a photograph of this size.
fn drawn(number: u32) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let (x, y) = (x as f32, y as f32);
        let seed = 16 * number;
        let detail = [(90.0, 0.5), (31.0, 0.25), (11.0, 0.15), (4.0, 0.07), (1.7, 0.05)];
        let light: f32 = (0..).zip(detail).map(|(i, (wave, part))| part * smooth(x, y, wave, seed + i)).sum();
        let edge = if smooth(x, y, 70.0, seed + 8) > 0.5 { 0.2 } else { -0.1 };
        let colour = |i| 0.4 * smooth(x, y, 60.0, seed + 9 + i) - 0.2;
        Rgb([0, 1, 2].map(|i| (255.0 * (light + edge + colour(i))) as u8))
    })
}

fn write(folder: &Path) -> u64 {
    let mut bytes = 0;
    for number in 0..PICTURES {
        let class = folder.join(if number % 2 == 0 { "even" } else { "odd" });
        std::fs::create_dir_all(&class).expect("a temporary folder can be written");
        let mut file = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut file, 90);
        drawn(number).write_with_encoder(encoder).expect("memory can be written");
        bytes += file.len() as u64;
        std::fs::write(class.join(format!("{number:03}.jpg")), file)
            .expect("a temporary folder can be written");
    }
    bytes / u64::from(PICTURES)
}

/// Reads all pictures once: pictures a second of processor time on [`CORES`] cores, and a second of real time.
fn read(data: &ImageFiles) -> Result<(f64, f64)> {
    let loader = Loader::new(64).workers(CORES);
    let order = Order::shuffled(data.len(), 0, 0)?;
    let (started, before) = (Instant::now(), computed());
    loader.run(data, &order, 0..loader.batches(order.len()), |batch| batch.u8("image").map(drop))?;
    let items = data.len() as f64;
    Ok((items * CORES as f64 / (computed() - before), items / started.elapsed().as_secs_f64()))
}

/// The same by torchvision.
fn read_by_torchvision(python: &str, folder: &Path) -> Option<(f64, f64)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/torchvision_loader.py");
    let output = Command::new(python).arg(script).arg(folder).arg(CORES.to_string()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(computed)), Some(Ok(elapsed))) => Some((computed, elapsed)),
        _ => panic!("{python}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() -> Result<()> {
    let drawn = TempDir::new().expect("there is room for temporary files");
    let folder = match std::env::var_os("WGRAD_PICTURES") {
        Some(folder) => folder.into(),
        None => {
            let size = write(drawn.path());
            println!("JPEGs of {WIDTH} x {HEIGHT}, {size} bytes each");
            drawn.path().to_owned()
        }
    };
    let data = ImageFiles::folder(&folder, Picture::rgb(224, 224).fit(Fit::Crop(256)))?;
    println!("{} pictures to 224 x 224", data.len());
    let peer = std::env::var("WGRAD_TORCHVISION").ok();
    read(&data)?;
    let (mut own, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        let (computed, elapsed) = read(&data)?;
        print!("turn {turn}: {computed:.0} a second on {CORES} cores ({elapsed:.0} by the clock)");
        own.push(computed);
        if let Some((computed, elapsed)) = peer.as_ref().and_then(|it| read_by_torchvision(it, &folder)) {
            print!("; torchvision {computed:.0} ({elapsed:.0})");
            ratios.push(own[turn - 1] / computed);
            theirs.push(computed);
        }
        println!();
    }
    println!("median: {:.0} a second on {CORES} cores", median(own));
    if !theirs.is_empty() {
        println!("torchvision: {:.0}; the ratio is {:.2}", median(theirs), median(ratios));
    }
    Ok(())
}
