//! Any operator with attributes that may be anything, gradients that no forward operator asked for among them.

use super::numbers::Random;
use std::sync::Arc;
use wgrad::Shape;
use wgrad::op::Operator;
use wgrad::ops::argmax::ArgMax;
use wgrad::ops::arithmetic::{Binary, ExtremumGrad};
use wgrad::ops::batch_norm::{
    BatchNorm, BatchNormEval, BatchNormEvalGrad, BatchNormEvalGradInput, BatchNormGrad, BatchNormMaxPool,
    BatchNormMaxPoolGrad, BatchNormTrain,
};
use wgrad::ops::compare::{Compare, Where, WhereGrad};
use wgrad::ops::concatenate::Concatenate;
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight, Padding};
use wgrad::ops::cross_entropy::{ClassScores, CrossEntropy, CrossEntropyGrad, CrossEntropyWithGrad};
use wgrad::ops::dropout::{Dropout, DropoutMask, Unit};
use wgrad::ops::elementwise::{Copy, SumTo};
use wgrad::ops::embedding::{Embedding, EmbeddingGrad};
use wgrad::ops::expand::Expand;
use wgrad::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormGrad};
use wgrad::ops::loss::{ElementLoss, ElementReduction, Loss, LossGrad};
use wgrad::ops::losses::Reduction;
use wgrad::ops::matmul::MatMul;
use wgrad::ops::optimizer::{AdamRule, Clip, EmaRule, Group, SgdRule, Update};
use wgrad::ops::pad::{Pad, PadGrad, PadMode};
use wgrad::ops::permute::Permute;
use wgrad::ops::pool2d::{
    Average, AvgPool2d, AvgPool2dGrad, LpPool2d, LpPool2dGrad, MaxPool2d, MaxPool2dGrad, MaxUnpool2d,
    MaxUnpool2dGrad, Norm, Pool2d, Unpool, Weighting, Windows,
};
use wgrad::ops::prelu::PReluGrad;
use wgrad::ops::reduce::{Axes, EqualCount, ExtremumShare, Function, Reduce, Variance};
use wgrad::ops::reshape::Reshape;
use wgrad::ops::row_norm::{RowNorm, RowNormGrad, RowNormGradParameters, Rows};
use wgrad::ops::slice::{Slice, SliceAxis, SliceGrad};
use wgrad::ops::softmax::{Softmax, SoftmaxGrad};
use wgrad::ops::unary::{Unary, UnaryGrad};
use wgrad::ops::upsample::{Interpolation, Resize, Upsample, Upsample2d, Upsample2dGrad};

/// Half of the time an ordinary number, else anything.
fn number(random: &mut Random) -> usize {
    if random.once_in(2) { random.hostile() } else { random.between(0, 5) }
}

fn pair(random: &mut Random) -> [usize; 2] {
    if random.once_in(2) { [1, 1] } else { random.pair(number) }
}

fn shape(random: &mut Random) -> Shape {
    let rank = random.below(7);
    let sizes: Vec<usize> =
        (0..rank).map(|_| if random.once_in(4) { random.hostile() } else { random.size() }).collect();
    sizes.into()
}

fn flag(random: &mut Random) -> bool {
    random.once_in(2)
}

fn convolution(random: &mut Random) -> Conv2d {
    let sides = [pair(random), pair(random)];
    let padding =
        *random.of(&[Padding::Sides(sides), Padding::Valid, Padding::Half, Padding::Same, Padding::Full]);
    Conv2d {
        stride: pair(random),
        padding,
        dilation: pair(random),
        groups: number(random),
        output_padding: [0, 0],
    }
    .output_padding(if flag(random) { [0, 0] } else { pair(random) })
}

fn pool(random: &mut Random) -> Pool2d {
    let pool = Pool2d::new(pair(random)).stride(pair(random)).dilation(pair(random));
    let pool = if flag(random) { pool } else { pool.padding(pair(random)) };
    let pool = if flag(random) { pool } else { pool.divisor_override(number(random)) };
    pool.ceil_mode(flag(random)).count_include_pad(flag(random))
}

fn windows(random: &mut Random) -> Windows {
    if flag(random) { Windows::Adaptive(pair(random)) } else { pool(random).into() }
}

fn average(random: &mut Random) -> Average {
    let weighting = if flag(random) { Weighting::Equal } else { Weighting::Distance };
    Average { windows: windows(random), weighting }
}

fn axes(random: &mut Random) -> Axes {
    let count = random.below(4);
    Axes { axes: (0..count).map(|_| number(random)).collect(), keepdim: flag(random) }
}

