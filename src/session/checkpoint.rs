//! Checkpoints: files from which training goes on with the same bits.

use super::Session;
use crate::error::{Error, Result};
use crate::graph::Source;
use crate::weights::Checkpoint;
use std::collections::BTreeMap;
use std::path::Path;

impl Session {
    /// Writes everything that training goes on from to one safetensors file: parameters, running statistics,
    /// optimizer state, averages, gradients added up so far, whatever other state the graph has; and the number
    /// of the next step. By [`write_whole`](crate::file::write_whole). Waits for the GPU.
    ///
    /// Steps that follow [`Session::load_checkpoint`] are the same to the bit as those that would have
    /// followed here, given the same plan, adapter and inputs. What the host holds is not in it: inputs such as
    /// the learning rate have to be written again, [`recorded`](Session::recorded) values fetched before. A
    /// [`Schedule`](crate::optim::Schedule) follows from the step number; a
    /// [`Plateau`](crate::optim::Plateau) goes on when it is given the metrics so far again, which may be kept by
    /// [`Session::save_checkpoint_with`].
    ///
    /// Number and weights agree whatever went wrong before. A step that returned an error was not run and has not
    /// counted, but for the node by node ones of [`Session::verify`] and
    /// [`Session::profile_by_wall_clock`]: these run to their end and count even if they report a difference
    /// or a time limit, and where the rest can't be run, saving is refused. Of a lost device nothing is saved.
    ///
    /// Tensors have the names that [`Weights::names`](crate::Weights::names) gives, which for parameters and
    /// running statistics are PyTorch's, so that other programs can read them, and so can
    /// [`Weights::load`](crate::Weights::load).
    ///
    /// # Errors
    /// A session of a graph that lacks some of what its weights hold, as one for evaluation does beside the
    /// training's; a path that can't be written; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_checkpoint(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.save_checkpoint_with(path, &BTreeMap::new())
    }

    /// As [`Session::save_checkpoint`], with notes of one's own, such as the settings of a run: names and texts
    /// that [`Session::load_checkpoint`] gives back.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint`]; notes of more than a mebibyte.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_checkpoint_with(
        &mut self,
        path: impl AsRef<Path>,
        notes: &BTreeMap<String, String>,
    ) -> Result<()> {
        let checkpoint = self.checkpoint(notes)?;
        self.counters.bytes_read_back += self
            .weights
            .save_checkpoint(path.as_ref(), &checkpoint)
            .map_err(|e| e.of_step(self.last_step()))?;
        self.counters.allocations += 1;
        Ok(())
    }

    /// Finds out whether [`Session::save_checkpoint_with`] could write these notes to `path` now, and leaves
    /// nothing behind: for programs that train for long before their first checkpoint.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint_with`], as far as they can be told without the GPU.
    pub fn check_checkpoint(&self, path: impl AsRef<Path>, notes: &BTreeMap<String, String>) -> Result<()> {
        self.device.check()?;
        self.weights.check_checkpoint(path.as_ref(), &self.checkpoint(notes)?)
    }

    /// Goes on from a file of [`Session::save_checkpoint`]: gives the session's weights their contents, sets the
    /// number of the next step, and returns the notes that the file was saved with. Nothing is changed unless
    /// everything fits. Inputs, and what was recorded, stay as they are.
    ///
    /// # Errors
    /// A file that can't be read, is damaged or holds weights alone; a tensor that is missing, extra or of
    /// another shape, as after another optimizer; a session of a graph that lacks some of what its weights hold;
    /// a fault of the device.
    pub fn load_checkpoint(&mut self, path: impl AsRef<Path>) -> Result<BTreeMap<String, String>> {
        self.device.check()?;
        self.check_trains_all()?;
        let (checkpoint, bytes) = self.weights.load_checkpoint(path.as_ref())?;
        self.counters.bytes_uploaded += bytes;
        self.go_on_from(checkpoint.step_number);
        self.reset_watch();
        Ok(checkpoint.notes)
    }

    /// What a checkpoint says now beside its tensors.
    fn checkpoint(&self, notes: &BTreeMap<String, String>) -> Result<Checkpoint> {
        self.device.check()?;
        self.check_whole()?;
        self.check_trains_all()?;
        let state = self.weights.state().cloned().collect();
        Ok(Checkpoint { step_number: self.step, notes: notes.clone(), state })
    }

    /// Fails where the weights hold what this session's graph does not, whose steps it doesn't count.
    pub(super) fn check_trains_all(&self) -> Result<()> {
        let graph = self.plan.graph();
        let holds = |name: &str| {
            let source = graph.find(name).map(|value| &graph.info(value).source);
            matches!(source, Some(Source::Parameter(_) | Source::State { .. }))
        };
        match self.weights.names().find(|name| !holds(name)) {
            None => Ok(()),
            Some(name) => Err(Error::Value {
                name: name.to_owned(),
                message: "is in the weights but not in this session's graph, so that its step number is not the training's; save and load checkpoints by the session that trains, and evaluate one with Weights::load".into(),
            }),
        }
    }
}
