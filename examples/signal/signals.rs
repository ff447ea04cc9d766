//! Synthetic signals in noise, so that the example runs without any files.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::f32::consts::TAU;
use wgrad::data::{Field, Tensors};
use wgrad::{DType, HostData, Result};

/// Kinds of signals, by label.
pub const KINDS: [&str; 4] = ["sine", "square", "sawtooth", "chirp"];
/// Numbers of a signal.
pub const LENGTH: usize = 256;

/// So many signals, each kind in turn. Frequency, phase and height are random; the noise is normal, and `noise` its
/// standard deviation where waves are about 1 high.
pub fn signals(count: usize, noise: f32, seed: u64) -> Result<Tensors> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut samples = Vec::with_capacity(count * LENGTH);
    for index in 0..count {
        let (periods, phase) = (4.0 + 8.0 * random.random::<f32>(), random.random::<f32>());
        let height = 0.7 + 0.6 * random.random::<f32>();
        for at in 0..LENGTH {
            let t = at as f32 / LENGTH as f32;
            let wave = match index % KINDS.len() {
                0 => (TAU * (periods * t + phase)).sin(),
                1 => (TAU * (periods * t + phase)).sin().signum(),
                2 => 2.0 * (periods * t + phase).fract() - 1.0,
                // Its frequency grows to three times what it was, and is that of the others in the middle.
                _ => (TAU * (periods * t * (0.5 + 0.5 * t) + phase)).sin(),
            };
            // Standard normal, by Box and Muller's method.
            let (u, v): (f32, f32) = (random.random(), random.random());
            samples.push(height * wave + noise * (-2.0 * (1.0 - u).ln()).sqrt() * (TAU * v).cos());
        }
    }
    let labels = (0..count).map(|index| (index % KINDS.len()) as i32).collect();
    let signals = (Field::new("signal", [1, LENGTH], DType::F32), HostData::F32(samples));
    let labels = (Field::new("label", [0; 0], DType::I32), HostData::I32(labels));
    Ok(Tensors::new([signals, labels])?.with_class_names(KINDS))
}
