//! Does the work with wgrad.

#[path = "../../../../examples/networks/digits.rs"]
mod digits;

use wgrad::nn::{self, Layer};
use wgrad::ops::conv2d::Conv2dOptions;
use wgrad::ops::pool2d::MaxPool2dOptions;
use wgrad::{Device, Graph, Mode, Plan, Result, Session, Shape, Value, Weights, optim};
use wgrad_peers::work::{IMAGES, Operator, numbers};
use wgrad_peers::{Batch, Network, Peer, Repeat};

fn main() {
    wgrad_peers::main::<Wgrad>();
}

struct Wgrad(Device);

impl Peer for Wgrad {
    const NAME: &'static str = "wgrad";

    fn open() -> Self {
        Wgrad(Device::open().unwrap_or_else(|e| panic!("{e}")))
    }

    fn adapter(&self) -> String {
        self.0.summary().to_string()
    }

    fn training(&self, batch: usize) -> Box<dyn Network + '_> {
        Box::new(Step::training(&self.0, batch).expect("the network is valid"))
    }

    fn inference(&self, batch: usize) -> Box<dyn Network + '_> {
        Box::new(Step::inference(&self.0, batch).expect("the network is valid"))
    }

    fn operator(&self, operator: &Operator, backward: bool) -> Box<dyn Repeat + '_> {
        Box::new(Step::operator(&self.0, operator, backward).expect("the operator is valid"))
    }
}

/// Passes of an operator in a step. A step is one submission; in a network none has only one kernel, and the
/// other peer also sends several launches at a time.
const PASSES: usize = 8;

/// A session, the inputs that a batch is written to, and the loss.
struct Step {
    session: Session,
    images: Option<Value>,
    labels: Option<Value>,
    loss: Option<Value>,
}

impl Step {
    fn training(device: &Device, batch: usize) -> Result<Step> {
        let mut graph = Graph::new();
        let images = graph.input("images", [batch, 1, 28, 28])?;
        let labels = graph.input_i32("labels", batch)?;
        let logits = digits::digits([28, 28], 10, None).forward(&mut graph, images, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("learning_rate")?;
        optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
        let mut session = session(device, &graph, &[loss])?;
        session.write_scalar(rate, 0.01)?;
        Ok(Step { session, images: Some(images), labels: Some(labels), loss: Some(loss) })
    }

    fn inference(device: &Device, batch: usize) -> Result<Step> {
        let mut graph = Graph::new();
        let images = graph.input("images", [batch, 1, 28, 28])?;
        let logits = digits::digits([28, 28], 10, None).forward(&mut graph, images, Mode::Eval)?;
        let session = session(device, &graph, &[logits])?;
        Ok(Step { session, images: Some(images), labels: None, loss: None })
    }

    fn operator(device: &Device, operator: &Operator, backward: bool) -> Result<Step> {
        let mut operands = Operands::default();
        let mut outputs = Vec::new();
        for pass in 0..PASSES {
            let (output, by) = operands.apply(operator, pass)?;
            outputs.push(output);
            if backward {
                let shape = operands.graph.shape(output).expect("of this graph").clone();
                let gradient = operands.input("gradient", shape)?;
                let gradients = operands.graph.gradients_from(&[(output, gradient)], &by)?;
                outputs.extend(gradients.into_iter().flatten());
            }
        }
        let mut session = session(device, &operands.graph, &outputs)?;
        for value in operands.inputs {
            let count = operands.graph.shape(value).expect("of this graph").elements();
            session.write(value, &numbers(count))?;
        }
        Ok(Step { session, images: None, labels: None, loss: None })
    }
}

fn session(device: &Device, graph: &Graph, outputs: &[Value]) -> Result<Session> {
    let weights = Weights::init(device, graph, 0)?;
    Session::new(device, Plan::new(graph, outputs, device.caps())?, &weights)
}

impl Network for Step {
    fn step(&mut self, batch: Batch) {
        let labels: &[i32] = &batch.labels;
        if let Some(images) = self.images {
            self.session.write(images, &batch.images).expect("the images fit");
        }
        if let Some(value) = self.labels {
            self.session.write(value, labels).expect("the labels fit");
        }
        self.session.step().expect("the step runs");
    }

    fn wait(&mut self) {
        self.session.wait().expect("the device answers");
    }

    fn loss(&mut self) -> f32 {
        let loss = self.loss.expect("only training has a loss");
        self.session.read(loss).expect("the loss is an output").to_f64()[0] as f32
    }
}

impl Repeat for Step {
    fn run(&mut self) {
        self.session.step().expect("the step runs");
    }

    fn passes(&self) -> usize {
        if self.images.is_some() { 1 } else { PASSES }
    }

    fn wait(&mut self) {
        self.session.wait().expect("the device answers");
    }
}

/// A graph that applies one operator several times, and the inputs to write.
#[derive(Default)]
struct Operands {
    graph: Graph,
    inputs: Vec<Value>,
}

impl Operands {
    /// The input of this name, shared by all passes.
    fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        if let Some(value) = self.graph.find(name) {
            return Ok(value);
        }
        let value = self.graph.input(name, shape)?;
        self.inputs.push(value);
        Ok(value)
    }

    /// The operator's output, and the values to differentiate by.
    fn apply(&mut self, operator: &Operator, pass: usize) -> Result<(Value, Vec<Value>)> {
        Ok(match *operator {
            Operator::Matmul { m, k, n } => {
                let (a, b) = (self.input("a", [m, k])?, self.input("b", [k, n])?);
                (self.graph.matmul(a, b)?, vec![a, b])
            }
            Operator::Conv2d(conv) => {
                let x = self.input("x", [conv.images, conv.channels, conv.size, conv.size])?;
                let shape = [conv.results, conv.channels, conv.kernel, conv.kernel];
                let weight = self.input("weight", shape)?;
                let attributes = Conv2dOptions::new().stride([conv.stride; 2]).padding([conv.padding; 2]);
                (self.graph.conv2d(x, weight, None, attributes)?, vec![x, weight])
            }
            Operator::MaxPool => {
                let x = self.input("x", IMAGES)?;
                (self.graph.max_pool2d(x, MaxPool2dOptions::new([2, 2]))?, vec![x])
            }
            Operator::BatchNorm => {
                let x = self.input("x", IMAGES)?;
                let layer = nn::BatchNorm::new(IMAGES[1]);
                let earlier = self.graph.parameters().len();
                let y = self.graph.scoped(&format!("pass{pass}"), |g| layer.forward(g, x, Mode::Train))?;
                let own = self.graph.parameters().split_off(earlier);
                (y, [x].into_iter().chain(own).collect())
            }
        })
    }
}
