//! ONNX files whose answers are worked by hand: `wgrad inspect`, `convert` and `run` of them.

use super::{assert_fails, folder, json, lenet, named, said};
use crate::message::{external, field, floats, initializer, int, model, node, port};
use serde_json::{Value, json};
use std::path::Path;
use wgrad::weights::{StoredType, TensorFile};

/// A model that returns the mean of each channel of pictures of 4 x 4, as logits or as their softmax.
fn means(folder: &Path, name: &str, softmax: bool) {
    let last = if softmax { "flat" } else { "y" };
    let mut parts = vec![
        initializer("scale", &[1, 3, 1, 1], &floats(&[1.0, 1.0, 2.0])),
        node("GlobalAveragePool", &["x"], "pooled"),
        node("Mul", &["pooled", "scale"], "scaled"),
        node("Flatten", &["scaled"], last),
    ];
    if softmax {
        parts.push(node("Softmax", &["flat"], "y"));
    }
    parts.extend([port(11, "x", &[None, Some(3), Some(4), Some(4)]), port(12, "y", &[None, Some(3)])]);
    std::fs::write(folder.join(name), model(&parts)).expect("it can be written");
}

fn picture(folder: &Path, name: &str, colour: [u8; 3]) {
    image::RgbImage::from_pixel(9, 7, image::Rgb(colour)).save(folder.join(name)).expect("it can be written");
}

/// The softmax of three logits, by its formula.
fn softmax(logits: [f64; 3]) -> [f64; 3] {
    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
    logits.map(|x| x.exp() / sum)
}

#[test]
fn pictures_are_normalised_as_options_or_imagenet_say() {
    let folder = folder();
    means(folder.path(), "means.onnx", false);
    picture(folder.path(), "p.png", [255, 51, 102]);
    let bytes = [1.0, 0.2, 0.4];
    let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let by_default: [f64; 3] = std::array::from_fn(|i| (bytes[i] - mean[i]) / deviation[i]);
    for (options, [r, g, b]) in [
        ("", by_default),
        ("--mean 0,0,0 --std 1,1,1", bytes),
        ("--mean -0.5 --std 0.5", bytes.map(|x| (x + 0.5) / 0.5)),
    ] {
        let document = json(folder.path(), &format!("run means.onnx p.png {options}"));
        let expected = softmax([r, g, 2.0 * b]);
        let mut seen = 0;
        for class in document["pictures"][0]["classes"].as_array().expect("a list") {
            let label = class["label"].as_u64().expect("a number") as usize;
            let probability = class["probability"].as_f64().expect("a number");
            assert!(
                (probability - expected[label]).abs() < 1e-5,
                "{options}: {document}, expected {expected:?}"
            );
            seen += 1;
        }
        assert_eq!(seen, 3);
        let from = if options.is_empty() { "imagenet" } else { "options" };
        assert_eq!(document["normalisation"]["from"], from);
        assert_eq!(document["notes"].to_string().contains("ImageNet's"), options.is_empty(), "{document}");
    }
}

#[test]
fn a_softmax_of_the_files_own_is_not_taken_twice() {
    let folder = folder();
    means(folder.path(), "soft.onnx", true);
    picture(folder.path(), "p.png", [255, 51, 102]);
    let document = json(folder.path(), "run soft.onnx p.png --mean 0 --std 1 --top 1");
    let [largest, ..] = softmax([1.0, 0.2, 0.8]);
    let class = &document["pictures"][0]["classes"][0];
    assert_eq!(class["label"], 0);
    assert!((class["probability"].as_f64().expect("a number") - largest).abs() < 1e-5, "{document}");
    assert!(document["notes"].to_string().contains("taken as probabilities"), "{document}");
}

