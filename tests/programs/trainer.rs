//! The MNIST trainer as a user runs it: prints, files and refusals.

use super::{command, text};
use crate::harness::device;
use crate::harness::files::{self, listing};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    command("mnist", directory).args(arguments).output().expect("the trainer can be started")
}

/// Runs on a small data set beside which outputs are written.
fn train(work: &Path, data: &Path, arguments: &[&str]) -> Output {
    let data = data.to_str().expect("temporary paths are UTF-8");
    run(work, &[&["--data", data, "--batch-size", "8"], arguments].concat())
}

/// Fails unless the run ended with this code and one line of error that holds all `parts`.
fn assert_refused(output: &Output, code: i32, parts: &[&str]) {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.starts_with("error: "), "{error}");
    // Where the command line makes no sense, its usage follows.
    assert!(code == 2 || error.lines().count() == 1, "one line of error: {error}");
    for part in parts {
        assert!(error.contains(part), "expected \"{part}\" in: {error}");
    }
}

fn report(path: &Path) -> serde_json::Value {
    let bytes = std::fs::read(path).expect("the report was written");
    serde_json::from_slice(&bytes).expect("the report is JSON")
}

#[test]
fn wrong_arguments_are_explained() {
    let work = TempDir::new().unwrap();
    for (arguments, parts) in [
        (&["--epoch", "3"][..], &["--epoch", "--epochs"][..]),
        (&["-x"], &["'-x'"]),
        (&["mnist"], &["unexpected argument 'mnist'"]),
        (&["--epochs", "many"], &["'many' for '--epochs <N>'"]),
        (&["--epochs=-1"], &["'-1' for '--epochs <N>'"]),
        (&["--batch-size", "0"], &["'0' for '--batch-size <N>'", "1..=1000000"]),
        (&["--learning-rate", "nan"], &["'nan' for '--learning-rate <X>'", "above 0"]),
        (&["--dropout", "1"], &["'1' for '--dropout <P>'", "below 1"]),
        (&["--optimizer", "lbfgs"], &["'lbfgs' for '--optimizer <NAME>'", "sgd, adam, adamw"]),
        (&["--seed", "1.5"], &["'1.5' for '--seed <N>'"]),
        (&["--max-steps", "0"], &["'0' for '--max-steps <N>'"]),
        (&["--save"], &["a value is required for '--save <FILE>'"]),
        (&["--save", ""], &["a value is required for '--save <FILE>'"]),
        (&["--verify=yes"], &["'yes' for '--verify'"]),
        (&["--save", "a.png", "--plot", "a.png"], &["--save and --plot name the same file"]),
        (&["--report", "a.json", "--tune", "a.json"], &["--report and --tune name the same file"]),
        (&["--report", "a.json", "--profile", "a.json"], &["--report and --profile name the same file"]),
        (&["--save", "a", "--checkpoint", "a"], &["--save and --checkpoint name the same file"]),
        (&["--load", "a", "--resume", "b"], &["'--load <FILE>' cannot be used with '--resume <FILE>'"]),
    ] {
        assert_refused(&run(work.path(), arguments), 2, parts);
    }
    assert!(listing(work.path()).is_empty());
}

#[test]
fn help_lists_every_option() {
    let output = run(Path::new("."), &["--help"]);
    assert!(output.status.success());
    let help = text(&output.stdout);
    let options = "--epochs --batch-size --optimizer --learning-rate --dropout --seed --data --max-steps --micro-batches --save \
        --load --checkpoint --resume --verify --mixed --no-watch --adapter --plot --wrong --logits --no-progress --report --profile --tune --help";
    for option in options.split_whitespace() {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn faults_end_a_run_before_it_trains_and_leave_nothing() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(40, 10));
    for option in ["--save", "--report", "--plot", "--profile", "--checkpoint", "--tune"] {
        let output = train(work.path(), data.path(), &[option, "missing/file.png"]);
        assert_refused(&output, 1, &["writing missing/file.png"]);
        assert!(text(&output.stdout).is_empty(), "nothing ran before");
    }
    #[cfg(unix)]
    for option in ["--save", "--checkpoint", "--report"] {
        let folder = TempDir::new().unwrap();
        let device = files::device(folder.path());
        let output = train(work.path(), data.path(), &[option, device.to_str().unwrap()]);
        assert_refused(&output, 1, &["writing ", "a character device"]);
    }
    let save = ["--save", "w.safetensors"];
    let refused = |arguments: &[&str], parts: &[&str]| {
        assert_refused(&train(work.path(), data.path(), &[&save, arguments].concat()), 1, parts);
    };
    refused(&["--plot", "curve.jpg"], &["curve.jpg", ".png"]);
    refused(&["--adapter", "no such adapter"], &["\"no such adapter\"", "there are"]);
    refused(&["--load", "missing.safetensors"], &["reading missing.safetensors"]);
    refused(&["--resume", "missing.safetensors"], &["reading missing.safetensors"]);
    files::write(data.path(), "t10k-labels-idx1-ubyte", b"rubbish");
    refused(&[], &["t10k-labels-idx1-ubyte", "magic number"]);
    std::fs::remove_file(data.path().join("t10k-labels-idx1-ubyte")).unwrap();
    files::write(data.path(), "t10k-images-idx3-ubyte", &files::images(10, 9, 8));
    refused(&[], &["evaluation: field 0", "image u8[1, 9, 8], expected image u8[1, 8, 8]"]);
    assert!(listing(work.path()).is_empty());
}

