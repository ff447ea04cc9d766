//! Files of weights: safetensors with PyTorch's names and layouts.
//!
//! A file is either what `state_dict` holds, parameters and running statistics; or a checkpoint, which has the
//! state of optimizers besides, under the names it has here, and says in its metadata that it is one.

use super::{Checkpoint, Entry, Weights, average_of};
use crate::error::{Error, Result};
use crate::tensor::HostSlice;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;

impl Weights {
    /// Writes parameters and running statistics to a safetensors file: to a temporary name beside
    /// it first, then renamed. What training goes on from besides,
    /// [`Session::save_checkpoint`](crate::Session::save_checkpoint) keeps.
    ///
    /// # Errors
    /// A path that can't be written; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_file(path.as_ref(), |entry| entry.in_file, None).map(drop)
    }

    /// Reads parameters and running statistics from a safetensors file. Nothing is changed unless
    /// every tensor fits.
    ///
    /// Of a checkpoint it takes the same, and averages of parameters where these weights keep them: enough to
    /// evaluate, or to start another training from. Optimizer state and step number stay as they are;
    /// [`Session::load_checkpoint`](crate::Session::load_checkpoint) goes on.
    ///
    /// # Errors
    /// A file that can't be read or is damaged; a tensor that is missing, extra, of another shape
    /// or not f32.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        let bytes = read(path.as_ref())?;
        let file = File::parse(path.as_ref(), &bytes)?;
        let mut found = Vec::new();
        for (name, entry) in self.entries.iter().filter(|(_, e)| e.in_file) {
            let numbers = file.numbers(name, entry)?;
            let average = average_of(name);
            if let Some(entry) = self.entries.get(&average).filter(|entry| entry.average) {
                // Where the file has no averages, they go on from what is loaded.
                let held = file.is_state(&average);
                found.push((entry, if held { file.numbers(&average, entry)? } else { numbers.clone() }));
            }
            found.push((entry, numbers));
        }
        for name in file.names() {
            let known = self.entries.get(name).is_some_and(|e| e.in_file);
            if !known && !counts_batches(name) && !file.is_state(name) {
                return Err(file.extra(name));
            }
        }
        self.upload(&found).map(drop)
    }

    /// Names of the tensors that no state dict holds.
    pub(crate) fn state(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().filter(|(_, entry)| !entry.in_file).map(|(name, _)| name)
    }

    /// Writes every tensor and what `checkpoint` says, and gives the bytes that were read back for it.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn save_checkpoint(&self, path: &Path, checkpoint: &Checkpoint) -> Result<u64> {
        self.write_file(path, |_| true, Some(checkpoint))
    }

    /// Reads every tensor, and gives what the file says besides and the bytes that were uploaded. Nothing is
    /// changed unless every tensor fits.
    pub(crate) fn load_checkpoint(&self, path: &Path) -> Result<(Checkpoint, u64)> {
        let bytes = read(path)?;
        let file = File::parse(path, &bytes)?;
        let Some(checkpoint) = &file.checkpoint else {
            return Err(file.error(
                "holds weights but no checkpoint: there is no step number and no optimizer state to go on from; start from its weights with Weights::load, or go on from a file that Session::save_checkpoint wrote".into(),
            ));
        };
        let mut found = Vec::new();
        for (name, entry) in self.entries.iter() {
            if !entry.in_file && file.tensors.tensor(name).is_err() {
                let message = format!("state \"{name}\" {} is missing", entry.shape);
                return Err(file.error(of_another_optimizer(message, checkpoint)));
            }
            found.push((entry, file.numbers(name, entry)?));
        }
        if let Some(name) = file.names().into_iter().find(|&name| !self.entries.contains_key(name)) {
            return Err(if file.is_state(name) {
                file.error(of_another_optimizer(format!("state \"{name}\" is extra"), checkpoint))
            } else {
                file.extra(name)
            });
        }
        let bytes = self.upload(&found)?;
        Ok((checkpoint.clone(), bytes))
    }

    /// Writes the tensors that are `kept`, and gives the bytes that were read back for it.
    #[cfg(not(target_arch = "wasm32"))]
    fn write_file(
        &self,
        path: &Path,
        kept: impl Fn(&Entry) -> bool,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<u64> {
        let kept: Vec<(&String, &Entry)> = self.entries.iter().filter(|(_, entry)| kept(entry)).collect();
        let parts: Vec<_> = kept
            .iter()
            .map(|(_, e)| (&self.pages[e.page], e.offset, 4 * e.shape.elements() as u64))
            .collect();
        let data = self.device.read(&parts)?;
        let data: Vec<(Dtype, Vec<u8>)> =
            kept.iter().zip(data).map(|((name, _), bytes)| typed(name, bytes)).collect();
        let views = kept
            .iter()
            .zip(&data)
            .map(|((name, entry), (dtype, bytes))| {
                TensorView::new(*dtype, entry.shape.to_vec(), bytes).map(|view| (name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>();
        let error = |e: safetensors::SafeTensorError| Error::Weights {
            path: path.to_owned(),
            message: e.to_string(),
        };
        let metadata = checkpoint.map(Checkpoint::metadata);
        let bytes = safetensors::serialize(views.map_err(error)?, metadata).map_err(error)?;
        crate::file::write_whole(path, &bytes)?;
        Ok(parts.iter().map(|part| part.2).sum())
    }

    /// Gives tensors these contents, and counts the bytes.
    fn upload(&self, found: &[(&Entry, Vec<f32>)]) -> Result<u64> {
        let mut bytes = 0;
        for (entry, numbers) in found {
            let contents = HostSlice::F32(numbers).bytes();
            self.device.write(&self.pages[entry.page], entry.offset, contents)?;
            bytes += contents.len() as u64;
        }
        self.device.flush()?;
        Ok(bytes)
    }
}

/// A weights file in memory.
struct File<'b> {
    path: &'b Path,
    tensors: SafeTensors<'b>,
    /// What it says besides, if it is a checkpoint.
    checkpoint: Option<Checkpoint>,
}

impl<'b> File<'b> {
    fn parse(path: &'b Path, bytes: &'b [u8]) -> Result<Self> {
        let error = |message: String| Error::Weights { path: path.to_owned(), message };
        let damaged = |e| error(format!("is not a whole safetensors file: {e}"));
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let checkpoint = Checkpoint::of(header.metadata()).map_err(error)?;
        Ok(File { path, tensors, checkpoint })
    }

    /// Names of its tensors, sorted.
    fn names(&self) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.sort_unstable();
        names
    }

    fn error(&self, message: String) -> Error {
        Error::Weights { path: self.path.to_owned(), message }
    }

    fn extra(&self, name: &str) -> Error {
        self.error(format!(
            "tensor \"{name}\" is extra: the network has no such parameter; load the file into the network it was saved from"
        ))
    }

    /// Whether this is a tensor of a checkpoint that no state dict holds.
    fn is_state(&self, name: &str) -> bool {
        self.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.state.contains(name))
    }

    /// Contents of the tensor `name`, which must be like `entry`.
    fn numbers(&self, name: &str, entry: &Entry) -> Result<Vec<f32>> {
        let tensor = self.tensors.tensor(name).map_err(|_| {
            self.error(format!(
                "tensor \"{name}\" {} is missing; the file holds {}",
                entry.shape,
                listed(&self.names())
            ))
        })?;
        let counted = counts_batches(name) && tensor.dtype() == Dtype::I64;
        if tensor.dtype() != Dtype::F32 && !counted {
            return Err(self.error(format!("tensor \"{name}\" is {:?}, expected F32", tensor.dtype())));
        }
        if tensor.shape() != &entry.shape[..] {
            return Err(self.error(format!(
                "tensor \"{name}\" has shape {:?}, expected {}",
                tensor.shape(),
                entry.shape
            )));
        }
        Ok(if counted {
            tensor.data().as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as f32).collect()
        } else {
            bytemuck::pod_collect_to_vec::<u8, f32>(tensor.data())
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File { action: "reading", path: path.to_owned(), source })
}

/// Whether a tensor counts the batches of a batch norm. PyTorch's files hold one i64 of them for each layer; here
/// only layers whose running statistics are plain averages have one, and it is ignored for others.
fn counts_batches(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// A tensor of f32 as files hold it: PyTorch's type for counts of batches.
fn typed(name: &str, bytes: Vec<u8>) -> (Dtype, Vec<u8>) {
    if !counts_batches(name) {
        return (Dtype::F32, bytes);
    }
    let numbers = bytemuck::pod_collect_to_vec::<u8, f32>(&bytes);
    // What a user's own layer calls so and is no count must come back as it was.
    if numbers.iter().any(|&x| (x as i64 as f32).to_bits() != x.to_bits()) {
        return (Dtype::F32, bytes);
    }
    (Dtype::I64, numbers.iter().flat_map(|&x| (x as i64).to_le_bytes()).collect())
}

/// What to do where the state of a checkpoint is not the state of the graph.
fn of_another_optimizer(message: String, checkpoint: &Checkpoint) -> String {
    let state: Vec<&str> = checkpoint.state.iter().map(String::as_str).collect();
    let held = if state.is_empty() { "no state".to_owned() } else { format!("the state {}", listed(&state)) };
    format!(
        "{message}: the checkpoint was saved with another optimizer or other settings of it, and holds {held}; build the graph as it was saved with, or take the parameters alone with Weights::load"
    )
}

/// The first of these names.
fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{shown}, and {} more", names.len() - 12) } else { shown }
}
