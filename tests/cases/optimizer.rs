//! Optimizer updates over several tensors: arenas with gaps, every attribute, early and late steps.

use crate::harness::{Case, floats, scaled};
use wgrad::ops::optimizer::{
    AccumulateRule, AdadeltaRule, AdagradRule, AdamRule, Clip, EmaRule, Group, LerpRule, LionRule, NadamRule,
    RmspropRule, Rule, Scaling, SgdRule, Update,
};
use wgrad::{HostData, HostTensor, Shape};

/// Odd sizes, so that every tensor but one is padded, and more than one workgroup.
const SHAPES: [&[usize]; 5] = [&[3, 5], &[1], &[64], &[17, 67], &[]];

/// A case of this update: parameters, gradients and state as it needs them, rates from 0.3 down.
fn case(name: &str, update: Update, step: u32, shapes: &[&[usize]]) -> Case {
    at_rate(name, update, step, shapes, 0.3)
}

/// [`case`] with rates from this one down.
fn at_rate(name: &str, update: Update, step: u32, shapes: &[&[usize]], rate: f32) -> Case {
    let run = |seed: u64, scale: f32| {
        shapes.iter().enumerate().map(move |(i, &shape)| scaled(shape, seed + i as u64, scale))
    };
    let mut inputs: Vec<HostTensor> = run(1, 1.0).chain(run(11, 2.0)).collect();
    let slots: Vec<_> = update.slots().into_iter().flatten().collect();
    // A centered mean of squares is no less than the square of the mean.
    let least = if slots.contains(&"grad_avg") { 1.0 } else { 0.0 };
    for (seed, slot) in [21, 31, 41].into_iter().zip(slots) {
        let signed = ["momentum_buffer", "exp_avg", "grad_avg"].contains(&slot);
        inputs.extend(run(seed, 1.0).map(|tensor| {
            let change = |&x: &f64| if signed { x as f32 } else { (x * x + least) as f32 };
            let data = tensor.to_f64().iter().map(change).collect();
            floats(tensor.shape, data)
        }));
    }
    if update.groups[0].rule.has_rate() {
        let rates = (0..update.groups.len()).map(|i| rate / (1.0 + i as f32));
        inputs.extend(rates.map(|rate| HostTensor::filled(Shape::scalar(), rate).expect("it is small")));
    }
    inputs.push(HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![step]) });
    Case::new(name, update, inputs)
}

const BY_VALUE: Clip = Clip { value: Some(0.4), norm: None };
const BY_NORM: Clip = Clip { value: None, norm: Some(0.7) };
const BY_BOTH: Clip = Clip { value: Some(0.4), norm: Some(0.7) };
const NEVER: Clip = Clip { value: None, norm: Some(1e3) };

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let none = Clip::default();
    let sgd =
        |momentum, dampening, weight_decay, nesterov| SgdRule { momentum, dampening, weight_decay, nesterov };
    for (name, rule, step, clip) in [
        ("plain", sgd(0.0, 0.0, 0.0, false), 0, none),
        ("weight decay", sgd(0.0, 0.0, 0.3, false), 3, none),
        ("clipped by value", sgd(0.0, 0.0, 0.0, false), 3, BY_VALUE),
        ("clipped by norm", sgd(0.0, 0.0, 0.0, false), 3, BY_NORM),
        ("clipped by value, then by norm, with weight decay", sgd(0.0, 0.0, 0.3, false), 3, BY_BOTH),
        ("a norm that is small enough", sgd(0.0, 0.0, 0.0, false), 3, NEVER),
        ("momentum, first step", sgd(0.9, 0.0, 0.0, false), 0, none),
        ("momentum with dampening, first step", sgd(0.9, 0.5, 0.0, false), 0, none),
        ("momentum with dampening, second step", sgd(0.9, 0.5, 0.0, false), 1, none),
        ("dampening without momentum", sgd(0.0, 0.5, 0.0, false), 1, none),
        ("momentum with weight decay", sgd(0.9, 0.0, 0.2, false), 7, none),
        ("nesterov with weight decay", sgd(0.9, 0.0, 0.2, true), 7, none),
        ("momentum, clipped by value", sgd(0.9, 0.0, 0.0, false), 7, BY_VALUE),
        ("nesterov with weight decay, clipped by norm", sgd(0.9, 0.0, 0.2, true), 7, BY_NORM),
    ] {
        cases.push(case(name, Update { clip, ..Update::new(rule, SHAPES.len()) }, step, &SHAPES));
    }
    cases.extend(adam());
    cases.extend(others());
    cases.extend(steps_and_groups());
    cases.extend(scaled_losses());
    cases
}

