//! `wgrad inspect`: what a file of weights or an ONNX file holds. Files may be hostile: the library bounds what is read of
//! them, and all their text is printed by `file::printable`. No contents of tensors are read.

use crate::model::is_onnx;
use crate::out::{self, Outcome};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use wgrad::file::{printable, printable_path};
use wgrad::onnx::{self, Dimension, Port};
use wgrad::weights::{Metadata, TensorFile};

/// Prints what a file of weights or an ONNX file holds
///
/// Tensors with their types and shapes, totals, and what the file says of its network; of an ONNX file also inputs, outputs,
/// and how many nodes of each operator there are. Nothing in the file is run, and no adapter is needed.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  wgrad inspect resnet18.pth\n  wgrad inspect --json mobilenet.onnx")]
pub(crate) struct Arguments {
    /// A .safetensors, .pt, .pth or .bin file, an index of several, or an .onnx file
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A tensor of either kind of file.
struct Row {
    name: String,
    ty: String,
    shape: Vec<usize>,
    elements: u64,
    bytes: u64,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let path = &arguments.file;
    let report = if is_onnx(path) { of_onnx(path)? } else { of_tensors(path)? };
    if arguments.json { out::json(&report.json) } else { out::text(&report.text) }
}

/// Both forms of what is printed.
struct Report {
    text: String,
    json: Value,
}

fn of_tensors(path: &Path) -> Outcome<Report> {
    let file = TensorFile::open(path)?;
    let rows: Vec<Row> = file
        .tensors()
        .map(|tensor| Row {
            name: tensor.name.to_owned(),
            ty: tensor.ty.to_string(),
            shape: tensor.shape.to_vec(),
            elements: tensor.elements(),
            bytes: tensor.bytes(),
        })
        .collect();
    let mut text = format!("{}: {}, {}\n", printable_path(path), file.format(), totals(&rows));
    let mut json = json!({
        "file": path.to_string_lossy(),
        "format": file.format().to_string(),
        "totals": totals_json(&rows),
        "metadata": metadata_json(file.metadata()),
        "checkpoint": Value::Null,
        "unlisted": file.unlisted(),
    });
    if let Some(steps) = file.checkpoint_steps() {
        let next = steps.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "a checkpoint; number of the next step: {next}");
        let notes: BTreeMap<&str, &str> = file.checkpoint_notes().collect();
        for (name, note) in &notes {
            let _ = writeln!(text, "  {}: {}", printable(name), printable(note));
        }
        json["checkpoint"] = json!({ "next_steps": steps, "notes": notes });
    }
    if file.unlisted() > 0 {
        let _ =
            writeln!(text, "tensors outside of the state dict, which are not listed: {}", file.unlisted());
    }
    text += &metadata_text(file.metadata());
    text += &table(&rows);
    json["tensors"] = rows_json(rows);
    Ok(Report { text, json })
}

fn of_onnx(path: &Path) -> Outcome<Report> {
    let model = onnx::Model::open(path)?;
    let row = |initializer: onnx::Initializer| Row {
        ty: initializer.element.map_or("not read".to_owned(), |element| element.to_string()),
        elements: initializer.element.map_or(0, |_| initializer.shape.elements() as u64),
        bytes: initializer.bytes,
        shape: initializer.shape.to_vec(),
        name: initializer.name,
    };
    let rows: Vec<Row> = model.initializers().into_iter().map(row).collect();
    let nodes: usize = model.operators().values().sum();
    let mut text = format!(
        "{}: onnx, {}\noperator set {}, written by \"{}\"\n",
        printable_path(path),
        totals(&rows),
        model.opset(),
        printable(model.producer())
    );
    for (what, ports) in [("inputs", model.inputs()), ("outputs", model.outputs())] {
        let _ = writeln!(text, "{what}:");
        ports.iter().for_each(|port| text += &format!("  {port}\n"));
    }
    text += &metadata_text(model.metadata());
    let _ = writeln!(text, "{nodes} nodes:");
    for (operator, count) in model.operators() {
        let _ = writeln!(text, "  {count:>5} {}", printable(operator));
    }
    text += &table(&rows);
    let ports = |ports: &[Port]| ports.iter().map(port_json).collect::<Vec<_>>();
    let json = json!({
        "file": path.to_string_lossy(),
        "format": "onnx",
        "opset": model.opset(),
        "producer": model.producer(),
        "metadata": metadata_json(model.metadata()),
        "inputs": ports(model.inputs()),
        "outputs": ports(model.outputs()),
        "nodes": nodes,
        "operators": model.operators(),
        "totals": totals_json(&rows),
        "tensors": rows_json(rows),
    });
    Ok(Report { text, json })
}

