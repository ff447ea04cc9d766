//! The example of signals, at a small size.

use super::{command, text};
use tempfile::TempDir;
use wgrad::weights::Metadata;

#[test]
fn signals_are_learned_and_another_process_reads_one() {
    let work = TempDir::new().expect("there is room for temporary files");
    let run = |arguments: &[&str]| {
        let output = command("signal", work.path()).args(arguments).output().expect("it can be started");
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    // Without noise little training will do.
    let sizes = ["--signals", "1000", "--epochs", "3", "--noise", "0", "--out", "s.safetensors"];
    let (success, printed, error) = run(&sizes);
    assert!(success, "{error}");
    for part in ["60 steps of 50 signals", "\nsawtooth ", "1000 unseen signals: accuracy ", ", mean F1 "] {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    let metadata = Metadata::read(work.path().join("s.safetensors")).expect("it was written");
    assert_eq!(metadata.class_names, ["sine", "square", "sawtooth", "chirp"]);
    assert_eq!(metadata.input_shape, Some([1, 256].into()));

    let signal = |name: &str, length: usize, wave: fn(f32) -> f32| {
        let numbers: Vec<String> = (0..length).map(|i| wave(i as f32 * 7.0 / 256.0).to_string()).collect();
        std::fs::write(work.path().join(name), numbers.join("\n")).expect("there is room");
    };
    signal("saw.txt", 256, |t| 2.0 * t.fract() - 1.0);
    signal("square.txt", 256, |t| if t.fract() < 0.5 { 1.0 } else { -1.0 });
    for (file, kind) in [("saw.txt", "sawtooth"), ("square.txt", "square")] {
        let (success, printed, error) = run(&["--read", file, "--out", "s.safetensors"]);
        assert!(success && printed.starts_with(&format!("{file}: {kind} ")), "{printed}{error}");
    }

    // Mistakes are told before a device is opened.
    signal("short.txt", 10, |t| t);
    let (success, _, error) = run(&["--read", "short.txt", "--out", "s.safetensors"]);
    assert!(!success && error.contains("short.txt: found 10 numbers, expected 256"), "{error}");
    std::fs::write(work.path().join("words.txt"), "1.5 loud").expect("there is room");
    let (success, _, error) = run(&["--read", "words.txt"]);
    assert!(!success && error.contains("words.txt: found \"loud\", expected a number"), "{error}");
}
