//! Generated shapes and attributes against the reference: a few with one variant each, and in the sweep many with every
//! variant. The generator is fixed, so a failure names a problem that can be run again.

mod chains;
mod layers;

use crate::harness::{Case, numbers, sweep};
use crate::{cases, harness};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgrad::op::Operator;
use wgrad::ops::conv2d::{Conv2d, Padding};
use wgrad::ops::cross_entropy::{ClassScores, CrossEntropy};
use wgrad::ops::dropout::{Dropout, Unit};
use wgrad::ops::elementwise::SumTo;
use wgrad::ops::embedding::Embedding;
use wgrad::ops::loss::{ElementReduction, Loss};
use wgrad::ops::losses::Reduction;
use wgrad::ops::matmul::MatMul;
use wgrad::ops::pad::PadMode;
use wgrad::{Shape, TensorType};

struct Generator(ChaCha8Rng);

impl Generator {
    fn new(stream: u64) -> Generator {
        let mut rng = ChaCha8Rng::seed_from_u64(20);
        rng.set_stream(stream);
        Generator(rng)
    }

    fn size(&mut self, most: usize) -> usize {
        self.0.random_range(1..=most)
    }

    /// Small sizes, often one, often a multiple of four, where kernels have edges.
    fn edge(&mut self, most: usize) -> usize {
        match self.0.random_range(0..4) {
            0 => 1,
            1 => 4 * self.size(most.div_ceil(4)),
            _ => self.size(most),
        }
    }

    fn pair(&mut self, most: usize) -> [usize; 2] {
        [self.size(most), self.size(most)]
    }
}

