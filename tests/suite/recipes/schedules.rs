//! Schedules against worked examples.

use wgrad::Result;
use wgrad::optim::{Annealing, OneCycle, Plateau, PlateauOptions, Preferred, Schedule};

fn assert_rates(what: &str, schedule: &Schedule, from: u64, expected: &[f64]) {
    for (step, &expected) in (from..).zip(expected) {
        let found = schedule.rate(step);
        assert!((found - expected).abs() < 1e-12, "{what}, step {step}: found {found}, expected {expected}");
    }
}

#[test]
fn schedules_are_what_their_formulas_say() -> Result<()> {
    let constant = Schedule::constant(0.3)?;
    assert_rates("constant", &constant, 0, &[0.3, 0.3]);
    // As Python's bisect_right counts: a milestone given twice counts twice, and order does not matter.
    let milestones = Schedule::multi_step(1.0, &[4, 2, 4], 0.1)?;
    assert_rates("milestones", &milestones, 0, &[1.0, 1.0, 0.1, 0.1, 1e-3, 1e-3]);
    let polynomial = Schedule::polynomial(2.0, 4, 2.0)?;
    assert_rates("polynomial", &polynomial, 0, &[2.0, 1.125, 0.5, 0.125, 0.0, 0.0]);
    let lambda = Schedule::lambda(0.5, |step| 1.0 / (step + 1) as f64)?;
    assert_rates("lambda", &lambda, 0, &[0.5, 0.25, 0.5 / 3.0, 0.125]);
    assert_eq!(lambda, lambda.clone());
    assert_ne!(lambda, Schedule::lambda(0.5, |step| 1.0 / (step + 1) as f64)?);
    // cos(pi / 3) is one half.
    let cosine = Schedule::cosine(1.1, 3, 0.1)?;
    assert_rates("cosine", &cosine, 0, &[1.1, 0.85, 0.35, 0.1, 0.35, 0.85, 1.1]);
    let same = Schedule::cosine_with_restarts(1.1, 3, 1, 0.1)?;
    assert_rates("restarts", &same, 0, &[1.1, 0.85, 0.35, 1.1, 0.85, 0.35, 1.1]);
    // Three steps, then six, then twelve.
    let longer = Schedule::cosine_with_restarts(1.0, 3, 2, 0.0)?;
    assert_rates("longer restarts", &longer, 2, &[0.25, 1.0]);
    assert_rates("longer restarts", &longer, 5, &[0.75, 0.5, 0.25]);
    assert_rates("longer restarts", &longer, 9, &[1.0]);
    assert_rates("longer restarts", &longer, 13, &[0.75]);
    let _ = longer.rate(u64::MAX);
    Ok(())
}

