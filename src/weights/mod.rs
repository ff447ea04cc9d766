//! Parameters and state on the device, shared by name between sessions. Files of them are in `file.rs`, and in
//! `checkpoint.rs` what such a file says where training can go on from it.

mod checkpoint;
mod file;

pub(crate) use checkpoint::Checkpoint;

use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value};
use crate::plan::{ARENA_ALIGNMENT, Arenas, BufferKind};
use crate::tensor::{HostSlice, HostTensor, Shape, TensorType};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters, running statistics and optimizer state of a graph, in arenas on the device.
///
/// Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct Weights {
    device: Device,
    pages: Arc<Vec<Buffer>>,
    entries: Arc<BTreeMap<String, Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    shape: Shape,
    page: usize,
    offset: u64,
    in_file: bool,
    /// Whether it is the average of the parameter that its name says.
    average: bool,
}

/// Suffix of a parameter's average.
pub(crate) const AVERAGE: &str = "average";

impl Weights {
    /// Memory for every parameter and state of `graph`, with their first contents. The same seed
    /// and names give the same numbers, whatever else the graph holds.
    ///
    /// Make them from the training graph: it lays parameters, gradients and optimizer state out
    /// alike. Sessions of other graphs then find what they need by name.
    ///
    /// # Errors
    /// Not enough device memory.
    pub fn init(device: &Device, graph: &Graph, seed: u64) -> Result<Weights> {
        let caps = device.caps();
        let arenas = Arenas::new(graph, caps.max_binding_bytes.min(caps.max_buffer_bytes))?;
        let mut contents: Vec<Vec<f32>> = Vec::new();
        let mut page_of = BTreeMap::new();
        for (i, page) in arenas.pages.iter().enumerate() {
            if page.kind != BufferKind::Gradients {
                page_of.insert(i, contents.len());
                contents.push(vec![0.0; page.bytes as usize / 4]);
            }
        }
        let mut entries = BTreeMap::new();
        for (&value, &(page, offset)) in &arenas.places {
            let info = graph.info(value);
            let (init, in_file) = match &info.source {
                Source::Parameter(init) => (init, true),
                Source::State { init, in_state_dict } => (init, *in_state_dict),
                _ => continue,
            };
            let average = matches!(init, Init::Copy(of) if info.name == average_of(of));
            let (init, name) = first_contents(graph, value, init)?;
            let page = page_of[&page];
            let start = offset as usize / 4;
            let part = &mut contents[page][start..start + info.kind.shape.elements()];
            init.fill(seed, name, &info.kind.shape, part);
            let shape = info.kind.shape.clone();
            entries.insert(info.name.clone(), Entry { shape, page, offset, in_file, average });
        }
        let mut pages = Vec::with_capacity(contents.len());
        for content in contents {
            pages.push(page_of_contents(device, &content)?);
        }
        device.flush();
        Ok(Weights { device: device.clone(), pages: Arc::new(pages), entries: Arc::new(entries) })
    }

    /// These weights, in the same memory, and more of its own for the state that `graph` has besides, with its
    /// first contents: for a graph of evaluation that keeps what the training graph does not.
    ///
    /// # Errors
    /// Not enough device memory; state that starts as a copy, as averages of parameters do.
    pub fn with_state_of(&self, graph: &Graph) -> Result<Weights> {
        let (mut entries, mut content) = ((*self.entries).clone(), Vec::new());
        for (_, info) in graph.values() {
            let Source::State { init, in_state_dict } = &info.source else { continue };
            if entries.contains_key(&info.name) {
                continue;
            }
            if matches!(init, Init::Copy(_)) {
                return Err(Error::Graph(format!(
                    "\"{}\" starts as a copy of a parameter; make the weights from the graph that has both",
                    info.name
                )));
            }
            let (start, shape) = (content.len(), info.kind.shape.clone());
            content.resize(start + shape.elements(), 0.0);
            init.fill(0, &info.name, &info.kind.shape, &mut content[start..]);
            content.resize(content.len().next_multiple_of(ARENA_ALIGNMENT as usize / 4), 0.0);
            let (page, offset) = (self.pages.len(), 4 * start as u64);
            let entry = Entry { shape, page, offset, in_file: *in_state_dict, average: false };
            entries.insert(info.name.clone(), entry);
        }
        let mut pages = (*self.pages).clone();
        if !content.is_empty() {
            pages.push(page_of_contents(&self.device, &content)?);
            self.device.flush();
        }
        Ok(Weights { device: self.device.clone(), pages: Arc::new(pages), entries: Arc::new(entries) })
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Downloads one tensor.
    ///
    /// # Errors
    /// A name that is not there; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&self, name: &str) -> Result<HostTensor> {
        let entry = self.entry(name)?;
        let kind = TensorType::f32(entry.shape.clone());
        let bytes = self.device.read(&[(&self.pages[entry.page], entry.offset, kind.bytes())])?;
        Ok(HostTensor::from_bytes(&kind, &bytes[0]))
    }

