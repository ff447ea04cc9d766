//! Files that `TensorWriter` writes as `torch.save` does. `tests/fixtures/pytorch/written.pt` is one that PyTorch has read
//! (`tests/fixtures/pytorch_written.py`): what is written now has its bytes.

use crate::harness::root;
use tempfile::TempDir;
use wgrad::weights::{StoredTensor, StoredType, TensorFile, TensorFormat, TensorWriter};

/// Every type that PyTorch has, empty tensors, scalars and odd names.
fn tensors() -> Vec<(String, StoredTensor)> {
    use StoredType::*;
    let types = [
        Bool, U8, I8, F8E5M2, F8E4M3, F8E8M0, F8E4M3Fnuz, F8E5M2Fnuz, I16, U16, F16, Bf16, I32, U32, F32,
        C64, F64, I64, U64,
    ];
    let tensor = |ty: StoredType, shape: &[usize]| {
        let count = shape.iter().product::<usize>() * ty.bits() / 8;
        // Truth values are 0 and 1, and the bits of the others are any.
        let most = if ty == Bool { 2 } else { 120 };
        let bytes = (0..count).map(|i| (i * 7 + 1) as u8 % most).collect();
        StoredTensor::new(ty, shape, bytes).expect("the bytes fit")
    };
    let mut all: Vec<_> = types.into_iter().map(|ty| (format!("type.{ty}"), tensor(ty, &[2, 3]))).collect();
    for (name, shape) in [("empty", &[0, 3][..]), ("scalar", &[]), ("long.shape", &[1, 2, 1, 3, 1])] {
        all.push((name.to_owned(), tensor(F32, shape)));
    }
    for name in ["", "a/../b", "new\nline \"q\" \\", "\u{fc}\u{2013}\u{1f600}"] {
        all.push((name.to_owned(), tensor(I64, &[1])));
    }
    all
}

fn written(folder: &TempDir) -> std::path::PathBuf {
    let mut writer = TensorWriter::new();
    for (name, tensor) in tensors() {
        writer.add(name, tensor).expect("the name is new");
    }
    let path = folder.path().join("w.pt");
    writer.save_pytorch(&path).expect("it can be written");
    path
}

#[test]
fn what_is_written_is_what_pytorch_has_read() {
    let folder = TempDir::new().expect("there is room for temporary files");
    let fixture = root().join("tests/fixtures/pytorch/written.pt");
    let found = std::fs::read(written(&folder)).expect("it was written");
    if std::env::var_os("WGRAD_UPDATE").is_some() {
        std::fs::write(&fixture, &found).expect("the fixture can be written");
    }
    let expected = std::fs::read(&fixture).expect("the fixture is there");
    assert!(
        found == expected,
        "the writer's bytes have changed: WGRAD_UPDATE=1 writes the fixture anew, then have tests/fixtures/pytorch_written.py read it"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let folder = TempDir::new().expect("there is room for temporary files");
    let file = TensorFile::open(written(&folder)).expect("it is whole");
    assert_eq!(file.format(), TensorFormat::Pytorch);
    let tensors = tensors();
    assert_eq!(file.tensors().len(), tensors.len());
    for (name, tensor) in &tensors {
        assert_eq!(&file.read(name).expect(name), tensor, "{name}");
    }
    let error = file.read("absent").expect_err("it is not there").to_string();
    assert!(error.contains("holds no tensor \"absent\""), "{error}");
}