#[test]
fn one_cycle_goes_up_and_down() -> Result<()> {
    // The largest rate comes at 0.4 x 10 - 1 = 3, the smallest at 9; with three phases the first rate comes
    // again at 2 x 0.4 x 10 - 2 = 6.
    let cycle = |total_steps| {
        let cycle = OneCycle::new(1.0, total_steps).pct_start(0.4).anneal_strategy(Annealing::Linear);
        cycle.div_factor(4.0).final_div_factor(10.0)
    };
    let two = Schedule::one_cycle(cycle(10))?;
    assert_rates("two phases", &two, 0, &[0.25, 0.5, 0.75, 1.0, 0.8375]);
    assert_rates("two phases", &two, 9, &[0.025, 0.025]);
    let three = Schedule::one_cycle(cycle(10).three_phase(true))?;
    assert_rates("three phases", &three, 2, &[0.75, 1.0, 0.75, 0.5, 0.25, 0.175, 0.1, 0.025, 0.025]);
    let _ = three.rate(u64::MAX);
    // Nothing to rise in, no time at all.
    let falling = Schedule::one_cycle(cycle(10).pct_start(0.0))?;
    assert!(falling.rates().take(20).all(|rate| (0.024..=1.0).contains(&rate)));
    for pct_start in [0.0, 0.1, 0.5, 1.0] {
        for total_steps in [1, 2, 10] {
            for three_phase in [false, true] {
                let cycle = cycle(total_steps).pct_start(pct_start).three_phase(three_phase);
                let schedule = Schedule::one_cycle(cycle)?;
                assert!(schedule.rates().take(12).all(f64::is_finite), "{schedule:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn schedules_follow_one_another_and_multiply() -> Result<()> {
    let warm = Schedule::linear(1.0, 0.2, 1.0, 2)?;
    let chain = warm.then(3, Schedule::step(0.5, 2, 0.1)?).then(6, Schedule::constant(7.0)?);
    assert_rates("in sequence", &chain, 0, &[0.2, 0.6, 1.0, 0.5, 0.5, 0.05, 7.0]);
    // The example in PyTorch's documentation of ChainedScheduler, to the digits it gives.
    let product = Schedule::reduced(0.5, 0.1, 20)?.times(Schedule::exponential(0.5, 0.9)?);
    for (step, expected) in [(0, 0.05), (1, 0.045), (19, 0.00675), (20, 0.06078)] {
        let found = product.rate(step);
        assert!((found - expected).abs() < 1e-5, "step {step}: found {found}, expected {expected}");
    }
    Ok(())
}

#[test]
fn a_plateau_lowers_the_rate() -> Result<()> {
    let options = PlateauOptions::new().factor(0.5).patience(1).cooldown(2).min_rate(0.3);
    let mut plateau = Plateau::new(1.0, options.clone())?;
    // Better, no better by a ten-thousandth, the second in a row; then two that do not count; a better one
    // than the best; and again two, the second of which would fall below the smallest rate.
    let metrics = [1.0, 0.99995, 1.5, 2.0, 2.0, f64::NAN, 0.5, 0.5, 0.6, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
    let expected = [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3];
    let found: Vec<f64> = metrics.iter().map(|&metric| plateau.step(metric)).collect();
    assert_eq!(found, expected);
    assert_eq!(plateau.rate(), 0.3);

    let amount = PlateauOptions::new().preferred(Preferred::Larger).relative(false).threshold(0.1);
    let mut plateau = Plateau::new(1.0, amount.patience(0))?;
    let found: Vec<f64> = [0.5, 0.61, 0.7, 0.72].iter().map(|&metric| plateau.step(metric)).collect();
    assert_eq!(found, [1.0, 1.0, 0.1, 0.1], "0.7 is not better by a tenth, 0.72 is");
    // A fall by no more than eps is none.
    let mut plateau = Plateau::new(1e-8, options.patience(0))?;
    plateau.step(1.0);
    assert_eq!(plateau.step(1.0), 1e-8);
    Ok(())
}

#[test]
fn mistakes_in_schedules_are_named() {
    let text = |schedule: Result<Schedule>| schedule.expect_err("this is a mistake").to_string();
    assert_eq!(text(Schedule::constant(0.0)), "rate: must be above 0 and finite, found 0");
    assert_eq!(text(Schedule::step(1.0, 0, 0.5)), "steps: must be at least 1, found 0");
    assert_eq!(text(Schedule::exponential(1.0, f64::NAN)), "gamma: must be at least 0 and finite, found NaN");
    assert_eq!(text(Schedule::cosine(1.0, 5, -1.0)), "minimum: must be at least 0 and finite, found -1");
    assert_eq!(text(Schedule::cosine_with_restarts(1.0, 5, 0, 0.0)), "growth: must be at least 1, found 0");
    let error = text(Schedule::linear(1.0, 0.0, 1.0, 5));
    assert_eq!(error, "start: must be above 0 and at most 1 and finite, found 0");
    let error = text(Schedule::one_cycle(OneCycle::new(1.0, 5).pct_start(1.5)));
    assert_eq!(error, "pct_start: must be between 0 and 1 and finite, found 1.5");
    let error = Plateau::new(1.0, PlateauOptions::new().factor(1.0));
    assert_eq!(
        error.expect_err("a factor of 1 lowers nothing").to_string(),
        "factor: must be at least 0 and below 1 and finite, found 1"
    );
}
