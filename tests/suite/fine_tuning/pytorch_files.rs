//! Files of `torch.save` and of several shards load as the same tensors in one safetensors file
//! (`fixtures/pytorch_files.py`).

use super::{contents, says};
use crate::harness::files::write;
use crate::harness::pytorch::{
    archive, expected, file, folder, legacy, string, tensor, weights, weights_under,
};
use tempfile::TempDir;
use wgrad::weights::{LoadOptions, Metadata};
use wgrad::{Error, Graph, Result, Weights};

/// Weights of one tensor "w" of two numbers.
fn pair() -> Result<Weights> {
    let mut g = Graph::new();
    g.parameter("w", [2], wgrad::graph::Init::Constant(0.5))?;
    Weights::init(crate::harness::device(), &g, 0)
}

#[test]
fn state_dicts_of_both_formats_load() -> Result<()> {
    for name in [
        "zip.pt",
        "zip_protocol4.pt",
        "legacy.pt",
        "legacy_protocol4.pt",
        "nested.pt",
        "expected.safetensors",
    ] {
        let [by_path, by_bytes] = [weights(), weights()];
        let report = by_path.load_with(folder().join(name), &LoadOptions::new())?;
        assert!(report.is_complete(), "{name}: {report}");
        by_bytes.load_bytes(&file(name))?;
        assert_eq!(contents(&by_path), expected(), "{name}");
        assert_eq!(contents(&by_bytes), expected(), "{name}");
        assert!(Metadata::read(folder().join(name))?.is_empty());
        let of = |name: &str| report.taken.iter().find(|tensor| tensor.name == name).expect("it was taken");
        let dtypes =
            ["f16", "bf16", "f32", "f64", "bn.num_batches_tracked"].map(|name| of(name).dtype.as_str());
        if name.ends_with(".pt") {
            assert_eq!((dtypes, of("f64").overflowed), (["F16", "BF16", "F32", "F64", "I64"], 1));
        }
    }
    Ok(())
}

#[test]
fn checkpoints_of_training_loops_load() -> Result<()> {
    for name in ["zip_checkpoint.pt", "legacy_checkpoint.pt"] {
        let weights = weights();
        let error = weights.load(folder().join(name)).unwrap_err();
        says(&error, &[name, "is missing", "\"module.\"", "LoadOptions::strip_wrappers"]);
        let report = weights.load_with(folder().join(name), &LoadOptions::new().strip_wrappers())?;
        assert!(report.is_complete() && report.taken[0].from.starts_with("module."), "{name}: {report}");
        assert_eq!(contents(&weights), expected(), "{name}");
    }
    // Several dicts under keys of their own: the keys are prefixes.
    let weights = weights();
    let options =
        LoadOptions::new().strip_prefix("generator.").filter(|name| !name.starts_with("discriminator."));
    assert!(weights.load_with(folder().join("several.pt"), &options)?.is_complete());
    assert_eq!(contents(&weights), expected());
    let report =
        weights_under("generator.").load_with(folder().join("several.pt"), &LoadOptions::new().partial())?;
    assert_eq!(report.left_over, ["discriminator.fc.weight"]);
    Ok(())
}

#[test]
fn what_is_no_state_dict_is_refused_by_name() {
    let weights = weights();
    let before = contents(&weights);
    let advice = "torch.save(model.state_dict(), PATH)";
    for (name, parts) in [
        (
            "zip_module.pt",
            &["\"__main__.Network\"", "at byte ", "opcode GLOBAL", "zip_module/data.pkl", advice][..],
        ),
        ("legacy_module.pt", &["\"__main__.Network\"", "at byte ", "opcode GLOBAL", advice]),
        ("script.pt", &["TorchScript", advice]),
        ("tensor.pt", &["it holds a tensor, expected a dict of tensors", advice]),
        ("integers.pt", &["tensor \"f32\" is I32, expected F32"]),
    ] {
        let error = weights.load(folder().join(name)).unwrap_err();
        says(&error, &[&[name][..], parts].concat());
        says(&weights.load_bytes(&file(name)).unwrap_err(), &["(bytes in memory)"]);
    }
    assert_eq!(contents(&weights), before);
}

#[test]
fn files_of_python_2_load() -> Result<()> {
    // There the pairs of an OrderedDict are a list, and keys are byte strings.
    let begin = b"\x80\x02ccollections\nOrderedDict\n(](](U\x01w";
    let pickle = [&begin[..], &tensor("0", 2, &[2]), b"eetR."].concat();
    let weights = pair()?;
    weights.load_bytes(&legacy(&pickle, &[3.0, 4.0]))?;
    assert_eq!(weights.read("w")?.as_f32(), Some(&[3.0, 4.0][..]));
    Ok(())
}

