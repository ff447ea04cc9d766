//! Limits of waits, of step numbers and of memory that waits for the device.

use super::{BATCH, Training, assert_says, bits, contents, momentum};
use crate::harness::{self, numbers};
use std::time::{Duration, Instant};
use wgrad::graph::Init;
use wgrad::optim::Sgd;
use wgrad::{Device, Error, Graph, Plan, Result, Session, Weights};

/// A step of so many products of 512 x 512, one after the other, with state that counts.
pub(crate) fn slow(device: &Device, products: usize) -> Result<Session> {
    let mut graph = Graph::new();
    let x = graph.input("x", [512, 512])?;
    let mut y = x;
    for _ in 0..products {
        // The sum keeps the numbers from vanishing.
        let product = graph.matmul(y, x)?;
        y = graph.add(product, x)?;
    }
    let mean = graph.mean(y, &[0, 1], false)?;
    let weight = graph.parameter("weight", [1], Init::Constant(1.0))?;
    let moved = graph.mul(mean, weight)?;
    let loss = graph.sum(moved, &[0], false)?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
    let weights = Weights::init(device, &graph, 0)?;
    let mut session = Session::new(device, Plan::new(&graph, &[loss], device.caps())?, &weights)?;
    let matrix: Vec<f32> =
        numbers([512, 512], 3).as_f32().expect("it is f32").iter().map(|x| x * 0.07).collect();
    session.write(x, &matrix)?;
    session.write_scalar(rate, 0.5)?;
    Ok(session)
}

/// As many products as take a device some time, by a clock.
pub(crate) fn products(device: &Device) -> Result<usize> {
    for doublings in 2..14 {
        let mut session = slow(device, 1 << doublings)?;
        // A driver may compile in the first step.
        session.step()?;
        session.wait()?;
        let start = Instant::now();
        session.step()?;
        session.wait()?;
        if start.elapsed() > Duration::from_millis(20) {
            return Ok(1 << doublings);
        }
    }
    panic!("no device multiplies that fast");
}

#[test]
fn waits_end_at_their_limit_and_lose_nothing() -> Result<()> {
    const LIMIT: Duration = Duration::from_nanos(1);
    let device = harness::open();
    let products = products(&device)?;
    let mut session = slow(&device, products)?;
    let timeout = |error: Error, step: u32| {
        assert!(matches!(error, Error::Timeout { step: Some(s), limit: LIMIT, .. } if s == step), "{error}");
        assert_says(&error, &[&format!("step {step} was not done within 1ns"), "Device::set_wait_limit"]);
    };
    session.step()?;
    device.set_wait_limit(Some(LIMIT));
    timeout(session.wait().unwrap_err(), 0);
    timeout(session.wait().unwrap_err(), 0);
    assert!(matches!(device.wait(), Err(Error::Timeout { step: None, .. })));
    // A step in parts is run to its end, and counts.
    device.set_wait_limit(None);
    session.wait()?;
    device.peaks()?;
    device.set_wait_limit(Some(LIMIT));
    timeout(session.profile_by_wall_clock(1).unwrap_err(), 1);
    assert_eq!(session.step_number(), 2);
    // A GPU may not have done that step yet, and verifying would wait for it first.
    device.set_wait_limit(None);
    session.wait()?;
    device.set_wait_limit(Some(LIMIT));
    if let Err(error) = session.verify() {
        timeout(error, 2);
    }
    assert_eq!(session.step_number(), 3);
    device.set_wait_limit(Some(Duration::MAX));
    session.step()?;
    let mut whole = slow(harness::device(), products)?;
    for _ in 0..4 {
        whole.step()?;
    }
    assert_eq!(session.step_number(), 4);
    assert_eq!(contents(&session), contents(&whole), "every step was run once, and whole");
    Ok(())
}

#[test]
fn the_last_step_number_is_an_error_and_not_the_first() -> Result<()> {
    let mut training = Training::new(harness::device(), momentum)?;
    training.write(0)?;
    training.session.set_step_number(u32::MAX - 1);
    training.session.step()?;
    assert_eq!(training.session.step_number(), u32::MAX);
    let before = contents(&training.session);
    for error in [
        training.session.step().unwrap_err(),
        training.session.verify().unwrap_err(),
        training.session.profile(1).unwrap_err(),
    ] {
        assert_says(&error, &["step_number", "no step after number 4294967294"]);
    }
    assert_eq!(training.session.step_number(), u32::MAX);
    assert_eq!(contents(&training.session), before);
    training.session.set_step_number(0);
    training.session.step()
}

#[test]
fn writing_without_stepping_does_not_grow() -> Result<()> {
    let device = harness::open();
    let mut training = Training::new(&device, momentum)?;
    training.run(1)?;
    training.session.wait()?;
    let (before, counters) = (device.allocations(), training.session.counters());
    let [images, ..] = training.inputs;
    let batches = [1, 2].map(|seed| numbers([BATCH, 1, 6, 6], seed));
    for i in 0..100_000 {
        training.session.write(images, &batches[i % 2])?;
    }
    assert_eq!(device.allocations(), before, "no memory for inputs that are written again");
    assert_eq!(training.session.counters().allocations, counters.allocations);
    training.session.step()?;
    assert_eq!(bits(&training.session.read(images)?), bits(&batches[1]), "the last contents count");

    // Nor do uploads to weights, which wait for the next submission.
    let mut graph = Graph::new();
    graph.parameter("large", [1 << 20], Init::Constant(0.0))?;
    let weights = Weights::init(&device, &graph, 0)?;
    let (mut most, mut data) = (0, vec![0.0; 1 << 20]);
    for i in 0..100 {
        data.fill(i as f32);
        weights.write("large", &data)?;
        most = most.max(device.allocations().map_or(0, |(_, bytes)| bytes));
    }
    assert!(most < 160 << 20, "400 MiB of uploads held {most} bytes");
    assert_eq!(weights.read("large")?.as_f32(), Some(&data[..]));
    Ok(())
}
