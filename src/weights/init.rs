//! Creates weights: allocates device memory, makes initial values, and uploads them.

use super::{Entry, Weights, average_of};
use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value, ValueInfo};
use crate::memory;
use crate::op::{ARENA_ALIGNMENT, arena_bytes};
use crate::plan::{Arenas, BufferKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Elements of one upload. Smaller tensors share an upload; a larger one has its own.
const TOGETHER: usize = 1 << 18;

impl Weights {
    /// Allocates every parameter and state of `graph` and gives them their initial values. Equal seeds and
    /// names give equal numbers, whatever else the graph holds.
    ///
    /// Pass the training graph: its optimizer decides how parameters, gradients and state lie in memory.
    /// Sessions of other graphs then find their tensors by name.
    ///
    /// Sizes are checked and device memory is allocated before the first number is made. The host holds one
    /// large tensor at a time.
    ///
    /// # Errors
    /// A tensor larger than the adapter's buffers; not enough memory on the device or the host, with the name
    /// of the tensor; a fault of the device.
    pub fn init(device: &Device, graph: &Graph, seed: u64) -> Result<Weights> {
        device.check()?;
        for (_, info) in graph.values().filter(|(_, info)| is_kept(info)) {
            check_size(device, info)?;
        }
        let arenas = Arenas::new(graph, device.caps())?;
        let mut page_of = BTreeMap::new();
        let kept = arenas.pages.iter().enumerate().filter(|(_, page)| page.kind != BufferKind::Gradients);
        for (number, (i, page)) in kept.enumerate() {
            page_of.insert(i, (number, page.bytes));
        }
        // By page and offset.
        let mut tensors = Vec::new();
        for (&value, &(page, offset)) in &arenas.places {
            let info = graph.info(value);
            let (init, in_file) = match &info.source {
                Source::Parameter(init) => (init, true),
                Source::State { init, in_state_dict } => (init, *in_state_dict),
                _ => continue,
            };
            let (page, _) = page_of[&page];
            let average = matches!(init, Init::Copy(of) if info.name == average_of(of));
            let (init, name) = initial_values(graph, value, init)?;
            let entry = Entry { shape: info.ty.shape.clone(), page, offset, in_file, average };
            tensors.push((info, entry, init, name));
        }
        tensors.sort_by_key(|(_, entry, ..)| (entry.page, entry.offset));
        let mut pages = Vec::with_capacity(page_of.len());
        for &(number, bytes) in page_of.values() {
            let first = tensors.iter().find(|(_, entry, ..)| entry.page == number);
            pages.push(page_of_bytes(device, first.map(|(info, ..)| *info), bytes)?);
        }
        let mut filler = Filler::new(device, &pages);
        let mut entries = BTreeMap::new();
        for (info, entry, init, name) in tensors {
            filler.fill(&entry, &info.name, init, seed, name)?;
            entries.insert(info.name.clone(), entry);
        }
        filler.upload()?;
        Ok(Weights { device: device.clone(), pages: Arc::new(pages), entries: Arc::new(entries) })
    }

    /// Shares this memory, and allocates the extra state of `graph` with its initial values. For an
    /// evaluation graph that keeps state which the training graph does not have.
    ///
    /// # Errors
    /// As [`Weights::init`]; extra state that starts as a copy of a parameter, such as an average.
    pub fn with_state_of(&self, graph: &Graph) -> Result<Weights> {
        self.device.check()?;
        let (mut entries, mut tensors, mut bytes) = ((*self.entries).clone(), Vec::new(), 0);
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
            check_size(&self.device, info)?;
            let (page, shape) = (self.pages.len(), info.ty.shape.clone());
            let entry = Entry { shape, page, offset: bytes, in_file: *in_state_dict, average: false };
            bytes += arena_bytes(&info.ty);
            entries.insert(info.name.clone(), entry.clone());
            tensors.push((info, entry, init));
        }
        let mut pages = (*self.pages).clone();
        if let Some((first, ..)) = tensors.first() {
            pages.push(page_of_bytes(&self.device, Some(first), bytes)?);
        }
        let mut filler = Filler::new(&self.device, &pages);
        for (info, entry, init) in &tensors {
            filler.fill(entry, &info.name, init, 0, &info.name)?;
        }
        filler.upload()?;
        Ok(Weights { device: self.device.clone(), pages: Arc::new(pages), entries: Arc::new(entries) })
    }

    /// Memory of the same layout on another device, not filled yet.
    pub(crate) fn blank_on(&self, device: &Device) -> Result<Weights> {
        let pages: Result<Vec<Buffer>> =
            self.pages.iter().map(|page| device.buffer("weights", page.bytes())).collect();
        Ok(Weights { device: device.clone(), pages: Arc::new(pages?), entries: Arc::clone(&self.entries) })
    }
}