/// Gradients of a loss that was multiplied by a scale: unscaled, clipped then, and what becomes of the scale.
fn scaled_losses() -> Vec<Case> {
    let parameters = SHAPES.len();
    let scaling = Some(Scaling { growth_interval: 5 });
    let of = |name: &str, update: Update, step: u32, [scale, good]: [f32; 2], bad: Option<f32>| {
        let mut case = case(name, update, step, &SHAPES);
        let counter = case.inputs.pop().expect("the step counter comes last");
        for gradient in &mut case.inputs[parameters..2 * parameters] {
            let data = gradient.to_f64().iter().map(|&g| g as f32 * scale).collect();
            *gradient = floats(gradient.shape.clone(), data);
        }
        if let (Some(bad), HostData::F32(data)) = (bad, &mut case.inputs[parameters + 3].data) {
            data[1001] = bad;
        }
        case.inputs.extend([scale, good].map(|x| floats(Shape::scalar(), vec![x])));
        case.inputs.push(counter);
        case
    };
    let sgd = SgdRule { momentum: 0.9, weight_decay: 0.2, ..Default::default() };
    let plain = Update { scaling, ..Update::new(sgd, parameters) };
    let clipped = |clip| Update { clip, ..plain.clone() };
    let adam = Update { scaling, clip: BY_BOTH, ..Update::new(AdamRule::<false>::default(), parameters) };
    let nadam = Update { scaling, every: 3, ..Update::new(NadamRule::default(), parameters) };
    vec![
        of("a scaled loss", plain.clone(), 3, [1024.0, 2.0], None),
        of("a scaled loss, clipped by value and norm", clipped(BY_BOTH), 3, [4096.0, 0.0], None),
        of("a scale that grows", plain.clone(), 7, [512.0, 4.0], None),
        of("an overflow", plain.clone(), 3, [1024.0, 3.0], Some(f32::INFINITY)),
        of(
            "an overflow that clipping by value would hide",
            clipped(BY_BOTH),
            3,
            [2.0, 4.0],
            Some(f32::NEG_INFINITY),
        ),
        of("a gradient of NaN, and the least scale", clipped(BY_NORM), 3, [1.0, 4.0], Some(f32::NAN)),
        of("Adam of a scaled loss", adam.clone(), 5, [65536.0, 1.0], None),
        of("Adam after an overflow", adam, 5, [65536.0, 1.0], Some(f32::INFINITY)),
        of("a scaled loss, the second step of three", nadam.clone(), 7, [8.0, 4.0], Some(f32::INFINITY)),
        of("a scaled loss, the third step of three", nadam, 8, [8.0, 4.0], None),
    ]
}

fn plain(name: &str, rule: impl Rule, step: u32) -> Case {
    case(name, Update::new(rule, SHAPES.len()), step, &SHAPES)
}

fn adam() -> Vec<Case> {
    let mut cases = Vec::new();
    let adam = AdamRule::<false>::default();
    for step in [0, 1, 2, 8, 9, 10, 99, 999, 1_000, 123_456, 40_000_000, u32::MAX - 1] {
        cases.push(plain(&format!("step {step}"), adam.clone(), step));
        let slow = AdamRule { betas: (0.99, 0.99999), eps: 1e-3, ..adam.clone() };
        cases.push(plain(&format!("slow decay, step {step}"), slow, step));
    }
    cases.push(plain("no decay of the mean", AdamRule { betas: (0.0, 0.999), ..adam.clone() }, 3));
    cases.push(plain("weight decay", AdamRule { weight_decay: 0.4, ..adam.clone() }, 3));
    cases.push(plain("amsgrad", AdamRule { amsgrad: true, ..adam.clone() }, 3));
    let decoupled = AdamRule::<true> { weight_decay: 0.4, ..Default::default() };
    cases.push(plain("decoupled weight decay", decoupled.clone(), 3));
    let parameters = SHAPES.len();
    let clipped = Update { clip: BY_VALUE, ..Update::new(adam.clone(), parameters) };
    cases.push(case("clipped by value", clipped, 3, &SHAPES));
    let rule = AdamRule { weight_decay: 0.4, amsgrad: true, ..adam };
    let all = Update { clip: BY_BOTH, ..Update::new(rule, parameters) };
    cases.push(case("as many bindings as there can be", all, 3, &SHAPES));
    let clipped = Update { clip: BY_NORM, ..Update::new(decoupled, parameters) };
    cases.push(case("clipped by norm, decoupled", clipped, 3, &SHAPES));
    cases
}

