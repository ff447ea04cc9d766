//! Numbers that may be unknown, and which of a function's numbers its branches depend on.

use naga::{
    BinaryOperator, Block, Expression, Function, Handle, LocalVariable, MathFunction, Module, ScalarKind,
    Statement, Type, TypeInner, UnaryOperator,
};
use std::collections::HashMap;

/// A value, as far as it is known.
#[derive(Clone, PartialEq, Debug)]
pub enum V {
    Unknown,
    Bool(bool),
    U32(u32),
    I32(i32),
    F32(f32),
    Many(Vec<V>),
}

impl V {
    pub fn zero(module: &Module, ty: Handle<Type>) -> V {
        let scalar = |kind| match kind {
            ScalarKind::Bool => V::Bool(false),
            ScalarKind::Uint => V::U32(0),
            ScalarKind::Sint => V::I32(0),
            ScalarKind::Float => V::F32(0.0),
            _ => V::Unknown,
        };
        match &module.types[ty].inner {
            TypeInner::Scalar(found) => scalar(found.kind),
            TypeInner::Vector { size, scalar: found } => V::Many(vec![scalar(found.kind); *size as usize]),
            TypeInner::Array { base, size: naga::ArraySize::Constant(size), .. } => {
                V::Many(vec![V::zero(module, *base); size.get() as usize])
            }
            TypeInner::Struct { members, .. } => {
                V::Many(members.iter().map(|member| V::zero(module, member.ty)).collect())
            }
            // Of matrices no branch here knows.
            _ => V::Unknown,
        }
    }

    pub fn index(&self) -> Option<usize> {
        match *self {
            V::U32(i) => Some(i as usize),
            V::I32(i) => usize::try_from(i).ok(),
            _ => None,
        }
    }

    pub fn at(&self, index: usize) -> V {
        match self {
            V::Many(values) => values.get(index).cloned().unwrap_or(V::Unknown),
            _ => V::Unknown,
        }
    }

    pub fn get(&self, path: &[Option<usize>]) -> V {
        match path {
            [] => self.clone(),
            [Some(first), rest @ ..] => match self {
                V::Many(values) if *first < values.len() => values[*first].get(rest),
                _ => V::Unknown,
            },
            [None, ..] => V::Unknown,
        }
    }

    pub fn set(&mut self, path: &[Option<usize>], value: V) {
        match path {
            [] => *self = value,
            [Some(first), rest @ ..] => match self {
                V::Many(values) if *first < values.len() => values[*first].set(rest, value),
                _ => *self = V::Unknown,
            },
            [None, ..] => *self = V::Unknown,
        }
    }

    /// What is known of a value that is either this or the other.
    pub fn join(&mut self, other: &V) {
        match (&mut *self, other) {
            (V::Many(own), V::Many(others)) if own.len() == others.len() => {
                own.iter_mut().zip(others).for_each(|(own, other)| own.join(other));
            }
            (own, other) if *own == *other => {}
            _ => *self = V::Unknown,
        }
    }
}

/// Applies to components; a scalar goes with each of a vector's.
fn each(left: &V, right: &V, f: &dyn Fn(&V, &V) -> V) -> V {
    match (left, right) {
        (V::Many(a), V::Many(b)) => V::Many(a.iter().zip(b).map(|(a, b)| each(a, b, f)).collect()),
        (V::Many(a), b) => V::Many(a.iter().map(|a| each(a, b, f)).collect()),
        (a, V::Many(b)) => V::Many(b.iter().map(|b| each(a, b, f)).collect()),
        (a, b) => f(a, b),
    }
}

pub fn unary(op: UnaryOperator, value: &V) -> V {
    each(value, &V::Unknown, &|value, _| match (op, value) {
        (UnaryOperator::Negate, V::I32(x)) => V::I32(x.wrapping_neg()),
        (UnaryOperator::Negate, V::F32(x)) => V::F32(-x),
        (UnaryOperator::LogicalNot, V::Bool(x)) => V::Bool(!x),
        (UnaryOperator::BitwiseNot, V::U32(x)) => V::U32(!x),
        (UnaryOperator::BitwiseNot, V::I32(x)) => V::I32(!x),
        _ => V::Unknown,
    })
}

