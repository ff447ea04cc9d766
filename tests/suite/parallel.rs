//! Training over several ranks and micro-batches. Ranks are threads here; `tests/mpi.rs` has processes.

use crate::harness::{device, labels, numbers};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::ops::running_sum::RunningSum;
use wgrad::optim::{Adam, Ema, Sgd};
use wgrad::parallel::{Communicator, Threads};
use wgrad::plan::Watch;
use wgrad::session::{DataParallel, ParallelOptions};
use wgrad::{
    Caps, Device, Error, Graph, HostData, HostTensor, Mode, Plan, PlanOptions, Result, Session, Value,
    Weights,
};

const SAMPLES: usize = 3;
const MICRO_BATCHES: usize = 8;

/// A network in which every number of a step matters: dropout and crops follow from the step, Adam counts steps, batch
/// norm keeps statistics, averages follow updates.
struct Network {
    graph: Graph,
    images: Value,
    labels: Value,
    rate: Value,
    loss: Value,
    correct: Value,
}

fn network() -> Result<Network> {
    network_with(0.3)
}

fn network_with(dropout: f64) -> Result<Network> {
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 5, [3, 3]).padding([1, 1]))
        .add("norm", nn::BatchNorm::new(5))
        .add("relu", nn::Relu)
        .add("pool", nn::MaxPool2d::new([2, 2]))
        .add("drop", nn::Dropout::new(dropout))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(5 * 3 * 3, 4));
    let mut graph = Graph::new();
    let images = graph.input("images", [SAMPLES, 1, 6, 6])?;
    let augmented =
        nn::Augment::new(3).random_crop([6, 6], 1).flip(0.5).apply(&mut graph, images, Mode::Train)?;
    let logits = net.forward(&mut graph, augmented, Mode::Train)?;
    let labels = graph.input_i32("labels", SAMPLES)?;
    let loss = graph.cross_entropy(logits, labels)?;
    let correct = graph.correct_predictions(logits, labels)?;
    let rate = graph.input_scalar("rate")?;
    Adam::new(rate).clip_norm(1.0).average(Ema::new(0.9)).minimize(&mut graph, loss)?;
    Ok(Network { graph, images, labels, rate, loss, correct })
}

impl Network {
    fn session(&self, device: &Device, seed: u64, options: &PlanOptions) -> Result<(Session, Weights)> {
        let weights = Weights::init(device, &self.graph, seed)?;
        let plan = Plan::with_options(&self.graph, &[self.loss, self.correct], device.caps(), options)?;
        let mut session = Session::new(device, plan, &weights)?;
        session.record(self.loss, 1000)?;
        session.record(self.correct, 1000)?;
        Ok((session, weights))
    }

    /// Steps from number `steps.start` on; each micro-batch has contents of its own.
    fn train(&self, training: &mut DataParallel, steps: std::ops::Range<usize>) -> Result<()> {
        for step in steps {
            training.session().write_scalar(self.rate, 0.02)?;
            training.step(|session, micro_batch| self.write(session, step * MICRO_BATCHES + micro_batch))?;
        }
        Ok(())
    }

    fn write(&self, session: &mut Session, number: usize) -> Result<()> {
        session.write(self.images, &numbers([SAMPLES, 1, 6, 6], number as u64))?;
        session.write(self.labels, &labels(SAMPLES, 4, number as u64))
    }
}

/// What a run leaves: all tensors, and the values recorded of loss and correct predictions.
#[derive(PartialEq, Debug)]
struct Found {
    tensors: BTreeMap<String, Vec<u32>>,
    losses: Vec<u32>,
    correct: Vec<f64>,
}

fn bits(tensor: &HostTensor) -> Vec<u32> {
    tensor.as_f32().expect("it holds floats").iter().map(|x| x.to_bits()).collect()
}

fn all_bits(weights: &Weights) -> Result<BTreeMap<String, Vec<u32>>> {
    weights.names().map(|name| Ok((name.to_owned(), bits(&weights.read(name)?)))).collect()
}

fn found(network: &Network, training: &mut DataParallel, weights: &Weights) -> Result<Found> {
    let losses = bits(&training.session().recorded(network.loss)?);
    let correct = training.session().recorded(network.correct)?.to_f64();
    Ok(Found { tensors: all_bits(weights)?, losses, correct })
}

