//! The example that trains airbench94, on a few drawn images.

use super::{command, text};
use crate::harness::files::write;
use tempfile::TempDir;
use wgrad::weights::Metadata;

/// Records of CIFAR-10: stripes whose distance and direction follow from the class.
fn records(count: usize) -> Vec<u8> {
    let pixel = |class: usize, at: usize| {
        let (channel, y, x) = (at / 1024, at / 32 % 32, at % 32);
        if (x * (1 + class % 3) + y * (1 + class / 3) + channel) % 8 < 4 { 220 } else { (at * 7 % 60) as u8 }
    };
    let record = |i: usize| {
        let class = i % 10;
        std::iter::once(class as u8).chain((0..3072).map(move |at| pixel(class, at)))
    };
    (0..count).flat_map(record).collect()
}

#[test]
fn airbench_trains_on_a_folder_of_cifar_10() {
    let work = TempDir::new().expect("there is room for temporary files");
    for number in 1..=5 {
        write(work.path(), &format!("data_batch_{number}.bin"), &records(12));
    }
    write(work.path(), "test_batch.bin", &records(10));
    let names: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
    write(work.path(), "batches.meta.txt", names.join("\n").as_bytes());
    let run =
        |options: &[&str]| command("cifar10", work.path()).args(options).output().expect("it can be started");
    let output = run(&["--data", ".", "--batch-size", "20", "--epochs", "2", "--no-progress"]);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Six steps, rounded down to where Lookahead moves.
    for part in [
        "60 images to train on, 5 steps of 20",
        "epoch 2/2: mean training loss ",
        "by six views of each image: loss ",
    ] {
        assert!(printed.contains(part), "no \"{part}\" in:\n{printed}");
    }
    let metadata = Metadata::read(work.path().join("cifar10.safetensors")).expect("the weights were saved");
    assert_eq!(metadata.class_names, names);
    for (options, part) in [
        (&["--data", "nothing"][..], "nothing"),
        (&["--data", ".", "--batch-size", "61"], "60 images make no batch of 61"),
        (&["--epochs=-1"], "expected a number above 0"),
    ] {
        let output = run(options);
        assert!(!output.status.success() && text(&output.stderr).contains(part), "{}", text(&output.stderr));
    }
}
