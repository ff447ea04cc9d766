//! What the ONNX project's tests don't ask: uneven padding, powers, and what training does with constants.

use crate::harness::device;
use crate::message::{field, floats, initializer, int, model, node, port, with_ints};
use wgrad::onnx::{Model, Output};
use wgrad::{Error, Graph, HostTensor, Plan, Session, Weights};

/// The output `y` for this input `x`.
fn computed(graph: &[Vec<u8>], x: &HostTensor) -> Result<HostTensor, Error> {
    let model = Model::from_bytes(model(graph))?;
    let mut g = Graph::new();
    let network = model.import().shape("x", x.shape.clone()).build(&mut g)?;
    let y = network.value("y")?;
    let weights = Weights::init(device(), &g, 0)?;
    network.load_into(&weights)?;
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
    session.write(network.input("x")?, x)?;
    session.step()?;
    session.read(y)
}

#[test]
fn padding_is_given_for_all_starts_and_then_all_ends() -> Result<(), Error> {
    let x = HostTensor::f32([1, 1, 2, 2], vec![1.0, 2.0, 3.0, 4.0])?;
    let ports = [port(11, "x", &[None]), port(12, "y", &[None])];
    // One row on top, two columns at the right.
    let conv = [
        initializer("w", &[1, 1, 1, 1], &floats(&[1.0])),
        with_ints("Conv", &["x", "w"], "y", "pads", &[1, 0, 0, 2]),
    ];
    let y = computed(&[&conv[..], &ports].concat(), &x)?;
    let expected = [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0];
    assert_eq!((&y.shape[..], y.to_f64()), (&[1, 1, 3, 4][..], expected.to_vec()));
    Ok(())
}

#[test]
fn powers_of_known_exponents_and_of_known_bases() -> Result<(), Error> {
    let x = HostTensor::f32([3], vec![0.25, 1.0, 4.0])?;
    let ports = [port(11, "x", &[None]), port(12, "y", &[None])];
    for (number, base, expected) in [
        (2.0, false, [0.0625, 1.0, 16.0]),
        (0.5, false, [0.5, 1.0, 2.0]),
        (-1.5, false, [8.0, 1.0, 0.125]),
        (2.0, true, [2f64.powf(0.25), 2.0, 16.0]),
    ] {
        let inputs = if base { ["c", "x"] } else { ["x", "c"] };
        let c = initializer("c", &[1], &floats(&[number]));
        // A parameter, so that there is something to load.
        let w = initializer("w", &[3], &floats(&[0.0, 0.0, 0.0]));
        let graph = [c, w, node("Pow", &inputs, "p"), node("Add", &["p", "w"], "y")];
        let y = computed(&[&graph[..], &ports].concat(), &x)?;
        for (found, expected) in y.to_f64().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5 * expected, "{number}: {found}, {expected}");
        }
    }
    Ok(())
}

#[test]
fn numbers_are_constants_and_lists_parameters() -> Result<(), Error> {
    let graph = [
        initializer("scale", &[], &floats(&[2.0])),
        initializer("shift", &[3], &floats(&[1.0, 2.0, 3.0])),
        initializer("slope", &[1], &floats(&[0.5])),
        node("Mul", &["x", "scale"], "a"),
        node("Add", &["a", "shift"], "b"),
        node("PRelu", &["b", "slope"], "y"),
        port(11, "x", &[Some(2), Some(3)]),
        port(12, "y", &[Some(2), Some(3)]),
    ];
    let mut g = Graph::new();
    let network = Model::from_bytes(model(&graph))?.import().build(&mut g)?;
    assert_eq!(network.parameters().collect::<Vec<_>>(), ["shift", "slope"]);
    let named: Vec<&str> = g.nodes().map(|(_, node)| node.name.as_str()).collect();
    assert!(named.contains(&"a") && named.contains(&"b"), "nodes have the file's names: {named:?}");
    Ok(())
}

