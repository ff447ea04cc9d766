//! A landscape, drawn by formulas, to convolve and to pool: sun and sky over two ridges, a lake with their reflections, a
//! house, trees, and grain.

use crate::lab::hash;

/// The picture as rows of brightness from 0 to 1.
pub fn landscape(size: usize) -> Vec<f32> {
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
