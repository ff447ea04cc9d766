//! Generated shapes and attributes: every variant against the reference. The generator is fixed, so a failed problem
//! can be run again.

use crate::harness::{Case, device, numbers, sweep};
use crate::{cases, harness};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use wgrad::graph::{Init, Source};
use wgrad::op::Operator;
use wgrad::ops::batch_norm::{BatchNorm, Running};
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Padding};
use wgrad::ops::cross_entropy::{ClassScores, CrossEntropy};
use wgrad::ops::dropout::{Dropout, Unit};
use wgrad::ops::elementwise::SumTo;
use wgrad::ops::embedding::Embedding;
use wgrad::ops::local_response_norm::LocalResponseNorm;
use wgrad::ops::loss::{ElementReduction, Loss};
use wgrad::ops::losses::Reduction;
use wgrad::ops::matmul::MatMul;
use wgrad::ops::pad::PadMode;
use wgrad::ops::pool2d::{MaxPool2d, Pool2d, Weighting, Windows};
use wgrad::ops::row_norm::RowNorm;
use wgrad::ops::unary::Unary;
use wgrad::ops::upsample::{Interpolation, Resize, Upsample};
use wgrad::{Error, Graph, Mode, Plan, PlanOptions, Session, Shape, TensorType, Value, Weights};

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
    let failures = harness::failures(cases);
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
fn poolings_of_generated_shapes() {
    let mut generator = Generator::new(4);
    let mut cases = Vec::new();
    while cases.len() < 6 * sweep::count(5, 20) {
        let kernel = generator.pair(4);
        let padding = kernel.map(|k| generator.size(k / 2 + 1) - 1);
        let pool =
            Pool2d::new(kernel).stride(generator.pair(4)).padding(padding).ceil_mode(generator.size(2) == 1);
        let input = [generator.edge(3), generator.edge(5), generator.edge(13), generator.edge(17)];
        let kind = TensorType::f32(input);
        if MaxPool2d(pool.into()).infer(&[&kind]).is_err() {
            continue;
        }
        cases.extend(cases::pool2d::passes(&format!("input {input:?} {pool:?}"), pool, input));
    }
    check(&cases);
}

#[test]
fn resamplings_of_generated_shapes() {
    let mut generator = Generator::new(21);
    let mut cases = Vec::new();
    while cases.len() < 2 * sweep::count(10, 40) {
        // Where many outputs give to a single element, they may cancel by chance.
        let input = [generator.edge(3), 1 + generator.edge(3), generator.edge(13), generator.edge(40)];
        let resize = match generator.size(2) {
            1 => Resize::Size([generator.edge(30), generator.edge(40)]),
            _ => Resize::ScaleFactor(
                [generator.size(30), generator.size(30)].map(|tenths| tenths as f64 / 10.0),
            ),
        };
        let align_corners = generator.size(2) == 1;
        let interpolation =
            [Interpolation::Nearest, Interpolation::Bilinear { align_corners }][generator.size(2) - 1];
        if (Upsample { resize, interpolation }).output_size([input[2], input[3]]).is_err() {
            continue;
        }
        let name = format!("{input:?} by {resize:?}, {interpolation:?}");
        cases.extend(cases::upsample::passes(&name, resize, interpolation, input));
    }
    check(&cases);
}

#[test]
fn kinds_of_pooling_of_generated_shapes() {
    let mut generator = Generator::new(20);
    let mut cases = Vec::new();
    while cases.len() < 10 * sweep::count(3, 10) {
        let kernel = generator.pair(4);
        let pool = Pool2d::new(kernel).stride(generator.pair(3)).ceil_mode(generator.size(2) == 1);
        let padded = pool
            .padding(kernel.map(|k| generator.size(k / 2 + 1) - 1))
            .count_include_pad(generator.size(2) == 1);
        let input = [generator.edge(3), generator.edge(3), generator.edge(13), generator.edge(17)];
        let kind = TensorType::f32(input);
        if MaxPool2d(pool.into()).infer(&[&kind]).is_err() {
            continue;
        }
        let windows = Windows::Adaptive([generator.edge(9), generator.edge(20)]);
        let p = [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0][generator.size(7) - 1];
        let name = format!("input {input:?} {padded:?}, p of {p}, {windows:?}");
        cases.extend(cases::pool2d::average(&name, padded.into(), Weighting::Distance, input));
        cases.extend(cases::pool2d::norm(&name, p, pool, input));
        cases.extend(cases::pool2d::max(&name, windows, input));
        cases.extend(cases::pool2d::unpool(&name, padded, input, [input[2], input[3]]));
        cases.extend(cases::pool2d::average(&name, windows, Weighting::Equal, input));
    }
    check(&cases);
}

