//! Truth values that are computed: comparisons, logic, casts and choices, which the ONNX project's tests ask of known ones
//! only; max pooling that is undone; and all of these written and read again.

use crate::harness::{device, floats as tensor, numbers};
use crate::message::{field, floats, initializer, int, model, node, port};
use wgrad::graph::Mode;
use wgrad::nn::{self, Layer};
use wgrad::onnx::{Export, Model};
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::{Error, Graph, HostTensor, Plan, Result, Session, Value, Weights};

/// A node with an attribute that is an integer.
fn with_int(operator: &str, inputs: &[&str], outputs: &[&str], name: &str, number: i64) -> Vec<u8> {
    let names = |tag: u64, names: &[&str]| -> Vec<u8> {
        names.iter().flat_map(|name| field(tag, name.as_bytes())).collect()
    };
    let attribute = [field(1, name.as_bytes()), int(3, number), int(20, 2)].concat();
    field(
        1,
        &[names(1, inputs), names(2, outputs), field(4, operator.as_bytes()), field(5, &attribute)].concat(),
    )
}

/// An initialiser of truth values.
fn truths(name: &str, values: &[u8]) -> Vec<u8> {
    field(5, &[int(1, values.len() as i64), int(2, 9), field(8, name.as_bytes()), field(9, values)].concat())
}

fn cast(input: &str, output: &str, to: i64) -> Vec<u8> {
    with_int("Cast", &[input], &[output], "to", to)
}

const FLOAT: i64 = 1;
const INT64: i64 = 7;
const BOOL: i64 = 9;

/// The outputs of a model for `x`, or why it can't be built.
fn computed(graph: &[Vec<u8>], x: &HostTensor) -> Result<Vec<Vec<f64>>> {
    let mut g = Graph::new();
    let network = Model::from_bytes(model(graph))?.import().shape("x", x.shape.clone()).build(&mut g)?;
    let names = network.outputs().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let values = names.iter().map(|name| network.value(name)).collect::<Result<Vec<_>>>()?;
    let plan = Plan::new(&g, &values, device().caps())?;
    let mut session = Session::new(device(), plan, &Weights::init(device(), &g, 0)?)?;
    session.write(network.input("x")?, x)?;
    session.step()?;
    values.into_iter().map(|value| Ok(session.read(value)?.to_f64())).collect()
}