#[test]
fn float_initialisers_become_weights() {
    let folder = folder();
    // float16 1 and -2 as raw data, two whole numbers, and floats.
    let half = [int(1, 2), int(2, 10), field(8, b"half"), field(9, &[0x00, 0x3c, 0x00, 0xc0])].concat();
    let wide = [int(1, 1), int(2, 11), field(8, b"wide"), field(9, &0.1f64.to_le_bytes())].concat();
    let whole = [int(1, 2), int(2, 7), field(8, b"whole"), field(9, &[0; 16])].concat();
    let bytes = model(&[
        initializer("w\u{1b}", &[1, 2], &floats(&[0.5, -1.5])),
        field(5, &half),
        field(5, &wide),
        field(5, &whole),
        node("Relu", &["x"], "y"),
        port(11, "x", &[None]),
        port(12, "y", &[None]),
    ]);
    std::fs::write(folder.path().join("m.onnx"), bytes).expect("it can be written");
    let document = json(folder.path(), "inspect m.onnx");
    assert_eq!(document["totals"], json!({ "tensors": 4, "elements": 7, "bytes": 8 + 4 + 8 + 16 }));
    assert_eq!(document["operators"], json!({ "Relu": 1 }));
    for to in ["m.safetensors", "m.pt"] {
        let document = json(folder.path(), &format!("convert m.onnx {to}"));
        assert_eq!((&document["tensors"], &document["left_out"]), (&json!(3), &json!(["whole"])));
        let file = TensorFile::open(folder.path().join(to)).expect("it is whole");
        let read = |name: &str| {
            let tensor = file.read(name).expect("it is there");
            (tensor.ty(), tensor.shape().to_vec(), tensor.into_bytes())
        };
        assert_eq!(read("half"), (StoredType::F16, vec![2], vec![0x00, 0x3c, 0x00, 0xc0]));
        assert_eq!(read("wide"), (StoredType::F64, vec![1], 0.1f64.to_le_bytes().to_vec()));
        let numbers = [0.5f32, -1.5].map(f32::to_le_bytes).concat();
        assert_eq!(read("w\u{1b}"), (StoredType::F32, vec![1, 2], numbers));
    }
    let bytes = model(&[node("Relu", &["x"], "y"), port(11, "x", &[None]), port(12, "y", &[None])]);
    std::fs::write(folder.path().join("none.onnx"), bytes).expect("it can be written");
    assert_fails(folder.path(), "convert none.onnx n.pt", 1, &["none.onnx", "no initialisers of floats"]);
}

#[test]
fn convert_spares_external_data() {
    let folder = folder();
    let numbers = [0.5f32, -1.5].map(f32::to_le_bytes).concat();
    let w = initializer("w", &[2], &external(&[("location", "w.bin")]));
    let ports = [port(11, "x", &[None]), port(12, "y", &[None])].concat();
    std::fs::write(folder.path().join("w.bin"), &numbers).expect("it can be written");
    std::fs::write(folder.path().join("m.onnx"), model(&[w, node("Relu", &["x"], "y"), ports]))
        .expect("it can be written");
    assert_fails(folder.path(), "convert m.onnx w.bin", 1, &["w.bin", "m.onnx", "another file"]);
    assert_eq!(std::fs::read(folder.path().join("w.bin")).expect("it is there"), numbers);
    said(folder.path(), "convert m.onnx v.bin");
    // The same of data that has an ONNX file's name.
    std::fs::rename(folder.path().join("w.bin"), folder.path().join("w.onnx")).expect("it is there");
    let w = initializer("w", &[2], &external(&[("location", "w.onnx")]));
    let ports = [port(11, "x", &[None]), port(12, "y", &[None])].concat();
    let bytes = model(&[w, node("Relu", &["x"], "y"), ports]);
    std::fs::write(folder.path().join("m.onnx"), &bytes).expect("it can be written");
    for command in ["convert m.onnx w.onnx", "bench --profile m.onnx --trace w.onnx"] {
        assert_fails(folder.path(), command, 1, &["w.onnx", "m.onnx", "another file"]);
    }
    assert_fails(folder.path(), "bench --profile m.onnx --trace m.onnx", 1, &["m.onnx", "another file"]);
    assert_eq!(std::fs::read(folder.path().join("w.onnx")).expect("it is there"), numbers);
    assert_eq!(std::fs::read(folder.path().join("m.onnx")).expect("it is there"), bytes);
}

#[test]
fn weights_in_constants_are_named() {
    let folder = folder();
    let tensor = |sizes: &[i64], numbers: &[f32]| {
        let sizes: Vec<u8> = sizes.iter().flat_map(|&size| int(1, size)).collect();
        let value = [sizes, int(2, 1), floats(numbers)].concat();
        field(5, &[field(1, b"value"), field(5, &value), int(20, 4)].concat())
    };
    let constant = |name: &str, value: Vec<u8>| {
        field(1, &[field(2, name.as_bytes()), field(4, b"Constant"), value].concat())
    };
    let bytes = model(&[
        initializer("w", &[2], &floats(&[0.5, -1.5])),
        constant("weight", tensor(&[2], &[1.0, 2.0])),
        constant("epsilon", tensor(&[], &[1e-5])),
        node("Relu", &["x"], "y"),
        port(11, "x", &[None]),
        port(12, "y", &[None]),
    ]);
    std::fs::write(folder.path().join("m.onnx"), bytes).expect("it can be written");
    let document = json(folder.path(), "convert m.onnx w.pt");
    assert_eq!((&document["tensors"], &document["left_out"]), (&json!(1), &json!(["weight"])));
    assert!(document["notes"].to_string().contains("1 tensor (weight)"), "{document}");
}

