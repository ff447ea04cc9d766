//! Files that PyTorch wrote (`fixtures/pytorch_files.py`), what they hold, and weights that take it; and small files of
//! its formats with any pickle.

use super::{device, root};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wgrad::graph::Init;
use wgrad::{Graph, Weights};

/// The folder of the files.
pub fn folder() -> PathBuf {
    root().join("tests/fixtures/pytorch")
}

/// A file's contents.
pub fn file(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The bits of each tensor of the state dict, in f32.
pub fn expected() -> BTreeMap<String, Vec<u32>> {
    let bytes = file("expected.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("a fixture is a whole safetensors file");
    let bits = |view: &safetensors::tensor::TensorView<'_>| match view.dtype() {
        safetensors::Dtype::I64 => view
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| (i64::from_le_bytes(bytes) as f32).to_bits())
            .collect(),
        _ => view.data().as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect(),
    };
    file.tensors().iter().map(|(name, view)| (name.clone(), bits(view))).collect()
}

/// Weights with the tensors of the state dict, each under `prefix`.
pub fn weights_under(prefix: &str) -> Weights {
    let bytes = file("expected.safetensors");
    let file = SafeTensors::deserialize(&bytes).expect("a fixture is a whole safetensors file");
    let mut g = Graph::new();
    for (name, view) in file.tensors() {
        g.parameter(&format!("{prefix}{name}"), view.shape(), Init::Constant(0.5)).expect("the name is new");
    }
    Weights::init(device(), &g, 1).expect("they are small")
}

/// Weights with the tensors of the state dict.
pub fn weights() -> Weights {
    weights_under("")
}

/// Files of the format before PyTorch 1.6 begin so: magic number, version, a little-endian machine.
pub const LEGACY: &[u8] =
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}U\rlittle_endian\x88s.";

/// A file of that format with this pickle and one storage `0` of `numbers`.
pub fn legacy(pickle: &[u8], numbers: &[f32]) -> Vec<u8> {
    let keys: &[u8] = if numbers.is_empty() { b"\x80\x02]." } else { b"\x80\x02]U\x010a." };
    let mut bytes = [LEGACY, pickle, keys].concat();
    if !numbers.is_empty() {
        bytes.extend((numbers.len() as u64).to_le_bytes());
        bytes.extend(numbers.iter().flat_map(|x| x.to_le_bytes()));
    }
    bytes
}

/// A file of a zip archive: name, method, contents.
pub type Member<'m> = (&'m str, u16, &'m [u8]);

/// A zip archive of these files, without checksums.
pub fn archive(members: &[Member<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, method, contents) in members {
        let [at, size] = [bytes.len(), contents.len()].map(|n| (n as u32).to_le_bytes());
        let method = method.to_le_bytes();
        let length = (name.len() as u16).to_le_bytes();
        let sizes = [&[0; 8][..], &size, &size, &length, &[0; 2]].concat();
        bytes.extend([b"PK\x03\x04", &[0; 4][..], &method, &sizes, name.as_bytes(), contents].concat());
        directory
            .extend([b"PK\x01\x02", &[0; 6][..], &method, &sizes, &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let [at, size] = [bytes.len(), directory.len()].map(|n| (n as u32).to_le_bytes());
    bytes.extend(directory);
    bytes.extend([b"PK\x05\x06", &[0; 4][..], &count, &count, &size, &at, &[0; 2]].concat());
    bytes
}

/// Opcodes that leave the tensor `[sizes]` of a storage `key` of `elements` numbers on the stack.
pub fn tensor(key: &str, elements: u8, sizes: &[u8]) -> Vec<u8> {
    let tuple = |numbers: &[u8]| {
        [b"(", &numbers.iter().flat_map(|&n| [b'K', n]).collect::<Vec<_>>()[..], b"t"].concat()
    };
    let strides: Vec<u8> = (0..sizes.len()).map(|axis| sizes[axis + 1..].iter().product()).collect();
    let key = [&[b'U', key.len() as u8], key.as_bytes()].concat();
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n",
        &key[..],
        b"U\x03cpuK",
        &[elements],
        b"tQK\0",
        &tuple(sizes),
        &tuple(&strides),
        b"\x89NtR",
    ]
    .concat()
}

/// Opcodes of a short string.
pub fn string(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}
