//! Drawn scenes with a class for each pixel as a data set, so that the example runs without any files.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgrad::data::{Dataset, Field, Item};
use wgrad::{DType, Result};

/// Classes of pixels, by label.
pub const CLASSES: [&str; 4] = ["background", "disc", "square", "triangle"];

/// Pictures of 48 x 48 in colour with two to four shapes, and the class of each pixel. Colours and sizes are random and
/// shapes are a little turned, so that only its form tells a shape. Each scene follows from the seed and its number.
pub struct Scenes {
    names: Vec<String>,
    scenes: usize,
    seed: u64,
    fields: [Field; 2],
}

impl Scenes {
    /// U-Net halves pictures four times, so that sides are multiples of 16.
    pub const SIDE: usize = 48;

    pub fn new(scenes: usize, seed: u64) -> Scenes {
        let image = Field::new("image", [3, Scenes::SIDE, Scenes::SIDE], DType::U8);
        let label = Field::new("label", [Scenes::SIDE, Scenes::SIDE], DType::I32);
        Scenes { names: CLASSES.map(String::from).to_vec(), scenes, seed, fields: [image, label] }
    }

    /// The planes of red, green and blue of a scene, and the class of each pixel.
    pub fn draw(&self, index: usize) -> (Vec<u8>, Vec<i32>) {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed << 32 | index as u64);
        let (side, plane) = (Scenes::SIDE as f32, Scenes::SIDE * Scenes::SIDE);
        let ground = [(); 3].map(|()| 0.4 * random.random::<f32>());
        let mut colours = vec![ground; plane];
        let mut labels = vec![0; plane];
        for _ in 0..random.random_range(2..5) {
            let class = random.random_range(1..CLASSES.len());
            let size = side * (0.16 + 0.12 * random.random::<f32>());
            let [x0, y0] = [(); 2].map(|()| size + (side - 2.0 * size) * random.random::<f32>());
            let (sin, cos) = (0.5 * (random.random::<f32>() - 0.5)).sin_cos();
            let colour = [(); 3].map(|()| 0.4 + 0.6 * random.random::<f32>());
            for at in 0..plane {
                let x = ((at % Scenes::SIDE) as f32 - x0) / size;
                let y = ((at / Scenes::SIDE) as f32 - y0) / size;
                if covers(class, cos * x - sin * y, sin * x + cos * y) {
                    (colours[at], labels[at]) = (colour, class as i32);
                }
            }
        }
        let mut pixels = vec![0; 3 * plane];
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let noise = 0.2 * (random.random::<f32>() - 0.5);
            *pixel = (255.0 * (colours[at % plane][at / plane] + noise).clamp(0.0, 1.0)) as u8;
        }
        (pixels, labels)
    }
}

/// Whether a shape covers the point (x, y), in units of its size from its middle.
fn covers(class: usize, x: f32, y: f32) -> bool {
    match class {
        1 => x * x + y * y < 0.8,
        2 => x.abs().max(y.abs()) < 0.75,
        _ => y < 0.5 && y > 1.7 * x.abs() - 1.0,
    }
}

impl Dataset for Scenes {
    fn len(&self) -> usize {
        self.scenes
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let (pixels, labels) = self.draw(index);
        item.u8("image")?.copy_from_slice(&pixels);
        item.i32("label")?.copy_from_slice(&labels);
        Ok(())
    }

    fn class_names(&self) -> &[String] {
        &self.names
    }
}
