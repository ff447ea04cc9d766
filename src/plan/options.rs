//! Planning options: kernel variants by name or as measured, fusions to leave out, the numerics watch, and long
//! submissions.

use super::tuning::offered;
use super::{Fusion, Precision, Tuning, TuningKey, Watch};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node};
use crate::op::{Caps, Variant};
use crate::tensor::TensorType;
use std::collections::BTreeSet;
use std::time::Duration;

/// Planning options.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::op::AdapterKind;
/// use wgrad::plan::Fusion;
/// use wgrad::{Caps, Graph, Plan, PlanOptions};
///
/// let mut g = Graph::new();
/// let (x, y) = (g.input("x", [64])?, g.input("y", [64])?);
/// let sum = g.add(x, y)?;
/// let z = g.relu(sum)?;
/// let caps = Caps::webgpu_defaults(AdapterKind::Software);
/// assert_eq!(Plan::new(&g, &[z], &caps)?.dispatches().len(), 1);
/// let apart = PlanOptions::default().without(Fusion::Elementwise);
/// assert_eq!(Plan::with_options(&g, &[z], &caps, &apart)?.dispatches().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    choices: Vec<Choice>,
    tuning: Tuning,
    pub(super) without: BTreeSet<Fusion>,
    pub(super) watch: Option<Watch>,
    pub(super) longest_submit: Option<Duration>,
    pub(crate) precision: Precision,
    pub(super) f32_gradients: bool,
}

/// A kernel variant that the user asked for.
#[derive(Clone, Debug)]
struct Choice {
    operator: String,
    /// If given, only for this node.
    node: Option<String>,
    variant: String,
}

impl Choice {
    fn is_for(&self, node: &Node) -> bool {
        self.operator == node.operator.name() && self.node.as_ref().is_none_or(|name| *name == node.name)
    }
}

impl PlanOptions {
    /// Takes kernel variant `variant` for every node of this operator, instead of the preferred one. Gradients are
    /// operators of their own: `conv2d` has `conv2d_grad_input` and `conv2d_grad_weight`. Later calls override
    /// earlier ones.
    #[must_use]
    pub fn variant(self, operator: &str, variant: impl AsRef<str>) -> Self {
        self.choose(operator, None, variant.as_ref())
    }

    /// Takes kernel variant `variant` for the node of this operator and name, instead of the preferred one. A node's
    /// gradients have its name too, so the operator is needed. Later calls override earlier ones.
    #[must_use]
    pub fn node_variant(self, operator: &str, node: &str, variant: impl AsRef<str>) -> Self {
        self.choose(operator, Some(node.to_owned()), variant.as_ref())
    }

    /// Takes kernel variants as measured, for nodes for which no variant is asked by name. Choices for other operators
    /// and shapes are ignored, and so are refused variants and those that [`PlanOptions::longest_submit`] rules out.
    /// [`PlanOptions::tune`] measures them. Later calls override earlier ones where both have a choice.
    #[must_use]
    pub fn tuned(mut self, tuning: Tuning) -> Self {
        self.tuning.choices.extend(tuning.choices);
        self
    }

    /// Whether there are no measured choices.
    pub(super) fn is_untuned(&self) -> bool {
        self.tuning.is_empty()
    }

    /// The same without measured choices.
    pub(crate) fn untuned(mut self) -> Self {
        self.tuning = Tuning::default();
        self
    }

    /// Leaves out a fusion. By default all are done.
    #[must_use]
    pub fn without(mut self, fusion: Fusion) -> Self {
        self.without.insert(fusion);
        self
    }