#[test]
fn logic_of_computed_truth_values() -> Result<()> {
    let x = tensor([6], vec![-2.0, 0.0, 0.5, 1.0, f32::NAN, f32::INFINITY]);
    let outputs = ["and", "or", "xor", "not", "same", "cast", "chosen", "of_known", "back"];
    let mut graph = vec![
        initializer("zero", &[], &floats(&[0.0])),
        initializer("one", &[], &floats(&[1.0])),
        truths("known", &[1, 0, 1, 0, 1, 0]),
        node("Greater", &["x", "zero"], "a"),
        node("Less", &["x", "one"], "b"),
        node("And", &["a", "b"], "and"),
        node("Or", &["a", "b"], "or"),
        node("Xor", &["known", "a"], "xor"),
        node("Not", &["b"], "not"),
        node("Equal", &["a", "known"], "same"),
        cast("x", "truth", BOOL),
        cast("truth", "cast", FLOAT),
        node("Where", &["truth", "known", "b"], "chosen"),
        node("Where", &["known", "a", "b"], "of_known"),
        cast("cast", "again", BOOL),
        cast("again", "back", FLOAT),
        port(11, "x", &[None]),
    ];
    graph.extend(outputs.map(|name| port(12, name, &[None])));
    let found = computed(&graph, &x)?;
    // x:  -2   0  .5   1 nan inf
    // a:   0   0   1   1   0   1
    // b:   1   1   1   0   0   0
    let expected = [
        ("and", [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
        ("or", [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]),
        ("xor", [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("not", [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
        ("same", [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ("cast", [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        ("chosen", [1.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
        ("of_known", [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ("back", [1.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
    ];
    for (found, (name, expected)) in found.iter().zip(expected) {
        assert_eq!(found[..], expected, "{name}");
    }
    Ok(())
}

fn refused(graph: &[Vec<u8>], part: &str) {
    let error = computed(graph, &tensor([4], vec![1.0; 4])).expect_err(part).to_string();
    assert!(error.contains(part), "expected \"{part}\" in: {error}");
}

#[test]
fn integers_that_are_computed_are_refused() {
    let ports = [port(11, "x", &[None]), port(12, "y", &[None])];
    let zero = initializer("zero", &[], &floats(&[0.0]));
    let truth = node("Greater", &["x", "zero"], "truth");
    refused(
        &[&[zero.clone(), truth.clone(), cast("truth", "y", INT64)], &ports[..]].concat(),
        "a cast of computed values between integers and others is not supported",
    );
    let index = with_int("ArgMax", &["x"], &["index"], "axis", 0);
    refused(
        &[&[zero.clone(), index, node("Less", &["index", "zero"], "y")], &ports[..]].concat(),
        "input 0 must be floats, found i32",
    );
    refused(
        &[&[zero, node("Not", &["zero"], "n"), node("And", &["x", "zero"], "y")], &ports[..]].concat(),
        "truth values",
    );
}

/// The network of a graph on `x`, written and read again, gives the same bits.
fn comes_back(x: &HostTensor, build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Result<Vec<f64>> {
    let run = |g: &Graph, input: Value, output: Value| -> Result<HostTensor> {
        let plan = Plan::new(g, &[output], device().caps())?;
        let mut session = Session::new(device(), plan, &Weights::init(device(), g, 0)?)?;
        session.write(input, x)?;
        session.step()?;
        session.read(output)
    };
    let mut g = Graph::new();
    let input = g.input("x", x.shape.clone())?;
    let output = build(&mut g, input)?;
    let expected = run(&g, input, output)?;
    let file = Export::new(&g).output("y", output).batch("N").to_bytes(&Weights::init(device(), &g, 0)?)?;
    let mut back = Graph::new();
    let network = Model::from_bytes(file)?.import().dimension("N", x.shape[0]).build(&mut back)?;
    let found = run(&back, network.input("x")?, network.value("y")?)?;
    assert_eq!(found, expected);
    Ok(found.to_f64())
}

#[test]
fn comparisons_and_choices_come_back() -> Result<()> {
    let x = tensor([2, 4], vec![-2.5, -0.5, 0.0, 0.5, 1.5, 2.5, f32::INFINITY, 0.25]);
    let found = comes_back(&x, |g, x| {
        let zero = g.constant(HostTensor::f32([], vec![0.0])?)?;
        let sign = g.sign(x)?;
        let (floor, ceil, round) = (g.floor(x)?, g.ceil(x)?, g.round(x)?);
        let (nan, infinite) = (g.is_nan(x)?, g.is_inf(x)?);
        let mut sum = g.add(nan, infinite)?;
        for (a, b) in [(floor, round), (ceil, round), (sign, zero), (x, zero)] {
            for truth in [g.eq(a, b)?, g.ne(a, b)?, g.lt(a, b)?, g.le(a, b)?, g.gt(a, b)?, g.ge(a, b)?] {
                let doubled = g.scale(sum, 1.5)?;
                sum = g.add(doubled, truth)?;
            }
        }
        let above = g.gt(x, zero)?;
        g.where_(above, sum, x)
    })?;
    assert_eq!(found[..3], [-2.5, -0.5, 0.0]);
    assert!(found[3] > 1.0 && found[6] > found[5], "{found:?}");
    Ok(())
}

#[test]
fn max_pooling_that_is_undone_comes_back() -> Result<()> {
    let found = comes_back(&numbers([2, 3, 8, 8], 5), |g, x| {
        let (y, places) = g.max_pool2d_with_indices(x, MaxPool2dOptions::new([2, 2]))?;
        let y = nn::Relu.forward(g, y, Mode::Eval)?;
        g.max_unpool2d(y, &places, [8, 8])
    })?;
    assert!(found.iter().filter(|&&x| x != 0.0).count() > 40);
    // Planes of odd sizes say their size themselves; the batch is fixed then.
    let x = numbers([1, 2, 5, 7], 6);
    let mut g = Graph::new();
    let input = g.input("x", x.shape.clone())?;
    let (y, places) = g.max_pool2d_with_indices(input, MaxPool2dOptions::new([2, 3]))?;
    let y = g.max_unpool2d(y, &places, [5, 7])?;
    let file = Export::new(&g).output("y", y).to_bytes(&Weights::init(device(), &g, 0)?)?;
    let mut back = Graph::new();
    let network = Model::from_bytes(file)?.import().build(&mut back)?;
    assert_eq!(back.shape(network.value("y")?)?[..], [1, 2, 5, 7]);
    Ok(())
}

/// Along one dimension, with a kernel and stride of 2.
#[test]
fn places_of_max_pooling_are_read_by_max_unpool_alone() -> Result<()> {
    let list = |name: &str| field(5, &[field(1, name.as_bytes()), int(8, 2), int(20, 7)].concat());
    let pool = |more: Vec<u8>| {
        let names = [field(1, b"x"), field(2, b"p"), field(2, b"places"), field(4, b"MaxPool")].concat();
        field(1, &[names, list("kernel_shape"), list("strides"), more].concat())
    };
    let unpool = {
        let names = [field(1, b"p"), field(1, b"places"), field(2, b"y"), field(4, b"MaxUnpool")].concat();
        field(1, &[names, list("kernel_shape"), list("strides")].concat())
    };
    let ports = [port(11, "x", &[None; 3]), port(12, "y", &[None; 3])];
    let x = tensor([1, 1, 6], vec![1.0, 3.0, 5.0, 4.0, -2.0, -1.0]);
    let found = computed(&[&[pool(vec![]), unpool.clone()], &ports[..]].concat(), &x)?;
    assert_eq!(found[0], [0.0, 3.0, 5.0, 0.0, 0.0, -1.0]);
    let says = |graph: &[Vec<u8>], x: &HostTensor, part: &str| {
        let error: Error = computed(&[graph, &ports[..]].concat(), x).expect_err(part);
        assert!(error.to_string().contains(part), "expected \"{part}\" in: {error}");
    };
    says(&[pool(vec![]), cast("places", "y", FLOAT)], &x, "can be read by MaxUnpool alone");
    says(&[pool(vec![]), node("Identity", &["places"], "y")], &x, "can be read by MaxUnpool alone");
    let by_columns = field(5, &[field(1, b"storage_order"), int(3, 1), int(20, 2)].concat());
    says(&[pool(by_columns), unpool.clone()], &x, "counted along columns");
    // Known places must lie within the planes that the windows make. The import's budget bounds how many there may be.
    let known = |name: &str, place: i64| {
        let bytes: Vec<u8> = [1, 3, place].iter().flat_map(|at| at.to_le_bytes()).collect();
        let sizes: Vec<u8> = [1, 1, 3].iter().flat_map(|&size| int(1, size)).collect();
        field(5, &[sizes, int(2, 7), field(8, name.as_bytes()), field(9, &bytes)].concat())
    };
    let by_known = |stride: i64| {
        let list = |name: &str, number: i64| {
            field(5, &[field(1, name.as_bytes()), int(8, number), int(20, 7)].concat())
        };
        let names = [field(1, b"x"), field(1, b"known"), field(2, b"y"), field(4, b"MaxUnpool")].concat();
        field(1, &[names, list("kernel_shape", 2), list("strides", stride)].concat())
    };
    let three = tensor([1, 1, 3], vec![7.0, 8.0, 9.0]);
    let found = computed(&[&[known("known", 5), by_known(2)], &ports[..]].concat(), &three)?;
    assert_eq!(found[0], [0.0, 7.0, 0.0, 8.0, 0.0, 9.0]);
    says(&[known("known", 6), by_known(2)], &three, "place 6 is outside of 6");
    says(&[known("known", -1), by_known(2)], &three, "place -1 is outside of 6");
    says(&[known("known", 5), by_known(1 << 24)], &three, "constants of this file may have in all");
    // Without a size it makes 4 of 5.
    let odd = tensor([1, 1, 5], vec![1.0, 3.0, 5.0, 4.0, -2.0]);
    says(&[pool(vec![]), unpool], &odd, "over planes of [1, 5]");
    Ok(())
}
