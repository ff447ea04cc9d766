//! MNIST's training images, as bytes, and the batches made of them.

use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read;

/// Pixels of an image.
const PIXELS: usize = 28 * 28;
/// Images of the set.
const COUNT: usize = 60_000;

/// A batch on the host.
pub struct Batch {
    /// `[batch, 1, 28, 28]`, from 0 to 1.
    pub images: Vec<f32>,
    /// Classes from 0 to 9.
    pub labels: Vec<i32>,
}

/// All images in the file's order.
pub struct Images {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    next: usize,
}

impl Images {
    /// Reads the training set that comes with the repository.
    pub fn load() -> Images {
        let pixels = read("train-images-idx3-ubyte.gz", 16, COUNT * PIXELS);
        let labels = read("train-labels-idx1-ubyte.gz", 8, COUNT);
        Images { pixels, labels, next: 0 }
    }

    /// The next images. After the last, it starts again from the first.
    pub fn batch(&mut self, size: usize) -> Batch {
        let mut batch = Batch { images: Vec::with_capacity(size * PIXELS), labels: Vec::with_capacity(size) };
        for _ in 0..size {
            let pixels = &self.pixels[self.next * PIXELS..][..PIXELS];
            batch.images.extend(pixels.iter().map(|&byte| f32::from(byte) / 255.0));
            batch.labels.push(i32::from(self.labels[self.next]));
            self.next = (self.next + 1) % self.labels.len();
        }
        batch
    }
}

/// The bytes after the header of an IDX file. Nothing else is allocated, because memory is measured.
fn read(name: &str, header: usize, count: usize) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/mnist/").to_owned() + name;
    let file = File::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut decoder = GzDecoder::new(file);
    let mut bytes = vec![0; count];
    let mut read = |part: &mut [u8]| decoder.read_exact(part).unwrap_or_else(|e| panic!("{path}: {e}"));
    read(&mut bytes[..header]);
    read(&mut bytes);
    bytes
}
