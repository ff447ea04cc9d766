//! Invented letters as data sets: each class is a few strokes, and each item writes them in another hand. There are as
//! many classes as a program asks for, so that some can be kept from training.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::ops::Range;
use wgrad::data::{Dataset, Field, Item};
use wgrad::{DType, Result};

pub const SIDE: usize = 28;

/// A picture of this letter by this hand, white on black.
pub fn draw(class: usize, hand: u64) -> Vec<u8> {
    let mut letter = ChaCha8Rng::seed_from_u64(class as u64);
    let mut random = ChaCha8Rng::seed_from_u64(hand << 32 | class as u64);
    let mut within = |most: f32| most * (2.0 * random.random::<f32>() - 1.0);
    let (sin, cos) = within(0.25).sin_cos();
    let (size, shift, thick) = (1.0 + within(0.12), [within(0.12), within(0.12)], 0.1 + within(0.03));
    let mut lines = Vec::new();
    for _ in 0..letter.random_range(2..4) {
        // A curve by Bezier through three points, in straight pieces.
        let points = [(); 3].map(|()| {
            let [x, y] = [(); 2].map(|()| 2.0 * letter.random::<f32>() - 1.0 + within(0.1));
            [size * (cos * x - sin * y) + shift[0], size * (sin * x + cos * y) + shift[1]]
        });
        let at = |t: f32| {
            [0, 1].map(|i| {
                let [a, b, c] = points.map(|point| point[i]);
                (1.0 - t) * (1.0 - t) * a + 2.0 * t * (1.0 - t) * b + t * t * c
            })
        };
        lines.extend((0..8u8).map(|i| [at(f32::from(i) / 8.0), at(f32::from(i + 1) / 8.0)]));
    }
    let pixel = |place: usize| {
        let to_unit = |i: usize| (i as f32 + 0.5 - SIDE as f32 / 2.0) / 10.0;
        let point = [to_unit(place % SIDE), to_unit(place / SIDE)];
        let nearest = lines.iter().map(|&line| distance(point, line)).fold(f32::INFINITY, f32::min);
        (255.0 * ((thick - nearest) / 0.1 + 0.5).clamp(0.0, 1.0)) as u8
    };
    (0..SIDE * SIDE).map(pixel).collect()
}

/// How far a point lies from a piece of a line.
fn distance([x, y]: [f32; 2], [from, to]: [[f32; 2]; 2]) -> f32 {
    let (along, off) = ([to[0] - from[0], to[1] - from[1]], [x - from[0], y - from[1]]);
    let length = along[0] * along[0] + along[1] * along[1];
    let t = ((off[0] * along[0] + off[1] * along[1]) / length.max(1e-9)).clamp(0.0, 1.0);
    (off[0] - t * along[0]).hypot(off[1] - t * along[1])
}

fn field(name: &str) -> Field {
    Field::new(name, [1, SIDE, SIDE], DType::U8)
}

/// Three pictures an item: two of one letter and one of another. They follow from the seed and the item's number.
pub struct Triplets {
    classes: Range<usize>,
    items: usize,
    seed: u64,
    fields: [Field; 3],
}

impl Triplets {
    /// Of two classes at least.
    pub fn new(classes: Range<usize>, items: usize, seed: u64) -> Triplets {
        Triplets { classes, items, seed, fields: ["anchor", "positive", "negative"].map(field) }
    }
}

impl Dataset for Triplets {
    fn len(&self) -> usize {
        self.items
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed << 32 | index as u64);
        let classes = self.classes.len();
        let class = random.random_range(0..classes);
        // Any class but that one.
        let other = (class + random.random_range(1..classes)) % classes;
        for (name, class) in [("anchor", class), ("positive", class), ("negative", other)] {
            let hand = u64::from(random.random::<u32>());
            item.u8(name)?.copy_from_slice(&draw(self.classes.start + class, hand));
        }
        Ok(())
    }
}

/// Each letter in turn by each hand in turn, with its class.
pub struct Letters {
    classes: Range<usize>,
    hands: Range<u64>,
    fields: [Field; 1],
}

impl Letters {
    pub fn new(classes: Range<usize>, hands: Range<u64>) -> Letters {
        Letters { classes, hands, fields: [field("image")] }
    }

    /// The pixels of an item.
    pub fn draw(&self, index: usize) -> Vec<u8> {
        let (class, hand) = (index % self.classes.len(), index / self.classes.len());
        draw(self.classes.start + class, self.hands.start + hand as u64)
    }
}

impl Dataset for Letters {
    fn len(&self) -> usize {
        self.classes.len() * self.hands.clone().count()
    }

    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn read(&self, index: usize, item: &mut Item<'_>) -> Result<()> {
        item.u8("image")?.copy_from_slice(&self.draw(index));
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(index % self.classes.len())
    }
}
