//! Which of a function's numbers its branches hang on.

use naga::{Block, Expression, Function, Handle, LocalVariable, Statement};
use std::collections::HashMap;

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
