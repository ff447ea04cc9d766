//! The order of the rooms: a room imports only from itself and from rooms before it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, each with those it shares a place with. `op` and `graph` are a pair: a node holds an
/// operator, and an operator sees a graph.
const ORDER: &[&[&str]] = &[
    &["error", "file", "hash", "instant", "memory", "not_finite", "promise", "setters", "shader", "tensor"],
    &["parallel"],
    &["op", "graph"],
    &["ops"],
    &["reference"],
    &["autodiff"],
    &["plan"],
    &["device"],
    &["weights"],
    &["session"],
    &["tune"],
    &["nn"],
    &["onnx"],
    &["optim"],
    &["data"],
    &["train"],
    &["predict"],
    &["bin"],
];

/// Rust files below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a line of code names.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let rests = code.match_indices("crate::").map(|(at, text)| &code[at + text.len()..]);
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    rests.map(name).collect()
}

#[test]
fn imports_run_one_way() {
    let src = crate::harness::root().join("src");
    let ranks: BTreeMap<&str, usize> = ORDER
        .iter()
        .enumerate()
        .flat_map(|(rank, rooms)| rooms.iter().map(move |room| (*room, rank)))
        .collect();
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let below = path.strip_prefix(&src).expect("the file is below src").with_extension("");
        let room = below.iter().next().and_then(|room| room.to_str()).expect("a name in Unicode");
        if room == "lib" {
            continue;
        }
        let &rank = ranks.get(room).unwrap_or_else(|| panic!("{room} has no place in the order of rooms"));
        let text = std::fs::read_to_string(&path).expect("the source can be read");
        // A module's own tests may build whole sessions.
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]").enumerate();
        for (i, line) in code.filter(|_| !below.ends_with("tests")) {
            for other in named(line) {
                if ranks.get(other.as_str()).is_some_and(|&other| other > rank) {
                    wrong.push(format!("src/{}.rs:{} imports {other}", below.display(), i + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against the order of rooms (ARCHITECTURE.md):\n{}", wrong.join("\n"));
}
