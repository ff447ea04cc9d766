//! The examples that end in a picture, at a small size.

use super::{command, text};
use crate::harness::files::{self, gzip, images, labels};
use std::io::Read;
use std::path::Path;
use tempfile::TempDir;

/// Runs an example and returns what it prints.
fn run(example: &str, folder: &Path, arguments: &[&str]) -> String {
    let output = command(example, folder).args(arguments).output().expect("the example can be started");
    assert!(output.status.success(), "{example}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// As many images of a digit's size as the examples take at the least.
fn digits(folder: &Path) {
    for (name, count) in [("train", 200), ("t10k", 100)] {
        let (images, labels) = (gzip(&images(count, 28, 28)), gzip(&labels(count)));
        files::write(folder, &format!("{name}-images-idx3-ubyte.gz"), &images);
        files::write(folder, &format!("{name}-labels-idx1-ubyte.gz"), &labels);
    }
}

/// Fails unless the file is a PNG of at least this size that is not blank.
pub(super) fn assert_is_picture(path: &Path, least: [u32; 2]) {
    let bytes = std::fs::read(path).expect("the picture was written");
    let rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n").expect("it is a PNG");
    let number = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().expect("four bytes"));
    // The first chunk is the header: length, type, width and height.
    let size = [number(8), number(12)];
    assert!(size[0] >= least[0] && size[1] >= least[1], "{size:?}, expected at least {least:?}");
    let (mut data, mut at) = (Vec::new(), 0);
    while at < rest.len() {
        let (length, kind) = (number(at) as usize, &rest[at + 4..at + 8]);
        if kind == b"IDAT" {
            data.extend(&rest[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    let mut pixels = Vec::new();
    flate2::read::ZlibDecoder::new(&data[..]).read_to_end(&mut pixels).expect("the data is whole");
    let mut seen = [false; 256];
    pixels.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    let shades = seen.iter().filter(|seen| **seen).count();
    assert!(shades > 50, "{shades} shades");
}

/// All that stands between `before` and the next quotation mark.
fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_overview_makes_a_page_whose_claims_hold() {
    let work = TempDir::new().expect("there is room for temporary files");
    let data = crate::harness::root().join("examples/data/mnist");
    let data = data.to_str().expect("the path is UTF-8");
    let printed = run("overview", work.path(), &["page", "--quick", "--data", data]);
    let folder = work.path().join("page");
    let page = std::fs::read_to_string(folder.join("index.html")).expect("the page was written");
    assert!(page.contains("784,896"), "{printed}");
    assert!(!page.contains("does not hold") && page.contains("&rarr; holds"), "{printed}");
    assert!(!page.contains("<script") && !page.contains("http"), "the page needs nothing from elsewhere");
    let titles = [
        "Convolution smooths",
        "Edges by two weights",
        "Pooling",
        "Padding",
        "Sizes of maps",
        "Batch norm",
        "Gradients by depth",
        "Filters and feature maps",
        "Parameters",
        "Bagging",
    ];
    for (i, title) in titles.into_iter().enumerate() {
        assert!(page.contains(&format!("<h2>{}. {title}", i + 1)), "no section \"{title}\" in:\n{printed}");
    }
    let images = quoted(&page, "<img src=\"");
    assert!(images.len() >= 16 && images.contains(&"overview.png"), "{images:?}");
    assert_eq!(quoted(&page, " alt=\"").len(), images.len());
    for image in images {
        let bytes = std::fs::read(folder.join(image)).expect("the picture is beside the page");
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{image}");
    }
    assert_is_picture(&folder.join("overview.png"), [1000, 1000]);
}

#[test]
fn the_overview_refuses_a_folder_that_it_can_not_write() {
    let work = TempDir::new().expect("there is room for temporary files");
    files::write(work.path(), "taken", b"a file");
    let output = command("overview", work.path()).arg("taken").output().expect("it can be started");
    let error = text(&output.stderr);
    assert!(
        !output.status.success() && error.contains("taken") && error.contains("name a folder"),
        "{error}"
    );
}

#[test]
fn the_autoencoder_restores_digits() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let printed = run("autoencoder", work.path(), &["--steps", "3", "--data", ".", "--picture", "a.png"]);
    assert!(printed.contains("squared error on test digits"), "{printed}");
    assert_is_picture(&work.path().join("a.png"), [10 * 84, 3 * 84]);
}

#[test]
fn uncertainty_reads_digits_with_masks() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let sizes = ["--steps", "2", "--masks", "3", "--digits", "100"];
    let printed =
        run("uncertainty", work.path(), &[&sizes[..], &["--data", ".", "--picture", "u.png"]].concat());
    assert!(printed.contains("of all 100 digits"), "{printed}");
    assert_is_picture(&work.path().join("u.png"), [8 * 112, 3 * 112]);
}

#[test]
fn the_gan_makes_digits_and_resumes() {
    let work = TempDir::new().expect("there is room for temporary files");
    digits(work.path());
    let arguments = ["--data", ".", "--picture", "g.png", "--checkpoint", "gan.safetensors", "--steps"];
    let first = run("gan", work.path(), &[&arguments[..], &["2"]].concat());
    assert!(first.contains("step 2: loss of the discriminator"), "{first}");
    assert_is_picture(&work.path().join("g.png"), [10 * 56, 4 * 56]);
    let resumed = run("gan", work.path(), &[&arguments[..], &["4"]].concat());
    assert!(resumed.contains("resumes at step 2") && resumed.contains("step 4: loss"), "{resumed}");
}

#[test]
fn a_folder_of_pictures_becomes_a_model_that_another_process_reads() {
    let folder = TempDir::new().unwrap();
    for (class, colour) in [("grass", [40, 160, 50]), ("sky", [90, 130, 220])] {
        let class = folder.path().join("pictures").join(class);
        std::fs::create_dir_all(&class).unwrap();
        for i in 0..20u8 {
            let shade = |x: u32, y: u32| (x as u8).wrapping_mul(i).wrapping_add(y as u8) % 30;
            let picture = image::RgbImage::from_fn(80, 70, |x, y| {
                image::Rgb(colour.map(|part: u8| part.saturating_add(shade(x, y))))
            });
            picture.save(class.join(format!("{i}.png"))).unwrap();
        }
    }
    let said = run("pictures", folder.path(), &["train", "pictures"]);
    for part in ["32 pictures of grass, sky", "epoch 10/10", "accuracy 1.0000"] {
        assert!(said.contains(part), "{said}");
    }
    let said = run("pictures", folder.path(), &["read", "pictures/sky/3.png", "pictures/grass/4.png"]);
    assert_eq!(said, "pictures/sky/3.png: sky\npictures/grass/4.png: grass\n");
    let help = run("pictures", folder.path(), &["--help"]);
    assert!(help.contains("train") && help.contains("read"), "{help}");
}
