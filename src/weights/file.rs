//! Files of weights: safetensors with PyTorch's names and layouts.
//!
//! A file is either what `state_dict` holds, parameters and running statistics; or a checkpoint, which has the
//! state of optimizers besides, under the names it has here, and says in its metadata that it is one. `reader`
//! reads them.

use super::reader::{MOST_HEADER, Reader, Tensor};
use super::{Checkpoint, Entry, Weights, average_of};
use crate::error::{Error, Result};
use crate::file::printable;
use crate::tensor::HostSlice;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;

impl Weights {
    /// Writes parameters and running statistics to a safetensors file, by
    /// [`write_whole`](crate::file::write_whole). What training goes on from besides,
    /// [`Session::save_checkpoint`](crate::Session::save_checkpoint) keeps.
    ///
    /// # Errors
    /// A path that can't be written; names too long for a file; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_file(path.as_ref(), |entry| entry.in_file, None).map(drop)
    }

    /// Reads parameters and running statistics from a safetensors file. Nothing is changed unless
    /// every tensor fits. Whoever saves or steps with these weights in another thread meanwhile sees the old
    /// tensors or the new ones, all together.
    ///
    /// Of a checkpoint it takes the same, and averages of parameters where these weights keep them: enough to
    /// evaluate, or to start another training from. Optimizer state and step number stay as they are;
    /// [`Session::load_checkpoint`](crate::Session::load_checkpoint) goes on.
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or is something else than a safetensors file; a tensor that is
    /// missing, extra, of another shape or not f32; not enough memory.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        self.device.check()?;
        let file = Reader::open(path.as_ref(), self.header_bytes())?;
        let mut found = Vec::new();
        for (name, entry) in self.entries.iter().filter(|(_, e)| e.in_file) {
            let tensor = file.tensor(name, entry)?;
            let average = average_of(name);
            if let Some(entry) = self.entries.get(&average).filter(|entry| entry.average) {
                // Where the file has no averages, they go on from what is loaded.
                let held = file.is_state(&average);
                found.push((entry, if held { file.tensor(&average, entry)? } else { tensor }));
            }
            found.push((entry, tensor));
        }
        for name in file.names() {
            let known = self.entries.get(name).is_some_and(|e| e.in_file);
            if !known && !counts_batches(name) && !file.is_state(name) {
                return Err(file.extra(name));
            }
        }
        self.upload(&file, &found).map(drop)
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

    /// Finds out whether [`Weights::save_checkpoint`] would write this, if the device has no fault.
    pub(crate) fn check_checkpoint(&self, path: &Path, checkpoint: &Checkpoint) -> Result<()> {
        crate::file::check_writable(path)?;
        let entries: Vec<_> = self.entries.iter().collect();
        check_header(&entries, Some(checkpoint)).map_err(|message| fault(path, message))
    }

    /// Reads every tensor, and gives what the file says besides and the bytes that were uploaded. Nothing is
    /// changed unless every tensor fits.
    pub(crate) fn load_checkpoint(&self, path: &Path) -> Result<(Checkpoint, u64)> {
        let file = Reader::open(path, self.header_bytes())?;
        let Some(checkpoint) = &file.checkpoint else {
            return Err(file.error(
                "holds weights but no checkpoint: there is no step number and no optimizer state to go on from; start from its weights with Weights::load, or go on from a file that Session::save_checkpoint wrote".into(),
            ));
        };
        let mut found = Vec::new();
        for (name, entry) in self.entries.iter() {
            if !entry.in_file && !file.holds(name) {
                let message = format!("state \"{}\" {} is missing", printable(name), entry.shape);
                return Err(file.error(of_another_optimizer(message, checkpoint)));
            }
            found.push((entry, file.tensor(name, entry)?));
        }
        if let Some(name) = file.names().into_iter().find(|&name| !self.entries.contains_key(name)) {
            return Err(if file.is_state(name) {
                let message = format!("state \"{}\" is extra", printable(name));
                file.error(of_another_optimizer(message, checkpoint))
            } else {
                file.extra(name)
            });
        }
        let bytes = self.upload(&file, &found)?;
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
        self.device.check()?;
        let kept: Vec<(&String, &Entry)> = self.entries.iter().filter(|(_, entry)| kept(entry)).collect();
        check_header(&kept, checkpoint).map_err(|message| fault(path, message))?;
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
        let error = |e: safetensors::SafeTensorError| fault(path, e.to_string());
        let metadata = checkpoint.map(Checkpoint::metadata);
        let bytes = safetensors::serialize(views.map_err(error)?, metadata).map_err(error)?;
        crate::file::write_whole(path, &bytes)?;
        Ok(parts.iter().map(|part| part.2).sum())
    }

    /// Gives tensors these contents of a file, and counts the bytes.
    fn upload(&self, file: &Reader<'_>, found: &[(&Entry, Tensor<'_>)]) -> Result<u64> {
        let mut upload = self.device.upload();
        for (entry, tensor) in found {
            let numbers = file.read(tensor)?;
            upload.write(&self.pages[entry.page], entry.offset, HostSlice::F32(&numbers).bytes())?;
        }
        file.check_unchanged()?;
        upload.submit()
    }

    /// Bytes of the header of a file with all tensors, at most.
    fn header_bytes(&self) -> u64 {
        self.entries.iter().map(|(name, entry)| in_header(name, entry)).sum()
    }
}

fn fault(path: &Path, message: String) -> Error {
    Error::Weights { path: path.to_owned(), message }
}

/// Bytes that a text takes as JSON.
fn in_json(text: &str) -> u64 {
    let escaped = |c: char| if c < ' ' { 6 } else { c.len_utf8() + usize::from(matches!(c, '"' | '\\')) };
    2 + text.chars().map(|c| escaped(c) as u64).sum::<u64>()
}

/// Bytes that a tensor takes of a header, at most.
fn in_header(name: &str, entry: &Entry) -> u64 {
    // Type, keys and two offsets of up to twenty digits; a number and a comma for each dimension.
    in_json(name) + 100 + 21 * entry.shape.len() as u64
}

/// What makes a file with these tensors one that can't be read again.
fn check_header(kept: &[(&String, &Entry)], checkpoint: Option<&Checkpoint>) -> Result<(), String> {
    let mut bytes: u64 = kept.iter().map(|(name, entry)| in_header(name, entry)).sum();
    if let Some(checkpoint) = checkpoint {
        checkpoint.check_notes()?;
        bytes += checkpoint.metadata().iter().map(|(key, text)| in_json(key) + in_json(text)).sum::<u64>();
    }
    if bytes > MOST_HEADER {
        return Err(format!(
            "would need a header of up to {bytes} bytes, a safetensors file has at most {MOST_HEADER}; give parameters and scopes shorter names"
        ));
    }
    Ok(())
}

/// Whether a tensor counts the batches of a batch norm. PyTorch's files hold one i64 of them for each layer; here
/// only layers whose running statistics are plain averages have one, and it is ignored for others.
pub(super) fn counts_batches(name: &str) -> bool {
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
pub(super) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(12).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{shown}, and {} more", names.len() - 12) } else { shown }
}