pub fn binary(op: BinaryOperator, left: &V, right: &V) -> V {
    use BinaryOperator as Op;
    each(left, right, &|left, right| match (left, right) {
        (V::Bool(a), V::Bool(b)) => match op {
            Op::LogicalAnd | Op::And => V::Bool(*a && *b),
            Op::LogicalOr | Op::InclusiveOr => V::Bool(*a || *b),
            Op::Equal => V::Bool(a == b),
            Op::NotEqual => V::Bool(a != b),
            _ => V::Unknown,
        },
        // One side may settle it.
        (V::Bool(false), _) | (_, V::Bool(false)) if matches!(op, Op::LogicalAnd | Op::And) => V::Bool(false),
        (V::Bool(true), _) | (_, V::Bool(true)) if matches!(op, Op::LogicalOr | Op::InclusiveOr) => {
            V::Bool(true)
        }
        (&V::U32(a), &V::U32(b)) => compare(op, &a, &b).unwrap_or_else(|| match op {
            Op::Add => V::U32(a.wrapping_add(b)),
            Op::Subtract => V::U32(a.wrapping_sub(b)),
            Op::Multiply => V::U32(a.wrapping_mul(b)),
            Op::Divide => a.checked_div(b).map_or(V::Unknown, V::U32),
            Op::Modulo => a.checked_rem(b).map_or(V::Unknown, V::U32),
            Op::And => V::U32(a & b),
            Op::InclusiveOr => V::U32(a | b),
            Op::ExclusiveOr => V::U32(a ^ b),
            Op::ShiftLeft => V::U32(a.wrapping_shl(b)),
            Op::ShiftRight => V::U32(a.wrapping_shr(b)),
            _ => V::Unknown,
        }),
        (&V::I32(a), &V::I32(b)) => compare(op, &a, &b).unwrap_or_else(|| match op {
            Op::Add => V::I32(a.wrapping_add(b)),
            Op::Subtract => V::I32(a.wrapping_sub(b)),
            Op::Multiply => V::I32(a.wrapping_mul(b)),
            Op::Divide => a.checked_div(b).map_or(V::Unknown, V::I32),
            Op::Modulo => a.checked_rem(b).map_or(V::Unknown, V::I32),
            _ => V::Unknown,
        }),
        (&V::F32(a), &V::F32(b)) => compare(op, &a, &b).unwrap_or(match op {
            Op::Add => V::F32(a + b),
            Op::Subtract => V::F32(a - b),
            Op::Multiply => V::F32(a * b),
            Op::Divide => V::F32(a / b),
            _ => V::Unknown,
        }),
        _ => V::Unknown,
    })
}

fn compare<T: PartialOrd>(op: BinaryOperator, a: &T, b: &T) -> Option<V> {
    Some(V::Bool(match op {
        BinaryOperator::Equal => a == b,
        BinaryOperator::NotEqual => a != b,
        BinaryOperator::Less => a < b,
        BinaryOperator::LessEqual => a <= b,
        BinaryOperator::Greater => a > b,
        BinaryOperator::GreaterEqual => a >= b,
        _ => return None,
    }))
}

/// Of two ends the later one, where it is unknown which it is.
pub fn select(condition: &V, accept: V, reject: V) -> V {
    match (condition, accept, reject) {
        (V::Bool(true), accept, _) => accept,
        (V::Bool(false), _, reject) => reject,
        (_, V::U32(a), V::U32(b)) => V::U32(a.max(b)),
        (_, V::I32(a), V::I32(b)) => V::I32(a.max(b)),
        _ => V::Unknown,
    }
}

pub fn math(fun: MathFunction, first: &V, second: Option<&V>, third: Option<&V>) -> V {
    use MathFunction as F;
    match (fun, second, third) {
        (F::Min, Some(second), None) => each(first, second, &|a, b| match (a, b) {
            (V::U32(a), V::U32(b)) => V::U32(*a.min(b)),
            (V::I32(a), V::I32(b)) => V::I32(*a.min(b)),
            (V::F32(a), V::F32(b)) => V::F32(a.min(*b)),
            _ => V::Unknown,
        }),
        (F::Max, Some(second), None) => each(first, second, &|a, b| match (a, b) {
            (V::U32(a), V::U32(b)) => V::U32(*a.max(b)),
            (V::I32(a), V::I32(b)) => V::I32(*a.max(b)),
            (V::F32(a), V::F32(b)) => V::F32(a.max(*b)),
            _ => V::Unknown,
        }),
        (F::Clamp, Some(low), Some(high)) => {
            math(F::Min, &math(F::Max, first, Some(low), None), Some(high), None)
        }
        (F::Abs | F::Floor | F::Ceil, None, None) => each(first, &V::Unknown, &|x, _| match (fun, x) {
            (F::Abs, V::I32(x)) => V::I32(x.wrapping_abs()),
            (F::Abs, V::F32(x)) => V::F32(x.abs()),
            (F::Floor, V::F32(x)) => V::F32(x.floor()),
            (F::Ceil, V::F32(x)) => V::F32(x.ceil()),
            _ => V::Unknown,
        }),
        _ => V::Unknown,
    }
}

