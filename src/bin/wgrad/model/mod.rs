//! The network that the command line means: by a file of weights, an ONNX file, or a name. `head.rs` finds what such a file
//! tells by the shapes of its tensors, `graph.rs` builds graphs of the network, and this file decides between options, files and
//! defaults. It needs no device.

mod graph;
mod head;

pub(crate) use graph::{Built, write};

use crate::out::{Outcome, fail, usage};
use crate::sources::spare;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wgrad::file::{printable, printable_path};
use wgrad::nn::{Sequential, models};
use wgrad::onnx::{self, Dimension};
use wgrad::weights::{LoadOptions, Metadata, TensorFile};
use wgrad::{Shape, Weights};

/// Which network.
#[derive(clap::Args)]
pub(crate) struct Named {
    /// A file of weights, an .onnx file, or a network's name
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) open: Open,
}

impl Named {
    /// Reads what is named.
    pub(crate) fn read(&self) -> Outcome<Model> {
        Model::open(&self.model, &self.open)
    }
}

/// What a file may leave open.
#[derive(clap::Args)]
pub(crate) struct Open {
    /// The network whose weights the file holds, unless it says so: resnet18, mobilenet_v2, ...
    #[arg(long, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Number of classes, unless the file says it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) classes: Option<u32>,
    /// Sizes of one input without the batch, such as 3x224x224
    #[arg(long, value_name = "CxHxW")]
    pub(crate) input: Option<Sizes>,
}

/// Sizes with an x between them.
#[derive(Clone, Debug)]
pub(crate) struct Sizes(pub(crate) Vec<usize>);

impl std::str::FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Sizes, String> {
        let size = |part: &str| part.parse().ok().filter(|size| (1..=1 << 20).contains(size));
        let sizes: Option<Vec<usize>> = text.split('x').map(size).collect();
        let sizes = sizes.filter(|sizes| Shape::from(&sizes[..]).elements() < 1 << 31);
        sizes.map(Sizes).ok_or_else(|| {
            "expected sizes such as 3x224x224 or 224: 1 to 1048576 each, with a product below 2147483648"
                .to_owned()
        })
    }
}

/// Where a network's weights are.
enum Source {
    /// Random weights.
    Random,
    File(PathBuf),
    Onnx(Arc<onnx::Model>),
}

/// A network.
pub(crate) struct Model {
    /// What it is called in reports.
    pub(crate) name: String,
    source: Source,
    /// `None` for an ONNX file.
    layer: Option<Arc<Sequential>>,
    /// Sizes of one input, without the batch; `None` for an ONNX file that says it itself.
    item: Option<Vec<usize>>,
    /// What the file says of it.
    pub(crate) metadata: Metadata,
}

/// Whether the name is that of an ONNX file.
pub(crate) fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

impl Model {
    /// Reads what the command line names, but no contents of tensors.
    pub(crate) fn open(path: &Path, open: &Open) -> Outcome<Model> {
        let by_name = path.to_str().filter(|name| models::NAMES.contains(name));
        match by_name {
            Some(name) if !path.exists() => Model::of_name(name, open),
            _ if is_onnx(path) => Model::of_onnx(path, open),
            _ => Model::of_file(path, open),
        }
    }

    fn of_name(name: &str, open: &Open) -> Outcome<Model> {
        if open.network.as_ref().is_some_and(|network| network != name) {
            return usage(format!("\"{name}\" is a network already; --network is for files of weights"));
        }
        let published = head::Published::of(name);
        let (layer, item) = network(name, open, published.classes, published.item())?;
        let metadata = Metadata::default();
        Ok(Model {
            name: name.to_owned(),
            source: Source::Random,
            layer: Some(layer),
            item: Some(item),
            metadata,
        })
    }

    fn of_onnx(path: &Path, open: &Open) -> Outcome<Model> {
        if open.network.is_some() || open.classes.is_some() {
            return usage("an ONNX file holds its network; --network and --classes are for files of weights");
        }
        let model = onnx::Model::open(path)?;
        let item = open.input.as_ref().map(|input| input.0.clone());
        let metadata = model.metadata().clone();
        let (name, source) = (printable_path(path), Source::Onnx(Arc::new(model)));
        Ok(Model { name, source, layer: None, item, metadata })
    }

