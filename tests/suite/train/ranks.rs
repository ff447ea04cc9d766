//! Trainers that share a run: any number of ranks comes to the weights and the figures of one.

use super::{Rows, network};
use crate::harness::device;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wgrad::Result;
use wgrad::data::Subset;
use wgrad::optim::{AdamW, Plateau, PlateauOptions, Schedule};
use wgrad::parallel::{Communicator, Threads};
use wgrad::train::{
    Accuracy, BestWeights, Callback, Confusion, EarlyStopping, EpochEnd, Flow, History, Supervised, TopK,
    Trainer,
};

/// Items that no batch divides, so that the last batch of an epoch is filled up and that of an evaluation is short.
const ITEMS: usize = 45;

fn trainer(device: &wgrad::Device) -> Trainer {
    Trainer::new(device, Supervised::classifier(network()))
        .optimizer(|g, loss, rate| AdamW::new(rate).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.01, steps, 0.0))
        .batch_size(16)
        .micro_batches(8)
        .epochs(3)
        .seed(7)
        .metric(Accuracy)
        .metric(TopK(2))
        .metric(Confusion)
        .follow(Accuracy)
        .follow(TopK(2))
}

/// The weights' bits, and the history without times.
type Found = (BTreeMap<String, Vec<u32>>, String);

fn found(trainer: &Trainer, history: &History) -> Result<Found> {
    let weights = trainer.weights()?;
    let bits = |name: &str| -> Result<Vec<u32>> {
        Ok(weights.read(name)?.as_f32().unwrap_or_default().iter().map(|x| x.to_bits()).collect())
    };
    let tensors = weights.names().map(|name| Ok((name.to_owned(), bits(name)?))).collect::<Result<_>>()?;
    let told = format!(
        "{:?} {:?} {:?} {:?}",
        history.epochs,
        history.losses,
        history.followed,
        history.evaluation()
    );
    Ok((tensors, told))
}

fn run(ranks: usize, change: impl Fn(Trainer) -> Trainer + Sync) -> Result<Vec<Found>> {
    let device = device();
    Threads::run(ranks, |rank| {
        let (train, test) = (Rows::new(ITEMS), Rows::new(53));
        let mut trainer = change(trainer(device).ranks(rank));
        let history = trainer.fit(&train, Some(&test))?;
        found(&trainer, &history)
    })
}

#[test]
fn any_number_of_ranks_has_the_weights_and_figures_of_one() -> Result<()> {
    let plain: fn(Trainer) -> Trainer = |trainer| trainer;
    let others: [fn(Trainer) -> Trainer; 3] = [
        // The rate follows from evaluations.
        |trainer| {
            let options = PlateauOptions::default().patience(0).factor(0.5);
            trainer.plateau(Plateau::new(0.01, options).expect("the options are valid")).drop_last(true)
        },
        |trainer| trainer.population_statistics(true).epochs(1),
        |trainer| trainer.synchronized_statistics(true).epochs(1),
    ];
    for (change, counts) in [(plain, &[2, 4, 8][..]), (others[0], &[4]), (others[1], &[2]), (others[2], &[4])]
    {
        let one = run(1, change)?.remove(0);
        for &ranks in counts {
            for (rank, found) in run(ranks, change)?.into_iter().enumerate() {
                assert_eq!(found.1, one.1, "rank {rank} of {ranks}");
                assert!(found.0 == one.0, "rank {rank} of {ranks} has other weights");
            }
        }
    }
    // Without ranks it is one rank.
    let (train, test) = (Rows::new(ITEMS), Rows::new(53));
    let mut alone = trainer(device());
    let history = alone.fit(&train, Some(&test))?;
    // What is followed is the sum over a batch, and not over a micro-batch of two.
    let [(_, correct), (_, within)] = &history.followed[..] else { panic!("two are followed") };
    assert!(correct.iter().zip(within).all(|(correct, within)| within >= correct && within.fract() == 0.0));
    assert!(within.iter().any(|&within| within > 8.0), "{within:?}");
    assert!(found(&alone, &history)? == run(1, plain)?.remove(0));
    Ok(())
}

/// Counts what it is told.
#[derive(Debug)]
struct Counting(Arc<Mutex<Vec<usize>>>, usize);

impl Callback for Counting {
    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        self.0.lock().expect("no thread panicked").push(self.1);
        Ok(if end.epoch.number == 2 { Flow::Stop("enough".into()) } else { Flow::Continue })
    }
}

#[test]
fn callbacks_and_files_are_the_first_ranks() -> Result<()> {
    let (device, told) = (device(), Arc::new(Mutex::new(Vec::new())));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let histories = Threads::run(4, |rank| {
        let (train, test) = (Rows::new(ITEMS), Rows::new(20));
        let number = rank.rank();
        let path = folder.path().join(format!("best-{number}.safetensors"));
        let mut trainer = trainer(device)
            .ranks(rank)
            .callback(Counting(Arc::clone(&told), number))
            .callback(BestWeights::new(&path, "loss", wgrad::optim::Preferred::Smaller))
            .checkpoint(folder.path().join(format!("checkpoint-{number}.safetensors")));
        assert_eq!(trainer.is_first_rank(), number == 0);
        let history = trainer.fit(&train, Some(&test))?;
        assert!(
            history.exchanged.bytes_sent > 0 && history.to_string().contains("sent to other ranks a step")
        );
        Ok((history.epochs.len(), history.stopped.unwrap_or_default()))
    })?;
    assert_eq!(*told.lock().expect("no thread panicked"), [0, 0]);
    assert_eq!(histories[0], (2, "enough".to_owned()));
    assert!(histories[1..].iter().all(|history| *history == (2, "as rank 0 says".to_owned())));
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["best-0.safetensors", "checkpoint-0.safetensors"]);
    // Early stopping needs no more than the figures.
    let stops =
        |trainer: Trainer| trainer.callback(EarlyStopping::new("loss", wgrad::optim::Preferred::Smaller, 0));
    assert!(run(2, stops)?.windows(2).all(|pair| pair[0] == pair[1]));
    Ok(())
}

