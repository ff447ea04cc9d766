//! Pooling and resampling against PyTorch's answers and worked examples, and backward rules against finite
//! differences.

mod refusals;
mod resampling;
mod unpooling;

use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, array, device, finite, floats, numbers};
use crate::{cases, harness};
use std::collections::BTreeSet;
use wgrad::ops::pool2d::{
    Average, AvgPool1dOptions, AvgPool2d, AvgPool2dOptions, LpPool2d, LpPool2dOptions, MaxPool1dOptions,
    MaxPool2d, MaxPool2dOptions, Norm, Pool2d, WeightedAvgPool2dOptions, Weighting, Windows,
};
use wgrad::{Error, Graph, HostTensor, Plan, PlanOptions, Session, Value, Weights};

/// What f32 rounding may change, relative to a tensor's largest value.
const TOLERANCE: f64 = 1e-5;

/// The output and the input's gradient of what `build` makes of `x`, for an output's gradient of `dy`, or
/// of ones.
fn passes(
    x: &HostTensor,
    dy: Option<&HostTensor>,
    build: impl FnOnce(&mut Graph, Value) -> Result<Value, Error>,
) -> Result<(HostTensor, HostTensor), Error> {
    let mut graph = Graph::new();
    let input = graph.input("x", x.shape.clone())?;
    let output = build(&mut graph, input)?;
    let shape = graph.shape(output).expect("of this graph").clone();
    let upstream = graph.input("dy", shape.clone())?;
    let gradient = graph.gradients_from(&[(output, upstream)], &[input])?[0].expect("y depends on x");
    let plan = Plan::new(&graph, &[output, gradient], device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
    session.write(input, x)?;
    session.write(upstream, dy.unwrap_or(&HostTensor::filled(shape, 1.0)?))?;
    session.step()?;
    Ok((session.read(output)?, session.read(gradient)?))
}

/// One plane of rows.
fn plane<const H: usize, const W: usize>(rows: [[f32; W]; H]) -> HostTensor {
    floats([1, 1, H, W], rows.as_flattened().to_vec())
}

fn assert_numbers(found: &HostTensor, expected: &[f64], what: &str) {
    let found = found.to_f64();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{what}: {found} {expected}");
    }
}

/// Every case of the file, each by the operator that it names.
#[test]
fn pooling_agrees_with_pytorch() -> Result<(), Error> {
    for fixture in Fixture::all("pool2d") {
        let (x, dy) = (fixture.f32("input"), fixture.f32("grad_output"));
        let flag = |name: &str, default| fixture.attributes[name].as_bool().unwrap_or(default);
        let pair = |name: &str| fixture.pair(name);
        let ceil_mode = flag("ceil_mode", false);
        let (y, dx) = passes(&x, Some(&dy), |g, x| match fixture.attributes["op"].as_str() {
            Some("max_pool2d") => {
                let pool =
                    MaxPool2dOptions::new(pair("kernel")).stride(pair("stride")).padding(pair("padding"));
                let dilated = !fixture.attributes["dilation"].is_null();
                let pool = if dilated { pool.dilation(pair("dilation")) } else { pool };
                g.max_pool2d(x, pool.ceil_mode(ceil_mode))
            }
            Some("avg_pool2d") => {
                let pool =
                    AvgPool2dOptions::new(pair("kernel")).stride(pair("stride")).padding(pair("padding"));
                let pool = pool.count_include_pad(flag("count_include_pad", true));
                g.avg_pool2d(x, pool.ceil_mode(ceil_mode))
            }
            Some("lp_pool2d") => {
                assert_eq!(pair("padding"), [0, 0]);
                let pool = LpPool2dOptions::new(pair("kernel")).stride(pair("stride")).ceil_mode(ceil_mode);
                g.lp_pool2d(x, fixture.number("norm", 0.0) as f32, pool)
            }
            Some("adaptive_avg_pool2d") => g.adaptive_avg_pool2d(x, fixture.pair("output_size")),
            other => panic!("{}: no operator {other:?}", fixture.name),
        })?;
        assert_close(&fixture, "output", &y, TOLERANCE);
        assert_close(&fixture, "grad_input", &dx, TOLERANCE);
    }
    Ok(())
}

