//! The ONNX project's tests of single operators. `tests/fixtures/onnx_nodes.safetensors` has some of them;
//! `WGRAD_ONNX_NODE_TESTS` names a file with all, which `tests/fixtures/onnx_nodes.py --all` writes.
//!
//! `nodes.txt` says of each test how it is built, or why it is not: a test that is no longer built, or that now is, is a
//! difference. Inputs of integers and truth values are fixed when the network is built. Floats are inputs of the graph,
//! unless the operator has to know all but the first.

use crate::harness::{device, root, snapshot};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wgrad::onnx::{ElementType, Model, Network, Output};
use wgrad::{Error, Graph, HostData, HostTensor, Plan, Session, Shape, Value, Weights};

const FIXTURE: &str = "tests/fixtures/onnx_nodes.safetensors";
const LIST: &str = "tests/onnx/nodes.txt";
/// Names a file with all tests.
const VARIABLE: &str = "WGRAD_ONNX_NODE_TESTS";
/// Tests that one session runs.
const TOGETHER: usize = 128;
/// The largest error, relative to the largest magnitude expected.
const TOLERANCE: f64 = 1e-5;

/// Tests whose results are not the file's alone, and why.
const NOT_COMPARED: [(&str, &str); 3] = [
    ("test_averagepool_2d_ceil_last_window_starts_on_pad", "the number expected has four digits"),
    (
        "test_training_dropout",
        "dropout in training: whether units are dropped is the import's choice, and which is random",
    ),
    ("test_bernoulli", "random numbers"),
];

/// One test.
#[derive(Default)]
struct Test {
    model: Vec<u8>,
    inputs: BTreeMap<String, HostTensor>,
    outputs: BTreeMap<String, HostTensor>,
}

/// Floats and small integers as they are; larger integers and truth values as the graph takes them.
fn tensor(shape: &[usize], dtype: Dtype, data: &[u8]) -> HostTensor {
    let data = match dtype {
        Dtype::F32 => HostData::F32(data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::BOOL => HostData::U8(data.to_vec()),
        Dtype::I64 => {
            let small = |b: &[u8; 8]| i64::from_le_bytes(*b).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            HostData::I32(data.as_chunks().0.iter().map(small).collect())
        }
        other => panic!("{other:?} is no type of the fixture"),
    };
    HostTensor { shape: Shape::from(shape), data }
}

fn tests() -> BTreeMap<String, Test> {
    let path = std::env::var_os(VARIABLE).map_or_else(|| root().join(FIXTURE), Into::into);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut tests: BTreeMap<String, Test> = BTreeMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).expect("the file is whole").tensors() {
        let mut parts = name.splitn(3, '/');
        let [test, kind, port] = [(); 3].map(|()| parts.next().unwrap_or_default());
        let test = tests.entry(test.to_owned()).or_default();
        match kind {
            "model" => test.model = view.data().to_vec(),
            "input" => drop(test.inputs.insert(port.into(), tensor(view.shape(), view.dtype(), view.data()))),
            _ => drop(test.outputs.insert(port.into(), tensor(view.shape(), view.dtype(), view.data()))),
        }
    }
    tests
}

/// How a test was built.
struct Built {
    how: &'static str,
    network: Network,
    /// What is written to the graph's inputs.
    written: Vec<(Value, HostTensor)>,
}

/// Which inputs are fixed when the network is built.
#[derive(Clone, Copy)]
enum Fixed {
    Integers,
    AllButFirst,
    All,
}

impl Fixed {
    const ALL: [(Fixed, &'static str); 3] = [
        (Fixed::Integers, "computed"),
        (Fixed::AllButFirst, "computed, all inputs but the first known"),
        (Fixed::All, "known"),
    ];

    fn fixes(self, number: usize, floats: bool) -> bool {
        match self {
            _ if !floats => true,
            Fixed::Integers => false,
            Fixed::AllButFirst => number > 0,
            Fixed::All => true,
        }
    }
}

/// The reason, without the file's name in front.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("ONNX file (bytes in memory): ").unwrap_or(&text);
    text.lines().next().unwrap_or_default().to_owned()
}

