//! Temporary files, in the folder of the file that they will replace.
//!
//! Names are random and files are created exclusively, so two writers never share one, even where process ids
//! repeat. A writer holds a lock on its file, which ends with the process. So an old file whose lock is free
//! was left by a killed program.

use super::open::open;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PREFIX: &str = ".wgrad-";
const SUFFIX: &str = ".tmp";
/// Hexadecimal digits of the random number between prefix and suffix.
const DIGITS: usize = 16;
/// How many names are tried.
const TRIES: usize = 64;
/// Younger files are never removed. On a file system without locks another machine may be writing them.
const STALE: Duration = Duration::from_secs(60);

/// A file that is removed unless it is renamed.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    /// Creates an empty file in `folder`, with mode and owner of the file that it will replace.
    pub(super) fn create(folder: &Path, existing: Option<&Metadata>) -> io::Result<Temporary> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(not(unix))]
        let _ = existing;
        #[cfg(unix)]
        if let Some(existing) = existing {
            use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
            // Set at creation, so that nobody can open it who may not open the old one.
            options.mode(existing.mode() & 0o777);
        }
        for _ in 0..TRIES {
            // The keys of the standard library's hash maps are random, and differ at each call.
            let number = RandomState::new().hash_one(PREFIX);
            let path = folder.join(format!("{PREFIX}{number:0DIGITS$x}{SUFFIX}"));
            let file = match options.open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let temporary = Temporary { path, file, renamed: false };
            // A program whose clock is far ahead may have removed it as old.
            if matches!(temporary.file.try_lock(), Err(TryLockError::WouldBlock))
                || !temporary.path.try_exists()?
            {
                continue;
            }
            #[cfg(unix)]
            if let Some(existing) = existing {
                temporary.resemble(existing)?;
            }
            return Ok(temporary);
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "no name for a temporary file is free"))
    }

    /// Copies mode and, where permitted, owner and group from another file.
    #[cfg(unix)]
    fn resemble(&self, existing: &Metadata) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (existing.uid(), existing.gid()) {
            // Most users may not give files away. The file then stays theirs.
            let _ = std::os::unix::fs::fchown(&self.file, Some(existing.uid()), Some(existing.gid()));
        }
        self.file.set_permissions(existing.permissions())
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Renames it to `to`, in the same folder.
    pub(super) fn rename(mut self, to: &Path) -> io::Result<()> {
        if cfg!(windows) {
            // On Windows, others can't read a locked file.
            let _ = self.file.unlock();
        }
        std::fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // An error here would hide the first one.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the temporary files of programs that were killed. What can't be removed stays.
pub(super) fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_temporary(entry.file_name().as_encoded_bytes()) {
            let _ = sweep_one(&entry.path());
        }
    }
}

fn sweep_one(path: &Path) -> io::Result<()> {
    let metadata = std::fs::symlink_metadata(path)?;
    let age = SystemTime::now().duration_since(metadata.modified()?);
    if metadata.is_file() && age.is_ok_and(|age| age > STALE) {
        let (file, _) = open(path)?;
        // The lock is held until the file is removed.
        if file.try_lock().is_ok() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn is_temporary(name: &[u8]) -> bool {
    let number = name.strip_prefix(PREFIX.as_bytes()).and_then(|name| name.strip_suffix(SUFFIX.as_bytes()));
    number.is_some_and(|number| number.len() == DIGITS && number.iter().all(u8::is_ascii_hexdigit))
}
