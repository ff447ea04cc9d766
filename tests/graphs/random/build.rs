//! A random network: values of several kinds, and any of the graph's methods on any of them.

use super::numbers::Random;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::batch_norm::{BatchNorm, Running};
use wgrad::ops::conv2d::{Conv1d, Conv2d, Padding};
use wgrad::ops::cross_entropy::CrossEntropy;
use wgrad::ops::embedding::Embedding;
use wgrad::ops::local_response_norm::LocalResponseNorm;
use wgrad::ops::loss::{ElementLoss, Reduction};
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{Pool1d, Pool2d};
use wgrad::ops::row_loss::TripletMargin;
use wgrad::ops::upsample::Resize;
use wgrad::optim::{self, Adadelta, Adagrad, Adam, AdamW, Average, Lion, Nadam, Rmsprop, Sgd};
use wgrad::{DType, Error, Graph, HostData, HostTensor, Mode, Result, Shape, TensorType, Value};

/// A value that is written, trained, kept or fixed.
pub fn input(graph: &mut Graph, name: &str, kind: &TensorType, random: &mut Random) -> Result<Value> {
    let shape = kind.shape.clone();
    match kind.dtype {
        DType::U32 => Ok(graph.step_counter()),
        DType::I32 if random.once_in(4) => {
            let count = shape.elements().min(1000);
            let labels = (0..count).map(|_| random.below(4) as i32 - i32::from(random.once_in(50))).collect();
            graph.constant(HostTensor { shape, data: HostData::I32(labels) })
        }
        DType::I32 => graph.labels(name, shape),
        DType::F32 => match random.below(8) {
            0 => graph.state(name, shape, init(random), random.once_in(2)),
            1 if shape.elements() <= 1000 => {
                let count = shape.elements() + usize::from(random.once_in(100));
                graph.constant(HostTensor { shape, data: HostData::F32(vec![random.number(); count]) })
            }
            2..=4 => graph.parameter(name, shape, init(random)),
            _ => graph.input(name, shape),
        },
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
    random: &'r mut Random,
    pub graph: Graph,
    pub values: Vec<Value>,
    /// Of other graphs.
    pub others: Vec<Value>,
    pub refused: Vec<Error>,
    names: usize,
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

    /// Gradients of a loss, and an optimizer's update.
    pub fn train(&mut self) {
        if self.random.once_in(3) {
            return;
        }
        let trained = (|| -> Result<()> {
            let x = self.float();
            let loss = if self.random.once_in(30) { x } else { self.graph.sum(x, &[], false)? };
            self.values.push(loss);
            if self.random.once_in(3) {
                let by: Vec<Value> = (0..3).map(|_| self.value()).collect();
                let gradients = self.graph.gradients(loss, &by)?;
                self.values.extend(gradients.into_iter().flatten());
                if self.random.once_in(2) {
                    return Ok(());
                }
            }
            self.minimize(loss)
        })();
        self.refused.extend(trained.err());
    }

    fn minimize(&mut self, loss: Value) -> Result<()> {
        let rate = self.graph.scalar("rate")?;
        let random = &mut *self.random;
        let mut number = || f64::from(random.number());
        let (a, b, c) = (number(), number() / 2.0, number() / 2.0);
        let eps = [1e-8, 0.0, a][random.below(3)];
        let graph = &mut self.graph;
        macro_rules! minimize {
            ($optimizer:expr) => {{
                let mut optimizer = $optimizer;
                if random.once_in(3) {
                    optimizer = optimizer.clip_norm(f64::from(random.number()));
                }
                if random.once_in(4) {
                    optimizer = optimizer.clip_value(f64::from(random.number()));
                }
                if random.once_in(4) {
                    optimizer = optimizer.accumulate(random.amount(4) as u32);
                }
                if random.once_in(4) {
                    optimizer = optimizer.average(Average::new(0.9).warm_up(random.once_in(2)));
                }
                if random.once_in(4) {
                    optimizer = optimizer.freeze(|name| name.ends_with("0"));
                }
                if random.once_in(4) {
                    optimizer = optimizer.group(|name| name.ends_with("1"), |group| group.weight_decay(0.5));
                }
                optimizer.minimize(graph, loss)
            }};
        }
        match random.below(9) {
            0 => minimize!(Sgd::new(rate)),
            1 => minimize!(Sgd::new(rate).momentum(b).dampening(c).nesterov(a > 1.0).weight_decay(a)),
            2 => minimize!(Adam::new(rate).eps(eps).amsgrad(a > 1.0)),
            3 => minimize!(AdamW::new(rate).betas(b, c).weight_decay(a)),
            4 => minimize!(Nadam::new(rate).eps(eps).momentum_decay(a)),
            5 => minimize!(Rmsprop::new(rate).alpha(b).eps(eps).momentum(c).centered(a > 1.0)),
            6 => minimize!(Adagrad::new(rate).lr_decay(a).eps(eps).initial_accumulator_value(b)),
            7 => minimize!(Adadelta::new(rate).rho(b).eps(eps)),
            _ => minimize!(Lion::new(rate).betas(b, c)),
        }
    }

    fn value(&mut self) -> Value {
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
    fn float(&mut self) -> Value {
        let first = self.value();
        for _ in 0..4 {
            let value = self.value();
            if self.graph.value(value).is_ok_and(|info| info.kind.dtype == DType::F32) {
                return value;
            }
        }
        first
    }

    fn shape(&self, value: Value) -> Shape {
        self.graph.shape(value).cloned().unwrap_or_default()
    }

    /// Mostly a value of this many dimensions, made for the purpose if there is none.
    fn ranked(&mut self, rank: usize) -> Result<Value> {
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
    fn made(&mut self, shape: impl Into<Shape>) -> Result<Value> {
        self.names += 1;
        let name = format!("made{}", self.names);
        let kind = TensorType::f32(shape);
        if self.random.once_in(3) {
            return input(&mut self.graph, &name, &kind, self.random);
        }
        self.graph.parameter(&name, kind.shape, Init::Constant(0.5))
    }

    fn labels(&mut self, shape: impl Into<Shape>) -> Result<Value> {
        let found = self
            .values
            .iter()
            .copied()
            .find(|&value| self.graph.value(value).is_ok_and(|info| info.kind.dtype == DType::I32));
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
    fn beside(&mut self, like: Value) -> Result<Value> {
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

    fn maybe(&mut self, shape: impl Into<Shape>) -> Result<Option<Value>> {
        if self.random.once_in(2) { Ok(None) } else { self.made(shape).map(Some) }
    }

    fn axis(&mut self, value: Value) -> usize {
        let rank = self.shape(value).len();
        if self.random.once_in(60) { self.random.hostile() } else { self.random.below(rank) }
    }

    fn axes(&mut self, value: Value) -> Vec<usize> {
        let count = self.random.below(3);
        (0..count).map(|_| self.axis(value)).collect()
    }

    fn mode(&mut self) -> Mode {
        *self.random.of(&[Mode::Train, Mode::Train, Mode::Eval, Mode::MonteCarlo])
    }

    fn reduction(&mut self) -> Reduction {
        *self.random.of(&[Reduction::Mean, Reduction::Sum, Reduction::BatchMean, Reduction::None])
    }

    fn flag(&mut self) -> bool {
        self.random.once_in(2)
    }

    fn pool(&mut self) -> Pool2d {
        let random = &mut *self.random;
        let mut pool = Pool2d::new(random.pair(|r| r.attribute(3)));
        if random.once_in(2) {
            pool = pool.stride(random.pair(|r| r.attribute(3)));
        }
        if random.once_in(4) {
            pool = pool.padding(random.pair(|r| r.amount(1)));
        }
        if random.once_in(6) {
            pool = pool.dilation(random.pair(|r| r.attribute(2)));
        }
        if random.once_in(8) {
            pool = pool.divisor_override(random.attribute(5));
        }
        pool.ceil_mode(random.once_in(4)).count_include_pad(random.once_in(2))
    }

    fn pool1d(&mut self) -> Pool1d {
        let Pool2d { kernel, stride, padding, dilation, ceil_mode, count_include_pad, .. } = self.pool();
        Pool1d {
            kernel: kernel[0],
            stride: stride[0],
            padding: padding[0],
            dilation: dilation[0],
            ceil_mode,
            count_include_pad,
        }
    }

    fn convolution(&mut self) -> Conv2d {
        let random = &mut *self.random;
        let mut attributes = Conv2d::default();
        if random.once_in(2) {
            let sides = random.pair(|r| r.amount(2));
            let padding = match random.below(8) {
                0 => Padding::Same,
                1 => Padding::Half,
                2 => Padding::Full,
                3 => Padding::Sides([sides, random.pair(|r| r.amount(2))]),
                _ => sides.into(),
            };
            attributes = attributes.padding(padding);
        }
        if random.once_in(3) {
            attributes = attributes.stride(random.pair(|r| r.attribute(3)));
        }
        if random.once_in(5) {
            attributes = attributes.dilation(random.pair(|r| r.attribute(2)));
        }
        if random.once_in(8) {
            attributes = attributes.output_padding(random.pair(|r| r.amount(1)));
        }
        attributes
    }

    fn convolution1d(&mut self) -> Conv1d {
        let Conv2d { stride, dilation, groups, output_padding, .. } = self.convolution();
        let padding = self.random.amount(2);
        let conv = Conv1d::default().stride(stride[0]).padding(padding).dilation(dilation[0]);
        conv.groups(groups).output_padding(output_padding[0])
    }

    /// Groups that divide the channels as a rule.
    fn groups(&mut self, channels: usize) -> usize {
        let divisors: Vec<usize> = (1..=channels.min(64)).filter(|&n| channels % n == 0).collect();
        if divisors.is_empty() || self.random.once_in(40) {
            return self.random.attribute(4);
        }
        if self.flag() { 1 } else { *self.random.of(&divisors) }
    }

    /// Input, weight and groups of a convolution with so many spatial dimensions.
    fn operands(&mut self, spatial: usize, transposed: bool) -> Result<(Value, Value, Option<Value>, usize)> {
        let x = self.ranked(2 + spatial)?;
        let channels = self.shape(x).get(1).copied().unwrap_or(1);
        let groups = self.groups(channels);
        let results = self.random.attribute(6);
        let mut sizes = if transposed {
            vec![channels, results]
        } else {
            vec![results.saturating_mul(groups), channels / groups.max(1)]
        };
        sizes.extend((0..spatial).map(|_| self.random.attribute(3)));
        let outputs = if transposed { results.saturating_mul(groups) } else { sizes[0] };
        let weight = self.made(sizes)?;
        Ok((x, weight, self.maybe([outputs])?, groups))
    }

    fn step(&mut self) -> Result<Vec<Value>> {
        let one = |value: Result<Value>| value.map(|value| vec![value]);
        match self.random.below(58) {
            0..=4 => one(self.unary()),
            5..=7 => {
                let lhs = self.float();
                let rhs = self.beside(lhs)?;
                let g = &mut self.graph;
                one(match self.random.below(6) {
                    0 | 1 => g.add(lhs, rhs),
                    2 => g.sub(lhs, rhs),
                    3 => g.mul(rhs, lhs),
                    4 => g.div(lhs, rhs),
                    _ => g.maximum(lhs, rhs),
                })
            }
            8..=11 => {
                let (x, w, b, groups) = self.operands(2, false)?;
                let attributes = self.convolution().groups(groups);
                one(match self.random.below(6) {
                    0 => self.graph.convolution2d(x, w, b, attributes),
                    _ => self.graph.conv2d(x, w, b, attributes),
                })
            }
            12 => {
                let (x, w, b, groups) = self.operands(1, false)?;
                let attributes = self.convolution1d().groups(groups);
                one(self.graph.conv1d(x, w, b, attributes))
            }
            13 | 14 => {
                let (x, w, b, groups) = self.operands(2, true)?;
                let attributes = self.convolution().groups(groups);
                one(self.graph.conv_transpose2d(x, w, b, attributes))
            }
            15 => {
                let (x, w, b, groups) = self.operands(1, true)?;
                let attributes = self.convolution1d().groups(groups);
                one(self.graph.conv_transpose1d(x, w, b, attributes))
            }
            16..=19 => one(self.pooling()),
            20..=23 => one(self.normalization()),
            24..=26 => {
                let x = self.ranked(2)?;
                let features = self.shape(x).get(1).copied().unwrap_or(1);
                let outputs = self.random.attribute(9);
                let weight = self.made([outputs, features])?;
                let bias = self.maybe([outputs])?;
                one(self.graph.linear(x, weight, bias))
            }
            27 => {
                let x = self.float();
                let mut sizes = self.shape(x).to_vec();
                let columns = self.random.attribute(9);
                let rank = sizes.len();
                if rank >= 2 {
                    (sizes[rank - 2], sizes[rank - 1]) = (sizes[rank - 1], columns);
                }
                let other = self.made(sizes)?;
                one(self.graph.matmul(x, other))
            }
            28..=31 => self.moving(),
            32..=35 => one(self.reducing()),
            36..=39 => one(self.loss()),
            40 | 41 => {
                let x = self.float();
                let (keep, seed, mode) = (self.random.number(), self.random.hostile() as u64, self.mode());
                let y = match self.flag() {
                    true => self.graph.dropout(x, keep, seed, mode)?,
                    false => self.graph.dropout2d(x, keep, seed, mode)?,
                };
                if self.random.once_in(5) {
                    self.graph.dropout_mask(y).map(|mask| vec![y, mask])
                } else {
                    Ok(vec![y])
                }
            }
            42 => {
                let (rows, columns) = (self.random.attribute(9), self.random.attribute(9));
                let weight = self.made([rows, columns])?;
                let shape = self.random.shape();
                let indices = self.labels(shape)?;
                let padding = self.flag().then(|| self.random.amount(4));
                one(self.graph.embedding_with(weight, indices, Embedding { padding }))
            }
            43 => {
                let x = self.float();
                let axis = self.flag().then(|| self.axis(x));
                let keep = self.flag();
                one(if self.flag() {
                    self.graph.argmax(x, axis, keep)
                } else {
                    self.graph.argmin(x, axis, keep)
                })
            }
            44 => {
                let x = self.float();
                let axis = self.axis(x);
                one(if self.flag() { self.graph.softmax(x, axis) } else { self.graph.log_softmax(x, axis) })
            }
            45 => {
                let x = self.ranked(4)?;
                let size = self.random.pair(|r| r.attribute(9));
                let resize = match self.flag() {
                    true => Resize::Size(size),
                    false => Resize::ScaleFactor([self.random.number().into(), self.random.number().into()]),
                };
                let corners = self.flag();
                one(match self.flag() {
                    true => self.graph.upsample_nearest2d(x, resize),
                    false => self.graph.upsample_bilinear2d(x, resize, corners),
                })
            }
            46 => {
                let x = self.float();
                let estimate = self.graph.monte_carlo(&[x]);
                estimate.map(|_| Vec::new())
            }
            47 => {
                let x = self.float();
                let channels = self.shape(x).get(1).copied().unwrap_or(1);
                let channels = if self.flag() { 1 } else { channels };
                let weight = self.made([channels])?;
                one(self.graph.prelu(x, weight))
            }
            48 | 49 => {
                let x = self.value();
                let elements = self.shape(x).elements();
                let first = self.groups(elements);
                let sizes = vec![first, elements / first.max(1)];
                one(if self.flag() { self.graph.reshape(x, sizes) } else { self.graph.flatten(x) })
            }
            _ => one(self.layer()),
        }
    }

    fn unary(&mut self) -> Result<Value> {
        let x = self.float();
        let (a, b) = (self.random.number(), self.random.number());
        let g = &mut self.graph;
        match self.random.below(20) {
            0..=3 => g.relu(x),
            4 => g.leaky_relu(x, a),
            5 => g.elu(x, a),
            6 => g.gelu(x),
            7 => g.silu(x),
            8 => g.softplus(x, a, b),
            9 => g.sigmoid(x),
            10 => g.tanh(x),
            11 => g.hard_tanh(x, a, b),
            12 => g.exp(x),
            13 => g.sqrt(x),
            14 => g.pow(x, a),
            15 => g.clamp(x, (a < 1.5).then_some(a), (b < 1.5).then_some(b)),
            16 => g.scale(x, a),
            17 => g.shift(x, a),
            18 => g.mish(x),
            _ => g.abs(x),
        }
    }

    fn pooling(&mut self) -> Result<Value> {
        let kind = self.random.below(10);
        if kind < 2 {
            let (x, pool) = (self.ranked(3)?, self.pool1d());
            return if kind == 0 { self.graph.max_pool1d(x, pool) } else { self.graph.avg_pool1d(x, pool) };
        }
        let (x, pool, size) = (self.ranked(4)?, self.pool(), self.random.pair(|r| r.attribute(4)));
        let p = self.random.number();
        let other = self.float();
        let g = &mut self.graph;
        match kind {
            2..=4 => g.max_pool2d(x, pool),
            5 => g.avg_pool2d(x, pool),
            6 => g.weighted_avg_pool2d(x, pool),
            7 => g.lp_pool2d(x, p, pool),
            8 if size[0] % 2 == 0 => g.adaptive_avg_pool2d(x, size),
            8 => g.adaptive_max_pool2d(x, size),
            _ => {
                let (y, indices) = g.max_pool2d_with_indices(x, pool)?;
                let (from, to) = if p < 0.2 { (other, size) } else { (y, indices.input_size()) };
                g.max_unpool2d(from, &indices, to)
            }
        }
    }

    fn normalization(&mut self) -> Result<Value> {
        let x = self.float();
        let shape = self.shape(x);
        let channels = shape.get(1).copied().unwrap_or(1);
        let eps = if self.random.once_in(20) { self.random.number() } else { 1e-5 };
        match self.random.below(8) {
            0..=3 => {
                let affine = match self.flag() {
                    true => Some([self.made([channels])?, self.made([channels])?]),
                    false => None,
                };
                let momentum = (!self.random.once_in(5)).then_some(0.1);
                let running = match self.flag() {
                    true => {
                        self.names += 1;
                        let name = format!("running{}", self.names);
                        let mut state = |suffix: &str, shape: Shape| {
                            self.graph.state(&format!("{name}.{suffix}"), shape, Init::Constant(0.0), true)
                        };
                        Some(Running {
                            mean: state("mean", [channels].into())?,
                            variance: state("var", [channels].into())?,
                            batches: match momentum {
                                None => Some(state("batches", Shape::scalar())?),
                                Some(_) => None,
                            },
                        })
                    }
                    false => None,
                };
                let mode = self.mode();
                self.graph.batch_norm(x, affine, running, BatchNorm { eps, momentum }, mode)
            }
            4 => {
                let last = self.random.between(1, 2).min(shape.len());
                let normalized = Shape::from(&shape[shape.len() - last..]);
                let (weight, bias) = (self.maybe(normalized.clone())?, self.maybe(normalized.clone())?);
                self.graph.layer_norm(x, normalized, weight, bias, eps)
            }
            5 => {
                let groups = self.groups(channels);
                let (weight, bias) = (self.maybe([channels])?, self.maybe([channels])?);
                self.graph.group_norm(x, groups, weight, bias, eps)
            }
            6 => {
                let (weight, bias) = (self.maybe([channels])?, self.maybe([channels])?);
                self.graph.instance_norm(x, weight, bias, eps)
            }
            _ => {
                let (size, alpha) = (self.random.attribute(5), self.random.number());
                let attributes = LocalResponseNorm { alpha, ..LocalResponseNorm::new(size) };
                self.graph.local_response_norm(x, attributes)
            }
        }
    }

    fn moving(&mut self) -> Result<Vec<Value>> {
        let x = self.float();
        let (shape, axis) = (self.shape(x), self.axis(x));
        let size = shape.get(axis).copied().unwrap_or(1);
        let one = |value: Result<Value>| value.map(|value| vec![value]);
        match self.random.below(9) {
            0 => {
                let (start, step) = (self.random.amount(size / 2), self.random.attribute(3));
                let end = if self.flag() { size } else { self.random.amount(size) };
                one(self.graph.slice(x, axis, start..end, step))
            }
            1 => {
                let first = self.random.amount(size);
                self.graph.split(x, &[first, size.wrapping_sub(first)], axis)
            }
            2 => {
                let axes = self.axes(x);
                one(self.graph.flip(x, &axes))
            }
            3 => {
                let other = self.axis(x);
                one(self.graph.transpose(x, axis, other))
            }
            4 => {
                let mut axes: Vec<usize> = (0..shape.len()).collect();
                for i in 0..axes.len() {
                    let other = self.random.below(axes.len());
                    axes.swap(i, other);
                }
                if self.random.once_in(20) {
                    axes = self.axes(x);
                }
                one(self.graph.permute(x, axes))
            }
            5 | 6 => {
                let count = self.random.below(shape.len().min(3) + 1);
                let amounts: Vec<[usize; 2]> =
                    (0..count).map(|_| self.random.pair(|r| r.amount(2))).collect();
                let number = self.random.number();
                let modes =
                    [PadMode::Constant(number), PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
                let mode = *self.random.of(&modes);
                one(self.graph.pad(x, amounts, mode))
            }
            7 => {
                let mut all = vec![x];
                for _ in 0..self.random.below(9) {
                    let mut sizes = shape.to_vec();
                    if let Some(size) = sizes.get_mut(axis) {
                        *size = self.random.size();
                    }
                    all.push(if self.flag() { x } else { self.made(sizes)? });
                }
                one(self.graph.concatenate(&all, axis))
            }
            _ => {
                let mut sizes: Vec<usize> =
                    shape.iter().map(|&size| if size == 1 { self.random.size() } else { size }).collect();
                if self.flag() {
                    sizes.insert(0, self.random.attribute(3));
                }
                one(self.graph.expand(x, sizes))
            }
        }
    }

    fn reducing(&mut self) -> Result<Value> {
        let x = self.float();
        let (axes, keep, correction) = (self.axes(x), self.flag(), self.random.amount(1));
        let g = &mut self.graph;
        match self.random.below(6) {
            0 => g.sum(x, &axes, keep),
            1 => g.mean(x, &axes, keep),
            2 => g.max(x, &axes, keep),
            3 => g.min(x, &axes, keep),
            4 => g.variance(x, &axes, correction, keep),
            _ => g.mean(x, &[], keep),
        }
    }

    fn loss(&mut self) -> Result<Value> {
        let reduction = self.reduction();
        let (a, b) = (self.random.number(), self.random.number());
        match self.random.below(6) {
            0 | 1 => {
                let logits = self.float();
                let mut sizes = self.shape(logits).to_vec();
                let classes = if sizes.len() > 1 { sizes.remove(1) } else { 1 };
                let labels = self.labels(sizes)?;
                let weight = if self.random.once_in(3) { Some(self.made([classes])?) } else { None };
                let smoothing = if self.random.once_in(4) { a } else { 0.0 };
                let ignored = if self.random.once_in(4) { self.random.hostile() as i32 } else { -100 };
                let attributes = CrossEntropy::default()
                    .ignore_index(ignored)
                    .label_smoothing(smoothing)
                    .reduction(reduction);
                match self.random.below(4) {
                    0 => self.graph.nll_loss(logits, labels, weight, attributes),
                    1 => self.graph.correct_predictions(logits, labels),
                    2 => self.graph.cross_entropy(logits, labels),
                    _ => self.graph.cross_entropy_with(logits, labels, weight, attributes),
                }
            }
            2 | 3 => {
                let x = self.float();
                let target = self.made(self.shape(x))?;
                let element = match self.random.below(7) {
                    0 => ElementLoss::Mse,
                    1 => ElementLoss::L1,
                    2 => ElementLoss::SmoothL1 { beta: a },
                    3 => ElementLoss::Huber { delta: a },
                    4 => ElementLoss::BceWithLogits,
                    5 => ElementLoss::KlDiv,
                    _ => ElementLoss::KlDivOfLogarithms,
                };
                if self.random.once_in(4) {
                    let weight = self.beside(x)?;
                    return self.graph.bce_with_logits_loss(x, target, Some(weight), reduction);
                }
                self.graph.element_loss(element, x, target, reduction)
            }
            4 => {
                let x = self.ranked(2)?;
                let (near, far) = (self.beside(x)?, self.beside(x)?);
                let attributes = TripletMargin { margin: a, p: b, ..TripletMargin::default() };
                self.graph.triplet_margin_loss(x, near, far, attributes, reduction)
            }
            _ => {
                let x = self.ranked(2)?;
                let (other, rows) = (self.beside(x)?, self.shape(x).first().copied().unwrap_or(1));
                let targets = self.made([rows])?;
                self.graph.cosine_embedding_loss(x, other, targets, a, reduction)
            }
        }
    }

    /// A layer with a name of its own, or a whole network.
    fn layer(&mut self) -> Result<Value> {
        let x = if self.flag() { self.ranked(4)? } else { self.float() };
        let shape = self.shape(x);
        let channels = match self.random.once_in(30) {
            true => self.random.hostile(),
            false => shape.get(1).copied().unwrap_or(1),
        };
        let (outputs, kernel) = (self.random.attribute(6), self.random.pair(|r| r.attribute(3)));
        let (groups, number, mode) = (self.groups(channels), self.random.number(), self.mode());
        let padding = self.random.amount(2);
        let random = &mut *self.random;
        let convolution = nn::Conv2d::new(channels, outputs, kernel).padding([padding, padding]);
        let net = nn::Sequential::new();
        let net = match random.below(16) {
            0..=3 => {
                let net = net.push(convolution).push(nn::BatchNorm::new(outputs)).push(nn::Relu);
                if random.once_in(2) { net.push(nn::MaxPool2d::new([2, 2])) } else { net }
            }
            4 => net.push(convolution.groups(groups).padding_mode(PadMode::Reflect)),
            5 => net.push(nn::ConvTranspose2d::new(channels, outputs, kernel)),
            6 => net.push(nn::Parallel::sum().identity().add("branch", nn::BatchNorm::new(channels))),
            7 => net.push(nn::Parallel::concatenate(random.amount(2)).identity().add("branch", convolution)),
            8 => net.push(nn::Linear::new(channels, outputs)).push(nn::Gelu),
            9 => net.push(nn::Dropout::new(number)).push(nn::Dropout2d::new(0.5)),
            10 => net.push(nn::GroupNorm::new(groups, channels)).push(nn::Silu),
            11 => net.push(nn::LayerNorm::new(Shape::from(&shape[shape.len().min(1)..]))),
            12 => net.push(nn::Embedding::new(channels, outputs).padding_idx(padding)),
            13 => net.push(nn::LpPool2d::new(number, kernel)).push(nn::InstanceNorm::new(channels)),
            14 if random.once_in(20) => net.push(nn::models::lenet5(channels, outputs)),
            14 if random.once_in(20) => net.push(nn::models::resnet18(channels, outputs)),
            14 if random.once_in(20) => net.push(nn::models::unet(channels, outputs, random.attribute(4))),
            14 => net.push(nn::GlobalAvgPool2d).push(nn::Flatten),
            _ => net.push(nn::PRelu::new().num_parameters(channels)).push(nn::Softmax::new(padding)),
        };
        self.names += 1;
        let scope = format!("layer{}", self.names);
        self.graph.scoped(&scope, |g| net.forward(g, x, mode))
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

/// Schedules take any numbers, too, at any step.
#[test]
fn schedules_of_any_numbers_have_rates_at_any_step() {
    for seed in 0..3000 {
        let random = &mut Random::new(seed);
        let mut schedule: Option<optim::Schedule> = None;
        for _ in 0..random.between(1, 5) {
            let [a, b, c] = [0; 3].map(|_| f64::from(random.number()));
            let [steps, growth] = [0; 2].map(|_| random.attribute(20) as u64);
            let made = match random.below(8) {
                0 => optim::Schedule::reduced(a, b, steps),
                1 => optim::Schedule::step(a, steps, b),
                2 => optim::Schedule::multi_step(a, &[steps, growth], b),
                3 => optim::Schedule::exponential(a, b),
                4 => optim::Schedule::cosine(a, steps, b),
                5 => optim::Schedule::cosine_with_restarts(a, steps, growth, b),
                6 => optim::Schedule::linear(a, b, c, steps),
                _ => optim::Schedule::polynomial(a, steps, b),
            };
            schedule = match (made, schedule.take()) {
                (Err(_), earlier) => earlier,
                (Ok(made), None) => Some(made),
                (Ok(made), Some(earlier)) if random.once_in(2) => Some(earlier.then(steps, made)),
                (Ok(made), Some(earlier)) => Some(earlier.times(made)),
            };
        }
        let Some(schedule) = schedule else { continue };
        for step in [0, 1, 7, 100, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let rate = schedule.rate(step);
            assert!(!rate.is_nan() && rate >= 0.0 || rate.is_nan(), "{schedule:?} at {step}: {rate}");
        }
    }
}