fn build(name: &str, test: &Test, graph: &mut Graph) -> Result<Built, String> {
    let model = Model::from_bytes(test.model.clone()).map_err(|e| reason(&e))?;
    if test.outputs.is_empty() {
        return Err("types other than tensors of numbers".into());
    }
    let mut first = None;
    for (fixed, how) in Fixed::ALL {
        let mut import = model.import();
        let mut written = Vec::new();
        let mut attempt = graph.clone();
        for (number, port) in model.inputs().iter().enumerate() {
            let contents = &test.inputs[&port.name];
            let floats = port.element.is_some_and(ElementType::is_float);
            if fixed.fixes(number, floats) || contents.shape.elements() == 0 {
                import = import.constant(&port.name, contents.clone());
            } else {
                let input = attempt.input(&format!("{name}/{}", port.name), contents.shape.clone());
                let input = input.map_err(|e| e.to_string())?;
                written.push((input, contents.clone()));
                import = import.input(&port.name, input);
            }
        }
        match attempt.scoped(name, |graph| import.build(graph)) {
            Ok(network) => {
                *graph = attempt;
                let computed = network.outputs().iter().any(|(_, output)| matches!(output, Output::Value(_)));
                return Ok(Built { how: if computed { how } else { "known" }, network, written });
            }
            Err(error) => first = first.or(Some(reason(&error))),
        }
    }
    Err(first.unwrap_or_default())
}

/// Half precision is compared in its own units.
fn tolerance(element: Option<ElementType>) -> f64 {
    match element {
        Some(ElementType::F16) => 2f64.powi(-10),
        Some(ElementType::Bf16) => 2f64.powi(-7),
        _ => TOLERANCE,
    }
}

fn compare(expected: &HostTensor, found: &HostTensor, tolerance: f64) -> Result<(), String> {
    if expected.shape != found.shape {
        return Err(format!("expected shape {}, found {}", expected.shape, found.shape));
    }
    let (expected_numbers, found_numbers) = (expected.to_f64(), found.to_f64());
    let exact = !matches!(expected.data, HostData::F32(_));
    let largest =
        expected_numbers.iter().filter(|x| x.is_finite()).fold(0.0, |most: f64, x| most.max(x.abs()));
    for (i, (&expected, &found)) in expected_numbers.iter().zip(&found_numbers).enumerate() {
        let same = if exact || !expected.is_finite() {
            expected == found || expected.is_nan() && found.is_nan()
        } else {
            (expected - found).abs() <= tolerance * largest
        };
        if !same {
            return Err(format!("element {i}: expected {expected}, found {found}, the largest is {largest}"));
        }
    }
    Ok(())
}

/// Runs the tests of a graph in one session and compares all outputs.
fn run(graph: &Graph, all: &[(&str, &Test, Built)]) -> Result<Vec<String>, Error> {
    let inputs: Vec<Value> =
        all.iter().flat_map(|(.., built)| built.written.iter().map(|(value, _)| *value)).collect();
    let values = |built: &Built| {
        let value = |(_, output): &(String, Output)| {
            if let Output::Value(value) = output { Some(*value) } else { None }
        };
        built.network.outputs().iter().filter_map(value).collect::<Vec<_>>()
    };
    let mut outputs: Vec<Value> = all.iter().flat_map(|(.., built)| values(built)).collect();
    outputs.sort();
    outputs.dedup();
    let computed: Vec<Value> = outputs.iter().copied().filter(|value| !inputs.contains(value)).collect();
    let weights = Weights::init(device(), graph, 0)?;
    let plan = Plan::new(graph, &computed, device().caps())?;
    let mut session = Session::new(device(), plan, &weights)?;
    for (_, _, built) in all {
        if built.network.parameters().len() > 0 {
            built.network.load_into(&weights)?;
        }
        for (value, contents) in &built.written {
            session.write(*value, contents)?;
        }
    }
    session.step()?;
    let mut failures = Vec::new();
    for (name, test, built) in all {
        let model = Model::from_bytes(test.model.clone())?;
        for (port, output) in built.network.outputs() {
            let found = match output {
                Output::Constant(found) => found.clone(),
                Output::Value(value) if inputs.contains(value) => {
                    built.written.iter().find(|(input, _)| input == value).expect("it is an input").1.clone()
                }
                Output::Value(value) => session.read(*value)?,
            };
            let element = model.outputs().iter().find(|p| p.name == *port).and_then(|p| p.element);
            let expected = &test.outputs[port];
            if let Err(message) = compare(expected, &found, tolerance(element)) {
                failures.push(format!("{name}: output {port}: {message}"));
            }
        }
    }
    Ok(failures)
}

