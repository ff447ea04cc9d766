//! `wgrad inspect` and `wgrad convert`, and `wgrad plan` for a kind of adapter: nothing here opens a device.

use super::{assert_fails, assert_is_printable, floats, folder, json, lenet, named, said, wgrad};
use crate::harness::root;
use crate::text;
use serde_json::json;
use std::path::Path;
use wgrad::weights::{StoredTensor, StoredType, TensorFile, TensorWriter};

/// Copies a fixture of a PyTorch file.
fn fixture(folder: &Path, name: &str) {
    let from = root().join("tests/fixtures").join(name);
    let to = folder.join(from.file_name().expect("it names a file"));
    std::fs::copy(&from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
}

#[test]
fn inspect_counts_what_a_file_holds() {
    let folder = folder();
    lenet(folder.path(), Some(named()));
    // 156 + 2,416 + 48,120 + 10,164 + 255 parameters, of four bytes.
    let shown = said(folder.path(), "inspect lenet.safetensors");
    assert!(
        shown.starts_with("lenet.safetensors: safetensors, 10 tensors, 61111 elements, 244444 bytes\n"),
        "{shown}"
    );
    for part in
        ["network: lenet5", "classes: 3: ant, bee, cat\\u{1b}[2J", "input: [1, 28, 28]", "mean: [0.5]"]
    {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    assert!(shown.contains("conv2.weight  F32      [16, 6, 5, 5]\n"), "{shown}");
    assert_is_printable(&shown);

    let document = json(folder.path(), "inspect lenet.safetensors");
    assert_eq!(document["totals"], json!({ "tensors": 10, "elements": 61111, "bytes": 244_444 }));
    assert_eq!((&document["format"], &document["checkpoint"]), (&json!("safetensors"), &json!(null)));
    assert_eq!(document["metadata"]["class_names"], json!(["ant", "bee", "cat\u{1b}[2J"]));
    assert_eq!(document["metadata"]["deviation"], json!([0.25]));
    let expected = json!({ "name": "conv1.bias", "type": "F32", "shape": [6], "elements": 6, "bytes": 24 });
    assert_eq!(document["tensors"][0], expected);
}

#[test]
fn inspect_reads_every_format() {
    let folder = folder();
    for (name, format) in [
        ("pytorch/zip.pt", "pytorch"),
        ("pytorch/legacy.pt", "pytorch"),
        ("pytorch/zip_checkpoint.pt", "pytorch"),
        ("pytorch/integers.pt", "pytorch"),
    ] {
        fixture(folder.path(), name);
        let document = json(folder.path(), &format!("inspect {}", &name[8..]));
        assert_eq!(document["format"], format, "{name}");
        assert!(document["totals"]["tensors"].as_u64().is_some_and(|count| count > 0), "{name}");
    }
    // PyTorch counts 29 tensors in the checkpoint, and 14 in its state dict.
    let document = json(folder.path(), "inspect zip_checkpoint.pt");
    assert_eq!((&document["totals"]["tensors"], &document["unlisted"]), (&json!(14), &json!(15)));
    let document = json(folder.path(), "convert zip_checkpoint.pt part.safetensors");
    assert!(
        document["notes"].to_string().contains("outside of the state dict are left out: 15"),
        "{document}"
    );
    let shards = root().join("tests/fixtures/pytorch/shards");
    let document = json(&shards, "inspect model.safetensors.index.json");
    assert_eq!(document["format"], "index");
    fixture(folder.path(), "onnx/small.onnx");
    let document = json(folder.path(), "inspect small.onnx");
    // As `onnx.load` shows the file.
    assert_eq!(
        (&document["opset"], &document["nodes"], &document["format"]),
        (&json!(17), &json!(99), &json!("onnx"))
    );
    assert_eq!(document["operators"]["Constant"], 37);
    assert_eq!(document["totals"], json!({ "tensors": 25, "elements": 3858, "bytes": 15_432 }));
    assert_eq!(
        document["inputs"],
        json!([{ "name": "images", "type": "float32", "shape": ["N", 3, 16, 16] }])
    );
    assert_eq!(document["outputs"], json!([{ "name": "logits", "type": "float32", "shape": ["N", 10] }]));
    let shown = said(folder.path(), "inspect small.onnx");
    assert!(shown.contains("images float32 [N, 3, 16, 16]") && shown.contains("   37 Constant"), "{shown}");
}

#[test]
fn files_that_are_none_are_refused_by_name() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("directory")).expect("it can be made");
    std::fs::write(folder.path().join("text.pt"), "Entry not found").expect("it can be written");
    std::fs::write(folder.path().join("empty.onnx"), "").expect("it can be written");
    lenet(folder.path(), None);
    let whole = std::fs::read(folder.path().join("lenet.safetensors")).expect("it is there");
    std::fs::write(folder.path().join("cut.safetensors"), &whole[..whole.len() / 2])
        .expect("it can be written");
    for (arguments, parts) in [
        ("inspect absent.pt", &["absent.pt"][..]),
        ("inspect directory", &["directory", "expected a regular file"]),
        ("inspect text.pt", &["text.pt", "Entry not found"]),
        ("inspect empty.onnx", &["empty.onnx"]),
        ("inspect cut.safetensors", &["cut.safetensors", "truncated"]),
        ("convert cut.safetensors a.pt", &["cut.safetensors", "truncated"]),
        ("convert absent.pt a.pt", &["absent.pt"]),
        ("convert lenet.safetensors directory/no/a.pt", &["a.pt"]),
        ("plan --kind discrete absent.pt", &["absent.pt", "one of the networks", "resnet18"]),
        ("plan --kind discrete lenet.safetensors", &["--network"]),
        ("plan --kind discrete --network alexnet lenet.safetensors", &["alexnet", "resnet18"]),
    ] {
        assert_fails(folder.path(), arguments, 1, parts);
    }
    assert!(!folder.path().join("a.pt").exists(), "a failed conversion leaves nothing");
}