fn options() -> ParallelOptions {
    // Some tensors each, so that there are several.
    ParallelOptions::new(MICRO_BATCHES).bucket_bytes(600)
}

fn run(ranks: usize, steps: usize, options: &ParallelOptions, plan: &PlanOptions) -> Result<Vec<Found>> {
    let (device, network) = (device(), network()?);
    Threads::run(ranks, |rank| {
        let (session, weights) = network.session(device, 5, plan)?;
        let mut training = DataParallel::new(session, rank, options)?;
        network.train(&mut training, 0..steps)?;
        found(&network, &mut training, &weights)
    })
}

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() -> Result<()> {
    for (steps, plan) in [(40, PlanOptions::default()), (3, PlanOptions::default().watch(Watch::new()))] {
        let one = run(1, steps, &options(), &plan)?.remove(0);
        assert_eq!((one.losses.len(), one.correct.len()), (steps, steps));
        for ranks in [2, 4, 8] {
            for (rank, found) in run(ranks, steps, &options(), &plan)?.iter().enumerate() {
                assert_eq!(*found, one, "rank {rank} of {ranks}");
            }
        }
        // One bucket for all of it, and one for each tensor.
        for bytes in [1, 1 << 30] {
            assert_eq!(
                run(2, steps.min(20), &options().bucket_bytes(bytes), &plan)?[1].losses,
                one.losses[..steps.min(20)]
            );
        }
    }
    Ok(())
}

