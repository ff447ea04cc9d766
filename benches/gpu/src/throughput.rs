//! The parts `throughput` and `mixed-throughput`: matrix products and the three passes of ResNet-50's convolutions, by
//! every variant, and in mixed precision by those that multiply by cooperative matrices.
//!
//! One session holds all variants of a problem, each several times on copies of the operands, so that together the
//! copies are larger than a cache. The profile gives each its time. In mixed precision a copy in front of a pass makes its
//! operands f16, and one behind it keeps its result from being f32; their times don't count.

use crate::convolutions::{self, Convolution};
use crate::harness::begin::Begin;
use crate::harness::{device, numbers};
use crate::mixed;
use crate::results::{Results, median};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use wgrad::op::{Operator, Variant};
use wgrad::ops::conv2d::{Conv2dGradInput, Conv2dGradWeight};
use wgrad::ops::matmul::MatMul;
use wgrad::plan::{Fusion, Precision, Step};
use wgrad::session::{Clock, Profile};
use wgrad::{Caps, Error, Graph, HostData, Plan, PlanOptions, Session, Shape, TensorType, Value, Weights};

/// Bytes of all copies of a problem's tensors, more than caches hold, and the most copies.
const BYTES: u64 = 160 << 20;
const MOST_COPIES: u64 = 8;
/// The same on a software adapter, where a rehearsal has to end.
const SOFTWARE: (u64, u64) = (8 << 20, 2);
/// Seconds of measured steps, and their number.
const SECONDS: f64 = 0.25;
const STEPS: (f64, f64) = (3.0, 15.0);
/// The share of the part's time after which no further problem starts.
const SHARE: f64 = 0.85;

/// An operator's pass in a problem, and which of the problem's tensors it reads.
struct Pass {
    name: &'static str,
    operator: Arc<dyn Operator>,
    reads: [usize; 2],
    /// Whether its result belongs to a parameter, so that mixed precision keeps it in f32.
    of_parameter: bool,
}

/// Passes that share their operands.
struct Problem {
    /// The fields that name it in the results.
    json: serde_json::Value,
    tensors: Vec<Shape>,
    /// Which of the tensors is a parameter, so that mixed precision keeps it in f32.
    parameter: Option<usize>,
    passes: Vec<Pass>,
    precision: Precision,
}

impl Problem {
    fn matmul(size: usize, precision: Precision) -> Problem {
        let operator = MatMul { transpose_lhs: false, transpose_rhs: false };
        Problem {
            json: json!({ "name": format!("{size}x{size} by {size}x{size}"), "matmul": size }),
            tensors: vec![[size; 2].into(), [size; 2].into()],
            parameter: None,
            passes: vec![Pass {
                name: "matmul",
                operator: Arc::new(operator),
                reads: [0, 1],
                of_parameter: false,
            }],
            precision,
        }
    }

    /// The passes of a convolution. Its tensors are input, weight and the output's gradient.
    fn convolution(convolution: &Convolution, precision: Precision) -> Problem {
        let attributes = convolution.attributes();
        let (input, weight) = (Shape::from(convolution.input()), Shape::from(convolution.weight()));
        let grad_input = Conv2dGradInput { attributes, input: input.clone() };
        let grad_weight = Conv2dGradWeight { attributes, weight: weight.clone() };
        let pass =
            |name, operator, reads| Pass { name, operator, reads, of_parameter: name == "weight gradient" };
        Problem {
            json: convolution.json(),
            tensors: vec![input, weight, convolution.output().into()],
            parameter: Some(1),
            passes: vec![
                pass("forward", Arc::new(attributes), [0, 1]),
                pass("input gradient", Arc::new(grad_input), [2, 1]),
                pass("weight gradient", Arc::new(grad_weight), [2, 0]),
            ],
            precision,
        }
    }

    fn types(&self, pass: &Pass) -> [TensorType; 2] {
        pass.reads.map(|tensor| TensorType::f32(self.tensors[tensor].clone()))
    }

