//! The products and convolutions to compile, planned for a discrete GPU.

use crate::begin::Begin;
use wgrad::op::{AdapterKind, CooperativeMatrix, Operator};
use wgrad::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight};
use wgrad::ops::linear::{Linear, LinearGradWeight};
use wgrad::ops::matmul::MatMul;
use wgrad::plan::{Fusion, Precision};
use wgrad::{Caps, Error, Graph, Plan, PlanOptions, Shape, TensorType, Value};

/// A kernel that a plan for a discrete GPU takes.
pub struct Planned {
    /// Operator, and the kernel's file.
    pub kernel: String,
    /// The problem's sizes.
    pub shape: String,
    /// The WGSL text as the driver gets it.
    pub source: String,
}

/// A problem: a graph of one operator.
struct Problem {
    name: &'static str,
    shape: String,
    graph: Graph,
    output: Value,
}

fn problem<O: Operator + 'static>(shape: &str, operator: O, inputs: &[&Shape]) -> Result<Problem, Error> {
    let name = operator.name();
    let mut graph = Graph::new();
    let mut values = Vec::new();
    for (i, &shape) in inputs.iter().enumerate() {
        let input = graph.input(&format!("input{i}"), shape.clone())?;
        // What lies between operators is f16 in mixed precision.
        values.push(graph.apply1(Begin, &[input])?);
    }
    let output = graph.apply(operator, &values)?[0];
    let output = graph.apply1(Begin, &[output])?;
    Ok(Problem { name, shape: shape.to_owned(), graph, output })
}

/// A convolution's sizes: images, channels, results, (height, width), kernel, attributes.
struct Convolution {
    images: usize,
    channels: usize,
    results: usize,
    size: usize,
    kernel: usize,
    attributes: Conv2d,
}

impl Convolution {
    /// The three passes.
    fn problems(&self) -> Result<[Problem; 3], Error> {
        let Convolution { images, channels, results, size, kernel, attributes } = *self;
        let input = Shape::from([images, channels, size, size]);
        let weight = Shape::from([results, channels / attributes.groups, kernel, kernel]);
        let kinds = [TensorType::f32(input.clone()), TensorType::f32(weight.clone())];
        let output =
            attributes.infer(&[&kinds[0], &kinds[1]]).expect("the problem is valid")[0].shape.clone();
        let mut shape = format!("{images}x{channels}x{size}x{size}, {results} of {kernel}x{kernel}");
        if attributes.stride != [1, 1] {
            shape.push_str(&format!(", stride {}", attributes.stride[0]));
        }
        let grad_input = Conv2dGradInput { attributes, input: input.clone() };
        let grad_weight = Conv2dGradWeight { attributes, weight: weight.clone() };
        Ok([
            problem(&shape, attributes, &[&input, &weight])?,
            problem(&shape, grad_input, &[&output, &weight])?,
            problem(&shape, grad_weight, &[&output, &input])?,
        ])
    }
}

fn problems() -> Result<Vec<Problem>, Error> {
    let product = |m: usize, k: usize, n: usize, transpose_lhs: bool, transpose_rhs: bool| {
        let a = if transpose_lhs { [k, m] } else { [m, k] };
        let b = if transpose_rhs { [n, k] } else { [k, n] };
        let mark = |t: bool| if t { "^T" } else { "" };
        let shape = format!("{m}x{k}{} by {k}x{n}{}", mark(transpose_lhs), mark(transpose_rhs));
        problem(&shape, MatMul { transpose_lhs, transpose_rhs }, &[&Shape::from(a), &Shape::from(b)])
    };
    let same = |padding: usize| Conv2d::default().padding([padding, padding]);
    let mut problems = vec![
        product(1024, 1024, 1024, false, false)?,
        product(1024, 1024, 1024, true, false)?,
        product(2048, 2048, 2048, false, false)?,
        product(1023, 1021, 1019, false, false)?,
        product(64, 600, 1568, false, false)?,
        problem("600x64^T by 64x1568", LinearGradWeight, &[&[64, 600].into(), &[64, 1568].into()])?,
        problem("64x1568 by 1568x600^T", Linear, &[&[64, 1568].into(), &[600, 1568].into()])?,
    ];
    for convolution in [
        // The seed network's second convolution; a middle layer, a strided layer and the stem of a ResNet.
        Convolution { images: 64, channels: 8, results: 32, size: 14, kernel: 5, attributes: same(2) },
        Convolution { images: 8, channels: 64, results: 64, size: 56, kernel: 3, attributes: same(1) },
        Convolution {
            images: 8,
            channels: 64,
            results: 128,
            size: 56,
            kernel: 3,
            attributes: same(1).stride([2, 2]),
        },
        Convolution {
            images: 8,
            channels: 3,
            results: 64,
            size: 224,
            kernel: 7,
            attributes: same(3).stride([2, 2]),
        },
    ] {
        problems.extend(convolution.problems()?);
    }
    Ok(problems)
}

/// The kernel that multiplies in each problem, with the default variant for discrete GPUs or with the named
/// one; in mixed precision if asked.
pub fn planned(variant: Option<&str>, mixed: bool) -> Result<Vec<Planned>, Error> {
    // RADV offers 64 KiB of workgroup memory.
    let caps = Caps {
        max_workgroup_bytes: 64 << 10,
        max_invocations: 1024,
        f16: mixed,
        subgroups: mixed,
        cooperative_matrix: mixed.then_some(CooperativeMatrix { side: 16, subgroup: 32 }),
        ..Caps::webgpu_defaults(AdapterKind::Discrete)
    };
    let mut kernels = Vec::new();
    for Problem { name, shape, graph, output } in problems()? {
        let options = match mixed {
            true => PlanOptions::default().precision(Precision::Mixed).without(Fusion::Elementwise),
            false => PlanOptions::default(),
        };
        let options = variant.iter().fold(options, |options, variant| options.variant(name, variant));
        let plan = match Plan::with_options(&graph, &[output], &caps, &options) {
            // Not every operator has the named variant.
            Err(Error::Variant { .. }) => continue,
            plan => plan?,
        };
        for dispatch in plan.dispatches().iter().filter(|d| d.flops > 0 && d.kernel.name() != "map") {
            kernels.push(Planned {
                kernel: format!("{name} ({})", dispatch.kernel.name()),
                shape: shape.clone(),
                source: dispatch.kernel.source()?,
            });
        }
    }
    Ok(kernels)
}
