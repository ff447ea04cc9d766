//! The example of segmentation, at a small size.

use super::{command, text};
use crate::pictures::assert_is_picture;
use tempfile::TempDir;

#[test]
fn u_net_tells_what_each_pixel_is() {
    let work = TempDir::new().expect("there is room for temporary files");
    let sizes = ["--scenes", "32", "--epochs", "1", "--picture", "s.png"];
    let output = command("segment", work.path()).args(sizes).output().expect("it can be started");
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in
        ["4 steps of 8 scenes", "\ntriangle ", "pixels of 100 unseen scenes: accuracy 0.", "mean IoU 0."]
    {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    // Every pixel is counted once.
    let table = printed.lines().skip_while(|line| !line.starts_with("class ")).skip(1).take(4);
    let pixels: usize = table
        .map(|line| line.split_whitespace().last().and_then(|count| count.parse::<usize>().ok()).unwrap_or(0))
        .sum();
    assert_eq!(pixels, 100 * 48 * 48, "{printed}");
    // Twelve scenes, three pictures of 48 x 48 each, six in a row with gaps between them.
    assert_is_picture(&work.path().join("s.png"), [6 * 50 + 2; 2]);
}
