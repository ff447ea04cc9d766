//! Files of weights: safetensors with PyTorch's names and layouts.
//!
//! A file is either a state dict (parameters and running statistics) or a checkpoint. A checkpoint also holds
//! the state of optimizers, under the names it has here, and its metadata marks it as one. Files are written and
//! checkpoints are loaded here; `load.rs` loads weights, and `reader.rs` reads the files.

use super::contents::{IN_MEMORY, Origin};
#[cfg(not(target_arch = "wasm32"))]
use super::floats;
use super::header::MOST_HEADER;
use super::reader::Reader;
use super::write::safetensors::{self, Described};
use super::{Checkpoint, Entry, Metadata, StoredType, Weights};
use crate::error::{Error, Result};
use crate::file::printable;
use std::collections::HashMap;
use std::path::Path;

impl Weights {
    /// Writes parameters, running statistics and the [metadata](Weights::set_metadata) to a safetensors file, by
    /// [`write_whole`](crate::file::write_whole). To resume training, use
    /// [`Session::save_checkpoint`](crate::Session::save_checkpoint), which saves everything.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Result, Weights};
    /// # fn hand_over(trained: &Weights, evaluated: &Weights) -> Result<()> {
    /// trained.save("model.safetensors")?; // PyTorch: safetensors.torch.load_file("model.safetensors")
    /// evaluated.load("model.safetensors")?;
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A path that can't be written; names too long for a file; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let (bytes, _) = crate::device::block_on(self.serialized(path, |entry| entry.in_file, None))?;
        crate::file::write_whole(path, &bytes)
    }

    /// [`Weights::save`] in half the bytes: floats are rounded to the nearest f16, which holds about three digits. A tensor
    /// with a number past f16's range, 65,504, stays f32. [`Weights::load`] reads both.
    ///
    /// # Errors
    /// As [`Weights::save`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save_f16(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let read = self.read_kept(path, |entry| entry.in_file, None);
        let (mut kept, metadata, _) = crate::device::block_on(read)?;
        kept.iter_mut().for_each(|(_, tensor)| tensor.round_to_f16());
        crate::file::write_whole(path, &file_of(path, &kept, &metadata)?)
    }

    /// What [`Weights::save`] writes, in host memory.
    ///
    /// # Errors
    /// As [`Weights::save`], except those of the file.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        crate::device::block_on(self.to_bytes_async())
    }

    /// [`Weights::to_bytes`] without blocking.
    ///
    /// # Errors
    /// As [`Weights::to_bytes`].
    pub async fn to_bytes_async(&self) -> Result<Vec<u8>> {
        Ok(self.serialized(Path::new(IN_MEMORY), |entry| entry.in_file, None).await?.0)
    }

    /// Names of the tensors that are not part of a state dict.
    pub(crate) fn state(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().filter(|(_, entry)| !entry.in_file).map(|(name, _)| name)
    }

    /// The file `path` of every tensor and the metadata of `checkpoint`. Returns the number of bytes read back too.
    pub(crate) async fn checkpoint_bytes(
        &self,
        path: &Path,
        checkpoint: &Checkpoint,
    ) -> Result<(Vec<u8>, u64)> {
        self.serialized(path, |_| true, Some(checkpoint)).await
    }

    /// Checks whether what [`Weights::checkpoint_bytes`] makes could be written, given a working device.
    pub(crate) fn check_checkpoint(&self, path: &Path, checkpoint: &Checkpoint) -> Result<()> {
        crate::file::check_writable(path)?;
        let entries: Vec<_> = self.entries.iter().collect();
        check_header(&entries, Some(checkpoint), &self.metadata()).map_err(|message| fault(path, message))
    }

    /// Reads every tensor of a checkpoint of this many sessions, from a file or from memory. Returns the file's metadata
    /// and the number of bytes uploaded. Nothing is changed unless every tensor fits.
    pub(crate) fn load_checkpoint(&self, from: Origin<'_>, sessions: usize) -> Result<(Checkpoint, u64)> {
        let file = Reader::new(from, self.header_bytes())?;
        let Some(checkpoint) = &file.checkpoint else {
            return Err(file.error(
                "holds weights but no checkpoint: there is no step number and no optimizer state to resume from; start from its weights with Weights::load, or resume from a file that Session::save_checkpoint wrote".into(),
            ));
        };
        if checkpoint.step_numbers.len() != sessions {
            return Err(file.error(format!(
                "is a checkpoint of {} sessions, found {sessions}; load it by those that train, with Session::load_checkpoint_of",
                checkpoint.step_numbers.len()
            )));
        }
        let mut found = Vec::new();
        for (name, entry) in self.entries.iter() {
            if !entry.in_file && !file.holds(name) {
                let message = format!("state \"{}\" {} is missing", printable(name), entry.shape);
                return Err(file.error(of_another_optimizer(message, checkpoint)));
            }
            let tensor = file.tensor(name, entry).map_err(|message| file.error(message))?;
            // Converted numbers would not be the bits that training resumes from.
            if !tensor.is_f32() && !counts_batches(name) {
                return Err(file.error(format!(
                    "tensor \"{}\" is {}, expected F32: the checkpoint was converted, and no training resumes from it; take its parameters with Weights::load",
                    printable(name),
                    tensor.dtype()
                )));
            }
            found.push((entry, tensor));
        }
        if let Some(name) = file.names().into_iter().find(|&name| !self.entries.contains_key(name)) {
            return Err(if file.is_state(name) {
                let message = format!("state \"{}\" is extra", printable(name));
                file.error(of_another_optimizer(message, checkpoint))
            } else {
                file.error(file.extra(name))
            });
        }
        let (bytes, _) = self.upload(&file, &found)?;
        if !file.metadata.is_empty() {
            self.set_metadata(file.metadata.clone())?;
        }
        Ok((checkpoint.clone(), bytes))
    }

    /// The file `path` of the tensors that `kept` holds for, and the number of bytes read back.
    async fn serialized(
        &self,
        path: &Path,
        kept: impl Fn(&Entry) -> bool,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(Vec<u8>, u64)> {
        let (kept, metadata, bytes) = self.read_kept(path, kept, checkpoint).await?;
        Ok((file_of(path, &kept, &metadata)?, bytes))
    }

    /// Reads back the tensors that `kept` holds for, and counts the bytes. Also returns the metadata of their file.
    async fn read_kept(
        &self,
        path: &Path,
        kept: impl Fn(&Entry) -> bool,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(Vec<(&str, Stored)>, HashMap<String, String>, u64)> {
        self.device.check()?;
        let kept: Vec<(&String, &Entry)> = self.entries.iter().filter(|(_, entry)| kept(entry)).collect();
        let own = self.metadata();
        check_header(&kept, checkpoint, &own).map_err(|message| fault(path, message))?;
        let parts: Vec<_> = kept
            .iter()
            .map(|(_, e)| (&self.pages[e.page], e.offset, 4 * e.shape.elements() as u64))
            .collect();
        let data = self.device.read_async(&parts).await?;
        let stored = kept.iter().zip(data).map(|(&(name, entry), bytes)| {
            let (ty, bytes) = typed(name, bytes);
            (name.as_str(), Stored { ty, shape: entry.shape.to_vec(), bytes })
        });
        let metadata = match checkpoint {
            Some(checkpoint) => checkpoint.metadata(&own),
            None => own.of_weights(),
        };
        Ok((stored.collect(), metadata, parts.iter().map(|part| part.2).sum()))
    }

    /// Upper bound on the bytes of the header of a file with all tensors.
    pub(super) fn header_bytes(&self) -> u64 {
        self.entries.iter().map(|(name, entry)| in_header(name, entry)).sum()
    }
}

/// A tensor as a file has it.
struct Stored {
    ty: StoredType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    /// Rounds floats to f16 if all of them are within its range, or not finite anyway.
    #[cfg(not(target_arch = "wasm32"))]
    fn round_to_f16(&mut self) {
        if self.ty == StoredType::F32
            && let Some(halves) = floats::to_f16(self.ty.dtype(), &self.bytes)
        {
            self.bytes = halves;
            self.ty = StoredType::F16;
        }
    }
}

/// The bytes of a file of these tensors.
fn file_of(path: &Path, kept: &[(&str, Stored)], metadata: &HashMap<String, String>) -> Result<Vec<u8>> {
    let mut order: Vec<(Described<'_>, &[u8])> = kept
        .iter()
        .map(|(name, tensor)| ((*name, tensor.ty, &tensor.shape[..]), &tensor.bytes[..]))
        .collect();
    order.sort_by(|left, right| safetensors::order(left.0, right.0));
    let described = order.iter().map(|(described, _)| *described);
    let mut file = safetensors::header(described, metadata).map_err(|message| fault(path, message))?;
    file.reserve_exact(order.iter().map(|(_, bytes)| bytes.len()).sum());
    order.iter().for_each(|(_, bytes)| file.extend_from_slice(bytes));
    Ok(file)
}

fn fault(path: &Path, message: String) -> Error {
    Error::Weights { path: path.to_owned(), message }
}

/// Bytes of a text as a JSON string.
fn in_json(text: &str) -> u64 {
    let escaped = |c: char| if c < ' ' { 6 } else { c.len_utf8() + usize::from(matches!(c, '"' | '\\')) };
    2 + text.chars().map(|c| escaped(c) as u64).sum::<u64>()
}

/// Upper bound on a tensor's bytes in a header.
fn in_header(name: &str, entry: &Entry) -> u64 {
    // Type, keys and two offsets of up to twenty digits; a number and a comma for each dimension.
    in_json(name) + 100 + 21 * entry.shape.len() as u64
}

/// Checks that a file with these tensors could be read again.
fn check_header(
    kept: &[(&String, &Entry)],
    checkpoint: Option<&Checkpoint>,
    metadata: &Metadata,
) -> Result<(), String> {
    let mut bytes: u64 = kept.iter().map(|(name, entry)| in_header(name, entry)).sum();
    let texts = match checkpoint {
        Some(checkpoint) => {
            checkpoint.check_notes()?;
            checkpoint.metadata(metadata)
        }
        None => metadata.of_weights(),
    };
    bytes += texts.iter().map(|(key, text)| in_json(key) + in_json(text)).sum::<u64>();
    if bytes > MOST_HEADER {
        return Err(format!(
            "would need a header of up to {bytes} bytes, a safetensors file has at most {MOST_HEADER}; give parameters and scopes shorter names"
        ));
    }
    Ok(())
}

/// Whether a tensor counts the batches of a batch norm. PyTorch's files hold one such i64 for each layer.
/// Here only layers whose running statistics are plain averages have one; for others it is ignored.
pub(super) fn counts_batches(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// An f32 tensor in the type that files hold: i64 for counts of batches, as in PyTorch.
fn typed(name: &str, bytes: Vec<u8>) -> (StoredType, Vec<u8>) {
    if !counts_batches(name) {
        return (StoredType::F32, bytes);
    }
    let numbers = bytemuck::pod_collect_to_vec::<u8, f32>(&bytes);
    // A user's layer may have a tensor of this name that is not a count; it must come back unchanged.
    if numbers.iter().any(|&x| (x as i64 as f32).to_bits() != x.to_bits()) {
        return (StoredType::F32, bytes);
    }
    (StoredType::I64, numbers.iter().flat_map(|&x| (x as i64).to_le_bytes()).collect())
}

/// Appends advice for a checkpoint whose state is not the graph's.
fn of_another_optimizer(message: String, checkpoint: &Checkpoint) -> String {
    let state: Vec<&str> = checkpoint.state.iter().map(String::as_str).collect();
    let held = if state.is_empty() { "no state".to_owned() } else { format!("the state {}", listed(&state)) };
    format!(
        "{message}: the checkpoint was saved with another optimizer or other settings of it, and holds {held}; build the graph as it was saved with, or take the parameters alone with Weights::load"
    )
}

/// The first few of these names, for errors.
pub(super) fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(12).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{shown}, and {} more", names.len() - 12) } else { shown }
}
