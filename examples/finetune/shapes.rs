//! Drawn shapes on noise as a data set, so that the example runs without any files.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgrad::DType;
use wgrad::Result;
use wgrad::data::{Dataset, Field, Item};

/// A shape: whether it covers the point (x, y), in units of its size from its middle.
type Covers = fn(f32, f32) -> bool;

/// Shapes that a network is pretrained on.
pub const COMMON: &[(&str, Covers)] = &[
    ("disc", |x, y| x * x + y * y < 1.0),
    ("square", |x, y| x.abs().max(y.abs()) < 0.9),
    ("triangle", |x, y| y < 0.8 && y > 2.0 * x.abs() - 1.0),
    ("cross", |x, y| x.abs().min(y.abs()) < 0.3 && x.abs().max(y.abs()) < 1.0),
    ("rows", |x, y| x.abs().max(y.abs()) < 1.0 && (y * 4.0).rem_euclid(2.0) < 1.0),
    ("columns", |x, y| x.abs().max(y.abs()) < 1.0 && (x * 4.0).rem_euclid(2.0) < 1.0),
];

/// Shapes with few pictures.
pub const RARE: &[(&str, Covers)] = &[
    ("ring", |x, y| (0.45..1.0).contains(&(x * x + y * y))),
    ("frame", |x, y| (0.55..0.9).contains(&x.abs().max(y.abs()))),
    ("diamond", |x, y| x.abs() + y.abs() < 1.0),
];

/// Pictures of 32 x 32 in colour. Each follows from the seed and its number.
pub struct Shapes {
    shapes: &'static [(&'static str, Covers)],
    names: Vec<String>,
    pictures: usize,
    seed: u64,
    fields: [Field; 2],
}

impl Shapes {
    pub const SIDE: usize = 32;

    pub fn new(shapes: &'static [(&'static str, Covers)], pictures: usize, seed: u64) -> Shapes {
        let image = Field::new("image", [3, Shapes::SIDE, Shapes::SIDE], DType::U8);
        let names = shapes.iter().map(|(name, _)| (*name).to_owned()).collect();
        Shapes { shapes, names, pictures, seed, fields: [image, Field::new("label", [0; 0], DType::I32)] }
    }
}

impl Dataset for Shapes {
    fn len(&self) -> usize {
        self.pictures
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed << 32 | index as u64);
        let side = Shapes::SIDE as f32;
        let class = index % self.shapes.len();
        let covers = self.shapes[class].1;
        let size = side * (0.25 + 0.2 * random.random::<f32>());
        let [x0, y0] = [(); 2].map(|()| size + (side - 2.0 * size) * random.random::<f32>());
        let inside = [(); 3].map(|()| 0.5 + 0.5 * random.random::<f32>());
        let outside = [(); 3].map(|()| 0.4 * random.random::<f32>());
        let pixels = item.u8("image")?;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (channel, place) = (at / (Shapes::SIDE * Shapes::SIDE), at % (Shapes::SIDE * Shapes::SIDE));
            let (x, y) = ((place % Shapes::SIDE) as f32, (place / Shapes::SIDE) as f32);
            let covered = covers((x - x0) / size, (y - y0) / size);
            let colour = if covered { inside[channel] } else { outside[channel] };
            let noise = 0.3 * (random.random::<f32>() - 0.5);
            *pixel = (255.0 * (colour + noise).clamp(0.0, 1.0)) as u8;
        }
        item.i32("label")?[0] = class as i32;
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % self.shapes.len())
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }
}
