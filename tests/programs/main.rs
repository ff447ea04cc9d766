//! The examples as users run them: what they print, write and refuse.

#[path = "../harness/mod.rs"]
mod harness;

mod finetune;
mod pictures;
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
