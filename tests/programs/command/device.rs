//! The subcommands that open an adapter: `adapters`, `run`, `bench`, `check`, `plan`.

use super::{assert_fails, assert_is_printable, folder, json, lenet, named, said, wgrad};
use crate::text;
use serde_json::{Value, json};
use std::path::Path;

fn grey(folder: &Path, name: &str) {
    image::GrayImage::from_pixel(40, 30, image::Luma([99]))
        .save(folder.join(name))
        .expect("it can be written");
}

/// Labels and rounded probabilities of a picture.
fn classes(picture: &Value) -> Vec<(u64, String, f64)> {
    let class = |class: &Value| {
        let probability = class["probability"].as_f64().expect("a number");
        let name = class["name"].as_str().expect("a name").to_owned();
        (class["label"].as_u64().expect("a number"), name, (probability * 1e5).round() / 1e5)
    };
    picture["classes"].as_array().expect("a list").iter().map(class).collect()
}

#[test]
fn adapters_are_listed_with_their_limits() {
    let folder = folder();
    let document = json(folder.path(), "adapters");
    let adapters = document["adapters"].as_array().expect("a list");
    assert!(!adapters.is_empty());
    for (i, adapter) in adapters.iter().enumerate() {
        assert_eq!(adapter["index"], i);
        // One that can't be opened says so instead.
        assert!(
            adapter["limits"]["max_binding_bytes"].as_u64().is_some_and(|bytes| bytes >= 128 << 20)
                || adapter["error"].is_string(),
            "{adapter}"
        );
    }
    let shown = said(folder.path(), "adapters");
    let id = adapters[0]["id"].as_str().expect("a text");
    assert!(shown.starts_with(&format!("#0 {id} ")) && shown.contains("cooperative matrices"), "{shown}");
}

#[test]
fn pictures_get_their_classes_and_bad_ones_are_reported() {
    let folder = folder();
    lenet(folder.path(), Some(named()));
    grey(folder.path(), "a.png");
    grey(folder.path(), "b.png");
    std::fs::write(folder.path().join("bad.png"), "no picture").expect("it can be written");

    let document = json(folder.path(), "run lenet.safetensors a.png b.png --top 2");
    let expected = [(1, "bee".to_owned(), 0.5), (2, "cat\u{1b}[2J".to_owned(), 0.375)];
    for picture in document["pictures"].as_array().expect("a list") {
        assert_eq!(classes(picture), expected);
    }
    assert_eq!(document["normalisation"], json!({ "mean": [0.5], "deviation": [0.25], "from": "file" }));
    assert_eq!((&document["notes"], &document["input"]), (&json!([]), &json!([1, 28, 28])));

    // In batches of two, with one in the middle that can't be read.
    let output = wgrad(folder.path(), "run --batch 2 lenet.safetensors a.png bad.png b.png absent.png");
    assert_eq!(output.status.code(), Some(1));
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    let answer = "   50.0 %  bee (1)\n   37.5 %  cat\\u{1b}[2J (2)\n   12.5 %  ant (0)\n";
    assert_eq!(shown, format!("a.png\n{answer}b.png\n{answer}"));
    assert!(errors.contains("bad.png: is no PNG, JPEG or WebP") && errors.contains("absent.png"), "{errors}");
    assert_is_printable(&errors);
    let output = wgrad(folder.path(), "run --json lenet.safetensors bad.png a.png");
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(
        document["pictures"][0]["error"].as_str().is_some_and(|error| error.contains("bad.png")),
        "{document}"
    );
    assert_eq!(classes(&document["pictures"][1]).len(), 3);
}

#[test]
fn options_say_what_a_file_does_not() {
    let folder = folder();
    lenet(folder.path(), None);
    grey(folder.path(), "a.png");
    std::fs::write(folder.path().join("names.txt"), "x\ny\r\nz\n").expect("it can be written");
    std::fs::write(folder.path().join("two.txt"), "x\ny\n").expect("it can be written");
    let document =
        json(folder.path(), "run --network lenet5 --classes-file names.txt --top 1 lenet.safetensors a.png");
    assert_eq!(classes(&document["pictures"][0]), [(1, "y".to_owned(), 0.5)]);
    assert_eq!(document["normalisation"]["from"], "none");
    assert!(document["notes"].to_string().contains("divided by 255"), "{document}");
    let document = json(folder.path(), "run --network lenet5 --top 1 lenet.safetensors a.png");
    assert_eq!(classes(&document["pictures"][0]), [(1, "1".to_owned(), 0.5)]);
    let of = |options: &str| format!("run {options} lenet.safetensors a.png");
    assert_fails(folder.path(), &of(""), 1, &["--network", "resnet18"]);
    assert_fails(folder.path(), &of("--network lenet5 --classes-file two.txt"), 1, &["found 2", "3 classes"]);
    assert_fails(folder.path(), &of("--network lenet5 --classes-file absent.txt"), 1, &["absent.txt"]);
    assert_fails(folder.path(), &of("--network lenet5 --classes 4"), 1, &["fc3"]);
    assert_fails(folder.path(), &of("--network lenet5 --mean 1,2 --std 1,2"), 2, &["--mean"]);
    assert_fails(folder.path(), &of("--network lenet5 --size 60"), 1, &["fc1"]);
    assert_fails(folder.path(), &of("--network lenet5 --adapter nobody's"), 1, &["nobody's"]);
    assert_fails(folder.path(), &of("--network lenet5 --resize 3"), 2, &["--resize is 3", "28"]);
}