#[test]
fn hostile_files_neither_panic_nor_reach_the_terminal() {
    let folder = folder();
    let mut writer = TensorWriter::new();
    let name = "\u{1b}]0;owned\u{7}\u{202e}\r\n\u{9b}31m";
    writer.add(name, floats(&[1], &[1.0])).expect("the name is new");
    let mut metadata = named();
    metadata.notes.insert(name.into(), name.into());
    writer.set_metadata(metadata).expect("it is sound");
    writer.save_safetensors(folder.path().join("h.safetensors")).expect("it can be written");
    writer.save_pytorch(folder.path().join("h.pt")).expect("it can be written");
    for file in ["h.safetensors", "h.pt"] {
        assert_is_printable(&said(folder.path(), &format!("inspect {file}")));
        assert_is_printable(&said(folder.path(), &format!("inspect --json {file}")));
        assert_eq!(json(folder.path(), &format!("inspect {file}"))["tensors"][0]["name"], name);
        let bytes = std::fs::read(folder.path().join(file)).expect("it is there");
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            std::fs::write(folder.path().join("d.pt"), &damaged).expect("it can be written");
            std::fs::write(folder.path().join("c.pt"), &bytes[..at]).expect("it can be written");
            for arguments in ["inspect d.pt", "inspect c.pt", "convert d.pt e.safetensors"] {
                let output = wgrad(folder.path(), arguments);
                let error = text(&output.stderr);
                assert!(matches!(output.status.code(), Some(0 | 1)), "{file} at {at}: {error}");
                assert!(!error.contains("panicked"), "{file} at {at}: {error}");
                assert_is_printable(&error);
            }
        }
    }
    // A header that promises more than there is.
    let huge = [&(1u64 << 40).to_le_bytes()[..], b"{\"a\":0}"].concat();
    std::fs::write(folder.path().join("huge.safetensors"), huge).expect("it can be written");
    assert_fails(folder.path(), "inspect huge.safetensors", 1, &["huge.safetensors"]);
}

