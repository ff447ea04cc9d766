//! Small data sets in temporary directories, whole or damaged on purpose.

use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
pub const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";

/// A directory with a data set of `train` and `test` images of 8 x 8 pixels, gzipped.
pub fn data_set(train: usize, test: usize) -> TempDir {
    let directory = TempDir::new().expect("there is room for temporary files");
    for (name, count) in [("train", train), ("t10k", test)] {
        write(directory.path(), &format!("{name}-images-idx3-ubyte.gz"), &gzip(&images(count, 8, 8)));
        write(directory.path(), &format!("{name}-labels-idx1-ubyte.gz"), &gzip(&labels(count)));
    }
    directory
}

/// An IDX file of images. A class shows in where an image is bright, so that it can be learned.
pub fn images(count: usize, rows: usize, columns: usize) -> Vec<u8> {
    let pixel = |image: usize, at: usize| {
        if at % 10 == image % 10 { 255 } else { ((image * 7 + at * 13) % 50) as u8 }
    };
    let pixels = (0..count).flat_map(|image| (0..rows * columns).map(move |at| pixel(image, at)));
    header(0x0803, &[count, rows, columns]).into_iter().chain(pixels).collect()
}

/// An IDX file of labels: 0 to 9, again and again.
pub fn labels(count: usize) -> Vec<u8> {
    header(0x0801, &[count]).into_iter().chain((0..count).map(|i| (i % 10) as u8)).collect()
}

pub fn header(magic: u32, sizes: &[usize]) -> Vec<u8> {
    let sizes = sizes.iter().flat_map(|&size| (size as u32).to_be_bytes());
    magic.to_be_bytes().into_iter().chain(sizes).collect()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory can be written")
}

pub fn write(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).expect("a temporary directory can be written");
    path
}

/// Names in a directory, sorted.
pub fn listing(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a temporary directory can be read");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry.expect("a temporary directory can be read").file_name().to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

/// A character device: one of the test's own where it may make one. A broken writer run by root would replace `/dev/null`
/// for the whole machine.
#[cfg(unix)]
pub fn device(folder: &Path) -> PathBuf {
    let own = folder.join("device");
    let made = std::process::Command::new("mknod").arg(&own).args(["c", "1", "3"]).output();
    if made.is_ok_and(|made| made.status.success()) { own } else { "/dev/null".into() }
}
