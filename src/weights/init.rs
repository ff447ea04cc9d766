//! Creates weights: allocates device memory, makes initial values, and uploads them.

use super::layout::Layout;
use super::{Entry, Weights};
use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value, ValueInfo};
use crate::memory;
use crate::op::arena_bytes;
use crate::tensor::TensorType;
use std::sync::{Arc, Mutex};

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
        Weights::init_all(device, &[graph], seed)
    }

    /// [`Weights::init`] for several graphs that share weights, each with an optimizer of its own: the two steps of a
    /// GAN, or a first phase that trains the head alone. Tensors of the same name are one tensor, including optimizer
    /// state. Its initial value is the first graph's.
    ///
    /// ```no_run
    /// # use wgrad::{Device, Graph, Plan, Result, Session, Weights};
    /// # fn train(device: &Device, generator_step: &Graph, discriminator_step: &Graph) -> Result<()> {
    /// let weights = Weights::init_all(device, &[generator_step, discriminator_step], 42)?;
    /// let mut generator = Session::new(device, Plan::new(generator_step, &[], device.caps())?, &weights)?;
    /// let mut discriminator = Session::new(device, Plan::new(discriminator_step, &[], device.caps())?, &weights)?;
    /// for _ in 0..5 {
    ///     discriminator.step()?;
    /// }
    /// generator.step()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Weights::init`]; a tensor that graphs have with different shapes; two optimizers where one updates some
    /// of the other's parameters, but not consecutive ones.
    pub fn init_all(device: &Device, graphs: &[&Graph], seed: u64) -> Result<Weights> {
        device.check()?;
        for (_, info) in graphs.iter().flat_map(|graph| graph.values()).filter(|(_, info)| is_kept(info)) {
            check_size(device, info)?;
        }
        let layout = Layout::new(graphs, device.caps().page_bytes())?;
        Weights::filled(device, &[], layout, seed)
    }

    /// Shares this memory, and allocates the extra state of `graph` with its initial values. For an
    /// evaluation graph that keeps state which the training graph does not have.
    ///
    /// # Errors
    /// As [`Weights::init`]; extra state that starts as a copy of a parameter, such as an average; an optimizer that
    /// updates parameters in another order than they have in these weights.
    pub fn with_state_of(&self, graph: &Graph) -> Result<Weights> {
        self.device.check()?;
        for (_, info) in graph.values() {
            let Source::State { init, .. } = &info.source else { continue };
            if self.entries.contains_key(&info.name) {
                continue;
            }
            if matches!(init, Init::Copy(_)) {
                return Err(Error::Graph(format!(
                    "\"{}\" starts as a copy of a parameter; make the weights from the graph that has both",
                    info.name
                )));
            }
            check_size(&self.device, info)?;
        }
        let bytes = self.device.caps().page_bytes();
        let layout = Layout::of_extra_state(graph, &self.entries, self.pages.len(), bytes)?;
        let weights = Weights::filled(&self.device, &self.pages, layout, 0)?;
        Ok(Weights { metadata: Arc::clone(&self.metadata), ..weights })
    }

    /// Allocates what `layout` adds to `pages`, and fills it.
    fn filled(device: &Device, pages: &[Buffer], layout: Layout<'_>, seed: u64) -> Result<Weights> {
        let Layout { tensors, entries, pages: bytes, .. } = layout;
        let new = |name: &&str| entries[*name].page >= pages.len();
        let mut names: Vec<&str> = tensors.keys().copied().filter(new).collect();
        names.sort_by_key(|&name| (entries[name].page, entries[name].offset));
        let mut streams = Vec::with_capacity(names.len());
        for &name in &names {
            let tensor = &tensors[name];
            streams.push(initial_values(tensor.graph, tensor.value, tensor.init())?);
        }
        let mut all = pages.to_vec();
        for (i, bytes) in bytes.into_iter().enumerate() {
            let first =
                names.iter().find(|&&name| entries[name].page == pages.len() + i).expect("no page is empty");
            all.push(device.buffer(&format!("the weights from \"{first}\" on"), bytes)?);
        }
        let mut filler = Filler::new(device, &all);
        for (&name, (init, stream)) in names.iter().zip(streams) {
            filler.fill(&entries[name], name, init, seed, stream)?;
        }
        filler.upload()?;
        let (pages, entries) = (Arc::new(all), Arc::new(entries));
        Ok(Weights { device: device.clone(), pages, entries, metadata: Arc::default() })
    }

    /// Memory of the same layout on another device, not filled yet.
    pub(crate) fn blank_on(&self, device: &Device) -> Result<Weights> {
        let pages: Result<Vec<Buffer>> =
            self.pages.iter().map(|page| device.buffer("weights", page.bytes())).collect();
        let (pages, entries) = (Arc::new(pages?), Arc::clone(&self.entries));
        Ok(Weights {
            device: device.clone(),
            pages,
            entries,
            metadata: Arc::new(Mutex::new(self.metadata())),
        })
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

/// Makes initial values and uploads neighbouring tensors together.
struct Filler<'d> {
    device: &'d Device,
    pages: &'d [Buffer],
    /// The page that `numbers` belong to.
    page: usize,
    start: u64,
    /// Where the next tensor's place begins.
    end: u64,
    numbers: Vec<f32>,
    /// Name of the first tensor among them.
    first: String,
}

impl<'d> Filler<'d> {
    fn new(device: &'d Device, pages: &'d [Buffer]) -> Self {
        Filler { device, pages, page: 0, start: 0, end: 0, numbers: Vec::new(), first: String::new() }
    }

    /// Makes the initial values of the tensor `name`. The name `stream` seeds its random numbers.
    fn fill(&mut self, entry: &Entry, name: &str, init: &Init, seed: u64, stream: &str) -> Result<()> {
        // A new buffer is zero already, so an optimizer's state needs no upload.
        if matches!(init, Init::Constant(value) if value.to_bits() == 0) {
            return Ok(());
        }
        let elements = entry.shape.elements();
        let follows = (entry.page, entry.offset) == (self.page, self.end);
        if self.numbers.is_empty() || !follows || self.numbers.len() + elements > TOGETHER {
            self.upload()?;
            (self.page, self.start) = (entry.page, entry.offset);
            name.clone_into(&mut self.first);
        }
        let at = ((entry.offset - self.start) / 4) as usize;
        let more = at + elements - self.numbers.len();
        memory::reserve(&mut self.numbers, more, name)?;
        self.numbers.resize(at + elements, 0.0);
        self.end = entry.offset + arena_bytes(&TensorType::f32(entry.shape.clone()));
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
