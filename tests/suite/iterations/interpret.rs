//! Runs the control flow of a kernel on the host and counts loop iterations, from naga's intermediate representation.
//! The result does not depend on the kernel's own statement.
//!
//! Numbers that depend on constants and the invocation's number are computed; numbers loaded from a buffer are
//! unknown. If a branch depends on an unknown number, both sides run and the longer one counts. Numbers that no
//! branch depends on are not evaluated, so a loop costs as little as its counter.

use super::slice::{Slice, root};
use super::values::{V, binary, cast, math, select, unary};
use naga::{Block, BuiltIn, Expression, Function, Handle, Literal, LocalVariable, Module, Statement};
use std::collections::HashMap;

/// One invocation.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    pub group: [u32; 3],
    pub groups: [u32; 3],
    pub lane: u32,
}

/// Iterations past which a loop counts as one that does not end.
const MOST: u64 = 1 << 17;

/// Passes up to which compilers write a loop out, where all of it is constant.
const WRITTEN_OUT: u64 = 32;

/// Loop iterations of an invocation.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Count {
    /// All loops together. A loop within another counts one at least.
    pub all: u64,
    /// Without short loops from one constant to another, of which no compiler leaves any.
    pub left: u64,
}

/// Loop iterations of an invocation.
///
/// # Errors
/// A loop whose end hangs on what a buffer holds, or what this does not understand.
pub fn iterations(module: &Module, slices: &Slices, invocation: Invocation) -> Result<Count, String> {
    let entry = &module.entry_points[0];
    let size = entry.workgroup_size;
    let many = |v: [u32; 3]| V::Many(v.iter().map(|&n| V::U32(n)).collect());
    let local = [
        invocation.lane % size[0],
        invocation.lane / size[0] % size[1],
        invocation.lane / (size[0] * size[1]),
    ];
    let arguments = entry.function.arguments.iter().map(|argument| match argument.binding {
        Some(naga::Binding::BuiltIn(builtin)) => match builtin {
            BuiltIn::WorkGroupId => Ok(many(invocation.group)),
            BuiltIn::NumWorkGroups => Ok(many(invocation.groups)),
            BuiltIn::LocalInvocationIndex => Ok(V::U32(invocation.lane)),
            BuiltIn::LocalInvocationId => Ok(many(local)),
            BuiltIn::GlobalInvocationId => {
                Ok(many([0, 1, 2].map(|i| invocation.group[i] * size[i] + local[i])))
            }
            BuiltIn::SubgroupInvocationId => Ok(V::Unknown),
            other => Err(format!("{other:?} is not known here")),
        },
        _ => Err("an argument without a builtin".to_owned()),
    });
    let arguments = arguments.collect::<Result<Vec<V>, String>>()?;
    let mut run = Run { module, slices, count: Count::default(), depth: 0 };
    run.call(&entry.function, &slices.entry, arguments)?;
    Ok(run.count)
}

/// What of a module's functions the control flow hangs on.
pub struct Slices {
    entry: Slice,
    functions: HashMap<Handle<Function>, Slice>,
}

impl Slices {
    pub fn of(module: &Module) -> Slices {
        let mut functions = HashMap::new();
        // A function stands before those that call it.
        for (handle, function) in module.functions.iter() {
            let slice = Slice::of(function, &functions);
            functions.insert(handle, slice);
        }
        Slices { entry: Slice::of(&module.entry_points[0].function, &functions), functions }
    }
}

struct Run<'m> {
    module: &'m Module,
    slices: &'m Slices,
    count: Count,
    /// Loops around what runs.
    depth: u32,
}

/// A function at work.
#[derive(Clone)]
struct Frame<'f> {
    function: &'f Function,
    slice: &'f Slice,
    arguments: Vec<V>,
    values: Vec<V>,
    locals: Vec<V>,
}

/// How a block ends.
#[derive(Clone, PartialEq)]
enum End {
    Through,
    Break,
    Continue,
    Return(V),
}

impl<'m> Run<'m> {
    fn call(&mut self, function: &'m Function, slice: &'m Slice, arguments: Vec<V>) -> Result<V, String> {
        let values = vec![V::Unknown; function.expressions.len()];
        let mut frame = Frame { function, slice, arguments, values, locals: Vec::new() };
        for (_, variable) in function.local_variables.iter() {
            let value = match variable.init {
                Some(init) => self.evaluate(&mut frame, init),
                None => V::zero(self.module, variable.ty),
            };
            frame.locals.push(value);
        }
        match self.block(&mut frame, &function.body)? {
            End::Return(value) => Ok(value),
            _ => Ok(V::Unknown),
        }
    }

