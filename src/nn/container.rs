//! Containers of layers. They run, print and drop nested containers without recursion, so nesting is limited
//! only by memory.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use std::fmt;

/// A layer that is a container, in its field `0`.
macro_rules! container_layer {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Layer for $name {
            fn forward(
                &self,
                g: &mut crate::Graph,
                x: crate::Value,
                mode: crate::Mode,
            ) -> crate::Result<crate::Value> {
                self.0.forward(g, x, mode)
            }

            fn container(&self) -> Option<&Container> {
                Some(&self.0)
            }

            fn container_mut(&mut self) -> Option<&mut Container> {
                Some(&mut self.0)
            }
        }
    };
}

/// A layer and the name of its scope. Without a name it runs in its container's scope.
pub(super) struct Child {
    pub name: Option<String>,
    pub layer: Box<dyn Layer>,
    /// Whether it runs as in evaluation, with parameters that no optimizer trains.
    pub frozen: bool,
}

/// How a container connects its layers. A function joins outputs, so that a program without such a container does
/// not hold the operator.
#[derive(Clone, Copy)]
pub(super) enum Join {
    /// Each layer takes the output of the one before.
    Sequence,
    /// All layers take the same input, and this function takes the sum or the product and the next output.
    Fold(&'static str, fn(&mut Graph, Value, Value) -> Result<Value>),
    /// All layers take the same input, and this function joins their outputs along an axis.
    Along(usize, fn(&mut Graph, &[Value], usize) -> Result<Value>),
}

/// The layers of a [`Sequential`](super::Sequential) or a [`Parallel`](super::Parallel).
pub struct Container {
    join: Join,
    pub(super) children: Vec<Child>,
}

impl Container {
    pub(super) fn new(join: Join) -> Self {
        Container { join, children: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn push(&mut self, name: Option<String>, layer: impl Layer + 'static) {
        self.children.push(Child { name, layer: Box::new(layer), frozen: false });
    }

    pub(super) fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        let mut open = vec![Open {
            container: self,
            scoped: false,
            frozen: false,
            mode,
            next: 0,
            x,
            outputs: Vec::new(),
        }];
        let result = run(&mut open, g);
        // After an error, leave the scopes that are still entered.
        open.iter().filter(|open| open.scoped).for_each(|_| g.leave());
        result
    }
}

/// A container that is being run.
struct Open<'l> {
    container: &'l Container,
    /// Whether it has a scope of its own.
    scoped: bool,
    /// Whether it or a container around it is frozen.
    frozen: bool,
    mode: Mode,
    next: usize,
    /// Input of the next layer.
    x: Value,
    outputs: Vec<Value>,
}

impl Open<'_> {
    fn take(&mut self, output: Value) {
        match self.container.join {
            Join::Sequence => self.x = output,
            Join::Fold(..) | Join::Along(..) => self.outputs.push(output),
        }
    }

    fn finish(&self, g: &mut Graph) -> Result<Value> {
        match (self.container.join, &self.outputs[..]) {
            (Join::Sequence, _) => Ok(self.x),
            (_, []) => Err(g.refusal("parallel", "found no branches, expected at least 1".into())),
            (Join::Fold(_, fold), [first, rest @ ..]) => {
                rest.iter().try_fold(*first, |folded, &output| fold(g, folded, output))
            }
            (Join::Along(axis, join), outputs) => join(g, outputs, axis),
        }
    }
}

fn run(open: &mut Vec<Open<'_>>, g: &mut Graph) -> Result<Value> {
    loop {
        let top = open.last_mut().expect("the outermost container stays until it returns");
        if let Some(child) = top.container.children.get(top.next) {
            top.next += 1;
            let (x, frozen) = (top.x, top.frozen || child.frozen);
            let mode = if frozen { Mode::Eval } else { top.mode };
            if let Some(name) = &child.name {
                g.enter(name);
            }
            if let Some(inner) = child.layer.container() {
                let scoped = child.name.is_some();
                open.push(Open { container: inner, scoped, frozen, mode, next: 0, x, outputs: Vec::new() });
                continue;
            }
            let output = if frozen {
                g.frozen(|g| child.layer.forward(g, x, mode))
            } else {
                child.layer.forward(g, x, mode)
            };
            if child.name.is_some() {
                g.leave();
            }
            top.take(output?);
            continue;
        }
        let output = top.finish(g)?;
        if top.scoped {
            g.leave();
        }
        open.pop();
        match open.last_mut() {
            Some(outer) => outer.take(output),
            None => return Ok(output),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut children = std::mem::take(&mut self.children);
        while let Some(mut child) = children.pop() {
            if let Some(inner) = child.layer.container_mut() {
                children.append(&mut inner.children);
            }
        }
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = |f: &mut fmt::Formatter<'_>, container: &Container| match container.join {
            Join::Sequence => f.write_str("Sequential("),
            Join::Fold(name, _) => write!(f, "Parallel::{name}("),
            Join::Along(axis, _) => write!(f, "Parallel::concatenate({axis}; "),
        };
        begin(f, self)?;
        let mut open = vec![self.children.iter().enumerate()];
        while let Some(children) = open.last_mut() {
            let Some((number, child)) = children.next() else {
                f.write_str(")")?;
                open.pop();
                continue;
            };
            if number > 0 {
                f.write_str(", ")?;
            }
            if let Some(name) = &child.name {
                write!(f, "{name}: ")?;
            }
            if child.frozen {
                f.write_str("frozen ")?;
            }
            match child.layer.container() {
                None => child.layer.fmt(f)?,
                Some(inner) => {
                    begin(f, inner)?;
                    open.push(inner.children.iter().enumerate());
                }
            }
        }
        Ok(())
    }
}
