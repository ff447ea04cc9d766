//! Evaluation graphs whose batch norms are folded into the weights of what is before them.
//!
//! The choice of what is folded and the arithmetic are here. Plans do not fold: weights that a training session changes
//! would have to be folded anew in every step.

use super::Weights;
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Node, Source, Value};
use crate::memory;
use crate::ops::batch_norm::BatchNormEval;
use crate::ops::conv2d::Conv2d;
use crate::ops::linear::Linear;
use crate::tensor::{HostTensor, Shape};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

/// An evaluation graph without the batch norms that follow a convolution or a linear layer. Their statistics are in the
/// weights ([`Weights::folded`]), which therefore must not change any more.
///
/// With s = weight / sqrt(running_var + eps), batch norm of a convolution is a convolution:
/// s (w * x + b - running_mean) + bias = (s w) * x + s (b - running_mean) + bias. PyTorch has this as
/// `fuse_conv_bn_eval` and `fuse_linear_bn_eval`.
///
/// A batch norm stays where something else reads its input, where that input is one of the outputs, behind transposed
/// convolutions, and where the graph updates one of the tensors.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{Layer, models};
/// use wgrad::weights::FoldedGraph;
/// use wgrad::{Device, Graph, Mode, Plan, Session, Weights};
///
/// let device = Device::open()?;
/// let mut g = Graph::new();
/// let x = g.input("x", [1, 3, 224, 224])?;
/// let logits = models::resnet18(3, 1000).forward(&mut g, x, Mode::Eval)?;
/// let weights = Weights::init(&device, &g, 0)?;
/// weights.load("resnet18.safetensors")?;
///
/// let folded = FoldedGraph::new(&g, &[logits])?;
/// assert_eq!(folded.batch_norms(), 20);
/// let weights = weights.folded(&[&folded])?;
/// let plan = Plan::new(folded.graph(), &[logits], device.caps())?;
/// let mut session = Session::new(&device, plan, &weights)?;
/// session.write(x, &vec![0.0; 3 * 224 * 224])?;
/// session.step()?;
/// println!("{:?}", session.read(logits)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FoldedGraph {
    graph: Graph,
    folds: Vec<Fold>,
}

/// A weight and a bias, and what they are made of.
#[derive(PartialEq, Debug)]
struct Fold {
    weight: String,
    bias: String,
    channels: usize,
    old_weight: Contents,
    old_bias: Option<Contents>,
    /// Weight and bias of batch norm.
    affine: Option<[Contents; 2]>,
    mean: Contents,
    variance: Contents,
    eps: f32,
}

/// Contents that no step changes.
#[derive(PartialEq, Debug)]
enum Contents {
    /// The parameter or state of this name.
    Kept(String),
    Constant(HostTensor),
}

impl FoldedGraph {
    /// Folds what can be folded. Other values of `graph` stay valid in the new graph.
    ///
    /// # Errors
    /// An output of another graph.
    pub fn new(graph: &Graph, outputs: &[Value]) -> Result<FoldedGraph> {
        graph.check_owned(outputs.iter().copied())?;
        let mut folded = FoldedGraph { graph: graph.clone(), folds: Vec::new() };
        let mut nodes: Vec<Option<Node>> = graph.nodes().map(|(_, node)| Some(node.clone())).collect();
        let mut readers: BTreeMap<Value, usize> = BTreeMap::new();
        for &value in graph.nodes().flat_map(|(_, node)| &node.inputs).chain(outputs) {
            *readers.entry(value).or_default() += 1;
        }
        for at in 0..nodes.len() {
            // A batch norm that can't be folded stays.
            let _ = folded.fold(&mut nodes, at, &readers);
        }
        let nodes: Vec<Node> = nodes.into_iter().flatten().collect();
        let root = |value: &Value| folded.graph.storage(*value);
        let read = nodes.iter().flat_map(|node| &node.inputs).chain(outputs);
        let read: BTreeSet<Value> = read.map(root).collect();
        let unread: Vec<Value> = readers.keys().map(root).filter(|root| !read.contains(root)).collect();
        folded.graph = folded.graph.with_nodes(nodes).without(&unread);
        Ok(folded)
    }

