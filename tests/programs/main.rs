//! The examples and the program `wgrad` as users run them: what they print, write and refuse.

#[path = "../harness/mod.rs"]
mod harness;

mod app;
mod cifar10;
mod command;
mod finetune;
#[path = "../onnx/message.rs"]
#[allow(dead_code, unreachable_pub, reason = "each program uses its part")]
mod message;
mod pictures;
mod resnet50_step;
mod segment;
mod siamese;
mod signal;
mod trainer;

use std::path::{Path, PathBuf};
use std::process::Command;

/// An example's program, which cargo builds along with the tests.
fn program(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let directory = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let program = directory.join("examples").join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.is_file(),
        "{} is missing; `cargo test` builds it, and `cargo build --example {example}` with the same profile does",
        program.display()
    );
    program
}

/// An example, ready to run in a folder.
fn command(example: &str, folder: &Path) -> Command {
    let mut command = Command::new(program(example));
    command
        // Where it is not set, a window system's library that drivers load complains on stderr.
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        // Nothing is kept from run to run.
        .env("WGRAD_CACHE_DIR", "")
        .current_dir(folder);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_example_answers_help_and_does_nothing_else() {
    let folder = tempfile::TempDir::new().expect("there is room for temporary files");
    let examples = harness::root().join("examples");
    for entry in std::fs::read_dir(examples).expect("there are examples") {
        let path = entry.expect("the entry can be read").path();
        if path.extension().is_none_or(|extension| extension != "rs") && !path.join("main.rs").is_file() {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("names are ASCII").to_owned();
        for flag in ["--help", "-h"] {
            let output = command(&name, folder.path()).arg(flag).output().expect("it can be started");
            let help = text(&output.stdout);
            assert!(output.status.success(), "{name}: {}", text(&output.stderr));
            assert!(help.to_lowercase().contains("usage: ") && help.contains(&name), "{name}: {help}");
        }
    }
    assert!(harness::files::listing(folder.path()).is_empty());
}