    /// Every variant of every pass: number of the pass, and the variant. In mixed precision those by cooperative matrices,
    /// and what plans choose with and without these.
    fn variants(&self) -> Result<Vec<(usize, Variant)>, Error> {
        let caps = device().caps();
        let mut all = Vec::new();
        for (i, pass) in self.passes.iter().enumerate() {
            let types = self.types(pass);
            let mut offered = pass.operator.variants(&[&types[0], &types[1]], caps);
            if self.precision == Precision::Mixed {
                let without = Caps { cooperative_matrix: None, ..caps.clone() };
                let chosen = [self.default_variant(pass, caps)?, self.default_variant(pass, &without)?];
                offered.retain(|variant| variant.is_in_f16() || chosen.contains(variant));
            }
            all.extend(offered.into_iter().map(|variant| (i, variant)));
        }
        Ok(all)
    }

    fn options(&self) -> PlanOptions {
        match self.precision {
            // Nothing is fused into a pass that is timed.
            Precision::Mixed => {
                PlanOptions::default().precision(Precision::Mixed).without(Fusion::Elementwise)
            }
            Precision::F32 => PlanOptions::default(),
        }
    }

    /// A tensor as passes read it.
    fn operand(&self, graph: &mut Graph, tensor: usize, input: Value) -> Result<Value, Error> {
        match self.precision {
            Precision::Mixed if self.parameter != Some(tensor) => graph.apply1(Begin, &[input]),
            _ => Ok(input),
        }
    }

    /// A pass, and what is read of it.
    fn apply(&self, graph: &mut Graph, name: String, pass: &Pass, reads: [Value; 2]) -> Result<Value, Error> {
        let output = graph.apply_named(name, Arc::clone(&pass.operator), &reads)?[0];
        match self.precision {
            Precision::Mixed if !pass.of_parameter => graph.apply1(Begin, &[output]),
            _ => Ok(output),
        }
    }

    /// A pass alone in a graph, by the name "pass".
    fn alone(&self, graph: &mut Graph, pass: &Pass) -> Result<Value, Error> {
        let mut reads = Vec::new();
        for (name, tensor) in ["lhs", "rhs"].into_iter().zip(pass.reads) {
            let input = graph.input(name, self.tensors[tensor].clone())?;
            reads.push(self.operand(graph, tensor, input)?);
        }
        self.apply(graph, "pass".into(), pass, [reads[0], reads[1]])
    }

    /// The variant that a plan chooses by default.
    fn default_variant(&self, pass: &Pass, caps: &Caps) -> Result<Variant, Error> {
        let mut graph = Graph::new();
        let output = self.alone(&mut graph, pass)?;
        let plan = Plan::with_options(&graph, &[output], caps, &self.options())?;
        let is_pass = |step: &&Step| plan.graph().node(step.node).is_ok_and(|node| node.name == "pass");
        Ok(plan.steps().iter().find(is_pass).expect("the pass is in its plan").variant)
    }
}

/// Writes the part `throughput`.
pub fn run(results: &mut Results) -> Result<(), Error> {
    measure_all(results, Precision::F32)
}

/// Writes the part `mixed-throughput`.
pub fn run_mixed(results: &mut Results) -> Result<(), Error> {
    mixed::with_device(results, |results| measure_all(results, Precision::Mixed))
}