    /// The graph without the folded batch norms, to be planned with the same outputs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Number of batch norms that were folded.
    pub fn batch_norms(&self) -> usize {
        self.folds.len()
    }

    /// Folds the batch norm at a place into the node that makes its input. `None` if it can't.
    fn fold(
        &mut self,
        nodes: &mut [Option<Node>],
        at: usize,
        readers: &BTreeMap<Value, usize>,
    ) -> Option<()> {
        let norm = nodes[at].clone()?;
        let operator: &dyn Any = norm.operator.as_ref();
        let &BatchNormEval { norm: attributes, affine } = operator.downcast_ref()?;
        let (last, source) = self.before(nodes, norm.inputs[0], readers)?;
        let node = nodes[source].clone()?;
        let operator: &dyn Any = node.operator.as_ref();
        if !operator.is::<Conv2d>() && !operator.is::<Linear>() {
            return None;
        }
        let of_channels = |value: Value| &self.graph.shape_of(value)[..2];
        if of_channels(node.outputs[0]) != of_channels(norm.inputs[0]) {
            return None;
        }
        let contents = |input: usize| self.contents(norm.inputs[input]);
        let statistics = if affine { 3 } else { 1 };
        let fold = Fold {
            weight: format!("{}.folded_weight", norm.name),
            bias: format!("{}.folded_bias", norm.name),
            channels: of_channels(norm.inputs[0])[1],
            old_weight: self.contents(node.inputs[1])?,
            old_bias: match node.inputs.get(2) {
                Some(&bias) => Some(self.contents(bias)?),
                None => None,
            },
            affine: if affine { Some([contents(1)?, contents(2)?]) } else { None },
            mean: contents(statistics)?,
            variance: contents(statistics + 1)?,
            eps: attributes.eps,
        };
        if [&fold.weight, &fold.bias].into_iter().any(|name| self.graph.find(name).is_some()) {
            return None;
        }
        let shape = self.graph.shape_of(node.inputs[1]).clone();
        let [weight, bias] = [(&fold.weight, shape), (&fold.bias, Shape::from([fold.channels]))]
            .map(|(name, shape)| self.graph.unscoped(|g| g.parameter(name, shape, Init::Constant(0.0))).ok());
        nodes[source].as_mut()?.inputs = vec![node.inputs[0], weight?, bias?];
        nodes[last].as_mut()?.outputs = norm.outputs;
        nodes[at] = None;
        self.folds.push(fold);
        Some(())
    }

    /// The node that makes a value, and the one behind the views on the way to it, if nothing else reads what they make.
    fn before(
        &self,
        nodes: &[Option<Node>],
        mut value: Value,
        readers: &BTreeMap<Value, usize>,
    ) -> Option<(usize, usize)> {
        let mut last = None;
        loop {
            let Source::Node { node, output: 0 } = self.graph.info(value).source else { return None };
            let producer = nodes[node.index].as_ref().filter(|_| readers.get(&value) == Some(&1))?;
            let last = *last.get_or_insert(node.index);
            if !producer.operator.is_view() {
                return Some((last, node.index));
            }
            value = producer.inputs[0];
        }
    }

    /// What a value holds, if no step changes it. Views keep the order of elements.
    fn contents(&self, value: Value) -> Option<Contents> {
        let root = self.graph.storage(value);
        if self.graph.newest(root) != root {
            return None;
        }
        let info = self.graph.info(root);
        match &info.source {
            Source::Parameter(_) | Source::State { .. } => Some(Contents::Kept(info.name.clone())),
            Source::Constant(tensor) => Some(Contents::Constant(tensor.clone())),
            _ => None,
        }
    }
}

impl Fold {
    /// Names of all parameters and state that it reads.
    fn reads(&self) -> impl Iterator<Item = &str> {
        let all = [&self.old_weight, &self.mean, &self.variance].into_iter();
        let all = all.chain(&self.old_bias).chain(self.affine.iter().flatten());
        all.filter_map(|contents| match contents {
            Contents::Kept(name) => Some(name.as_str()),
            Contents::Constant(_) => None,
        })
    }

