//! Measured choices: what the tuner refuses and keeps, the file, and plans that follow it.

mod broken;

use crate::harness::{device, network, sweep};
use std::sync::Arc;
use std::time::Duration;
use wgrad::plan::{Precision, TunedChoice, Tuning, TuningKey};
use wgrad::tune::Tuner;
use wgrad::{Error, Graph, Plan, PlanOptions, Result, Session, Value, Weights};

/// Broken kernels that must be refused.
const BROKEN: usize = 100;

#[test]
fn no_broken_kernel_is_taken() -> Result<()> {
    let cases = broken::kernels(sweep::count(25, BROKEN));
    let mut graph = Graph::new();
    let mut outputs = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut inputs = Vec::new();
        for (i, tensor) in case.inputs.iter().enumerate() {
            inputs.push(graph.input(&format!("input {i} of {number}"), tensor.shape.clone())?);
        }
        outputs.extend(graph.apply_named(format!("case {number}"), Arc::clone(&case.operator), &inputs)?);
    }
    let tuned = Tuner::new(device()).run(&graph, &outputs, &PlanOptions::default())?;
    assert_eq!(tuned.measured.len(), cases.len(), "each is another operator, shape or damage");
    let mut taken = Vec::new();
    for (key, TunedChoice { variant, refused, .. }) in tuned.tuning.choices() {
        if !refused.contains_key(broken::BROKEN.name()) || variant == broken::BROKEN.name() {
            taken.push(format!("{key}: {}", key.attributes));
        }
    }
    assert!(taken.is_empty(), "{} of {} were taken:\n{}", taken.len(), cases.len(), taken.join("\n"));
    // Nor does a plan take one that the file names after all.
    let options = PlanOptions::default().tuned(tuned.tuning);
    let plan = Plan::with_options(&graph, &outputs, device().caps(), &options)?;
    assert!(plan.steps().iter().all(|step| step.variant != broken::BROKEN));
    Ok(())
}

/// Colours that are cut off hide most of what a kernel does. Whether it shows must not hang on the tuner's numbers, which
/// follow from the inputs' names.
#[test]
fn damage_shows_whatever_the_numbers_are() -> Result<()> {
    let cases = broken::kernels(4);
    let case = cases.iter().find(|case| case.operator.name() == "augment_gray").expect("it is an early one");
    for number in 0..20 {
        let mut graph = Graph::new();
        let mut inputs = Vec::new();
        for (i, tensor) in case.inputs.iter().enumerate() {
            inputs.push(graph.input(&format!("input {i} of {number}"), tensor.shape.clone())?);
        }
        let outputs = graph.apply_named("case".into(), Arc::clone(&case.operator), &inputs)?;
        let tuned = Tuner::new(device()).run(&graph, &outputs, &PlanOptions::default())?;
        let refused = |choice: &TunedChoice| choice.refused.contains_key(broken::BROKEN.name());
        assert!(tuned.tuning.choices().all(|(_, choice)| refused(choice)), "taken with numbers {number}");
    }
    Ok(())
}

