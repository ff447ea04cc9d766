//! Compiled pipelines kept between runs: the cache does no harm, whatever its folder contains.

mod harness;

use harness::files::listing;
use harness::numbers;
use std::path::Path;
use wgrad::{Device, DeviceOptions, Graph, HostTensor, Plan, Session, Weights};

/// Runs a small graph on a device that keeps its pipelines in `folder`.
fn run(folder: &Path) -> HostTensor {
    let options = DeviceOptions::default().cache(Some(folder.to_owned()));
    let device = Device::open_with(&options).unwrap_or_else(|e| panic!("{e}"));
    let mut graph = Graph::new();
    let x = graph.input("x", [8, 4]).expect("valid");
    let y = graph.softmax(x, 1).expect("valid");
    let weights = Weights::init(&device, &graph, 1).expect("there are none");
    let plan = Plan::new(&graph, &[y], device.caps()).expect("it fits");
    let mut session = Session::new(&device, plan, &weights).expect("the kernel compiles");
    session.write(x, &numbers([8, 4], 1)).expect("it fits");
    session.step().expect("the step runs");
    session.read(y).expect("an output can be read")
}

/// Whether a file is a cache of the adapter and the driver that made another: the same mark and identity, and the checksum
/// of what follows. The size is the driver's affair.
fn is_whole(file: &[u8], other: &[u8]) -> bool {
    const HEAD: usize = 16;
    let Some((head, rest)) = file.split_at_checked(HEAD) else { return false };
    let Some((checksum, contents)) = rest.split_at_checked(8) else { return false };
    // FNV-1a of 64 bits.
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let found = contents.iter().fold(0xcbf2_9ce4_8422_2325, step);
    head == &other[..HEAD] && checksum == found.to_le_bytes() && !contents.is_empty()
}

#[test]
fn whatever_the_folder_holds_the_answer_is_the_same() {
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = temporary.path().join("made").join("when needed");
    let expected = run(&folder);
    if !folder.exists() {
        eprintln!("this backend gives no cache of pipelines to keep");
        return;
    }
    let names = listing(&folder);
    assert_eq!(names.len(), 1, "one file for an adapter and its driver, nothing temporary: {names:?}");
    let path = folder.join(&names[0]);
    let whole = std::fs::read(&path).expect("the file can be read");
    assert!(is_whole(&whole, &whole), "the file is whole");
    assert_eq!(run(&folder), expected, "from the file");
    assert_eq!(listing(&folder), names);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x55;
    for contents in [&whole[..whole.len() - 1], &damaged, b"rubbish", b""] {
        assert!(!is_whole(contents, &whole), "it is damaged");
        std::fs::write(&path, contents).expect("the folder can be written");
        assert_eq!(run(&folder), expected);
        assert!(is_whole(&std::fs::read(&path).expect("it is there"), &whole), "it is written again");
    }
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_let_be() {
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let folder = temporary.path().to_owned();
    let expected = run(&folder);
    let Some(name) = listing(&folder).pop() else {
        eprintln!("this backend gives no cache of pipelines to keep");
        return;
    };
    let path = folder.join(name);
    let fifo =
        || std::process::Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success());
    let endless = || std::os::unix::fs::symlink("/dev/zero", &path).is_ok();
    let places: [(&str, &dyn Fn() -> bool); 3] =
        [("FIFO", &fifo), ("device", &endless), ("folder", &|| std::fs::create_dir(&path).is_ok())];
    for (what, make) in places {
        std::fs::remove_file(&path).expect("a file or a link can be removed");
        assert!(make(), "a {what} can be made");
        let (sender, receiver) = std::sync::mpsc::channel();
        let folder = folder.clone();
        std::thread::spawn(move || sender.send(run(&folder)));
        let found = receiver.recv_timeout(std::time::Duration::from_secs(120));
        assert_eq!(found.unwrap_or_else(|e| panic!("{what}: {e}")), expected);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_let_be() {
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    let file = temporary.path().join("a file");
    std::fs::write(&file, b"in the way").expect("the folder can be written");
    run(&file.join("below a file"));
    assert_eq!(std::fs::read(&file).expect("it is still there"), b"in the way");
}

/// In a process of its own, in which a thread's stack is larger than any memory.
#[test]
fn a_folder_is_no_fault_where_there_is_no_thread_to_write_it() {
    const STACK: &str = "70368744177664";
    const NAME: &str = "a_folder_is_no_fault_where_there_is_no_thread_to_write_it";
    let temporary = tempfile::tempdir().expect("a temporary folder can be made");
    if std::env::var_os("RUST_MIN_STACK").is_some_and(|bytes| bytes == STACK) {
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "there are no threads here");
        run(temporary.path());
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().expect("a test knows its own path"))
        .args(["--exact", NAME, "--test-threads=1"])
        .env("RUST_MIN_STACK", STACK)
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        .output()
        .expect("the program can be started");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