#[test]
fn a_run_resumes_with_another_number_of_ranks() -> Result<()> {
    let (device, whole) = (device(), run(1, |trainer| trainer)?.remove(0));
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (before, after) in [(4, 1), (1, 2), (2, 8)] {
        let path = folder.path().join(format!("{before}-{after}.safetensors"));
        // In the middle of the second epoch.
        let stopped = |trainer: Trainer| trainer.max_steps(4).checkpoint_every(1, &path);
        run(before, stopped)?;
        let resumed = Threads::run(after, |rank| {
            let (train, test) = (Rows::new(ITEMS), Rows::new(53));
            let mut trainer = trainer(device).ranks(rank).resume(&path);
            let history = trainer.fit(&train, Some(&test))?;
            found(&trainer, &history)
        })?;
        assert!(resumed.iter().all(|found| found.0 == whole.0), "{before} ranks, then {after}");
    }
    Ok(())
}

#[test]
fn what_ranks_can_not_do_together_is_told() -> Result<()> {
    let device = device();
    let told = |change: &(dyn Fn(Trainer, usize) -> Trainer + Sync),
                items: &(dyn Fn(usize) -> usize + Sync)| {
        let errors = Threads::run(4, |rank| {
            let number = rank.rank();
            let mut trainer = change(trainer(device).ranks(rank), number);
            Ok(trainer.fit(&Rows::new(items(number)), None).expect_err("it can't run").to_string())
        });
        errors.expect("each has an error")
    };
    let same = |_: usize| ITEMS;
    let all =
        |found: Vec<String>, text: &str| assert!(found.iter().all(|told| told.contains(text)), "{found:?}");
    let last = |number: usize| u64::from(number == 3);
    all(
        told(
            &|trainer, number| {
                trainer.start(move |weights| weights.write("fc.bias", &[number as f32 / 3.0; 3]))
            },
            &same,
        ),
        "rank 1 differs from rank 0 in weights",
    );
    all(
        told(&|trainer, number| trainer.seed(7 + last(number)), &same),
        "rank 3 differs from rank 0 in seed: 8 instead of 7",
    );
    all(
        told(&|trainer, number| trainer.setting("x", number / 2), &same),
        "rank 2 differs from rank 0 in x: 1 instead of 0",
    );
    all(
        told(&|trainer, number| trainer.max_steps(5 + last(number)), &same),
        "rank 3 differs from rank 0 in epochs and steps",
    );
    all(told(&|trainer, _| trainer, &|number| ITEMS + number / 3), "rank 3 differs from rank 0 in samples");
    all(
        told(&|trainer, number| if number == 2 { trainer.metric(TopK(1)) } else { trainer }, &same),
        "rank 2 differs from rank 0 in metrics: accuracy, top2, confusion, top1",
    );
    let evaluated = |rank: Threads, items: Option<usize>| {
        let evaluation = items.map(Rows::new);
        let evaluation = evaluation.as_ref().map(|rows| rows as &dyn wgrad::data::Dataset);
        let told = trainer(device).ranks(rank).fit(&Rows::new(ITEMS), evaluation);
        Ok(told.expect_err("the data to evaluate with differ").to_string())
    };
    let none = Threads::run(2, |rank| {
        let items = (rank.rank() == 0).then_some(53);
        evaluated(rank, items)
    })?;
    all(none, "rank 1 differs from rank 0 in data set to evaluate with: none");
    let fewer = Threads::run(2, |rank| {
        let items = 53 - rank.rank();
        evaluated(rank, Some(items))
    })?;
    all(fewer, "rank 1 differs from rank 0 in data set to evaluate with: 52 items");
    let three = Threads::run(3, |rank| {
        Ok(trainer(device).ranks(rank).fit(&Rows::new(ITEMS), None).expect_err("three can't").to_string())
    })?;
    all(three, "3 ranks, expected a power of two");
    let other_items = Threads::run(2, |rank| {
        let order = (rank.rank()..ITEMS).chain(0..rank.rank());
        let data = Subset::new(Rows::new(ITEMS), order.collect::<Vec<usize>>())?;
        Ok(trainer(device).ranks(rank).fit(&data, None).expect_err("the items differ").to_string())
    })?;
    all(other_items, "rank 1 differs from rank 0 in data set: 45 items");
    all(told(&|trainer, _| trainer.micro_batches(2), &same), "2 micro-batches can't be shared by 4 ranks");
    all(told(&|trainer, _| trainer.micro_batches(5), &same), "does not divide the batch size of 16");
    Ok(())
}
