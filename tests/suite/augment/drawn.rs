//! What is drawn: within its ranges, evenly, and by (seed, step, sample) alone.

use super::rows;
use wgrad::Result;
use wgrad::ops::augment::{Affine, Augmentation, ColorJitter, Crop, Erase, Flip};

const SAMPLES: usize = 1000;
const STEPS: u32 = 8;
const ALL: f64 = SAMPLES as f64 * STEPS as f64;

fn none() -> Augmentation {
    Augmentation::default()
}

/// Checks that numbers are uniform within a range: their mean, their square and ten equal parts, by four standard
/// deviations.
fn uniform(what: &str, numbers: &[f64], [low, high]: [f64; 2]) {
    let count = numbers.len() as f64;
    let units: Vec<f64> = numbers.iter().map(|x| (x - low) / (high - low)).collect();
    assert!(units.iter().all(|u| (-1e-5..=1.00001).contains(u)), "{what} is within {low} to {high}");
    let mean = units.iter().sum::<f64>() / count;
    assert!((mean - 0.5).abs() < 4.0 * (1.0 / 12.0 / count).sqrt(), "{what}: the mean is at {mean}");
    for part in 0..10 {
        let share = units.iter().filter(|&&u| (10.0 * u) as i32 == part).count() as f64 / count;
        assert!((share - 0.1).abs() < 4.0 * (0.09 / count).sqrt(), "{what}: {share} are in part {part}");
    }
    // Samples and steps are independent of one another.
    for lag in [1, 2, 32, SAMPLES] {
        let pairs = units.iter().zip(&units[lag..]);
        let correlation = pairs.map(|(a, b)| (a - 0.5) * (b - 0.5)).sum::<f64>() * 12.0 / count;
        assert!(correlation.abs() < 4.0 / count.sqrt(), "{what}, lag {lag}: {correlation}");
    }
}

fn column(rows: &[[f64; 16]], at: usize) -> Vec<f64> {
    rows.iter().map(|row| row[at]).collect()
}

#[test]
fn flips_come_with_their_probability() -> Result<()> {
    for p in [0.0, 0.3, 0.5, 1.0] {
        let rows = rows(Augmentation { flip: Flip::Chance(p), ..none() }, [SAMPLES, 1, 2, 2], 3, STEPS)?;
        let flipped = column(&rows, 0).iter().filter(|&&x| x == -1.0).count() as f64 / ALL;
        assert!((flipped - p).abs() <= 4.0 * (p * (1.0 - p) / ALL).sqrt(), "{flipped} of {p}");
        assert!(column(&rows, 0).iter().all(|x| x.abs() == 1.0));
    }
    Ok(())
}

#[test]
fn every_place_of_a_crop_is_equally_likely() -> Result<()> {
    let crop = Crop::Padded { size: [8, 6], padding: 2 };
    let rows = rows(Augmentation { crop, ..none() }, [SAMPLES, 1, 8, 9], 3, STEPS)?;
    // Indices of the first column and row: the map at half an output to the left.
    for (at, size, places) in [(2, 6.0, -2..=5), (5, 8.0, -2..=2)] {
        let count = places.clone().count() as f64;
        let first: Vec<f64> = column(&rows, at).iter().map(|middle| middle + 0.5 - size / 2.0).collect();
        for place in places.clone() {
            let share = first.iter().filter(|&&x| x == f64::from(place)).count() as f64 / ALL;
            let deviation = (1.0 / count * (1.0 - 1.0 / count) / ALL).sqrt();
            assert!((share - 1.0 / count).abs() < 4.0 * deviation, "{share} begin at {place} of {places:?}");
        }
        assert!(first.iter().all(|x| places.clone().any(|place| f64::from(place) == *x)));
    }
    Ok(())
}