/// Every kernel keeps exactly the taps that the reference finds: ties included, each part of a word.
#[test]
fn max_pool2d_keeps_the_first_of_equals() -> Result<(), Error> {
    let two = Pool2d::new([2, 2]);
    for (windows, shape) in [
        (Windows::from(two), [2, 4, 8, 8]),
        (two.into(), [2, 4, 6, 6]),
        (Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]).into(), [2, 3, 9, 10]),
        (Pool2d::new([17, 17]).stride([1, 1]).into(), [1, 2, 19, 18]),
        (Pool2d::new([12, 13]).into(), [1, 3, 12, 13]),
        (Pool2d::new([19, 20]).into(), [1, 3, 19, 20]),
        (Windows::Adaptive([2, 3]), [1, 3, 7, 8]),
    ] {
        let data = numbers(shape, 9).to_f64().iter().map(|x| (2.0 * x).round() as f32).collect();
        let case = Case::new("ties", MaxPool2d(windows), vec![floats(shape, data)]);
        let expected = case.operator.reference(&[&array(&case.inputs[0])]);
        for variant in case.variants() {
            let found = harness::run(&case, variant)?;
            assert_eq!(found[0].to_f64(), expected[0].data, "{variant} {shape:?}");
            assert_eq!(found[1].to_f64(), expected[1].data, "{variant} {shape:?}");
        }
    }
    Ok(())
}

/// Weights of 1 in the middle, 1/2 beside it, 1 / (1 + sqrt(2)) across the corner.
#[test]
fn weighted_averages_by_hand() -> Result<(), Error> {
    let x = plane([[1.0, 0.0, 0.0], [10.0, 100.0, 0.0], [0.0, 0.0, 0.0]]);
    let corner = 1.0 / (1.0 + 2f64.sqrt());
    let all = 1.0 + 4.0 * 0.5 + 4.0 * corner;
    let (y, dx) = passes(&x, None, |g, x| g.weighted_avg_pool2d(x, WeightedAvgPool2dOptions::new([3, 3])))?;
    assert_numbers(&y, &[(corner + 5.0 + 100.0) / all], "one window");
    let [c, e, m] = [corner / all, 0.5 / all, 1.0 / all];
    assert_numbers(&dx, &[c, e, c, e, m, e, c, e, c], "its gradient");
    // The first window's middle is the first element; what it lacks counts as zeros, or not at all.
    let pool = WeightedAvgPool2dOptions::new([3, 3]).padding([1, 1]);
    let sum = 1.0 + 0.5 * 10.0 + corner * 100.0;
    let (y, _) = passes(&x, None, |g, x| g.weighted_avg_pool2d(x, pool))?;
    assert_numbers(&y, &[sum / all], "padding counted");
    let (y, dx) = passes(&x, None, |g, x| g.weighted_avg_pool2d(x, pool.count_include_pad(false)))?;
    let part = 2.0 + corner;
    assert_numbers(&y, &[sum / part], "padding not counted");
    let [c, e, m] = [corner / part, 0.5 / part, 1.0 / part];
    assert_numbers(&dx, &[m, e, 0.0, e, c, 0.0, 0.0, 0.0, 0.0], "its gradient");
    Ok(())
}

#[test]
fn norms_by_hand() -> Result<(), Error> {
    let two = LpPool2dOptions::new([1, 2]);
    let norm =
        |p: f32, x: &HostTensor, pool: LpPool2dOptions| passes(x, None, |g, x| g.lp_pool2d(x, p, pool));
    let x = plane([[3.0, -4.0, 0.0, 0.0]]);
    let (y, dx) = norm(2.0, &x, two)?;
    assert_numbers(&y, &[5.0, 0.0], "p = 2");
    assert_numbers(&dx, &[0.6, -0.8, 0.0, 0.0], "p = 2, gradient");
    let (y, dx) = norm(1.0, &x, two)?;
    assert_numbers(&y, &[-1.0, 0.0], "p = 1");
    assert_numbers(&dx, &[1.0, 1.0, 0.0, 0.0], "p = 1, gradient");
    let (y, dx) = norm(3.0, &x, two)?;
    let root = -f64::cbrt(37.0);
    assert_numbers(&y, &[root, 0.0], "p = 3");
    assert_numbers(&dx, &[9.0 / root.powi(2), 16.0 / root.powi(2), 0.0, 0.0], "p = 3, gradient");
    let (y, dx) = norm(0.5, &x, two)?;
    let sum = 3f64.sqrt() + 2.0;
    assert_numbers(&y, &[sum * sum, 0.0], "p = 1/2");
    assert_numbers(&dx, &[sum / 3f64.sqrt(), -sum / 2.0, 0.0, 0.0], "p = 1/2, gradient");
    let (y, dx) = norm(f32::INFINITY, &x, two)?;
    assert_numbers(&y, &[4.0, 0.0], "p = infinity");
    assert_numbers(&dx, &[0.0, -1.0, 0.0, 0.0], "p = infinity, gradient");
    // The window that ceil mode keeps counts as a whole one.
    let x = plane([[1.0, 2.0, 3.0]]);
    let (y, dx) = norm(1.0, &x, two.ceil_mode(true))?;
    assert_numbers(&y, &[3.0, 6.0], "ceil mode");
    assert_numbers(&dx, &[1.0, 1.0, 2.0], "ceil mode, gradient");
    Ok(())
}

