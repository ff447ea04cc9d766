//! Recovery after the loss of a device: snapshots in host memory, and sessions rebuilt from them or from a
//! file.

use super::Session;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::tensor::HostTensor;
use crate::weights::Weights;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The contents of a [checkpoint](Session::save_checkpoint) in host memory.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    step_number: u32,
    tensors: BTreeMap<String, HostTensor>,
}

impl Snapshot {
    /// Number of the next step.
    pub fn step_number(&self) -> u32 {
        self.step_number
    }

    /// Parameters, running statistics, optimizer state and all other state, by name.
    pub fn tensors(&self) -> &BTreeMap<String, HostTensor> {
        &self.tensors
    }
}

/// The source of weights and step number for [`Session::rebuild`]. Paths, snapshots and weights convert to
/// it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Recovery<'a> {
    /// A file of [`Session::save_checkpoint`].
    Checkpoint(&'a Path),
    /// A snapshot of [`Session::snapshot`].
    Snapshot(&'a Snapshot),
    /// Weights on the new device, to share: those of a session that was rebuilt before. The step number stays
    /// as it was.
    Weights(&'a Weights),
}

impl<'a> From<&'a Path> for Recovery<'a> {
    fn from(path: &'a Path) -> Self {
        Recovery::Checkpoint(path)
    }
}

impl<'a> From<&'a PathBuf> for Recovery<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Recovery::Checkpoint(path)
    }
}

impl<'a> From<&'a str> for Recovery<'a> {
    fn from(path: &'a str) -> Self {
        Recovery::Checkpoint(Path::new(path))
    }
}

impl<'a> From<&'a Snapshot> for Recovery<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Recovery::Snapshot(snapshot)
    }
}

impl<'a> From<&'a Weights> for Recovery<'a> {
    fn from(weights: &'a Weights) -> Self {
        Recovery::Weights(weights)
    }
}

impl Session {
    /// Makes this session again on another device, for example after the loss of this one's. Weights and step
    /// number come from a checkpoint, a snapshot, or weights that are on the new device already:
    ///
    /// ```no_run
    /// # use wgrad::{Device, Error, Result, Session};
    /// # fn train(mut training: Session, mut evaluation: Session) -> Result<()> {
    /// match training.step() {
    ///     Err(Error::DeviceLost { .. }) => {
    ///         let device = Device::open()?;
    ///         training = training.rebuild(&device, "training.safetensors")?;
    ///         evaluation = evaluation.rebuild(&device, training.weights())?;
    ///         // Write the inputs and resume at `training.step_number()`.
    ///     }
    ///     other => other?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Later steps are bit-identical to those of an uninterrupted run, given the same adapter and inputs.
    /// Write all inputs again, the learning rate too: a step refuses to run before. The new session records
    /// the same values, without the ones recorded here.
    ///
    /// # Errors
    /// As [`Session::new`], [`Session::load_checkpoint`] and [`Session::restore`]; a device that the plan
    /// does not fit: plan for it, and load the checkpoint in a new session.
    pub fn rebuild<'a>(&self, device: &Device, from: impl Into<Recovery<'a>>) -> Result<Session> {
        let from = from.into();
        device.check()?;
        let weights = match from {
            Recovery::Weights(weights) => weights.clone(),
            _ => self.weights.blank_on(device)?,
        };
        let mut session = Session::new(device, self.plan.clone(), &weights)?;
        match from {
            Recovery::Checkpoint(path) => drop(session.load_checkpoint(path)?),
            Recovery::Snapshot(snapshot) => session.restore(snapshot)?,
            Recovery::Weights(_) => session.step = self.step,
        }
        for record in &self.records {
            session.record(record.value, record.capacity as usize)?;
        }
        Ok(session)
    }

    /// The session's weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Downloads everything that training resumes from, as [`Session::save_checkpoint`] writes it to a file.
    /// Waits for the GPU.
    ///
    /// # Errors
    /// As [`Session::save_checkpoint`], except those of the file.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        crate::device::block_on(self.snapshot_async())
    }

    /// [`Session::snapshot`] without blocking.
    ///
    /// # Errors
    /// As [`Session::snapshot`].
    pub async fn snapshot_async(&mut self) -> Result<Snapshot> {
        self.device.check()?;
        self.check_whole()?;
        self.check_trains_all()?;
        let (tensors, bytes) = self.weights.download().await.map_err(|e| e.of_step(self.last_step()))?;
        self.counters.bytes_read_back += bytes;
        self.counters.allocations += 1;
        Ok(Snapshot { step_number: self.step, tensors })
    }

    /// Resumes from a snapshot, as [`Session::load_checkpoint`] does from a file. Nothing is changed unless
    /// everything fits.
    ///
    /// # Errors
    /// A snapshot of other weights; a session whose graph lacks some of the weights' tensors; a fault of the
    /// device.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.device.check()?;
        self.check_trains_all()?;
        self.counters.bytes_uploaded += self.weights.upload_all(&snapshot.tensors)?;
        self.go_on_from(snapshot.step_number);
        self.reset_watch();
        Ok(())
    }

    /// Fails if the weights hold a part of a step, which no step number describes.
    pub(super) fn check_whole(&self) -> Result<()> {
        if !self.partly {
            return Ok(());
        }
        Err(Error::Setting {
            setting: "step_number",
            message: format!(
                "step {} failed halfway, so the weights hold a part of it; resume from an earlier checkpoint or snapshot",
                self.step
            ),
        })
    }

    /// Sets the number of the next step. The weights must be as they were before it.
    pub(super) fn go_on_from(&mut self, step_number: u32) {
        self.step = step_number;
        self.partly = false;
    }
}
