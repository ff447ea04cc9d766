//! Writing files so that a reader never sees half of one.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Writes `bytes` to a temporary name beside `path`, then renames it to `path`.
///
/// # Errors
/// A path that can't be written. Nothing is left behind then, and an old file stays as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let error = |source| Error::File { action: "writing", path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|source| {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
        error(source)
    })
}
