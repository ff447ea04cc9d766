//! Tests of faults that need private fields: which call reports them, and what becomes of the step.

use super::{IN_FLIGHT, Session};
use crate::device::{Device, DeviceOptions};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Value};
use crate::optim::Sgd;
use crate::plan::Plan;
use crate::weights::Weights;
use std::task::{Context, Waker};
use std::time::Duration;

fn open() -> Result<Device> {
    Device::open_with(&DeviceOptions::default().cache(None))
}

/// A session that updates one number by momentum, after a product that takes a software adapter some time.
fn session(device: &Device, size: usize) -> Result<(Session, Value)> {
    let mut graph = Graph::new();
    let x = graph.input("x", [size, size])?;
    let y = graph.matmul(x, x)?;
    let mean = graph.mean(y, &[0, 1], false)?;
    let weight = graph.parameter("weight", [1], Init::Constant(1.0))?;
    let moved = graph.mul(mean, weight)?;
    let loss = graph.sum(moved, &[0], false)?;
    let rate = graph.input_scalar("rate")?;
    Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
    let weights = Weights::init(device, &graph, 0)?;
    let mut session = Session::new(device, Plan::new(&graph, &[loss], device.caps())?, &weights)?;
    session.write(x, &vec![0.5; size * size])?;
    session.write_scalar(rate, 0.5)?;
    session.record(loss, 8)?;
    Ok((session, loss))
}

#[test]
fn a_fault_is_its_sessions_own() -> Result<()> {
    let device = open()?;
    let (mut innocent, _) = session(&device, 16)?;
    let (mut faulty, loss) = session(&device, 16)?;
    innocent.step()?;
    faulty.step()?;
    // The GPU library now refuses copies to these buffers and bindings of them.
    faulty.buffers.iter().for_each(|buffer| buffer.raw.destroy());
    faulty.weights().write("weight", &[2.0])?;
    std::thread::scope(|scope| {
        let steps = scope.spawn(|| (0..50).try_for_each(|_| innocent.step()));
        for _ in 0..50 {
            let error = faulty.step().expect_err("its buffers are gone");
            assert!(
                matches!(&error, Error::Device { message, .. } if message.contains("destroyed")),
                "{error}"
            );
            faulty.read(loss).expect_err("its buffers are gone");
        }
        steps.join().expect("it does not panic")
    })?;
    // Steps that were not run are neither counted nor recorded.
    assert_eq!((faulty.step_number(), innocent.step_number()), (1, 51));
    assert_eq!(faulty.recorded(loss)?.shape[..], [1]);
    innocent.wait()?;
    device.check()
}

#[test]
fn an_upload_that_fails_is_the_callers_and_nobody_elses() -> Result<()> {
    let device = open()?;
    let (mut innocent, _) = session(&device, 16)?;
    let (faulty, _) = session(&device, 16)?;
    let buffer = device.buffer("test", 64)?;
    buffer.raw.destroy();
    device.write(&buffer, 0, &[0; 64]).expect_err("the buffer is gone");
    pollster::block_on(device.read_async(&[(&buffer, 0, 64)])).expect_err("the buffer is gone");
    drop(faulty);
    innocent.step()?;
    innocent.wait()?;
    device.check()
}

#[test]
fn an_error_of_no_call_stays() -> Result<()> {
    let device = open()?;
    let (mut session, loss) = session(&device, 16)?;
    session.step()?;
    let descriptor = wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE,
        mapped_at_creation: false,
    };
    let _ = device.wgpu().create_buffer(&descriptor);
    for _ in 0..2 {
        assert!(matches!(device.check(), Err(Error::Device { .. })));
        assert!(matches!(session.step(), Err(Error::Device { .. })));
        assert!(matches!(session.read(loss), Err(Error::Device { .. })));
    }
    assert_eq!(session.step_number(), 1);
    Ok(())
}

#[test]
fn a_step_that_waits_too_long_for_an_earlier_one_does_not_count() -> Result<()> {
    let device = open()?;
    let (mut session, loss) = session(&device, 768)?;
    session.step()?;
    session.wait()?;
    session.step()?;
    device.set_wait_limit(Some(Duration::from_nanos(1)));
    // Pretend that more are in flight: this driver starts no step before the last one has ended.
    while session.in_flight.len() < IN_FLIGHT {
        session.in_flight.extend(session.in_flight.front().cloned());
    }
    for _ in 0..2 {
        let error = session.step().expect_err("the product takes longer");
        assert!(matches!(error, Error::Timeout { step: Some(1), .. }), "{error}");
        assert_eq!(session.step_number(), 2);
    }
    device.set_wait_limit(None);
    session.step()?;
    assert_eq!(session.step_number(), 3);
    assert_eq!(session.recorded(loss)?.shape[..], [3]);
    Ok(())
}

#[test]
fn an_awaited_step_leaves_its_thread_while_there_is_no_room() -> Result<()> {
    let device = open()?;
    let (mut session, loss) = session(&device, 768)?;
    session.step()?;
    session.wait()?;
    let full = |session: &mut Session| {
        session.step()?;
        // As above: pretend that more are in flight.
        while session.in_flight.len() < IN_FLIGHT {
            session.in_flight.extend(session.in_flight.front().cloned());
        }
        Ok::<_, Error>(())
    };
    full(&mut session)?;
    {
        let mut step = std::pin::pin!(session.step_async());
        let mut poll = || step.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let mut pending = 0;
        while poll().is_pending() {
            pending += 1;
            std::thread::sleep(Duration::from_micros(50));
        }
        assert!(pending > 1, "the product takes longer");
    }
    assert_eq!(session.step_number(), 3);
    session.wait()?;
    full(&mut session)?;
    device.set_wait_limit(Some(Duration::from_nanos(1)));
    let error = pollster::block_on(session.step_async()).expect_err("the product takes longer");
    assert!(matches!(error, Error::Timeout { step: Some(3), .. }), "{error}");
    device.set_wait_limit(None);
    assert_eq!(session.step_number(), 4);
    pollster::block_on(session.run_async(2))?;
    assert_eq!((session.step_number(), session.counters().allocations), (6, 1));
    assert_eq!(session.recorded(loss)?.shape[..], [6]);
    Ok(())
}

#[test]
fn half_a_step_is_never_saved() -> Result<()> {
    let device = open()?;
    let (mut session, _) = session(&device, 16)?;
    session.step()?;
    let snapshot = session.snapshot()?;
    session.begin(1)?;
    let half = session.plan.dispatches().len() / 2;
    session.submit_part(|session| {
        session.encode_inputs();
        session.encode(0..half);
    })?;
    let path = std::env::temp_dir().join("wgrad-half-a-step.safetensors");
    for error in [
        session.snapshot().map(drop).unwrap_err(),
        session.save_checkpoint(&path).unwrap_err(),
        session.step().unwrap_err(),
    ] {
        assert!(error.to_string().contains("step 1 failed halfway"), "{error}");
    }
    assert!(!path.exists());
    session.restore(&snapshot)?;
    session.step()?;
    session.snapshot().map(drop)
}