#[test]
fn a_node_without_a_right_kernel_is_named() {
    let case = broken::without_a_sound_one();
    let mut graph = Graph::new();
    let inputs: Vec<Value> = (0..case.inputs.len())
        .map(|i| graph.input(&format!("input {i}"), case.inputs[i].shape.clone()).expect("names are new"))
        .collect();
    let outputs =
        graph.apply_named("where".into(), Arc::clone(&case.operator), &inputs).expect("the case is valid");
    let error = Tuner::new(device()).run(&graph, &outputs, &PlanOptions::default());
    let message = error.expect_err("nothing is right").to_string();
    for part in [
        case.operator.name(),
        "\"where\"",
        "no kernel variant is right on this device",
        "broken: ",
        "tolerance",
    ] {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

/// Trains some steps with the kernels of a file, and returns the plan as text and the weights' bits.
fn trained(file: &std::path::Path) -> Result<(String, Vec<Vec<f32>>)> {
    let network::Training { graph, images, labels, rate, loss } = network::training(8)?;
    let options = PlanOptions::default().tune(device(), &graph, &[loss], file)?;
    let plan = Plan::with_options(&graph, &[loss], device().caps(), &options)?;
    let text = plan.to_string();
    let weights = Weights::init(device(), &graph, 1)?;
    let mut session = Session::new(device(), plan, &weights)?;
    session.write(images, &crate::harness::numbers([8, 1, 28, 28], 3))?;
    session.write(labels, &crate::harness::labels(8, 10, 4))?;
    session.write_scalar(rate, 0.05)?;
    for _ in 0..3 {
        session.step()?;
    }
    let read = |name: &str| Ok(weights.read(name)?.as_f32().expect("weights are f32").to_vec());
    Ok((text, weights.names().map(read).collect::<Result<_>>()?))
}

#[test]
fn with_one_file_plans_and_bits_are_the_same() -> Result<()> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("kernels.json");
    trained(&file)?;
    let written = std::fs::read(&file).expect("it was written");
    let first = trained(&file)?;
    assert!(first.0.contains("measured "), "the plan says what chose a variant:\n{}", first.0);
    for _ in 1..sweep::count(3, 20) {
        assert!(trained(&file)? == first, "another plan or other bits");
    }
    assert_eq!(std::fs::read(&file).expect("it is still there"), written, "nothing was measured again");
    Ok(())
}

/// A file of choices with these sections.
fn file_of(sections: &[&str]) -> String {
    format!("{{\"format\": \"wgrad tuning 1\", \"adapters\": [{}]}}", sections.join(", "))
}

/// A section of one card, with entries for products of so many elements, of this time or of one that nothing takes.
fn section(microseconds: &str, sizes: &str) -> String {
    let time = if microseconds.is_empty() { "1e308" } else { microseconds };
    let entry = |size: &str| {
        format!(
            "{{\"operator\": \"matmul\", \"attributes\": \"\", \"types\": [\"f32[{size}]\"], \"variant\": \"a\",
            \"microseconds\": {{\"a\": {time}}}}}"
        )
    };
    let entries: Vec<String> = sizes.split(", ").map(entry).collect();
    let head = "\"adapter\": \"card\", \"backend\": \"Vulkan\", \"driver\": \"1\"";
    format!("{{{head}, \"choices\": [{}]}}", entries.join(", "))
}

#[test]
fn a_file_of_something_else_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("kernels.json");
    let mut graph = Graph::new();
    let x = graph.input("x", [4, 4])?;
    let y = graph.relu(x)?;
    for (text, expected) in [
        ("", "no file of kernel choices"),
        ("{\"format\": \"wgrad tuning 1\"", "no file of kernel choices"),
        ("[]", "lacks the text \"format\""),
        ("{\"format\": \"wgrad tuning 9\"}", "expected \"wgrad tuning 1\""),
        ("{\"format\": \"wgrad tuning 1\"}", "lacks the list \"adapters\""),
        ("{\"format\": \"wgrad tuning 1\", \"adapters\": [{\"adapter\": 3}]}", "lacks the text \"adapter\""),
        (&file_of(&[&section("", "1")]), "holds 1e308 for \"a\", expected 0 to 1e12"),
        (&file_of(&[&section("-1.0", "1")]), "holds -1e0 for \"a\""),
        (
            &file_of(&[&section("1.0", "1"), &section("1.0", "2")]),
            "has two sections for adapter \"card\", backend",
        ),
        (&file_of(&[&section("1.0", "1, 1")]), "has two entries for matmul(f32[1]) of \"card\""),
    ] {
        std::fs::write(&file, text).expect("the folder can be written to");
        let error = PlanOptions::default().tune(device(), &graph, &[y], &file);
        let message = error.expect_err("the file is damaged").to_string();
        assert!(message.contains(expected) && message.contains("kernels.json"), "{message}");
        assert_eq!(std::fs::read_to_string(&file).expect("it is there"), text, "it was left alone");
    }
    let missing = folder.path().join("none").join("kernels.json");
    let mut calls = 0;
    let (graph, y) = product(7)?;
    let mut tuner = Tuner::new(device()).file(missing).progress(|_| calls += 1);
    let error = tuner.run(&graph, &[y], &PlanOptions::default());
    drop(tuner);
    assert!(matches!(error, Err(Error::File { action: "writing", .. })), "{error:?}");
    assert_eq!(calls, 0, "before anything is measured");
    Ok(())
}

