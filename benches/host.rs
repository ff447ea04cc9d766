//! The host's time for a training step of the seed network: what the calling thread computes, without its waits and
//! without the kernels, which run on other threads or on the GPU. Unix only, where the system counts each thread's time.

#[path = "../tests/harness/mod.rs"]
mod harness;

use harness::network::{Training, training};
use harness::{device, labels, numbers};
use wgrad::{Error, Plan, Session, Weights};

const STEPS: usize = 2000;

/// Nanoseconds that this thread has computed so far.
fn computed() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` and to nothing else.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "the system counts a thread's time");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn main() -> Result<(), Error> {
    let mut times = (0, 0);
    println!("adapter: {}", device().summary());
    for batch in [1, 64] {
        let Training { graph, images, labels: targets, rate, loss } = training(batch)?;
        let weights = Weights::init(device(), &graph, 0)?;
        let plan = Plan::new(&graph, &[loss], device().caps())?;
        println!("batch {batch}: {} dispatches in {} groups", plan.dispatches().len(), plan.groups().len());
        let mut session = Session::new(device(), plan, &weights)?;
        let (pixels, classes) = (numbers([batch, 1, 28, 28], 1), labels(batch, 10, 2));
        session.write_scalar(rate, 0.01)?;
        session.write(images, &pixels)?;
        session.write(targets, &classes)?;
        session.step()?;
        session.wait()?;
        let steps = if batch == 1 { STEPS } else { STEPS / 10 };
        let start = computed();
        for _ in 0..steps {
            session.write(images, &pixels)?;
            session.write(targets, &classes)?;
            session.step()?;
        }
        println!("  single steps: {:.1} us a step", (computed() - start) as f64 / steps as f64 / 1e3);
        session.wait()?;
        for together in [4, 16, 64] {
            let runs = steps / together;
            for round in 0..4 + runs {
                // The first rounds allocate staging memory.
                let start = computed();
                for _ in 0..together {
                    session.write_ahead(images, &pixels)?;
                    session.write_ahead(targets, &classes)?;
                }
                let written = computed();
                session.run(together)?;
                if round >= 4 {
                    times.0 += written - start;
                    times.1 += computed() - written;
                }
            }
            let each = |nanoseconds: u64| nanoseconds as f64 / (runs * together) as f64 / 1e3;
            println!(
                "  {together} steps in one submission: {:.1} us a step to write, {:.1} to run",
                each(times.0),
                each(times.1)
            );
            times = (0, 0);
            session.wait()?;
        }
    }
    Ok(())
}
