//! Operators that move elements or reduce along axes: worked examples, refusals in PyTorch's words, and
//! gradients against finite differences.

mod indices;

use crate::harness::{array, device, finite, floats};
use crate::{cases, harness};
use wgrad::graph::Source;
use wgrad::nn::{self, Layer};
use wgrad::op::AdapterKind;
use wgrad::ops::pad::PadMode;
use wgrad::{
    Caps, DType, Graph, HostTensor, Mode, Plan, PlanOptions, Result, Session, Shape, Value, Weights,
};

/// What `build` makes of 1, 2, 3, ... in this shape, and the gradient of the sum of its product with 1, 2, 3, ...
fn counted(
    shape: impl Into<Shape>,
    build: impl FnOnce(&mut Graph, Value) -> Result<Value>,
) -> (HostTensor, HostTensor) {
    let run = || -> Result<(HostTensor, HostTensor)> {
        let count = |shape: Shape| {
            let data = (1..=shape.elements()).map(|i| i as f32).collect();
            floats(shape, data)
        };
        let mut graph = Graph::new();
        let x = graph.input("x", shape)?;
        let y = build(&mut graph, x)?;
        let upstream = graph.constant(count(graph.shape(y).expect("of this graph").clone()))?;
        let dx = graph.gradients_from(&[(y, upstream)], &[x])?[0].expect("y depends on x");
        let plan = Plan::new(&graph, &[y, dx], device().caps())?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
        session.write(x, &count(graph.shape(x).expect("of this graph").clone()))?;
        session.step()?;
        Ok((session.read(y)?, session.read(dx)?))
    };
    run().unwrap_or_else(|e| panic!("{e}"))
}

fn assert_is(found: &HostTensor, shape: &[usize], numbers: &[f64]) {
    assert_eq!(found.shape[..], *shape);
    assert_eq!(found.to_f64(), numbers);
}

