//! `wgrad convert`: from a file of weights or an ONNX file to another format. `tensors.rs` writes files of weights, one tensor
//! in memory at a time and without a device; `onnx.rs` writes ONNX files, which need the network.

mod onnx;
mod tensors;

use crate::adapter;
use crate::model::Open;
use crate::out::{self, Outcome, notes, usage};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wgrad::file::printable_path;

/// Converts a file of weights or an ONNX file to another format
///
/// The format is that of TO's extension: .safetensors; .pt, .pth or .bin as torch.save writes a state dict; or .onnx. Element
/// types stay as they are. Of an ONNX file, the float initialisers become weights under their own names. An ONNX file of
/// weights needs their network, which FROM or --network names.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wgrad convert resnet18.pth resnet18.safetensors\n  wgrad convert --f16 model.safetensors half.pt\n  wgrad convert --network resnet18 resnet18.pth resnet18.onnx"
)]
pub(crate) struct Arguments {
    /// A .safetensors, .pt, .pth or .bin file, an index of several, or an .onnx file
    from: PathBuf,
    /// The file to write
    to: PathBuf,
    /// Store floats in half precision, but for tensors with numbers past f16's range
    #[arg(long)]
    f16: bool,
    #[command(flatten)]
    open: Open,
    /// Fix the batch of an ONNX file, which is the symbol N by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    #[command(flatten)]
    adapter: adapter::Wanted,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A format that is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Safetensors,
    Pytorch,
    Onnx,
}

impl Format {
    fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "safetensors" => Format::Safetensors,
            "pt" | "pth" | "bin" => Format::Pytorch,
            "onnx" => Format::Onnx,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Pytorch => "pytorch",
            Format::Onnx => "onnx",
        }
    }
}

/// What was written.
struct Written {
    tensors: usize,
    elements: u64,
    bytes: u64,
    /// Names of tensors of the first file that the second has not.
    left_out: Vec<String>,
    notes: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let Arguments { from, to, open, .. } = arguments;
    let Some(format) = Format::of(to) else {
        return usage(format!(
            "the format of {} is not known by its extension; expected .safetensors, .pt, .pth, .bin or .onnx",
            printable_path(to)
        ));
    };
    let written = if format == Format::Onnx {
        if arguments.f16 {
            return usage("--f16 is for files of weights; ONNX files are written in float32");
        }
        wgrad::file::check_writable(to)?;
        onnx::write(arguments)?
    } else {
        let unused = [
            (open.network.is_some(), "--network"),
            (open.classes.is_some(), "--classes"),
            (open.input.is_some(), "--input"),
            (arguments.batch.is_some(), "--batch"),
            (arguments.adapter.adapter.is_some(), "--adapter"),
        ];
        if let Some((_, option)) = unused.into_iter().find(|(given, _)| *given) {
            return usage(format!(
                "{option} is for writing ONNX files; {} takes tensors as they are",
                printable_path(to)
            ));
        }
        wgrad::file::check_writable(to)?;
        tensors::write(from, to, format, arguments.f16)?
    };
    report(arguments, format, &written)
}

fn report(arguments: &Arguments, format: Format, written: &Written) -> Outcome<()> {
    let Written { tensors, elements, bytes, left_out, notes: said } = written;
    if arguments.json {
        let document: Value = json!({
            "from": arguments.from.to_string_lossy(),
            "to": arguments.to.to_string_lossy(),
            "format": format.name(),
            "tensors": tensors,
            "elements": elements,
            "bytes": bytes,
            "left_out": left_out,
            "notes": said,
        });
        return out::json(&document);
    }
    notes(said);
    let plural = if *tensors == 1 { "" } else { "s" };
    out::text(&format!(
        "{}: {}, {tensors} tensor{plural}, {elements} elements, {bytes} bytes\n",
        printable_path(&arguments.to),
        format.name()
    ))
}