/// Whether weights hold this value.
fn is_kept(info: &ValueInfo) -> bool {
    matches!(info.source, Source::Parameter(_) | Source::State { .. })
}

/// Fails for a tensor that no buffer of the adapter can hold.
fn check_size(device: &Device, info: &ValueInfo) -> Result<()> {
    let (bytes, most) = (info.ty.bytes(), device.caps().max_buffer_bytes);
    if bytes <= most {
        return Ok(());
    }
    Err(Error::Value {
        name: info.name.clone(),
        message: format!(
            "{} takes {bytes} bytes, the largest buffer of \"{}\" is {most}; make the layer smaller or choose another adapter",
            info.ty,
            device.summary().name
        ),
    })
}

/// Allocates a page for the tensor `first` and those that follow it.
fn page_of_bytes(device: &Device, first: Option<&ValueInfo>, bytes: u64) -> Result<Buffer> {
    let name = first.map_or("nothing", |info| &info.name);
    device.buffer(&format!("the weights from \"{name}\" on"), bytes)
}

/// Makes initial values and uploads neighbouring tensors together.
struct Filler<'d> {
    device: &'d Device,
    pages: &'d [Buffer],
    /// The page that `numbers` belong to.
    page: usize,
    start: u64,
    numbers: Vec<f32>,
    /// Name of the first tensor among them.
    first: String,
}

impl<'d> Filler<'d> {
    fn new(device: &'d Device, pages: &'d [Buffer]) -> Self {
        Filler { device, pages, page: 0, start: 0, numbers: Vec::new(), first: String::new() }
    }

    /// Makes the initial values of the tensor `name`. The name `stream` seeds its random numbers.
    fn fill(&mut self, entry: &Entry, name: &str, init: &Init, seed: u64, stream: &str) -> Result<()> {
        // A new buffer is zero already, so an optimizer's state needs no upload.
        if matches!(init, Init::Constant(value) if value.to_bits() == 0) {
            return Ok(());
        }
        let elements = entry.shape.elements();
        let end = self.start + 4 * self.numbers.len() as u64;
        let follows = entry.page == self.page && entry.offset == end.next_multiple_of(ARENA_ALIGNMENT);
        if self.numbers.is_empty() || !follows || self.numbers.len() + elements > TOGETHER {
            self.upload()?;
            (self.page, self.start) = (entry.page, entry.offset);
            name.clone_into(&mut self.first);
        }
        let at = ((entry.offset - self.start) / 4) as usize;
        let more = at + elements - self.numbers.len();
        memory::reserve(&mut self.numbers, more, name)?;
        self.numbers.resize(at + elements, 0.0);
        init.fill(seed, stream, &entry.shape, &mut self.numbers[at..])
    }

    fn upload(&mut self) -> Result<()> {
        if let Some(page) = self.pages.get(self.page) {
            let written = self.device.write(page, self.start, bytemuck::cast_slice(&self.numbers));
            written.map_err(|e| e.about(&format!("initial values from \"{}\" on", self.first)))?;
        }
        self.numbers = Vec::new();
        Ok(())
    }
}

/// A tensor's `Init`, and the name that seeds its random numbers.
fn initial_values<'g>(graph: &'g Graph, value: Value, init: &'g Init) -> Result<(&'g Init, &'g str)> {
    let info = graph.info(value);
    let Init::Copy(of) = init else { return Ok((init, &info.name)) };
    let copied = graph.find(of).map(|copied| graph.info(copied));
    match copied.map(|copied| (&copied.source, copied.ty == info.ty)) {
        Some((Source::Parameter(init), true)) if !matches!(init, Init::Copy(_)) => Ok((init, of)),
        _ => Err(Error::Graph(format!(
            "\"{}\" is to start as a copy of \"{of}\", which is no parameter {} with contents of its own",
            info.name, info.ty
        ))),
    }
}