    fn of_file(path: &Path, open: &Open) -> Outcome<Model> {
        let file = match TensorFile::open(path) {
            Err(error) if !path.exists() => {
                let names = models::NAMES.join(", ");
                return fail(format!("{error}; MODEL is a file, or one of the networks {names}"));
            }
            opened => opened?,
        };
        let metadata = file.metadata().clone();
        let Some(name) = open.network.clone().or_else(|| metadata.network.clone()) else {
            return fail(format!(
                "{} does not name its network; name it by --network, one of {}",
                printable_path(path),
                models::NAMES.join(", ")
            ));
        };
        if !models::NAMES.contains(&name.as_str()) {
            return fail(unknown(&name));
        }
        let published = head::Published::of(&name);
        let found = head::find(&name, &file)?;
        let classes = match metadata.class_names.len() {
            0 => found.classes.unwrap_or(published.classes),
            named => named,
        };
        let item = match &metadata.input_shape {
            Some(shape) => shape.to_vec(),
            None => {
                head::Published { channels: found.channels.unwrap_or(published.channels), ..published }.item()
            }
        };
        let (layer, item) = network(&name, open, classes, item)?;
        let source = Source::File(path.to_owned());
        Ok(Model { name: printable_path(path), source, layer: Some(layer), item: Some(item), metadata })
    }

    /// Sizes of one input, if the network takes one whose sizes are known.
    pub(crate) fn item(&self) -> Option<Vec<usize>> {
        if self.item.is_some() {
            return self.item.clone();
        }
        let Source::Onnx(model) = &self.source else { return None };
        let [port] = model.inputs() else { return None };
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => Some(*size),
            _ => None,
        };
        port.dimensions.as_ref()?.iter().skip(1).map(size).collect()
    }

    /// Channels of one input, as far as the file or the network says.
    pub(crate) fn channels(&self) -> Option<usize> {
        let Source::Onnx(model) = &self.source else { return self.item.as_ref()?.first().copied() };
        let [port] = model.inputs() else { return None };
        match port.dimensions.as_ref()?.get(1)? {
            Dimension::Fixed(size) => Some(*size),
            _ => None,
        }
    }

    /// Sets the sizes of one input.
    pub(crate) fn set_item(&mut self, item: Vec<usize>) {
        self.item = Some(item);
    }

    /// The network as a layer: of images to logits, or the one input of an ONNX file to its one output.
    pub(crate) fn layer(&self) -> Arc<dyn wgrad::nn::Layer> {
        match (&self.source, &self.layer) {
            (Source::Onnx(model), _) => Arc::clone(model) as Arc<dyn wgrad::nn::Layer>,
            (_, Some(layer)) => Arc::clone(layer) as Arc<dyn wgrad::nn::Layer>,
            (_, None) => unreachable!("only ONNX files have no layer"),
        }
    }

    /// The name of the batch size, unless an ONNX file fixes it.
    pub(crate) fn batch_name(&self) -> Option<String> {
        let open = || Some("N".to_owned());
        let Source::Onnx(model) = &self.source else { return open() };
        match model.inputs().first().and_then(|port| port.dimensions.as_ref()?.first()) {
            Some(Dimension::Fixed(_)) => None,
            Some(Dimension::Symbolic(name)) => Some(name.clone()),
            _ => open(),
        }
    }

    /// Refuses to write over a file that it is read from.
    pub(crate) fn spare(&self, to: &Path) -> Outcome<()> {
        match &self.source {
            Source::Random => Ok(()),
            Source::Onnx(model) => spare(to, &self.name, model.files()),
            Source::File(path) => spare(to, &self.name, TensorFile::open(path)?.files()),
        }
    }

    /// Whether its weights are random.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self.source, Source::Random)
    }

    /// Gives the weights of a graph that was built of it the values of its file.
    pub(crate) fn load(&self, built: &Built, weights: &Weights) -> Outcome<()> {
        match (&self.source, &built.network) {
            (Source::File(path), _) => {
                weights.load_with(path, &LoadOptions::new().strip_wrappers()).map(drop)?;
            }
            (_, Some(network)) => network.load_into(weights)?,
            (_, None) => {}
        }
        Ok(())
    }
}

/// The network of a name, for as many classes and such inputs as the options say, or else these.
fn network(
    name: &str,
    open: &Open,
    classes: usize,
    item: Vec<usize>,
) -> Outcome<(Arc<Sequential>, Vec<usize>)> {
    let item = open.input.as_ref().map_or(item, |input| input.0.clone());
    if item.len() != 3 {
        return usage(format!("\"{name}\" takes inputs of channels, height and width; found {item:?}"));
    }
    let classes = open.classes.map_or(classes, |classes| classes as usize);
    match models::by_name(name, item[0], classes) {
        Some(network) => Ok((Arc::new(network), item)),
        None => fail(unknown(name)),
    }
}

fn unknown(name: &str) -> String {
    format!("\"{}\" is no network; expected one of {}", printable(name), models::NAMES.join(", "))
}