#[test]
fn adaptive_and_global_windows_by_hand() -> Result<(), Error> {
    // Windows 0..3, 2..5 and 4..7.
    let x = plane([[1.0, 5.0, 2.0, 5.0, 3.0, 7.0, 9.0]]);
    let (y, dx) = passes(&x, None, |g, x| g.adaptive_max_pool2d(x, [1, 3]))?;
    assert_numbers(&y, &[5.0, 5.0, 9.0], "max");
    assert_numbers(&dx, &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0], "max, gradient");
    let (y, dx) = passes(&x, None, |g, x| g.adaptive_avg_pool2d(x, [1, 3]))?;
    assert_numbers(&y, &[8.0 / 3.0, 10.0 / 3.0, 19.0 / 3.0], "mean");
    let third = 1.0 / 3.0;
    assert_numbers(&dx, &[third, third, 2.0 * third, third, 2.0 * third, third, third], "mean, gradient");
    let (y, dx) = passes(&x, None, Graph::global_max_pool2d)?;
    assert_eq!(y, floats([1, 1, 1, 1], vec![9.0]));
    assert_numbers(&dx, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], "global max, gradient");
    let (y, dx) = passes(&x, None, Graph::global_avg_pool2d)?;
    assert_numbers(&y, &[32.0 / 7.0], "global mean");
    assert_numbers(&dx, &[1.0 / 7.0; 7], "global mean, gradient");
    Ok(())
}

#[test]
fn lines_are_pooled_as_planes_of_height_one() -> Result<(), Error> {
    let line = floats([1, 1, 5], vec![1.0, 4.0, 2.0, 8.0, 16.0]);
    let max = MaxPool1dOptions::new(2).padding(1);
    let (y, dx) = passes(&line, None, |g, x| g.max_pool1d(x, max))?;
    assert_eq!(y, floats([1, 1, 3], vec![1.0, 4.0, 16.0]));
    assert_eq!(dx, floats([1, 1, 5], vec![1.0, 1.0, 0.0, 0.0, 1.0]));
    let (y, _) = passes(&line, None, |g, x| g.max_pool1d(x, MaxPool1dOptions::new(2).dilation(3).stride(1)))?;
    assert_eq!(y.to_f64(), [8.0, 16.0]);
    let average = AvgPool1dOptions::new(2).padding(1);
    let (y, dx) = passes(&line, None, |g, x| g.avg_pool1d(x, average.stride(3).ceil_mode(true)))?;
    assert_eq!(y.to_f64(), [0.5, 5.0]);
    assert_eq!(dx.to_f64(), [0.5, 0.0, 0.5, 0.5, 0.0]);
    let (y, _) = passes(&line, None, |g, x| g.avg_pool1d(x, average.count_include_pad(false)))?;
    assert_eq!(y.to_f64(), [1.0, 3.0, 12.0]);
    // Windows 0..3 and 2..5.
    let (y, _) = passes(&line, None, |g, x| g.adaptive_max_pool1d(x, 2))?;
    assert_eq!(y.to_f64(), [4.0, 16.0]);
    let (y, dx) = passes(&line, None, |g, x| g.adaptive_avg_pool1d(x, 2))?;
    assert_numbers(&y, &[7.0 / 3.0, 26.0 / 3.0], "adaptive");
    let third = 1.0 / 3.0;
    assert_numbers(&dx, &[third, third, 2.0 * third, third, third], "adaptive, gradient");
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 5])?;
    for (made, words) in [
        (
            g.max_pool1d(x, MaxPool1dOptions::new(0)),
            "max_pool1d \"max_pool1d\": kernel size should be greater than zero",
        ),
        (g.avg_pool1d(x, AvgPool1dOptions::new(usize::MAX)), "avg_pool1d \"avg_pool1d\": a kernel"),
        (g.adaptive_avg_pool1d(x, 0), "output_size along the width must be at least 1, found 0"),
        (g.adaptive_max_pool1d(x, usize::MAX), "out of range"),
    ] {
        refused(made, words);
    }
    assert_eq!(g.nodes().count(), 0, "what was refused left no node");
    let image = g.input("image", [1, 1, 5, 5])?;
    refused(g.max_pool1d(image, max), "expected f32 of shape (N, C, L), found f32[1, 1, 5, 5]");
    Ok(())
}

#[test]
fn averages_divide_by_the_divisor_given() -> Result<(), Error> {
    let x = plane([[1.0, 2.0, 3.0, 4.0]]);
    // Windows of zero and 1, 2 and 3, 4 and zero.
    let pool = AvgPool2dOptions::new([1, 2]).padding([0, 1]).divisor_override(4);
    let (y, dx) = passes(&x, None, |g, x| g.avg_pool2d(x, pool))?;
    assert_numbers(&y, &[0.25, 1.25, 1.0], "divisor of 4");
    assert_numbers(&dx, &[0.25; 4], "its gradient");
    Ok(())
}