fn measure_all(results: &mut Results, precision: Precision) -> Result<(), Error> {
    let software = device().summary().software;
    let (images, side) = if software { (1, 32) } else { (32, 224) };
    let matmuls: &[usize] = if software { &[256, 512] } else { &[1024, 2048, 4096] };
    let convolutions = convolutions::resnet50(images, side);
    let problems: Vec<Problem> = matmuls
        .iter()
        .map(|&size| Problem::matmul(size, precision))
        .chain(convolutions.iter().map(|convolution| Problem::convolution(convolution, precision)))
        .collect();
    results.set("problems", problems.iter().map(|problem| problem.json.clone()).collect::<Vec<_>>());
    let (bytes, most) = if software { SOFTWARE } else { (BYTES, MOST_COPIES) };
    let longest = |problem: &Problem| problem.tensors.iter().map(Shape::elements).max().unwrap_or(0);
    let most_elements = problems.iter().map(longest).max().unwrap_or(0) + (bytes / 4) as usize;
    let noise = numbers([most_elements], 1);
    let HostData::F32(noise) = noise.data else { unreachable!("noise is floats") };

    for (number, problem) in problems.iter().enumerate() {
        if results.is_past(SHARE) {
            results.note(format!("The time ended after {number} of {} problems.", problems.len()));
            break;
        }
        let one: u64 = problem.tensors.iter().map(|shape| 4 * shape.elements() as u64).sum();
        let copies = bytes.div_ceil(one).clamp(1, most) as usize;
        let all = match problem.variants() {
            Ok(all) => all,
            Err(error) => {
                results.wrong(format!("{}: {error}", problem.json["name"]));
                continue;
            }
        };
        let mut failures = Vec::new();
        let mut rows = match measure(problem, &all, copies, &noise, results) {
            Ok(rows) => rows,
            // Which of them it was, and the times of the others.
            Err(_) => all
                .iter()
                .flat_map(|&(pass, variant)| {
                    measure(problem, &[(pass, variant)], copies, &noise, results).unwrap_or_else(|error| {
                        let name = problem.passes[pass].name;
                        failures.push(format!("{}, {name} [{variant}]: {error}", problem.json["name"]));
                        vec![json!({ "pass": name, "variant": variant.name(), "error": error.to_string() })]
                    })
                })
                .collect(),
        };
        failures.into_iter().for_each(|failure| results.wrong(failure));
        for row in &mut rows {
            row["problem"] = problem.json["name"].clone();
            row["copies"] = copies.into();
            let pass = problem.passes.iter().find(|pass| row["pass"] == pass.name);
            let default = pass.and_then(|pass| problem.default_variant(pass, device().caps()).ok());
            row["default"] = default.is_some_and(|default| row["variant"] == default.name()).into();
        }
        for row in rows {
            results.row(row);
        }
    }
    Ok(())
}

/// Times these variants, each on every copy.
fn measure(
    problem: &Problem,
    variants: &[(usize, Variant)],
    copies: usize,
    noise: &[f32],
    results: &mut Results,
) -> Result<Vec<serde_json::Value>, Error> {
    let mut graph = Graph::new();
    let mut inputs = Vec::new();
    for copy in 0..copies {
        for (i, shape) in problem.tensors.iter().enumerate() {
            inputs.push(graph.input(&format!("tensor {i}, copy {copy}"), shape.clone())?);
        }
    }
    let mut operands = Vec::new();
    for (i, &input) in inputs.iter().enumerate() {
        operands.push(problem.operand(&mut graph, i % problem.tensors.len(), input)?);
    }
    let (mut options, mut outputs) = (problem.options(), Vec::new());
    let name = |pass: &Pass, variant: Variant, copy: usize| format!("{}, {variant}, copy {copy}", pass.name);
    for &(pass, variant) in variants {
        let pass = &problem.passes[pass];
        for copy in 0..copies {
            let name = name(pass, variant, copy);
            options = options.node_variant(pass.operator.name(), &name, variant);
            let reads = pass.reads.map(|tensor| operands[copy * problem.tensors.len() + tensor]);
            outputs.push(problem.apply(&mut graph, name, pass, reads)?);
        }
    }
    let plan = Plan::with_options(&graph, &outputs, device().caps(), &options)?;
    let weights = Weights::init(device(), &graph, 0)?;
    let mut session = Session::new(device(), plan, &weights)?;
    // Other stretches of the noise for each, none of them aligned with another.
    let mut start = 0;
    for (i, &input) in inputs.iter().enumerate() {
        let count = graph.shape(input)?.elements();
        start = (start + 7919 * i) % (noise.len() - count + 1);
        session.write(input, &noise[start..start + count])?;
    }
    session.step()?;
    session.wait()?;
    let begin = Instant::now();
    session.step()?;
    session.wait()?;
    let steps = (SECONDS / begin.elapsed().as_secs_f64()).clamp(STEPS.0, STEPS.1) as usize;
    let profile = session.profile(steps)?;
    results.set("clock", clock(&profile));
    let seconds: BTreeMap<&str, f64> =
        profile.nodes.iter().map(|node| (node.node.as_str(), node.seconds)).collect();
    let row = |&(pass, variant): &(usize, Variant)| {
        let pass = &problem.passes[pass];
        let types = problem.types(pass);
        let flops = pass.operator.flops(&[&types[0], &types[1]]);
        let times = (0..copies).filter_map(|copy| seconds.get(name(pass, variant, copy).as_str()).copied());
        let seconds = median(times.collect());
        json!({
            "pass": pass.name,
            "variant": variant.name(),
            "seconds": seconds,
            "flops": flops,
            "gflops_per_second": flops as f64 / seconds.max(1e-9) / 1e9,
            // The peak is that of f32.
            "share_of_peak": (problem.precision == Precision::F32)
                .then(|| flops as f64 / seconds.max(1e-9) / profile.peaks.flops_per_second),
            "steps": steps,
        })
    };
    Ok(variants.iter().map(row).collect())
}

