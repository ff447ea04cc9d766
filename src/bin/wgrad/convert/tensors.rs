//! Writes files of weights: each tensor is read, converted and written before the next, so that memory holds one.

use super::{Format, Written};
use crate::model::is_onnx;
use crate::out::{Outcome, fail};
use crate::sources::spare;
use std::path::Path;
use wgrad::Shape;
use wgrad::file::{printable, printable_path};
use wgrad::onnx::{self, ElementType};
use wgrad::weights::{Metadata, StoredTensor, StoredType, TensorFile, TensorWriter};

/// The most bytes that views may be written as, over those of their file: tensors may share their numbers.
const MOST_SHARED: u64 = 16;
/// Small files may share more.
const FREE: u64 = 64 << 20;

/// A tensor to write.
struct Item {
    name: String,
    ty: StoredType,
    shape: Shape,
}

/// Writes the tensors of one file to another.
pub(super) fn write(from: &Path, to: &Path, format: Format, f16: bool) -> Outcome<Written> {
    if is_onnx(from) {
        write_initializers(from, to, format, f16)
    } else {
        write_tensors(from, to, format, f16)
    }
}

/// Writes the float initialisers of an ONNX file.
fn write_initializers(from: &Path, to: &Path, format: Format, f16: bool) -> Outcome<Written> {
    let model = onnx::Model::open(from)?;
    spare(to, &printable_path(from), model.files())?;
    let (mut items, mut left_out) = (Vec::new(), Vec::new());
    for initializer in model.initializers() {
        match initializer.element.and_then(stored) {
            Some(ty) => items.push(Item { name: initializer.name, ty, shape: initializer.shape }),
            None => left_out.push(initializer.name),
        }
    }
    if items.is_empty() {
        return fail(format!(
            "{} has no initialisers of floats, so there are no weights to write; if they are nodes Constant, convert it to an .onnx file first",
            printable_path(from)
        ));
    }
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!("left out, because they describe shapes or are no floats: {}", listed(&left_out)));
    }
    let is_weight = |constant: &onnx::Initializer| {
        constant.element.is_some_and(ElementType::is_float) && constant.shape.elements() > 1
    };
    let constants = model.constants().into_iter().filter(is_weight);
    let constants: Vec<String> = constants.map(|constant| constant.name).collect();
    if !constants.is_empty() {
        notes.push(format!(
            "left out, because they are nodes Constant and no initialisers: {}; convert the model to an .onnx file first, where they may become initialisers",
            listed(&constants)
        ));
    }
    left_out.extend(constants);
    let read = |name: &str| model.initializer(name);
    let writing = Writing { to, format, f16, metadata: model.metadata().clone(), left_out, notes };
    writing.run(items, &read)
}

/// Writes the tensors of a file of weights that are part of a state dict.
fn write_tensors(from: &Path, to: &Path, format: Format, f16: bool) -> Outcome<Written> {
    let file = TensorFile::open(from)?;
    spare(to, &printable_path(from), file.files())?;
    let (state, kept): (Vec<_>, Vec<_>) = file.tensors().partition(|tensor| tensor.is_state);
    let bytes = kept.iter().map(|tensor| tensor.bytes()).fold(0, u64::saturating_add);
    if bytes > file.file_bytes().saturating_mul(MOST_SHARED).saturating_add(FREE) {
        return fail(format!(
            "{} has {} bytes, and its tensors would take {bytes}: they repeat or share their numbers; save the .contiguous() of each",
            printable_path(from),
            file.file_bytes()
        ));
    }
    let left_out: Vec<String> = state.into_iter().map(|tensor| tensor.name.to_owned()).collect();
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        let why = "they are an optimizer's state or averages, and no part of a state dict";
        notes.push(format!("left out, because {why}: {}", listed(&left_out)));
    }
    if file.checkpoint_steps().is_some() {
        notes.push("the checkpoint's step number and notes are left out".to_owned());
    }
    if file.unlisted() > 0 {
        notes.push(format!("tensors outside of the state dict are left out: {}", file.unlisted()));
    }
    let item = |tensor: wgrad::weights::TensorInfo<'_>| Item {
        name: tensor.name.to_owned(),
        ty: tensor.ty,
        shape: tensor.shape.into(),
    };
    let items = kept.into_iter().map(item).collect();
    let writing = Writing { to, format, f16, metadata: file.metadata().clone(), left_out, notes };
    writing.run(items, &|name| file.read(name))
}

/// Where and how tensors are written.
struct Writing<'w> {
    to: &'w Path,
    format: Format,
    f16: bool,
    metadata: Metadata,
    left_out: Vec<String>,
    notes: Vec<String>,
}

impl Writing<'_> {
    fn run(self, items: Vec<Item>, read: &dyn Fn(&str) -> wgrad::Result<StoredTensor>) -> Outcome<Written> {
        let mut said = self.notes;
        if self.format == Format::Pytorch && !self.metadata.is_empty() {
            said.push(
                "what the file says of its network is left out: PyTorch's files have no place for it".into(),
            );
        }
        let (mut writer, mut wide) = (TensorWriter::new(), Vec::new());
        let (tensors, mut elements, mut bytes) = (items.len(), 0u64, 0u64);
        for Item { name, ty, shape } in items {
            let count = shape.elements() as u64;
            elements = elements.saturating_add(count);
            // The type has to be known before the contents are written, so a tensor to be halved is read twice.
            let halves = self.f16 && can_be_halved(ty) && read(&name)?.to_f16().is_some();
            if self.f16 && ty.is_float() && !halves && ty.bits() > 16 {
                wide.push(name.clone());
            }
            let ty = if halves { StoredType::F16 } else { ty };
            bytes = bytes.saturating_add((count.saturating_mul(ty.bits() as u64)).div_ceil(8));
            let of = name.clone();
            writer.add_with(name, ty, shape, move || {
                let tensor = read(&of)?;
                Ok(if halves { tensor.to_f16().unwrap_or(tensor) } else { tensor })
            })?;
        }
        if !wide.is_empty() {
            said.push(format!(
                "not in half precision, because of numbers past f16's range: {}",
                listed(&wide)
            ));
        }
        if self.format == Format::Pytorch {
            writer.save_pytorch(self.to)?;
        } else {
            writer.set_metadata(self.metadata)?;
            writer.save_safetensors(self.to)?;
        }
        Ok(Written { tensors, elements, bytes, left_out: self.left_out, notes: said })
    }
}

/// The type of an initialiser of floats as files of weights have it.
fn stored(element: ElementType) -> Option<StoredType> {
    Some(match element {
        ElementType::F32 => StoredType::F32,
        ElementType::F16 => StoredType::F16,
        ElementType::Bf16 => StoredType::Bf16,
        ElementType::F64 => StoredType::F64,
        _ => return None,
    })
}

/// Whether f16 is another type with fewer bits, or of the same bits for bf16.
fn can_be_halved(ty: StoredType) -> bool {
    matches!(ty, StoredType::F32 | StoredType::F64 | StoredType::Bf16)
}

/// How many tensors these are, and the first few names.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(4).map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    let more = if names.len() > 4 { ", ..." } else { "" };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} tensor{plural} ({shown}{more})", names.len())
}
