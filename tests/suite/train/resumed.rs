//! Interrupted at any step, a run resumes to the same bits, figures too.

use super::{Rows, bits, trainer};
use tempfile::TempDir;
use wgrad::optim::{Lookahead, Plateau, PlateauOptions, Preferred, Schedule, Sgd};
use wgrad::plan::Precision;
use wgrad::train::{Callback, Csv, EarlyStopping, EpochEnd, Flow, Progress, Trainer};
use wgrad::{Error, PlanOptions, Result};

/// Ends a run by an error once it has had so many steps.
#[derive(Debug)]
struct Kill(u64);

impl Callback for Kill {
    fn progress(&mut self, progress: &Progress<'_>) -> Result<()> {
        if progress.step >= self.0 { Err(Error::Graph("killed".into())) } else { Ok(()) }
    }
}

fn run(mut trainer: Trainer) -> Result<(wgrad::train::History, Trainer)> {
    let history = trainer.fit(&Rows::new(61), Some(&Rows::new(21)))?;
    Ok((history, trainer))
}

#[test]
fn a_run_that_was_killed_resumes_to_the_same_bits() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let (whole, reference) = run(trainer())?;
    // In the middle of an epoch, at its end, one step after it; several kills in one run.
    for (i, kills) in [vec![3], vec![8], vec![9], vec![1, 6, 13, 23]].into_iter().enumerate() {
        let file = folder.path().join(format!("{i}.safetensors"));
        let csv = folder.path().join(format!("{i}.csv"));
        let again = || trainer().checkpoint_every(1, &file).resume_if_there(&file).callback(Csv::new(&csv));
        for kill in kills {
            let killed = run(again().callback(Kill(kill)));
            assert!(killed.is_err_and(|error| error.to_string().contains("killed")));
        }
        let (history, resumed) = run(again())?;
        assert_eq!(bits(&resumed.weights()?)?, bits(&reference.weights()?)?);
        assert_eq!(history.epochs, whole.epochs);
        assert_eq!(history.losses, whole.losses[history.first_step as usize..]);
        let table = std::fs::read_to_string(&csv).expect("there is a table");
        assert_eq!(table.lines().count(), 4, "{table}");
        assert!(table.starts_with("epoch,steps,learning_rate,training_loss,loss,accuracy\n1,8,"), "{table}");
    }
    Ok(())
}

#[test]
fn a_run_that_ended_early_goes_on_where_it_was() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");
    let (whole, reference) = run(trainer())?;
    let (first, _) = run(trainer().max_steps(11).checkpoint(&file))?;
    assert_eq!(first.epochs.iter().map(|epoch| epoch.steps).collect::<Vec<_>>(), [8, 11]);
    let (rest, resumed) = run(trainer().resume(&file).checkpoint(&file))?;
    assert_eq!(rest.first_step, 11);
    assert_eq!(bits(&resumed.weights()?)?, bits(&reference.weights()?)?);
    for (found, expected) in rest.epochs.iter().zip(&whole.epochs) {
        assert_eq!((found.steps, &found.evaluation), (expected.steps, &expected.evaluation));
        assert!((found.training_loss - expected.training_loss).abs() < 1e-12);
    }
    // A run that is at its end has nothing left to do.
    let (nothing, _) = run(trainer().resume(&file))?;
    assert!(nothing.losses.is_empty() && nothing.epochs.len() == 3);
    Ok(())
}

/// The slow weights, their schedule and the averages of running statistics.
#[test]
fn lookahead_with_a_schedule_of_its_own_resumes_too() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");
    let of = |last: f64| {
        let alpha = move |steps| Schedule::linear(1.0, 1.0, last, steps);
        trainer().scheduled("alpha", alpha).optimizer(|g, loss, rate| {
            Sgd::new(rate).momentum(0.9).minimize(g, loss)?;
            let alpha = g.find("alpha").ok_or_else(|| Error::Graph("there is no alpha".into()))?;
            Lookahead::new(alpha).every(3).apply(g)
        })
    };
    let (whole, reference) = run(of(0.2))?;
    let (first, _) = run(of(0.2).max_steps(11).checkpoint(&file))?;
    let (rest, resumed) = run(of(0.2).resume(&file))?;
    assert_eq!([first.losses, rest.losses].concat(), whole.losses);
    assert_eq!(bits(&resumed.weights()?)?, bits(&reference.weights()?)?);
    assert_ne!(bits(&run(of(0.9))?.1.weights()?)?, bits(&reference.weights()?)?, "the schedule counts");
    let refused = run(of(0.9).resume(&file)).expect_err("it is another run").to_string();
    assert!(refused.contains("schedule of alpha 1, "), "{refused}");
    let error = run(of(f64::NAN)).expect_err("it is no schedule").to_string();
    assert!(error.contains("end"), "{error}");
    let infinite = |_| Schedule::lambda(1.0, |step| if step == 2 { f64::INFINITY } else { 1.0 });
    let error = run(of(0.2).scheduled("other", infinite)).expect_err("a number is infinite").to_string();
    assert!(error.contains("the other of step 2 is inf"), "{error}");
    Ok(())
}

