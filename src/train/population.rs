//! Batch norm's statistics over a whole data set.

use super::Trainer;
use super::feed;
use crate::data::{Dataset, Loader, Order};
use crate::error::Result;
use crate::graph::Mode;
use crate::plan::Plan;
use crate::session::Session;

impl Trainer {
    /// Sets batch norm's running statistics to the means of the batches' statistics over all of `data`, with the weights
    /// as they are: the population statistics of Ioffe and Szegedy, "Batch Normalization", 2015, section 3.1.
    ///
    /// # Errors
    /// As [`Trainer::predict`].
    pub fn measure_population(&mut self, data: &dyn Dataset) -> Result<()> {
        self.make_weights(data)?;
        let (batch, _) = self.whole(data)?;
        let (batched, _) = self.prediction(data, batch, Mode::Population)?;
        let plan = Plan::with_options(&batched.graph, &[], self.device.caps(), &self.plan_options())?;
        let weights = self.weights()?.with_state_of(&batched.graph)?;
        let mut session = Session::new(&self.device, plan, &weights)?;
        let inputs = batched.inputs;
        let loader = Loader::new(batch).workers(self.settings.workers);
        loader.run(data, &Order::sequential(data.len())?, 0..loader.batches(data.len()), |batch| {
            feed::write(&mut session, &inputs, batch)?;
            session.step()
        })?;
        session.wait()?;
        if self.settings.watch { session.check_finite() } else { Ok(()) }
    }
}
