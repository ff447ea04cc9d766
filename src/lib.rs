//! Train convolutional neural networks on any GPU that WebGPU reaches.

pub mod data;
pub mod device;
mod error;
pub mod file;
pub mod graph;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod plan;
pub mod reference;
pub mod session;
pub mod shader;
mod tensor;
mod weights;

pub use device::Device;
pub use error::{Error, Result};
pub use graph::{Graph, Mode, Value};
pub use plan::{Caps, Plan, PlanOptions};
pub use session::Session;
pub use tensor::{DType, HostData, HostSlice, HostTensor, Shape, TensorType};
pub use weights::Weights;