#[test]
fn sizes_that_a_file_leaves_open_are_asked_for() {
    let folder = folder();
    let bytes = model(&[
        node("GlobalAveragePool", &["x"], "h"),
        node("Flatten", &["h"], "y"),
        port(11, "x", &[None, Some(3), None, None]),
        port(12, "y", &[None, Some(3)]),
    ]);
    std::fs::write(folder.path().join("open.onnx"), bytes).expect("it can be written");
    picture(folder.path(), "p.png", [1, 2, 3]);
    assert_fails(folder.path(), "plan --kind discrete open.onnx", 1, &["x float32 [N, 3, N, N]", "--input"]);
    assert_fails(folder.path(), "run open.onnx p.png", 1, &["--size"]);
    said(folder.path(), "plan --kind discrete --input 3x8x8 open.onnx");
    let document = json(folder.path(), "run --size 8x6 open.onnx p.png");
    assert_eq!(document["input"], json!([3, 8, 6]));
    assert_fails(folder.path(), "plan --kind discrete --classes 3 open.onnx", 2, &["--classes"]);
}

#[test]
fn weights_become_an_onnx_file_with_the_same_answers() {
    let folder = folder();
    lenet(folder.path(), Some(named()));
    image::GrayImage::from_pixel(28, 28, image::Luma([99]))
        .save(folder.path().join("g.png"))
        .expect("it is written");
    let document = json(folder.path(), "convert lenet.safetensors lenet.onnx");
    assert_eq!((&document["tensors"], &document["bytes"]), (&json!(10), &json!(244_444)));
    let of_weights = json(folder.path(), "inspect lenet.safetensors");
    let document = json(folder.path(), "inspect lenet.onnx");
    assert_eq!(document["metadata"], of_weights["metadata"]);
    let float = |name: &str, shape: Value| json!([{ "name": name, "type": "float32", "shape": shape }]);
    assert_eq!(document["inputs"], float("images", json!(["N", 1, 28, 28])));
    assert_eq!(document["outputs"], float("logits", json!(["N", 3])));
    assert_eq!((&document["operators"]["Conv"], &document["operators"]["Tanh"]), (&json!(2), &json!(4)));
    // The one bias that is not 0 makes the answer, for each of three pictures.
    let document = json(folder.path(), "run lenet.onnx g.png g.png g.png --top 1");
    for picture in document["pictures"].as_array().expect("a list") {
        let class = &picture["classes"][0];
        let probability = class["probability"].as_f64().expect("a number");
        assert!(class["label"] == 1 && (probability - 0.5).abs() < 1e-6, "{document}");
    }
    json(folder.path(), "convert --batch 3 lenet.safetensors three.onnx");
    let document = json(folder.path(), "inspect three.onnx");
    assert_eq!(document["inputs"], float("images", json!([3, 1, 28, 28])));
    assert_eq!(json(folder.path(), "plan --kind apple three.onnx")["batch"], 3);

    // Back again, tensor by tensor.
    said(folder.path(), "convert lenet.onnx back.safetensors");
    let open = |name: &str| TensorFile::open(folder.path().join(name)).expect("it is whole");
    let (before, after) = (open("lenet.safetensors"), open("back.safetensors"));
    assert_eq!(before.tensors().len(), after.tensors().len());
    for tensor in before.tensors() {
        assert_eq!(
            before.read(tensor.name).expect("it is there"),
            after.read(tensor.name).expect(tensor.name)
        );
    }
    lenet(folder.path(), None);
    assert_fails(folder.path(), "convert lenet.safetensors x.onnx", 1, &["lenet.safetensors", "--network"]);
    assert_fails(folder.path(), "convert --network lenet5 lenet.safetensors no/x.onnx", 1, &["no/x.onnx"]);
}

#[test]
fn an_onnx_file_is_written_anew_with_its_names() {
    let folder = folder();
    means(folder.path(), "a.onnx", true);
    picture(folder.path(), "p.png", [255, 51, 102]);
    json(folder.path(), "convert a.onnx b.onnx");
    let [before, after] = ["a.onnx", "b.onnx"].map(|file| json(folder.path(), &format!("inspect {file}")));
    assert_eq!((&before["inputs"], &before["outputs"]), (&after["inputs"], &after["outputs"]));
    let answers = ["a.onnx", "b.onnx"].map(|file| {
        json(folder.path(), &format!("run {file} p.png --mean 0 --std 1"))["pictures"][0]["classes"].clone()
    });
    for (a, b) in answers[0].as_array().expect("a list").iter().zip(answers[1].as_array().expect("a list")) {
        assert_eq!(a["label"], b["label"]);
        let [a, b] = [a, b].map(|class| class["probability"].as_f64().expect("a number"));
        assert!((a - b).abs() < 1e-6, "{answers:?}");
    }
}