#[test]
fn convert_spares_the_files_of_an_index() {
    let folder = folder();
    let shards = root().join("tests/fixtures/pytorch/shards");
    for entry in std::fs::read_dir(shards).expect("it can be listed") {
        let name = entry.expect("it can be read").file_name();
        fixture(folder.path(), &format!("pytorch/shards/{}", name.to_str().expect("the name is ASCII")));
    }
    let index = "model.safetensors.index.json";
    let file = TensorFile::open(folder.path().join(index)).expect("it is whole");
    assert_eq!(file.files().len(), 3);
    for shard in file.files().take(2) {
        let before = std::fs::read(shard).expect("it is there");
        let name = shard.file_name().and_then(|name| name.to_str()).expect("the name is ASCII");
        for to in [name.to_owned(), format!("./{name}")] {
            assert_fails(folder.path(), &format!("convert {index} {to}"), 1, &[name, index, "another file"]);
        }
        assert_eq!(std::fs::read(shard).expect("it is there"), before);
    }
    #[cfg(unix)]
    {
        let linked = folder.path().join("linked.onnx");
        std::os::unix::fs::symlink("model-00001-of-00002.safetensors", &linked).expect("it can be linked");
        let whole = ["linked.onnx", index, "another file"];
        assert_fails(folder.path(), &format!("convert --network lenet5 {index} linked.onnx"), 1, &whole);
        assert!(TensorFile::open(linked).is_ok());
    }
    // No file is converted in its place, also not under a name of another format.
    fixture(folder.path(), "pytorch/zip_checkpoint.pt");
    let before = std::fs::read(folder.path().join("zip_checkpoint.pt")).expect("it is there");
    let mut names = vec!["./zip_checkpoint.pt"];
    #[cfg(unix)]
    {
        let linked = folder.path().join("z.safetensors");
        std::os::unix::fs::symlink("zip_checkpoint.pt", linked).expect("it can be linked");
        names.push("z.safetensors");
    }
    for to in names {
        let parts = ["zip_checkpoint.pt", "is read from", "another file"];
        assert_fails(folder.path(), &format!("convert zip_checkpoint.pt {to}"), 1, &parts);
    }
    assert_eq!(std::fs::read(folder.path().join("zip_checkpoint.pt")).expect("it is there"), before);
}

#[test]
fn convert_keeps_types_names_and_bytes() {
    let folder = folder();
    let mut writer = TensorWriter::new();
    let half = StoredTensor::new(StoredType::F16, [2], vec![0, 0x3c, 1, 0x7c]).expect("four bytes");
    let count =
        StoredTensor::new(StoredType::I64, [0; 0], 12i64.to_le_bytes().to_vec()).expect("eight bytes");
    let all = [
        ("half", half),
        ("bn.num_batches_tracked", count),
        ("w", floats(&[2, 2], &[1.0, -2.5, 1e-30, f32::NAN])),
        ("large", floats(&[1], &[70_000.0])),
        ("empty", floats(&[0, 3], &[])),
    ];
    for (name, tensor) in &all {
        writer.add(*name, tensor.clone()).expect("the name is new");
    }
    writer.set_metadata(named()).expect("it is sound");
    writer.save_safetensors(folder.path().join("a.safetensors")).expect("it can be written");

    let output = wgrad(folder.path(), "convert a.safetensors b.PT");
    assert!(
        output.status.success() && text(&output.stderr).contains("PyTorch's files have no place"),
        "{output:?}"
    );
    assert_eq!(text(&output.stdout), "b.PT: pytorch, 5 tensors, 8 elements, 32 bytes\n");
    said(folder.path(), "convert b.PT c.safetensors");
    said(folder.path(), "convert a.safetensors d.safetensors");
    for name in ["b.PT", "c.safetensors", "d.safetensors"] {
        let file = TensorFile::open(folder.path().join(name)).expect(name);
        assert_eq!(file.tensors().len(), all.len(), "{name}");
        for (tensor, expected) in &all {
            let found = file.read(tensor).expect("it is there");
            // NaN is not equal to itself, and its bytes are.
            let parts =
                |tensor: &StoredTensor| (tensor.ty(), tensor.shape().clone(), tensor.bytes().to_vec());
            assert_eq!(parts(&found), parts(expected), "{name} {tensor}");
        }
        let keeps = name == "d.safetensors";
        assert_eq!(*file.metadata() == named(), keeps, "{name}");
    }

    let document = json(folder.path(), "convert --f16 a.safetensors e.pt");
    let notes = document["notes"].to_string();
    assert!(notes.contains("past f16's range: 1 tensor (large)"), "{notes}");
    let file = TensorFile::open(folder.path().join("e.pt")).expect("it is whole");
    let w = file.read("w").expect("it is there");
    // 1, -2.5, a number that f16 rounds to 0, NaN.
    assert_eq!((w.ty(), &w.bytes()[..6]), (StoredType::F16, &[0x00, 0x3c, 0x00, 0xc1, 0, 0][..]));
    assert_eq!(file.tensor("large").expect("it is there").ty, StoredType::F32);
    assert_eq!(file.read("half").expect("it is there"), all[0].1);
    // 2 + 4 + 1 of two bytes or four, and a count.
    assert_eq!(document["bytes"], 2 * 2 + 8 + 4 * 2 + 4);
}