#[test]
fn normalisations_of_generated_shapes() {
    let mut generator = Generator::new(5);
    let mut cases = Vec::new();
    while cases.len() < 4 * sweep::count(5, 20) {
        let mut shape = vec![2 + generator.edge(40), generator.edge(20)];
        if generator.size(3) > 1 {
            shape.extend([generator.edge(9), generator.edge(12)]);
        }
        // Few values in a channel cancel in the gradient; the family's own cases have them.
        if shape.iter().product::<usize>() / shape[1] < 5 {
            continue;
        }
        let name = format!("{shape:?}");
        cases.extend(cases::batch_norm::family(&name, numbers(shape, 1), BatchNorm::default()));
    }
    check(&cases);
}

#[test]
fn normalised_rows_of_generated_shapes() {
    let mut generator = Generator::new(11);
    let mut cases = Vec::new();
    while cases.len() < 3 * sweep::count(6, 20) {
        let groups = generator.size(4);
        let mut shape = vec![generator.edge(9), groups * generator.edge(9)];
        shape.extend((0..generator.size(3) - 1).map(|_| generator.edge(13)));
        let mut norm = match generator.size(3) {
            1 => cases::row_norm::layer(&shape[generator.size(shape.len()) - 1..]),
            2 => cases::row_norm::group(groups),
            _ => cases::row_norm::instance(),
        };
        norm.weight = generator.size(4) > 1;
        norm.bias = generator.size(4) > 1;
        let bare = RowNorm { weight: false, bias: false, ..norm.clone() };
        let Ok(outputs) = bare.infer(&[&TensorType::f32(shape.clone())]) else { continue };
        // Few values in a row cancel in the gradient; the family's own cases have them.
        if shape.iter().product::<usize>() / outputs[1].shape[0] < 5 {
            continue;
        }
        cases.extend(cases::row_norm::family(&format!("{shape:?} {norm:?}"), numbers(shape, 1), norm));
    }
    check(&cases);
}

#[test]
fn local_responses_of_generated_shapes() {
    let mut generator = Generator::new(12);
    let mut cases = Vec::new();
    for _ in 0..sweep::count(4, 12) {
        let shape = [generator.edge(4), generator.edge(11), generator.edge(9), generator.edge(13)];
        let attributes = LocalResponseNorm {
            size: generator.size(9),
            alpha: 1.5,
            beta: 0.75,
            k: generator.size(2) as f32,
        };
        let name = format!("{shape:?} {attributes:?}");
        cases.extend(cases::local_response_norm::pair(&name, numbers(shape, 1), attributes));
    }
    check(&cases);
}

#[test]
fn normalisations_with_pooling_of_generated_shapes() {
    let mut generator = Generator::new(7);
    let mut cases = Vec::new();
    for _ in 0..sweep::count(5, 20) {
        // A single channel's sum may cancel by chance; the largest of several measures them.
        let shape =
            [1 + generator.size(5), 2 + generator.edge(9), 2 * generator.edge(9), 2 + 2 * generator.edge(9)];
        let activation = [None, Some(Unary::Relu), Some(Unary::Sigmoid)][generator.size(3) - 1];
        let name = format!("{shape:?} {activation:?}");
        cases.extend(cases::batch_norm::pooled(&name, numbers(shape, 1), activation));
    }
    check(&cases);
}

