//! Costs of a peer before it does anything: a start with nothing cached, crates, a clean build.

use crate::cargo;
use crate::package;
use crate::runs::{Peer, Reading, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn said(peer: Peer, figure: &str, unit: &str, value: f64) -> Said {
    Said { peer, adapter: None, figures: vec![Reading { figure: figure.into(), unit: unit.into(), value }] }
}

/// The first training step of a machine that has never run one.
pub fn cold_start(peer: Peer) -> Result<Said, String> {
    let empty = Empty::new(peer)?;
    let mut said = peer.run("start", true, Some(&empty.0))?;
    for reading in &mut said.figures {
        reading.figure.push_str(", nothing cached");
    }
    Ok(said)
}

/// Crates that a user of the library compiles on this machine, the library included.
pub fn crates(peer: Peer) -> Result<Said, String> {
    let mut command = cargo();
    command.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "depth", "--format", " {p}"]);
    match peer {
        // wgrad's own lock file lists what its users get.
        Peer::Wgrad => command.arg("--manifest-path").arg(package().join("../../Cargo.toml")),
        Peer::Burn => command.args(["--features", "burn"]),
    };
    let output = command.output().map_err(|e| format!("cargo can't be run: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let crates = needed(&String::from_utf8_lossy(&output.stdout), peer.name());
    Ok(said(peer, "crates compiled", "crates", crates as f64))
}

/// Number of crates that `library` needs, itself included, from a tree whose lines start with their depth. A
/// crate's dependencies are listed only below its first line.
fn needed(tree: &str, library: &str) -> usize {
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut above: Vec<&str> = Vec::new();
    for line in tree.lines() {
        let Some((depth, name)) = line.split_once(' ') else { continue };
        let Ok(depth) = depth.parse::<usize>() else { continue };
        let name = name.trim_end_matches(" (*)").trim();
        above.truncate(depth);
        if let Some(&user) = above.last() {
            needs.entry(user).or_default().insert(name);
        }
        needs.entry(name).or_default();
        above.push(name);
    }
    let is_library = |name: &&&str| name.split(' ').next() == Some(library);
    let mut found: BTreeSet<&str> = needs.keys().filter(is_library).copied().collect();
    let mut open: Vec<&str> = found.iter().copied().collect();
    while let Some(name) = open.pop() {
        open.extend(needs[name].iter().filter(|need| found.insert(*need)));
    }
    found.len()
}

/// Builds the peer's program and everything it needs from scratch.
pub fn clean_build(peer: Peer) -> Result<Said, String> {
    let empty = Empty::new(peer)?;
    let start = Instant::now();
    peer.build(Some(&empty.0))?;
    Ok(said(peer, "clean release build", "s", start.elapsed().as_secs_f64()))
}

/// A new folder that is removed on drop.
struct Empty(PathBuf);

impl Empty {
    fn new(peer: Peer) -> Result<Empty, String> {
        let name = format!("wgrad-peers-{}-{}", peer.name(), std::process::id());
        let folder = std::env::temp_dir().join(name);
        let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
        if Path::exists(&folder) {
            std::fs::remove_dir_all(&folder).map_err(fault)?;
        }
        std::fs::create_dir_all(&folder).map_err(fault)?;
        Ok(Empty(folder))
    }
}

impl Drop for Empty {
    fn drop(&mut self) {
        // A temporary folder that stays behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::needed;

    #[test]
    fn crates_are_counted_once_and_only_below_the_library() {
        let tree = "0 app v1\n1 other v1\n2 shared v2\n3 deep v1\n1 lib v3\n2 own v1\n2 shared v2 (*)\n";
        assert_eq!(needed(tree, "lib"), 4, "lib, own, shared and what shared needs");
        assert_eq!(needed(tree, "app"), 6);
    }
}
