//! Snapshots: committed files that tests compare with, and rewrite on request.

use std::fmt::Write as _;
use std::path::PathBuf;

/// Environment variable that, if set, makes tests write their files in place of comparing them.
pub const VARIABLE: &str = "WGRAD_UPDATE";

/// Lines of a difference that are shown, of each side.
const SHOWN: usize = 8;
/// Lines that agree before it.
const CONTEXT: usize = 2;

/// Whether files are to be written anew.
pub fn updating() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// A file below the crate's root.
pub fn path(file: &str) -> PathBuf {
    super::root().join(file)
}

/// Writes a file below the crate's root, and the folders that lead there.
pub fn write(file: &str, text: &str) {
    let path = path(file);
    let folder = path.parent().expect("it lies in a folder");
    std::fs::create_dir_all(folder).expect("the source can be written");
    wgrad::file::write_whole(&path, text.as_bytes()).expect("the source can be written");
}

/// Fails unless `file`, a path from the crate's root, holds `found`, or writes it if files are to be written anew.
/// `filter` names the tests that write it.
pub fn check(file: &str, filter: &str, found: &str) {
    if updating() {
        return write(file, found);
    }
    let committed = std::fs::read_to_string(path(file)).unwrap_or_default();
    if let Some(difference) = difference(&committed, found) {
        panic!("{}", told(file, &command(filter), &difference));
    }
}

/// What a failing test says. `command` writes the file.
pub fn told(file: &str, command: &str, difference: &str) -> String {
    format!(
        "{file} differs (- committed, + found):\n{difference}if that is meant, write it anew and commit it: {command}"
    )
}

/// What writes the files of the tests of this name.
pub fn command(filter: &str) -> String {
    format!("{VARIABLE}=1 cargo test --release --test suite {filter}")
}

/// The first stretch of lines in which two texts differ, if they do.
pub fn difference(committed: &str, found: &str) -> Option<String> {
    if committed == found {
        return None;
    }
    let (committed, found): (Vec<&str>, Vec<&str>) = (committed.lines().collect(), found.lines().collect());
    let first = committed.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let (before, after) = (&committed[first..], &found[first..]);
    let (less, more) = together(before, after).unwrap_or((before.len(), after.len()));
    let mut text = format!("line {}\n", first + 1);
    for line in &committed[first.saturating_sub(CONTEXT)..first] {
        let _ = writeln!(text, "  {line}");
    }
    for (sign, lines) in [('-', &before[..less]), ('+', &after[..more])] {
        for line in lines.iter().take(SHOWN) {
            let _ = writeln!(text, "{sign} {line}");
        }
        if lines.len() > SHOWN {
            let _ = writeln!(text, "{sign} and {} more lines", lines.len() - SHOWN);
        }
    }
    Some(text)
}

/// How many lines of each text to skip until both go on alike, for as few as can be.
fn together(before: &[&str], after: &[&str]) -> Option<(usize, usize)> {
    let alike = |i: usize, j: usize| {
        let rest = before.get(i..).zip(after.get(j..));
        rest.is_some_and(|(a, b)| a.len().min(b.len()) > 1 && a[..2] == b[..2])
    };
    let most = before.len() + after.len();
    (1..most).flat_map(|sum| (0..=sum).map(move |i| (i, sum - i))).take(100_000).find(|&(i, j)| alike(i, j))
}