pub fn cast(value: &V, kind: ScalarKind, converts: bool) -> V {
    each(value, &V::Unknown, &|value, _| match (value, kind, converts) {
        (&V::U32(x), ScalarKind::Sint, _) => V::I32(x as i32),
        (&V::I32(x), ScalarKind::Uint, _) => V::U32(x as u32),
        (&V::U32(x), ScalarKind::Float, true) => V::F32(x as f32),
        (&V::I32(x), ScalarKind::Float, true) => V::F32(x as f32),
        (&V::F32(x), ScalarKind::Uint, true) => V::U32(x as u32),
        (&V::F32(x), ScalarKind::Sint, true) => V::I32(x as i32),
        (&V::Bool(x), ScalarKind::Uint, true) => V::U32(u32::from(x)),
        (&V::Bool(x), ScalarKind::Sint, true) => V::I32(i32::from(x)),
        (V::U32(_), ScalarKind::Uint, _)
        | (V::I32(_), ScalarKind::Sint, _)
        | (V::F32(_), ScalarKind::Float, _)
        | (V::Bool(_), ScalarKind::Bool, _) => value.clone(),
        _ => V::Unknown,
    })
}

/// What a function's branches hang on: expressions and local variables, found backwards from the conditions.
pub struct Slice {
    expressions: Vec<bool>,
    locals: Vec<bool>,
    loops: bool,
    /// Variables that begin at constants and change by constants.
    steady: Vec<bool>,
    /// How much was found so far.
    found: usize,
    /// For each expression the first that is needed, from itself on.
    next: Vec<Option<Handle<Expression>>>,
}

impl Slice {
    pub fn of(function: &Function, known: &HashMap<Handle<Function>, Slice>) -> Slice {
        let mut slice = Slice {
            expressions: vec![false; function.expressions.len()],
            locals: vec![false; function.local_variables.len()],
            loops: false,
            steady: vec![true; function.local_variables.len()],
            found: 0,
            next: Vec::new(),
        };
        slice.find_steady(function, &function.body);
        loop {
            let before = (slice.found, slice.loops);
            slice.visit(function, known, &function.body);
            if before == (slice.found, slice.loops) {
                break;
            }
        }
        slice.next = vec![None; function.expressions.len() + 1];
        for (handle, _) in function.expressions.iter().collect::<Vec<_>>().into_iter().rev() {
            let i = handle.index();
            slice.next[i] = if slice.expressions[i] { Some(handle) } else { slice.next[i + 1] };
        }
        slice
    }

    /// The expressions from `first` to `last` that a branch hangs on.
    pub fn needed(
        &self,
        first: Handle<Expression>,
        last: Handle<Expression>,
    ) -> impl Iterator<Item = Handle<Expression>> {
        let within = move |handle: &Handle<Expression>| handle.index() <= last.index();
        let start = self.next[first.index()].filter(within);
        std::iter::successors(start, move |handle| self.next[handle.index() + 1].filter(within))
    }

    /// Whether a branch hangs on this.
    pub fn needs(&self, handle: Handle<Expression>) -> bool {
        self.expressions[handle.index()]
    }

    pub fn needs_local(&self, local: Handle<LocalVariable>) -> bool {
        self.locals[local.index()]
    }

    /// Whether the function, or one that it calls, has a loop.
    pub fn loops(&self) -> bool {
        self.loops
    }

    /// Whether the loop with this body goes by a variable from one constant to another, by constant steps.
    pub fn is_constant(&self, function: &Function, body: &Block) -> bool {
        let condition = body.iter().find_map(|statement| match statement {
            Statement::If { condition, .. } => Some(*condition),
            _ => None,
        });
        condition.is_some_and(|condition| match function.expressions[condition] {
            Expression::Binary { left, right, .. } => match function.expressions[left] {
                Expression::Load { pointer } => {
                    let steady = root(function, pointer).is_some_and(|local| self.steady[local.index()]);
                    steady && is_constant(function, right)
                }
                _ => false,
            },
            _ => false,
        })
    }