#[test]
fn a_run_that_diverges_says_so_and_saves_nothing() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(40, 10));
    let arguments = ["--learning-rate", "1e30", "--epochs", "4", "--save", "w.safetensors"];
    let output = train(work.path(), data.path(), &[&arguments[..], &["--no-watch"]].concat());
    assert_refused(&output, 1, &["the loss of step", "training diverged", "try a learning rate below"]);
    let output = train(work.path(), data.path(), &arguments);
    assert_refused(&output, 1, &["step ", "(its \"bn1.running_var\")", "not finite"]);
    assert!(listing(work.path()).is_empty());
    // An earlier checkpoint stays.
    let checkpoint = ["--checkpoint", "c.safetensors", "--schedule", "constant"];
    let output = train(work.path(), data.path(), &checkpoint);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = std::fs::read(work.path().join("c.safetensors")).expect("the checkpoint was written");
    let output = train(work.path(), data.path(), &[&checkpoint[..], &["--learning-rate", "1e30"]].concat());
    assert_refused(&output, 1, &["step ", "not finite"]);
    assert_eq!(std::fs::read(work.path().join("c.safetensors")).expect("it is still there"), kept);
}

#[test]
fn a_run_in_mixed_precision_agrees_with_the_reference_and_resumes_as_such() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(43, 13));
    let mixed = ["--mixed", "--verify", "--optimizer", "adamw", "--checkpoint", "c.safetensors"];
    let output = train(work.path(), data.path(), &mixed);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.contains("verify: all") && said.contains("done: test accuracy"), "{said}");
    let resume =
        ["--optimizer", "adamw", "--epochs", "2", "--schedule", "constant", "--resume", "c.safetensors"];
    let output = train(work.path(), data.path(), &resume);
    assert_refused(&output, 1, &["state \"loss_scale\" is extra", "another optimizer or other settings"]);
}

#[test]
fn a_run_writes_what_it_was_asked_for() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(43, 13));
    let outputs = [
        "--save",
        "w.safetensors",
        "--plot",
        "curves.png",
        "--report",
        "report.json",
        "--wrong",
        "wrong.png",
        "--logits",
        "logits.csv",
    ];
    let arguments = ["--epochs", "2", "--dropout", "0.1", "--verify", "--profile", "trace.json"];
    let output = train(work.path(), data.path(), &[&outputs[..], &arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).is_empty(), "no bar where nobody sees it: {}", text(&output.stderr));
    let said = text(&output.stdout);
    for part in [
        "adapter: ",
        "epoch 2/2",
        "verify: all",
        "profile: medians of 20 steps",
        "measured peaks: ",
        "done: test accuracy",
        "w.safetensors",
        "profile in trace.json",
    ] {
        assert!(said.contains(part), "expected \"{part}\" in: {said}");
    }
    assert_eq!(
        listing(work.path()),
        ["curves.png", "logits.csv", "report.json", "trace.json", "w.safetensors", "wrong.png"]
    );
    let logits = std::fs::read_to_string(work.path().join("logits.csv")).unwrap();
    let rows: Vec<Vec<f32>> =
        logits.lines().map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 13);
    assert!(rows.iter().all(|row| row.len() == 10 && row.iter().all(|x| x.is_finite())));
    let trace = report(&work.path().join("trace.json"));
    let steps =
        trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["cat"] == "step").count();
    assert_eq!(steps, 20);
    let report = report(&work.path().join("report.json"));
    let software = device().summary().software;
    assert_eq!(said.contains("software adapter"), software);
    assert_eq!(report["software"], software);
    assert_eq!(report["adapter"], device().summary().name);
    assert_eq!(report["batch_size"], 8);
    // 43 images make 6 batches, the last filled up.
    assert_eq!(report["steps"], 12);
    assert_eq!(report["losses"].as_array().map(Vec::len), Some(12));
    assert_eq!(report["test_accuracy"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["submits_per_step"], 1.0);
    let types = report["device_bytes"].as_object().unwrap();
    let sum: u64 =
        types.iter().filter(|(kind, _)| *kind != "total").map(|(_, bytes)| bytes.as_u64().unwrap()).sum();
    assert_eq!(types["total"], sum);
    for measured in ["images_per_second", "seconds_to_first_step", "dispatches_per_step"] {
        assert!(report[measured].as_f64().unwrap() > 0.0, "{measured}");
    }
    for (picture, least) in [("curves.png", 10_000), ("wrong.png", 500)] {
        let picture = std::fs::read(work.path().join(picture)).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > least);
    }
}

