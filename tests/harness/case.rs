//! A problem for one operator, the graph of it, and numbers for its inputs. The tables of cases are made of these. No
//! device is needed.
//!
//! Programs for browsers have this file too.

use std::sync::Arc;
use wgrad::graph::Init;
use wgrad::op::{Array, Operator, Variant};
use wgrad::ops::elementwise::Copy;
use wgrad::plan::Precision;
use wgrad::{Caps, DType, Error, Graph, HostData, HostTensor, PlanOptions, Shape, TensorType, Value};

/// One problem for one operator. Tests run it on every variant, benches time it.
pub struct Case {
    /// Why this case is in the table.
    pub name: String,
    pub operator: Arc<dyn Operator>,
    pub inputs: Vec<HostTensor>,
    /// If variants may leave it out by default: the edges that their kernels' text does not show.
    pub edges: Option<Vec<String>>,
}

impl Case {
    pub fn new(name: impl Into<String>, operator: impl Operator + 'static, inputs: Vec<HostTensor>) -> Case {
        Case { name: name.into(), operator: Arc::new(operator), inputs, edges: None }
    }

    pub fn kinds(&self) -> Vec<TensorType> {
        self.inputs.iter().map(HostTensor::ty).collect()
    }

    /// Lets variants leave this case out by default where it shows them no new edge. `named` are the edges that the text
    /// of their kernels does not show ([`super::edges`]).
    pub fn by_edges<T: Into<String>>(mut self, named: impl IntoIterator<Item = T>) -> Case {
        self.edges = Some(named.into_iter().map(Into::into).collect());
        self
    }

    /// The variants that an adapter with these limits offers.
    pub fn variants_for(&self, caps: &Caps) -> Vec<Variant> {
        let kinds = self.kinds();
        self.operator.variants(&kinds.iter().collect::<Vec<_>>(), caps)
    }

    /// Plans with a variant, in mixed precision where only that has it.
    pub fn options(&self, variant: Variant) -> PlanOptions {
        let precision = if variant.is_in_f16() { Precision::Mixed } else { Precision::F32 };
        PlanOptions::default().variant(self.operator.name(), variant).precision(precision)
    }
}

/// A graph of one operator.
pub struct Built {
    pub graph: Graph,
    pub outputs: Vec<Value>,
    pub inputs: Vec<Value>,
    /// Names of the inputs that are state.
    pub stored: Vec<Option<String>>,
}

/// Builds `case` into a graph. Inputs that the operator updates in place are state; gradients that
/// must lie in an arena are copied there by a node of their own.
pub fn build(case: &Case) -> Result<Built, Error> {
    build_between(case, |_, value| Ok(value))
}

/// [`build`] with something between inputs and operator, and between operator and outputs: of floats that are neither state
/// nor in an arena.
pub fn build_between(
    case: &Case,
    between: impl Fn(&mut Graph, Value) -> Result<Value, Error>,
) -> Result<Built, Error> {
    let mut graph = Graph::new();
    let in_place: Vec<usize> = case.operator.in_place().iter().map(|&(_, input)| input).collect();
    let arenas: Vec<usize> = case.operator.arenas().into_iter().flatten().collect();
    let (mut inputs, mut placed, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for (i, tensor) in case.inputs.iter().enumerate() {
        let name = format!("input{i}");
        let shape = tensor.shape.clone();
        let kept = in_place.contains(&i);
        let value = match &tensor.data {
            HostData::F32(_) if kept => graph.state(&name, shape, Init::Constant(0.0), false)?,
            HostData::F32(_) => graph.input(&name, shape)?,
            HostData::I32(_) => graph.input_i32(&name, shape)?,
            HostData::U32(_) => graph.step_counter(),
            HostData::U8(_) => graph.input_u8(&name, shape)?,
            other => panic!("no input holds {other:?}"),
        };
        inputs.push(value);
        placed.push(match (&tensor.data, arenas.contains(&i)) {
            (_, true) if !kept => graph.apply1(Copy, &[value])?,
            (HostData::F32(_), false) if !kept => between(&mut graph, value)?,
            _ => value,
        });
        stored.push(kept.then_some(name));
    }
    let mut outputs = graph.apply_named("case".into(), Arc::clone(&case.operator), &placed)?;
    let updated: Vec<usize> = case.operator.in_place().iter().map(|&(output, _)| output).collect();
    for (i, output) in outputs.iter_mut().enumerate() {
        if !updated.contains(&i) && graph.value(*output)?.ty.dtype == DType::F32 {
            *output = between(&mut graph, *output)?;
        }
    }
    Ok(Built { graph, outputs, inputs, stored })
}

pub fn array(tensor: &HostTensor) -> Array {
    Array::new(tensor.shape.clone(), tensor.to_f64())
}

/// Deterministic numbers in (-1, 1), different for each `seed`.
pub fn numbers(shape: impl Into<Shape>, seed: u64) -> HostTensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let data = (0..shape.elements())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    floats(shape, data)
}

/// Class labels in `0..classes`.
pub fn labels(count: usize, classes: usize, seed: u64) -> HostTensor {
    let data = numbers([count], seed)
        .to_f64()
        .iter()
        .map(|x| (((x + 1.0) / 2.0 * classes as f64) as i32).min(classes as i32 - 1))
        .collect();
    HostTensor { shape: Shape::from([count]), data: HostData::I32(data) }
}

/// Numbers as of [`numbers`], times `scale`.
pub fn scaled(shape: impl Into<Shape>, seed: u64, scale: f32) -> HostTensor {
    let tensor = numbers(shape, seed);
    let data = tensor.to_f64().iter().map(|&x| x as f32 * scale).collect();
    floats(tensor.shape, data)
}

/// A float tensor of as many numbers as its shape has elements.
pub fn floats(shape: impl Into<Shape>, data: Vec<f32>) -> HostTensor {
    HostTensor::f32(shape, data).expect("tests give as many numbers as the shape has elements")
}
