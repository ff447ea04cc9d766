//! Trains a convolutional network on MNIST, from data files to trained weights. `options.rs` reads the command line.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../networks/digits.rs"]
mod digits;
mod options;
#[path = "../panels/mod.rs"]
mod panels;

use options::{Optimizer, Options, Shape};
use panels::{Outcome, Panel, say};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use wgrad::data::{Images, Split};
use wgrad::file::{self, printable_path};
use wgrad::ops::optimizer::Rule;
use wgrad::optim::{self, Adam, AdamW, LossScale, Schedule, Sgd};
use wgrad::parallel::{self, Communicator};
use wgrad::plan::Precision;
use wgrad::session::Verified;
use wgrad::train::{Accuracy, Confusion, Curves, Mistake, ProgressBar, Supervised, Trainer};
use wgrad::{Device, DeviceOptions, HostTensor, PlanOptions, nn};

fn main() -> ExitCode {
    panels::end(start(&Options::read(), Instant::now()))
}

/// The network for this data, with dropout if it is asked for.
fn network(options: &Options, data: &Images) -> nn::Sequential {
    let dropout = (options.dropout > 0.0).then(|| nn::Dropout::new(options.dropout).seed(options.seed));
    digits::digits([data.rows(), data.columns()], data.classes(), dropout)
}

/// An optimizer that scales the loss, if f16 is to hold its gradients.
fn scaled<R: Rule + Clone>(optimizer: optim::Optimizer<R>, mixed: bool) -> optim::Optimizer<R> {
    if mixed { optimizer.loss_scale(LossScale::new()) } else { optimizer }
}

fn trainer(options: &Options, device: &Device, data: &Images) -> Trainer {
    let Options { optimizer, schedule, mixed, .. } = *options;
    let rate = options.rate();
    let mut trainer = Trainer::new(device, Supervised::classifier(network(options, data)))
        .optimizer(move |g, loss, rate| match optimizer {
            Optimizer::Sgd => scaled(Sgd::new(rate).momentum(0.9), mixed).minimize(g, loss),
            Optimizer::Adam => scaled(Adam::new(rate), mixed).minimize(g, loss),
            Optimizer::Adamw => scaled(AdamW::new(rate), mixed).minimize(g, loss),
        })
        .plan(PlanOptions::default().precision(if mixed { Precision::Mixed } else { Precision::F32 }))
        .schedule(move |steps| match schedule {
            Shape::Constant => Schedule::constant(rate.into()),
            Shape::Cosine => Schedule::cosine(rate.into(), steps, 0.0),
        })
        .batch_size(options.batch_size as usize)
        .epochs(options.epochs)
        .max_steps(options.max_steps)
        .seed(options.seed)
        .watch(!options.no_watch)
        .unit("images")
        .metric(Accuracy)
        .metric(Confusion)
        .callback(ProgressBar::new().shown(!options.no_progress))
        .setting("--learning-rate", rate)
        .setting("--schedule", format!("{schedule:?}").to_lowercase())
        .setting("--dropout", options.dropout);
    if schedule == Shape::Cosine {
        // A constant rate does not depend on the number of epochs.
        trainer = trainer.setting("--epochs", options.epochs);
    }
    if let Some(number) = options.micro_batches {
        trainer = trainer.micro_batches(number as usize);
    }
    if let Some(path) = &options.load {
        trainer = trainer.load(path);
    }
    if let Some(path) = &options.checkpoint {
        trainer = trainer.checkpoint(path);
    }
    if let Some(path) = &options.resume {
        trainer = trainer.resume(path);
    }
    if let Some(path) = &options.plot {
        let adapter = device.summary();
        let adapter = format!("{} ({})", adapter.name, adapter.backend);
        trainer = trainer.follow(Accuracy).callback(Curves::new(path, "accuracy").subtitle(adapter));
    }
    trainer
}

/// Runs the trainer, together with the other processes if `mpirun` started this one.
#[cfg_attr(feature = "mpi", expect(unreachable_code, reason = "the end is compiled with every feature"))]
fn start(options: &Options, started: Instant) -> Outcome<()> {
    if !parallel::is_launched() {
        return run(options, started, None);
    }
    #[cfg(feature = "mpi")]
    return parallel::Mpi::run(|ranks| run(options, started, Some(Box::new(ranks))));
    Err("mpirun started this program, which was built without MPI; build it by cargo build --release --features mpi --example mnist".into())
}

