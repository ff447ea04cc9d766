//! Opens files for reading. Only regular files are read, up to a limit: opening a FIFO waits for its writer,
//! and a device may never end.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file. Never waits.
pub(crate) fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Before it is opened: opening a device may have effects.
    check_regular(&std::fs::metadata(path)?)?;
    let file = match open_now(path) {
        // Another program holds a lease on the file, and waiting for it is right.
        Err(e) if e.kind() == ErrorKind::WouldBlock => File::open(path)?,
        opened => opened?,
    };
    // Another file may have taken its place since the check.
    let metadata = file.metadata()?;
    check_regular(&metadata)?;
    Ok((file, metadata))
}

/// Reads a regular file whole, if it has at most `limit` bytes.
pub(crate) fn read_whole(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(path)?;
    let too_long =
        |bytes: u64| io::Error::other(format!("it holds {bytes} bytes or more, the limit is {limit}"));
    if metadata.len() > limit {
        return Err(too_long(metadata.len()));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(metadata.len() as usize)?;
    // It may have grown since.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_long(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Fails unless this is a regular file.
pub(super) fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = kind(metadata.file_type());
    let error = if metadata.is_dir() { ErrorKind::IsADirectory } else { ErrorKind::InvalidInput };
    Err(io::Error::new(error, format!("it is {what}, expected a regular file")))
}

fn kind(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let special = [
            (file_type.is_fifo(), "a FIFO (named pipe)"),
            (file_type.is_socket(), "a socket"),
            (file_type.is_char_device(), "a character device"),
            (file_type.is_block_device(), "a block device"),
        ];
        if let Some((_, what)) = special.into_iter().find(|(is, _)| *is) {
            return what;
        }
    }
    if file_type.is_dir() { "a directory" } else { "no regular file" }
}

/// Opens without blocking, in case a FIFO has taken the file's place.
fn open_now(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}
