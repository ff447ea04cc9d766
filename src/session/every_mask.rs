//! The exact average over all masks of dropout: a step for each mask, whose outputs' moments are gathered on the device
//! and read back once. Estimates by draws are in `monte_carlo`.

use super::{Estimate, Session};
use crate::error::Result;
use crate::ops::sample_moments::MaskMean;

impl Session {
    /// Runs a step on the current inputs for each mask of the network's dropout, and returns mean and variance of each
    /// output that [`Graph::mean_over_masks`](crate::Graph::mean_over_masks) named, in its order, weighted by the masks'
    /// probabilities. n units take 2^n steps. Reads back once.
    ///
    /// # Errors
    /// Values of another graph; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn mean_over_masks(&mut self, of: &MaskMean) -> Result<Vec<Estimate>> {
        crate::device::block_on(self.mean_over_masks_async(of))
    }

    /// [`Session::mean_over_masks`] without blocking. If the future is dropped, the masks so far were steps.
    ///
    /// # Errors
    /// As [`Session::mean_over_masks`].
    pub async fn mean_over_masks_async(&mut self, of: &MaskMean) -> Result<Vec<Estimate>> {
        let units: usize = of.masks.iter().map(|mask| mask.units).sum();
        let mut total = 0.0;
        for kept in 0..1_u32 << units {
            let (mut left, mut probability) = (kept, 1.0);
            for mask in &of.masks {
                let keep = f64::from(mask.keep);
                let mut contents = vec![0.0; mask.units];
                for unit in &mut contents {
                    if left & 1 == 1 {
                        *unit = 1.0 / mask.keep;
                    }
                    probability *= if left & 1 == 1 { keep } else { 1.0 - keep };
                    left >>= 1;
                }
                self.write(mask.input, &contents)?;
            }
            total += probability;
            self.add_sample(&of.moments, probability, total).await?;
        }
        self.estimates(&of.moments, total).await
    }
}