#[test]
fn other_byte_orders_and_archives_are_refused() -> Result<()> {
    let weights = pair()?;
    let pickle = [b"\x80\x02}", &string("w")[..], &tensor("0", 2, &[2]), b"s."].concat();
    let numbers: Vec<u8> = [3.0f32, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let (data, storage) = (("a/data.pkl", 0, &pickle[..]), ("a/data/0", 0, &numbers[..]));
    weights.load_bytes(&archive(&[data, storage]))?;
    weights.load_bytes(&archive(&[
        data,
        storage,
        ("a/byteorder", 0, b"little"),
        ("b/data/0", 8, b"other"),
    ]))?;
    assert_eq!(weights.read("w")?.as_f32(), Some(&[3.0, 4.0][..]));
    for (bytes, parts) in [
        (archive(&[data, storage, ("a/byteorder", 0, b"big")]), &["byte order \"big\", expected little"][..]),
        (archive(&[data]), &["tensor \"w\", made at byte ", "storage \"0\", which the file lacks"]),
        (
            archive(&[data, ("a/data/0", 0, &numbers[..7])]),
            &["tensor \"w\"", "has 7 bytes, expected 2 elements of F32"],
        ),
        (archive(&[data, storage, storage]), &["a/data/0 is there twice"]),
        (archive(&[data, ("a/data/0", 8, &numbers)]), &["a/data/0 is compressed", "save it again"]),
        (archive(&[("a/data.pkl", 8, &pickle), storage]), &["a/data.pkl is compressed"]),
        (
            archive(&[("x.npy", 0, b"\x93NUMPY")]),
            &["zip archive without data.pkl", "numpy.savez", "save_file"],
        ),
        (archive(&[]), &["zip archive without data.pkl"]),
        (archive(&[data, storage, ("a/constants.pkl", 0, b"")]), &["TorchScript"]),
        (b"PK\x03\x04".to_vec(), &["zip archive is damaged or truncated"]),
        ([&legacy(&pickle, &[3.0, 4.0])[..], b"x"].concat(), &["too long", "storages end at byte"]),
        (legacy(&pickle, &[]), &["tensor \"w\"", "which the file lacks"]),
        (legacy(&pickle, &[3.0]), &["has 4 bytes, expected 2 elements of F32"]),
        (
            b"\x80\x04\x95\x0a\0\0\0\0\0\0\0}\x94.".to_vec(),
            &["Python pickle that torch.save did not write", "save_file"],
        ),
    ] {
        let error = weights.load_bytes(&bytes).unwrap_err();
        says(&error, &[&["(bytes in memory)"][..], parts].concat());
    }
    let mut bytes = legacy(&pickle, &[3.0, 4.0]);
    let at = bytes.windows(14).position(|part| part == b"little_endian\x88").expect("it says so");
    bytes[at + 13] = 0x89;
    says(&weights.load_bytes(&bytes).unwrap_err(), &["big-endian byte order"]);
    Ok(())
}

/// The error of loading an index with this map, beside the shards of the fixture.
fn index_error(map: &str) -> Error {
    let folder = TempDir::new().expect("a temporary folder can be made");
    for name in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        write(folder.path(), name, &file(&format!("shards/{name}")));
    }
    let path = write(folder.path(), "model.safetensors.index.json", map.as_bytes());
    weights().load(path).expect_err(map)
}

#[test]
fn shards_load_by_their_index() -> Result<()> {
    for name in ["model.safetensors.index.json", "pytorch_model.bin.index.json"] {
        let weights = weights();
        let report = weights.load_with(folder().join("shards").join(name), &LoadOptions::new())?;
        assert!(report.is_complete(), "{name}: {report}");
        assert_eq!(contents(&weights), expected(), "{name}");
        says(&weights.load_bytes(&file(&format!("shards/{name}"))).unwrap_err(), &["index", "by its path"]);
    }
    let error = weights_under("x.").load(folder().join("shards/model.safetensors.index.json")).unwrap_err();
    says(&error, &["model.safetensors.index.json", "\"x.bf16\"", "is missing"]);
    Ok(())
}

#[test]
fn wrong_indices_are_refused() {
    let whole = String::from_utf8(file("shards/model.safetensors.index.json")).expect("JSON is text");
    for place in ["../model-00001-of-00002.safetensors", "/etc/passwd", "a/b", "a\\\\b", "..", ".", "", "C:x"]
    {
        let error = index_error(&whole.replacen("model-00001-of-00002.safetensors", place, 1));
        says(&error, &["\"bf16\"", "expected the name of a file in the same folder"]);
    }
    let second = "model-00002-of-00002.safetensors";
    for (map, parts) in [
        (
            whole.replacen("model-00001-of-00002.safetensors", second, 1),
            &[
                "model-00001-of-00002.safetensors",
                "\"bf16\"",
                "index.json places in \"model-00002-of-00002.safetensors\"",
            ][..],
        ),
        (
            whole.replacen("\"bf16\"", "\"other\"", 1),
            &["model-00001-of-00002.safetensors", "\"bf16\"", "index.json does not name"],
        ),
        (
            whole.replacen("\"bf16\"", &format!("\"other\": \"{second}\", \"bf16\""), 1),
            &[
                "index.json",
                "the tensor \"other\" in \"model-00002-of-00002.safetensors\", which does not hold it",
            ],
        ),
        (
            whole.replace(second, "absent.safetensors"),
            &["index.json", "tensors in \"absent.safetensors\", and no such file is beside it"],
        ),
        (
            whole.replace(second, "model.safetensors.index.json"),
            &["model.safetensors.index.json", "JSON text"],
        ),
        (
            whole.replacen("weight_map", "weights", 1),
            &["JSON text", "no \"weight_map\"", ".safetensors.index.json"],
        ),
        (whole[..100].to_owned(), &["JSON text", "damaged"]),
        ("{\"weight_map\": {}}".to_owned(), &["\"weight_map\" is empty"]),
        ("{\"weight_map\": {\"a\": 1}}".to_owned(), &["\"a\" in 1, expected the name of a file"]),
        ("[1]".to_owned(), &["JSON text"]),
    ] {
        says(&index_error(&map), parts);
    }
    let many: Vec<String> = (0..600).map(|i| format!("\"{i}\": \"{i}.safetensors\"")).collect();
    says(
        &index_error(&format!("{{\"weight_map\": {{{}}}}}", many.join(","))),
        &["names 600 files, the limit is 512"],
    );
}
