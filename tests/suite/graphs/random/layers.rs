//! Random pooling, normalisation and losses, and whole layers.

use super::build::Network;
use wgrad::graph::Init;
use wgrad::nn::{self, Layer};
use wgrad::ops::batch_norm::{Momentum, Running};
use wgrad::ops::local_response_norm::LocalResponseNormOptions;
use wgrad::ops::loss::{ElementLoss, ElementReduction, Loss};
use wgrad::ops::losses::{
    BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, NllOptions, TripletMarginOptions,
};
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{
    AvgPool1dOptions, AvgPool2dOptions, LpPool2dOptions, MaxPool1dOptions, MaxPool2dOptions, Pool2d,
    WeightedAvgPool2dOptions,
};
use wgrad::{Result, Shape, Value};

impl Network<'_> {
    /// Windows, of which each pooling takes what it has.
    pub(super) fn pool(&mut self) -> Pool2d {
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

    pub(super) fn pooling(&mut self) -> Result<Value> {
        let kind = self.random.below(10);
        if kind < 2 {
            let (x, pool) = (self.ranked(3)?, self.pool());
            if kind == 0 {
                let max =
                    MaxPool1dOptions::new(pool.kernel[0]).stride(pool.stride[0]).padding(pool.padding[0]);
                return self.graph.max_pool1d(x, max.dilation(pool.dilation[0]).ceil_mode(pool.ceil_mode));
            }
            let average =
                AvgPool1dOptions::new(pool.kernel[0]).stride(pool.stride[0]).padding(pool.padding[0]);
            let average = average.ceil_mode(pool.ceil_mode).count_include_pad(pool.count_include_pad);
            return self.graph.avg_pool1d(x, average);
        }
        let (x, pool, size) = (self.ranked(4)?, self.pool(), self.random.pair(|r| r.attribute(4)));
        let Pool2d { kernel, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override } =
            pool;
        let max = MaxPool2dOptions::new(kernel).stride(stride).padding(padding).dilation(dilation);
        let max = max.ceil_mode(ceil_mode);
        let p = self.random.number();
        let other = self.float();
        let g = &mut self.graph;
        match kind {
            2..=4 => g.max_pool2d(x, max),
            5 => {
                let average =
                    AvgPool2dOptions::new(kernel).stride(stride).padding(padding).ceil_mode(ceil_mode);
                let average = average.count_include_pad(count_include_pad).divisor_override(divisor_override);
                g.avg_pool2d(x, average)
            }
            6 => {
                let average = WeightedAvgPool2dOptions::new(kernel).stride(stride).padding(padding);
                g.weighted_avg_pool2d(x, average.ceil_mode(ceil_mode).count_include_pad(count_include_pad))
            }
            7 => g.lp_pool2d(x, p, LpPool2dOptions::new(kernel).stride(stride).ceil_mode(ceil_mode)),
            8 if size[0] % 2 == 0 => g.adaptive_avg_pool2d(x, size),
            8 => g.adaptive_max_pool2d(x, size),
            _ => {
                let (y, indices) = g.max_pool2d_with_indices(x, max)?;
                let (from, to) = if p < 0.2 { (other, size) } else { (y, indices.input_size()) };
                g.max_unpool2d(from, &indices, to)
            }
        }
    }

    pub(super) fn normalization(&mut self) -> Result<Value> {
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
                let share = (!self.random.once_in(5)).then_some(0.1);
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
                            momentum: match share {
                                None => Momentum::Cumulative(state("batches", Shape::scalar())?),
                                Some(share) => Momentum::Share(share),
                            },
                        })
                    }
                    false => None,
                };
                let mode = self.mode();
                self.graph.batch_norm(x, affine, running, eps, mode)
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
                self.graph.local_response_norm(x, LocalResponseNormOptions::new(size).alpha(alpha))
            }
        }
    }

    pub(super) fn loss(&mut self) -> Result<Value> {
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
                match self.random.below(4) {
                    0 => {
                        let options =
                            NllOptions::new().weight(weight).ignore_index(ignored).reduction(reduction);
                        self.graph.nll_loss_with(logits, labels, options)
                    }
                    1 => self.graph.correct_predictions(logits, labels),
                    2 => self.graph.cross_entropy(logits, labels),
                    _ => {
                        let options = CrossEntropyOptions::new()
                            .weight(weight)
                            .ignore_index(ignored)
                            .label_smoothing(smoothing)
                            .reduction(reduction);
                        self.graph.cross_entropy_with(logits, labels, options)
                    }
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
                    let options = BceWithLogitsOptions::new().pos_weight(weight).reduction(reduction);
                    return self.graph.bce_with_logits_loss_with(x, target, options);
                }
                let reduction =
                    if self.random.once_in(4) { ElementReduction::BatchMean } else { reduction.into() };
                self.graph.apply1(Loss { element, reduction }, &[x, target])
            }
            4 => {
                let x = self.ranked(2)?;
                let (near, far) = (self.beside(x)?, self.beside(x)?);
                let options = TripletMarginOptions::new().margin(a).p(b).reduction(reduction);
                self.graph.triplet_margin_loss_with(x, near, far, options)
            }
            _ => {
                let x = self.ranked(2)?;
                let (other, rows) = (self.beside(x)?, self.shape(x).first().copied().unwrap_or(1));
                let targets = self.made([rows])?;
                let options = CosineEmbeddingOptions::new().margin(a).reduction(reduction);
                self.graph.cosine_embedding_loss_with(x, other, targets, options)
            }
        }
    }

    /// A layer with a name of its own, or a whole network.
    pub(super) fn layer(&mut self) -> Result<Value> {
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
            6 if random.once_in(3) => net.push(nn::Parallel::product().identity().inline(nn::Sigmoid)),
            6 if random.once_in(3) => {
                net.push(nn::ChannelShuffle::new(groups)).push(nn::Permute::new([1, 0]))
            }
            6 => net.push(nn::Parallel::sum().identity().add("branch", nn::BatchNorm::new(channels))),
            7 => net.push(nn::Parallel::concatenate(random.amount(2)).identity().add("branch", convolution)),
            8 => net.push(nn::Linear::new(channels, outputs)).push(nn::Gelu),
            9 if random.once_in(2) => net.push(nn::StochasticDepth::new(f64::from(number))),
            9 => net.push(nn::Dropout::new(f64::from(number))).push(nn::Dropout2d::new(0.5)),
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
