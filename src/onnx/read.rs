//! From a file to a checked model: the message decoded, tensors read, external data found.

use super::element::ElementType;
use super::proto::{
    DimensionProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
};
use super::tensor::{self, Tensor};
use super::{Dimension, Port, wire};
use crate::error::{Error, Result};
use crate::file::{self, folder_of, printable};
use crate::memory;
use crate::weights::Metadata;
use prost::Message;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The most bytes of a file without its external data: protobuf's own limit.
const MOST_BYTES: u64 = (1 << 31) - 1;
/// The operator sets that are read.
const OPSETS: [i64; 2] = [9, 28];

/// An initialiser, or why it can't be used.
pub(super) type Initializer = Result<Arc<Tensor>, String>;

/// A checked model.
#[derive(Debug)]
pub(super) struct Contents {
    pub path: PathBuf,
    /// The file and those that hold external data; none for bytes in memory.
    pub files: BTreeSet<PathBuf>,
    pub opset: i64,
    pub producer: String,
    pub metadata: Metadata,
    /// Numbers of nodes by operator, constants among them.
    pub operators: BTreeMap<String, usize>,
    /// In the order in which they run, without constants.
    pub nodes: Vec<NodeProto>,
    pub initializers: HashMap<String, Initializer>,
    /// Nodes `Constant`.
    pub constants: HashMap<String, Initializer>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

impl Contents {
    pub(super) fn open(path: &Path) -> Result<Contents> {
        let bytes = file::read_whole(path, MOST_BYTES).map_err(|source| Error::File {
            action: "reading",
            path: path.to_owned(),
            source,
        })?;
        Contents::decode(path.to_owned(), Some(path), bytes.into())
    }

    /// `file` is where the bytes come from, beside which external data may lie.
    pub(super) fn decode(path: PathBuf, file: Option<&Path>, bytes: Bytes) -> Result<Contents> {
        let error = |message: String| Error::Onnx { path: path.clone(), message };
        wire::check(&bytes).map_err(error)?;
        let model =
            ModelProto::decode(bytes).map_err(|e| error(format!("is no ONNX model, or damaged: {e}")))?;
        let opset = opset(&model).map_err(error)?;
        let producer = [model.producer_name, model.producer_version].map(Option::unwrap_or_default).join(" ");
        let Some(graph) = model.graph else {
            return Err(error("holds no graph; expected an ONNX model".into()));
        };
        let text =
            |entry: StringStringEntryProto| (entry.key.unwrap_or_default(), entry.value.unwrap_or_default());
        let texts: HashMap<String, String> = model.metadata_props.into_iter().map(text).collect();
        let metadata = Metadata::of(&Some(texts)).map_err(error)?;
        if !graph.sparse_initializer.is_empty() {
            return Err(error(
                "holds sparse initialisers, which are not supported; export them as dense ones".into(),
            ));
        }
        let mut initializers = HashMap::new();
        for proto in &graph.initializer {
            let name = proto.name.clone().unwrap_or_default();
            let read = read(proto, file)
                .map_err(|e| e.located(&path, &format!("initialiser \"{}\"", printable(&name))))?;
            if initializers.insert(name.clone(), read).is_some() {
                return Err(error(format!("holds the initialiser \"{}\" twice", printable(&name))));
            }
        }
        // Old files list initialisers as inputs too, with defaults that a program may replace.
        let inputs = graph
            .input
            .iter()
            .filter(|port| !initializers.contains_key(port.name.as_deref().unwrap_or_default()));
        let inputs: Vec<Port> = inputs.map(port).collect();
        let outputs: Vec<Port> = graph.output.iter().map(port).collect();
        if outputs.is_empty() {
            return Err(error("has no outputs".into()));
        }
        let mut nodes = Vec::with_capacity(graph.node.len());
        let mut made: HashSet<&str> = inputs.iter().map(|port| port.name.as_str()).collect();
        let mut constants = HashMap::new();
        let mut operators = BTreeMap::new();
        for node in &graph.node {
            *operators.entry(operator(node)).or_insert(0) += 1;
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                if initializers.contains_key(name) || !made.insert(name) {
                    return Err(error(format!(
                        "{}: makes \"{}\", which is there already",
                        title(node),
                        printable(name)
                    )));
                }
            }
            match constant(node, file) {
                Some(read) => {
                    let read = read.map_err(|e| e.located(&path, &title(node)))?;
                    constants.insert(node.output.first().cloned().unwrap_or_default(), read);
                }
                None => nodes.push(node.clone()),
            }
        }
        let tensors =
            graph.node.iter().flat_map(|node| &node.attribute).filter_map(|attribute| attribute.t.as_deref());
        let mut files = BTreeSet::new();
        if let Some(file) = file {
            let beside = tensors.chain(&graph.initializer).filter_map(location);
            files.extend(beside.map(|location| folder_of(file).join(location)));
            files.insert(file.to_owned());
        }
        Ok(Contents {
            path,
            files,
            opset,
            producer: producer.trim().to_owned(),
            metadata,
            operators,
            nodes,
            initializers,
            constants,
            inputs,
            outputs,
        })
    }

