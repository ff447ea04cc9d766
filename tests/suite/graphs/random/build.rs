//! A random network: values of several kinds, and any of the graph's methods on any of them.

use super::numbers::Random;
use wgrad::graph::Init;
use wgrad::ops::losses::Reduction;
use wgrad::{DType, Error, Graph, HostData, HostTensor, Mode, Result, Shape, TensorType, Value};

/// A value that is written, trained, kept or fixed.
pub fn input(graph: &mut Graph, name: &str, kind: &TensorType, random: &mut Random) -> Result<Value> {
    let shape = kind.shape.clone();
    match kind.dtype {
        DType::U32 => Ok(graph.step_counter()),
        DType::U8 => graph.input_u8(name, shape),
        DType::I32 if random.once_in(4) => {
            let count = shape.elements().min(1000);
            let labels = (0..count).map(|_| random.below(4) as i32 - i32::from(random.once_in(50))).collect();
            graph.constant(HostTensor { shape, data: HostData::I32(labels) })
        }
        DType::I32 => graph.input_i32(name, shape),
        DType::F32 => match random.below(8) {
            0 => graph.state(name, shape, init(random), random.once_in(2)),
            1 if shape.elements() <= 1000 => {
                let count = shape.elements() + usize::from(random.once_in(100));
                graph.constant(HostTensor { shape, data: HostData::F32(vec![random.number(); count]) })
            }
            2..=4 => graph.parameter(name, shape, init(random)),
            _ => graph.input(name, shape),
        },
        other => panic!("no value holds {other}"),
    }
}

fn init(random: &mut Random) -> Init {
    let number = f64::from(random.number());
    match random.below(9) {
        0 => Init::Uniform(random.number()),
        1 => Init::Normal { mean: number, std: f64::from(random.number()) },
        2 => Init::NormalWithZeroRow { row: random.amount(3) },
        3 => Init::TruncatedNormal { mean: 0.0, std: 1.0, low: -number, high: number },
        4 => Init::xavier_uniform(number),
        5 => Init::Orthogonal { gain: number },
        _ => Init::Constant(random.number()),
    }
}

/// A graph while it grows.
pub struct Network<'r> {
    pub(super) random: &'r mut Random,
    pub graph: Graph,
    pub values: Vec<Value>,
    /// Of other graphs.
    pub others: Vec<Value>,
    pub refused: Vec<Error>,
    pub(super) names: usize,
}

impl<'r> Network<'r> {
    pub fn new(random: &'r mut Random) -> Self {
        let mut other = Graph::new();
        let mut others: Vec<Value> =
            (0..3).filter_map(|i| other.input(&format!("{i}"), [2, 3]).ok()).collect();
        let mut graph = Graph::new();
        let mut values = Vec::new();
        for i in 0..random.between(1, 4) {
            let kind = if i == 0 { image(random) } else { random.kind() };
            values.extend(input(&mut graph, &format!("x{i}"), &kind, random));
        }
        if values.is_empty() {
            values.extend(graph.input("x", [2, 4]));
        }
        // A clone goes on; what the original makes from here on is another's.
        let mut clone = graph.clone();
        others.extend(graph.neg(values[0]));
        others.extend(graph.input("late", [2]));
        std::mem::swap(&mut clone, &mut graph);
        Network { random, graph, values, others, refused: Vec::new(), names: 0 }
    }

    /// Appends some tens of nodes, and remembers what is refused.
    pub fn grow(&mut self) {
        let steps = if self.random.once_in(20) { 120 } else { self.random.between(1, 30) };
        for _ in 0..steps {
            match self.step() {
                Ok(values) => self.values.extend(values),
                Err(error) => self.refused.push(error),
            }
        }
    }

    pub(super) fn value(&mut self) -> Value {
        if self.random.once_in(300) {
            return *self.random.of(&self.others);
        }
        // Mostly one of the last, so that networks grow deep.
        if self.random.once_in(3) {
            *self.random.of(&self.values)
        } else {
            self.values[self.values.len() - 1]
        }
    }

    /// Mostly a value that most operators take.
    pub(super) fn float(&mut self) -> Value {
        let first = self.value();
        for _ in 0..4 {
            let value = self.value();
            if self.graph.value(value).is_ok_and(|info| info.ty.dtype == DType::F32) {
                return value;
            }
        }
        first
    }