/// Chains of one to four operators that work element by element, behind everything that can take them.
#[test]
fn chains_of_generated_shapes() {
    let mut generator = Generator::new(8);
    for i in 0..sweep::count(10, 25) {
        let shape = [generator.edge(3), generator.edge(9), generator.edge(9), generator.edge(13)];
        let (mut graph, links) = (Graph::new(), generator.size(4));
        let build = |graph: &mut Graph, generator: &mut Generator| -> Result<Value, Error> {
            let [n, c, h, w] = shape;
            let x = graph.input("x", shape)?;
            let mut y = match i % 5 {
                0 => {
                    let weight = graph.input("weight", [generator.edge(9), c, 1, 1])?;
                    graph.conv2d(x, weight, None, Conv2d::default().padding([1, 0]))?
                }
                1 => {
                    let weight = graph.input("weight", [n, c, w, generator.edge(20)])?;
                    graph.matmul(x, weight)?
                }
                2 => {
                    let weight = graph.input("weight", [c, generator.edge(9), 1, 1])?;
                    let input = Shape::from([n, graph.shape(weight).expect("of this graph")[1], h, w]);
                    let operator = Conv2dGradInput { attributes: Conv2d::default(), input };
                    graph.apply1(operator, &[x, weight])?
                }
                3 => {
                    let [weight, bias] = [graph.input("weight", [c])?, graph.input("bias", [c])?];
                    let mean = graph.state("mean", [c], Init::Constant(0.5), true)?;
                    let variance = graph.state("variance", [c], Init::Constant(1.5), true)?;
                    let mode = if n * h * w > 4 { Mode::Train } else { Mode::Eval };
                    let running = Running { mean, variance, batches: None };
                    graph.batch_norm(x, Some([weight, bias]), Some(running), BatchNorm::default(), mode)?
                }
                _ => graph.tanh(x)?,
            };
            for link in 0..links {
                let full = graph.shape(y).expect("of this graph").to_vec();
                y = match generator.size(7) {
                    1 => graph.relu(y)?,
                    2 | 3 => {
                        let functions =
                            [Unary::Gelu, Unary::Mish, Unary::Sigmoid, Unary::Scale { factor: 0.75 }];
                        graph.apply1(functions[generator.size(4) - 1], &[y])?
                    }
                    6 => {
                        let weight = graph.input(&format!("slopes {link}"), [full[1]])?;
                        graph.prelu(y, weight)?
                    }
                    4 => {
                        let other = graph.input(&format!("each row {link}"), [full[0], 1, full[2], 1])?;
                        graph.mul(other, y)?
                    }
                    5 => {
                        let other = graph.input(&format!("same {link}"), full)?;
                        graph.sub(other, y)?
                    }
                    _ => {
                        let other = graph.input(&format!("each channel {link}"), [full[1], 1, 1])?;
                        graph.add(y, other)?
                    }
                };
            }
            Ok(y)
        };
        let y = build(&mut graph, &mut generator).unwrap_or_else(|e| panic!("{graph}{e}"));
        let plan = Plan::new(&graph, &[y], device().caps()).unwrap_or_else(|e| panic!("{graph}{e}"));
        assert_eq!(plan.steps().len(), 1, "{plan}");
        let node = plan.graph().node(plan.steps()[0].node).expect("of this graph").clone();
        let types: Vec<_> =
            node.inputs.iter().map(|&v| graph.value(v).expect("of this graph").ty.clone()).collect();
        for variant in node.operator.variants(&types.iter().collect::<Vec<_>>(), device().caps()) {
            let run = || -> Result<(), Error> {
                let options = PlanOptions::default().variant(node.operator.name(), variant);
                let plan = Plan::with_options(&graph, &[y], device().caps(), &options)?;
                let mut session = Session::new(device(), plan, &Weights::init(device(), &graph, 0)?)?;
                for (seed, (value, info)) in (1..).zip(graph.values()) {
                    if matches!(info.source, Source::Input) {
                        session.write(value, &numbers(info.ty.shape.clone(), seed))?;
                    }
                }
                session.verify().map(|_| ())
            };
            run().unwrap_or_else(|e| panic!("{} [{variant}] {shape:?}: {e}", node.operator.describe()));
        }
    }
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
fn random_units_and_moments_of_generated_shapes() {
    let mut generator = Generator::new(17);
    let mut cases = Vec::new();
    for number in 0..sweep::count(4, 12) as u32 {
        let shape = [generator.edge(9), generator.edge(40), generator.edge(30)];
        let name = format!("{shape:?}");
        let of = if number % 2 == 0 { Unit::Element } else { Unit::Channel };
        let dropout = Dropout { p: 0.3, of, seed: 5, node: number };
        cases.extend(cases::dropout::pair(&name, dropout, &shape, number));
        cases.push(cases::sample_moments::case(&name, &shape, (number + 1) as f32));
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
