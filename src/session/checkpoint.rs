//! Checkpoints: files from which training resumes with the same bits.

use super::Session;
use crate::error::{Error, Result};
use crate::graph::Source;
use crate::weights::{Checkpoint, IN_MEMORY, Origin};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::path::Path;

impl Session {
    /// Writes everything that training resumes from to one safetensors file: parameters, running statistics,
    /// optimizer state, averages, accumulated gradients, all other state of the graph, the weights'
    /// [metadata](crate::Weights::set_metadata), and the number of the next step. Waits for the GPU. The file is written by [`write_whole`](crate::file::write_whole).
    ///
    /// Steps after [`Session::load_checkpoint`] are bit-identical to the steps that would have followed here,
    /// given the same plan, adapter and inputs. The file does not hold what the host holds. Write inputs such
    /// as the learning rate again, and fetch [`recorded`](Session::recorded) values before. A
    /// [`Schedule`](crate::optim::Schedule) depends on the step number alone. To resume a
    /// [`Plateau`](crate::optim::Plateau), give it all metrics so far again;
    /// [`Session::save_checkpoint_with`] can keep them.
    ///
    /// The step number always agrees with the weights, whatever errors came before. A step that returned an
    /// error was not run and does not count. [`Session::verify`] and [`Session::profile_by_wall_clock`] run a
    /// step in parts; it runs to its end and counts even if they report a difference or a timeout, and if its
    /// rest can't be run, saving is refused. Nothing can be saved from a lost device.
    ///
    /// Tensors have the names of [`Weights::names`](crate::Weights::names). For parameters and running
    /// statistics these are PyTorch's, so [`Weights::load`](crate::Weights::load) and other programs can read
    /// them.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Session};
    /// # fn run(train: &mut Session, again: &mut Session) -> Result<()> {
    /// train.save_checkpoint("training.safetensors")?;
    /// // Later, in a session of the same graph:
    /// again.load_checkpoint("training.safetensors")?;
    /// assert_eq!(again.step_number(), train.step_number());
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A session whose graph lacks some of the weights' tensors, such as one for evaluation; a path that
    /// can't be written; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_checkpoint(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.save_checkpoint_with(path, &BTreeMap::new())
    }

    /// As [`Session::save_checkpoint`], with notes of your own, such as the settings of a run.
    /// [`Session::load_checkpoint`] returns them.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint`]; notes of more than a mebibyte.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_checkpoint_with(
        &mut self,
        path: impl AsRef<Path>,
        notes: &BTreeMap<String, String>,
    ) -> Result<()> {
        Session::save_checkpoint_of(&mut [self], path, notes)
    }

    /// As [`Session::save_checkpoint_with`], for several sessions that train the same weights, each with its own
    /// graph, such as the two steps of a GAN ([`Weights::init_all`](crate::Weights::init_all)). The file has the step
    /// number of each session.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint_with`]; sessions whose graphs together lack some of the weights' tensors; weights
    /// that the sessions do not share.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_checkpoint_of(
        sessions: &mut [&mut Session],
        path: impl AsRef<Path>,
        notes: &BTreeMap<String, String>,
    ) -> Result<()> {
        let path = path.as_ref();
        let bytes = crate::device::block_on(bytes_of(sessions, path, notes))?;
        crate::file::write_whole(path, &bytes)
    }

    /// What [`Session::save_checkpoint_with`] writes, in host memory.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint_with`], except those of the file.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn checkpoint_bytes(&mut self, notes: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        crate::device::block_on(self.checkpoint_bytes_async(notes))
    }

    /// [`Session::checkpoint_bytes`] without blocking for the GPU. It copies what it downloads, on this thread.
    ///
    /// # Errors
    /// As [`Session::checkpoint_bytes`].
    pub async fn checkpoint_bytes_async(&mut self, notes: &BTreeMap<String, String>) -> Result<Vec<u8>> {
        bytes_of(&mut [self], Path::new(IN_MEMORY), notes).await
    }

    /// [`Session::load_checkpoint`] of what [`Session::checkpoint_bytes`] made, or of a file's contents in host memory.
    ///
    /// # Errors
    /// As [`Session::load_checkpoint`].
    pub fn load_checkpoint_bytes(&mut self, bytes: &[u8]) -> Result<BTreeMap<String, String>> {
        load(&mut [self], Origin::Bytes(bytes))
    }

    /// Checks whether [`Session::save_checkpoint_with`] could write these notes to `path` now, and leaves
    /// nothing behind. Call it before long training.
    ///
    /// # Errors
    /// Those of [`Session::save_checkpoint_with`] that can be found without the GPU.
    pub fn check_checkpoint(&self, path: impl AsRef<Path>, notes: &BTreeMap<String, String>) -> Result<()> {
        let checkpoint = Trained::of(&[self])?.checkpoint(notes)?;
        self.weights.check_checkpoint(path.as_ref(), &checkpoint)
    }

    /// Resumes from a file of [`Session::save_checkpoint`]: loads all weights and their metadata, sets the number of the
    /// next step, and returns the notes that the file was saved with. Nothing is changed unless everything fits.
    /// Inputs and recorded values stay as they are.
    ///
    /// # Errors
    /// A file that can't be read, is damaged or is not a checkpoint; a tensor that is missing, extra or of
    /// another shape, for example because the optimizer is another; a session whose graph lacks some of the
    /// weights' tensors; a fault of the device.
    pub fn load_checkpoint(&mut self, path: impl AsRef<Path>) -> Result<BTreeMap<String, String>> {
        Session::load_checkpoint_of(&mut [self], path)
    }

    /// As [`Session::load_checkpoint`], for the sessions of [`Session::save_checkpoint_of`], in the same order.
    ///
    /// # Errors
    /// As [`Session::load_checkpoint`]; another number of sessions.
    pub fn load_checkpoint_of(
        sessions: &mut [&mut Session],
        path: impl AsRef<Path>,
    ) -> Result<BTreeMap<String, String>> {
        load(sessions, Origin::File(path.as_ref()))
    }

    /// Fails if the weights hold tensors that this session's graph lacks: then another session trains them,
    /// and this one does not count its steps.
    pub(super) fn check_trains_all(&self) -> Result<()> {
        Trained::of(&[self]).map(drop)
    }
}