fn check(cases: &[Case]) {
    let (failures, _) = harness::compare(cases, &sweep::in_turn(cases), None);
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn convolutions_of_generated_shapes() {
    let mut generator = Generator::new(1);
    let mut cases = Vec::new();
    while cases.len() < 5 * sweep::count(4, 16) {
        let groups = [1, 1, 2, 3][generator.size(4) - 1];
        let mut sides = || generator.pair(4).map(|p| p - 1);
        let padding = match cases.len() / 5 % 4 {
            0 => [Padding::Valid, Padding::Half, Padding::Same, Padding::Full][generator.size(4) - 1],
            _ => Padding::Sides([sides(), sides()]),
        };
        let attributes = Conv2d::default()
            .stride(if padding == Padding::Same { [1, 1] } else { generator.pair(3) })
            .padding(padding)
            .dilation(generator.pair(2))
            .output_padding(generator.pair(2).map(|p| p - 1))
            .groups(groups);
        let (channels, results) = (generator.edge(5), generator.edge(9));
        let kernel = generator.pair(5);
        let input = [generator.edge(3), groups * channels, generator.edge(13), generator.edge(20)];
        let weight = [groups * results, channels, kernel[0], kernel[1]];
        // Kernels larger than the padded input are refused, which robustness tests look at.
        if attributes.infer(&[&TensorType::f32(input), &TensorType::f32(weight)]).is_err() {
            continue;
        }
        let name = format!("input {input:?} weight {weight:?} {attributes:?}");
        for mut case in cases::conv2d::passes(&("generated", input, weight, attributes)) {
            case.name = name.clone();
            cases.push(case);
        }
    }
    check(&cases);
}

#[test]
fn products_of_generated_shapes() {
    let mut generator = Generator::new(2);
    let mut cases = Vec::new();
    for i in 0..sweep::count(8, 32) {
        let (batch, mut m, mut n, mut k) =
            (generator.size(3), generator.edge(90), generator.edge(90), generator.edge(300));
        // Of four products one has few rows or columns and a longer sum.
        match i % 8 {
            0 => (m, k) = (generator.size(4), 3 * k),
            4 => (n, k) = (generator.size(4), 3 * k),
            _ => {}
        }
        let (transpose_lhs, transpose_rhs) = (generator.size(2) == 1, generator.size(2) == 1);
        let lhs = if transpose_lhs { [batch, k, m] } else { [batch, m, k] };
        let rhs = if transpose_rhs { [batch, n, k] } else { [batch, k, n] };
        let operator = MatMul { transpose_lhs, transpose_rhs };
        let name = format!("{lhs:?} by {rhs:?}, transposed {transpose_lhs} {transpose_rhs}");
        cases.push(Case::new(name, operator, vec![numbers(lhs, 1), numbers(rhs, 2)]));
    }
    check(&cases);
}

#[test]
fn broadcasts_of_generated_shapes() {
    let mut generator = Generator::new(3);
    let mut cases = Vec::new();
    for i in 0..sweep::count(12, 40) {
        let rank = generator.size(6);
        let full: Vec<usize> = (0..rank).map(|_| generator.size(6)).collect();
        let mut stretched = |from: usize| -> Vec<usize> {
            full[from..].iter().map(|&size| if generator.size(2) == 1 { 1 } else { size }).collect()
        };
        let (lhs, rhs) = (stretched(0), stretched(rank / 2));
        let name = format!("{lhs:?} and {rhs:?} within {full:?}");
        cases.push(cases::arithmetic::case(&name, cases::arithmetic::ALL[i % 6], &lhs, &rhs));
        cases.push(Case::new(name, SumTo { shape: Shape::from(lhs) }, vec![numbers(full, 3)]));
    }
    check(&cases);
}

/// Padding, slices, permutations and concatenations of one to six dimensions.
#[test]
fn moves_of_generated_shapes() {
    let mut generator = Generator::new(9);
    let mut cases = Vec::new();
    for i in 0..sweep::count(6, 12) {
        let rank = 1 + i % 6;
        let shape: Vec<usize> = (0..rank).map(|_| generator.edge(if rank > 3 { 5 } else { 11 })).collect();
        let name = format!("{shape:?}");
        let mode = [PadMode::Constant(0.5), PadMode::Reflect, PadMode::Replicate, PadMode::Circular][i % 4];
        let most = |size: usize| match mode {
            PadMode::Reflect => size - 1,
            PadMode::Circular => size,
            _ => 5,
        };
        let padded = &shape[generator.size(rank) - 1..];
        let amounts: Vec<[usize; 2]> =
            padded.iter().map(|&size| [0; 2].map(|_| generator.size(most(size).min(5) + 1) - 1)).collect();
        cases.extend(cases::pad::passes(&format!("{name} by {amounts:?}"), &shape, &amounts, mode));
        let mut part = |size: usize| -> (usize, isize, usize) {
            let (first, last) = (generator.size(size) - 1, generator.size(size) - 1);
            let step = generator.size(3);
            let count = 1 + first.abs_diff(last) / step;
            (first, if first > last { -(step as isize) } else { step as isize }, count)
        };
        let parts: Vec<_> = shape
            .iter()
            .enumerate()
            .map(|(d, &size)| if d % 2 == i % 2 { part(size) } else { (0, 1, size) })
            .collect();
        cases.extend(cases::slice::passes(&format!("{name} at {parts:?}"), &shape, &parts));
        let mut axes: Vec<usize> = (0..rank).collect();
        (1..rank).for_each(|d| axes.swap(d, generator.size(d + 1) - 1));
        cases.push(cases::permute::case(&format!("{name} as {axes:?}"), &shape, &axes));
        let sizes: Vec<usize> = (0..generator.size(9)).map(|_| generator.edge(5)).collect();
        let axis = generator.size(rank) - 1;
        cases.push(cases::concatenate::case(
            &format!("{name}, {sizes:?} along {axis}"),
            &shape,
            axis,
            &sizes,
        ));
    }
    check(&cases);
}

/// Reductions of one to six dimensions over any of them, searches along one, and rows by indices.
#[test]
fn reductions_of_generated_shapes() {
    let mut generator = Generator::new(10);
    let mut cases = Vec::new();
    for rank in [4, 1, 6, 2, 3, 5].into_iter().take(sweep::count(3, 6)) {
        let shape: Vec<usize> = (0..rank).map(|_| generator.edge(if rank > 3 { 5 } else { 23 })).collect();
        let axes: Vec<usize> = (0..rank).filter(|_| generator.size(2) == 1).collect();
        let keep = generator.size(2) == 1;
        let name = format!("{shape:?}");
        cases.extend(cases::argmax::pair(&name, &shape, generator.size(rank) - 1));
        let (rows, features) = (generator.edge(40), generator.edge(9));
        let attributes = Embedding { padding: (generator.size(2) == 1).then(|| generator.size(rows) - 1) };
        let name = format!("{rows} x {features}, {shape:?} indices, {attributes:?}");
        cases.extend(cases::embedding::passes(&name, rows, features, &shape, attributes));
        let name = format!("{shape:?} over {axes:?}");
        cases.extend(cases::reduce::family(&name, &numbers(shape, 1), &axes, keep));
    }
    check(&cases);
}

#[test]
fn rows_and_elements_of_generated_shapes() {
    let mut generator = Generator::new(6);
    let mut cases = Vec::new();
    for i in 0..sweep::count(5, 20) {
        let shape = [generator.edge(9), generator.edge(70), generator.edge(9)];
        let name = format!("{shape:?}");
        for axis in 0..3 {
            cases.extend(cases::softmax::pair(&name, axis == 1, &shape, axis));
        }
        let function = cases::unary::ALL[i * 5 % cases::unary::ALL.len()];
        cases.extend(cases::unary::pair(&name, function, harness::scaled(shape, 2, 4.0)));
        cases.extend(cases::prelu::passes(&name, &shape, &[shape[1]]));
        let (rows, classes) = (generator.edge(300), generator.edge(40));
        let inputs = vec![numbers([rows, classes], 3), harness::labels(rows, classes, 4)];
        cases.push(Case::new(format!("{rows} x {classes}"), CrossEntropy::default(), inputs));
    }
    check(&cases);
}

#[test]
fn losses_of_generated_shapes() {
    let mut generator = Generator::new(22);
    let mut cases = Vec::new();
    let reductions = [Reduction::Mean, Reduction::Sum, Reduction::None];
    let of_elements = reductions.map(ElementReduction::from);
    let of_elements = [&of_elements[..], &[ElementReduction::BatchMean]].concat();
    for (i, element) in cases::loss::ELEMENTS.into_iter().enumerate() {
        let shape: Vec<usize> = (0..generator.size(4)).map(|_| generator.edge(9)).collect();
        let loss = Loss { element, reduction: of_elements[i % 4] };
        let name = format!("{shape:?} {:?}", loss.reduction);
        cases.extend(cases::loss::passes(&name, loss, cases::loss::inputs(element, &shape)));
    }
    for i in 0..sweep::count(4, 8) {
        let mut shape = vec![generator.edge(9), 1 + generator.edge(40)];
        shape.extend((0..generator.size(3) - 1).map(|_| generator.edge(7)));
        let scores = [ClassScores::Logits, ClassScores::LogProbabilities][i % 2];
        let reduction = reductions[generator.size(3) - 1];
        let label_smoothing = [0.0, 0.2][generator.size(2) - 1];
        let attributes = CrossEntropy { scores, reduction, label_smoothing, ..CrossEntropy::default() };
        let weighted = generator.size(2) == 1;
        let name = format!("{shape:?} {attributes:?} weighted: {weighted}");
        cases.extend(cases::cross_entropy::family(&name, attributes, &shape, weighted));
    }
    check(&cases);
}

#[test]
fn random_units_moments_and_metrics_of_generated_shapes() {
    let mut generator = Generator::new(17);
    let mut cases = Vec::new();
    for number in 0..sweep::count(4, 12) as u32 {
        let shape = [generator.edge(9), generator.edge(40), generator.edge(30)];
        let name = format!("{shape:?}");
        let of = [Unit::Element, Unit::Channel, Unit::Sample][number as usize % 3];
        let dropout = Dropout { p: 0.3, of, seed: 5, node: number };
        cases.extend(cases::dropout::pair(&name, dropout, &shape, number));
        cases.push(cases::sample_moments::case(&name, &shape, 1.0, 1.0 / (number + 1) as f32));
        cases.push(cases::metrics::running_sum(&name, &shape));
        cases.push(cases::metrics::one_hot(&name, &shape[..2], shape[2]));
        cases.push(cases::metrics::in_top_k(&name, shape[0] * shape[1], shape[2], generator.edge(8)));
    }
    check(&cases);
}

#[test]
fn updates_of_generated_shapes() {
    let mut generator = Generator::new(18);
    let mut cases = Vec::new();
    for step in 0..sweep::count(2, 4) as u32 {
        let shapes = [
            vec![generator.edge(300)],
            vec![generator.edge(40), generator.edge(70)],
            vec![generator.edge(9), generator.edge(9), generator.edge(9)],
        ];
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        cases.extend(cases::optimizer::over(&format!("{shapes:?}"), &shapes, step));
    }
    check(&cases);
}
