//! Futures that wait for the GPU: they leave their thread free, end at limits and losses, and may be dropped.

use super::limits::{products, slow};
use super::{BATCH, Training, contents, momentum};
use crate::harness::{self, numbers};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use wgrad::{Device, Error, Result, Session};

/// A session whose step takes a tenth of a second or more, and has compiled its kernels.
fn session(device: &Device) -> Result<Session> {
    let mut session = slow(device, 8 * products(device)?)?;
    session.step()?;
    session.wait()?;
    Ok(session)
}

/// Polls a future without a waker until it is ready or time is up. Returns how often it was polled in vain.
fn poll_until<T>(mut future: Pin<&mut impl Future<Output = T>>, limit: Duration) -> (usize, Option<T>) {
    let (start, mut pending) = (Instant::now(), 0);
    while start.elapsed() < limit {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => return (pending, Some(found)),
            Poll::Pending => pending += 1,
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    (pending, None)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_thread_that_awaits_a_step_does_other_work() -> Result<()> {
    let device = harness::open();
    let mut session = session(&device)?;
    let loss = session.plan().outputs()[0];
    session.step()?;
    let (pending, read) = poll_until(pin!(session.read_async(loss)), LONG);
    let read = read.expect("the step ends")?;
    assert!(pending > 10, "the future was pending {pending} times while a step ran");
    assert_eq!(read, session.read(loss)?);
    for wait in 0..2 {
        session.step()?;
        let (pending, waited) = match wait {
            0 => poll_until(pin!(session.wait_async()), LONG),
            _ => poll_until(pin!(device.wait_async()), LONG),
        };
        waited.expect("the step ends")?;
        assert!(pending > 10, "{pending}");
    }
    // An executor is woken.
    session.step()?;
    pollster::block_on(device.wait_async())
}

#[test]
fn awaited_steps_have_the_bits_of_others() -> Result<()> {
    let (device, mut awaited) = (harness::open(), Training::new(harness::device(), momentum)?);
    let mut blocking = Training::new(&device, momentum)?;
    blocking.run(9)?;
    pollster::block_on(async {
        for step in 0..9 {
            awaited.write(step)?;
            awaited.session.step_async().await?;
        }
        let recorded = awaited.session.recorded_async(awaited.loss).await?;
        assert_eq!(recorded, blocking.session.recorded(blocking.loss)?);
        Ok::<(), Error>(())
    })?;
    assert_eq!(contents(&awaited.session), contents(&blocking.session));
    Ok(())
}

#[test]
fn an_awaited_wait_ends_at_its_limit_and_at_a_loss() -> Result<()> {
    let device = harness::open();
    let mut session = session(&device)?;
    let loss = session.plan().outputs()[0];
    let limit = Duration::from_millis(1);
    device.set_wait_limit(Some(limit));
    for _ in 0..2 {
        session.step()?;
    }
    for wait in 0..2 {
        let error = match wait {
            0 => poll_until(pin!(session.read_async(loss)), LONG).1.expect("it ends").map(drop),
            _ => poll_until(pin!(session.wait_async()), LONG).1.expect("it ends"),
        };
        let error = error.expect_err("a step takes longer");
        let Error::Timeout { step: Some(_), limit: found, .. } = &error else { panic!("{error}") };
        assert_eq!(*found, limit);
        device.set_wait_limit(None);
        session.wait()?;
        for _ in 0..2 {
            session.step()?;
        }
        device.set_wait_limit(Some(limit));
    }
    device.set_wait_limit(None);
    session.wait()?;
    session.step()?;
    // Another thread gives the device up while this one waits for it.
    let lost = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(2));
            device.destroy();
        });
        let waited = pollster::block_on(session.read_async(loss));
        other.join().map(|()| waited)
    });
    let error = lost.expect("it does not panic").expect_err("the device is lost");
    assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    Ok(())
}

#[test]
fn a_future_may_be_dropped_and_the_next_one_waits() -> Result<()> {
    let device = harness::open();
    let mut session = session(&device)?;
    let loss = session.plan().outputs()[0];
    for _ in 0..3 {
        session.step()?;
        let mut future = Box::pin(session.read_async(loss));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let number = session.step_number();
    {
        let mut future = Box::pin(session.step_async());
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(session.step_number(), number, "a step that was given up was not run");
    let read = pollster::block_on(session.read_async(loss))?;
    assert_eq!(read, session.read(loss)?);
    Ok(())
}

#[test]
fn many_threads_await_one_device() -> Result<()> {
    let device = harness::open();
    std::thread::scope(|scope| {
        let work = |seed: u64| {
            let mut training = Training::new(&device, momentum)?;
            pollster::block_on(async {
                for step in 0..40 {
                    training.write(step)?;
                    training.session.step_async().await?;
                    let [images, ..] = training.inputs;
                    let pixels = numbers([BATCH, 1, 6, 6], u64::from(step));
                    assert_eq!(training.session.read_async(images).await?, pixels, "thread {seed}");
                    device.wait_async().await?;
                }
                training.session.recorded_async(training.loss).await
            })
        };
        let threads: Vec<_> = (0..8).map(|seed| scope.spawn(move || work(seed))).collect();
        let losses: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let first = losses[0].as_ref().expect("it trains");
        for other in &losses {
            assert_eq!(other.as_ref().expect("it trains"), first);
        }
    });
    Ok(())
}

/// Threads that block and threads that await, each with a limit on its waits: none takes the device away from the others.
#[test]
fn limited_waits_of_many_threads_lose_nothing() -> Result<()> {
    let device = harness::open();
    device.set_wait_limit(Some(Duration::from_secs(60)));
    std::thread::scope(|scope| {
        let work = |blocks: bool| {
            let mut training = Training::new(&device, momentum)?;
            for step in 0..60 {
                training.write(step)?;
                if blocks {
                    training.session.step()?;
                    training.session.read(training.loss)?;
                    device.wait()?;
                } else {
                    pollster::block_on(training.session.step_async())?;
                    pollster::block_on(training.session.read_async(training.loss))?;
                    pollster::block_on(device.wait_async())?;
                }
            }
            Ok::<(), Error>(())
        };
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || work(thread % 2 == 0))).collect();
        for thread in threads {
            thread.join().expect("no panic").expect("the device is not lost");
        }
    });
    Ok(())
}

#[test]
fn futures_may_move_between_threads() -> Result<()> {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let device = harness::open();
    let mut training = Training::new(&device, momentum)?;
    training.write(0)?;
    pollster::block_on(is_send(training.session.step_async()))?;
    pollster::block_on(is_send(training.session.read_async(training.loss)))?;
    pollster::block_on(is_send(device.wait_async()))
}
