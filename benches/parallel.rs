//! What training over processes costs: latency and bandwidth of exchanges between two ranks, sums over more, and a step of
//! ResNet-18 that two processes share beside steps of two processes that know nothing of each other.
//!
//! `cargo bench --features mpi --bench parallel` starts itself under `mpirun`. With `--hostfile FILE` its ranks are spread
//! over machines.

use std::process::{Command, ExitCode};
use std::time::Instant;
use wgrad::nn::{self, Layer};
use wgrad::optim::Sgd;
use wgrad::parallel::{self, Communicator, Cost, Mpi, Sum};
use wgrad::session::{DataParallel, ParallelOptions};
use wgrad::{Device, DeviceOptions, Graph, Mode, Plan, Session, Value, Weights};

/// Pictures of a micro-batch, one for each process and step.
const BATCH: usize = 8;
/// Elements of the largest sum that is timed: as many as ResNet-18 has parameters.
const ELEMENTS: usize = 11_180_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match &arguments[..] {
        [what] if what == "exchanges" => exchanges(),
        [what] if what == "steps" => steps(),
        others => return start(others),
    };
    done.map_or_else(
        |error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Starts ranks of this program; options are mpirun's.
fn start(options: &[String]) -> ExitCode {
    for (what, ranks) in [("exchanges", 2), ("exchanges", 4), ("steps", 2)] {
        let started = std::env::current_exe().and_then(|program| {
            Command::new("mpirun")
                .args(["--oversubscribe", "-n", &ranks.to_string()])
                .args(options)
                .arg(program)
                .arg(what)
                .envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")])
                .status()
        });
        match started {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("error: mpirun: {status}");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("error: mpirun can't be started: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Seconds of a run, the mean over `times`: on links with delay two exchanges in a row take none and twice as long.
fn mean(times: u32, mut run: impl FnMut() -> wgrad::Result<()>) -> wgrad::Result<f64> {
    let start = Instant::now();
    for _ in 0..times {
        run()?;
    }
    Ok(start.elapsed().as_secs_f64() / f64::from(times))
}

fn exchanges() -> wgrad::Result<()> {
    let mut ranks = Mpi::start()?;
    let (rank, count) = (ranks.rank(), ranks.ranks());
    let partner = rank ^ 1;
    let (send, mut receive) = (vec![1.0f32; 1 << 22], vec![0.0f32; 1 << 22]);
    let mut exchange = |elements: usize, times: u32| {
        mean(times, || ranks.exchange(partner, &send[..elements], &mut receive[..elements]))
    };
    exchange(1, 100)?;
    let latency = exchange(1, 500)?;
    let seconds = exchange(1 << 22, 3)?;
    let mut data = vec![1e-3f32; ELEMENTS];
    let sum = Sum::new(rank, count, ELEMENTS)?;
    let mut received = vec![0.0; sum.received()];
    sum.run(&mut ranks, &mut data, &mut received)?;
    let summed = mean(3, || sum.run(&mut ranks, &mut data, &mut received))?;
    if rank == 0 {
        let bytes = 4.0 * ELEMENTS as f64;
        let cost = Cost { latency, bytes_per_second: f64::from(1 << 24) / seconds };
        println!(
            "{count} ranks: an exchange of nothing takes {:.1} us, and of 16 MiB {:.0} MB/s each way; a sum of {:.1} MB {:.1} ms, by the model {:.1} ms",
            latency * 1e6,
            cost.bytes_per_second / 1e6,
            bytes / 1e6,
            summed * 1e3,
            cost.sum(count, bytes as u64).as_secs_f64() * 1e3
        );
    }
    Ok(())
}

/// A step of ResNet-18 for 64 x 64 pictures.
fn network() -> wgrad::Result<(Graph, [Value; 4])> {
    let mut g = Graph::new();
    let images = g.input("images", [BATCH, 3, 64, 64])?;
    let labels = g.input_i32("labels", BATCH)?;
    let logits = nn::models::resnet18(3, 10).forward(&mut g, images, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("learning_rate")?;
    Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
    Ok((g, [images, labels, rate, loss]))
}

fn steps() -> wgrad::Result<()> {
    let ranks = Mpi::start()?;
    let (number, count) = (ranks.rank(), ranks.ranks());
    let (g, [images, labels, rate, loss]) = network()?;
    let device = Device::open_with(&DeviceOptions::default().local_rank(ranks.local_rank()))?;
    let session = || -> wgrad::Result<Session> {
        let weights = Weights::init(&device, &g, 1)?;
        let mut session = Session::new(&device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
        session.write_scalar(rate, 0.01)?;
        session.write(images, &vec![0.5; BATCH * 3 * 64 * 64])?;
        session.write(labels, &[3; BATCH])?;
        Ok(session)
    };
    let mut alone = session()?;
    let mut ranks: Box<dyn Communicator> = Box::new(ranks);
    if number == 0 {
        println!("adapter: {}", device.summary());
    }
    for (bytes, told) in
        [(4 << 20, "buckets of 4 MiB"), (u64::MAX, "one bucket, exchanged behind the backward pass")]
    {
        let options = ParallelOptions::new(count).bucket_bytes(bytes);
        let mut shared = DataParallel::new(session()?, ranks, &options)?;
        let (mut apart, mut together) = (Vec::new(), Vec::new());
        // Turns, so that whatever else the machine does meets both. The first ones warm up.
        for turn in 0..6 {
            parallel::gather(shared.ranks(), "a turn", &[])?;
            let of_alone = timed(|| alone.step().and_then(|()| alone.wait()))?;
            parallel::gather(shared.ranks(), "a turn", &[])?;
            let of_shared = timed(|| {
                shared.step(|_, _| Ok(()))?;
                shared.session().wait()
            })?;
            if turn > 0 {
                apart.push(of_alone);
                together.push(of_shared);
            }
        }
        let sent = shared.exchanged();
        ranks = shared.into_parts().1;
        let (apart, together) = (slowest(&mut *ranks, &mut apart)?, slowest(&mut *ranks, &mut together)?);
        if number == 0 {
            println!(
                "{count} processes, ResNet-18, {BATCH} pictures of 64 x 64 each, {told}: apart {:.0} ms a step, together {:.0} ms, {:+.1} %; {sent}",
                apart * 1e3,
                together * 1e3,
                (together / apart - 1.0) * 100.0,
            );
        }
    }
    Ok(())
}

/// Seconds of a step, the mean over four.
fn timed(mut step: impl FnMut() -> wgrad::Result<()>) -> wgrad::Result<f64> {
    let start = Instant::now();
    for _ in 0..4 {
        step()?;
    }
    Ok(start.elapsed().as_secs_f64() / 4.0)
}

/// The median of the rank that has the largest: the others wait for it.
fn slowest(ranks: &mut dyn Communicator, own: &mut [f64]) -> wgrad::Result<f64> {
    own.sort_by(f64::total_cmp);
    let all = parallel::gather(ranks, "seconds", &[own[own.len() / 2] as f32])?;
    Ok(all.iter().fold(0.0, |most, &x| f64::max(most, f64::from(x))))
}