fn refusal(build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> String {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3]).expect("the shape is valid");
    graph.scoped("layer", |graph| build(graph, x)).expect_err("the attributes are wrong").to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn padding_of_a_row_each_way() {
    let pad = |mode| counted([1, 3], move |graph: &mut Graph, x| graph.pad(x, [[2, 1]], mode));
    let (y, dx) = pad(PadMode::Constant(-7.0));
    assert_is(&y, &[1, 6], &[-7.0, -7.0, 1.0, 2.0, 3.0, -7.0]);
    assert_is(&dx, &[1, 3], &[3.0, 4.0, 5.0]);
    let (y, dx) = pad(PadMode::Reflect);
    assert_is(&y, &[1, 6], &[3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    assert_is(&dx, &[1, 3], &[3.0, 2.0 + 4.0 + 6.0, 1.0 + 5.0]);
    let (y, dx) = pad(PadMode::Replicate);
    assert_is(&y, &[1, 6], &[1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    assert_is(&dx, &[1, 3], &[1.0 + 2.0 + 3.0, 4.0, 5.0 + 6.0]);
    let (y, dx) = pad(PadMode::Circular);
    assert_is(&y, &[1, 6], &[2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
    assert_is(&dx, &[1, 3], &[3.0 + 6.0, 1.0 + 4.0, 2.0 + 5.0]);
}

#[test]
fn padding_names_the_innermost_dimension_last() {
    let (y, _) = counted([1, 2], |graph, x| graph.pad(x, [[1, 0], [0, 2]], PadMode::Constant(f32::INFINITY)));
    let inf = f64::INFINITY;
    assert_is(&y, &[2, 4], &[inf, inf, inf, inf, 1.0, 2.0, inf, inf]);
}

#[test]
fn padding_that_can_not_be_is_refused() {
    let refusal = |amounts: &[[usize; 2]], mode| refusal(|graph, x| graph.pad(x, amounts, mode));
    assert_says(
        &refusal(&[[0, 0], [1, 3]], PadMode::Reflect),
        &[
            "pad \"layer\"",
            "padding size should be less than the corresponding input dimension, but got: padding (1, 3) at dimension 1 of input [2, 3]",
        ],
    );
    assert_says(&refusal(&[[3, 0], [0, 0]], PadMode::Circular), &["wrapping around more than once"]);
    assert_says(
        &refusal(&[[0, 0]; 3], PadMode::Constant(0.0)),
        &["padding length 6 and input of dimension 2"],
    );
    assert_says(&refusal(&[[usize::MAX, 1]], PadMode::Replicate), &["too large"]);
    assert_says(&refusal(&[[usize::MAX / 4, 1]], PadMode::Constant(0.0)), &["a tensor holds at most"]);
}

#[test]
fn slices_of_a_matrix() {
    let (y, dx) = counted([3, 5], |graph, x| graph.slice(x, 1, 1..5, 2));
    assert_is(&y, &[3, 2], &[2.0, 4.0, 7.0, 9.0, 12.0, 14.0]);
    assert_is(&dx, &[3, 5], &[0., 1., 0., 2., 0., 0., 3., 0., 4., 0., 0., 5., 0., 6., 0.]);
    let (y, dx) = counted([2, 3], |graph, x| graph.slice(x, 0, 1..2, usize::MAX));
    assert_is(&y, &[1, 3], &[4.0, 5.0, 6.0]);
    assert_is(&dx, &[2, 3], &[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
    let (y, dx) = counted([2, 3], |graph, x| graph.flip(x, &[1]));
    assert_is(&y, &[2, 3], &[3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    assert_is(&dx, &[2, 3], &[3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
    let (y, dx) = counted([2, 3], |graph, x| Ok(graph.split(x, &[2, 1], 1)?[1]));
    assert_is(&y, &[2, 1], &[3.0, 6.0]);
    assert_is(&dx, &[2, 3], &[0.0, 0.0, 1.0, 0.0, 0.0, 2.0]);
}

#[test]
fn slices_that_can_not_be_are_refused() {
    assert_says(&refusal(|graph, x| graph.slice(x, 2, 0..1, 1)), &["axis 2", "2 dimensions of [2, 3]"]);
    for (range, step) in [(1..4, 1), (2..2, 1), (0..2, 0), (usize::MAX..usize::MAX, 1)] {
        let message = refusal(|graph, x| graph.slice(x, 1, range, step));
        assert_says(&message, &["slice \"layer\"", "takes nothing within axis 1 of [2, 3]"]);
    }
    let split = |sizes: &[usize]| refusal(|graph, x| Ok(graph.split(x, sizes, 1)?[0]));
    assert_says(&split(&[2, 2]), &["sum exactly to 3", "at dimension 1", "split_sizes=[2, 2]"]);
    assert_says(&split(&[usize::MAX, 4]), &["sum exactly to 3"]);
    assert_says(&split(&[3, 0]), &["at least 1"]);
    assert_says(&refusal(|graph, x| graph.flip(x, &[1, 1])), &["dim 1 appears multiple times"]);
}

#[test]
fn dimensions_in_another_order() {
    let (y, dx) = counted([2, 3], |graph, x| graph.transpose(x, 1, 0));
    assert_is(&y, &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_is(&dx, &[2, 3], &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    let (y, dx) = counted([2, 1, 3], |graph, x| graph.permute(x, [2, 0, 1]));
    assert_is(&y, &[3, 2, 1], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_is(&dx, &[2, 1, 3], &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);

    let mut graph = Graph::new();
    let x = graph.input("x", [2, 1, 3]).expect("the shape is valid");
    let y = graph.permute(x, [1, 0, 2]).expect("these are the dimensions");
    assert_eq!(graph.shape(y).expect("of this graph")[..], [1, 2, 3]);
    let plan = Plan::new(&graph, &[y], device().caps()).expect("there is nothing to plan");
    assert!(plan.dispatches().is_empty(), "no element changes places");

    assert_says(&refusal(|graph, x| graph.permute(x, [usize::MAX, 0])), &["2 dimensions of [2, 3]"]);
    assert_says(&refusal(|graph, x| graph.permute(x, [0])), &["[2, 3] has 2, the ordering [0] has 1"]);
    assert_says(&refusal(|graph, x| graph.permute(x, [0, 0])), &["duplicate dims are not allowed"]);
    assert_says(&refusal(|graph, x| graph.permute(x, [0, 7])), &["axis 7", "2 dimensions of [2, 3]"]);
    assert_says(&refusal(|graph, x| graph.transpose(x, 0, 2)), &["transpose \"layer\"", "axis 2"]);
}

#[test]
fn concatenation_of_columns() {
    let (y, dx) = counted([2, 2], |graph, x| {
        let last = graph.slice(x, 1, 1..2, 1)?;
        graph.concatenate(&[x, last, x], 1)
    });
    assert_is(&y, &[2, 5], &[1.0, 2.0, 2.0, 1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 4.0]);
    assert_is(&dx, &[2, 2], &[1.0 + 4.0, 2.0 + 3.0 + 5.0, 6.0 + 9.0, 7.0 + 8.0 + 10.0]);

    assert_says(&refusal(|graph, _| graph.concatenate(&[], 0)), &["takes 1 or more inputs, found 0"]);
    let message = refusal(|graph, x| {
        let other = graph.input("other", [2, 4])?;
        graph.concatenate(&[x, other], 0)
    });
    assert_says(
        &message,
        &["must match except in dimension 0. Expected size 3 but got size 4", "tensor number 1"],
    );
    let message = refusal(|graph, x| {
        let other = graph.input("other", [6])?;
        graph.concatenate(&[x, other], 0)
    });
    assert_says(&message, &["same number of dimensions: got 2 and 1"]);
    assert_says(&refusal(|graph, x| graph.concatenate(&[x, x], usize::MAX)), &["2 dimensions of [2, 3]"]);
}

#[test]
fn reductions_of_a_matrix() {
    // [[1, 2, 3], [4, 5, 6]]
    let (y, dx) = counted([2, 3], |graph, x| graph.sum(x, &[1], false));
    assert_is(&y, &[2], &[6.0, 15.0]);
    assert_is(&dx, &[2, 3], &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    let (y, dx) = counted([2, 3], |graph, x| graph.mean(x, &[0], true));
    assert_is(&y, &[1, 3], &[2.5, 3.5, 4.5]);
    assert_is(&dx, &[2, 3], &[0.5, 1.0, 1.5, 0.5, 1.0, 1.5]);
    let (y, dx) = counted([2, 3], |graph, x| graph.max(x, &[], false));
    assert_is(&y, &[], &[6.0]);
    assert_is(&dx, &[2, 3], &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    let (y, dx) = counted([2, 3], |graph, x| graph.min(x, &[1], false));
    assert_is(&y, &[2], &[1.0, 4.0]);
    assert_is(&dx, &[2, 3], &[1.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    // Deviations of the rows are -1, 0, 1.
    let (y, dx) = counted([2, 3], |graph, x| graph.variance(x, &[1], 1, true));
    assert_is(&y, &[2, 1], &[1.0, 1.0]);
    assert_is(&dx, &[2, 3], &[-1.0, 0.0, 1.0, -2.0, 0.0, 2.0]);
    let (y, _) = counted([2, 2], |graph, x| graph.variance(x, &[], 0, false));
    assert_is(&y, &[], &[1.25]);
}

#[test]
fn equals_share_the_gradient_of_the_largest() {
    let (y, dx) = counted([1, 4], |graph, x| {
        let clamped = graph.pad(x, [[0, 3]], PadMode::Replicate)?;
        graph.max(clamped, &[1], false)
    });
    assert_is(&y, &[1], &[4.0]);
    // Four copies of the last element get a quarter each, and it gets all of them.
    assert_is(&dx, &[1, 4], &[0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn reductions_that_can_not_be_are_refused() {
    let message = refusal(|graph, x| graph.sum(x, &[0, 2], false));
    assert_says(&message, &["sum \"layer\"", "axis 2 is outside the 2 dimensions of [2, 3]"]);
    assert_says(&refusal(|graph, x| graph.max(x, &[1, 1], false)), &["dim 1 appears multiple times"]);
    let message = refusal(|graph, x| {
        let x = graph.sum(x, &[1], true)?;
        graph.variance(x, &[1], 1, false)
    });
    assert_says(&message, &["degrees of freedom is <= 0", "1 elements of [2, 1] with a correction of 1"]);
    let message = refusal(|graph, x| graph.variance(x, &[], usize::MAX, false));
    assert_says(&message, &["degrees of freedom is <= 0", "6 elements"]);
    assert_says(&refusal(|graph, x| graph.expand(x, [2, 4])), &["[2, 3] does not broadcast to [2, 4]"]);
    assert_says(&refusal(|graph, x| graph.expand(x, [usize::MAX, 2, 3])), &["a tensor holds at most"]);
    let seven = refusal(|graph, _| {
        let x = graph.input("seven", [1; 7])?;
        graph.sum(x, &[0], false)
    });
    assert_says(&seven, &["at most 6 dimensions"]);
}

/// Neither a mean's factor nor that of its gradient takes a dispatch of its own.
#[test]
fn a_mean_is_one_dispatch_each_way() -> Result<()> {
    let mut graph = Graph::new();
    let x = graph.input("x", [4, 3, 8, 8])?;
    let y = graph.mean(x, &[2, 3], false)?;
    let dy = graph.input("dy", [4, 3])?;
    let dx = graph.gradients_from(&[(y, dy)], &[x])?[0].expect("y depends on x");
    let plan = Plan::new(&graph, &[y, dx], device().caps())?;
    assert_eq!(plan.dispatches().len(), 2, "{plan}");
    Ok(())
}

/// Seven tensors and a result are all that an adapter need bind: what follows stays by itself.
#[test]
fn a_full_concatenation_takes_no_chain() -> Result<()> {
    let mut graph = Graph::new();
    let tensors = (0..7).map(|i| graph.input(&format!("x{i}"), [2, 3])).collect::<Result<Vec<_>>>()?;
    let all = graph.concatenate(&tensors, 1)?;
    let other = graph.input("other", [2, 21])?;
    let y = graph.add(all, other)?;
    let plan = Plan::new(&graph, &[y], &Caps::webgpu_defaults(AdapterKind::Discrete))?;
    assert_eq!(plan.dispatches().len(), 2, "{plan}");
    let widest = plan.dispatches().iter().map(|dispatch| dispatch.bindings.len()).max();
    assert_eq!(widest, Some(8));
    Ok(())
}

#[test]
fn padding_is_a_layer_too() {
    let (y, _) =
        counted([1, 2], |graph, x| nn::Pad::new([[1, 0]], PadMode::Circular).forward(graph, x, Mode::Eval));
    assert_is(&y, &[1, 3], &[2.0, 1.0, 2.0]);
}

/// What works element by element goes into the kernels that move elements or reduce them.
#[test]
fn chains_go_along() {
    let mut cases: Vec<harness::Case> = Vec::new();
    for family in [
        cases::pad::cases,
        cases::slice::cases,
        cases::permute::cases,
        cases::concatenate::cases,
        cases::reduce::cases,
        cases::embedding::cases,
    ] {
        let mut names = Vec::new();
        for case in family() {
            // One problem of each operator and choice of variants.
            let kind = (case.operator.name(), case.variants());
            if kind.1.len() > 1 && case.inputs.len() < 7 && !names.contains(&kind) {
                names.push(kind);
                cases.push(case);
            }
        }
    }
    assert_eq!(cases.len(), 22);
    for case in cases {
        for variant in case.variants() {
            let run = || -> Result<()> {
                let mut built = harness::build(&case)?;
                let y = built.graph.tanh(built.outputs[0])?;
                let other =
                    built.graph.input("other", built.graph.shape(y).expect("of this graph").clone())?;
                let y = built.graph.add(other, y)?;
                let options = PlanOptions::default().variant(case.operator.name(), variant);
                let plan = Plan::with_options(&built.graph, &[y], device().caps(), &options)?;
                assert_eq!(plan.steps().len(), 1, "{plan}");
                let mut session = Session::new(device(), plan, &Weights::init(device(), &built.graph, 0)?)?;
                for (seed, (value, info)) in (1..).zip(built.graph.values()) {
                    match (&info.source, info.ty.dtype) {
                        (Source::Input, DType::I32) => {
                            let indices = case.inputs.iter().find(|input| input.as_f32().is_none());
                            session.write(value, indices.expect("the case has indices"))?;
                        }
                        (Source::Input, _) => {
                            session.write(value, &harness::numbers(info.ty.shape.clone(), seed))?;
                        }
                        _ => {}
                    }
                }
                session.verify().map(|_| ())
            };
            run().unwrap_or_else(|e| panic!("{} [{variant}] {}: {e}", case.operator.name(), case.name));
        }
    }
}

/// Gradients by the rules of one family's cases, of few elements each.
fn check_gradients(cases: Vec<harness::Case>) {
    for case in cases {
        let floats: Vec<usize> =
            (0..case.inputs.len()).filter(|&i| case.inputs[i].as_f32().is_some()).collect();
        if !case.operator.name().ends_with("_grad") && array(&case.inputs[0]).data.len() < 400 {
            finite::check_gradients(&case, &floats);
        }
    }
}

#[test]
fn gradients_agree_with_differences() {
    let infinite = |case: &harness::Case| case.name.contains("inf");
    check_gradients(cases::pad::cases().into_iter().filter(|case| !infinite(case)).collect());
    check_gradients(cases::slice::cases());
    check_gradients(cases::permute::cases());
    check_gradients(cases::concatenate::cases());
    check_gradients(cases::expand::cases());
    // What a padding row would get is left out on purpose.
    let whole = |case: &harness::Case| !case.name.contains("padding");
    check_gradients(cases::embedding::cases().into_iter().filter(whole).collect());
    // The largest and the smallest jump at infinities, and what their gradients need has none.
    let smooth = |case: &harness::Case| {
        !(case.name.contains("extreme") || ["equal_count", "extremum_share"].contains(&case.operator.name()))
    };
    check_gradients(cases::reduce::cases().into_iter().filter(smooth).collect());
}