fn others() -> Vec<Case> {
    let mut cases = Vec::new();
    let nadam = NadamRule::default();
    for step in [0, 1, 43, 63, 64, 65, 1_000, u32::MAX - 1] {
        cases.push(plain(&format!("NAdam, step {step}"), nadam.clone(), step));
    }
    let full = NadamRule { momentum_decay: 10.0, betas: (0.999, 0.99), ..nadam.clone() };
    cases.push(plain("the full momentum at once", full.clone(), 0));
    cases.push(plain("the full momentum at once, later", full, 200));
    let held = NadamRule { momentum_decay: 0.0, betas: (0.5, 0.9), weight_decay: 0.2, ..nadam.clone() };
    cases.push(plain("half the momentum for ever, weight decay", held, 4));
    let slow = NadamRule { momentum_decay: 0.5, betas: (0.9999, 0.9), ..nadam.clone() };
    cases.push(plain("many factors, none of them nothing", slow, 2_000));
    let wide = NadamRule { momentum_decay: 1e30, betas: (0.0, 0.9), ..nadam.clone() };
    cases.push(plain("no momentum", wide, 7));
    let decoupled = NadamRule { decoupled: true, weight_decay: 0.2, ..nadam };
    let all = Update { clip: BY_NORM, ..Update::new(decoupled, SHAPES.len()) };
    cases.push(case("NAdam with all there is", all, 5, &SHAPES));

    let rmsprop = RmspropRule { alpha: 0.9, ..Default::default() };
    cases.push(plain("RMSprop", rmsprop.clone(), 3));
    cases.push(plain("momentum", RmspropRule { momentum: 0.8, weight_decay: 0.1, ..rmsprop.clone() }, 3));
    cases.push(plain("centered", RmspropRule { centered: true, ..rmsprop.clone() }, 3));
    let all = RmspropRule { centered: true, momentum: 0.8, eps: 1e-3, ..rmsprop };
    let all = Update { clip: BY_BOTH, ..Update::new(all, SHAPES.len()) };
    cases.push(case("RMSprop with all there is", all, 3, &SHAPES));

    cases.push(plain("Adagrad", AdagradRule::default(), 0));
    let decayed = AdagradRule { lr_decay: 0.1, weight_decay: 0.2, eps: 1e-2, ..Default::default() };
    cases.push(plain("rate and weight decay", decayed, 9));
    cases.push(plain("Adadelta", AdadeltaRule::default(), 0));
    let decayed = AdadeltaRule { rho: 0.7, weight_decay: 0.2, eps: 1e-2 };
    cases.push(plain("Adadelta with weight decay", decayed, 4));
    cases.push(plain("Lion", LionRule::default(), 0));
    let decayed = LionRule { betas: (0.5, 0.3), weight_decay: 0.2 };
    let clipped = Update { clip: BY_NORM, ..Update::new(decayed, SHAPES.len()) };
    cases.push(case("Lion with weight decay, clipped", clipped, 4, &SHAPES));

    cases.push(plain("a step towards others", LerpRule, 0));
    for rate in [0.0, 0.5, 0.8, 1.0] {
        let name = format!("{rate} of the way to others");
        cases.push(at_rate(&name, Update::new(LerpRule, SHAPES.len()), 0, &SHAPES, rate));
    }
    let groups = vec![Group::new(LerpRule, 2), Group::new(LerpRule, 3)];
    cases.push(case(
        "every third step",
        Update { groups, clip: Clip::default(), every: 3, scaling: None },
        5,
        &SHAPES,
    ));
    cases.push(plain("the first average", EmaRule { decay: 0.9, warm_up: false }, 0));
    cases.push(plain("average", EmaRule { decay: 0.9, warm_up: false }, 1));
    cases.push(plain("average, warming up", EmaRule { decay: 0.9, warm_up: true }, 30));
    cases.push(plain("average, warm", EmaRule { decay: 0.9, warm_up: true }, 3_000));
    cases
}

