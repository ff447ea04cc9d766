//! Rewrites a kernel's text so that a driver does what WGSL permits and it does not do by itself.
//!
//! naga tells where operations on floats stand and of how many components they are. Each becomes the call of a function
//! that does the same to ordinary numbers.

use super::tokens::{Token, tokens};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{BinaryOperator, Expression, Function, Handle, MathFunction, ScalarKind, TypeInner};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

/// What a driver does.
#[derive(Clone, Copy)]
enum Leeway {
    /// Comparisons with NaN come out so. Where it is true, the larger and the smaller of two are NaN if one is, and
    /// otherwise the number.
    Nan(bool),
    /// Denormal numbers are zero before each operation and behind it.
    Flush,
    /// Between 1/2 and 2, logarithms are off by nearly as much as WGSL permits, 2^-21.
    Logarithm,
}

pub fn nan_compares_true(text: &str) -> String {
    rewrite(text, Leeway::Nan(true))
}

pub fn nan_compares_false(text: &str) -> String {
    rewrite(text, Leeway::Nan(false))
}

pub fn denormals_are_zero(text: &str) -> String {
    rewrite(text, Leeway::Flush)
}

pub fn logarithms_are_inaccurate(text: &str) -> String {
    rewrite(text, Leeway::Logarithm)
}

fn rewrite(text: &str, leeway: Leeway) -> String {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let mut calls = Calls { text, leeway, edits: BTreeMap::new(), used: BTreeSet::new() };
    for (handle, function) in module.functions.iter() {
        calls.find(function, &|e| width(info[handle][e].ty.inner_with(&module.types)));
    }
    for (i, entry) in module.entry_points.iter().enumerate() {
        let types = info.get_entry_point(i);
        calls.find(&entry.function, &|e| width(types[e].ty.inner_with(&module.types)));
    }
    calls.apply() + &functions(&calls.used, leeway)
}

/// Components of a float.
fn width(ty: &TypeInner) -> Option<usize> {
    match *ty {
        TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Float => Some(1),
        TypeInner::Vector { size, scalar } if scalar.kind == ScalarKind::Float => Some(size as usize),
        _ => None,
    }
}

/// The type of so many numbers.
fn of(width: usize, scalar: &str) -> String {
    if width == 1 { scalar.to_owned() } else { format!("vec{width}<{scalar}>") }
}

/// An operation: its sign, or nothing if it is a built-in function, its name, and how many numbers it takes.
type Operation = (&'static str, &'static str, usize);

fn operation(op: BinaryOperator) -> Option<Operation> {
    Some(match op {
        BinaryOperator::Less => ("<", "less", 2),
        BinaryOperator::LessEqual => ("<=", "less_equal", 2),
        BinaryOperator::Greater => (">", "greater", 2),
        BinaryOperator::GreaterEqual => (">=", "greater_equal", 2),
        BinaryOperator::Equal => ("==", "equal", 2),
        BinaryOperator::NotEqual => ("!=", "not_equal", 2),
        BinaryOperator::Add => ("+", "add", 2),
        BinaryOperator::Subtract => ("-", "subtract", 2),
        BinaryOperator::Multiply => ("*", "multiply", 2),
        BinaryOperator::Divide => ("/", "divide", 2),
        _ => return None,
    })
}

fn built_in(function: MathFunction) -> Option<Operation> {
    let (name, arguments) = match function {
        MathFunction::Max => ("max", 2),
        MathFunction::Min => ("min", 2),
        MathFunction::Clamp => ("clamp", 3),
        MathFunction::Abs => ("abs", 1),
        MathFunction::Exp => ("exp", 1),
        MathFunction::Exp2 => ("exp2", 1),
        MathFunction::Log => ("log", 1),
        MathFunction::Log2 => ("log2", 1),
        MathFunction::Sqrt => ("sqrt", 1),
        MathFunction::InverseSqrt => ("inverseSqrt", 1),
        MathFunction::Tanh => ("tanh", 1),
        MathFunction::Pow => ("pow", 2),
        MathFunction::Fma => ("fma", 3),
        _ => return None,
    };
    Some(("", name, arguments))
}

fn is_comparison(sign: &str) -> bool {
    matches!(sign, "<" | "<=" | ">" | ">=" | "==" | "!=")
}

impl Leeway {
    /// Whether it concerns an operation.
    fn concerns(self, (sign, name, _): Operation) -> bool {
        match self {
            Leeway::Nan(_) => is_comparison(sign) || matches!(name, "max" | "min" | "clamp"),
            Leeway::Flush => true,
            Leeway::Logarithm => matches!(name, "log" | "log2"),
        }
    }
}

/// Text for a place: by where it begins; of several that begin there, what ends an expression comes first, inner ones
/// first, then what begins one, outer ones first.
type Edits = BTreeMap<(usize, u8, usize), (usize, String)>;

/// What takes the place of operations.
struct Calls<'a> {
    text: &'a str,
    leeway: Leeway,
    edits: Edits,
    /// Operations that are called, with so many components.
    used: BTreeSet<(Operation, usize)>,
}

