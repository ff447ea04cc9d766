//! Networks from the literature, with their published layers, parameter names and initial values, so that
//! published weights load.
//!
//! Each is a [`Sequential`] from images of `inputs` channels to logits of `classes`
//! classes. [`Weights::load`](crate::Weights::load) reads torchvision's files as they are, and what two lines of Python
//! write:
//!
//! ```python
//! import torch, torchvision
//! torch.save(torchvision.models.resnet18(weights="DEFAULT").state_dict(), "resnet18.pth")
//! ```

use super::Sequential;

mod convnext;
mod densenet;
mod efficientnet;
mod lenet;
mod mobilenet;
mod regnet;
mod resnet;
mod shufflenet;
mod squeeze_excitation;
mod unet;
mod vgg;

pub use convnext::convnext_tiny;
pub use densenet::densenet121;
pub use efficientnet::efficientnet_b0;
pub use lenet::lenet5;
pub use mobilenet::mobilenet_v2;
pub use regnet::regnet_y_400mf;
pub use resnet::{ResNet, resnet18, resnet34, resnet50};
pub use shufflenet::shufflenet_v2_x1_0;
pub use unet::unet;
pub use vgg::{vgg11, vgg11_bn, vgg16, vgg16_bn};

/// The names that [`by_name`] knows: torchvision's, and LeNet-5's.
pub const NAMES: [&str; 14] = [
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "lenet5",
    "mobilenet_v2",
    "regnet_y_400mf",
    "resnet18",
    "resnet34",
    "resnet50",
    "shufflenet_v2_x1_0",
    "vgg11",
    "vgg11_bn",
    "vgg16",
    "vgg16_bn",
];

/// The classifier of this name, as files name it in [`Metadata::network`](crate::weights::Metadata::network). `None` for
/// a name that is not among [`NAMES`].
///
/// ```
/// use wgrad::nn::models;
///
/// assert!(models::by_name("resnet18", 3, 10).is_some());
/// assert!(models::by_name("resnet1001", 3, 10).is_none());
/// ```
pub fn by_name(name: &str, inputs: usize, classes: usize) -> Option<Sequential> {
    Some(match name {
        "convnext_tiny" => convnext_tiny(inputs, classes),
        "densenet121" => densenet121(inputs, classes),
        "efficientnet_b0" => efficientnet_b0(inputs, classes),
        "lenet5" => lenet5(inputs, classes),
        "mobilenet_v2" => mobilenet_v2(inputs, classes),
        "regnet_y_400mf" => regnet_y_400mf(inputs, classes),
        "resnet18" => resnet18(inputs, classes),
        "resnet34" => resnet34(inputs, classes),
        "resnet50" => resnet50(inputs, classes),
        "shufflenet_v2_x1_0" => shufflenet_v2_x1_0(inputs, classes),
        "vgg11" => vgg11(inputs, classes),
        "vgg11_bn" => vgg11_bn(inputs, classes),
        "vgg16" => vgg16(inputs, classes),
        "vgg16_bn" => vgg16_bn(inputs, classes),
        _ => return None,
    })
}