/// Exporters compute sizes in float64: a product that f32 rounds up to a whole number is below it.
#[test]
fn constants_of_float64_are_computed_in_float64() -> Result<(), Error> {
    let cast = |input: &str, output: &str| {
        let to = field(5, &[field(1, b"to"), int(3, 7), int(20, 2)].concat());
        let ports = [(1, input), (2, output), (4, "Cast")];
        field(1, &[ports.map(|(tag, text): (u64, &str)| field(tag, text.as_bytes())).concat(), to].concat())
    };
    let single = |name: &str, number: f64| initializer(name, &[], &floats(&[number as f32]));
    let double = |name: &str, number: f64| {
        field(5, &[int(2, 11), field(8, name.as_bytes()), field(9, &number.to_le_bytes())].concat())
    };
    type Initializer<'f> = &'f dyn Fn(&str, f64) -> Vec<u8>;
    let cases: [(Initializer<'_>, [i32; 2]); 2] = [(&single, [29, 16_777_216]), (&double, [28, 16_777_217])];
    for (number, expected) in cases {
        let graph = [
            number("a", 0.29),
            number("b", 100.0),
            number("c", 16_777_217.0),
            node("Mul", &["a", "b"], "product"),
            node("Floor", &["product"], "floor"),
            cast("floor", "y"),
            cast("c", "z"),
            port(12, "y", &[]),
            port(12, "z", &[]),
        ];
        let network = Model::from_bytes(model(&graph))?.import().build(&mut Graph::new())?;
        let whole = |x: i32| Ok(Output::Constant(HostTensor::i32([], vec![x])?));
        let expected = expected.into_iter().map(whole).collect::<Result<Vec<_>, Error>>()?;
        let found: Vec<Output> = network.outputs().iter().map(|(_, output)| output.clone()).collect();
        assert_eq!(found, expected);
    }
    Ok(())
}

/// Parameters, lists and numbers of float64 are f32 in the graph.
#[test]
fn float64_becomes_f32_in_the_graph() -> Result<(), Error> {
    let double = |name: &str, numbers: &[f64]| {
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let sizes = int(1, numbers.len() as i64);
        field(5, &[sizes, int(2, 11), field(8, name.as_bytes()), field(9, &bytes)].concat())
    };
    let graph = [
        double("w", &[0.5, 1.5]),
        double("two", &[2.0]),
        double("three", &[3.0]),
        node("Mul", &["x", "two"], "a"),
        node("Add", &["a", "w"], "b"),
        node("Concat", &["two", "three"], "list"),
        node("Mul", &["b", "list"], "y"),
        port(11, "x", &[None]),
        port(12, "y", &[None]),
    ];
    let y = computed(&graph, &HostTensor::f32([2], vec![1.0, -1.0])?)?;
    assert_eq!(y.to_f64(), [5.0, -1.5]);
    Ok(())
}

/// Rows whose squares f32 does not hold are normalised like others, and so are their gradients; zeros stay zeros.
#[test]
fn tiny_and_huge_rows_are_normalised() -> Result<(), Error> {
    let graph = [
        node("LpNormalization", &["x"], "y"),
        port(11, "x", &[Some(5), Some(2)]),
        port(12, "y", &[Some(5), Some(2)]),
    ];
    let mut g = Graph::new();
    let network = Model::from_bytes(model(&graph))?.import().build(&mut g)?;
    let (x, y) = (network.input("x")?, network.value("y")?);
    // The gradient of the first column's sum.
    let column = g.constant(HostTensor::f32([2], vec![1.0, 0.0])?)?;
    let (product, axes) = (g.mul(y, column)?, [0, 1]);
    let loss = g.sum(product, &axes, false)?;
    let gradient = g.gradients(loss, &[x])?[0].expect("the loss depends on it");
    let weights = Weights::init(device(), &g, 0)?;
    let mut session = Session::new(device(), Plan::new(&g, &[y, gradient], device().caps())?, &weights)?;
    let rows = [[1e-30f32, 1e-30], [3.0, 4.0], [0.0, 0.0], [1e30, -1e30], [0.0, -2.0]];
    session.write(x, &rows.concat())?;
    session.step()?;
    let (y, gradient): (HostTensor, HostTensor) = (session.read(y)?, session.read(gradient)?);
    for (i, [a, b]) in rows.iter().map(|row| row.map(f64::from)).enumerate() {
        let norm = a.hypot(b);
        let of_row = |tensor: &HostTensor| tensor.to_f64()[2 * i..][..2].to_vec();
        let expected = if norm > 0.0 { [a / norm, b / norm] } else { [0.0, 0.0] };
        for (found, expected) in of_row(&y).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "row {i}: {found}, expected {expected}");
        }
        if norm == 0.0 {
            assert!(of_row(&gradient).iter().all(|x| x.is_finite()), "row {i}: {gradient:?}");
            continue;
        }
        // Times the norm, all gradients are of one size.
        let slopes = [b * b / norm / norm, -a * b / norm / norm];
        for (found, expected) in of_row(&gradient).iter().zip(slopes) {
            assert!((found * norm - expected).abs() < 1e-5, "row {i}: {found}, expected {expected} / {norm}");
        }
    }
    Ok(())
}
