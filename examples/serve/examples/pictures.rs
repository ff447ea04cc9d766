//! Writes digits of MNIST's test set as PNG files, `N-LABEL.png`, for the load test.

use image::{GrayImage, ImageFormat};
use std::path::Path;
use wgrad::data::Images;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: pictures FOLDER")?;
    std::fs::create_dir_all(&folder)?;
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/mnist/t10k");
    let file = |kind: &str| format!("{data}-{kind}-ubyte.gz");
    let (images, labels) = (file("images-idx3"), file("labels-idx1"));
    let digits = Images::from_files(Path::new(&images), Path::new(&labels), 10)?;
    for (i, label) in digits.labels().iter().take(100).enumerate() {
        let pixels = digits.image(i).ok_or("there is an image for each label")?.to_vec();
        let image = GrayImage::from_raw(digits.columns() as u32, digits.rows() as u32, pixels);
        let path = Path::new(&folder).join(format!("{i}-{label}.png"));
        image.ok_or("the image has its size")?.save_with_format(path, ImageFormat::Png)?;
    }
    Ok(())
}
