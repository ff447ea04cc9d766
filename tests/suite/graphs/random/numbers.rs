//! Random numbers, sizes and shapes, ordinary and hostile.

use wgrad::{DType, Shape, TensorType};

/// Numbers that follow from a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to.saturating_sub(from).saturating_add(1))
    }

    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }

    /// A whole number that nobody means.
    pub fn hostile(&mut self) -> usize {
        let large = [
            0,
            1,
            3,
            255,
            65_535,
            65_536,
            (1 << 24) + 1,
            (1 << 28) - 1,
            (1 << 31) - 1,
            1 << 31,
            u32::MAX as usize,
            (1 << 32) + 1,
            1 << 62,
            usize::MAX / 2,
            usize::MAX - 1,
            usize::MAX,
        ];
        *self.of(&large)
    }

    /// Mostly a small size, else one that may be anything.
    pub fn size(&mut self) -> usize {
        match self.below(60) {
            0 => self.hostile(),
            1..=6 => self.between(10, 70),
            _ => self.between(1, 8),
        }
    }

    /// A small size; 0 rarely, anything very rarely.
    pub fn attribute(&mut self, most: usize) -> usize {
        match self.below(60) {
            0 => self.hostile(),
            1 => 0,
            _ => self.between(1, most),
        }
    }

    /// As [`Random::attribute`], from 0 on.
    pub fn amount(&mut self, most: usize) -> usize {
        if self.once_in(60) { self.hostile() } else { self.between(0, most) }
    }

    pub fn pair(&mut self, mut one: impl FnMut(&mut Random) -> usize) -> [usize; 2] {
        let first = one(self);
        if self.once_in(2) { [first, first] } else { [first, one(self)] }
    }

    pub fn shape_of(&mut self, rank: usize) -> Shape {
        (0..rank).map(|_| self.size()).collect::<Vec<_>>().into()
    }

    pub fn shape(&mut self) -> Shape {
        let rank = match self.below(30) {
            0 => self.between(5, 9),
            1..=3 => self.between(0, 1),
            _ => self.between(2, 4),
        };
        self.shape_of(rank)
    }

    pub fn kind(&mut self) -> TensorType {
        let dtype = *self.of(&[DType::F32, DType::F32, DType::F32, DType::I32, DType::U32, DType::U8]);
        TensorType { shape: self.shape(), dtype }
    }

    /// Mostly an ordinary number.
    pub fn number(&mut self) -> f32 {
        let odd = [
            0.0,
            -0.0,
            -1.0,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN_POSITIVE,
            1e-42,
            1.0,
            16_777_217.0,
        ];
        match self.below(12) {
            0 => *self.of(&odd),
            _ => self.below(1000) as f32 / 500.0,
        }
    }
}
