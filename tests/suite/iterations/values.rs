//! Numbers that may be unknown, and arithmetic over them.

use naga::{BinaryOperator, Handle, MathFunction, Module, ScalarKind, Type, TypeInner, UnaryOperator};

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