fn refused(made: Result<Value, Error>, words: &str) {
    let message = made.expect_err(words).to_string();
    assert!(message.contains(words), "expected \"{words}\" in: {message}");
}

/// An input whose norms differences can follow: away from zero, where powers below one are steep, and
/// of one sign a plane for odd powers, whose sums may be zero otherwise.
fn steady(shape: [usize; 4], p: f32) -> HostTensor {
    let plane = shape[2] * shape[3];
    let away = |(i, x): (usize, f64)| {
        let sign = if p % 2.0 != 1.0 {
            x.signum()
        } else if (i / plane).is_multiple_of(2) {
            1.0
        } else {
            -1.0
        };
        (sign * (0.3 + x.abs())) as f32
    };
    floats(shape, numbers(shape, 11).to_f64().into_iter().enumerate().map(away).collect())
}

/// By the references, whose backward rules the kernels are compared with.
#[test]
fn pooling_gradients_are_slopes() {
    let shape = [2, 2, 6, 7];
    for pool in [
        Pool2d::new([2, 2]),
        Pool2d::new([3, 2]).stride([2, 1]).padding([1, 1]).ceil_mode(true),
        Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]).count_include_pad(false),
        Pool2d::new([2, 3]).stride([1, 2]).dilation([3, 2]),
    ] {
        let x = || vec![numbers(shape, 11)];
        finite::check_gradients(&Case::new("max", MaxPool2d(pool.into()), x()), &[0]);
        if pool.dilation == [1, 1] {
            for weighting in [Weighting::Equal, Weighting::Distance] {
                let average = Average { windows: pool.into(), weighting };
                finite::check_gradients(&Case::new("average", AvgPool2d(average), x()), &[0]);
            }
            for p in [0.75, 1.0, 2.0, 2.5, 3.0, 4.0] {
                let norm = Norm { p, pool: pool.padding([0, 0]) };
                finite::check_gradients(&Case::new("norm", LpPool2d(norm), vec![steady(shape, p)]), &[0]);
            }
        }
    }
    for (pool, input) in [
        (Pool2d::new([2, 2]), [2, 2, 6, 7]),
        (Pool2d::new([3, 3]).stride([2, 1]).padding([1, 1]), [1, 2, 6, 7]),
    ] {
        let unpool = cases::pool2d::unpool("unpooling", pool, input, [6, 7]).remove(0);
        finite::check_gradients(&unpool, &[0]);
    }
    for output in [[4, 3], [7, 9], [1, 5]] {
        let (windows, x) = (Windows::Adaptive(output), || vec![numbers(shape, 12)]);
        finite::check_gradients(&Case::new("adaptive max", MaxPool2d(windows), x()), &[0]);
        let average = Average { windows, weighting: Weighting::Equal };
        finite::check_gradients(&Case::new("adaptive average", AvgPool2d(average), x()), &[0]);
    }
}

/// What follows element by element goes into the kernel, in every variant of everything that says so.
#[test]
fn chains_go_into_pooling_and_resampling() -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for case in cases::pool2d::cases().iter().chain(&cases::upsample::cases()) {
        for variant in case.variants() {
            // The first case may have a single element, where no mistake in a place shows.
            let elements: usize = case.inputs[0].shape.elements();
            let name = case.operator.name();
            if !case.operator.has_epilogue() || elements < 16 || !seen.insert((name, variant)) {
                continue;
            }
            let mut built = harness::build(case)?;
            let graph = &mut built.graph;
            let shape = graph.shape(built.outputs[0]).expect("of this graph").clone();
            let other = graph.input("other", shape.clone())?;
            let chain = graph.mul(built.outputs[0], other)?;
            let chain = graph.sigmoid(chain)?;
            let options = PlanOptions::default().variant(name, variant);
            let plan = Plan::with_options(graph, &[chain], device().caps(), &options)?;
            assert_eq!(plan.steps().len(), 1, "{name} [{variant}]: {plan}");
            let mut session = Session::new(device(), plan, &Weights::init(device(), graph, 0)?)?;
            for (i, tensor) in case.inputs.iter().enumerate() {
                session.write(graph.find(&format!("input{i}")).expect("the harness names it so"), tensor)?;
            }
            session.write(other, &numbers(shape, 3))?;
            session.verify()?;
        }
    }
    for name in ["avg_pool2d", "avg_pool2d_grad"] {
        let variants = seen.iter().filter(|(operator, _)| *operator == name).count();
        assert!(variants >= 3, "{name} has variants that no case reaches");
    }
    Ok(())
}
