//! Temporary files beside those that they are going to replace.
//!
//! Names are random and files are created exclusively: nothing can stand there before, even where process ids
//! repeat. A writer holds a lock on its file, which ends with the process. An old file whose lock is free was left
//! by a program that was killed.

use super::open::open;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const PREFIX: &str = ".wgrad-";
const SUFFIX: &str = ".tmp";
/// Digits of the random number between them.
const DIGITS: usize = 16;
/// Names that are tried.
const TRIES: usize = 64;
/// Younger files are never swept: where a file system has no locks, another machine may be writing them.
const STALE: Duration = Duration::from_secs(60);

/// A file that is removed unless it is renamed.
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    /// An empty file in `folder`, with mode and owner of the one that it is going to replace.
    pub fn create(folder: &Path, existing: Option<&Metadata>) -> io::Result<Temporary> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if let Some(existing) = existing {
            use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
            // From the start, so that nobody opens it who may not open that one.
            options.mode(existing.mode() & 0o777);
        }
        for _ in 0..TRIES {
            // The standard library's keys of hash maps: random for each process, others at each call.
            let number = RandomState::new().hash_one(PREFIX);
            let path = folder.join(format!("{PREFIX}{number:0DIGITS$x}{SUFFIX}"));
            let file = match options.open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let temporary = Temporary { path, file, renamed: false };
            // A program whose clock is far ahead may take it for old and sweep it.
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

    /// Takes mode and, where that is permitted, owner and group of another file.
    #[cfg(unix)]
    fn resemble(&self, existing: &Metadata) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (existing.uid(), existing.gid()) {
            // Few may give files away; whose file it is then, the folder decides.
            let _ = std::os::unix::fs::fchown(&self.file, Some(existing.uid()), Some(existing.gid()));
        }
        self.file.set_permissions(existing.permissions())
    }

    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Gives it its place, in the same folder.
    pub fn rename(mut self, to: &Path) -> io::Result<()> {
        if cfg!(windows) {
            // There, others can't read what is locked.
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
            // The first error is the one to report.
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
        // Held until it is removed.
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
