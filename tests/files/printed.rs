//! Text from files and names: no error or print passes on terminal control sequences or floods the terminal.

use crate::harness::device;
use crate::harness::files;
use crate::model::{assert_clean, assert_says, model};
use std::path::Path;
use tempfile::TempDir;
use wgrad::data::{Images, Split};
use wgrad::graph::Init;
use wgrad::{Error, Graph, Plan, Session, Weights, file};

/// Clears a screen, renames a window, goes back over a line, turns the direction of text.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}\u{7f}";

/// A name that is evil and, of `bytes` bytes, long.
fn name(bytes: usize) -> String {
    format!("start{EVIL}{}end", "x".repeat(bytes))
}

/// A file with this header and some contents.
fn with_header(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 64]].concat()
}

fn in_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn headers_of_weights_are_made_printable() {
    let folder = TempDir::new().unwrap();
    let mut model = model().unwrap();
    for bytes in [10, 8_000_000] {
        let name = in_json(&name(bytes));
        let tensor = r#"{"dtype":"F32","shape":[16],"data_offsets":[0,64]}"#;
        let shape = format!("[{}16]", "1,".repeat(bytes / 2));
        let checkpoint = |fields: &str| {
            let fields = in_json(fields);
            format!(r#"{{"__metadata__":{{"wgrad_checkpoint":{fields}}},{name}:{tensor}}}"#)
        };
        for header in [
            // An extra tensor, one of a wrong type, shape, place; what is no JSON, or other JSON.
            format!("{{{name}:{tensor}}}"),
            format!(r#"{{"fc.weight":{{"dtype":{name},"shape":[16],"data_offsets":[0,64]}}}}"#),
            format!(r#"{{"fc.bias":{{"dtype":"F32","shape":{shape},"data_offsets":[0,64]}}}}"#),
            format!(r#"{{"fc.bias":{{"dtype":"F32","shape":[16],"data_offsets":[0,64],{name}:1}}}}"#),
            format!(r#"{{{name}:{{"dtype":"F32","shape":[16],"data_offsets":[4,68]}}}}"#),
            format!(r#"{{{name}:{{"dtype":"F32","shape":{name},"data_offsets":[0,64]}}}}"#),
            format!("{{{name}"),
            format!(r#"{{"__metadata__":{name}}}"#),
            format!(r#"{{"__metadata__":{{{name}:{name}}},{name}:{tensor}}}"#),
            checkpoint(&name),
            checkpoint(&format!("{{{name}:{name}}}")),
            checkpoint(&format!(r#"{{"step_number":{name},"notes":{{}},"state":[]}}"#)),
            checkpoint(&format!(r#"{{"step_number":1,"notes":{name},"state":[]}}"#)),
            checkpoint(&format!(r#"{{"step_number":1,"notes":{{}},"state":[{name}]}}"#)),
            checkpoint(&format!(r#"{{"step_number":1,"notes":{{}},"state":[{name},{name}],{name}:{name}}}"#)),
        ] {
            let path = files::write(folder.path(), "w.safetensors", &with_header(&header));
            for error in
                [model.weights.load(&path).unwrap_err(), model.session.load_checkpoint(&path).unwrap_err()]
            {
                assert_says(&error, &["w.safetensors"]);
                assert_clean(&format!("{error:?}"));
            }
        }
    }
}

#[test]
fn names_and_paths_are_made_printable() {
    let folder = TempDir::new().unwrap();
    // A file's name ends no error and starts no line.
    let path = folder.path().join(EVIL);
    std::fs::write(&path, b"\x1b[2J\x1b[2J").unwrap();
    let mut model = model().unwrap();
    let errors = [
        model.weights.load(&path).unwrap_err(),
        model.session.load_checkpoint(&path).unwrap_err(),
        model.weights.load(path.join("below")).unwrap_err(),
        model.weights.save(path.join("below")).unwrap_err(),
        file::write_whole(&path.join("below"), b"").unwrap_err(),
        Images::from_files(&path, &path, 10).unwrap_err(),
        Images::load(&path, Split::Train).unwrap_err(),
        model.weights.read(EVIL).unwrap_err(),
        model.weights.write(&name(10_000_000), &[]).unwrap_err(),
        wgrad::Device::open_named(&name(100_000)).unwrap_err(),
    ];
    for error in errors {
        assert_says(&error, &["\\u{1b}[2J"]);
    }
    // A count that does not fit is told with both names.
    let [images, labels] = [("i", files::images(20, 8, 8)), ("l", files::labels(19))]
        .map(|(name, bytes)| files::write(folder.path(), &format!("{name}{EVIL}"), &bytes));
    assert_says(&Images::from_files(&images, &labels, 10).unwrap_err(), &["19 labels", "20 images"]);
    assert_eq!(file::printable_path(Path::new("/a b/c.txt")), "/a b/c.txt");
}

#[test]
fn names_of_graphs_are_made_printable() {
    for bytes in [10, 1_000_000] {
        let name = name(bytes);
        let mut g = Graph::new();
        let x = g.input(&format!("x{name}"), [2, 3]).unwrap();
        let wrong = g.input("wrong", [5, 7]).unwrap();
        let (y, errors) = g.scoped(&name, |g| {
            let weight = g.parameter("weight", [4, 3], Init::Constant(0.5)).unwrap();
            let errors = [
                g.parameter("weight", [4, 3], Init::Constant(0.5)).unwrap_err(),
                g.matmul(x, wrong).unwrap_err(),
                g.linear(wrong, weight, None).unwrap_err(),
            ];
            (g.linear(x, weight, None).unwrap(), errors)
        });
        for error in errors {
            assert_clean(&error.to_string());
        }
        let plan = Plan::new(&g, &[y], device().caps()).unwrap();
        for text in [g.to_string(), g.summary(y).unwrap().to_string(), plan.to_string()] {
            text.lines().for_each(assert_clean);
        }
        let weights = Weights::init(device(), &g, 1).unwrap();
        let mut session = Session::new(device(), plan, &weights).unwrap();
        assert_clean(&session.write(x, &[0.0; 1]).unwrap_err().to_string());
        assert_clean(&session.step().unwrap_err().to_string());
        session.write(x, &[0.0; 6]).unwrap();
        session.profile(1).unwrap().to_string().lines().for_each(assert_clean);
        // A file that lacks such a tensor.
        let folder = TempDir::new().unwrap();
        let path = files::write(folder.path(), "w", &with_header("{}")[..10]);
        assert_clean(&weights.load(path).unwrap_err().to_string());
    }
}

#[test]
fn every_error_is_made_printable() {
    let text = || name(20_000_000);
    let path = || Path::new(EVIL).to_owned();
    for error in [
        Error::Node { operator: "o".into(), node: text(), message: text() },
        Error::Graph(text()),
        Error::Value { name: text(), message: text() },
        Error::Weights { path: path(), message: text() },
        Error::Data { path: path(), message: text() },
        Error::File { action: "reading", path: path(), source: std::io::ErrorKind::NotFound.into() },
        Error::Setting { setting: "s", message: text() },
    ] {
        assert_clean(&error.to_string());
    }
}
