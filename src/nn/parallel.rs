//! Layers side by side: branches that see the same input, and one result of theirs.

use super::Layer;
use super::sequential::{Child, Sequential};
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// How the branches' outputs become one.
#[derive(Clone, Copy, Debug)]
enum Join {
    Sum,
    Concatenate(usize),
}

/// Gives every branch the same input and joins their outputs: residual blocks, skip connections,
/// blocks of several kernel sizes.
///
/// A residual block, as ResNet has it:
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::{Graph, Mode};
///
/// let convolution = || nn::Conv2d::new(16, 16, [3, 3]).padding([1, 1]).bias(false);
/// let main = nn::Sequential::new()
///     .add("conv1", convolution())
///     .add("bn1", nn::BatchNorm::new(16))
///     .add("relu", nn::Relu)
///     .add("conv2", convolution())
///     .add("bn2", nn::BatchNorm::new(16));
/// let block = nn::Sequential::new()
///     .inline(nn::Parallel::sum().inline(main).identity())
///     .add("relu2", nn::Relu);
/// let mut g = Graph::new();
/// let x = g.input("x", [2, 16, 8, 8])?;
/// let y = g.scoped("block", |g| block.forward(g, x, Mode::Train))?;
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// assert!(g.find("block.conv1.weight").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Parallel {
    join: Join,
    branches: Vec<Child>,
}

impl Parallel {
    /// Adds the outputs up, in order, with broadcasting.
    #[doc(alias = "residual")]
    pub fn sum() -> Self {
        Parallel { join: Join::Sum, branches: Vec::new() }
    }

    /// Joins the outputs along `axis`, in order: 1 puts the channels of images side by side.
    ///
    /// A stage of U-Net, which hands its input on to where the image has this size again, is
    /// `Parallel::concatenate(1).inline(below).identity()`.
    pub fn concatenate(axis: usize) -> Self {
        Parallel { join: Join::Concatenate(axis), branches: Vec::new() }
    }

    /// Appends a branch within a scope of this name.
    #[must_use]
    pub fn add(self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.with(Child::named(name, layer))
    }

    /// Appends a branch that gets no scope of its own: its parameters are named as if they stood here.
    #[must_use]
    pub fn inline(self, layer: impl Layer + 'static) -> Self {
        self.with(Child::unnamed(layer))
    }

    /// Appends a branch that gives the input back.
    #[must_use]
    #[doc(alias = "skip")]
    pub fn identity(self) -> Self {
        self.inline(Sequential::new())
    }

    fn with(mut self, branch: Child) -> Self {
        self.branches.push(branch);
        self
    }
}

impl Layer for Parallel {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        let outputs =
            self.branches.iter().map(|branch| branch.forward(g, x, mode)).collect::<Result<Vec<_>>>()?;
        let Some((&first, rest)) = outputs.split_first() else {
            return Err(g.refusal("parallel", "found no branches, expected at least 1".into()));
        };
        match self.join {
            Join::Concatenate(axis) => g.concatenate(&outputs, axis),
            Join::Sum => rest.iter().try_fold(first, |sum, &output| g.add(sum, output)),
        }
    }
}
