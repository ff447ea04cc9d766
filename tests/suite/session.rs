//! Steps of a session: one submit, no allocation, recorded losses, the same bits.

use crate::harness;
use crate::harness::network::{Training, training};
use crate::harness::{device, labels, numbers};
use wgrad::{Device, Graph, HostTensor, Plan, Session, Value, Weights};

const BATCH: usize = 16;

fn session(device: &Device, seed: u64) -> (Session, Value) {
    let build = || {
        let Training { graph, images, labels: targets, rate, loss } = training(BATCH)?;
        let weights = Weights::init(device, &graph, seed)?;
        let mut session = Session::new(device, Plan::new(&graph, &[loss], device.caps())?, &weights)?;
        session.write(images, &numbers([BATCH, 1, 28, 28], 1))?;
        session.write(targets, &labels(BATCH, 10, 2))?;
        session.write_scalar(rate, 0.01)?;
        Ok((session, loss))
    };
    build().unwrap_or_else(|e: wgrad::Error| panic!("{e}"))
}

#[test]
fn a_step_is_one_submit_and_allocates_nothing() {
    // A device of its own, so that other tests' memory is not counted.
    let device = harness::open();
    let empty = device.allocations();
    let (mut session, _) = session(&device, 1);
    let images = session.plan().graph().find("images").expect("the graph has images");
    let batch = numbers([BATCH, 1, 28, 28], 3);
    let run = |session: &mut Session, steps: usize| {
        for _ in 0..steps {
            session.write(images, &batch).expect("the batch fits");
            session.step().expect("the step runs");
        }
        session.wait().expect("the device answers");
    };
    run(&mut session, 10);
    let (before, memory) = (session.counters(), device.allocations());
    run(&mut session, 50);
    let after = session.counters();
    assert_eq!(after.steps - before.steps, 50);
    assert_eq!(after.submits - before.submits, 50, "one submit a step");
    assert_eq!(after.dispatches - before.dispatches, 50 * session.plan().dispatches().len() as u64);
    assert_eq!(after.bytes_uploaded - before.bytes_uploaded, 50 * 4 * (BATCH as u64 * 28 * 28 + 1));
    if memory.is_none() {
        eprintln!("this backend does not tell what it has allocated");
    }
    assert_eq!(device.allocations(), memory, "steady state allocates nothing");
    assert_eq!((after.allocations, after.bytes_read_back), (0, 0), "and reads nothing back");
    drop(session);
    device.wait().expect("the device answers");
    let left = device.allocations();
    assert!(
        left <= empty,
        "a session gives its memory back: {left:?} is left, {empty:?} was there before it"
    );
}

