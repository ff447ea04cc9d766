//! Augmentation, step after step as torchvision defines it: what is drawn, the images, mixing.

use super::dropout::philox4x32;
use crate::op::{Array, Reference};
use crate::ops::augment::{
    Augment, AugmentParameters, Augmentation, Border, Crop, Flip, Mix, Mixing, RANGES, RATIOS, ROW, areas,
    below,
};

/// The Philox words of a sample.
struct Draws {
    key: [u32; 2],
    node: u32,
    step: u32,
    sample: u32,
}

impl Draws {
    fn words(&self, block: u32) -> [u32; 4] {
        philox4x32([block, self.node, self.step, self.sample + 1], self.key)
    }
}

/// A whole number below `count`.
fn whole(word: u32, count: usize) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

fn unit(word: u32) -> f64 {
    f64::from(word >> 8) / 2f64.powi(24)
}

/// The product as f32, by which whole numbers are compared with it.
fn product(a: f64, b: f64) -> f64 {
    f64::from(a as f32 * b as f32)
}

type Matrix = [[f64; 3]; 3];

fn times(a: Matrix, b: Matrix) -> Matrix {
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The inverse of a map whose last row is 0, 0, 1.
fn inverse([[a, b, x], [c, d, y], _]: Matrix) -> Matrix {
    let size = a * d - b * c;
    let (a, b, c, d) = (d / size, -b / size, -c / size, a / size);
    [[a, b, -a * x - b * y], [c, d, -c * x - d * y], [0.0, 0.0, 1.0]]
}

impl AugmentParameters {
    /// The window of the input: middle, then width and height.
    fn window(&self, draws: &Draws, tables: &[f64]) -> [f64; 4] {
        let [h, w] = [self.images[2], self.images[3]];
        let [oh, ow] = self.augmentation.output_size(&self.images).expect("the shape rule has passed");
        match self.augmentation.crop {
            Crop::Whole => [w as f64 / 2.0, h as f64 / 2.0, w as f64, h as f64],
            Crop::Padded { padding, .. } => {
                let words = draws.words(0);
                let left = whole(words[0], w + 2 * padding - ow + 1) as f64 - padding as f64;
                let top = whole(words[1], h + 2 * padding - oh + 1) as f64 - padding as f64;
                [left + ow as f64 / 2.0, top + oh as f64 / 2.0, ow as f64, oh as f64]
            }
            Crop::Resized { scale, .. } => {
                let [least, count] = areas(scale, h * w);
                for attempt in 0..10 {
                    let words = draws.words(4 + attempt);
                    let area = least as f64 + whole(words[0], count as usize) as f64;
                    let ratio = RANGES + whole(words[1], RATIOS);
                    let [wide, high] = [product(area, tables[ratio]), product(area, tables[ratio + RATIOS])];
                    if wide <= (w * w) as f64 && high <= (h * h) as f64 {
                        let (wide, high) = (wide.sqrt(), high.sqrt());
                        let left = unit(words[2]) * (w as f64 - wide);
                        let top = unit(words[3]) * (h as f64 - high);
                        return [left + wide / 2.0, top + high / 2.0, wide, high];
                    }
                }
                [w as f64 / 2.0, h as f64 / 2.0, tables[21], tables[20]]
            }
        }
    }

    fn erased(&self, draws: &Draws, tables: &[f64]) -> [usize; 4] {
        let Some(erase) = self.augmentation.erase else { return [0; 4] };
        let [oh, ow] = self.augmentation.output_size(&self.images).expect("the shape rule has passed");
        if draws.words(3)[1] >= below(erase.p) {
            return [0; 4];
        }
        let [least, count] = areas(erase.scale, oh * ow);
        for attempt in 0..10 {
            let words = draws.words(14 + attempt);
            let area = least as f64 + whole(words[0], count as usize) as f64;
            let ratio = RANGES + 2 * RATIOS + whole(words[1], RATIOS);
            let [h, w] = [ratio, ratio + RATIOS].map(|at| product(area, tables[at]).sqrt().floor() as usize);
            if h > 0 && w > 0 && h < oh && w < ow {
                return [whole(words[2], oh - h + 1), whole(words[3], ow - w + 1), h, w];
            }
        }
        [0; 4]
    }
}

/// The maps one after the other: into the window, mirrored, the inverse of torchvision's affine map.
impl Reference for AugmentParameters {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let tables = &inputs[1].data;
        let [oh, ow] = self.augmentation.output_size(&self.images).expect("the shape rule has passed");
        let mut rows = Array::zeros([self.images[0], ROW]);
        for n in 0..self.images[0] {
            let key = [self.seed as u32, (self.seed >> 32) as u32];
            let draws = Draws { key, node: self.node, step: inputs[0].data[0] as u32, sample: n as u32 };
            let between = |at: usize, word: u32| tables[at] + (tables[at + 1] - tables[at]) * unit(word);
            let [x, y, wide, high] = self.window(&draws, tables);
            let mirrored = match self.augmentation.flip {
                Flip::Chance(p) => draws.words(0)[3] < below(p),
                Flip::Alternating { steps } => {
                    let item = inputs[2].data[n] as i64 as u32;
                    let first = philox4x32([0, self.node, item, u32::MAX], key)[0];
                    (first ^ (draws.step / steps)) & 1 == 1
                }
            };
            let mirror = if mirrored { -1.0 } else { 1.0 };
            let mut map = [
                [mirror * wide / ow as f64, 0.0, x - 0.5],
                [0.0, high / oh as f64, y - 0.5],
                [0.0, 0.0, 1.0],
            ];
            if self.augmentation.affine.is_some() {
                let words = draws.words(1);
                let angle = between(0, draws.words(0)[2]);
                let (shear_x, shear_y) = (between(2, words[0]).tan(), between(4, words[1]).tan());
                let scale = between(10, draws.words(2)[0]);
                let turn =
                    [[angle.cos(), -angle.sin(), 0.0], [angle.sin(), angle.cos(), 0.0], [0.0, 0.0, 1.0]];
                let shears = times(
                    [[1.0, 0.0, 0.0], [-shear_y, 1.0, 0.0], [0.0, 0.0, 1.0]],
                    [[1.0, -shear_x, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                );
                let mut forward = times(turn, shears);
                for row in &mut forward[..2] {
                    row[0] *= scale;
                    row[1] *= scale;
                }
                (forward[0][2], forward[1][2]) = (between(6, words[2]), between(8, words[3]));
                map = times(map, inverse(forward));
            }
            let row = &mut rows.data[n * ROW..][..ROW];
            row[..3].copy_from_slice(&map[0]);
            row[3..6].copy_from_slice(&map[1]);
            let words = draws.words(2);
            for (at, word) in [words[1], words[2], words[3], draws.words(3)[0]].into_iter().enumerate() {
                row[6 + at] = between(12 + 2 * at, word);
            }
            for (number, side) in row[10..14].iter_mut().zip(self.erased(&draws, tables)) {
                *number = side as f64;
            }
        }
        vec![rows]
    }
}

/// The pixel at an index that may lie outside.
fn pixel(plane: &[f64], [h, w]: [usize; 2], border: Border, y: i64, x: i64) -> f64 {
    let within = |mut i: i64, size: usize| {
        let last = size as i64 - 1;
        match border {
            Border::Zeros => (0..=last).contains(&i).then_some(i as usize),
            Border::Reflect if last > 0 => {
                while !(0..=last).contains(&i) {
                    i = if i < 0 { -i } else { 2 * last - i };
                }
                Some(i as usize)
            }
            _ => Some(i.clamp(0, last) as usize),
        }
    };
    within(y, h).zip(within(x, w)).map_or(0.0, |(y, x)| plane[y * w + x])
}

fn bilinear(plane: &[f64], size: [usize; 2], border: Border, y: f64, x: f64) -> f64 {
    let (top, left) = (y.floor(), x.floor());
    let mut sum = 0.0;
    for (down, high) in [(0.0, 1.0 - (y - top)), (1.0, y - top)] {
        for (right, wide) in [(0.0, 1.0 - (x - left)), (1.0, x - left)] {
            if high * wide != 0.0 {
                sum += high * wide * pixel(plane, size, border, (top + down) as i64, (left + right) as i64);
            }
        }
    }
    sum
}

fn gray(color: &[f64]) -> f64 {
    match color {
        [r, g, b] => 0.2989 * r + 0.587 * g + 0.114 * b,
        _ => color[0],
    }
}

/// A colour to hue, saturation and value, and back with another hue.
fn shift_hue(color: &mut [f64], turns: f64) {
    let [r, g, b] = [color[0], color[1], color[2]];
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if chroma == 0.0 {
        return;
    }
    let saturation = chroma / value;
    let hue = if value == r {
        (g - b) / chroma
    } else if value == g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    let hue = (hue / 6.0 + turns).rem_euclid(1.0) * 6.0;
    let (sextant, rest) = (hue.floor() as usize % 6, hue - hue.floor());
    let p = value * (1.0 - saturation);
    let q = value * (1.0 - saturation * rest);
    let t = value * (1.0 - saturation * (1.0 - rest));
    let all = [[value, t, p], [q, value, p], [p, value, t], [p, q, value], [t, p, value], [value, p, q]];
    color.copy_from_slice(&all[sextant]);
}

fn clamp(color: &mut [f64], change: impl Fn(f64) -> f64) {
    for x in color {
        *x = change(*x).clamp(0.0, 1.0);
    }
}

fn recolored(color: &mut [f64], augmentation: &Augmentation, row: &[f64], mean: Option<f64>) {
    let colors = augmentation.colors;
    if let Some(mean) = mean {
        clamp(color, |x| row[7] * x + (1.0 - row[7]) * mean);
    }
    if colors.saturation > 0.0 {
        let level = gray(color);
        clamp(color, |x| row[8] * x + (1.0 - row[8]) * level);
    }
    if colors.hue > 0.0 {
        shift_hue(color, row[9]);
    }
}

/// Pixel by pixel: sampled, changed in colour, normalised, erased.
impl Reference for Augment {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (images, parameters, channels) = (inputs[0], inputs[1], inputs[2]);
        let augmentation = &self.augmentation;
        let &[n, c, h, w] = &images.shape[..] else { unreachable!("the shape rule has passed") };
        let [oh, ow] = augmentation.output_size(&images.shape).expect("the shape rule has passed");
        let mut output = if self.gray { Array::zeros([n, oh * ow]) } else { Array::zeros([n, c, oh, ow]) };
        for sample in 0..n {
            let row = &parameters.data[sample * ROW..][..ROW];
            for at in 0..oh * ow {
                let (oy, ox) = (at / ow, at % ow);
                let (px, py) = (ox as f64 + 0.5 - ow as f64 / 2.0, oy as f64 + 0.5 - oh as f64 / 2.0);
                let x = row[0] * px + row[1] * py + row[2];
                let y = row[3] * px + row[4] * py + row[5];
                let mut color: Vec<f64> = (0..c)
                    .map(|channel| {
                        let plane = &images.data[(sample * c + channel) * h * w..][..h * w];
                        bilinear(plane, [h, w], augmentation.border, y, x) / self.pixels.divisor()
                    })
                    .collect();
                if augmentation.colors.brightness > 0.0 {
                    clamp(&mut color, |x| row[6] * x);
                }
                if self.gray {
                    output.data[sample * oh * ow + at] = gray(&color);
                    continue;
                }
                recolored(&mut color, augmentation, row, inputs.get(3).map(|means| means.data[sample]));
                let [top, left, height, width] = [10, 11, 12, 13].map(|at| row[at] as usize);
                let erased = (top..top + height).contains(&oy) && (left..left + width).contains(&ox);
                for (channel, value) in color.into_iter().enumerate() {
                    let value = (value - channels.data[channel]) * channels.data[c + channel];
                    output.data[(sample * c + channel) * oh * ow + at] = match augmentation.erase {
                        Some(erase) if erased => f64::from(erase.value),
                        _ => value,
                    };
                }
            }
        }
        vec![output]
    }
}

impl Reference for Mix {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (x, tables) = (inputs[0], &inputs[2].data);
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let words = philox4x32([0, self.node, inputs[1].data[0] as u32, 0], key);
        let shares = tables.len() / 3;
        let entry = whole(words[0], shares);
        let row: usize = x.shape[1..].iter().product();
        let samples = x.shape[0];
        let other = |i: usize| x.data[(i / row + samples - 1) % samples * row + i % row];
        let rectangle = self.plane(&x.shape).map(|plane| {
            [0, 1].map(|d| {
                let middle = whole(words[1 + d], plane[d]) as f64;
                let half = tables[(1 + d) * shares + entry];
                ((middle - half).max(0.0) as usize, (middle + half).min(plane[d] as f64) as usize, plane[d])
            })
        });
        let mut output = x.clone();
        for (i, y) in output.data.iter_mut().enumerate() {
            let share = match (self.mixing, rectangle) {
                (Mixing::Cutmix, Some([(top, bottom, _), (left, right, width)])) => {
                    let plane = i / width % x.shape[x.shape.len() - 2];
                    let inside = (top..bottom).contains(&plane) && (left..right).contains(&(i % width));
                    if inside { 0.0 } else { 1.0 }
                }
                (_, Some([(top, bottom, h), (left, right, w)])) => {
                    1.0 - ((bottom - top) * (right - left)) as f64 / (h * w) as f64
                }
                (_, None) => tables[entry],
            };
            *y = match share {
                1.0 => x.data[i],
                0.0 => other(i),
                share => share * x.data[i] + (1.0 - share) * other(i),
            };
        }
        vec![output]
    }
}
