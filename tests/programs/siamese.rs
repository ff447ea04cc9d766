//! The example of embeddings, at a small size.

use super::{command, text};
use crate::pictures::assert_is_picture;
use tempfile::TempDir;

#[test]
fn unseen_letters_are_read_by_their_neighbours() {
    let work = TempDir::new().expect("there is room for temporary files");
    let run = |arguments: &[&str]| {
        let output = command("siamese", work.path()).args(arguments).output().expect("it can be started");
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (success, printed, error) =
        run(&["--letters", "20", "--triplets", "100", "--epochs", "1", "--picture", "s.png"]);
    assert!(success, "{error}");
    for part in ["2 steps of 50 triplets", "400 pictures of 20 unseen letters", "5 known of each: "] {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    // A query and eight neighbours of 28 x 28 in each of ten rows, with gaps between them.
    assert_is_picture(&work.path().join("s.png"), [9 * 30 + 2, 10 * 30 + 2]);

    let (success, _, error) = run(&["--letters", "1"]);
    assert!(!success && error.contains("--letters: found 1, expected at least 2"), "{error}");
}