/// Every rule over tensors of these shapes, in turn without clipping and with both kinds.
pub fn over(name: &str, shapes: &[&[usize]], step: u32) -> Vec<Case> {
    let clip = if step.is_multiple_of(2) { Clip::default() } else { BY_BOTH };
    fn one<R: Rule>(name: &str, rule: R, clip: Clip, step: u32, shapes: &[&[usize]]) -> Case {
        case(name, Update { clip, ..Update::new(rule, shapes.len()) }, step, shapes)
    }
    let sgd = SgdRule { momentum: 0.9, dampening: 0.0, weight_decay: 0.2, nesterov: true };
    vec![
        one(name, sgd, clip, step, shapes),
        one(name, AdamRule::<false>::default(), clip, step, shapes),
        one(name, AdamRule::<true>::default(), clip, step, shapes),
        one(name, NadamRule::default(), clip, step, shapes),
        one(name, RmspropRule { momentum: 0.8, ..Default::default() }, clip, step, shapes),
        one(name, AdagradRule::default(), clip, step, shapes),
        one(name, AdadeltaRule::default(), clip, step, shapes),
        one(name, LionRule::default(), clip, step, shapes),
        one(name, LerpRule, Clip::default(), step, shapes),
    ]
}

fn steps_and_groups() -> Vec<Case> {
    let mut cases = Vec::new();
    for step in [6, 7, 8] {
        cases.push(plain(&format!("gradient {step} of three each"), AccumulateRule { steps: 3 }, step));
    }
    let parameters = SHAPES.len();
    let nadam = Update { every: 3, clip: BY_NORM, ..Update::new(NadamRule::default(), parameters) };
    cases.push(case("the second step of three", nadam.clone(), 7, &SHAPES));
    cases.push(case("the third step of three", nadam, 8, &SHAPES));
    let momentum = SgdRule { momentum: 0.9, dampening: 0.5, ..Default::default() };
    let decay = SgdRule { weight_decay: 0.3, dampening: 0.5, ..Default::default() };
    let groups = vec![Group::new(decay, 2), Group::new(momentum, 3)];
    cases.push(case(
        "a group without momentum",
        Update { groups, clip: BY_BOTH, every: 1, scaling: None },
        5,
        &SHAPES,
    ));
    let rmsprop = RmspropRule::default();
    let groups = vec![
        Group::new(RmspropRule { momentum: 0.9, ..rmsprop.clone() }, 1),
        Group::new(RmspropRule { centered: true, alpha: 0.5, ..rmsprop.clone() }, 3),
        Group::new(rmsprop, 1),
    ];
    cases.push(case(
        "groups of three kinds",
        Update { groups, clip: BY_NORM, every: 2, scaling: None },
        5,
        &SHAPES,
    ));
    cases
}

/// A million parameters in two layers.
pub fn large() -> Vec<Case> {
    const SHAPES: [&[usize]; 2] = [&[1000, 1000], &[1000]];
    let sgd = Update::new(SgdRule { momentum: 0.9, weight_decay: 1e-4, ..Default::default() }, 2);
    let clipped = Update { clip: Clip { value: Some(0.5), norm: Some(1.0) }, ..sgd.clone() };
    let large = |name: &str| format!("a million, {name}");
    vec![
        case(&large("SGD"), sgd, 5, &SHAPES),
        case(&large("SGD, clipped"), clipped, 5, &SHAPES),
        case(&large("AdamW"), Update::new(AdamRule::<true>::default(), 2), 5, &SHAPES),
        case(&large("NAdam"), Update::new(NadamRule::default(), 2), 5, &SHAPES),
        case(&large("average"), Update::new(EmaRule { decay: 0.999, warm_up: false }, 2), 5, &SHAPES),
    ]
}