    /// Watches every step for the first node whose output is not finite. The steps' results keep their bits.
    /// [`Session::not_finite`](crate::Session::not_finite) returns the finding.
    #[must_use]
    pub fn watch(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Limits what one submission may take. Drivers end work that takes too long, Windows after two seconds, and the
    /// device is lost then. So a plan estimates from operations and bytes how long each dispatch could take on a slow
    /// adapter of its kind. Longer dispatches are split, and a step is submitted in parts ([`Plan::submits`]). The
    /// steps' results keep their bits.
    ///
    /// The default is one second for GPUs, and no limit for software adapters, which have none.
    ///
    /// [`Plan::submits`]: super::Plan::submits
    #[must_use]
    pub fn longest_submit(mut self, longest: Duration) -> Self {
        self.longest_submit = Some(longest);
        self
    }

    /// Keeps what a step computes in these floats. f32 by default.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::op::AdapterKind;
    /// use wgrad::plan::{BufferKind, Precision};
    /// use wgrad::{Caps, Graph, Mode, Plan, PlanOptions, nn, nn::Layer};
    ///
    /// let mut g = Graph::new();
    /// let images = g.input("images", [8, 3, 64, 64])?;
    /// let logits = nn::models::resnet18(3, 10).forward(&mut g, images, Mode::Eval)?;
    /// let caps = Caps { f16: true, ..Caps::webgpu_defaults(AdapterKind::Integrated) };
    /// let bytes = |precision| -> wgrad::Result<u64> {
    ///     let options = PlanOptions::default().precision(precision);
    ///     Ok(Plan::with_options(&g, &[logits], &caps, &options)?.device_bytes()[&BufferKind::Activations])
    /// };
    /// assert!(bytes(Precision::Mixed)? < bytes(Precision::F32)? * 6 / 10);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Keeps gradients of parameters in f32 in mixed precision too, where those of a scaled loss are f16 otherwise. Micro-batches
    /// need it, because they add gradients ([`DataParallel`](crate::session::DataParallel)).
    #[must_use]
    pub fn f32_gradients(mut self) -> Self {
        self.f32_gradients = true;
        self
    }

    fn choose(mut self, operator: &str, node: Option<String>, variant: &str) -> Self {
        self.choices.push(Choice { operator: operator.to_owned(), node, variant: variant.to_owned() });
        self
    }

    /// Whether a variant is asked for by name for this node.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn names(&self, node: &Node) -> bool {
        self.choices.iter().any(|choice| choice.is_for(node))
    }

    /// The variant of a node, and the reason. `read` says which outputs anything reads.
    pub(super) fn pick(
        &self,
        graph: &Graph,
        node: &Node,
        read: &[bool],
        caps: &Caps,
    ) -> Result<(Variant, String)> {
        let mut offered = offered(graph, node, caps, self.precision);
        let operator = node.operator.name();
        let asked = self.choices.iter().rev().find(|choice| choice.is_for(node));
        if let Some(Choice { variant, .. }) = asked {
            return match offered.iter().find(|offered| offered.name() == variant) {
                Some(&found) => Ok((found, "asked for by name".into())),
                None => Err(Error::Variant {
                    operator: operator.to_owned(),
                    node: node.name.clone(),
                    variant: variant.clone(),
                    offered: offered.iter().map(|offered| offered.name()).collect::<Vec<_>>().join(", "),
                }),
            };
        }
        if offered.len() > 1
            && !self.tuning.is_empty()
            && let Some(found) = self.tuning.pick(&TuningKey::of(graph, node, read, self.precision), &offered)
        {
            return Ok(found);
        }
        let types: Vec<&TensorType> = node.inputs.iter().map(|&v| &graph.info(v).ty).collect();
        if self.precision == Precision::Mixed && !offered.iter().all(|variant| variant.is_in_f32()) {
            offered.retain(|variant| !variant.is_in_f32());
        }
        Ok(node.operator.preference(&types).choose(caps.kind, &offered))
    }

    /// Fails if no node of the planned graph could take a variant that the user asked for.
    pub(super) fn check_used(&self, graph: &Graph) -> Result<()> {
        let unused = |choice: &&Choice| !graph.nodes().any(|(_, node)| choice.is_for(node));
        let Some(Choice { operator, node, variant }) = self.choices.iter().find(unused) else {
            return Ok(());
        };
        let of = match node {
            Some(node) => format!("a {operator} named \"{node}\""),
            None => format!("the operator {operator}"),
        };
        let operators: BTreeSet<&str> = graph.nodes().map(|(_, node)| node.operator.name()).collect();
        let operators: Vec<&str> = operators.into_iter().collect();
        Err(Error::Setting {
            setting: "variant",
            message: format!(
                "\"{variant}\" is asked for {of}, which the plan does not have; its operators are {}, and a node's gradients have its name",
                operators.join(", ")
            ),
        })
    }
}