impl Calls<'_> {
    fn find(&mut self, function: &Function, width: &dyn Fn(Handle<Expression>) -> Option<usize>) {
        for (handle, expression) in function.expressions.iter() {
            let Some(place) = function.expressions.get_span(handle).to_range() else { continue };
            match *expression {
                Expression::Binary { op, left, right } => {
                    let Some(operation) = operation(op).filter(|&op| self.leeway.concerns(op)) else {
                        continue;
                    };
                    let (Some(left), Some(right)) = (width(left), width(right)) else { continue };
                    self.call(operation, place, left.max(right));
                }
                Expression::Math { fun, arg, .. } => {
                    let Some(operation) = built_in(fun).filter(|&op| self.leeway.concerns(op)) else {
                        continue;
                    };
                    let Some(width) = width(arg) else { continue };
                    let name = operation.1;
                    assert!(self.text[place.clone()].starts_with(name), "{}", &self.text[place]);
                    self.used.insert((operation, width));
                    let edit = (place.start + name.len(), format!("open_{name}_{width}"));
                    self.edits.insert((place.start, 1, usize::MAX), edit);
                }
                _ => {}
            }
        }
    }

    /// Puts a call in the place of an operator and of both its sides.
    fn call(&mut self, operation: Operation, place: Range<usize>, width: usize) {
        let (sign, name, _) = operation;
        self.used.insert((operation, width));
        let text = self.text[place.clone()].trim_end().trim_end_matches(';');
        let (start, end) = (place.start, place.start + text.len());
        let (at, assigns) = operator(text, sign);
        let at = start + at.start..start + at.end;
        let ty = of(width, "f32");
        // A number beside a vector stands for one.
        let call = format!("open_{name}_{width}({ty}(");
        if assigns {
            let target = self.text[start..at.start].trim_end();
            self.edits.insert((at.start, 1, 0), (at.end, format!("= {call}{target}), {ty}(")));
        } else {
            self.edits.insert((start, 1, usize::MAX - end), (start, call));
            self.edits.insert((at.start, 1, 0), (at.end, format!("), {ty}(")));
        }
        self.edits.insert((end, 0, usize::MAX - start), (end, "))".to_owned()));
    }

    /// The text with the calls.
    fn apply(&self) -> String {
        let (mut result, mut at) = (String::new(), 0);
        for (&(start, ..), (end, put)) in &self.edits {
            result.push_str(&self.text[at..start]);
            result.push_str(put);
            at = *end;
        }
        result + &self.text[at..]
    }
}

/// Where the operator of a whole expression stands in its text, and whether it also assigns.
fn operator(text: &str, sign: &str) -> (Range<usize>, bool) {
    let tokens: Vec<Token> = tokens(text).into_iter().filter(|token| token.depth == 0).collect();
    let word = |i: usize| &text[tokens[i].place.clone()];
    let assigning = format!("{sign}=");
    if let Some(i) = (0..tokens.len()).find(|&i| !is_comparison(sign) && word(i) == assigning) {
        return (tokens[i].place.clone(), true);
    }
    let ends_operand =
        |i: usize| word(i).ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '.'));
    // Operators of one rank group from the left: the last is the whole's.
    let found = (1..tokens.len()).rev().find(|&i| word(i) == sign && ends_operand(i - 1));
    (tokens[found.unwrap_or_else(|| panic!("{sign} is not in {text}"))].place.clone(), false)
}

/// The functions that are called.
fn functions(used: &BTreeSet<(Operation, usize)>, leeway: Leeway) -> String {
    let mut text = String::new();
    let helpers: BTreeSet<usize> = used.iter().map(|&(_, width)| width).collect();
    for width in helpers {
        let (float, flag, bits) = (of(width, "f32"), of(width, "bool"), of(width, "u32"));
        let magnitude = format!("bitcast<{bits}>(x) & {bits}(0x7fffffffu)");
        let sign = format!("bitcast<{float}>(bitcast<{bits}>(x) & {bits}(0x80000000u))");
        let _ = writeln!(
            text,
            "fn open_nan_{width}(x: {float}) -> {flag} {{ return ({magnitude}) > {bits}(0x7f800000u); }}
fn open_flush_{width}(x: {float}) -> {float} {{
    return select(x, {sign}, ({magnitude}) < {bits}(0x00800000u));
}}"
        );
    }
    for &(operation, width) in used {
        let (sign, name, arguments) = operation;
        let float = of(width, "f32");
        let names = &["a", "b", "c"][..arguments];
        let result = if is_comparison(sign) { of(width, "bool") } else { float.clone() };
        let body = match leeway {
            Leeway::Flush => {
                let flushed: Vec<String> = names.iter().map(|x| format!("open_flush_{width}({x})")).collect();
                let made = match sign {
                    "" => format!("{name}({})", flushed.join(", ")),
                    _ => flushed.join(&format!(" {sign} ")),
                };
                if is_comparison(sign) { made } else { format!("open_flush_{width}({made})") }
            }
            Leeway::Logarithm => {
                let near = format!("abs(a - 1.25) <= {float}(0.75)");
                format!("{name}(a) + select({float}(0.0), {float}(4.7e-7), {near})")
            }
            Leeway::Nan(outcome) => of_nan(operation, width, outcome),
        };
        let parameters: Vec<String> = names.iter().map(|x| format!("{x}: {float}")).collect();
        let parameters = parameters.join(", ");
        let _ = writeln!(text, "fn open_{name}_{width}({parameters}) -> {result} {{ return {body}; }}");
    }
    text
}

/// A comparison, the larger or the smaller of two, with this outcome for NaN.
fn of_nan((sign, name, _): Operation, width: usize, outcome: bool) -> String {
    let is_nan = |x: &str| format!("open_nan_{width}({x})");
    let extremum = |name: &str, a: &str, b: &str| {
        let (of_a, of_b) = if outcome { (a, b) } else { (b, a) };
        format!("select(select({name}({a}, {b}), {of_b}, {}), {of_a}, {})", is_nan(b), is_nan(a))
    };
    match name {
        "clamp" => extremum("min", &extremum("max", "a", "b"), "c"),
        "max" | "min" => extremum(name, "a", "b"),
        _ => {
            let flag = of(width, "bool");
            format!("select(a {sign} b, {flag}({outcome}), {} | {})", is_nan("a"), is_nan("b"))
        }
    }
}
