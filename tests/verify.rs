//! Verifying a step: right kernels pass, a planted wrong one is named.

mod harness;

use harness::{device, numbers};
use wgrad::ops::Operator;
use wgrad::ops::conv2d::Conv2d;
use wgrad::plan::Lower;
use wgrad::reference::Array;
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{Error, Graph, Plan, Session, TensorType, Value, Weights};

/// Negation, whose kernel forgets the sign of one element.
#[derive(Debug)]
struct Negate {
    wrong_at: u32,
}

static NEGATE: ShaderFile = ShaderFile {
    name: "negate",
    text: "
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
const ELEMENTS: u32 = 1u; // shape
const WRONG_AT: u32 = 0u; // shape
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < ELEMENTS) {
        result[id.x] = select(-source[id.x], source[id.x], id.x == WRONG_AT);
    }
}",
};

impl Operator for Negate {
    fn name(&self) -> &'static str {
        "negate"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Error> {
        let elements = cx.output_type(0).shape.elements();
        let kernel =
            Kernel::new(&[&NEGATE]).with("ELEMENTS", elements as u32).with("WRONG_AT", self.wrong_at);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, elements.div_ceil(64));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].map(|x| -x)]
    }
}

/// A convolution between two negations, the second of which goes wrong at `wrong_at`.
fn session(wrong_at: u32) -> (Session, Value) {
    let build = || -> Result<(Session, Value), Error> {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3, 6, 5])?;
        let w = graph.input("w", [4, 3, 3, 3])?;
        let first = graph.scoped("first", |g| g.apply1(Negate { wrong_at: u32::MAX }, &[x]))?;
        let convolved = graph.scoped("middle", |g| g.conv2d(first, w, None, Conv2d::default()))?;
        let last = graph.scoped("last", |g| g.apply1(Negate { wrong_at }, &[convolved]))?;
        let plan = Plan::new(&graph, &[last], device().caps())?;
        let weights = Weights::init(device(), &graph, 0)?;
        let mut session = Session::new(device(), plan, &weights)?;
        session.write(x, &numbers([2, 3, 6, 5], 1))?;
        session.write(w, &numbers([4, 3, 3, 3], 2))?;
        Ok((session, last))
    };
    build().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn right_kernels_are_reported_with_their_errors() {
    let (mut session, _) = session(u32::MAX);
    let verified = session.verify().expect("every kernel is right");
    let names: Vec<_> = verified.iter().map(|v| (v.operator, v.node.as_str())).collect();
    assert_eq!(names, [("negate", "first"), ("conv2d", "middle"), ("negate", "last")]);
    assert!(verified.iter().all(|v| v.error <= v.tolerance), "{verified:?}");
    assert!(verified[1].error > 0.0, "f32 sums differ a little from f64 ones: {verified:?}");
}

#[test]
fn a_planted_wrong_kernel_is_named() {
    let (mut session, _) = session(17);
    match session.verify() {
        Err(Error::Verify { operator, node, element, output, .. }) => {
            assert_eq!((operator.as_str(), node.as_str(), output, element), ("negate", "last", 0, 17));
        }
        other => panic!("expected the wrong node to be named, found {other:?}"),
    }
}

#[test]
fn verifying_gives_what_a_step_gives() {
    let (mut verified, output) = session(u32::MAX);
    let (mut stepped, _) = session(u32::MAX);
    verified.verify().expect("every kernel is right");
    stepped.step().expect("the step runs");
    let (a, b) = (verified.read(output).expect("an output"), stepped.read(output).expect("an output"));
    assert_eq!(a, b);
}