    pub(super) fn error(&self, message: String) -> Error {
        Error::Onnx { path: self.path.clone(), message }
    }
}

/// A node's operator, behind its domain unless that is ONNX's own.
fn operator(node: &NodeProto) -> String {
    let operator = node.op_type.as_deref().unwrap_or("");
    match node.domain.as_deref().unwrap_or("") {
        "" | "ai.onnx" => operator.to_owned(),
        domain => format!("{domain}.{operator}"),
    }
}

/// How errors name a node: by its operator and its name, or its first output's.
pub(super) fn title(node: &NodeProto) -> String {
    format!("{} \"{}\"", printable(node.op_type.as_deref().unwrap_or("node")), printable(name_of(node)))
}

pub(super) fn name_of(node: &NodeProto) -> &str {
    let first = node.output.iter().find(|name| !name.is_empty()).map_or("", String::as_str);
    node.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(first)
}

/// The version of ONNX's own operators.
fn opset(model: &ModelProto) -> Result<i64, String> {
    let own = |domain: Option<&str>| matches!(domain.unwrap_or(""), "" | "ai.onnx");
    let found = model.opset_import.iter().find(|set| own(set.domain.as_deref())).and_then(|set| set.version);
    let [first, last] = OPSETS;
    match found {
        Some(version) if (first..=last).contains(&version) => Ok(version),
        Some(version) => Err(format!(
            "uses operator set {version}, expected {first} to {last}; convert it with onnx.version_converter or export it anew"
        )),
        // A model of other domains' operators, which its nodes' errors name.
        None => Ok(last),
    }
}

fn port(info: &ValueInfoProto) -> Port {
    let name = info.name.clone().unwrap_or_default();
    let tensor = info.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref());
    let dimension = |dim: &DimensionProto| match (dim.dim_value, &dim.dim_param) {
        // Some exporters write -1 for a dimension without a size.
        (Some(size), _) => usize::try_from(size).map_or(Dimension::Unknown, Dimension::Fixed),
        (None, Some(symbol)) if !symbol.is_empty() => Dimension::Symbolic(symbol.clone()),
        _ => Dimension::Unknown,
    };
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let dimensions = shape.map(|shape| shape.dim.iter().map(dimension).collect());
    let element = tensor.and_then(|tensor| ElementType::of(tensor.elem_type.unwrap_or(0).into()).ok());
    Port { dimensions, element, name }
}

/// Why a tensor could not be read.
enum Failure {
    /// The file that could not be read.
    File(Error),
    /// What is wrong with the tensor.
    Tensor(String),
}

impl Failure {
    fn located(self, path: &Path, place: &str) -> Error {
        match self {
            Failure::File(error) => error,
            Failure::Tensor(message) => {
                Error::Onnx { path: path.to_owned(), message: format!("{place}: {message}") }
            }
        }
    }
}

/// Reads a tensor. One of a type that is not read is an error only where it is used.
fn read(proto: &TensorProto, file: Option<&Path>) -> Result<Initializer, Failure> {
    if let Err(message) = ElementType::of(proto.data_type.unwrap_or(0).into()) {
        return Ok(Err(message));
    }
    let bytes = match proto.data_location {
        Some(1) => Some(external(proto, file)?),
        _ => None,
    };
    Tensor::read(proto, bytes.as_deref()).map(|tensor| Ok(Arc::new(tensor))).map_err(Failure::Tensor)
}

