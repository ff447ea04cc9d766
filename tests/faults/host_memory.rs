//! Weights that are too large for the host or the device. A limit on memory applies to a process, so each test starts
//! itself again as a process of its own.

use crate::{assert_says, harness};
use std::process::Command;
use std::time::{Duration, Instant};
use wgrad::graph::Init;
use wgrad::op::AdapterKind;
use wgrad::{Device, Graph, HostTensor, Result, Weights};

/// Runs a test of this file by itself in a process with limited memory, and gives what it printed.
fn limited(test: &str, kilobytes: u64) -> String {
    let program = std::env::current_exe().expect("a test knows its own path");
    let script = format!("ulimit -v {kilobytes} && exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("WGRAD_TEST_LIMITED", "yes")
        .env("XDG_RUNTIME_DIR", std::env::temp_dir())
        // Otherwise each of the driver's threads reserves 64 MiB of address space, at a moment of its own.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .expect("a shell can be started");
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{}: {text}", output.status);
    text
}

/// The most memory that this process has held so far, in bytes.
fn most_held() -> u64 {
    status("VmHWM:")
}

/// A number of bytes that Linux tells of this process.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is there");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number")
}

/// A graph of layers, each with so many MiB of weights.
fn large(mebibytes: &[usize]) -> Result<Graph> {
    let mut graph = Graph::new();
    for (i, mebibytes) in mebibytes.iter().enumerate() {
        graph.parameter(&format!("fc{i}.weight"), [*mebibytes << 8, 1 << 10], Init::Uniform(1.0))?;
    }
    Ok(graph)
}

/// Fails without having made a number, by the name of what is too large.
fn refused(device: &Device, graph: &Graph, parts: &[&str]) -> String {
    let (start, held) = (Instant::now(), most_held());
    let error = Weights::init(device, graph, 1).map(drop).expect_err("it is too large");
    let (took, more) = (start.elapsed(), most_held() - held);
    assert_says(&error, parts);
    println!("{error}: {took:?}, {more} bytes");
    assert!(took < Duration::from_secs(1) && more < 32 << 20, "{took:?} and {more} bytes: {error}");
    error.to_string()
}

#[test]
fn weights_that_no_memory_holds_are_refused_by_name_and_at_once() -> Result<()> {
    const NAME: &str = "host_memory::weights_that_no_memory_holds_are_refused_by_name_and_at_once";
    let device = harness::open();
    // Larger than any buffer.
    let mut graph = large(&[1, 1])?;
    graph.parameter("out.weight", [(1 << 31) - 1], Init::Uniform(1.0))?;
    refused(&device, &graph, &["out.weight", "bytes", &device.summary().name]);
    if std::env::var_os("WGRAD_TEST_LIMITED").is_none() {
        print!("{}", limited(NAME, 4 << 20));
        return Ok(());
    }
    // What the adapter could hold and this process can't. A software adapter's memory is this process's; a GPU with memory
    // of its own has room, and then the host lacks it.
    let size = (device.caps().max_buffer_bytes >> 20).min(1 << 13) as usize - 1;
    let lacking = match device.caps().kind {
        AdapterKind::Software => "can't be had",
        _ => "",
    };
    let error = refused(&device, &large(&[1, size, size, size, size, size])?, &["fc", "weight", lacking]);
    assert!(
        ["can't be had", "bytes of host memory are not available"].iter().any(|end| error.contains(end)),
        "{error}"
    );
    // Weights that do fit still do.
    Weights::init(&device, &large(&[1, 2])?, 1).map(drop)
}

#[test]
fn host_memory_that_is_not_there_is_an_error() -> Result<()> {
    if std::env::var_os("WGRAD_TEST_LIMITED").is_none() {
        limited("host_memory::host_memory_that_is_not_there_is_an_error", 4 << 20);
        return Ok(());
    }
    let device = harness::open();
    // Takes what there is of address space but some, so that buffers of the device fit and no copy of them. How much the
    // device's buffers take of it is measured: on a GPU with memory of its own they take none.
    let mut graph = Graph::new();
    graph.parameter("fc.weight", [256 << 8, 1 << 10], Init::Constant(1.0))?;
    let before = status("VmSize:");
    let first = Weights::init(&device, &graph, 1)?;
    // Staging memory goes back some time after the upload.
    let mut buffers = usize::MAX;
    for _ in 0..20 {
        device.wait()?;
        std::thread::sleep(Duration::from_millis(10));
        buffers = buffers.min(status("VmSize:").saturating_sub(before) as usize);
    }
    assert!(buffers < 512 << 20, "a buffer of 256 MiB takes {buffers} bytes");
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    let mut piece = 64 << 20;
    while piece >= 16 << 20 {
        let mut more = Vec::new();
        match more.try_reserve_exact(piece) {
            Ok(()) => hoard.push(more),
            Err(_) => piece /= 2,
        }
    }
    // Room for the buffers and half of a copy is left.
    let mut left = 0;
    while left < buffers + (128 << 20) {
        left += hoard.pop().expect("there was more than that").capacity();
    }
    let error = Weights::init(&device, &graph, 1).map(drop).expect_err("there is no memory");
    println!("{error}");
    assert_says(&error, &["fc.weight", "268435456 bytes of host memory"]);
    drop((hoard, first));
    Weights::init(&device, &graph, 1).map(drop)
}

#[test]
fn tensors_that_no_memory_holds_are_refused() {
    for shape in [&[usize::MAX][..], &[1 << 40, 1 << 20], &[usize::MAX, usize::MAX], &[1 << 62]] {
        let error = HostTensor::filled(shape, 1.0).map(drop).expect_err("it is too large");
        assert_says(&error, &[&format!("a tensor {shape:?}"), "bytes of host memory"]);
    }
    assert_eq!(HostTensor::filled([2], 2.5).expect("it is small").as_f32(), Some(&[2.5, 2.5][..]));
}