/// The file `path` of a checkpoint of sessions.
async fn bytes_of(
    sessions: &mut [&mut Session],
    path: &Path,
    notes: &BTreeMap<String, String>,
) -> Result<Vec<u8>> {
    let trained = Trained::of(sessions)?;
    let checkpoint = trained.checkpoint(notes)?;
    let first = &mut sessions[trained.largest];
    let made = first.weights.checkpoint_bytes(path, &checkpoint).await;
    let (bytes, read_back) = made.map_err(|e| e.of_step(first.last_step()))?;
    first.counters.bytes_read_back += read_back;
    first.counters.allocations += 1;
    Ok(bytes)
}

/// Resumes sessions, and returns the notes.
fn load(sessions: &mut [&mut Session], from: Origin<'_>) -> Result<BTreeMap<String, String>> {
    let largest = Trained::of(sessions)?.largest;
    let (checkpoint, bytes) = sessions[largest].weights.load_checkpoint(from, sessions.len())?;
    sessions[largest].counters.bytes_uploaded += bytes;
    for (session, step_number) in sessions.iter_mut().zip(checkpoint.step_numbers) {
        session.go_on_from(step_number);
        session.reset_watch();
    }
    Ok(checkpoint.notes)
}

/// Sessions that train all of their weights together.
struct Trained<'s> {
    sessions: Vec<&'s Session>,
    /// The session whose weights hold all tensors.
    largest: usize,
}

impl<'s> Trained<'s> {
    /// # Errors
    /// A lost device; weights that are not shared, or that hold a tensor that no session's graph has.
    fn of<S: Borrow<Session>>(sessions: &'s [S]) -> Result<Self> {
        let sessions: Vec<&Session> = sessions.iter().map(Borrow::borrow).collect();
        let tensors = |&i: &usize| sessions[i].weights.names().count();
        let Some(largest) = (0..sessions.len()).max_by_key(tensors) else {
            return Err(Error::Graph("a checkpoint needs a session, found none".into()));
        };
        let weights = &sessions[largest].weights;
        for session in &sessions {
            session.device.check()?;
            if !weights.holds(&session.weights) {
                return Err(Error::Graph(
                    "the sessions have weights of their own; make them of the same weights to save and load one checkpoint".into(),
                ));
            }
        }
        let holds = |name: &str| {
            sessions.iter().any(|session| {
                let graph = session.plan.graph();
                let source = graph.find(name).map(|value| &graph.info(value).source);
                matches!(source, Some(Source::Parameter(_) | Source::State { .. }))
            })
        };
        match weights.names().find(|name| !holds(name)) {
            None => Ok(Trained { sessions, largest }),
            Some(name) => Err(Error::Value {
                name: name.to_owned(),
                message: "is in the weights but not in this session's graph, so that its step number is not the training's; save and load checkpoints by the session that trains, or of all that do by Session::save_checkpoint_of, and evaluate one with Weights::load".into(),
            }),
        }
    }

    /// The metadata of a checkpoint made now.
    fn checkpoint(&self, notes: &BTreeMap<String, String>) -> Result<Checkpoint> {
        self.sessions.iter().try_for_each(|session| session.check_whole())?;
        let state = self.sessions[self.largest].weights.state().cloned().collect();
        let step_numbers = self.sessions.iter().map(|session| session.step).collect();
        Ok(Checkpoint { step_numbers, notes: notes.clone(), state })
    }
}
