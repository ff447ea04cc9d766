//! Does the work with burn on its wgpu backend, with fusion and autotuning.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};
use wgrad_peers::work::{IMAGES, Operator, numbers};
use wgrad_peers::{Batch, Network, Peer, Repeat};

const LEARNING_RATE: f64 = 0.01;

fn main() {
    wgrad_peers::main::<Burn>();
}

struct Burn {
    adapter: String,
    /// Without and with gradients.
    plain: Device,
    differentiated: Device,
}

impl Peer for Burn {
    const NAME: &'static str = "burn";

    fn open() -> Self {
        let (plain, setup) = Device::wgpu_options().init_with_setup().expect("an adapter");
        let info = setup.adapter.get_info();
        let driver = format!("{} {}", info.driver, info.driver_info);
        let adapter = format!("{} ({:?}, {})", info.name, info.backend, driver.trim());
        Burn { adapter, differentiated: plain.clone().autodiff(), plain }
    }

    fn adapter(&self) -> String {
        self.adapter.clone()
    }

    fn training(&self, _batch: usize) -> Box<dyn Network + '_> {
        let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        Box::new(Training {
            device: &self.differentiated,
            model: Some(Model::new(&self.differentiated)),
            optimizer: SgdConfig::new().with_momentum(Some(momentum)).init(),
            loss: None,
        })
    }

    fn inference(&self, _batch: usize) -> Box<dyn Network + '_> {
        Box::new(Inference { device: &self.plain, model: Model::new(&self.differentiated).valid() })
    }

    fn operator(&self, operator: &Operator, backward: bool) -> Box<dyn Repeat + '_> {
        let device = if backward { &self.differentiated } else { &self.plain };
        Box::new(Repeated { device, run: repeated(*operator, backward, device) })
    }
}

#[derive(Module, Debug)]
struct Model {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    pool: MaxPool2d,
    relu: Relu,
    fc1: Linear,
    fc2: Linear,
}

impl Model {
    fn new(device: &Device) -> Self {
        let padded = |by| PaddingConfig2d::Explicit(by, by, by, by);
        Model {
            conv1: Conv2dConfig::new([1, 8], [3, 3]).with_padding(padded(1)).init(device),
            bn1: BatchNormConfig::new(8).init(device),
            conv2: Conv2dConfig::new([8, 32], [5, 5]).with_padding(padded(2)).init(device),
            bn2: BatchNormConfig::new(32).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            relu: Relu::new(),
            fc1: LinearConfig::new(1568, 600).init(device),
            fc2: LinearConfig::new(600, 10).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.bn1.forward(self.conv1.forward(images));
        let x = self.pool.forward(self.relu.forward(x));
        let x = self.bn2.forward(self.conv2.forward(x));
        let x = self.pool.forward(self.relu.forward(x));
        let [batch, ..] = x.dims();
        self.fc2.forward(self.relu.forward(self.fc1.forward(x.reshape([batch, 1568]))))
    }
}

fn images(batch: Vec<f32>, device: &Device) -> Tensor<4> {
    let count = batch.len() / (28 * 28);
    Tensor::from_data(TensorData::new(batch, [count, 1, 28, 28]), device)
}

struct Training<'d> {
    device: &'d Device,
    /// Present between steps: a step takes it and puts back the updated one.
    model: Option<Model>,
    optimizer: ModuleOptimizer,
    loss: Option<Tensor<1>>,
}

impl Network for Training<'_> {
    fn step(&mut self, batch: Batch) {
        let count = batch.labels.len();
        let labels: Tensor<1, Int> = Tensor::from_data(TensorData::new(batch.labels, [count]), self.device);
        let model = self.model.take().expect("there is a model between steps");
        let logits = model.forward(images(batch.images, self.device));
        let loss = CrossEntropyLossConfig::new().init(self.device).forward(logits, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        self.model = Some(self.optimizer.step(LEARNING_RATE, model, gradients));
        self.loss = Some(loss);
    }

    fn wait(&mut self) {
        self.device.sync().expect("the device answers");
    }

    fn loss(&mut self) -> f32 {
        self.loss.take().expect("a step has run").into_scalar()
    }
}

struct Inference<'d> {
    device: &'d Device,
    model: Model,
}

impl Network for Inference<'_> {
    fn step(&mut self, batch: Batch) {
        self.model.forward(images(batch.images, self.device));
    }

    fn wait(&mut self) {
        self.device.sync().expect("the device answers");
    }

    fn loss(&mut self) -> f32 {
        panic!("only training has a loss")
    }
}

struct Repeated<'d> {
    device: &'d Device,
    run: Box<dyn FnMut()>,
}

impl Repeat for Repeated<'_> {
    fn run(&mut self) {
        (self.run)();
    }

    fn wait(&mut self) {
        self.device.sync().expect("the device answers");
    }
}

fn tensor<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers(shape.iter().product()), shape), device)
}

/// The operator as a closure that runs it once.
fn repeated(operator: Operator, backward: bool, device: &Device) -> Box<dyn FnMut()> {
    match operator {
        Operator::Matmul { m, k, n } => {
            let (a, b) = (tensor([m, k], device), tensor([k, n], device));
            Box::new(move || drop(a.clone().matmul(b.clone())))
        }
        Operator::Conv2d(conv) => {
            let x = tensor([conv.images, conv.channels, conv.size, conv.size], device);
            let weight = tensor([conv.results, conv.channels, conv.kernel, conv.kernel], device);
            let options = ConvOptions::new([conv.stride; 2], [conv.padding; 2], [1, 1], 1);
            if !backward {
                return Box::new(move || drop(conv2d(x.clone(), weight.clone(), None, options.clone())));
            }
            let (x, weight) = (x.require_grad(), weight.require_grad());
            Box::new(move || {
                let gradients = conv2d(x.clone(), weight.clone(), None, options.clone()).backward();
                drop((x.grad(&gradients), weight.grad(&gradients)));
            })
        }
        Operator::MaxPool => {
            let x = tensor(IMAGES, device);
            let options = MaxPoolOptions::new([2, 2]).with_stride([2, 2]);
            if !backward {
                return Box::new(move || drop(max_pool2d(x.clone(), options.clone())));
            }
            let x = x.require_grad();
            Box::new(move || {
                let gradients = max_pool2d(x.clone(), options.clone()).backward();
                drop(x.grad(&gradients));
            })
        }
        Operator::BatchNorm => {
            // Without gradients burn would use the running statistics.
            let device = device.clone().autodiff();
            let norm = BatchNormConfig::new(IMAGES[1]).init(&device);
            let x = tensor(IMAGES, &device).require_grad();
            if !backward {
                return Box::new(move || drop(norm.forward(x.clone())));
            }
            Box::new(move || {
                let gradients = norm.forward(x.clone()).backward();
                let of_parameters = (norm.gamma.val().grad(&gradients), norm.beta.val().grad(&gradients));
                drop((x.grad(&gradients), of_parameters));
            })
        }
    }
}
