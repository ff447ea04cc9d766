//! Builds a peer, runs it, and reads the lines that it prints.

use crate::{cargo, package};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One of the programs that are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    Wgrad,
    Burn,
}

/// The output of a run of a peer.
pub struct Said {
    pub peer: Peer,
    pub adapter: Option<String>,
    pub figures: Vec<Reading>,
}

/// A figure of one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Reading {
    pub figure: String,
    pub unit: String,
    pub value: f64,
}

impl Peer {
    pub const BOTH: [Peer; 2] = [Peer::Wgrad, Peer::Burn];

    pub fn name(self) -> &'static str {
        match self {
            Peer::Wgrad => "wgrad",
            Peer::Burn => "burn",
        }
    }

    /// Builds the program, into the folder `target` if there is one.
    pub fn build(self, target: Option<&Path>) -> Result<(), String> {
        let mut command = cargo();
        command.args(["build", "--release", "--locked", "--features", self.name()]);
        command.args(["--bin", &format!("{}-peer", self.name())]);
        if let Some(target) = target {
            command.arg("--target-dir").arg(target);
        }
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} could not be built: {status}", self.name())),
            Err(e) => Err(format!("cargo can't be run: {e}")),
        }
    }

    /// Runs one piece of work. With `empty`, an empty folder, the peer finds no cache.
    pub fn run(self, work: &str, short: bool, empty: Option<&Path>) -> Result<Said, String> {
        let program = self.program()?;
        let mut command = Command::new(&program);
        command.arg(work).current_dir(package()).stderr(Stdio::inherit());
        if short {
            command.arg("--short");
        }
        if let Some(empty) = empty {
            // All keep their compiled kernels and choices in the user's cache folder. burn prefers the
            // working directory's target folder, if there is one.
            command.current_dir(empty).env("XDG_CACHE_HOME", empty);
            for variable in ["WGRAD_CACHE_DIR", "MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"] {
                command.env(variable, empty);
            }
        }
        let output = command.output().map_err(|e| format!("{} can't be run: {e}", program.display()))?;
        if !output.status.success() {
            return Err(format!("{} {work} ended with {}", program.display(), output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(self.read(&text))
    }

    /// The program, in the same folder as this one.
    fn program(self) -> Result<PathBuf, String> {
        let own = std::env::current_exe().map_err(|e| format!("where this program lies is unknown: {e}"))?;
        Ok(own.with_file_name(format!("{}-peer{}", self.name(), std::env::consts::EXE_SUFFIX)))
    }

    /// Ignores lines that are not JSON: libraries print them.
    fn read(self, text: &str) -> Said {
        let lines = || text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let figures = lines().filter_map(|line| {
            Some(Reading {
                figure: line["figure"].as_str()?.to_owned(),
                unit: line["unit"].as_str()?.to_owned(),
                value: line["median"].as_f64()?,
            })
        });
        let adapter = lines().find_map(|line| Some(line["adapter"].as_str()?.to_owned()));
        Said { peer: self, adapter, figures: figures.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_others_left_alone() {
        let said = Peer::Burn.read(
            "tuning...\n{\"peer\":\"burn\",\"adapter\":\"A\"}\n\
             {\"figure\":\"f\",\"unit\":\"s\",\"median\":2.5,\"min\":1.0}\n{\"figure\":\"g\",\"median\":null}\n",
        );
        assert_eq!(said.adapter.as_deref(), Some("A"));
        assert_eq!(said.figures, [Reading { figure: "f".into(), unit: "s".into(), value: 2.5 }]);
    }
}
