//! The example of fine-tuning, at a small size.

use super::{command, text};
use tempfile::TempDir;
use wgrad::weights::Metadata;

#[test]
fn a_network_is_pretrained_and_tuned_without_any_files() {
    let work = TempDir::new().expect("there is room for temporary files");
    let sizes = ["--pretrain", "100", "--pictures", "20", "--epochs", "1", "--out", "tuned.safetensors"];
    let output = command("finetune", work.path()).args(sizes).output().expect("it can be started");
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "pretrained.safetensors knows disc, square",
        "taken        100 tensors",
        "filtered       2",
        "tuned.safetensors tells ring, frame, diamond: loss",
    ] {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    let metadata = Metadata::read(work.path().join("tuned.safetensors")).expect("it was written");
    assert_eq!(metadata.class_names, ["ring", "frame", "diamond"]);
    assert_eq!(metadata.input_shape, Some([3, 32, 32].into()));
}

#[test]
fn help_and_mistakes_are_told() {
    let work = TempDir::new().expect("there is room for temporary files");
    for example in ["finetune", "gan", "segment", "siamese", "signal"] {
        let output = command(example, work.path()).arg("--help").output().expect("it can be started");
        assert!(output.status.success() && text(&output.stdout).starts_with("usage: "), "{example}");
        let output = command(example, work.path()).arg("--no-such").output().expect("it can be started");
        assert!(!output.status.success() && text(&output.stderr).contains("--no-such"), "{example}");
    }
    std::fs::write(work.path().join("w.pth"), b"PK\x03\x04\0\0").expect("there is room");
    let output =
        command("finetune", work.path()).args(["--weights", "w.pth"]).output().expect("it can be started");
    let error = text(&output.stderr);
    assert!(!output.status.success() && error.contains("zip archive is damaged"), "{error}");
    assert!(crate::harness::files::listing(work.path()) == ["w.pth"], "nothing is left behind");
}