#[test]
fn plateaus_and_patience_count_the_epochs_before() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");
    let options = PlateauOptions::new().patience(0).factor(0.5).threshold(0.9);
    let of = || -> Result<Trainer> { Ok(trainer().plateau(Plateau::new(0.01, options.clone())?).epochs(5)) };
    let (whole, _) = run(of()?)?;
    let rates: Vec<f64> = whole.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert!(rates.first() > rates.last(), "{rates:?}");
    let killed = run(of()?.checkpoint(&file).callback(Kill(25)));
    assert!(killed.is_err());
    let (rest, _) = run(of()?.resume(&file))?;
    assert_eq!(rest.epochs, whole.epochs);

    // An accuracy cannot rise for ever.
    let stop = || EarlyStopping::new("accuracy", Preferred::Larger, 2);
    let long = |trainer: Trainer| trainer.epochs(40).learning_rate(0.01);
    let (whole, _) = run(long(trainer()).callback(stop()))?;
    assert!(whole.stopped.as_ref().is_some_and(|why| why.contains("accuracy")), "{:?}", whole.stopped);
    let file = folder.path().join("stop.safetensors");
    let at = whole.epochs.len() as u64 * 8 - 3;
    assert!(run(long(trainer()).checkpoint(&file).callback(stop()).callback(Kill(at))).is_err());
    let (rest, _) = run(long(trainer()).resume(&file).callback(stop()))?;
    assert_eq!((&rest.epochs, &rest.stopped), (&whole.epochs, &whole.stopped));

    // A run that was stopped stays so when it is started again, and its files stay as they are.
    let run_again = || run(long(trainer()).checkpoint(&file).resume(&file).callback(stop()));
    let first = bits(&run_again()?.1.weights()?)?;
    let bytes = std::fs::read(&file).expect("there is a checkpoint");
    let (again, trained) = run_again()?;
    assert_eq!((again.epochs, again.stopped), (whole.epochs, whole.stopped));
    assert!(again.losses.is_empty());
    assert_eq!(bits(&trained.weights()?)?, first);
    assert!(std::fs::read(&file).expect("it is still there") == bytes);
    Ok(())
}

#[test]
fn another_run_is_refused_by_name() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");
    run(trainer().setting("dropout", 0.2).checkpoint(&file))?;
    let refused = |trainer: Trainer, part: &str| {
        let message = run(trainer.resume(&file)).expect_err("it is another run").to_string();
        assert!(message.contains(part) && message.contains("run.safetensors"), "{message}");
    };
    let same = || trainer().setting("dropout", 0.2);
    refused(same().seed(6), "has seed 5, this one 6");
    refused(same().batch_size(9), "batch size 8");
    let mixed = PlanOptions::default().precision(Precision::Mixed);
    refused(same().plan(mixed), "precision F32, this one Mixed");
    refused(same().epochs(4), "learning rates");
    refused(same().schedule(|_| Schedule::constant(0.01)), "learning rates");
    let cosine_but_for_one_step = |steps| {
        let one = Schedule::cosine(0.01, steps, 0.0)?;
        Ok(one.clone().then(17, Schedule::constant(0.02)?.then(1, one)))
    };
    refused(same().schedule(cosine_but_for_one_step), "learning rates");
    refused(trainer().setting("dropout", 0.3), "dropout 0.2, this one 0.3");
    let mut other = same().resume(&file);
    let message = other.fit(&Rows::new(62), None).expect_err("it is other data").to_string();
    assert!(message.contains("samples 61, this one 62"), "{message}");
    Ok(())
}

#[test]
fn a_callback_that_fails_costs_no_epoch() -> Result<()> {
    let folder = TempDir::new().expect("the system has a folder for temporary files");
    let file = folder.path().join("run.safetensors");

    #[derive(Debug)]
    struct Full;
    impl Callback for Full {
        fn epoch(&mut self, _end: &EpochEnd<'_>) -> Result<Flow> {
            Err(Error::Graph("the disk is full".into()))
        }
    }
    let failed = run(trainer().checkpoint(&file).callback(Full));
    assert!(failed.is_err_and(|error| error.to_string().contains("the disk is full")));
    let (whole, reference) = run(trainer())?;
    let (rest, resumed) = run(trainer().resume(&file))?;
    assert_eq!((rest.first_step, &rest.epochs), (8, &whole.epochs));
    assert_eq!(bits(&resumed.weights()?)?, bits(&reference.weights()?)?);
    // What resumes is evaluated with the checkpoint's weights too.
    let first = trainer().resume(&file).evaluate(&Rows::new(21))?;
    assert_eq!(Some(&first), whole.epochs[0].evaluation.as_ref());
    Ok(())
}