#[test]
fn single_operators_are_those_of_the_specification() {
    let tests = tests();
    let (mut graph, mut built, mut how) = (Graph::new(), Vec::new(), BTreeMap::new());
    let mut failures = Vec::new();
    let mut flush = |graph: &mut Graph, built: &mut Vec<(&str, &Test, Built)>| {
        match run(graph, built) {
            Ok(found) => failures.extend(found),
            Err(error) => {
                let names: Vec<&str> = built.iter().map(|(name, ..)| *name).collect();
                failures.push(format!("{error}, among {}", names.join(" ")));
            }
        }
        *graph = Graph::new();
        built.clear();
    };
    for (name, test) in &tests {
        if let Some((_, why)) = NOT_COMPARED.iter().find(|(start, _)| name.starts_with(start)) {
            how.insert(name.clone(), format!("not compared: {why}"));
            continue;
        }
        match build(name, test, &mut graph) {
            Ok(one) => {
                how.insert(name.clone(), one.how.to_owned());
                built.push((name.as_str(), test, one));
                if built.len() == TOGETHER {
                    flush(&mut graph, &mut built);
                }
            }
            Err(reason) => drop(how.insert(name.clone(), format!("refused: {reason}"))),
        }
    }
    flush(&mut graph, &mut built);
    report(&how);
    assert!(failures.is_empty(), "{} tests differ:\n{}", failures.len(), failures.join("\n"));
    check_list(&how);
}

/// Prints how many tests there are of each kind, and what is refused.
fn report(how: &BTreeMap<String, String>) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in how.values() {
        *counts.entry(text.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    println!("{} tests: {counts:?}", how.len());
    if std::env::var_os(VARIABLE).is_some() {
        how.iter().filter(|(_, text)| text.contains(':')).for_each(|(name, text)| println!("{name}\t{text}"));
    }
}

/// Compares with the committed list. It is written anew from a file with all tests only.
fn check_list(how: &BTreeMap<String, String>) {
    let all = std::env::var_os(VARIABLE).is_some();
    if snapshot::updating() && all {
        let mut text = String::new();
        how.iter().for_each(|(name, how)| writeln!(text, "{name}\t{how}").expect("text can be written"));
        snapshot::write(LIST, &text);
        return;
    }
    let committed = std::fs::read_to_string(root().join(LIST)).expect("the list is there");
    let committed: BTreeMap<&str, &str> =
        committed.lines().filter_map(|line| line.split_once('\t')).collect();
    let differences: Vec<String> = how
        .iter()
        .filter(|(name, how)| committed.get(name.as_str()) != Some(&how.as_str()))
        .map(|(name, how)| {
            let expected = committed.get(name.as_str()).copied().unwrap_or("no such test");
            format!("{name}: {how}; {LIST} says {expected}")
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{} tests are built otherwise:\n{}",
        differences.len(),
        differences.join("\n")
    );
    if all {
        assert_eq!(committed.len(), how.len(), "{LIST} has other tests than the file");
    }
}