#[test]
fn other_adapters_choices_stay_in_the_file() -> Result<()> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("kernels.json");
    let other = "{\"format\": \"wgrad tuning 1\", \"adapters\": [{\"adapter\": \"a card\", \"backend\": \"Metal\",
        \"driver\": \"1\", \"choices\": [{\"operator\": \"matmul\", \"attributes\": \"\", \"types\": [\"f32[2, 2]\"],
        \"variant\": \"tiled\", \"microseconds\": {\"tiled\": 1.5}, \"refused\": {\"register\": \"a race\"}}]}]}";
    std::fs::write(&file, other).expect("the folder can be written to");
    let mut graph = Graph::new();
    let (x, w) = (graph.input("x", [9, 5])?, graph.input("w", [5, 7])?);
    let y = graph.matmul(x, w)?;
    let mut calls = Vec::new();
    let tuned = Tuner::new(device()).file(&file).progress(|progress| calls.push(progress.to_string())).run(
        &graph,
        &[y],
        &PlanOptions::default(),
    )?;
    assert_eq!(tuned.tuning.len(), 1, "another adapter's choices are not this one's");
    assert_eq!(calls, ["tuning 1/1: matmul(f32[9, 5], f32[5, 7])", "tuning: the whole step"]);
    let text = std::fs::read_to_string(&file).expect("it was written");
    for part in ["\"a card\"", "\"a race\"", "\"f32[9, 5]\"", device().summary().name.as_str()] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    Ok(())
}

#[test]
fn choices_are_data_and_names_go_first() -> Result<()> {
    let mut graph = Graph::new();
    let (x, w) = (graph.input("x", [9, 5])?, graph.input("w", [5, 7])?);
    let y = graph.matmul(x, w)?;
    let measured = Tuner::new(device()).run(&graph, &[y], &PlanOptions::default())?.tuning;
    let (key, choice) = measured.choices().next().expect("a product has several variants");
    let chosen = |options: &PlanOptions| -> Result<String> {
        let plan = Plan::with_options(&graph, &[y], device().caps(), options)?;
        Ok(plan.steps()[0].variant.name().to_owned())
    };
    assert!(choice.seconds.len() > 1, "{choice:?}");
    for name in choice.seconds.keys() {
        let mut by_hand = Tuning::default();
        let mut other = choice.clone();
        other.variant.clone_from(name);
        by_hand.insert(key.clone(), other);
        let options = PlanOptions::default().tuned(by_hand);
        assert_eq!(chosen(&options)?, *name);
        assert_eq!(chosen(&options.variant("matmul", "tiled"))?, "tiled");
    }
    // No plan takes a refused variant, even if a person wrote it into the file.
    let mut refused = choice.clone();
    for name in choice.seconds.keys() {
        refused.variant.clone_from(name);
        refused.refused.insert(name.clone(), "it is wrong".into());
        let mut tuning = Tuning::default();
        tuning.insert(key.clone(), refused.clone());
        assert_eq!(chosen(&PlanOptions::default().tuned(tuning))?, chosen(&PlanOptions::default())?);
    }
    // Times by hand are printed in a few characters.
    let mut endless = choice.clone();
    endless.seconds.values_mut().for_each(|seconds| *seconds = 1e308);
    let mut tuning = Tuning::default();
    tuning.insert(key.clone(), endless);
    let plan = Plan::with_options(&graph, &[y], device().caps(), &PlanOptions::default().tuned(tuning))?;
    assert!(plan.steps()[0].why.contains("measured 1.00e308 s"), "{}", plan.steps()[0].why);
    // A variant that there is not, as of an older version, leaves the default.
    let mut stale = choice.clone();
    stale.variant = "gone".into();
    let mut tuning = Tuning::default();
    tuning.insert(key.clone(), stale);
    assert_eq!(chosen(&PlanOptions::default().tuned(tuning))?, chosen(&PlanOptions::default())?);
    Ok(())
}

/// A graph with a product of its own shape.
fn product(columns: usize) -> Result<(Graph, Value)> {
    let mut graph = Graph::new();
    let (x, w) = (graph.input("x", [9, 5])?, graph.input("w", [5, columns])?);
    let y = graph.matmul(x, w)?;
    Ok((graph, y))
}

