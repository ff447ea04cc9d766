//! Every backward rule against finite differences: for each operator that has a gradient, all small cases of its
//! table that are differentiable at their inputs. So no backward rule goes untested.

use crate::harness::{Case, build, finite};
use crate::{cases, harness};
use std::collections::{BTreeMap, BTreeSet};
use wgrad::HostData;

/// The most elements that a case's inputs have together for each of their slopes to be taken.
const MOST: usize = 600;

/// Operators with inputs of numbers by which PyTorch has no gradient either, or which are constants to it.
const PARTLY: [&str; 6] =
    ["batch_norm", "batch_norm_eval", "bce_with_logits_loss", "cross_entropy", "nll_loss", "where"];

/// The inputs of numbers of a case by which its operator has a gradient, and those by which it has none.
fn differentiable(case: &Case) -> (Vec<usize>, Vec<usize>) {
    (0..case.inputs.len()).filter(|&i| matches!(case.inputs[i].data, HostData::F32(_))).partition(|&i| {
        let mut built = build(case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let value = built.graph.find(&format!("input{i}")).expect("the harness names it so");
        let output = built.outputs[0];
        let shape = built.graph.shape(output).expect("of this graph").clone();
        let gradient = built.graph.input("upstream", shape).expect("shapes of cases are valid");
        let found = built.graph.gradients_from(&[(output, gradient)], &[value]);
        // New contents of a state count as the state itself.
        !case.operator.in_place().contains(&(0, i)) && found.is_ok_and(|gradients| gradients[0].is_some())
    })
}

/// Whether the case has slopes where it stands, and the rule is to give them.
fn has_slopes(case: &Case) -> bool {
    let inputs: Vec<_> = case.inputs.iter().map(harness::array).collect();
    let output = &case.operator.reference(&inputs.iter().collect::<Vec<_>>())[0];
    // No difference is seen against large numbers.
    let tame = inputs.iter().chain([output]).all(|array| array.data.iter().all(|x| x.abs() < 1e3));
    tame && match case.operator.name() {
        // The row of padding learns nothing, and the first of equals wins alone.
        "embedding" => !case.name.contains("padding"),
        "max_pool2d" => !case.name.contains("ties"),
        "lp_pool2d" => output.data.iter().all(|&norm| norm != 0.0),
        _ => true,
    }
}

#[test]
fn every_backward_rule_agrees_with_differences() {
    let mut checked: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut partly, mut failures) = (BTreeSet::new(), Vec::new());
    for (_, cases) in cases::all() {
        for case in &cases {
            let name = case.operator.name();
            let (mut by, without) = differentiable(case);
            if by.is_empty() {
                continue;
            }
            if !without.is_empty() {
                partly.insert(name);
            }
            if name == "kl_div_loss" {
                // Some targets are zero, below which there is no loss; tests/suite/losses.rs has others.
                by.retain(|&i| i != 1);
            }
            let count = checked.entry(name).or_default();
            let elements: usize = case.inputs.iter().map(|input| input.shape.elements()).sum();
            if elements <= MOST && has_slopes(case) {
                *count += 1;
                failures.extend(finite::compare_gradients(case, &by).err());
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(partly.into_iter().collect::<Vec<_>>(), PARTLY, "operators with inputs that have no gradient");
    let never: Vec<_> = checked.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name).collect();
    assert!(never.is_empty(), "no case of these is small: {never:?}");
    assert!(checked.len() > 70, "operators with a gradient are missing: {checked:?}");
}
