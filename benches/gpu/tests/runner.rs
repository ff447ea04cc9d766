//! Rehearses `run.sh` with cheap parts on whichever adapter there is: a part that hangs, one that fails and one that
//! crashes cost only themselves, and the report says what happened.

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Puts a program into a bundle.
fn pack(bundle: &Path, name: &str, program: &[u8]) {
    let file = std::fs::File::create(bundle.join("bin").join(format!("{name}.gz"))).unwrap();
    let mut encoder = GzEncoder::new(file, Compression::fast());
    encoder.write_all(program).unwrap();
    encoder.finish().unwrap();
}

/// A bundle with the real program of the parts, and scripts in place of the programs of tests.
fn bundle() -> TempDir {
    let bundle = TempDir::new().unwrap();
    std::fs::create_dir(bundle.path().join("bin")).unwrap();
    pack(bundle.path(), "check-gpu", &std::fs::read(env!("CARGO_BIN_EXE_check-gpu")).unwrap());
    for (name, script) in [
        ("test-hangs", "echo 'running 3 tests'; echo 'test a ... ok'; echo 'it hangs | now'; exec sleep 600"),
        ("test-fails", "echo 'running 2 tests'; echo 'test b ... ok'; echo 'test c::d ... FAILED'; exit 101"),
        ("test-crashes", "echo 'about to crash'; kill -SEGV $$"),
        ("test-passes", "cat \"$WGRAD_ROOT/peers.py\" || exit; echo 'running 1 test'; echo 'test e ... ok'"),
    ] {
        pack(bundle.path(), name, format!("#!/bin/sh\n{script}\n").as_bytes());
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["run.sh", "peers.py"] {
        std::fs::copy(source.join(file), bundle.path().join(file)).unwrap();
    }
    let archive = bundle.path().join("repository.tar.gz");
    let packed = Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(source).arg("peers.py").status();
    assert!(packed.unwrap().success());
    std::fs::write(bundle.path().join("version"), "1.2.3 (abc)\n").unwrap();
    bundle
}

fn run(bundle: &TempDir, out: &Path, options: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new("sh");
    command.arg(bundle.path().join("run.sh")).arg("--out").arg(out).args(options);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn report(out: &Path) -> (String, Value) {
    let page = std::fs::read_to_string(out.join("report.md")).unwrap();
    (page, serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap())
}

#[test]
fn a_part_that_fails_costs_only_itself() {
    let (bundle, work) = (bundle(), TempDir::new().unwrap());
    let out = work.path().join("new folder");
    let parts = "test-hangs,test-fails,test-crashes,test-passes,torch-training,adapter";
    let output = run(&bundle, &out, &["--seconds", "60", "--only", parts], &[]);
    assert_eq!(output.status.code(), Some(1), "{}{}", text(&output.stdout), text(&output.stderr));
    let (page, report) = report(&out);
    let part = |name: &str| report["parts"][name].clone();
    for (name, code, outcome) in [
        ("test-hangs", 124, "STOPPED at its limit of"),
        ("test-fails", 101, "FAILED"),
        ("test-crashes", 139, "CRASHED with signal 11"),
        ("test-passes", 0, "done"),
        ("torch-training", 77, "left out: "),
        ("adapter", 0, "done"),
    ] {
        let found = part(name);
        assert_eq!(found["exit_code"], code, "{name}: {found}");
        assert!(found["outcome"].as_str().unwrap().starts_with(outcome), "{name}: {found}");
        assert!(page.contains(&format!("| {name} | {outcome}")), "{name} in {page}");
    }
    assert_eq!(part("test-hangs")["tests"]["not_ended"], 2);
    assert!(part("test-hangs")["last_lines"].as_str().unwrap().contains("it hangs | now"));
    assert!(part("test-hangs")["seconds"].as_f64().unwrap() < 20.0, "{}", part("test-hangs"));
    assert_eq!(part("test-fails")["tests"]["failed"][0], "c::d");
    assert!(page.contains("about to crash") && page.contains("- `c::d`"), "{page}");
    let name = part("adapter")["results"]["adapter"]["name"].clone();
    assert!(page.starts_with(&format!("# wgrad on {}", name.as_str().unwrap())), "{page}");
    assert!(page.contains("wgrad 1.2.3 (abc), run at "), "{page}");
    // The terminal shows the table too.
    assert!(text(&output.stdout).contains("| test-crashes | CRASHED"), "{}", text(&output.stdout));
}

/// The real program asks the adapter; the tests that need cooperative matrices stand for themselves.
#[test]
fn tests_of_cooperative_matrices_run_where_there_are_any() {
    let (bundle, work) = (bundle(), TempDir::new().unwrap());
    pack(bundle.path(), "test-cooperative", b"#!/bin/sh\necho 'running 1 test'; echo 'test f ... ok'\n");
    let out = work.path().join("out");
    let output = run(&bundle, &out, &["--seconds", "60", "--only", "adapter,test-cooperative"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    let (page, report) = report(&out);
    let mixed = &report["parts"]["adapter"]["results"]["mixed"];
    let expected = match (&mixed["cooperative"], &mixed["f16"]) {
        (Value::Object(_), _) => "done",
        (_, Value::Bool(true)) => "left out: no cooperative matrices",
        _ => "left out: no f16",
    };
    assert_eq!(report["parts"]["test-cooperative"]["outcome"], expected, "{report}");
    assert!(page.contains(&format!("| test-cooperative | {expected} |")), "{page}");
}

#[test]
fn without_an_adapter_the_report_says_what_is_missing() {
    let (bundle, work) = (bundle(), TempDir::new().unwrap());
    // Vulkan's loader then finds no driver.
    let nothing = work.path().join("nothing.json").to_string_lossy().into_owned();
    let variables = [("VK_DRIVER_FILES", nothing.as_str()), ("VK_ICD_FILENAMES", nothing.as_str())];
    let output = run(&bundle, &work.path().join("out"), &["--only", "adapter,test-passes"], &variables);
    assert_eq!(output.status.code(), Some(1));
    for part in ["libvulkan.so.1", "export VK_DRIVER_FILES=", &nothing] {
        assert!(text(&output.stderr).contains(part), "{part} in {}", text(&output.stderr));
    }
    let (page, report) = report(&work.path().join("out"));
    assert_eq!(report["parts"]["adapter"]["exit_code"], 3);
    assert_eq!(report["parts"]["test-passes"]["outcome"], "not run");
    assert!(page.contains("no adapter") && page.contains("export VK_DRIVER_FILES="), "{page}");
}

#[test]
fn wrong_options_are_refused_before_anything_runs() {
    let (bundle, work) = (bundle(), TempDir::new().unwrap());
    std::fs::write(work.path().join("mine"), "").unwrap();
    let fresh = work.path().join("fresh");
    for (out, options, message) in [
        (work.path(), &[][..], "is not empty"),
        (fresh.as_path(), &["--seconds", "soon"], "no whole number"),
        (fresh.as_path(), &["--only", "tests"], "\"tests\" is no part"),
        (fresh.as_path(), &["--quick"], "unknown option --quick"),
        (fresh.as_path(), &["--only"], "--only needs a value"),
        (fresh.as_path(), &["--only", ","], "--only \",\" names no part"),
        (fresh.as_path(), &["--only", ""], "names no part"),
    ] {
        let output = run(&bundle, out, options, &[]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {error}");
        assert!(error.contains(message), "{options:?}: {error}");
        assert!(!out.join("report.md").exists());
        let _ = std::fs::remove_dir_all(&fresh);
    }
}