/// Which clock a profile is of.
pub fn clock(profile: &Profile) -> String {
    match profile.clock {
        Clock::Timestamps => "the device's timestamps".into(),
        Clock::Wall { .. } => profile.clock.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pass, Problem};
    use crate::convolutions;
    use wgrad::op::{AdapterKind, CooperativeMatrix};
    use wgrad::plan::Precision;
    use wgrad::{Caps, DType, Graph, Plan};

    /// Types of what a pass reads and makes in its plan, and its variant.
    fn planned(problem: &Problem, pass: &Pass) -> (Vec<DType>, &'static str) {
        let caps = Caps {
            max_workgroup_bytes: 48 << 10,
            max_invocations: 1024,
            f16: true,
            subgroups: true,
            cooperative_matrix: Some(CooperativeMatrix { side: 16, subgroup: 32 }),
            ..Caps::webgpu_defaults(AdapterKind::Discrete)
        };
        let mut graph = Graph::new();
        let output = problem.alone(&mut graph, pass).unwrap();
        let plan = Plan::with_options(&graph, &[output], &caps, &problem.options()).unwrap();
        let (node, step) = plan
            .steps()
            .iter()
            .map(|step| (plan.graph().node(step.node).unwrap(), step))
            .find(|(node, _)| node.name == "pass")
            .unwrap();
        let values = node.inputs.iter().chain(&node.outputs);
        let types = values.map(|&value| plan.graph().value(value).unwrap().ty.dtype).collect();
        (types, step.variant.name())
    }

    #[test]
    fn mixed_precision_times_operands_of_f16() {
        use DType::{F16, F32};
        let product = Problem::matmul(1024, Precision::Mixed);
        let (types, variant) = planned(&product, &product.passes[0]);
        assert_eq!(types, [F16, F16, F16]);
        assert!(variant.starts_with("cooperative"), "{variant}");
        let single = Problem::matmul(1024, Precision::F32);
        assert_eq!(planned(&single, &single.passes[0]).0, [F32, F32, F32]);
        let convolution = &convolutions::resnet50(8, 64)[2];
        let convolution = Problem::convolution(convolution, Precision::Mixed);
        for (pass, expected) in
            convolution.passes.iter().zip([[F16, F32, F16], [F16, F32, F16], [F16, F16, F32]])
        {
            let (types, variant) = planned(&convolution, pass);
            assert_eq!(types, expected, "{}", pass.name);
            assert!(variant.starts_with("cooperative"), "{}: {variant}", pass.name);
        }
    }
}
