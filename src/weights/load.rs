//! Loading of files: which tensor of the file goes where, and the errors that say how to load what does not fit.

use super::contents::Origin;
use super::file::{counts_batches, listed};
use super::options::wrappers_of;
use super::reader::{Reader, Tensor};
use super::report::{LoadReport, LoadedTensor};
use super::{Entry, LoadOptions, Weights, average_of};
use crate::error::{Error, Result};
use crate::file::printable;
use crate::tensor::HostSlice;
use std::collections::BTreeMap;
use std::path::Path;

impl Weights {
    /// Reads parameters and running statistics from a file. Nothing is changed unless every tensor fits. A save or a
    /// step in another thread sees either all old tensors or all new ones.
    ///
    /// The first bytes tell the format:
    ///
    /// - safetensors;
    /// - what `torch.save` writes (`.pt`, `.pth`, `.bin`): a state dict, or a checkpoint that holds one under a usual key
    ///   such as `state_dict` or `model`. Its pickle is read without running any code. A file that needs other Python
    ///   objects than tensors, such as a whole pickled module, is refused by the object's name;
    /// - an index of several such files in the same folder, as Hugging Face's libraries write
    ///   (`model.safetensors.index.json`).
    ///
    /// Tensors of f16 and bf16 convert exactly. Those of f64 are rounded to f32, and numbers beyond its range become
    /// infinite, as by PyTorch's `.to(torch.float32)`; [`Weights::load_with`] counts them.
    ///
    /// From a checkpoint it reads the same tensors, and averages of parameters where these weights keep them.
    /// That is enough to evaluate, or to start another training. Optimizer state and step number do not
    /// change; to resume, use [`Session::load_checkpoint`](crate::Session::load_checkpoint).
    ///
    /// # Errors
    /// A file that can't be read, is damaged, or is of another format; a tensor that is missing, extra, of another shape
    /// or not of floats; not enough memory.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<()> {
        self.load_with(path, &LoadOptions::new()).map(drop)
    }

    /// As [`Weights::load`], for files of other networks or other names: with prefixes, renaming, filters, and tensors
    /// that may be missing or left over. Returns what was taken.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::weights::LoadOptions;
    /// # fn load(weights: &wgrad::Weights) -> wgrad::Result<()> {
    /// // All but the head, which has another number of classes here.
    /// let options = LoadOptions::new().strip_wrappers().filter(|name| !name.starts_with("fc."));
    /// let report = weights.load_with("resnet18.safetensors", &options)?;
    /// println!("{report}");
    /// assert_eq!(report.filtered, ["fc.bias", "fc.weight"]);
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Weights::load`], for the tensors that the options select; two tensors of the file that get one name; a
    /// partial load that finds nothing; averages that the file does not have.
    pub fn load_with(&self, path: impl AsRef<Path>, options: &LoadOptions) -> Result<LoadReport> {
        self.load_from(Origin::File(path.as_ref()), options)
    }

    /// [`Weights::load`] of what [`Weights::to_bytes`] made, or of a file's contents in host memory. An index has no other
    /// files there, and is refused.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub fn load_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.load_bytes_with(bytes, &LoadOptions::new()).map(drop)
    }

    /// [`Weights::load_with`] of a file's contents in host memory.
    ///
    /// # Errors
    /// As [`Weights::load_with`].
    pub fn load_bytes_with(&self, bytes: &[u8], options: &LoadOptions) -> Result<LoadReport> {
        self.load_from(Origin::Bytes(bytes), options)
    }

    fn load_from(&self, from: Origin<'_>, options: &LoadOptions) -> Result<LoadReport> {
        self.device.check()?;
        let file = Reader::new(from, self.header_bytes())?;
        let (sources, left_over) = self.sources(&file, options)?;
        let mut report = LoadReport { taken: vec![], missing: vec![], left_over, filtered: vec![] };
        let (mut found, mut averaged) = (Vec::new(), false);
        for (name, entry) in self.entries.iter().filter(|(_, e)| e.in_file) {
            if !options.keeps(name) {
                report.filtered.push(name.clone());
                continue;
            }
            let Some(&from) = sources.get(name) else {
                if !options.partial {
                    return Err(self.missing(&file, name, entry));
                }
                report.missing.push(name.clone());
                continue;
            };
            let tensor = |from: &str| {
                let advice = "load all tensors but this one by LoadOptions::filter";
                file.tensor(from, entry).map_err(|message| file.error(format!("{message}; {advice}")))
            };
            let average = average_of(from);
            let held = if file.is_state(&average) { Some(tensor(&average)?) } else { None };
            let mut taken = tensor(from)?;
            if let (Some(average), true) = (held, options.averages) {
                (taken, averaged) = (average, true);
            }
            report.taken.push(LoadedTensor {
                name: name.clone(),
                from: from.to_owned(),
                shape: entry.shape.clone(),
                dtype: taken.dtype(),
                overflowed: 0,
            });
            found.push((entry, taken));
            let kept = average_of(name);
            for (copy, entry) in self.copies_of(name) {
                // What the file does not have restarts from the loaded parameter.
                let held = held.filter(|_| *copy == kept);
                found.push((entry, held.unwrap_or(taken)));
            }
        }
        if options.averages && !averaged {
            return Err(file.error("holds no averages of parameters; load it without LoadOptions::averages, or take a checkpoint of an optimizer that keeps averages".into()));
        }
        if report.taken.is_empty() && self.dict().next().is_some() {
            let held = listed(&file.names());
            let wanted: Vec<&str> = self.dict().collect();
            return Err(file.error(format!(
                "has no tensor that was to be loaded: it holds {held}, and the network {}; rename them by LoadOptions::rename_prefix",
                listed(&wanted)
            )));
        }
        let read = self.upload(&file, &found)?.1;
        let parameters = found.iter().zip(read).filter(|((entry, _), _)| entry.copies.is_none());
        for (taken, (_, overflowed)) in report.taken.iter_mut().zip(parameters) {
            taken.overflowed = overflowed;
        }
        Ok(report)
    }

    /// For each tensor of a state dict, the name of the file's tensor that goes there; and the file's other tensors.
    fn sources<'f>(
        &self,
        file: &'f Reader<'_>,
        options: &LoadOptions,
    ) -> Result<(BTreeMap<String, &'f str>, Vec<String>)> {
        let (mut sources, mut left_over) = (BTreeMap::new(), Vec::new());
        for from in file.names().into_iter().filter(|from| !file.is_state(from)) {
            let name = options.renamed(from, |name| self.is_in_dict(name));
            if !options.keeps(&name) {
                continue;
            }
            if self.is_in_dict(&name) {
                if let Some(other) = sources.insert(name.clone(), from) {
                    let [other, from, name] = [other, from, &name].map(printable);
                    return Err(file.error(format!(
                        "tensors \"{other}\" and \"{from}\" both become \"{name}\"; rename one of them to something else"
                    )));
                }
            } else if !counts_batches(&name) {
                left_over.push(from.to_owned());
            }
        }
        if let (Some(extra), false) = (left_over.first(), options.partial) {
            // A tensor that is missing says more: it is reported first.
            let lacks = |(name, entry): (&String, &Entry)| {
                entry.in_file && options.keeps(name) && !sources.contains_key(name)
            };
            if !self.entries.iter().any(lacks) {
                let message = file.extra(extra);
                return Err(file.error(format!(
                    "{message}, or load what fits by LoadOptions::partial{}",
                    self.wrapped(&[extra.as_str()])
                )));
            }
        }
        Ok((sources, left_over))
    }

    fn missing(&self, file: &Reader<'_>, name: &str, entry: &Entry) -> Error {
        let message = file.missing(name, entry);
        let advice = match self.wrapped(&file.names()) {
            advice if advice.is_empty() => {
                "; load under other names by LoadOptions::rename, or what fits by LoadOptions::partial".into()
            }
            advice => advice,
        };
        file.error(format!("{message}{advice}"))
    }

    /// Advice for a file whose names have prefixes in front of the network's.
    fn wrapped(&self, names: &[&str]) -> String {
        let prefix = names.iter().find_map(|&name| wrappers_of(name, |name| self.is_in_dict(name)));
        prefix.map_or_else(String::new, |prefix| {
            format!(
                "; its names begin with \"{}\", load it with LoadOptions::strip_wrappers",
                printable(prefix)
            )
        })
    }

    fn is_in_dict(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.in_file)
    }

    /// Names of the tensors of a state dict.
    fn dict(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|(_, entry)| entry.in_file).map(|(name, _)| name.as_str())
    }

    /// Uploads tensors of a file. Returns the number of bytes, and how many numbers of each tensor became infinite.
    pub(super) fn upload(
        &self,
        file: &Reader<'_>,
        found: &[(&Entry, Tensor<'_>)],
    ) -> Result<(u64, Vec<usize>)> {
        let (mut upload, mut overflowed) = (self.device.upload(), Vec::with_capacity(found.len()));
        for (entry, tensor) in found {
            let (numbers, infinite) = file.read(tensor)?;
            upload.write(&self.pages[entry.page], entry.offset, HostSlice::F32(&numbers).bytes())?;
            overflowed.push(infinite);
        }
        file.check_unchanged()?;
        Ok((upload.submit()?, overflowed))
    }
}