fn run(options: &Options, started: Instant, ranks: Option<Box<dyn Communicator>>) -> Outcome<()> {
    let is_first = ranks.as_ref().is_none_or(|ranks| ranks.rank() == 0);
    let local_rank = ranks.as_ref().map_or(0, |ranks| ranks.local_rank());
    // Report a path that can't be written now, not after an hour.
    if is_first {
        options.outputs().try_for_each(|(_, path)| file::check_writable(path))?;
    }
    let folder = options.data.clone();
    let loading = std::thread::spawn(move || -> wgrad::Result<(Images, Images)> {
        Ok((Images::load(&folder, Split::Train)?, Images::load(&folder, Split::Test)?))
    });
    let mut opening = DeviceOptions::default()
        .local_rank(local_rank)
        .compiling(ProgressBar::compiling(!options.no_progress && is_first));
    if options.mixed {
        opening = opening.cooperative_matrix();
    }
    if let Some(name) = &options.adapter {
        opening = opening.adapter(name);
    }
    let device = Device::open_with(&opening)?;
    let (train, test) = loading.join().map_err(|_| "reading the data panicked")??;
    if is_first {
        say!("adapter: {}", device.summary());
        say!("data: {train}; to test with {test}");
    }

    let mut trainer = trainer(options, &device, &train);
    if let Some(ranks) = ranks {
        if is_first {
            say!("{} processes train together", ranks.ranks());
        }
        trainer = trainer.ranks(ranks);
    }
    if let Some(file) = &options.tune {
        let tuned = trainer.tune(&train, file, ProgressBar::tuning(!options.no_progress && is_first))?;
        for tuned in tuned.iter().filter(|_| is_first) {
            say!("{}", tuned.to_string().trim_end());
        }
    }
    if options.verify && is_first {
        let verified = trainer.verify(&train)?;
        say!("{}", Verified::table(&verified).trim_end());
        say!("verify: all {} nodes of a step agree with the reference", verified.len());
    }
    let history = trainer.fit(&train, Some(&test))?;
    if !is_first {
        return Ok(());
    }
    if options.plot.is_some() && history.losses.is_empty() {
        return Err("--plot: the run has been trained to its end, so there are no curves; leave it out or raise --epochs or --max-steps".into());
    }
    let evaluation = history.evaluation().ok_or("there was nothing to evaluate with")?;
    if let Some(path) = &options.save {
        trainer.weights()?.save(path)?;
    }
    if let Some(path) = &options.report {
        history.write_report(path, &device, &trainer.training_plan(&train)?, started)?;
    }
    if let Some(path) = &options.wrong {
        draw_wrong(path, &mut trainer, &test)?;
    }
    if let Some(path) = &options.logits {
        write_rows(path, &trainer.predict(&test)?)?;
    }
    if let Some(path) = &options.profile {
        // Its steps change the weights, which have been saved by now.
        let profile = trainer.profile(&train, 20)?;
        say!("{}", profile.to_string().trim_end());
        profile.save_trace(path)?;
    }
    if let Some(matrix) = &evaluation.confusion {
        say!("digits (rows) and what they were taken for (columns):\n{}", matrix.to_string().trim_end());
    }
    let written: Vec<String> =
        options.outputs().map(|(option, path)| format!("; {option} in {}", printable_path(path))).collect();
    let accuracy = 100.0 * evaluation.figure("accuracy").unwrap_or(0.0);
    say!("done: test accuracy {accuracy:.2} %, {history}{}", written.concat());
    Ok(())
}

/// Writes a matrix as CSV.
fn write_rows(path: &Path, matrix: &HostTensor) -> Outcome<()> {
    let columns = matrix.shape.last().copied().unwrap_or(1).max(1);
    let line = |row: &[f32]| row.iter().map(f32::to_string).collect::<Vec<_>>().join(",") + "\n";
    let lines: String = matrix.as_f32().unwrap_or_default().chunks(columns).map(line).collect();
    Ok(file::write_whole(path, lines.as_bytes())?)
}

/// Draws the test images that were read most wrongly.
fn draw_wrong(path: &Path, trainer: &mut Trainer, test: &Images) -> Outcome<()> {
    let found = trainer.mistakes(test)?;
    let panel = |mistake: &Mistake| {
        let pixels =
            test.image(mistake.index).unwrap_or_default().iter().map(|&byte| f32::from(byte) / 255.0);
        let caption = format!("{} read as {}", mistake.label, mistake.prediction);
        Panel::new(caption, test.columns(), test.rows(), pixels.collect()).scaled(4)
    };
    let worst = found[..found.len().min(24)].chunks(6).map(|row| row.iter().map(panel).collect());
    let title = format!("{} of {} digits were read wrongly", found.len(), test.labels().len());
    panels::draw(path, &title, &worst.collect::<Vec<_>>())
}
