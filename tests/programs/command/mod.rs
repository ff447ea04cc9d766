//! The program `wgrad` as users run it: what each subcommand prints as text and as JSON, what it refuses, and how it ends.
//! `files` has those that need no adapter, `device` the others; here are the program, small files, and what all have in common.

mod device;
mod files;
mod onnx;

use super::text;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use wgrad::weights::{Metadata, StoredTensor, StoredType, TensorWriter};

/// The subcommands.
const ALL: [&str; 8] = ["inspect", "convert", "run", "bench", "check", "adapters", "plan", "completions"];

fn folder() -> TempDir {
    TempDir::new().expect("there is room for temporary files")
}

/// The program in a folder, with arguments between which there are spaces.
fn wgrad(folder: &Path, arguments: &str) -> Output {
    command(folder).args(arguments.split_whitespace()).output().expect("it can be started")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wgrad"));
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir()).env("WGRAD_CACHE_DIR", "").current_dir(folder);
    command
}

/// What it prints if all is well.
fn said(folder: &Path, arguments: &str) -> String {
    let output = wgrad(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The JSON that it prints if all is well.
fn json(folder: &Path, arguments: &str) -> Value {
    let printed = said(folder, &format!("{arguments} --json"));
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{arguments}: {e}: {printed}"))
}

/// Fails unless it ends with this status and an error that has these parts, as text and as JSON.
fn assert_fails(folder: &Path, arguments: &str, status: i32, parts: &[&str]) {
    let output = wgrad(folder, arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments}: {error}");
    assert!(error.starts_with("error: ") && !error.contains("panicked"), "{arguments}: {error}");
    let document = wgrad(folder, &format!("{arguments} --json"));
    assert_eq!((document.status.code(), text(&document.stdout).as_str()), (Some(status), ""), "{arguments}");
    let document: Value = serde_json::from_slice(&document.stderr)
        .unwrap_or_else(|e| panic!("{arguments}: {e}: {}", text(&document.stderr)));
    let in_json = document["error"].as_str().expect("a message");
    for part in parts {
        assert!(
            error.contains(part) && in_json.contains(part),
            "{arguments}: no {part} in {error} {in_json}"
        );
    }
}

/// Whether a terminal shows all of it as it is.
fn assert_is_printable(shown: &str) {
    let bad = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}' | '\u{feff}');
    assert!(!shown.chars().any(bad), "{}", shown.escape_debug());
}

fn floats(shape: &[usize], numbers: &[f32]) -> StoredTensor {
    let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    StoredTensor::new(StoredType::F32, shape, bytes).expect("there are as many")
}

/// A safetensors file of LeNet-5 for three classes, whose answer to every picture has the probabilities 1/8, 1/2 and 3/8:
/// all its numbers are 0, but for the last bias.
fn lenet(folder: &Path, metadata: Option<Metadata>) -> PathBuf {
    let mut writer = TensorWriter::new();
    let shapes: [(&str, &[usize]); 9] = [
        ("conv1.weight", &[6, 1, 5, 5]),
        ("conv1.bias", &[6]),
        ("conv2.weight", &[16, 6, 5, 5]),
        ("conv2.bias", &[16]),
        ("fc1.weight", &[120, 400]),
        ("fc1.bias", &[120]),
        ("fc2.weight", &[84, 120]),
        ("fc2.bias", &[84]),
        ("fc3.weight", &[3, 84]),
    ];
    for (name, shape) in shapes {
        let zeros = vec![0.0; shape.iter().product()];
        writer.add(name, floats(shape, &zeros)).expect("the name is new");
    }
    writer.add("fc3.bias", floats(&[3], &[0.0, 4f32.ln(), 3f32.ln()])).expect("the name is new");
    writer.set_metadata(metadata.unwrap_or_default()).expect("it is sound");
    let path = folder.join("lenet.safetensors");
    writer.save_safetensors(&path).expect("it can be written");
    path
}

/// What a file of LeNet-5 says of itself.
fn named() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.network = Some("lenet5".into());
    metadata.class_names = ["ant", "bee", "cat\u{1b}[2J"].map(String::from).to_vec();
    metadata.input_shape = Some([1, 28, 28].into());
    (metadata.mean, metadata.deviation) = (vec![0.5], vec![0.25]);
    metadata
}

#[test]
fn every_subcommand_has_help_with_an_example() {
    let folder = folder();
    let help = said(folder.path(), "--help");
    for subcommand in ALL {
        assert!(help.contains(&format!("\n  {subcommand} ")), "{subcommand} is not in: {help}");
        for flag in ["--help", "-h"] {
            let help = said(folder.path(), &format!("{subcommand} {flag}"));
            assert!(help.contains("Usage: wgrad ") && help.contains("Example"), "{help}");
            assert_eq!(help.contains("--json"), subcommand != "completions", "{help}");
        }
    }
    assert_eq!(said(folder.path(), "--version"), format!("wgrad {}\n", env!("CARGO_PKG_VERSION")));
    assert!(crate::harness::files::listing(folder.path()).is_empty());
}

#[test]
fn wrong_arguments_end_with_2() {
    let folder = folder();
    for (arguments, part) in [
        ("", "subcommand"),
        ("fly", "fly"),
        ("inspect", "<FILE>"),
        ("inspect a b", "'b'"),
        ("convert a b.npz", "b.npz"),
        ("convert --f16 a.pt b.onnx", "float32"),
        ("convert --network resnet18 a.pt b.pt", "--network"),
        ("run --top 0 a b", "--top"),
        ("run --mean 0,0,0 a b", "--std"),
        ("run --mean 0 --std 0 a b", "numbers above 0"),
        ("run --mean inf --std 1 a b", "finite numbers"),
        ("bench lenet5 --batch 0", "--batch"),
        ("bench lenet5 --steps x", "--steps"),
        ("check --input 3x0x4 lenet5", "3x224x224"),
        ("check --network lenet5 resnet18", "--network"),
        ("plan --kind mainframe lenet5", "mainframe"),
        ("plan --kind apple --input 7 lenet5", "height and width"),
        ("plan --kind apple --adapter #0 lenet5", "cannot be used with"),
    ] {
        let output = wgrad(folder.path(), arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.starts_with("error: ") || arguments.is_empty(), "{arguments}: {error}");
        assert!(error.contains(part), "{arguments}: {error}");
        if arguments.is_empty() {
            continue;
        }
        let output = wgrad(folder.path(), &format!("{arguments} --json"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let document: Value = serde_json::from_slice(&output.stderr).expect("the error is JSON");
        assert!(document["error"].as_str().is_some_and(|error| !error.contains('\n')), "{document}");
    }
}

#[test]
fn completions_know_the_subcommands() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = said(folder.path(), &format!("completions {shell}"));
        assert!(ALL.iter().all(|subcommand| script.contains(subcommand)), "{shell}: {script}");
    }
    let output = wgrad(folder.path(), "completions dos");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = folder();
    // More than a pipe holds.
    let mut writer = TensorWriter::new();
    for i in 0..20_000 {
        writer.add(format!("tensor.{i}"), floats(&[1], &[0.0])).expect("the name is new");
    }
    writer.save_safetensors(folder.path().join("many.safetensors")).expect("it can be written");
    for arguments in [&["inspect", "many.safetensors"][..], &["inspect", "--json", "many.safetensors"]] {
        let mut child = command(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it can be started");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
