//! Networks that are known by a name, with the layers, names of parameters and initial values that they are
//! published with, so that files of their weights fit.
//!
//! Each is a [`Sequential`](super::Sequential) of images of `inputs` channels to logits of `classes` classes.
//! Weights of torchvision's networks become a file that [`Weights::load`](crate::Weights::load) reads by
//! three lines of Python:
//!
//! ```python
//! import torchvision
//! from safetensors.torch import save_file
//! save_file(torchvision.models.resnet18(weights="DEFAULT").state_dict(), "resnet18.safetensors")
//! ```

mod lenet;
mod mobilenet;
mod resnet;
mod unet;
mod vgg;

pub use lenet::lenet5;
pub use mobilenet::mobilenet_v2;
pub use resnet::{ResNet, resnet18, resnet34, resnet50};
pub use unet::unet;
pub use vgg::{vgg11, vgg11_bn, vgg16, vgg16_bn};
