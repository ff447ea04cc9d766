//! Devices that an app has opened: they are neither polled nor waited for, and share encoders and buffers.

use super::{BATCH, Training, assert_says, contents, momentum};
use crate::harness::{self, labels, numbers};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use wgrad::{Device, DeviceOptions, Error, Graph, Plan, Result, Session, Value, Weights, wgpu};

/// An app's device.
struct App {
    adapter: wgpu::Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
}

impl App {
    fn open(limits: wgpu::Limits, features: fn(&wgpu::Adapter) -> wgpu::Features) -> App {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions::default();
        let adapter = pollster::block_on(instance.request_adapter(&options)).expect("there is an adapter");
        let descriptor = wgpu::DeviceDescriptor {
            required_features: features(&adapter),
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).expect("it opens");
        App { adapter, device, queue }
    }

    fn usual() -> App {
        App::open(Device::required_limits(), Device::useful_features)
    }

    fn shared(&self) -> Result<Device> {
        let options = DeviceOptions::default().cache(None);
        Device::from_wgpu_with(&self.adapter, self.device.clone(), self.queue.clone(), &options)
    }

    fn wait(&self) {
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the GPU ends");
    }
}

/// A session of y = x + x, over four numbers.
fn doubling(device: &Device) -> Result<(Session, Value, Value)> {
    let mut g = Graph::new();
    let x = g.input("x", [4])?;
    let y = g.add(x, x)?;
    let weights = Weights::init(device, &g, 0)?;
    let session = Session::new(device, Plan::new(&g, &[y], device.caps())?, &weights)?;
    Ok((session, x, y))
}

#[test]
fn limits_that_are_too_small_are_all_listed() {
    let small = wgpu::Limits {
        max_storage_buffers_per_shader_stage: 4,
        max_compute_invocations_per_workgroup: 128,
        max_compute_workgroup_size_x: 128,
        ..Device::required_limits()
    };
    let error = App::open(small, Device::useful_features).shared().expect_err("it is too small");
    assert!(matches!(error, Error::Adapter(_)), "{error}");
    for (limit, least) in [
        ("max_storage_buffers_per_shader_stage is 4", "8"),
        ("max_compute_invocations_per_workgroup is 128", "256"),
        ("max_compute_workgroup_size_x is 128", "256"),
    ] {
        assert_says(&error, &[&format!("{limit}, expected at least {least}"), "Device::required_limits"]);
    }
}

#[test]
fn features_that_it_was_opened_without_are_told() -> Result<()> {
    let app = App::open(Device::required_limits(), |_| wgpu::Features::empty());
    let device = app.shared()?;
    let offered = Device::useful_features(&app.adapter);
    assert_eq!(device.summary().without.len(), offered.iter().count());
    if offered.contains(wgpu::Features::TIMESTAMP_QUERY) {
        assert!(device.summary().to_string().contains("opened without"), "{}", device.summary());
    }
    assert!(!device.caps().subgroups);
    assert!(App::usual().shared()?.summary().without.is_empty());
    Ok(())
}

#[test]
fn steps_share_an_encoder_with_their_own_inputs() -> Result<()> {
    let app = App::usual();
    let device = app.shared()?;
    let mut training = Training::new(&device, momentum)?;
    let mut alone = Training::new(harness::device(), momentum)?;
    alone.run(7)?;
    for _ in 0..2 {
        let mut encoder = app.device.create_command_encoder(&Default::default());
        for _ in 0..3 {
            training.write(training.session.step_number())?;
            training.session.encode_step(&mut encoder)?;
        }
        app.queue.submit([encoder.finish()]);
    }
    // Steps that the session submits follow them.
    training.run(7)?;
    assert_eq!(training.session.step_number(), 7);
    assert_eq!(contents(&training.session), contents(&alone.session));
    let losses = training.session.recorded(training.loss)?;
    assert_eq!(losses, alone.session.recorded(alone.loss)?);
    // An encoder that is dropped runs nothing.
    let before = contents(&training.session);
    training.write(7)?;
    training.session.encode_step(&mut app.device.create_command_encoder(&Default::default()))?;
    assert_eq!(contents(&training.session), before);
    let mut encoder = app.device.create_command_encoder(&Default::default());
    let error = alone.session.encode_step(&mut encoder).expect_err("it is of another device");
    assert_says(&error, &["Device::from_wgpu"]);
    Ok(())
}