#[test]
fn what_a_session_reads_and_allocates_is_counted() {
    let (mut session, loss) = session(device(), 4);
    let images = session.plan().graph().find("images").expect("the graph has images");
    session.record(loss, 8).expect("the loss is one number");
    session.step().expect("the step runs");
    session.recorded(loss).expect("the loss comes back");
    session.read(images).expect("an input can be read");
    let counters = session.counters();
    assert_eq!(counters.allocations, 3, "a ring, and staging for each readback");
    assert_eq!(counters.bytes_read_back, 4 + 4 * BATCH as u64 * 28 * 28);
    // An input has its place in staging memory, however often it is written.
    let batch = numbers([BATCH, 1, 28, 28], 1);
    for _ in 0..6 {
        session.write(images, &batch).expect("the batch fits");
    }
    session.step().expect("the step runs");
    assert_eq!(session.counters().allocations, 3, "writing an input again takes none");
    let mut read = vec![0.0; batch.shape.elements()];
    for _ in 0..3 {
        session.read_into(images, &mut read).expect("it has the input's size");
        assert_eq!(session.counters().allocations, 4, "the memory is kept");
    }
    assert_eq!(read, batch.as_f32().expect("numbers are floats"));
    session.read_into(loss, &mut read[..1]).expect("the loss is one number");
    assert_eq!(session.counters().allocations, 4, "a smaller part of it will do");
    assert_eq!(read[..1], *session.read(loss).expect("it comes back").as_f32().expect("it is a float"));
    let labels = session.plan().graph().find("labels").expect("the graph has labels");
    for (value, size, part) in [(images, 7, "found memory for 7 f32"), (labels, BATCH, "is i32")] {
        let error = session.read_into(value, &mut vec![0.0; size]).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_does_not() {
    let losses = |seed: u64| {
        let (mut session, loss) = session(device(), seed);
        session.record(loss, 8).expect("the loss is one number");
        for _ in 0..8 {
            session.step().expect("the step runs");
        }
        session.recorded(loss).expect("the losses come back")
    };
    let first = losses(5);
    assert_eq!(first, losses(5));
    assert_ne!(first, losses(6));
}

#[test]
fn recording_keeps_the_last_values_in_order() {
    let (mut session, loss) = session(device(), 2);
    session.record(loss, 3).expect("the loss is one number");
    let mut read = Vec::new();
    for _ in 0..5 {
        session.step().expect("the step runs");
        read.extend(session.read(loss).expect("the loss is an output").to_f64());
    }
    assert_eq!(session.recorded(loss).expect("the losses come back").to_f64(), read[2..]);
    assert!(session.recorded(loss).expect("nothing is an answer").to_f64().is_empty());
}

#[test]
fn values_of_another_graph_are_refused() {
    let (mut session, _) = session(device(), 3);
    let other = training(BATCH).expect("the network is valid");
    let errors = [
        session.write(other.images, &numbers([BATCH, 1, 28, 28], 1)),
        session.write_scalar(other.rate, 0.1),
        session.read(other.loss).map(drop),
        session.record(other.loss, 1),
        session.recorded(other.loss).map(drop),
    ];
    for error in errors {
        let text = error.expect_err("the value is not of this graph").to_string();
        assert!(text.contains("another graph"), "{text}");
    }
}

#[test]
fn what_was_forgotten_is_named() {
    let mut g = Graph::new();
    let (x, rate) = (g.input("x", [4]).unwrap(), g.input_scalar("learning_rate").unwrap());
    let unread = g.input("unread", [4]).unwrap();
    let y = g.mul(x, rate).unwrap();
    let weights = Weights::init(device(), &g, 0).unwrap();
    let mut session =
        Session::new(device(), Plan::new(&g, &[y], device().caps()).unwrap(), &weights).unwrap();
    let refused = |found: wgrad::Result<()>, part: &str| {
        let message = found.expect_err("it is refused").to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(session.read(y).map(drop), "mul\": holds nothing before the first step");
    session.write(x, &[1.0; 4]).unwrap();
    for _ in 0..2 {
        refused(session.step(), "\"learning_rate\": was never written");
        refused(session.run(3), "\"learning_rate\": was never written");
        refused(session.verify().map(drop), "\"learning_rate\": was never written");
        refused(session.profile(1).map(drop), "\"learning_rate\": was never written");
    }
    assert_eq!(session.step_number(), 0);
    // What nothing reads may stay unwritten.
    session.write_ahead(rate, &[2.0]).unwrap();
    session.step().unwrap();
    assert_eq!(session.read(y).unwrap().to_f64(), [2.0; 4]);
    session.write(unread, &[0.0; 4]).unwrap();
}

#[test]
fn bytes_are_uploaded_as_they_are_and_become_floats() -> wgrad::Result<()> {
    // 7 bytes take two words.
    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [1, 1, 7])?;
    let floats = g.bytes_to_float(pixels)?;
    let half = g.normalize_bytes(pixels, &[0.5], &[0.25])?;
    let fixed = g.constant(HostTensor::u8([1, 3, 1], vec![0, 255, 51])?)?;
    let of_fixed = g.normalize_bytes(fixed, &[0.0, 0.5, 1.0], &[1.0, 0.5, 2.0])?;
    let weights = Weights::init(device(), &g, 0)?;
    let plan = Plan::new(&g, &[floats, half, of_fixed], device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    let bytes = [0, 1, 127, 128, 200, 254, 255];
    session.write(pixels, &bytes)?;
    let before = session.counters().bytes_uploaded;
    session.step()?;
    assert!(session.counters().bytes_uploaded - before <= 8);
    let expected: Vec<f32> = bytes.iter().map(|&byte: &u8| f32::from(byte) / 255.0).collect();
    assert_eq!(session.read(floats)?.as_f32(), Some(&expected[..]));
    let expected: Vec<f64> = bytes.iter().map(|&byte| (f64::from(byte) / 255.0 - 0.5) / 0.25).collect();
    for (found, expected) in session.read(half)?.to_f64().into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6);
    }
    assert_eq!(session.read(of_fixed)?.to_f64(), [0.0, 1.0, f64::from((0.2f64 - 1.0) as f32 / 2.0)]);
    // Several steps ahead, and bytes read back.
    for byte in 1..=3u8 {
        session.write_ahead(pixels, &[byte; 7])?;
    }
    session.run(3)?;
    assert_eq!(session.read(floats)?.to_f64()[6], f64::from(3.0f32 / 255.0));
    assert_eq!(session.read(pixels)?, HostTensor::u8([1, 1, 7], vec![3; 7])?);
    assert!(session.verify().is_ok());

    let told = |found: wgrad::Result<Value>, part: &str| {
        let message = found.expect_err("it is refused").to_string();
        assert!(message.contains(part), "{message}");
    };
    let nodes = g.nodes().count();
    told(g.relu(pixels), "\"pixels\" holds u8[1, 1, 7]; make floats of it by Graph::bytes_to_float");
    told(g.reshape(pixels, [7]), "make floats of it");
    told(g.bytes_to_float(floats), "expects bytes, found f32");
    told(g.normalize_bytes(pixels, &[0.5; 3], &[0.5; 3]), "3 tables, expected one");
    told(g.normalize_bytes(pixels, &[0.5], &[0.0]), "deviation must be above 0");
    told(g.normalize_bytes(pixels, &[0.5], &[]), "as many means as deviations");
    assert_eq!(g.nodes().count(), nodes);
    let message = session.write(pixels, &[0.5; 7]).expect_err("floats are no bytes").to_string();
    assert!(message.contains("holds u8[1, 1, 7], found f32 data"), "{message}");
    Ok(())
}

#[test]
fn sessions_of_a_device_share_compiled_kernels() -> wgrad::Result<()> {
    let device = wgrad::Device::open()?;
    let Training { graph, loss, .. } = training(4)?;
    let open = || -> wgrad::Result<Session> {
        let weights = Weights::init(&device, &graph, 0)?;
        Session::new(&device, Plan::new(&graph, &[loss], device.caps())?, &weights)
    };
    assert_eq!(device.kernels(), 0);
    let first = open()?;
    let kernels = device.kernels();
    assert!(kernels > 10, "{kernels}");
    let others = [open()?, open()?, open()?];
    assert_eq!(device.kernels(), kernels);
    drop(first);
    assert_eq!(device.kernels(), kernels);
    drop(others);
    assert_eq!(device.kernels(), 0);
    Ok(())
}