    pub(super) fn shape(&self, value: Value) -> Shape {
        self.graph.shape(value).cloned().unwrap_or_default()
    }

    /// Mostly a value of this many dimensions, made for the purpose if there is none.
    pub(super) fn ranked(&mut self, rank: usize) -> Result<Value> {
        for _ in 0..6 {
            let value = self.float();
            if self.shape(value).len() == rank || self.random.once_in(40) {
                return Ok(value);
            }
        }
        let value = self.float();
        let (shape, elements) = (self.shape(value), self.shape(value).elements());
        if shape.len() > rank && rank > 0 && elements < 1 << 20 {
            let kept = shape[..rank - 1].iter().product::<usize>().max(1);
            let mut sizes = shape[..rank - 1].to_vec();
            sizes.push(elements / kept);
            return self.graph.reshape(value, sizes);
        }
        let shape = self.random.shape_of(rank);
        self.made(shape)
    }

    /// A new value of this shape: a parameter as a rule.
    pub(super) fn made(&mut self, shape: impl Into<Shape>) -> Result<Value> {
        self.names += 1;
        let name = format!("made{}", self.names);
        let kind = TensorType::f32(shape);
        if self.random.once_in(3) {
            return input(&mut self.graph, &name, &kind, self.random);
        }
        self.graph.parameter(&name, kind.shape, Init::Constant(0.5))
    }

    pub(super) fn labels(&mut self, shape: impl Into<Shape>) -> Result<Value> {
        let found = self
            .values
            .iter()
            .copied()
            .find(|&value| self.graph.value(value).is_ok_and(|info| info.ty.dtype == DType::I32));
        let shape = shape.into();
        match found {
            Some(value) if self.shape(value) == shape || self.random.once_in(20) => Ok(value),
            _ => {
                self.names += 1;
                input(&mut self.graph, &format!("labels{}", self.names), &TensorType::i32(shape), self.random)
            }
        }
    }

    /// A value like another, perhaps with dimensions that broadcast.
    pub(super) fn beside(&mut self, like: Value) -> Result<Value> {
        if self.random.once_in(3) {
            return Ok(self.float());
        }
        let mut sizes = self.shape(like).to_vec();
        for size in &mut sizes {
            if self.random.once_in(4) {
                *size = 1;
            }
        }
        let skipped = if self.random.once_in(4) { self.random.below(sizes.len() + 1) } else { 0 };
        self.made(sizes[skipped..].to_vec())
    }

    pub(super) fn maybe(&mut self, shape: impl Into<Shape>) -> Result<Option<Value>> {
        if self.random.once_in(2) { Ok(None) } else { self.made(shape).map(Some) }
    }

    pub(super) fn axis(&mut self, value: Value) -> usize {
        let rank = self.shape(value).len();
        if self.random.once_in(60) { self.random.hostile() } else { self.random.below(rank) }
    }

    pub(super) fn axes(&mut self, value: Value) -> Vec<usize> {
        let count = self.random.below(3);
        (0..count).map(|_| self.axis(value)).collect()
    }

    pub(super) fn mode(&mut self) -> Mode {
        *self.random.of(&[Mode::Train, Mode::Train, Mode::Eval, Mode::MonteCarlo])
    }

    pub(super) fn reduction(&mut self) -> Reduction {
        *self.random.of(&[Reduction::Mean, Reduction::Sum, Reduction::None])
    }

    pub(super) fn flag(&mut self) -> bool {
        self.random.once_in(2)
    }

    /// Groups that divide the channels as a rule.
    pub(super) fn groups(&mut self, channels: usize) -> usize {
        let divisors: Vec<usize> = (1..=channels.min(64)).filter(|&n| channels.is_multiple_of(n)).collect();
        if divisors.is_empty() || self.random.once_in(40) {
            return self.random.attribute(4);
        }
        if self.flag() { 1 } else { *self.random.of(&divisors) }
    }
}

/// What a network starts from as a rule.
fn image(random: &mut Random) -> TensorType {
    match random.below(5) {
        0 => random.kind(),
        1 => TensorType::f32([random.between(1, 8), random.between(1, 40)]),
        2 => TensorType::f32([random.between(1, 3), random.between(1, 6), random.between(1, 30)]),
        _ => TensorType::f32([
            random.between(1, 3),
            random.between(1, 8),
            random.between(1, 16),
            random.between(1, 16),
        ]),
    }
}
