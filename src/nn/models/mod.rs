//! Networks that are known by a name, with the parameters, names and initial values that they are
//! published with, so that files of their weights fit.
//!
//! Each is a [`Sequential`](super::Sequential) of `inputs` channels to logits of `classes` classes.

mod lenet;
mod resnet;

pub use lenet::lenet5;
pub use resnet::{ResNet, resnet18, resnet34, resnet50};
