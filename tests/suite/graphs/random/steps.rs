//! A random step: one of the graph's methods on values that it takes as a rule.

use super::build::Network;
use wgrad::ops::conv2d::{
    Conv1dOptions, Conv2d, Conv2dOptions, ConvTranspose1dOptions, ConvTranspose2dOptions, Padding,
};
use wgrad::ops::embedding::EmbeddingOptions;
use wgrad::ops::pad::PadMode;
use wgrad::ops::upsample::Resize;
use wgrad::{Result, Value};

impl Network<'_> {
    /// Attributes, of which each convolution takes what it has.
    pub(super) fn convolution(&mut self) -> Conv2d {
        let random = &mut *self.random;
        let mut attributes = Conv2d::new();
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

    /// Input, weight and groups of a convolution with so many spatial dimensions.
    pub(super) fn operands(
        &mut self,
        spatial: usize,
        transposed: bool,
    ) -> Result<(Value, Value, Option<Value>, usize)> {
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

    pub(super) fn step(&mut self) -> Result<Vec<Value>> {
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
                let Conv2d { stride, padding, dilation, .. } = self.convolution();
                let options = Conv2dOptions::new().stride(stride).padding(padding).dilation(dilation);
                let options = options.groups(groups);
                one(match self.random.below(6) {
                    0 => self.graph.convolution2d(x, w, b, options),
                    _ => self.graph.conv2d(x, w, b, options),
                })
            }
            12 => {
                let (x, w, b, groups) = self.operands(1, false)?;
                let Conv2d { stride, dilation, .. } = self.convolution();
                let padding = self.random.amount(2);
                let options = Conv1dOptions::new().stride(stride[0]).padding(padding).dilation(dilation[0]);
                one(self.graph.conv1d(x, w, b, options.groups(groups)))
            }
            13 | 14 => {
                let (x, w, b, groups) = self.operands(2, true)?;
                let Conv2d { stride, padding, dilation, output_padding, .. } = self.convolution();
                let options =
                    ConvTranspose2dOptions::new().stride(stride).padding(padding).dilation(dilation);
                let options = options.groups(groups).output_padding(output_padding);
                one(self.graph.conv_transpose2d(x, w, b, options))
            }
            15 => {
                let (x, w, b, groups) = self.operands(1, true)?;
                let Conv2d { stride, dilation, output_padding, .. } = self.convolution();
                let padding = self.random.amount(2);
                let options = ConvTranspose1dOptions::new().stride(stride[0]).padding(padding);
                let options = options.dilation(dilation[0]).groups(groups).output_padding(output_padding[0]);
                one(self.graph.conv_transpose1d(x, w, b, options))
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
                let (p, seed) = (f64::from(self.random.number()), self.random.hostile() as u64);
                let mode = self.mode();
                let y = match self.random.below(3) {
                    0 => self.graph.dropout(x, p, seed, mode)?,
                    1 => self.graph.dropout2d(x, p, seed, mode)?,
                    _ => self.graph.stochastic_depth(x, p, seed, mode)?,
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
                one(self.graph.embedding_with(weight, indices, EmbeddingOptions::new().padding_idx(padding)))
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

    pub(super) fn unary(&mut self) -> Result<Value> {
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

    pub(super) fn moving(&mut self) -> Result<Vec<Value>> {
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

    pub(super) fn reducing(&mut self) -> Result<Value> {
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
}
