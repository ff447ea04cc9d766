//! Operators of which one variant is right, and another runs the same kernel with one thing broken in its text.

use crate::harness::{Case, build, device};
use crate::{cases, harness};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use wgrad::op::{Array, Caps, LowerContext, Operator, Preference, Reference, Variant};
use wgrad::plan::Place;
use wgrad::shader::{Kernel, ShaderFile};
use wgrad::{HostData, Plan, PlanOptions, Result, TensorType};

pub const BROKEN: Variant = Variant::new("broken");
const BROKEN_TOO: Variant = Variant::new("broken too");

/// Shapes of each kernel that are broken.
const SHAPES: usize = 3;

/// An operator's kernel after one of its lines was changed.
pub struct Broken {
    inner: Arc<dyn Operator>,
    /// The variant whose kernel was changed.
    changed: Variant,
    /// The variant that is right: the same one, or another where the tuner leaves that out.
    sound: Variant,
    file: &'static ShaderFile,
    iterations: u64,
    workgroups: usize,
    what: String,
    /// Whether the sound variant is offered too.
    has_sound: bool,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} [{}], {}", self.inner, self.changed, self.what)
    }
}

impl Reference for Broken {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.inner.reference(inputs)
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        self.inner.largest_sum_of_terms(output, inputs)
    }
}

impl Operator for Broken {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn arity(&self) -> (usize, usize) {
        self.inner.arity()
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.inner.infer(inputs)
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        if self.has_sound { vec![BROKEN, self.sound] } else { vec![BROKEN, BROKEN_TOO] }
    }

    // The broken one is the default: a tuner that trusts it would take it.
    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::NONE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == self.sound {
            return self.inner.lower(cx);
        }
        let (inputs, outputs) =
            (cx.inputs(), self.inner.infer(&self.types(cx)).map_or(0, |types| types.len()));
        let operands: Vec<_> =
            (0..inputs).map(|i| cx.input(i)).chain((0..outputs).map(|i| cx.output(i))).collect();
        cx.dispatch(Kernel::new(self.file).iterations(self.iterations), &operands, self.workgroups);
        Ok(())
    }

    fn tolerance(&self) -> f64 {
        self.inner.tolerance()
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        self.inner.serial_terms(inputs, self.sound)
    }
}

impl Broken {
    fn types<'c>(&self, cx: &'c LowerContext<'_>) -> Vec<&'c TensorType> {
        (0..cx.inputs()).map(|i| cx.input_type(i)).collect()
    }
}

/// Changes a line, if it can.
type Rule = fn(&str) -> Option<String>;

/// What was done to a kernel's text, by name.
fn damages(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let rules: [(&str, Rule); 6] = [
        ("a loop leaves out its first term", first_left_out),
        ("a loop leaves out its last term", last_left_out),
        ("a tail is dropped", tail_dropped),
        ("a bound is one too large", bound_too_large),
        ("a stride or size is one too large", constant_too_large),
        ("a barrier is missing", |line| line.contains("workgroupBarrier();").then(String::new)),
    ];
    for (name, rule) in rules {
        for (number, line) in text.lines().enumerate() {
            if let Some(changed) = rule(line) {
                let lines = text.lines().enumerate();
                let lines: Vec<&str> =
                    lines.map(|(i, line)| if i == number { changed.as_str() } else { line }).collect();
                found.push((format!("{name} in line {number}"), lines.join("\n")));
            }
        }
    }
    found
}

fn first_left_out(line: &str) -> Option<String> {
    (line.contains("for (var") && line.contains(" = 0u;")).then(|| line.replacen(" = 0u;", " = 1u;", 1))
}

fn last_left_out(line: &str) -> Option<String> {
    let condition = line.contains("for (var").then(|| line.split(';').nth(1)).flatten()?;
    let (left, right) = condition.split_once(" < ")?;
    let changed = format!("{left} + 1u < {right}");
    (!condition.contains("&&")).then(|| line.replacen(condition, &changed, 1))
}

fn tail_dropped(line: &str) -> Option<String> {
    let (start, rest) = line.split_once("if (")?;
    let (left, right) = rest.split_once(" < ")?;
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "_ +*".contains(c));
    plain(left).then(|| format!("{start}if ({left} + 1u < {right}"))
}

fn bound_too_large(line: &str) -> Option<String> {
    (line.contains("if (") && line.contains(" >= ")).then(|| line.replacen(" >= ", " > ", 1))
}