#[test]
fn an_optimizers_state_is_left_out_of_weights() {
    let folder = folder();
    let header = br#"{"__metadata__":{"wgrad_checkpoint":"{\"step_number\":7,\"notes\":{\"a\":\"b\"},\"state\":[\"w.momentum_buffer\"]}"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w.momentum_buffer":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header, &[0, 0, 128, 63, 0, 0, 0, 64]].concat();
    std::fs::write(folder.path().join("c.safetensors"), bytes).expect("it can be written");
    let document = json(folder.path(), "inspect c.safetensors");
    assert_eq!(document["checkpoint"], json!({ "next_steps": [7], "notes": { "a": "b" } }));
    let shown = said(folder.path(), "inspect c.safetensors");
    assert!(shown.contains("a checkpoint; number of the next step: 7\n  a: b\n"), "{shown}");
    let document = json(folder.path(), "convert c.safetensors w.pt");
    assert_eq!((&document["left_out"], &document["tensors"]), (&json!(["w.momentum_buffer"]), &json!(1)));
    assert!(document["notes"].to_string().contains("step number"), "{document}");
    let file = TensorFile::open(folder.path().join("w.pt")).expect("it is whole");
    assert_eq!(file.read("w").expect("it is there"), floats(&[1], &[1.0]));
}

#[test]
fn a_file_that_repeats_its_numbers_is_not_written_out() {
    let folder = folder();
    let mut writer = TensorWriter::new();
    writer.add("w", floats(&[65_535, 1], &[1.0; 65_535])).expect("the name is new");
    let path = folder.path().join("w.pt");
    writer.save_pytorch(&path).expect("it can be written");
    let mut bytes = std::fs::read(&path).expect("it is there");
    // Its sizes and strides in the pickle become [65,535, 255] and [0, 0]: one number, as 66 MB.
    let sizes = b"(M\xff\xffK\x01t(K\x01K\x01t";
    let at = bytes.windows(sizes.len()).position(|part| part == sizes).expect("they are there");
    bytes[at..at + sizes.len()].copy_from_slice(b"(M\xff\xffK\xfft(K\0K\0t");
    std::fs::write(&path, bytes).expect("it can be written");
    assert_eq!(json(folder.path(), "inspect w.pt")["totals"]["bytes"], 65_535 * 255 * 4);
    assert_fails(
        folder.path(),
        "convert w.pt w.safetensors",
        1,
        &["w.pt", "\"w\" repeats its numbers", "contiguous"],
    );
    assert!(!folder.path().join("w.safetensors").exists());
}

#[test]
fn plans_need_no_adapter() {
    let folder = folder();
    lenet(folder.path(), Some(named()));
    let shown = said(folder.path(), "plan --kind discrete lenet5");
    assert!(shown.starts_with("plan for discrete adapter: ") && shown.contains("conv1.weight"), "{shown}");
    let document = json(folder.path(), "plan --kind software --batch 4 --train lenet.safetensors");
    assert_eq!((&document["mode"], &document["batch"]), (&json!("training"), &json!(4)));
    // 61,111 parameters, each tensor at a multiple of 256 bytes.
    let parameters = document["memory_bytes"]["parameters"].as_u64().expect("a number");
    assert!((244_444..244_444 + 10 * 256).contains(&parameters), "{parameters}");
    assert!(document["nodes"].as_array().is_some_and(|nodes| nodes.len() > 10), "{document}");
    // The file's last layer tells how many classes there are, not the published network.
    lenet(folder.path(), None);
    let document = json(folder.path(), "plan --kind software --network lenet5 lenet.safetensors");
    assert_eq!(document["memory_bytes"]["parameters"], parameters);
}