    fn find_steady(&mut self, function: &Function, block: &Block) {
        for statement in block.iter() {
            match statement {
                Statement::Block(inner) => self.find_steady(function, inner),
                Statement::If { accept, reject, .. } => {
                    self.find_steady(function, accept);
                    self.find_steady(function, reject);
                }
                Statement::Loop { body, continuing, .. } => {
                    self.find_steady(function, body);
                    self.find_steady(function, continuing);
                }
                Statement::Store { pointer, value } => {
                    let Some(local) = root(function, *pointer) else { continue };
                    let step = match function.expressions[*value] {
                        Expression::Binary { left, right, .. } => {
                            let own = match function.expressions[left] {
                                Expression::Load { pointer } => root(function, pointer) == Some(local),
                                _ => false,
                            };
                            own && is_constant(function, right)
                        }
                        _ => false,
                    };
                    self.steady[local.index()] &= step || is_constant(function, *value);
                }
                _ => {}
            }
        }
    }

    /// Whether anything in the block changes what is counted.
    fn matters(&self, function: &Function, known: &HashMap<Handle<Function>, Slice>, block: &Block) -> bool {
        block.iter().any(|statement| match statement {
            Statement::Loop { .. }
            | Statement::Break
            | Statement::Continue
            | Statement::Return { .. }
            | Statement::Switch { .. } => true,
            Statement::Call { function, result, .. } => {
                known[function].loops || result.is_some_and(|result| self.needs(result))
            }
            Statement::Store { pointer, .. } => {
                root(function, *pointer).is_some_and(|local| self.needs_local(local))
            }
            Statement::Block(inner) => self.matters(function, known, inner),
            Statement::If { accept, reject, .. } => {
                self.matters(function, known, accept) || self.matters(function, known, reject)
            }
            _ => false,
        })
    }

    fn visit(&mut self, function: &Function, known: &HashMap<Handle<Function>, Slice>, block: &Block) {
        for statement in block.iter() {
            match statement {
                Statement::Block(inner) => self.visit(function, known, inner),
                Statement::If { condition, accept, reject } => {
                    if self.matters(function, known, accept) || self.matters(function, known, reject) {
                        self.need(function, *condition);
                    }
                    self.visit(function, known, accept);
                    self.visit(function, known, reject);
                }
                Statement::Loop { body, continuing, break_if } => {
                    self.loops = true;
                    self.visit(function, known, body);
                    self.visit(function, known, continuing);
                    if let Some(condition) = break_if {
                        self.need(function, *condition);
                    }
                }
                // Whether a function's value is wanted is its caller's affair.
                Statement::Return { value: Some(value) } => self.need(function, *value),
                Statement::Store { pointer, value }
                    if root(function, *pointer).is_some_and(|local| self.needs_local(local)) =>
                {
                    self.need(function, *value);
                    self.need(function, *pointer);
                }
                Statement::Call { function: callee, arguments, result } => {
                    let loops = known[callee].loops;
                    self.loops |= loops;
                    if loops || result.is_some_and(|result| self.needs(result)) {
                        arguments.iter().for_each(|&argument| self.need(function, argument));
                    }
                }
                _ => {}
            }
        }
    }

    fn need(&mut self, function: &Function, handle: Handle<Expression>) {
        if std::mem::replace(&mut self.expressions[handle.index()], true) {
            return;
        }
        self.found += 1;
        let mut also = |handles: &[Handle<Expression>]| {
            handles.iter().for_each(|&handle| self.need(function, handle));
        };
        match &function.expressions[handle] {
            Expression::Compose { components, .. } => also(components),
            Expression::Access { base, index } => also(&[*base, *index]),
            Expression::AccessIndex { base, .. } => also(&[*base]),
            Expression::Splat { value, .. } => also(&[*value]),
            Expression::Swizzle { vector, .. } => also(&[*vector]),
            Expression::Load { pointer } => also(&[*pointer]),
            Expression::Unary { expr, .. } | Expression::As { expr, .. } => also(&[*expr]),
            Expression::Binary { left, right, .. } => also(&[*left, *right]),
            Expression::Select { condition, accept, reject } => also(&[*condition, *accept, *reject]),
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                also(&[Some(*arg), *arg1, *arg2, *arg3].into_iter().flatten().collect::<Vec<_>>());
            }
            Expression::LocalVariable(local) => {
                self.locals[local.index()] = true;
            }
            _ => {}
        }
    }
}

fn is_constant(function: &Function, handle: Handle<Expression>) -> bool {
    matches!(function.expressions[handle], Expression::Literal(_) | Expression::Constant(_))
}

/// The local variable that a pointer leads into.
pub fn root(function: &Function, pointer: Handle<Expression>) -> Option<Handle<LocalVariable>> {
    match &function.expressions[pointer] {
        Expression::LocalVariable(local) => Some(*local),
        Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => root(function, *base),
        _ => None,
    }
}
