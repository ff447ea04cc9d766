//! Train convolutional neural networks on any GPU that WebGPU reaches, in WGSL.
//!
//! There are three stages, each a type. A [`Graph`] holds a network, its loss, gradients and optimizer
//! updates as data. A [`Plan`] turns it into dispatches over buffers and checks them against an adapter's
//! limits, without a GPU. A [`Session`] runs the plan on a [`Device`], one submit a step. Sessions share
//! [`Weights`] by name.
//!
//! ```no_run
//! use wgrad::nn::{self, Layer};
//! use wgrad::{Device, Graph, Mode, Plan, Session, Weights, optim};
//!
//! # fn main() -> wgrad::Result<()> {
//! let net = nn::Sequential::new().add("fc", nn::Linear::new(784, 10));
//! let mut g = Graph::new();
//! let pixels = g.input("pixels", [64, 784])?;
//! let labels = g.input_i32("labels", 64)?;
//! let logits = net.forward(&mut g, pixels, Mode::Train)?;
//! let loss = g.cross_entropy(logits, labels)?;
//! let rate = g.input_scalar("learning_rate")?;
//! optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
//!
//! let device = Device::open()?;
//! let weights = Weights::init(&device, &g, 42)?;
//! let mut session = Session::new(&device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
//! session.write_scalar(rate, 0.1)?;
//! session.write(pixels, &vec![0.5; 64 * 784])?;
//! session.write(labels, &vec![3; 64])?;
//! session.step()?;
//! println!("{:?}", session.read(loss)?);
//! # Ok(())
//! # }
//! ```
//!
//! Layers are in [`nn`], optimizers in [`optim`], data sets in [`data`]; [`train`] has the loop that most programs need. Operators are methods of [`Graph`];
//! [`ops`] has their types, and [`op`] the trait that they implement. Every operator has a reference in f64
//! ([`op::Reference`]), and [`Session::verify`] compares a real step with it. The guides in `docs/` go through
//! the library task by task.

#[macro_use]
mod setters;

mod autodiff;
pub mod data;
pub mod device;
mod error;
pub mod file;
pub mod graph;
mod hash;
mod instant;
mod memory;
pub mod nn;
mod not_finite;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod op;
pub mod ops;
pub mod optim;
#[cfg(not(target_arch = "wasm32"))]
pub mod parallel;
pub mod plan;
#[cfg(not(target_arch = "wasm32"))]
pub mod predict;
mod promise;
mod reference;
pub mod session;
pub mod shader;
mod tensor;
#[cfg(not(target_arch = "wasm32"))]
pub mod train;
#[cfg(not(target_arch = "wasm32"))]
pub mod tune;
pub mod weights;

pub use device::{Device, DeviceOptions};
pub use error::{Error, Result};
pub use graph::{Graph, Mode, Value};
pub use op::Caps;
pub use ops::sample_moments::{MaskMean, MonteCarlo};
pub use plan::{Plan, PlanOptions};
pub use session::Session;
pub use tensor::{DType, HostData, HostSlice, HostTensor, Shape, TensorType};
pub use weights::Weights;
/// The GPU library, in the version that [`Device::from_wgpu`](crate::Device::from_wgpu) takes.
pub use wgpu;

/// The Rust code of the README and of every page below `docs/` is compiled, and run where it says so, with the
/// tests.
#[cfg(any(doctest, test))]
mod guides {
    macro_rules! guides {
        ($($page:ident: $path:literal,)*) => {
            $(
                #[cfg(doctest)]
                #[doc = include_str!(concat!("../", $path))]
                struct $page;
            )*

            #[cfg(test)]
            const PATHS: &[&str] = &[$($path),*];
        };
    }

    guides! {
        Readme: "README.md",
        Apps: "docs/apps.md",
        Augment: "docs/augment.md",
        Browser: "docs/browser.md",
        Command: "docs/command.md",
        Data: "docs/data.md",
        Documentation: "docs/README.md",
        Examples: "docs/examples.md",
        Features: "docs/features.md",
        Finetune: "docs/finetune.md",
        Gan: "docs/gan.md",
        Gpu: "docs/gpu.md",
        Onnx: "docs/onnx.md",
        Operators: "docs/operators.md",
        Parallel: "docs/parallel.md",
        Performance: "docs/performance.md",
        Precision: "docs/precision.md",
        Predict: "docs/predict.md",
        Profile: "docs/profile.md",
        PytorchWeights: "docs/pytorch-weights.md",
        Segment: "docs/segment.md",
        Siamese: "docs/siamese.md",
        Signal: "docs/signal.md",
        SpecialValues: "docs/special-values.md",
        Train: "docs/train.md",
        Trainer: "docs/trainer.md",
        Tune: "docs/tune.md",
        Verify: "docs/verify.md",
        WriteALayer: "docs/write-a-layer.md",
        WriteAnOperator: "docs/write-an-operator.md",
    }

    #[cfg(test)]
    #[test]
    fn every_page_is_compiled() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
        let mut found: Vec<String> = std::fs::read_dir(docs)
            .expect("the crate has its docs")
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}"))
            .collect();
        found.push("README.md".into());
        found.sort();
        let mut listed = PATHS.to_vec();
        listed.sort_unstable();
        assert_eq!(listed, found);
    }
}