fn unary(random: &mut Random) -> Unary {
    let (a, b) = (random.number(), random.number());
    let all = [
        Unary::Relu,
        Unary::LeakyRelu { slope: a },
        Unary::Elu { alpha: a },
        Unary::Selu,
        Unary::Gelu,
        Unary::GeluTanh,
        Unary::Silu,
        Unary::Mish,
        Unary::Softplus { beta: a, threshold: b },
        Unary::Sigmoid,
        Unary::Tanh,
        Unary::HardSigmoid,
        Unary::HardSwish,
        Unary::HardTanh { min: a, max: b },
        Unary::Erf,
        Unary::Exp,
        Unary::Log,
        Unary::Sqrt,
        Unary::Abs,
        Unary::Sign,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
        Unary::IsNan,
        Unary::IsInf,
        Unary::Power { exponent: a },
        Unary::Clamp { min: Some(a), max: Some(b) },
        Unary::Clamp { min: None, max: None },
        Unary::Scale { factor: a },
        Unary::Shift { amount: a },
    ];
    *random.of(&all)
}

fn slice(random: &mut Random) -> Slice {
    let axis = |random: &mut Random| SliceAxis {
        start: number(random),
        step: *random.of(&[0, 1, -1, 2, isize::MIN, isize::MAX]),
        size: number(random),
    };
    let count = random.below(5);
    Slice { axes: (0..count).map(|_| axis(random)).collect() }
}

