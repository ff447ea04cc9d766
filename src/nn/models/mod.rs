//! Networks from the literature, with their published layers, parameter names and initial values, so that
//! published weights load.
//!
//! Each is a [`Sequential`](super::Sequential) from images of `inputs` channels to logits of `classes`
//! classes. Three lines of Python write torchvision's weights to a file for
//! [`Weights::load`](crate::Weights::load):
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