fn constant_too_large(line: &str) -> Option<String> {
    let (name, value) = line.strip_prefix("const ")?.split_once(": u32 = ")?;
    let (number, rest) = value.split_once("u;")?;
    let number: u32 = number.parse().ok()?;
    rest.contains("shape").then(|| format!("const {name}: u32 = {}u;{rest}", number + 1))
}

/// So many broken kernels, each of another operator, variant or damage, of which a comparison with the reference on
/// other numbers than the tuner's says that they are wrong. Kernels take turns, so that each is broken before one is
/// broken again.
pub fn kernels(count: usize) -> Vec<Case> {
    let mut by_kernel: BTreeMap<(&str, Variant), Vec<Vec<Case>>> = BTreeMap::new();
    // A number that a kernel forgets to store may be in workgroup memory from before. Several are not.
    let several = |case: &Case| case.inputs.iter().any(|tensor| tensor.shape.elements() > 1);
    for case in cases::all().into_iter().flat_map(|(_, cases)| cases).filter(several) {
        for variant in case.variants() {
            let known = by_kernel.entry((case.operator.name(), variant)).or_default();
            if known.len() < SHAPES {
                known.extend(broken(&case, variant, true));
            }
        }
    }
    let by_kernel: Vec<Vec<Case>> =
        by_kernel.into_values().map(|shapes| shapes.into_iter().flatten().collect()).collect();
    let mut found = Vec::new();
    for round in 0.. {
        let mut any = false;
        for (i, broken) in by_kernel.iter().enumerate() {
            // Another damage of each kernel in turn.
            let Some(case) = broken.get(round).map(|_| &broken[(round + i) % broken.len()]) else { continue };
            any = true;
            if found.len() == count {
                return found;
            }
            // A driver refuses some.
            if harness::run(case, BROKEN).is_err() || !harness::wrong(case, BROKEN) {
                continue;
            }
            let Case { name, operator, inputs, .. } = case;
            let inputs = inputs.clone();
            found.push(Case { name: name.clone(), operator: Arc::clone(operator), inputs, edges: None });
        }
        assert!(any, "there are only {} broken kernels", found.len());
    }
    found
}

/// A case all of whose variants are broken.
pub fn without_a_sound_one() -> Case {
    let case = cases::matmul::cases().into_iter().next().expect("there are products");
    let variant = case.variants()[0];
    let broken = broken(&case, variant, false).expect("a product is one dispatch");
    broken.into_iter().find(|case| harness::wrong(case, BROKEN)).expect("one of them is wrong")
}

/// The damaged copies of a variant's kernel, if it is a single dispatch of inputs and outputs.
fn broken(case: &Case, variant: Variant, has_sound: bool) -> Option<Vec<Case>> {
    let operator = &case.operator;
    let counted = case.inputs.iter().any(|tensor| !matches!(tensor.data, HostData::F32(_)));
    if counted || !operator.in_place().is_empty() || !operator.arenas().is_empty() {
        return None;
    }
    let built = build(case).ok()?;
    let options = PlanOptions::default().variant(operator.name(), variant);
    let plan = Plan::with_options(&built.graph, &built.outputs, device().caps(), &options).ok()?;
    let [dispatch] = plan.dispatches() else { return None };
    let places: Vec<Place> = dispatch.bindings.iter().map(|binding| binding.place).collect();
    let node = plan.graph().node(plan.steps()[0].node).ok()?;
    let values = node.inputs.iter().chain(&node.outputs);
    let expected: Option<Vec<Place>> = values.map(|&value| plan.place(value)).collect();
    if expected? != places {
        return None;
    }
    let kind = device().caps().kind;
    let sound = std::iter::once(variant).chain(case.variants()).find(|variant| variant.suits(kind))?;
    let text = dispatch.kernel.source().ok()?;
    let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("//!")).collect();
    let cases = damages(&text.join("\n")).into_iter().map(|(what, text)| {
        let broken = Broken {
            inner: Arc::clone(operator),
            changed: variant,
            sound,
            file: Box::leak(Box::new(ShaderFile::new("broken", Box::leak(text.into_boxed_str())))),
            iterations: dispatch.kernel.max_iterations(),
            workgroups: dispatch.workgroups.iter().map(|&n| n as usize).product(),
            what: what.clone(),
            has_sound,
        };
        Case::new(format!("{}, {}: {what}", case.name, dispatch.kernel.name()), broken, case.inputs.clone())
    });
    Some(cases.collect())
}