#[test]
fn kernels_are_measured_once_and_then_taken_from_the_file() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(24, 8));
    let tuned = |name: &str| {
        let output = train(work.path(), data.path(), &["--tune", "kernels.json", "--report", name]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (text(&output.stdout), report(&work.path().join(name))["losses"].clone())
    };
    let (said, first) = tuned("a.json");
    for part in ["conv2d(f32[", "whole step: "] {
        assert!(said.contains(part), "expected \"{part}\" in: {said}");
    }
    let (said, second) = tuned("b.json");
    assert!(said.contains("nothing was measured"), "{said}");
    assert_eq!(first, second, "the same file, the same bits");
    assert_eq!(second, tuned("c.json").1);
}

#[test]
fn the_same_seed_gives_the_same_bits_whatever_is_watched() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(80, 10));
    let losses = |name: &str, arguments: &[&str]| {
        let output =
            train(work.path(), data.path(), &[&["--report", name, "--dropout", "0.2"], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        report(&work.path().join(name))["losses"].clone()
    };
    let plain = losses("a.json", &["--no-progress"]);
    assert_eq!(plain, losses("b.json", &["--verify", "--plot", "p.png", "--save", "w", "--profile", "t"]));
    assert_ne!(plain, losses("c.json", &["--seed", "1"]));
    assert_eq!(
        losses("d.json", &["--max-steps", "4"]).as_array().unwrap()[..],
        plain.as_array().unwrap()[..4]
    );
}

#[test]
fn trained_weights_evaluate_as_they_did() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(200, 50));
    let accuracy = |name: &str, arguments: &[&str]| {
        let output = train(work.path(), data.path(), &[&["--report", name], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report = report(&work.path().join(name));
        report["test_accuracy"].as_array().and_then(|all| all.last()?.as_f64()).unwrap()
    };
    let untrained = accuracy("a.json", &["--epochs", "0"]);
    let trained = accuracy("b.json", &["--epochs", "3", "--save", "w.safetensors", "--optimizer", "adam"]);
    assert!(trained > 0.9 && untrained < 0.5, "it learned: {untrained} to {trained}");
    // Another batch size pads otherwise, and must not matter.
    let again = accuracy("c.json", &["--epochs", "0", "--load", "w.safetensors", "--batch-size", "7"]);
    assert_eq!(again, trained);
}

#[test]
fn a_run_goes_on_from_its_checkpoint_to_the_same_figures() {
    // 43 images make 6 batches an epoch.
    let (work, data) = (TempDir::new().unwrap(), files::data_set(43, 20));
    let figures = |name: &str, arguments: &[&str]| {
        let dropout = ["--epochs", "3", "--dropout", "0.2", "--optimizer", "adam"];
        let outputs = ["--report", name, "--checkpoint", "c.safetensors", "--save", "w.safetensors"];
        let output = train(work.path(), data.path(), &[&dropout, &outputs[..], arguments].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let report = report(&work.path().join(name));
        let list = |field: &str| report[field].as_array().unwrap().clone();
        let [weights, checkpoint] = ["w.safetensors", "c.safetensors"]
            .map(|file| std::fs::read(work.path().join(file)).expect("the file was written"));
        (list("losses"), list("test_accuracy"), weights, checkpoint, text(&output.stdout))
    };
    let whole = figures("whole.json", &[]);
    assert_eq!((whole.0.len(), whole.1.len()), (18, 3));
    assert!(whole.4.contains("checkpoint in c.safetensors"), "{}", whole.4);
    // After an epoch, and in the middle of one; twice in all.
    for (first, second) in [(6, 12), (8, 15)] {
        let [first_steps, second_steps] = [first, second].map(|steps: usize| steps.to_string());
        let start = figures("start.json", &["--max-steps", &first_steps]);
        assert_eq!(start.0, whole.0[..first]);
        let resume = ["--resume", "c.safetensors"];
        let middle = figures("middle.json", &[&resume[..], &["--max-steps", &second_steps]].concat());
        assert_eq!(middle.0, whole.0[first..second]);
        let end = figures("end.json", &[&resume[..], &["--verify", "--plot", "p.png"]].concat());
        assert_eq!(end.0, whole.0[second..]);
        assert_eq!(end.1.last(), whole.1.last());
        assert!(end.2 == whole.2 && end.3 == whole.3, "weights and checkpoint are the same to the byte");
        assert!(end.4.contains("epoch 3/3") && !end.4.contains("epoch 1/3"), "{}", end.4);
        assert!(!end.4.contains("stopped by --max-steps"), "{}", end.4);
    }
    // A run that has come to its end is evaluated, and a checkpoint is weights too.
    let again = figures("again.json", &["--resume", "c.safetensors"]);
    assert_eq!((again.0.len(), again.1.last()), (0, whole.1.last()));
    assert!(again.2 == whole.2 && again.3 == whole.3);
    let output = train(
        work.path(),
        data.path(),
        &["--epochs", "0", "--load", "c.safetensors", "--report", "loaded.json", "--batch-size", "7"],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(report(&work.path().join("loaded.json"))["test_accuracy"].as_array().unwrap()[0], whole.1[2]);
}

#[test]
fn a_run_with_other_options_does_not_go_on() {
    let (work, data, other) = (TempDir::new().unwrap(), files::data_set(40, 10), files::data_set(48, 10));
    let output = train(work.path(), data.path(), &["--checkpoint", "c", "--save", "w"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let before = std::fs::read(work.path().join("c")).unwrap();
    let refused = |data: &Path, arguments: &[&str], parts: &[&str]| {
        let output = train(
            work.path(),
            data,
            &[&["--epochs", "2", "--resume", "c", "--checkpoint", "c"], arguments].concat(),
        );
        assert_refused(&output, 1, parts);
        assert!(std::fs::read(work.path().join("c")).unwrap() == before);
    };
    let advice = "resume with the same settings and data, or begin anew from its weights";
    refused(data.path(), &[], &["weights file c: its run has --epochs 1, this one 2", advice]);
    refused(data.path(), &["--batch-size", "16"], &["batch size 8, this one 16", advice]);
    refused(data.path(), &["--learning-rate", "0.5"], &["--learning-rate 0.01, this one 0.5"]);
    refused(data.path(), &["--schedule", "constant"], &["--schedule cosine, this one constant"]);
    refused(data.path(), &["--dropout", "0.5"], &["--dropout 0, this one 0.5"]);
    refused(data.path(), &["--seed", "1"], &["seed 0, this one 1"]);
    refused(data.path(), &["--optimizer", "adam"], &["weights file c", "another optimizer"]);
    refused(other.path(), &["--epochs", "1"], &["samples 40, this one 48"]);
    refused(data.path(), &["--epochs", "1", "--plot", "p.png"], &["--plot", "trained to its end"]);
    refused(data.path(), &["--resume", "w"], &["weights file w", "holds weights but no checkpoint"]);
    // A constant rate goes on for more epochs.
    let constant = ["--schedule", "constant", "--checkpoint", "d", "--report", "r"];
    assert!(train(work.path(), data.path(), &constant).status.success());
    let output =
        train(work.path(), data.path(), &[&constant[..], &["--epochs", "2", "--resume", "d"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(report(&work.path().join("r"))["steps"], 5);
}

/// The same checkpoint with other notes.
fn with_notes(checkpoint: &[u8], notes: serde_json::Value) -> Vec<u8> {
    let tensors = safetensors::SafeTensors::deserialize(checkpoint).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(checkpoint).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    let mut fields: serde_json::Value = serde_json::from_str(&metadata["wgrad_checkpoint"]).unwrap();
    fields["notes"] = notes;
    metadata.insert("wgrad_checkpoint".into(), fields.to_string());
    safetensors::serialize(tensors.tensors(), Some(metadata)).unwrap()
}

#[test]
fn what_a_checkpoint_says_reaches_no_terminal_as_it_is() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(40, 10));
    assert!(train(work.path(), data.path(), &["--max-steps", "1", "--checkpoint", "c"]).status.success());
    let whole = std::fs::read(work.path().join("c")).unwrap();
    let evil = format!("\u{1b}[2J\n{}", "x".repeat(500_000));
    files::write(
        work.path(),
        "c",
        &with_notes(&whole, serde_json::json!({ "setting.--learning-rate": evil })),
    );
    let output = train(work.path(), data.path(), &["--resume", "c"]);
    assert_refused(
        &output,
        1,
        &["weights file c: its run has --learning-rate \\u{1b}[2J\\nxx", "this one 0.01"],
    );
    assert!(output.stderr.len() < 1000);
}

#[test]
fn runs_with_one_checkpoint_leave_one_of_theirs() {
    let (work, data) = (TempDir::new().unwrap(), files::data_set(40, 10));
    let arguments =
        |seed: &str| ["--epochs", "6", "--checkpoint", "c", "--seed", seed].map(str::to_owned).to_vec();
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let run = |seed: &str| {
            let (arguments, work, data) = (arguments(seed), work.path(), data.path());
            scope.spawn(move || train(work, data, &arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        let runs = [run("1"), run("2")];
        runs.map(|run| run.join().unwrap()).into()
    });
    for output in outputs {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(listing(work.path()), ["c"]);
    // It goes on from the one or the other, as a whole.
    let resumed = ["1", "2"].map(|seed| {
        let resume = [&arguments(seed)[..], &["--resume".to_owned(), "c".to_owned()]].concat();
        let output = train(work.path(), data.path(), &resume.iter().map(String::as_str).collect::<Vec<_>>());
        output.status.success()
    });
    assert!(resumed[0] != resumed[1], "{resumed:?}");
}

#[test]
fn without_any_adapter_the_fix_is_in_the_message() {
    let work = TempDir::new().unwrap();
    let output = command("mnist", work.path())
        // A list of drivers that holds none; elsewhere than on Vulkan the adapter is refused by name.
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent")
        .env("WGRAD_ADAPTER", "no adapter has this name")
        .output()
        .expect("the trainer can be started");
    let part = if cfg!(target_os = "linux") { "mesa-vulkan-drivers" } else { "no adapter has this name" };
    assert_refused(&output, 1, &["no usable GPU adapter", part]);
}

#[test]
fn a_batch_is_cut_into_micro_batches() {
    let work = tempfile::TempDir::new().expect("there is room for temporary files");
    let data = crate::harness::root().join("examples/data/mnist");
    // What mpirun starts as the only process needs no MPI.
    let output = command("mnist", work.path())
        .args([
            "--batch-size",
            "8",
            "--micro-batches",
            "4",
            "--max-steps",
            "2",
            "--report",
            "report.json",
            "--data",
        ])
        .arg(&data)
        .env("OMPI_COMM_WORLD_SIZE", "1")
        .output()
        .expect("it can be started");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = report(&work.path().join("report.json"));
    assert_eq!(report["batch_size"], 8);
    assert_eq!(report["bytes_sent_per_step"], 0.0);
    assert_refused(
        &train(work.path(), &data, &["--micro-batches", "5", "--max-steps", "2"]),
        1,
        &["micro_batches", "5", "batch size of 8"],
    );
}

/// With MPI the trainer would wait for the other process.
#[cfg(not(feature = "mpi"))]
#[test]
fn what_mpirun_starts_without_mpi_says_so() {
    let work = tempfile::TempDir::new().expect("there is room for temporary files");
    let mut launched = command("mnist", work.path());
    launched.env("OMPI_COMM_WORLD_SIZE", "2");
    assert_refused(&launched.output().expect("it can be started"), 1, &["mpirun", "--features mpi"]);
}
