//! The picture that the network learns: a sun above ridges, made of formulas.

/// Red, green and blue from 0 to 1 of `size * size` pixels, row by row.
pub(crate) fn landscape(size: usize) -> Vec<f32> {
    let place = |i: usize| (i as f32 + 0.5) / size as f32;
    (0..size * size).flat_map(|i| color(place(i % size), place(i / size))).collect()
}

fn color(x: f32, y: f32) -> [f32; 3] {
    let sky = mix([0.13, 0.16, 0.38], [0.98, 0.62, 0.36], (1.5 * y).min(1.0));
    let distance = (x - 0.64).hypot(y - 0.4);
    let glow = mix(sky, [1.0, 0.83, 0.5], 0.75 * (-6.0 * distance).exp());
    let mut color = mix(glow, [1.0, 0.95, 0.78], edge(0.13 - distance));
    for (height, waves, ridge) in [
        (0.60, [7.0, 17.0], [0.62, 0.36, 0.45]),
        (0.71, [5.0, 23.0], [0.36, 0.24, 0.42]),
        (0.84, [9.0, 14.0], [0.12, 0.11, 0.25]),
    ] {
        let top = height + 0.05 * (waves[0] * x + 9.0 * height).sin() + 0.02 * (waves[1] * x).sin();
        color = mix(color, ridge, edge(y - top));
    }
    color
}

/// From 0 to 1 over the width of a pixel or two.
fn edge(distance: f32) -> f32 {
    (70.0 * distance + 0.5).clamp(0.0, 1.0)
}

fn mix(from: [f32; 3], to: [f32; 3], part: f32) -> [f32; 3] {
    std::array::from_fn(|i| from[i] + (to[i] - from[i]) * part)
}