#[test]
fn an_app_reads_outputs_and_writes_inputs_in_place() -> Result<()> {
    let app = App::usual();
    let (mut session, x, y) = doubling(&app.shared()?)?;
    let read = app.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 32,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    // What the host wrote before is dropped.
    session.write(x, &[9.0; 4])?;
    let mut encoder = app.device.create_command_encoder(&Default::default());
    for step in 0..2u64 {
        if step == 0 {
            let input = session.input_binding(x)?;
            assert_eq!(input.size.map(u64::from), Some(16));
            app.queue.write_buffer(input.buffer, input.offset, bytes(&[1.0, 2.0, 3.0, 4.0]).as_slice());
        } else {
            session.write(x, &[5.0; 4])?;
        }
        session.encode_step(&mut encoder)?;
        let output = session.output_binding(y)?;
        encoder.copy_buffer_to_buffer(output.buffer, output.offset, &read, 16 * step, 16);
    }
    app.queue.submit([encoder.finish()]);
    read.map_async(wgpu::MapMode::Read, .., |_| {});
    app.wait();
    let found: Vec<f32> = read
        .get_mapped_range(..)
        .expect("it is mapped")
        .chunks(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect();
    assert_eq!(found, [2.0, 4.0, 6.0, 8.0, 10.0, 10.0, 10.0, 10.0]);

    assert!(session.input_binding(y).is_err() && session.output_binding(x).is_ok());
    let mut training = Training::new(&app.shared()?, momentum)?;
    let [images, classes, _] = training.inputs;
    training.session.input_binding(images)?;
    let error = training.session.input_binding(classes).expect_err("labels are checked by the host");
    assert_says(&error, &["\"labels\"", "Session::write"]);
    training.session.write(classes, &labels(BATCH, 5, 1))
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn an_app_polls_and_nobody_else_does() -> Result<()> {
    let app = App::usual();
    let device = app.shared()?;
    let polled = Arc::new(AtomicUsize::new(0));
    let mut training = Training::new(&device, momentum)?;
    app.wait();
    let count = Arc::clone(&polled);
    training.run(1)?;
    app.queue.on_submitted_work_done(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    // Staging memory never comes back, and steps go on. Submitting runs callbacks too, so a future is what shows who polls.
    training.run(6)?;
    {
        let mut read = pin!(training.session.read_async(training.loss));
        let mut poll = || read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        for _ in 0..50 {
            assert!(poll().is_pending(), "somebody polls");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        app.wait();
        assert!(poll().is_ready(), "the app has polled");
    }
    assert_eq!(polled.load(Ordering::Relaxed), 1);
    // A call that blocks polls.
    training.session.read(training.loss)?;
    training.session.wait()
}

#[test]
fn an_apps_handlers_stay_and_it_reports_a_loss() -> Result<()> {
    let app = App::usual();
    let errors = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&errors);
    app.device.on_uncaptured_error(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let device = app.shared()?;
    let mut training = Training::new(&device, momentum)?;
    training.run(2)?;
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::MAP_WRITE;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false };
    let _ = app.device.create_buffer(&descriptor);
    assert_eq!(errors.load(Ordering::Relaxed), 1, "the app is told");
    training.run(3)?;

    let lost = {
        let mut read = pin!(training.session.read_async(training.loss));
        assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        device.report_lost("the app saw it");
        pollster::block_on(read).map(drop)
    };
    let [images, ..] = training.inputs;
    let mut encoder = app.device.create_command_encoder(&Default::default());
    for found in [
        lost,
        training.session.step(),
        training.session.encode_step(&mut encoder),
        training.session.write(images, &numbers([BATCH, 1, 6, 6], 1)),
        training.session.output_binding(training.loss).map(drop),
    ] {
        let error = found.expect_err("the device is lost");
        assert!(matches!(&error, Error::DeviceLost { reason, .. } if reason == "the app saw it"), "{error}");
    }
    Ok(())
}
