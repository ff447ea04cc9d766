//! Monte-Carlo estimates: many steps, whose outputs' moments are gathered on the device and read back once.

use super::Session;
use crate::error::{Error, Result};
use crate::ops::sample_moments::{Moments, MonteCarlo};
use crate::tensor::{HostData, HostTensor};

/// The estimate of one output, or over all masks its moments themselves.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Estimate {
    /// Mean over the samples, with the output's shape.
    pub mean: HostTensor,
    /// Unbiased sample variance (divides by n - 1), over all masks the variance itself; with the output's shape.
    pub variance: HostTensor,
}

impl Session {
    /// Runs `samples` steps on the current inputs and estimates mean and variance of each output that
    /// [`Graph::monte_carlo`](crate::Graph::monte_carlo) named, in its order. The mean's standard error is
    /// the output's standard deviation over the root of `samples`. Reads back once.
    ///
    /// The units that a step drops depend on its number ([`Session::set_step_number`]) and the dropouts'
    /// seeds.
    ///
    /// # Errors
    /// Fewer than 2 samples, or more than 2^24, which f32 can't count; an estimate of another graph; a fault
    /// of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn monte_carlo(&mut self, of: &MonteCarlo, samples: usize) -> Result<Vec<Estimate>> {
        crate::device::block_on(self.monte_carlo_async(of, samples))
    }

    /// [`Session::monte_carlo`] without blocking. If the future is dropped, the samples so far were steps.
    ///
    /// # Errors
    /// As [`Session::monte_carlo`].
    pub async fn monte_carlo_async(&mut self, of: &MonteCarlo, samples: usize) -> Result<Vec<Estimate>> {
        Ok(self.estimated(of, samples, &|| true).await?.unwrap_or_default())
    }

    /// [`Session::monte_carlo`] as long as the estimate is wanted; `None` if it no longer is.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn monte_carlo_while(
        &mut self,
        of: &MonteCarlo,
        samples: usize,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<Estimate>>> {
        crate::device::block_on(self.estimated(of, samples, wanted))
    }

    async fn estimated(
        &mut self,
        of: &MonteCarlo,
        samples: usize,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Vec<Estimate>>> {
        if !(2..=1 << 24).contains(&samples) {
            return Err(Error::Setting {
                setting: "samples",
                message: format!("must be between 2 and {}, found {samples}", 1 << 24),
            });
        }
        for sample in 1..=samples {
            if !wanted() {
                return Ok(None);
            }
            self.add_sample(&of.moments, 1.0, sample as f64).await?;
        }
        self.estimates(&of.moments, (samples - 1) as f64).await.map(Some)
    }

    /// Runs a step that adds a sample of this weight, which makes the weight of all samples so far `total`.
    pub(super) async fn add_sample(&mut self, moments: &Moments, weight: f64, total: f64) -> Result<()> {
        self.write_scalar(moments.weight, weight as f32)?;
        self.write_scalar(moments.share, (weight / total) as f32)?;
        self.step_async().await
    }

    /// Reads the moments. The variance is the sum of squared deviations over `divisor`.
    pub(super) async fn estimates(&mut self, moments: &Moments, divisor: f64) -> Result<Vec<Estimate>> {
        let values: Vec<_> = moments.of.iter().flatten().copied().collect();
        let mut found = self.download(&values).await?.into_iter();
        let mut estimates = Vec::with_capacity(moments.of.len());
        while let (Some(mean), Some(mut variance)) = (found.next(), found.next()) {
            if let HostData::F32(deviations) = &mut variance.data {
                deviations.iter_mut().for_each(|sum| *sum /= divisor as f32);
            }
            estimates.push(Estimate { mean, variance });
        }
        Ok(estimates)
    }
}