#[test]
fn a_step_is_that_of_the_whole_batch() -> Result<()> {
    // Without batch norm and random numbers, the mean over micro-batches is that over the batch.
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(2, 7, [3, 3]))
        .add("tanh", nn::Tanh)
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(7 * 3 * 3, 4));
    let of = |samples: usize| -> Result<(Graph, [Value; 4])> {
        let mut g = Graph::new();
        let x = g.input("x", [samples, 2, 5, 5])?;
        let logits = net.forward(&mut g, x, Mode::Train)?;
        let targets = g.input_i32("labels", samples)?;
        let loss = g.cross_entropy(logits, targets)?;
        let rate = g.input_scalar("rate")?;
        Sgd::new(rate).momentum(0.9).weight_decay(0.01).minimize(&mut g, loss)?;
        Ok((g, [x, targets, loss, rate]))
    };
    let batch = |step: usize| (numbers([12, 2, 5, 5], step as u64), labels(12, 4, step as u64));
    let (g, [x, targets, loss, rate]) = of(12)?;
    let weights = Weights::init(device(), &g, 3)?;
    let mut whole = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    whole.write_scalar(rate, 0.1)?;
    let mut losses = Vec::new();
    for step in 0..20 {
        let (images, classes) = batch(step);
        whole.write(x, &images)?;
        whole.write(targets, &classes)?;
        whole.step()?;
        losses.push(whole.read(loss)?.to_f64()[0]);
    }
    // 3, 6 and 12 micro-batches: the tree has runs of three.
    for (ranks, micro_batches) in [(1, 3), (2, 6), (4, 12), (1, 12)] {
        let samples = 12 / micro_batches;
        let (g, [x, targets, loss, rate]) = of(samples)?;
        let device = device();
        let all = Threads::run(ranks, |rank| {
            let weights = Weights::init(device, &g, 3)?;
            let session = Session::new(device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
            let mut training = DataParallel::new(session, rank, &ParallelOptions::new(micro_batches))?;
            training.session().write_scalar(rate, 0.1)?;
            let mut losses = Vec::new();
            for step in 0..20 {
                let (images, classes) = batch(step);
                let images = images.as_f32().expect("they are floats");
                let HostData::I32(classes) = &classes.data else { panic!("labels are integers") };
                training.step(|session, number| {
                    session.write(x, &images[number * samples * 50..][..samples * 50])?;
                    session.write(targets, &classes[number * samples..][..samples])
                })?;
                losses.push(training.session().read(loss)?.to_f64()[0]);
            }
            Ok((losses, weights))
        })?;
        for (found, other) in all {
            for (found, expected) in found.iter().zip(&losses) {
                assert!((found - expected).abs() < 2e-6, "{found} instead of {expected}");
            }
            for name in weights.names() {
                let [found, expected] = [&other, &weights].map(|w| w.read(name).map(|t| t.to_f64()));
                for (found, expected) in found?.iter().zip(expected?) {
                    assert!((found - expected).abs() < 2e-6, "{name}: {found} instead of {expected}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn running_statistics_are_the_mean_of_those_of_the_micro_batches() -> Result<()> {
    let network = network()?;
    let (mut alone, weights) = network.session(device(), 5, &PlanOptions::default())?;
    let before = alone.snapshot()?;
    alone.write_scalar(network.rate, 0.02)?;
    let (mut mean, mut variance) = (vec![0.0; 5], vec![0.0; 5]);
    for micro_batch in 0..MICRO_BATCHES {
        alone.restore(&before)?;
        // The number that crops and dropout follow from.
        alone.set_step_number(micro_batch as u32);
        network.write(&mut alone, micro_batch)?;
        alone.step()?;
        let read = |name: &str| weights.read(name).map(|tensor| tensor.to_f64());
        for (sum, name) in [(&mut mean, "norm.running_mean"), (&mut variance, "norm.running_var")] {
            sum.iter_mut().zip(read(name)?).for_each(|(sum, x)| *sum += x / MICRO_BATCHES as f64);
        }
    }
    let found = run(2, 1, &options(), &PlanOptions::default())?.remove(1);
    for (name, expected) in [("norm.running_mean", mean), ("norm.running_var", variance)] {
        for (found, expected) in found.tensors[name].iter().zip(expected) {
            let found = f64::from(f32::from_bits(*found));
            assert!((found - expected).abs() < 1e-7, "{name}: {found} instead of {expected}");
        }
    }
    Ok(())
}

#[test]
fn what_fails_before_it_is_submitted_changes_nothing() -> Result<()> {
    let network = network()?;
    let whole = run(1, 3, &options(), &PlanOptions::default())?.remove(0);
    let (session, weights) = network.session(device(), 5, &PlanOptions::default())?;
    let alone = Threads::new(1)?.remove(0);
    let mut training = DataParallel::new(session, alone, &options())?;
    network.train(&mut training, 0..1)?;
    for failing in 0..MICRO_BATCHES {
        let before = all_bits(&weights)?;
        let error = training
            .step(|session, micro_batch| {
                network.write(session, MICRO_BATCHES + micro_batch)?;
                if micro_batch == failing { Err(Error::Graph("on purpose".into())) } else { Ok(()) }
            })
            .unwrap_err();
        assert_eq!(error.to_string(), "graph: on purpose");
        assert_eq!(all_bits(&weights)?, before, "micro-batch {failing}");
        assert_eq!(training.session().step_number(), 1);
    }
    // A step that was begun is forgotten where other weights are loaded.
    let before = training.session().snapshot()?;
    assert!(!training.micro_batch(|session| network.write(session, 99))?);
    training.session().restore(&before)?;
    network.train(&mut training, 1..3)?;
    assert_eq!(found(&network, &mut training, &weights)?, whole);
    Ok(())
}

#[test]
fn a_checkpoint_resumes_with_another_number_of_ranks() -> Result<()> {
    let (device, network) = (device(), network()?);
    let whole = run(1, 6, &options(), &PlanOptions::default())?.remove(0);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("checkpoint.safetensors");
    Threads::run(4, |rank| {
        let writes = rank.rank() == 0;
        let (session, _) = network.session(device, 5, &PlanOptions::default())?;
        let mut training = DataParallel::new(session, rank, &options())?;
        network.train(&mut training, 0..4)?;
        if writes { training.session().save_checkpoint(&path) } else { Ok(()) }
    })?;
    for ranks in [1, 2, 8] {
        let tensors = Threads::run(ranks, |rank| {
            let (mut session, weights) = network.session(device, 77, &PlanOptions::default())?;
            session.load_checkpoint(&path)?;
            let mut training = DataParallel::new(session, rank, &options())?;
            network.train(&mut training, 4..6)?;
            all_bits(&weights)
        })?;
        assert!(tensors.iter().all(|found| *found == whole.tensors), "{ranks} ranks");
    }
    Ok(())
}

#[test]
fn ranks_that_are_not_alike_are_refused_by_name() -> Result<()> {
    let (device, network) = (device(), network()?);
    let said = |change: &(dyn Fn(usize) -> Result<(Session, ParallelOptions)> + Sync)| -> Result<String> {
        let mut told = Threads::run(4, |rank| {
            let (session, options) = change(rank.rank())?;
            Ok(DataParallel::new(session, rank, &options).expect_err("a rank differs").to_string())
        })?;
        told.dedup();
        assert_eq!(told.len(), 1, "{told:?}");
        Ok(told.remove(0))
    };
    let own = |seed: u64, plan: &PlanOptions| Ok(network.session(device, seed, plan)?.0);
    let plain = PlanOptions::default();
    let weights = said(&|rank| Ok((own(5 + (rank == 2) as u64, &plain)?, options())))?;
    assert!(weights.contains("rank 2 differs from rank 0 in weights"), "{weights}");
    let other = PlanOptions::default().variant("conv2d", "direct");
    let kernels = said(&|rank| Ok((own(5, if rank == 3 { &other } else { &plain })?, options())))?;
    assert!(kernels.contains("rank 3 differs from rank 0 in kernel choices"), "{kernels}");
    let step = said(&|rank| {
        let mut session = own(5, &plain)?;
        session.set_step_number(if rank == 1 { 17 } else { 0 });
        Ok((session, options()))
    })?;
    assert!(step.contains("rank 1 differs from rank 0 in step number: 17 instead of 0"), "{step}");
    let seed = said(&|rank| Ok((own(5, &plain)?, options().alike("seed", (40 + rank / 3).to_string()))))?;
    assert!(seed.contains("rank 3 differs from rank 0 in seed: 41 instead of 40"), "{seed}");
    let changed = network_with(0.31)?;
    let graph = said(&|rank| {
        let of = if rank == 1 { &changed } else { &network };
        Ok((of.session(device, 5, &plain)?.0, options()))
    })?;
    assert!(graph.contains("rank 1 differs from rank 0 in graph"), "{graph}");
    // A number of ranks that does not divide.
    let three = Threads::run(3, |rank| {
        let session = own(5, &plain)?;
        Ok(DataParallel::new(session, rank, &options()).expect_err("three can't share eight").to_string())
    })?;
    assert!(three[0].contains("3 ranks, expected a power of two"), "{three:?}");
    Ok(())
}

#[test]
fn steps_allocate_nothing_and_count_what_they_send() -> Result<()> {
    let (device, network) = (device(), network()?);
    let counted = Threads::run(2, |rank| {
        let (session, _) = network.session(device, 5, &PlanOptions::default())?;
        let mut training = DataParallel::new(session, rank, &options())?;
        network.train(&mut training, 0..3)?;
        let before = training.session().counters();
        network.train(&mut training, 3..13)?;
        let after = training.session().counters();
        assert_eq!(after.allocations, before.allocations);
        assert_eq!(after.steps - before.steps, 10);
        let sent = training.exchanged();
        assert_eq!((sent.steps, sent.bytes_sent), (13, 13 * training.bytes_per_step()));
        Ok((training.bytes_per_step(), training.buckets()))
    })?;
    // Of two ranks each sends half of the data twice.
    let bytes: u64 = counted[0].1.iter().sum();
    assert!(counted[0].1.len() > 2, "{:?}", counted[0].1);
    // With a number that tells the step.
    assert_eq!(counted[0].0 + counted[1].0, 2 * (bytes + 4));
    Ok(())
}

#[test]
fn a_number_that_is_not_finite_is_found_in_the_micro_batch_that_has_it() -> Result<()> {
    let network = network()?;
    let (session, _) = network.session(device(), 5, &PlanOptions::default().watch(Watch::new()))?;
    let mut training = DataParallel::new(session, Threads::new(1)?.remove(0), &options())?;
    network.train(&mut training, 0..2)?;
    training.session().check_finite()?;
    training.step(|session, micro_batch| {
        network.write(session, micro_batch)?;
        if micro_batch == 5 { session.write(network.images, &[f32::NAN; SAMPLES * 36]) } else { Ok(()) }
    })?;
    let error = training.session().check_finite().unwrap_err().to_string();
    assert!(error.contains("step 2") && error.contains("images"), "{error}");
    Ok(())
}

#[test]
fn a_rank_that_is_gone_ends_the_others() -> Result<()> {
    let (device, network) = (device(), network()?);
    let stopped = AtomicBool::new(false);
    let error = Threads::run(4, |rank| {
        let leaves = rank.rank() == 2;
        let (session, _) = network.session(device, 5, &PlanOptions::default())?;
        let mut training = DataParallel::new(session, rank, &options())?;
        network.train(&mut training, 0..2)?;
        if leaves {
            stopped.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let error = network.train(&mut training, 2..1000).unwrap_err();
        let refused = training.session().save_checkpoint("/dev/null/no").unwrap_err().to_string();
        assert!(refused.contains("step 2 failed halfway"), "{refused}");
        Err(error)
    })
    .unwrap_err();
    assert!(stopped.load(Ordering::Relaxed) && error.to_string().contains("is gone"), "{error}");
    Ok(())
}

#[test]
fn graphs_that_can_not_be_shared_are_refused() -> Result<()> {
    let alone = || Ok::<_, Error>(Threads::new(1)?.remove(0));
    let refused = |g: &Graph, outputs: &[Value]| -> Result<String> {
        let weights = Weights::init(device(), g, 0)?;
        let session = Session::new(device(), Plan::new(g, outputs, device().caps())?, &weights)?;
        Ok(DataParallel::new(session, alone()?, &ParallelOptions::new(2)).unwrap_err().to_string())
    };
    let mut g = Graph::new();
    let x = g.input("x", [4, 3])?;
    let layer = nn::Linear::new(3, 2);
    let y = layer.forward(&mut g, x, Mode::Train)?;
    let loss = g.mean(y, &[0, 1], false)?;
    assert!(refused(&g, &[loss])?.contains("no optimizer"));
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).minimize(&mut g, loss)?;
    // Two optimizers one after the other are fine, because the second one's gradients do not depend on the first.
    let after = nn::Linear::new(3, 2);
    let z = g.scoped("after", |g| after.forward(g, x, Mode::Train))?;
    let second = g.mean(z, &[0, 1], false)?;
    Sgd::new(rate).only(|name| name.starts_with("after")).minimize(&mut g, second)?;
    let weights = Weights::init(device(), &g, 0)?;
    let session = Session::new(device(), Plan::new(&g, &[loss, second], device().caps())?, &weights)?;
    DataParallel::new(session, alone()?, &ParallelOptions::new(2))?;
    // State that the updated network reads before a micro-batch changes it.
    let state = g.state("counts", [4, 2], Init::Constant(0.0), false)?;
    let updated = layer.forward(&mut g, x, Mode::Train)?;
    let product = g.mul(updated, state)?;
    let term = g.exp(y)?;
    g.apply(RunningSum { once: false }, &[term, state])?;
    let said = refused(&g, &[loss, second, product])?;
    assert!(said.contains("comes after an optimizer's update") && said.contains("Graph::backward"), "{said}");
    Ok(())
}

#[test]
fn gradients_come_before_updates_in_every_plan() -> Result<()> {
    for kind in [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software] {
        let mut g = Graph::new();
        let images = g.input("images", [4, 3, 32, 32])?;
        let labels = g.input_i32("labels", 4)?;
        let logits = nn::models::resnet18(3, 10).forward(&mut g, images, Mode::Train)?;
        let loss = g.cross_entropy(logits, labels)?;
        let correct = g.correct_predictions(logits, labels)?;
        let rate = g.input_scalar("rate")?;
        Adam::new(rate).clip_norm(1.0).average(Ema::new(0.99)).minimize(&mut g, loss)?;
        let plan = Plan::new(&g, &[loss, correct], &Caps::webgpu_defaults(kind))?;
        let buckets = plan.buckets(4 << 20)?;
        let first = plan.first_update()?;
        assert!(buckets.windows(2).all(|pair| pair[0].complete_after <= pair[1].complete_after));
        assert!(buckets.iter().all(|bucket| bucket.complete_after <= first));
        // All gradients, padded, are in a bucket, and none twice.
        let bytes: u64 = buckets.iter().map(wgrad::plan::Bucket::bytes).sum();
        let kept = plan.device_bytes()[&wgrad::plan::BufferKind::Gradients];
        assert_eq!(bytes, kept, "{kind}");
        let mut parts: Vec<_> = buckets.iter().flat_map(|bucket| bucket.parts.clone()).collect();
        parts.sort_by_key(|(buffer, part)| (*buffer, part.start));
        assert!(parts.windows(2).all(|pair| pair[0].0 < pair[1].0 || pair[0].1.end <= pair[1].1.start));
        // Most are exchanged while the step goes on.
        let early: u64 = buckets
            .iter()
            .filter(|b| b.complete_after < first * 9 / 10)
            .map(wgrad::plan::Bucket::bytes)
            .sum();
        assert!(early > bytes / 2, "{kind}: {early} of {bytes}");
    }
    Ok(())
}

#[test]
fn synchronised_batch_norm_is_that_of_the_whole_batch() -> Result<()> {
    let net = nn::Sequential::new()
        .add("conv", nn::Conv2d::new(1, 5, [3, 3]).padding([1, 1]))
        .add("norm", nn::BatchNorm::new(5))
        .add("relu", nn::Relu)
        .add("pool", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(5 * 9, 6))
        .add("second", nn::BatchNorm::new(6).momentum(0.3).affine(false))
        .add("head", nn::Linear::new(6, 4));
    let of = |samples: usize, micro_batches: Option<usize>| -> Result<(Graph, [Value; 4])> {
        let mut g = Graph::new();
        let x = g.input("x", [samples, 1, 6, 6])?;
        let logits = match micro_batches {
            Some(number) => g.synchronized_statistics(number, |g| net.forward(g, x, Mode::Train))?,
            None => net.forward(&mut g, x, Mode::Train)?,
        };
        let targets = g.input_i32("labels", samples)?;
        let loss = g.cross_entropy(logits, targets)?;
        let rate = g.input_scalar("rate")?;
        Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
        Ok((g, [x, targets, loss, rate]))
    };
    let all = MICRO_BATCHES * SAMPLES;
    let batch = |step: usize| (numbers([all, 1, 6, 6], step as u64), labels(all, 4, step as u64));
    let (g, [x, targets, loss, rate]) = of(all, None)?;
    let weights = Weights::init(device(), &g, 3)?;
    let mut whole = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    whole.write_scalar(rate, 0.05)?;
    let mut losses = Vec::new();
    for step in 0..10 {
        let (images, classes) = batch(step);
        whole.write(x, &images)?;
        whole.write(targets, &classes)?;
        whole.step()?;
        losses.push(whole.read(loss)?.to_f64()[0]);
    }
    let device = device();
    let mut first = None;
    for watched in [false, true] {
        for ranks in [1, 2, 4, 8] {
            let (g, [x, targets, loss, rate]) = of(SAMPLES, Some(MICRO_BATCHES))?;
            let found = Threads::run(ranks, |rank| {
                let own = Weights::init(device, &g, 3)?;
                let options = PlanOptions::default();
                let options = if watched { options.watch(Watch::new()) } else { options };
                let plan = Plan::with_options(&g, &[loss], device.caps(), &options)?;
                let mut training = DataParallel::new(
                    Session::new(device, plan, &own)?,
                    rank,
                    &ParallelOptions::new(MICRO_BATCHES),
                )?;
                let mut losses = Vec::new();
                for step in 0..10 {
                    let (images, classes) = batch(step);
                    let images = images.as_f32().expect("they are floats");
                    let HostData::I32(classes) = &classes.data else { panic!("labels are integers") };
                    training.step(|session, number| {
                        session.write_scalar(rate, 0.05)?;
                        session.write(x, &images[number * SAMPLES * 36..][..SAMPLES * 36])?;
                        session.write(targets, &classes[number * SAMPLES..][..SAMPLES])
                    })?;
                    losses.push(training.session().read(loss)?.to_f64()[0]);
                }
                assert_eq!(training.exchanged().bytes_sent, 10 * training.bytes_per_step());
                if watched {
                    training.session().check_finite()?;
                }
                Ok((losses, all_bits(&own)?))
            })?;
            for (rank, (found, bits)) in found.into_iter().enumerate() {
                for (found, expected) in found.iter().zip(&losses) {
                    assert!((found - expected).abs() < 1e-5, "{ranks} ranks: {found} instead of {expected}");
                }
                for name in weights.names() {
                    let expected = weights.read(name)?.to_f64();
                    for (found, expected) in bits[name].iter().zip(expected) {
                        let found = f64::from(f32::from_bits(*found));
                        assert!((found - expected).abs() < 2e-5, "{name}: {found} instead of {expected}");
                    }
                }
                let first = first.get_or_insert_with(|| bits.clone());
                assert!(bits == *first, "rank {rank} of {ranks} has other bits");
            }
        }
    }
    // A graph for another number of micro-batches.
    let (g, [_, _, loss, _]) = of(SAMPLES, Some(4))?;
    let own = Weights::init(device, &g, 3)?;
    let session = Session::new(device, Plan::new(&g, &[loss], device.caps())?, &own)?;
    let refused =
        DataParallel::new(session, Threads::new(1)?.remove(0), &ParallelOptions::new(8)).unwrap_err();
    assert!(refused.to_string().contains("means over 4 micro-batches, and steps have 8"), "{refused}");
    Ok(())
}

#[test]
fn one_process_trains_on_all_its_devices() -> Result<()> {
    let (devices, network) = (Device::open_all()?, network()?);
    assert!(!devices.is_empty() && devices.iter().all(|other| other.summary() == devices[0].summary()));
    // On one card, by several ranks.
    let local = |rank| Device::open_with(&wgrad::DeviceOptions::default().local_rank(rank));
    let found = Threads::run(2, |rank| {
        let device = local(rank.local_rank())?;
        let (session, weights) = network.session(&device, 5, &PlanOptions::default())?;
        let mut training = DataParallel::new(session, rank, &options())?;
        network.train(&mut training, 0..3)?;
        all_bits(&weights)
    })?;
    let one = run(1, 3, &options(), &PlanOptions::default())?.remove(0);
    assert!(found.iter().all(|found| *found == one.tensors));
    Ok(())
}

#[test]
fn ranks_at_different_steps_are_told() -> Result<()> {
    let (device, network) = (device(), network()?);
    let told = Threads::run(2, |rank| {
        let moves = rank.rank() == 1;
        let (session, _) = network.session(device, 5, &PlanOptions::default())?;
        let mut training = DataParallel::new(session, rank, &options())?;
        network.train(&mut training, 0..2)?;
        if moves {
            training.session().set_step_number(7);
        }
        Ok(network.train(&mut training, 2..3).unwrap_err().to_string())
    })?;
    assert!(told[0].contains("not all ranks are at step 2"), "{told:?}");
    assert!(told[1].contains("not all ranks are at step 7"), "{told:?}");
    Ok(())
}

#[test]
fn gradients_below_the_least_normal_number_are_alike_on_host_and_device() -> Result<()> {
    let device = device();
    let mut g = Graph::new();
    let x = g.input("x", [2, 64])?;
    let y = nn::Linear::new(64, 16).forward(&mut g, x, Mode::Train)?;
    // Its gradients lie around 1e-38.
    let small = g.scale(y, 1e-18)?;
    let small = g.scale(small, 1e-18)?;
    let loss = g.mean(small, &[0, 1], false)?;
    let rate = g.input_scalar("rate")?;
    Sgd::new(rate).minimize(&mut g, loss)?;
    let trained = |ranks: usize| {
        Threads::run(ranks, |rank| {
            let weights = Weights::init(device, &g, 3)?;
            let session = Session::new(device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
            let mut training = DataParallel::new(session, rank, &options())?;
            training.session().write_scalar(rate, 1e37)?;
            training.step(|session, number| session.write(x, &numbers([2, 64], number as u64)))?;
            all_bits(&weights)
        })
    };
    let one = trained(1)?.remove(0);
    let first = all_bits(&Weights::init(device, &g, 3)?)?;
    let changed = one["weight"].iter().zip(&first["weight"]).filter(|(a, b)| a != b).count();
    // Some gradients are large enough and some are not.
    assert!((1..one["weight"].len()).contains(&changed), "{changed}");
    for ranks in [2, 8] {
        assert!(trained(ranks)?.iter().all(|found| *found == one), "{ranks} ranks");
    }
    Ok(())
}