#[test]
fn choices_that_are_written_meanwhile_stay() -> Result<()> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("kernels.json");
    let ((graph, y), (other, z)) = (product(7)?, product(6)?);
    let mut first = true;
    Tuner::new(device())
        .file(&file)
        .progress(|_| {
            if std::mem::take(&mut first) {
                let tuned = Tuner::new(device()).file(&file).run(&other, &[z], &PlanOptions::default());
                assert_eq!(tuned.expect("it can be measured").measured.len(), 1);
            }
        })
        .run(&graph, &[y], &PlanOptions::default())?;
    for (graph, output) in [(&graph, y), (&other, z)] {
        let tuned = Tuner::new(device()).file(&file).run(graph, &[output], &PlanOptions::default())?;
        assert_eq!((tuned.measured.len(), tuned.tuning.len()), (0, 2), "both are in the file");
    }
    // What is stale is measured again.
    let text = std::fs::read_to_string(&file).expect("it was written");
    let names = ["subgroup", "register", "tiled", "vector"].map(|name| format!("\"variant\": \"{name}\""));
    let stale = names.iter().fold(text, |text, name| text.replace(name, "\"variant\": \"gone\""));
    std::fs::write(&file, stale).expect("it can be written");
    let tuned = Tuner::new(device()).file(&file).run(&graph, &[y], &PlanOptions::default())?;
    assert_eq!(tuned.measured.len(), 1);
    Ok(())
}

/// The second product reads f16, and so does its key's node; choices of one precision mean nothing to the other.
#[test]
fn each_precision_has_choices_of_its_own() -> Result<()> {
    let mut graph = Graph::new();
    let (x, first, second) =
        (graph.input("x", [9, 16])?, graph.input("first", [16, 24])?, graph.input("second", [24, 8])?);
    let h = graph.matmul(x, first)?;
    let y = graph.matmul(h, second)?;
    let single = PlanOptions::default();
    let mixed = single.clone().precision(Precision::Mixed);
    for (own, other) in [(&mixed, &single), (&single, &mixed)] {
        let tuned = Tuner::new(device()).run(&graph, &[y], own)?;
        assert_eq!(tuned.measured.len(), 2);
        let measured = |options: &PlanOptions| -> Result<usize> {
            let options = options.clone().tuned(tuned.tuning.clone());
            let plan = Plan::with_options(&graph, &[y], device().caps(), &options)?;
            Ok(plan.steps().iter().filter(|step| step.why.contains("measured")).count())
        };
        assert_eq!([measured(own)?, measured(other)?], [2, 0]);
    }
    Ok(())
}

/// A choice of a variant for a graph of one product.
fn by_hand(key: &TuningKey, choice: &TunedChoice, name: &str) -> Tuning {
    let mut by_hand = choice.clone();
    by_hand.variant = name.to_owned();
    by_hand.refused.clear();
    let mut tuning = Tuning::default();
    tuning.insert(key.clone(), by_hand);
    tuning
}

/// A measured choice does not make a plan fail that would be made without it.
#[test]
fn a_choice_that_is_too_long_for_a_submission_leaves_the_default() -> Result<()> {
    let mut seen = 0;
    for [rows, terms, columns] in [[65, 300, 65], [2, 4096, 9], [1, 5000, 64], [130, 7, 300], [512, 4, 512]] {
        let mut graph = Graph::new();
        let (x, w) = (graph.input("x", [rows, terms])?, graph.input("w", [terms, columns])?);
        let y = graph.matmul(x, w)?;
        let plan = |options: &PlanOptions| Plan::with_options(&graph, &[y], device().caps(), options);
        let by_default = plan(&PlanOptions::default())?.steps()[0].variant.name();
        let measured = Tuner::new(device()).run(&graph, &[y], &PlanOptions::default())?.tuning;
        let (key, choice) = measured.choices().next().expect("a product has several variants");
        for longest in (0..160).map(|power| Duration::from_nanos(1.2f64.powi(power) as u64)) {
            let options = PlanOptions::default().longest_submit(longest);
            if plan(&options).is_err() {
                continue;
            }
            for name in choice.seconds.keys() {
                let fits = plan(&options.clone().variant("matmul", name)).is_ok();
                let tuned = plan(&options.clone().tuned(by_hand(key, choice, name)))?;
                let expected = if fits { name } else { by_default };
                assert_eq!(tuned.steps()[0].variant.name(), expected, "{name} in submissions of {longest:?}");
                seen += usize::from(!fits);
                if seen == 1 && !fits {
                    // Nor does tuning fail, which tries its choices in such submissions.
                    let tuned = Tuner::new(device()).run(&graph, &[y], &options)?.tuning;
                    plan(&options.clone().tuned(tuned))?;
                }
            }
        }
    }
    assert!(
        seen > 0,
        "there is a length of submissions that the default can keep to and another variant can't"
    );
    Ok(())
}
