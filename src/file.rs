//! Writing files so that a reader never sees half of one.

use crate::error::{Error, Result};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of the next temporary name.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to a temporary name beside `path`, then renames it to `path`.
///
/// # Errors
/// A path that can't be written. Nothing is left behind then, and an old file stays as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(path)?;
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|source| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
        error(path, source)
    })
}

/// Finds out whether [`write_whole`] could write `path` now, and leaves nothing behind: for
/// programs that write a result only after long work.
///
/// # Errors
/// A path that can't be written: its directory is missing or closed, or it is a directory itself.
pub fn check_writable(path: &Path) -> Result<()> {
    let temporary = temporary(path)?;
    std::fs::File::create(&temporary)
        .and_then(|_| std::fs::remove_file(&temporary))
        .map_err(|source| error(path, source))
}

/// The temporary name beside `path`, another one each time: two threads may write one file.
fn temporary(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        return Err(error(path, ErrorKind::IsADirectory.into()));
    }
    let mut name = path.file_name().ok_or_else(|| error(path, ErrorKind::InvalidFilename.into()))?.to_owned();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}.{number}.tmp", std::process::id()));
    Ok(path.with_file_name(name))
}

fn error(path: &Path, source: std::io::Error) -> Error {
    Error::File { action: "writing", path: path.to_owned(), source }
}