#[test]
fn resized_crops_have_uniform_areas_and_lie_within_the_image() -> Result<()> {
    let crop = Crop::Resized { size: [10, 20], scale: [0.1, 0.4], ratio: [0.5, 2.0] };
    let rows = rows(Augmentation { crop, ..none() }, [SAMPLES, 1, 120, 130], 3, STEPS)?;
    let windows: Vec<[f64; 4]> =
        rows.iter().map(|row| [row[2] + 0.5, row[5] + 0.5, row[0] * 20.0, row[4] * 10.0]).collect();
    for [x, y, w, h] in &windows {
        let inside =
            x - w / 2.0 > -1e-3 && y - h / 2.0 > -1e-3 && x + w / 2.0 < 130.001 && y + h / 2.0 < 120.001;
        assert!(inside, "a window of {w} x {h} about {x}, {y}");
    }
    uniform("area", &windows.iter().map(|w| w[2] * w[3]).collect::<Vec<_>>(), [0.1 * 15600.0, 0.4 * 15600.0]);
    uniform(
        "ratio",
        &windows.iter().map(|w| (w[2] / w[3]).ln()).collect::<Vec<_>>(),
        [-(2f64.ln()), 2f64.ln()],
    );
    let free = |at: usize, side: f64| -> Vec<f64> {
        windows.iter().map(|w| (w[at] - w[at + 2] / 2.0) / (side - w[at + 2])).collect()
    };
    uniform("left", &free(0, 130.0), [0.0, 1.0]);
    uniform("top", &free(1, 120.0), [0.0, 1.0]);
    // Windows that never fit: the middle of the image, of the nearest ratio.
    let crop = Crop::Resized { size: [4, 4], scale: [0.9, 1.0], ratio: [0.1, 0.2] };
    for row in super::rows(Augmentation { crop, ..none() }, [5, 1, 120, 130], 3, 1)? {
        let [x, y, w, h] = [row[2] + 0.5, row[5] + 0.5, row[0] * 4.0, row[4] * 4.0];
        let expected = [65.0, 60.0, 24.0, 120.0];
        assert!([x, y, w, h].iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{:?}", [x, y, w, h]);
    }
    Ok(())
}

#[test]
fn maps_and_colors_are_uniform() -> Result<()> {
    let affine = Affine { degrees: [-90.0, 40.0], ..Affine::default() };
    let turned = rows(Augmentation { affine: Some(affine), ..none() }, [SAMPLES, 1, 8, 8], 3, STEPS)?;
    let degrees: Vec<f64> = turned.iter().map(|row| row[1].atan2(row[0]).to_degrees()).collect();
    uniform("degrees", &degrees, [-90.0, 40.0]);
    let affine = Affine { translate: [0.25, 0.5], scale: [0.5, 2.0], ..Affine::default() };
    let moved = rows(Augmentation { affine: Some(affine), ..none() }, [SAMPLES, 1, 8, 16], 3, STEPS)?;
    let scales: Vec<f64> = moved.iter().map(|row| 1.0 / row[0]).collect();
    uniform("scale", &scales, [0.5, 2.0]);
    for (at, middle, range) in [(2, 7.5, [-4.0, 4.0]), (5, 3.5, [-4.0, 4.0])] {
        let shifts: Vec<f64> = moved.iter().map(|row| (middle - row[at]) / row[0]).collect();
        uniform("translate", &shifts, range);
    }
    let affine = Affine { shear_x: [-30.0, 45.0], shear_y: [0.0, 20.0], ..Affine::default() };
    let sheared = rows(Augmentation { affine: Some(affine), ..none() }, [SAMPLES, 1, 8, 8], 3, STEPS)?;
    // The inverse map is [[1, tan x], [tan y, 1 + tan x tan y]].
    uniform(
        "shear_x",
        &sheared.iter().map(|row| row[1].atan().to_degrees()).collect::<Vec<_>>(),
        [-30.0, 45.0],
    );
    uniform(
        "shear_y",
        &sheared.iter().map(|row| row[3].atan().to_degrees()).collect::<Vec<_>>(),
        [0.0, 20.0],
    );
    let colors = ColorJitter { brightness: 0.2, contrast: 1.5, saturation: 0.7, hue: 0.3 };
    let changed = rows(Augmentation { colors, ..none() }, [SAMPLES, 3, 2, 2], 3, STEPS)?;
    for (at, range) in [(6, [0.8, 1.2]), (7, [0.0, 2.5]), (8, [0.3, 1.7]), (9, [-0.3, 0.3])] {
        uniform(&format!("color {at}"), &column(&changed, at), range);
    }
    Ok(())
}

#[test]
fn rectangles_are_erased_with_their_probability_and_lie_within_the_image() -> Result<()> {
    let erase = Erase { p: 0.4, scale: [0.02, 0.2], ..Erase::default() };
    let rows = rows(Augmentation { erase: Some(erase), ..none() }, [SAMPLES, 1, 64, 48], 3, STEPS)?;
    let boxes: Vec<&[f64]> = rows.iter().map(|row| &row[10..14]).filter(|found| found[2] > 0.0).collect();
    let share = boxes.len() as f64 / ALL;
    assert!((share - 0.4).abs() < 4.0 * (0.24 / ALL).sqrt(), "{share} are erased");
    for found in &boxes {
        assert!(found.iter().all(|side| side.fract() == 0.0 && *side >= 0.0));
        assert!(found[0] + found[2] <= 64.0 && found[1] + found[3] <= 48.0, "{found:?}");
        // Sides are rounded down: their product with one more each is above the area.
        let area = 64.0 * 48.0;
        assert!(found[2] * found[3] <= 0.2 * area + 1.0, "{found:?}");
        assert!((found[2] + 1.0) * (found[3] + 1.0) >= 0.02 * area - 1.0, "{found:?}");
    }
    Ok(())
}

#[test]
fn the_same_seed_step_and_sample_draw_the_same() -> Result<()> {
    let all = Augmentation {
        crop: Crop::Resized { size: [4, 4], scale: [0.1, 1.0], ratio: [0.5, 2.0] },
        flip: Flip::Chance(0.5),
        affine: Some(Affine { degrees: [-45.0, 45.0], ..Affine::default() }),
        colors: ColorJitter { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.2 },
        erase: Some(Erase::default()),
        ..none()
    };
    let first = rows(all, [6, 3, 9, 9], 3, 3)?;
    assert_eq!(first, rows(all, [6, 3, 9, 9], 3, 3)?);
    // Fewer samples in a batch draw the same numbers.
    let fewer = rows(all, [4, 3, 9, 9], 3, 3)?;
    assert!(fewer.chunks(4).zip(first.chunks(6)).all(|(fewer, all)| fewer == &all[..4]));
    let drawn = |rows: &[[f64; 16]]| [2, 5, 6, 7, 8, 9].map(|at| column(rows, at)).concat();
    let differs = |what: &str, a: &[[f64; 16]], b: &[[f64; 16]]| {
        let same = drawn(a).iter().zip(drawn(b)).filter(|(a, b)| **a == *b).count();
        assert_eq!(same, 0, "another {what} draws {same} numbers again");
    };
    differs("seed", &first, &rows(all, [6, 3, 9, 9], 4, 3)?);
    differs("seed's high word", &first, &rows(all, [6, 3, 9, 9], 3 | 1 << 32, 3)?);
    differs("step", &first[..6], &first[6..12]);
    differs("sample", &first[..3], &first[3..6]);
    Ok(())
}