    /// The new weight and bias, from the old tensors.
    fn made(&self, old: &BTreeMap<String, HostTensor>) -> Result<[Vec<f32>; 2]> {
        let floats = |contents: &Contents| {
            let tensor = match contents {
                Contents::Kept(name) => old.get(name),
                Contents::Constant(tensor) => Some(tensor),
            };
            let floats = tensor.and_then(HostTensor::as_f32).unwrap_or_default();
            let mut all = memory::filled(floats.len(), 0.0, "folded weights")?;
            all.iter_mut().zip(floats).for_each(|(to, &x)| *to = f64::from(x));
            Ok::<Vec<f64>, Error>(all)
        };
        let (mean, variance) = (floats(&self.mean)?, floats(&self.variance)?);
        let mut scale: Vec<f64> = variance.iter().map(|x| (x + f64::from(self.eps)).sqrt().recip()).collect();
        let mut bias: Vec<f64> = mean.iter().map(|x| -x).collect();
        if let Some(old) = &self.old_bias {
            bias.iter_mut().zip(floats(old)?).for_each(|(bias, old)| *bias += old);
        }
        if let Some([weight, _]) = &self.affine {
            scale.iter_mut().zip(floats(weight)?).for_each(|(scale, weight)| *scale *= weight);
        }
        bias.iter_mut().zip(&scale).for_each(|(bias, scale)| *bias *= scale);
        if let Some([_, shift]) = &self.affine {
            bias.iter_mut().zip(floats(shift)?).for_each(|(bias, shift)| *bias += shift);
        }
        let mut weight = floats(&self.old_weight)?;
        let each = (weight.len() / self.channels).max(1);
        for (row, scale) in weight.chunks_mut(each).zip(&scale) {
            row.iter_mut().for_each(|x| *x *= scale);
        }
        Ok([weight, bias].map(|all| all.into_iter().map(|x| x as f32).collect()))
    }
}

impl Weights {
    /// The weights of graphs whose batch norms are folded, made of these weights in f64 and rounded once. They have memory of
    /// their own, so later changes of these weights do not reach them.
    ///
    /// # Errors
    /// A tensor that these weights lack; graphs that have different tensors under one name; not enough memory; a fault
    /// of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn folded(&self, graphs: &[&FoldedGraph]) -> Result<Weights> {
        crate::device::block_on(self.folded_async(graphs))
    }

    /// [`Weights::folded`] without blocking.
    ///
    /// # Errors
    /// As [`Weights::folded`].
    pub async fn folded_async(&self, graphs: &[&FoldedGraph]) -> Result<Weights> {
        let plain: Vec<&Graph> = graphs.iter().map(|folded| &folded.graph).collect();
        let new = Weights::init_all(&self.device, &plain, 0)?;
        new.set_metadata(self.metadata())?;
        let mut folds: BTreeMap<&str, &Fold> = BTreeMap::new();
        for fold in graphs.iter().flat_map(|folded| &folded.folds) {
            if folds.insert(&fold.weight, fold).is_some_and(|other| other != fold) {
                let message = "two graphs fold different tensors into it; give each graph weights of its own";
                return Err(Error::Value { name: fold.weight.clone(), message: message.into() });
            }
        }
        let folds: Vec<&Fold> = folds.into_values().collect();
        let made: BTreeSet<&str> = folds.iter().flat_map(|fold| [&*fold.weight, &*fold.bias]).collect();
        let same: Vec<&str> = new.names().filter(|name| !made.contains(name)).collect();
        let names = same.iter().copied().chain(folds.iter().flat_map(|fold| fold.reads()));
        let old = self.download_of(names).await?;
        new.write_all(same.iter().filter_map(|&name| Some((name, old.get(name)?.as_f32()?))))?;
        for fold in folds {
            let [weight, bias] = fold.made(&old)?;
            new.write_all([(&*fold.weight, &*weight), (&*fold.bias, &*bias)].into_iter())?;
        }
        Ok(new)
    }
}