fn port_json(port: &Port) -> Value {
    let dimension = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => json!(size),
        Dimension::Symbolic(name) => json!(name),
        Dimension::Unknown => Value::Null,
    };
    json!({
        "name": port.name,
        "type": port.element.map(|element| element.to_string()),
        "shape": port.dimensions.as_ref().map(|all| all.iter().map(dimension).collect::<Vec<_>>()),
    })
}

/// Tensors, elements and bytes; saturates.
fn sums(rows: &[Row]) -> [u64; 3] {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
    [rows.len() as u64, sum(|row| row.elements), sum(|row| row.bytes)]
}

fn totals(rows: &[Row]) -> String {
    let [tensors, elements, bytes] = sums(rows);
    let plural = if tensors == 1 { "" } else { "s" };
    format!("{tensors} tensor{plural}, {elements} elements, {bytes} bytes")
}

fn totals_json(rows: &[Row]) -> Value {
    let [tensors, elements, bytes] = sums(rows);
    json!({ "tensors": tensors, "elements": elements, "bytes": bytes })
}

fn rows_json(rows: Vec<Row>) -> Value {
    let row = |Row { name, ty, shape, elements, bytes }| json!({ "name": name, "type": ty, "shape": shape, "elements": elements, "bytes": bytes });
    rows.into_iter().map(row).collect()
}

/// A line for each tensor. Long names push their own line only.
fn table(rows: &[Row]) -> String {
    let names: Vec<String> = rows.iter().map(|row| printable(&row.name)).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(60);
    let line = |(row, name): (&Row, String)| {
        let shape = printable(&format!("{:?}", row.shape));
        format!("  {name:<widest$}  {:<8} {shape}\n", row.ty)
    };
    let lines: String = rows.iter().zip(names).map(line).collect();
    if lines.is_empty() { lines } else { format!("tensors:\n{lines}") }
}

fn metadata_text(metadata: &Metadata) -> String {
    if metadata.is_empty() {
        return String::new();
    }
    let mut text = "metadata:\n".to_owned();
    let mut line = |name: &str, value: String| text += &format!("  {name}: {value}\n");
    if let Some(network) = &metadata.network {
        line("network", printable(network));
    }
    if let Some(shape) = &metadata.input_shape {
        line("input", printable(&shape.to_string()));
    }
    if !metadata.mean.is_empty() {
        line("mean", printable(&format!("{:?}", metadata.mean)));
        line("deviation", printable(&format!("{:?}", metadata.deviation)));
    }
    if !metadata.class_names.is_empty() {
        let names = metadata.class_names.iter().take(12).map(|name| printable(name));
        let more = if metadata.class_names.len() > 12 { ", ..." } else { "" };
        let names = names.collect::<Vec<_>>().join(", ");
        line("classes", format!("{}: {names}{more}", metadata.class_names.len()));
    }
    for (name, note) in &metadata.notes {
        line(&format!("note {}", printable(name)), printable(note));
    }
    text
}

fn metadata_json(metadata: &Metadata) -> Value {
    let floats = |numbers: &[f32]| numbers.iter().map(|&x| out::decimal(x)).collect::<Vec<_>>();
    let mut fields = Map::new();
    fields.insert("network".into(), json!(metadata.network));
    fields.insert("class_names".into(), json!(metadata.class_names));
    fields.insert("mean".into(), json!(floats(&metadata.mean)));
    fields.insert("deviation".into(), json!(floats(&metadata.deviation)));
    fields.insert("input_shape".into(), json!(metadata.input_shape.as_ref().map(|shape| shape.to_vec())));
    fields.insert("notes".into(), json!(metadata.notes));
    Value::Object(fields)
}
