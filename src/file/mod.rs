//! Files: written as a whole, opened only if regular, recognised if unexpected; and text from them made
//! printable.

mod foreign;
mod open;
mod printable;
mod temporary;

pub(crate) use foreign::{START, Wanted, foreign};
pub(crate) use open::{open, read_whole};
pub(crate) use printable::printable_lines;
pub use printable::{printable, printable_message, printable_path};

use crate::error::{Error, Result};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use temporary::Temporary;

/// The most symbolic links that a path is followed through.
const MOST_LINKS: usize = 40;

/// Writes `bytes` to a temporary file beside `path`, then renames it to `path`. File and folder are synced to
/// the disk before it returns.
///
/// Other programs see either the old file or the new one, even if this program is killed. If several write to
/// one path, the last one wins. An existing file keeps its mode, and its owner where that is permitted. Other
/// hard links to it keep the old contents. A symbolic link stays, and the file that it names is replaced.
///
/// Temporary files have random names, `.wgrad-*.tmp`. Files that killed programs left in the folder are
/// removed once they are a minute old.
///
/// # Errors
/// A path that can't be written, or that names something other than a file, such as a directory or a device.
/// Then nothing is left behind, and an old file is unchanged.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_by(path, |file| file.write(bytes))
}

/// [`write_whole`] of what `write` writes, one part after the other, so that not all of it is in memory.
pub(crate) fn write_whole_by(path: &Path, write: impl FnOnce(&mut Part<'_>) -> Result<()>) -> Result<()> {
    let failed = |source| Error::File { action: "writing", path: path.to_owned(), source };
    let target = Target::find(path).map_err(failed)?;
    // First, because they may take up the space that is needed.
    temporary::sweep(target.folder());
    let mut temporary = Temporary::create(target.folder(), target.existing.as_ref()).map_err(failed)?;
    let mut part = Part { file: BufWriter::new(temporary.file()), path };
    write(&mut part)?;
    part.file.flush().map_err(failed)?;
    drop(part);
    let finish = || {
        temporary.file().sync_all()?;
        temporary.rename(&target.path)?;
        sync_folder(target.folder())
    };
    finish().map_err(failed)
}

/// A file that is being written.
pub(crate) struct Part<'f> {
    file: BufWriter<&'f mut std::fs::File>,
    path: &'f Path,
}

impl Part<'_> {
    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let failed = |source| Error::File { action: "writing", path: self.path.to_owned(), source };
        self.file.write_all(bytes).map_err(failed)
    }
}

/// Checks whether [`write_whole`] could write `path` now, and leaves nothing behind. Call it before long work
/// whose result goes to a file.
///
/// # Errors
/// A path that can't be written: its directory is missing or closed, or it names something other than a file.
pub fn check_writable(path: &Path) -> Result<()> {
    let check = || {
        let target = Target::find(path)?;
        Temporary::create(target.folder(), target.existing.as_ref()).map(drop)
    };
    check().map_err(|source| Error::File { action: "writing", path: path.to_owned(), source })
}

/// The place that a file is written to.
struct Target {
    /// The file itself, after following symbolic links.
    path: PathBuf,
    /// Metadata of the file that is already there.
    existing: Option<std::fs::Metadata>,
}

impl Target {
    fn find(path: &Path) -> io::Result<Target> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            match std::fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_symlink() => {
                    let named = std::fs::read_link(&path)?;
                    path = folder_of(&path).join(named);
                }
                Ok(metadata) => {
                    open::check_regular(&metadata)?;
                    // On other systems the folder's permissions decide.
                    if cfg!(windows) && metadata.permissions().readonly() {
                        return Err(io::Error::new(ErrorKind::PermissionDenied, "the file is read-only"));
                    }
                    return Ok(Target { path, existing: Some(metadata) });
                }
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    let last = path.as_os_str().as_encoded_bytes().last().copied();
                    if path.file_name().is_none() || last.is_some_and(|b| std::path::is_separator(b.into())) {
                        return Err(io::Error::new(ErrorKind::InvalidFilename, "the path names no file"));
                    }
                    return Ok(Target { path, existing: None });
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other(format!("its symbolic links lead through more than {MOST_LINKS} others")))
    }

    fn folder(&self) -> &Path {
        folder_of(&self.path)
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the rename survive a loss of power.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        // The folder may be written but not read, or the file system does not sync folders.
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}
