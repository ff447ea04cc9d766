//! Random initial values, by ChaCha8.

use super::{Distribution, Init};
use crate::error::Result;
use crate::hash::fnv1a;
use crate::memory;
use crate::tensor::Shape;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use std::f64::consts::TAU;

impl Init {
    /// Writes the initial values of a tensor of this shape, which [`Init::check`] passed. Each name has its own
    /// stream of random numbers.
    ///
    /// # Errors
    /// Not enough host memory for intermediate results.
    pub(crate) fn fill(&self, seed: u64, name: &str, shape: &Shape, data: &mut [f32]) -> Result<()> {
        let mut numbers = Numbers::new(seed, name);
        match *self {
            Init::Constant(value) => data.fill(value),
            Init::Uniform(bound) => numbers.uniform(bound, data),
            Init::Normal { mean, std } => {
                data.fill_with(|| (mean + std * numbers.normal()) as f32);
            }
            Init::NormalWithZeroRow { row } => {
                data.fill_with(|| numbers.normal() as f32);
                let columns: usize = shape[1..].iter().product();
                data[row * columns..(row + 1) * columns].fill(0.0);
            }
            Init::TruncatedNormal { mean, std, low, high } => data.fill_with(|| {
                let x = numbers.truncated(mean, std, low, high);
                // Rounding must not leave the range.
                (x as f32).clamp(low as f32, high as f32)
            }),
            Init::Scaled { fan, gain, distribution } => {
                let std = gain / fan.of(shape).sqrt();
                match distribution {
                    Distribution::Uniform => numbers.uniform((3f64.sqrt() * std) as f32, data),
                    Distribution::Normal => data.fill_with(|| (std * numbers.normal()) as f32),
                }
            }
            Init::Orthogonal { gain } => numbers.orthogonal(gain, name, shape[0], data)?,
            Init::Dirac { ref rest } => {
                rest.fill(seed, name, shape, data)?;
                dirac(shape, data);
            }
            Init::Copy(_) => unreachable!("a copy was resolved to what it copies"),
        }
        Ok(())
    }
}

/// Lets the first outputs of a convolution's weight, as many as it has inputs, hand on their input.
fn dirac(shape: &Shape, data: &mut [f32]) {
    let (inputs, sizes) = (shape[1], &shape[2..]);
    let taps: usize = sizes.iter().product();
    let centre = sizes.iter().fold(0, |at, size| at * size + size / 2);
    for (output, filter) in data.chunks_exact_mut(inputs * taps).take(inputs).enumerate() {
        filter.fill(0.0);
        filter[output * taps + centre] = 1.0;
    }
}

/// A stream of random numbers.
struct Numbers {
    rng: ChaCha8Rng,
    /// The unused second of a pair of normal numbers.
    spare: Option<f64>,
}

impl Numbers {
    fn new(seed: u64, name: &str) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(fnv1a(name.as_bytes()));
        Numbers { rng, spare: None }
    }

    fn uniform(&mut self, bound: f32, data: &mut [f32]) {
        data.fill_with(|| (self.rng.random::<f32>() * 2.0 - 1.0) * bound);
    }

    /// Above 0 and at most 1.
    fn above_zero(&mut self) -> f64 {
        1.0 - self.rng.random::<f64>()
    }

    /// Mean 0, standard deviation 1, by Box and Muller's method.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.above_zero().ln()).sqrt();
        let (sine, cosine) = (TAU * self.rng.random::<f64>()).sin_cos();
        self.spare = Some(radius * sine);
        radius * cosine
    }

    fn truncated(&mut self, mean: f64, std: f64, low: f64, high: f64) -> f64 {
        // Past so many deviations everything lies at the end of the range.
        const FAR: f64 = 1e6;
        let (a, b) = ((low - mean) / std, (high - mean) / std);
        if std == 0.0 || a > FAR || b < -FAR {
            return mean.clamp(low, high);
        }
        let z = if a > 0.0 {
            self.tail(a, b)
        } else if b < 0.0 {
            -self.tail(-b, -a)
        } else if b - a < TAU.sqrt() {
            self.rejected(a, b, 0.0)
        } else {
            loop {
                let z = self.normal();
                if (a..=b).contains(&z) {
                    break z;
                }
            }
        };
        mean + std * z
    }

    /// A standard normal number between `a`, which is above 0, and `b`: Robert, 1995, "Simulation of truncated
    /// normal variables".
    fn tail(&mut self, a: f64, b: f64) -> f64 {
        if b - a < (1.0 / a).min(2.0) {
            return self.rejected(a, b, a);
        }
        let slope = (a + (a * a + 4.0).sqrt()) / 2.0;
        loop {
            let z = a - self.above_zero().ln() / slope;
            if z <= b && self.rng.random::<f64>() < (-(z - slope).powi(2) / 2.0).exp() {
                return z;
            }
        }
    }

    /// A standard normal number between `a` and `b`, by rejection from uniform ones. The density is largest at
    /// `peak`.
    fn rejected(&mut self, a: f64, b: f64, peak: f64) -> f64 {
        loop {
            let z = a + (b - a) * self.rng.random::<f64>();
            if self.rng.random::<f64>() < ((peak * peak - z * z) / 2.0).exp() {
                return z;
            }
        }
    }

    /// An orthonormal set by Gram and Schmidt's method from vectors of normal numbers, which is QR
    /// decomposition with a positive diagonal of R: every direction is equally likely.
    fn orthogonal(&mut self, gain: f64, name: &str, rows: usize, data: &mut [f32]) -> Result<()> {
        let columns = data.len() / rows;
        let (count, length) = (rows.min(columns), rows.max(columns));
        let mut vectors: Vec<Vec<f64>> = Vec::new();
        memory::reserve(&mut vectors, count, name)?;
        while vectors.len() < count {
            let mut vector = memory::filled(length, 0.0, name)?;
            vector.fill_with(|| self.normal());
            let start = norm(&vector);
            // The second pass removes the other directions that rounding left in the first.
            for _ in 0..2 {
                for other in &vectors {
                    let along = dot(&vector, other);
                    vector.iter_mut().zip(other).for_each(|(x, y)| *x -= along * y);
                }
            }
            let left = norm(&vector);
            // A vector that lies nearly in the span of the others is drawn again.
            if left > 1e-10 * start {
                vector.iter_mut().for_each(|x| *x /= left);
                vectors.push(vector);
            }
        }
        for (i, x) in data.iter_mut().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let element = if rows <= columns { vectors[row][column] } else { vectors[column][row] };
            *x = (gain * element) as f32;
        }
        Ok(())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