/// What a tensor's message says of its external data.
fn entry<'t>(proto: &'t TensorProto, key: &str) -> Option<&'t str> {
    let entry = proto.external_data.iter().find(|entry| entry.key.as_deref() == Some(key));
    entry.and_then(|entry| entry.value.as_deref())
}

/// The file of the model's folder that a tensor's data lies in, if it lies in another file.
fn location(proto: &TensorProto) -> Option<&Path> {
    let location = Path::new(entry(proto, "location").filter(|_| proto.data_location == Some(1))?);
    let is_plain = location.components().all(|part| matches!(part, Component::Normal(_)));
    (is_plain && location.file_name().is_some()).then_some(location)
}

/// The bytes of a tensor that lie in another file of the model's folder.
fn external(proto: &TensorProto, file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let fail = |message: String| Failure::Tensor(message);
    let Some(file) = file else {
        return Err(fail("its data lies in another file; open the model by its path".into()));
    };
    let number = |key: &str| {
        entry(proto, key)
            .map(|text| {
                text.parse::<u64>().map_err(|_| {
                    fail(format!(
                        "the {key} of its external data is \"{}\", expected a number",
                        printable(text)
                    ))
                })
            })
            .transpose()
    };
    let outside = || {
        fail(format!(
            "its data lies in \"{}\", expected a file in the model's own folder; move it there",
            printable(entry(proto, "location").unwrap_or_default())
        ))
    };
    let location = location(proto).ok_or_else(outside)?;
    let folder = folder_of(file);
    let path = folder.join(location);
    let failed = |source| Failure::File(Error::File { action: "reading", path: path.clone(), source });
    // Symbolic links may lead out of the folder.
    let real = path.canonicalize().map_err(failed)?;
    if !real.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(outside());
    }
    let (mut opened, metadata) = file::open(&real).map_err(failed)?;
    let (element, shape) = tensor::type_of(proto).map_err(fail)?;
    let (expected, offset) =
        (tensor::byte_count(element, shape.elements()) as u64, number("offset")?.unwrap_or(0));
    let length = number("length")?.unwrap_or(expected);
    if length != expected {
        return Err(fail(format!(
            "{element}{shape} takes {expected} bytes, its external data is {length}; the file is damaged"
        )));
    }
    if offset.checked_add(length).is_none_or(|end| end > metadata.len()) {
        return Err(fail(format!(
            "its data is {length} bytes from byte {offset} of \"{}\", which holds {}",
            printable(&location.to_string_lossy()),
            metadata.len()
        )));
    }
    let what = format!("a tensor {element}{shape} of an ONNX file");
    let mut bytes = memory::filled(length as usize, 0u8, &what).map_err(Failure::File)?;
    opened.seek(SeekFrom::Start(offset)).and_then(|_| opened.read_exact(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// The tensor of a node `Constant`, if the node is one.
fn constant(node: &NodeProto, file: Option<&Path>) -> Option<Result<Initializer, Failure>> {
    let own = matches!(node.domain.as_deref().unwrap_or(""), "" | "ai.onnx");
    if !own || node.op_type.as_deref() != Some("Constant") {
        return None;
    }
    let [attribute] = &node.attribute[..] else {
        return Some(Err(Failure::Tensor(format!(
            "has {} attributes, expected one value",
            node.attribute.len()
        ))));
    };
    let tensor = match attribute.name.as_deref().unwrap_or("") {
        "value" => match &attribute.t {
            Some(proto) => return Some(read(proto, file)),
            None => return Some(Err(Failure::Tensor("its attribute value holds no tensor".into()))),
        },
        "value_float" => Tensor::floats(ElementType::F32, [], vec![attribute.f.unwrap_or(0.0)]),
        "value_floats" => {
            Tensor::floats(ElementType::F32, [attribute.floats.len()], attribute.floats.clone())
        }
        "value_int" => Tensor::ints(ElementType::I64, [], vec![attribute.i.unwrap_or(0)]),
        "value_ints" => Tensor::list(attribute.ints.clone()),
        other => {
            return Some(Ok(Err(format!(
                "a constant by its attribute {} is not supported",
                printable(other)
            ))));
        }
    };
    Some(Ok(Ok(Arc::new(tensor))))
}