fn pad(random: &mut Random) -> Pad {
    let modes = [PadMode::Constant(random.number()), PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
    let count = random.below(5);
    Pad { amounts: (0..count).map(|_| pair(random)).collect(), mode: *random.of(&modes) }
}

fn cross_entropy(random: &mut Random) -> CrossEntropy {
    CrossEntropy {
        ignore_index: random.hostile() as i32,
        label_smoothing: random.number(),
        reduction: *random.of(&[Reduction::Mean, Reduction::Sum, Reduction::None]),
        scores: *random.of(&[ClassScores::Logits, ClassScores::LogProbabilities]),
    }
}

fn reduction(random: &mut Random) -> ElementReduction {
    use ElementReduction::{BatchMean, Mean, None, Sum};
    *random.of(&[Mean, Sum, BatchMean, None])
}

fn loss(random: &mut Random) -> Loss {
    let a = random.number();
    let elements = [
        ElementLoss::Mse,
        ElementLoss::SmoothL1 { beta: a },
        ElementLoss::Huber { delta: a },
        ElementLoss::BceWithLogits,
        ElementLoss::KlDiv,
    ];
    Loss { element: *random.of(&elements), reduction: reduction(random) }
}

fn row_norm(random: &mut Random) -> RowNorm {
    let rows = match random.below(3) {
        0 => Rows::Layer { normalized_shape: shape(random) },
        1 => Rows::Group { groups: number(random) },
        _ => Rows::Instance,
    };
    RowNorm { rows, eps: random.number(), weight: flag(random), bias: flag(random) }
}

fn norm(random: &mut Random) -> BatchNorm {
    BatchNorm { eps: random.number(), momentum: flag(random).then(|| random.number()) }
}

fn dropout(random: &mut Random) -> Dropout {
    let of = [Unit::Element, Unit::Channel, Unit::Sample][random.below(3)];
    Dropout {
        p: f64::from(random.number()),
        of,
        seed: random.hostile() as u64,
        node: random.hostile() as u32,
    }
}

fn upsample(random: &mut Random) -> Upsample {
    let factors = [f64::from(random.number()), f64::from(random.number()) * 1e300];
    let resize = if flag(random) { Resize::Size(pair(random)) } else { Resize::ScaleFactor(factors) };
    let interpolation = match flag(random) {
        true => Interpolation::Nearest,
        false => Interpolation::Bilinear { align_corners: flag(random) },
    };
    Upsample { resize, interpolation }
}

fn update(random: &mut Random) -> Arc<dyn Operator> {
    let clip = Clip {
        value: flag(random).then(|| random.number().into()),
        norm: flag(random).then(|| random.number().into()),
    };
    let every = random.hostile() as u32;
    let mut count = || if random.once_in(4) { random.hostile() } else { random.between(0, 3) };
    let parameters = [count(), count()];
    let number = f64::from(random.number());
    match random.below(3) {
        0 => {
            let rule = SgdRule { momentum: number, ..SgdRule::default() };
            let groups = parameters.map(|parameters| Group::new(rule.clone(), parameters));
            Arc::new(Update { groups: groups.into(), clip, every, scaling: None })
        }
        1 => {
            let rule = AdamRule::<true> { eps: number, ..AdamRule::default() };
            Arc::new(Update { groups: vec![Group::new(rule, parameters[0])], clip, every, scaling: None })
        }
        _ => {
            let rule = EmaRule { decay: number, warm_up: true };
            Arc::new(Update { groups: vec![Group::new(rule, parameters[0])], clip, every, scaling: None })
        }
    }
}

/// Any operator; `None` now and then, for one that fits.
pub fn any(random: &mut Random) -> Option<Arc<dyn Operator>> {
    Some(match random.below(65) {
        0 => Arc::new(ArgMax { axis: number(random), keepdim: flag(random), smallest: flag(random) }),
        1 => {
            Arc::new(ExtremumGrad { function: *random.of(&[Binary::Maximum, Binary::Minimum, Binary::Add]) })
        }
        2 => Arc::new(BatchNormEval { norm: norm(random), affine: flag(random) }),
        3 => Arc::new(BatchNormEvalGrad(norm(random))),
        4 => Arc::new(BatchNormEvalGradInput { norm: norm(random), affine: flag(random) }),
        5 => Arc::new(BatchNormGrad { source_bias: flag(random) }),
        6 => {
            let norm = BatchNormTrain { norm: norm(random), affine: flag(random), tracked: flag(random) };
            let activation = flag(random).then(|| unary(random));
            if flag(random) { Arc::new(BatchNormMaxPool { norm, activation }) } else { Arc::new(norm) }
        }
        7 => Arc::new(BatchNormMaxPoolGrad(BatchNormGrad { source_bias: flag(random) })),
        8 => Arc::new(Concatenate { axis: number(random) }),
        9..=13 => Arc::new(convolution(random)),
        14..=16 => Arc::new(Conv2dGradInput { attributes: convolution(random), input: shape(random) }),
        17..=19 => Arc::new(Conv2dGradWeight { attributes: convolution(random), weight: shape(random) }),
        20 => Arc::new(cross_entropy(random)),
        21 => Arc::new(CrossEntropyGrad { forward: cross_entropy(random) }),
        22 => Arc::new(CrossEntropyWithGrad { forward: cross_entropy(random) }),
        23 => Arc::new(dropout(random)),
        24 => Arc::new(DropoutMask { dropout: dropout(random), shape: shape(random) }),
        25 => Arc::new(SumTo { shape: shape(random) }),
        26 => Arc::new(Copy),
        27 => Arc::new(Embedding { padding: flag(random).then(|| number(random)) }),
        28 => Arc::new(EmbeddingGrad {
            forward: Embedding { padding: Some(number(random)) },
            rows: number(random),
        }),
        29 => Arc::new(Expand { shape: shape(random) }),
        30 | 31 => {
            let [alpha, beta, k] = [0; 3].map(|_| random.number());
            let norm = LocalResponseNorm { size: number(random), alpha, beta, k };
            if flag(random) { Arc::new(norm) } else { Arc::new(LocalResponseNormGrad(norm)) }
        }
        32 => Arc::new(loss(random)),
        33 => Arc::new(LossGrad { forward: loss(random), by_target: flag(random) }),
        34 => Arc::new(MatMul { transpose_lhs: flag(random), transpose_rhs: flag(random) }),
        35 => update(random),
        36 | 37 => Arc::new(pad(random)),
        38 => Arc::new(PadGrad { forward: pad(random), input: shape(random) }),
        39 => {
            let count = random.below(8);
            Arc::new(Permute { axes: (0..count).map(|_| number(random)).collect() })
        }
        40 => Arc::new(AvgPool2d(average(random))),
        41 => Arc::new(AvgPool2dGrad { average: average(random), input: shape(random) }),
        42 => Arc::new(LpPool2d(Norm { p: random.number(), pool: pool(random) })),
        43 => Arc::new(LpPool2dGrad(Norm { p: random.number(), pool: pool(random) })),
        44 => Arc::new(MaxPool2d(windows(random))),
        45 => Arc::new(MaxPool2dGrad { windows: windows(random), input: shape(random) }),
        46 => Arc::new(MaxUnpool2d(Unpool { pool: pool(random), output_size: pair(random) })),
        47 => {
            let unpool = Unpool { pool: pool(random), output_size: pair(random) };
            Arc::new(MaxUnpool2dGrad { unpool, input: shape(random) })
        }
        48 => Arc::new(PReluGrad),
        49 => Arc::new(EqualCount),
        50 => Arc::new(ExtremumShare),
        51 => {
            let function = *random.of(&[Function::Sum, Function::Mean, Function::Max, Function::Min]);
            Arc::new(Reduce { function, axes: axes(random) })
        }
        52 => Arc::new(Variance { axes: axes(random), correction: number(random) }),
        53 => Arc::new(Reshape { shape: shape(random) }),
        54 => Arc::new(row_norm(random)),
        55 => Arc::new(RowNormGrad(row_norm(random))),
        56 => Arc::new(RowNormGradParameters(row_norm(random))),
        57 => Arc::new(slice(random)),
        58 => Arc::new(SliceGrad { forward: slice(random), input: shape(random) }),
        59 => {
            let forward = Softmax { axis: number(random), log: flag(random) };
            if flag(random) { Arc::new(forward) } else { Arc::new(SoftmaxGrad { forward }) }
        }
        60 => Arc::new(unary(random)),
        61 => Arc::new(UnaryGrad { function: unary(random) }),
        62 => Arc::new(Upsample2d(upsample(random))),
        63 => match random.below(3) {
            0 => {
                use Compare::{Eq, Ge, Gt, Le, Lt, Ne};
                Arc::new(*random.of(&[Eq, Ne, Lt, Le, Gt, Ge]))
            }
            1 => Arc::new(Where),
            _ => Arc::new(WhereGrad { chosen: flag(random) }),
        },
        64 if flag(random) => Arc::new(Upsample2dGrad { upsample: upsample(random), input: shape(random) }),
        _ => return None,
    })
}