    fn block(&mut self, frame: &mut Frame<'m>, block: &'m Block) -> Result<End, String> {
        for statement in block.iter() {
            let end = self.statement(frame, statement)?;
            if end != End::Through {
                return Ok(end);
            }
        }
        Ok(End::Through)
    }

    fn statement(&mut self, frame: &mut Frame<'m>, statement: &'m Statement) -> Result<End, String> {
        match statement {
            Statement::Emit(range) => {
                if let Some((first, last)) = range.first_and_last() {
                    for handle in frame.slice.needed(first, last) {
                        let value = self.emitted(frame, handle);
                        frame.values[handle.index()] = value;
                    }
                }
            }
            Statement::Block(inner) => return self.block(frame, inner),
            Statement::If { condition, accept, reject } => {
                if !frame.slice.needs(*condition) {
                    return Ok(End::Through);
                }
                match self.evaluate(frame, *condition) {
                    V::Bool(true) => return self.block(frame, accept),
                    V::Bool(false) => return self.block(frame, reject),
                    _ => return self.both(frame, accept, reject),
                }
            }
            Statement::Loop { body, continuing, break_if } => {
                return self.repeat(frame, body, continuing, *break_if);
            }
            Statement::Break => return Ok(End::Break),
            Statement::Continue => return Ok(End::Continue),
            Statement::Return { value } => {
                let value = value.map_or(V::Unknown, |value| self.evaluate(frame, value));
                return Ok(End::Return(value));
            }
            Statement::Store { pointer, value } => {
                if root(frame.function, *pointer).is_some_and(|local| frame.slice.needs_local(local))
                    && let Some((local, path)) = self.place(frame, *pointer)
                {
                    let value = self.evaluate(frame, *value);
                    frame.locals[local.index()].set(&path, value);
                }
            }
            Statement::Call { function, arguments, result } => {
                let slice = &self.slices.functions[function];
                let wanted = result.is_some_and(|result| frame.slice.needs(result));
                if wanted || slice.loops() {
                    let arguments = arguments.iter().map(|&a| self.evaluate(frame, a)).collect();
                    let value = self.call(&self.module.functions[*function], slice, arguments)?;
                    if let Some(result) = result {
                        frame.values[result.index()] = value;
                    }
                }
            }
            Statement::ControlBarrier(_)
            | Statement::MemoryBarrier(_)
            | Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. }
            | Statement::WorkGroupUniformLoad { .. }
            | Statement::Atomic { .. } => {}
            other => return Err(format!("{other:?} is not known here")),
        }
        Ok(End::Through)
    }

    fn both(&mut self, frame: &mut Frame<'m>, accept: &'m Block, reject: &'m Block) -> Result<End, String> {
        let mut other = frame.clone();
        let start = self.count;
        let first = self.block(frame, accept)?;
        let taken = std::mem::replace(&mut self.count, start);
        let second = self.block(&mut other, reject)?;
        self.count = Count { all: self.count.all.max(taken.all), left: self.count.left.max(taken.left) };
        // The way that goes on is the longer one.
        match (first == End::Through, second == End::Through) {
            (true, true) => {
                for (value, other) in frame.locals.iter_mut().zip(&other.locals) {
                    value.join(other);
                }
                Ok(End::Through)
            }
            (true, false) => Ok(End::Through),
            (false, true) => {
                *frame = other;
                Ok(End::Through)
            }
            (false, false) => Ok(first),
        }
    }

    fn repeat(
        &mut self,
        frame: &mut Frame<'m>,
        body: &'m Block,
        continuing: &'m Block,
        break_if: Option<Handle<Expression>>,
    ) -> Result<End, String> {
        let (mut passes, constant) = (0, frame.slice.is_constant(frame.function, body));
        self.depth += 1;
        loop {
            match self.block(frame, body)? {
                End::Break => break,
                End::Return(value) => {
                    self.depth -= 1;
                    self.count.all += passes;
                    self.count.left += passes;
                    return Ok(End::Return(value));
                }
                End::Through | End::Continue => {}
            }
            passes += 1;
            if passes > MOST {
                return Err("a loop does not end by what is known".to_owned());
            }
            self.block(frame, continuing)?;
            if break_if.is_some_and(|condition| self.evaluate(frame, condition) == V::Bool(true)) {
                break;
            }
        }
        self.depth -= 1;
        let passes = if self.depth > 0 { passes.max(1) } else { passes };
        self.count.all += passes;
        if !constant || passes > WRITTEN_OUT {
            self.count.left += passes;
        }
        Ok(End::Through)
    }

    /// The value of an expression: what was emitted before, or what needs no emitting.
    fn evaluate(&mut self, frame: &mut Frame<'m>, handle: Handle<Expression>) -> V {
        let module = self.module;
        match &frame.function.expressions[handle] {
            Expression::Literal(literal) => literal_value(*literal),
            Expression::Constant(constant) => global(module, module.constants[*constant].init),
            Expression::ZeroValue(ty) => V::zero(module, *ty),
            Expression::FunctionArgument(i) => frame.arguments[*i as usize].clone(),
            _ if frame.function.expressions[handle].needs_pre_emit() => V::Unknown,
            // Initial values of variables are not emitted.
            Expression::Compose { .. } | Expression::Splat { .. }
                if frame.values[handle.index()] == V::Unknown =>
            {
                self.emitted(frame, handle)
            }
            _ => frame.values[handle.index()].clone(),
        }
    }

    fn emitted(&mut self, frame: &mut Frame<'m>, handle: Handle<Expression>) -> V {
        match &frame.function.expressions[handle] {
            Expression::Compose { components, .. } => {
                V::Many(components.iter().map(|&c| self.evaluate(frame, c)).collect())
            }
            Expression::Splat { size, value } => V::Many(vec![self.evaluate(frame, *value); *size as usize]),
            Expression::Swizzle { size, vector, pattern } => {
                let vector = self.evaluate(frame, *vector);
                V::Many(pattern[..*size as usize].iter().map(|&c| vector.at(c as usize)).collect())
            }
            Expression::Access { base, index } => {
                let index = self.evaluate(frame, *index);
                let base = self.evaluate(frame, *base);
                index.index().map_or(V::Unknown, |index| base.at(index))
            }
            Expression::AccessIndex { base, index } => self.evaluate(frame, *base).at(*index as usize),
            Expression::Load { pointer } => match self.place(frame, *pointer) {
                Some((local, path)) => frame.locals[local.index()].get(&path),
                None => V::Unknown,
            },
            Expression::Unary { op, expr } => unary(*op, &self.evaluate(frame, *expr)),
            Expression::Binary { op, left, right } => {
                binary(*op, &self.evaluate(frame, *left), &self.evaluate(frame, *right))
            }
            Expression::Select { condition, accept, reject } => {
                let condition = self.evaluate(frame, *condition);
                select(&condition, self.evaluate(frame, *accept), self.evaluate(frame, *reject))
            }
            Expression::Math { fun, arg, arg1, arg2, .. } => {
                let first = self.evaluate(frame, *arg);
                let rest = [arg1, arg2].map(|a| a.map(|a| self.evaluate(frame, a)));
                math(*fun, &first, rest[0].as_ref(), rest[1].as_ref())
            }
            Expression::As { expr, kind, convert } => {
                cast(&self.evaluate(frame, *expr), *kind, convert.is_some())
            }
            _ => V::Unknown,
        }
    }

    /// The local variable that a pointer leads to, and the way within it: `None` for an unknown index.
    fn place(
        &mut self,
        frame: &mut Frame<'m>,
        pointer: Handle<Expression>,
    ) -> Option<(Handle<LocalVariable>, Vec<Option<usize>>)> {
        match &frame.function.expressions[pointer] {
            Expression::LocalVariable(local) => Some((*local, Vec::new())),
            Expression::AccessIndex { base, index } => {
                let (local, mut path) = self.place(frame, *base)?;
                path.push(Some(*index as usize));
                Some((local, path))
            }
            Expression::Access { base, index } => {
                let (local, mut path) = self.place(frame, *base)?;
                path.push(self.evaluate(frame, *index).index());
                Some((local, path))
            }
            _ => None,
        }
    }
}

fn literal_value(literal: Literal) -> V {
    match literal {
        Literal::U32(value) => V::U32(value),
        Literal::I32(value) => V::I32(value),
        Literal::F32(value) => V::F32(value),
        Literal::Bool(value) => V::Bool(value),
        _ => V::Unknown,
    }
}

fn global(module: &Module, handle: Handle<Expression>) -> V {
    match &module.global_expressions[handle] {
        Expression::Literal(literal) => literal_value(*literal),
        Expression::Constant(constant) => global(module, module.constants[*constant].init),
        Expression::ZeroValue(ty) => V::zero(module, *ty),
        Expression::Compose { components, .. } => {
            V::Many(components.iter().map(|&c| global(module, c)).collect())
        }
        Expression::Splat { size, value } => V::Many(vec![global(module, *value); *size as usize]),
        _ => V::Unknown,
    }
}
