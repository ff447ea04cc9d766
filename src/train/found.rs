//! What the batches of an evaluation were measured to have, put together over sessions and ranks.

use super::ranks::Ranks;
use crate::error::Result;

/// What batches were measured to have, until it is added up.
#[derive(Debug)]
pub(super) enum Measure {
    /// One element of each batch.
    Each(Vec<f32>),
    /// Several elements, added up on the device.
    Total(Vec<f64>),
}

impl Measure {
    pub(super) fn sum(self) -> Vec<f64> {
        match self {
            Measure::Each(each) => vec![each.into_iter().map(f64::from).sum()],
            Measure::Total(total) => total,
        }
    }
}

pub(super) fn add(sums: &mut [f64], more: &[f64]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// What the batches of one evaluation have, of all evaluators.
#[derive(Default)]
pub(super) struct Found {
    /// Loss and samples of each batch.
    pub losses: Vec<f32>,
    pub samples: Vec<u64>,
    /// By metric.
    pub sums: Vec<Measure>,
}

impl Found {
    /// Puts what all ranks found together, in the order of batches. So figures of one element, and those of several that
    /// are counts, have the bits of one rank's; sums of several others may differ in the last one.
    pub(super) fn gather(&mut self, ranks: &Ranks) -> Result<()> {
        self.losses = ranks.gather("losses of an evaluation", &self.losses)?;
        let samples: Vec<f32> = self.samples.iter().map(|&samples| samples as f32).collect();
        self.samples = ranks
            .gather("samples of an evaluation", &samples)?
            .into_iter()
            .map(|samples| samples as u64)
            .collect();
        for measured in &mut self.sums {
            match measured {
                Measure::Each(each) => *each = ranks.gather("figures of an evaluation", each)?,
                Measure::Total(total) => {
                    // Two parts of each hold a count past what one holds exactly.
                    let parts =
                        total.iter().flat_map(|&sum| [sum as f32, (sum - f64::from(sum as f32)) as f32]);
                    let all = ranks.gather("sums of an evaluation", &parts.collect::<Vec<f32>>())?;
                    let elements = total.len();
                    total.fill(0.0);
                    for of_rank in all.chunks(2 * elements.max(1)) {
                        let sums =
                            of_rank.chunks(2).map(|parts| parts.iter().map(|&part| f64::from(part)).sum());
                        add(total, &sums.collect::<Vec<f64>>());
                    }
                }
            }
        }
        Ok(())
    }
}