#[test]
fn a_step_is_timed() {
    let folder = folder();
    lenet(folder.path(), Some(named()));
    for (arguments, mode, batch) in [
        ("bench lenet5 --steps 3 --warm-up 1", "forward", 1),
        ("bench --train lenet.safetensors --batch 2 --steps 2 --warm-up 0", "training", 2),
    ] {
        let document = json(folder.path(), arguments);
        assert_eq!((&document["mode"], &document["batch"]), (&json!(mode), &json!(batch)));
        let second = |name: &str| document["seconds"][name].as_f64().expect(name);
        let order = ["least", "lower_quartile", "median", "upper_quartile", "most"].map(second);
        assert!(order.is_sorted() && order[0] > 0.0 && second("first_step") > 0.0, "{document}");
        let rate = document["images_per_second"].as_f64().expect("a number");
        assert!((rate * second("median") - f64::from(batch)).abs() < 1e-6, "{document}");
        let parameters = document["memory"]["planned_bytes"]["parameters"].as_u64();
        assert!(parameters.is_some_and(|bytes| bytes > 240_000), "{document}");
    }
    let shown = said(folder.path(), "bench lenet5 --steps 2");
    for part in [
        "lenet5, random weights: forward, batch 1",
        "first step",
        "in the median of 2",
        "images per second",
        "MiB planned",
    ] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
}

#[test]
fn nodes_are_timed_on_request() {
    let folder = folder();
    let document = json(folder.path(), "bench lenet5 --steps 2 --profile --trace trace.json");
    let nodes = document["nodes"].as_array().expect("a list");
    let first = &nodes[0];
    assert_eq!((&first["node"], &first["operator"]), (&json!("conv1"), &json!("conv2d")));
    // Two for each of 6 x 28 x 28 outputs and 25 weights, and one for each output's ReLU.
    assert_eq!(first["flops"], json!(6 * 28 * 28 * (2 * 25 + 1)));
    assert!(
        nodes.iter().all(|node| node["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0)),
        "{nodes:?}"
    );
    let trace = std::fs::read_to_string(folder.path().join("trace.json")).expect("a file");
    assert!(
        serde_json::from_str::<Value>(&trace).is_ok_and(|trace| trace["traceEvents"].is_array()),
        "{trace}"
    );
    assert!(json(folder.path(), "bench lenet5 --steps 1")["nodes"].is_null());
    let shown = said(folder.path(), "bench lenet5 --steps 2 --profile");
    assert!(shown.contains("by operator:") && shown.contains("conv2 "), "{shown}");
    assert_fails(folder.path(), "bench lenet5 --trace trace.json", 2, &["--profile"]);
    // Before anything is measured.
    assert_fails(
        folder.path(),
        "bench lenet5 --profile --trace absent/trace.json --adapter none",
        1,
        &["absent"],
    );
}

#[test]
fn every_operator_is_checked() {
    let folder = folder();
    let document = json(folder.path(), "check --train --batch 2 lenet5");
    assert_eq!((&document["agrees"], &document["beyond"]), (&json!(true), &json!(0)));
    let nodes = document["nodes"].as_array().expect("a list");
    let operators: Vec<&str> = nodes.iter().filter_map(|node| node["operator"].as_str()).collect();
    for operator in ["conv2d", "linear", "avg_pool2d", "conv2d_grad_weight"] {
        assert!(operators.contains(&operator), "{operators:?}");
    }
    let share = |node: &Value| {
        let [error, tolerance] = ["error", "tolerance"].map(|name| node[name].as_f64().expect(name));
        if error == 0.0 { 0.0 } else { error / tolerance }
    };
    let shares: Vec<f64> = nodes.iter().map(share).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares[0] > 0.0, "the worst comes first: {shares:?}");
    let shown = said(folder.path(), "check lenet5");
    assert!(shown.contains("conv2d ") && shown.contains("7 nodes agree with the reference"), "{shown}");
    let shown = said(folder.path(), "plan lenet5");
    assert!(shown.starts_with("plan for "), "{shown}");
}

#[test]
fn mixed_precision_is_checked_timed_and_planned() {
    let folder = folder();
    let document = json(folder.path(), "check --train --mixed lenet5");
    assert_eq!((&document["precision"], &document["agrees"]), (&json!("mixed"), &json!(true)));
    let shown = said(folder.path(), "bench lenet5 --mixed --steps 1 --warm-up 0");
    assert!(shown.contains("forward in mixed precision, batch 1"), "{shown}");
    let taken = |options: &str| {
        let plan = json(folder.path(), &format!("plan --kind discrete --train --batch 64 {options} lenet5"));
        plan["memory_bytes"]["gradients"].as_u64().expect("a number")
    };
    assert_eq!(taken(""), 2 * taken("--mixed"), "the loss is scaled");
}
