//! The example of an app that owns its device, at a small size.

use super::{command, text};
use tempfile::TempDir;

/// The mean red of a row of a view.
fn red(picture: &image::RgbImage, view: u32, row: u32) -> f64 {
    let pixels = (256 * view..256 * (view + 1)).map(|x| f64::from(picture.get_pixel(x, row)[0]));
    pixels.sum::<f64>() / 256.0
}

#[test]
fn frames_show_what_the_network_learns() {
    let work = TempDir::new().expect("there is room for temporary files");
    let output = command("app", work.path())
        .args(["--steps", "64", "--picture", "frames.png"])
        .output()
        .expect("it can be started");
    let (printed, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{error}");
    assert!(printed.contains("64 frames, a step and a render pass each: error 0.2"), "{printed}");
    let picture = image::open(work.path().join("frames.png")).expect("it was written").to_rgb8();
    assert_eq!(picture.dimensions(), (1024, 256));
    // The middle has the evening sky's red, the bottom the dark ridge: at first there is no difference.
    let contrast = |view| red(&picture, view, 110) - red(&picture, view, 250);
    assert!(contrast(0).abs() < 60.0, "{}", contrast(0));
    assert!(contrast(3) > 120.0, "{}", contrast(3));
}

#[test]
fn a_picture_that_cannot_be_written_is_told_first() {
    let work = TempDir::new().expect("there is room for temporary files");
    let output = command("app", work.path())
        .args(["--picture", "nowhere/app.png"])
        .output()
        .expect("it can be started");
    assert!(!output.status.success() && text(&output.stderr).contains("nowhere/app.png"));
    assert!(output.stdout.is_empty());
}