    /// Uploads one tensor.
    ///
    /// # Errors
    /// A name that is not there, or another number of elements.
    pub fn write(&self, name: &str, data: &[f32]) -> Result<()> {
        let entry = self.entry(name)?;
        if data.len() != entry.shape.elements() {
            return Err(Error::Value {
                name: name.to_owned(),
                message: format!(
                    "shape {} has {} elements, found {}",
                    entry.shape,
                    entry.shape.elements(),
                    data.len()
                ),
            });
        }
        self.device.write(&self.pages[entry.page], entry.offset, HostSlice::F32(data).bytes());
        Ok(())
    }

    /// The same weights with averages in the place of the parameters they are averages of: a view for
    /// evaluation, or to save. What is not averaged, such as running statistics, stays as it is.
    ///
    /// # Errors
    /// Weights without averages.
    pub fn averaged(&self) -> Result<Weights> {
        let mut entries = (*self.entries).clone();
        let mut averages = 0;
        for (name, entry) in self.entries.iter().filter(|(_, entry)| entry.in_file) {
            let average = average_of(name);
            if self.entries.get(&average).is_some_and(|average| average.average)
                && let Some(average) = entries.remove(&average)
            {
                averages += 1;
                entries.insert(name.clone(), Entry { in_file: entry.in_file, average: false, ..average });
            }
        }
        if averages == 0 {
            return Err(Error::Graph(
                "the weights hold no averages; let the optimizer of their training graph keep an average"
                    .into(),
            ));
        }
        Ok(Weights {
            device: self.device.clone(),
            pages: Arc::clone(&self.pages),
            entries: Arc::new(entries),
        })
    }

    /// The buffer and start of a run of tensors, which must lie one after the other.
    pub(crate) fn place(&self, graph: &Graph, run: &[Value]) -> Result<(&Buffer, u64)> {
        let mut expected: Option<(usize, u64, u64)> = None;
        for &value in run {
            let info = graph.info(value);
            let entry = self.entry(&info.name)?;
            let error = |message: String| Error::Value { name: info.name.clone(), message };
            if entry.shape != info.kind.shape {
                return Err(error(format!(
                    "the weights hold it with shape {}, the graph has {}",
                    entry.shape, info.kind.shape
                )));
            }
            if expected.is_some_and(|(page, _, next)| page != entry.page || next != entry.offset) {
                return Err(error(
                    "the weights were laid out for another optimizer; make them from the training graph"
                        .into(),
                ));
            }
            let start = expected.map_or(entry.offset, |(_, start, _)| start);
            expected =
                Some((entry.page, start, entry.offset + info.kind.bytes().next_multiple_of(ARENA_ALIGNMENT)));
        }
        let (page, start, _) = expected.expect("a run has at least one tensor");
        Ok((&self.pages[page], start))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::Value {
            name: name.to_owned(),
            message: "the weights hold no tensor of this name; make them from the graph that trains it"
                .into(),
        })
    }
}

/// A buffer with these contents. The upload is queued.
fn page_of_contents(device: &Device, contents: &[f32]) -> Result<Buffer> {
    let buffer = device.buffer("weights", 4 * contents.len() as u64)?;
    // A new buffer is zero already: an optimizer's state is no upload.
    if contents.iter().any(|x| x.to_bits() != 0) {
        device.write(&buffer, 0, bytemuck::cast_slice(contents));
    }
    Ok(buffer)
}

fn average_of(parameter: &str) -> String {
    format!("{parameter}.{AVERAGE}")
}

/// What a tensor starts from, and the name that its random numbers go by.
fn first_contents<'g>(graph: &'g Graph, value: Value, init: &'g Init) -> Result<(&'g Init, &'g str)> {
    let info = graph.info(value);
    let Init::Copy(of) = init else { return Ok((init, &info.name)) };
    let copied = graph.find(of).map(|copied| graph.info(copied));
    match copied.map(|copied| (&copied.source, copied.kind == info.kind)) {
        Some((Source::Parameter(init), true)) if !matches!(init, Init::Copy(_)) => Ok((init, of)),
        _ => Err(Error::Graph(format!(
            "\"{}\" is to start as a copy of \"{of}\", which is no parameter {} with contents of its own",
            info.name, info.kind
        ))),
    }
}
