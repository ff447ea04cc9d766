//! Networks by name, as examples take them.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use wgrad::nn::{Sequential, models};

/// A network's name, its constructor from `inputs` channels and `classes`, and the published values of these
/// two and of the image size.
pub type Model = (&'static str, fn(usize, usize) -> Sequential, [usize; 2], usize);

const MODELS: [Model; 15] = [
    ("convnext_tiny", models::convnext_tiny, [3, 1000], 224),
    ("densenet121", models::densenet121, [3, 1000], 224),
    ("efficientnet_b0", models::efficientnet_b0, [3, 1000], 224),
    ("lenet5", models::lenet5, [1, 10], 28),
    ("mobilenet_v2", models::mobilenet_v2, [3, 1000], 224),
    ("regnet_y_400mf", models::regnet_y_400mf, [3, 1000], 224),
    ("resnet18", models::resnet18, [3, 1000], 224),
    ("resnet34", models::resnet34, [3, 1000], 224),
    ("resnet50", models::resnet50, [3, 1000], 224),
    ("shufflenet_v2_x1_0", models::shufflenet_v2_x1_0, [3, 1000], 224),
    ("unet", |inputs, classes| models::unet(inputs, classes, 32), [3, 1], 256),
    ("vgg11", models::vgg11, [3, 1000], 224),
    ("vgg11_bn", models::vgg11_bn, [3, 1000], 224),
    ("vgg16", models::vgg16, [3, 1000], 224),
    ("vgg16_bn", models::vgg16_bn, [3, 1000], 224),
];

/// The network that the first argument names, and the shape of its images: the batch size is the second argument, or 1,
/// height and width are the third and the fourth, or as published.
///
/// # Errors
/// A name that no network has, with the names that there are; a number that is none.
pub fn of(arguments: &[String], default: &str) -> Result<(Sequential, [usize; 4]), String> {
    let name = arguments.first().map_or(default, String::as_str);
    let known = || MODELS.map(|(name, ..)| name).join(", ");
    let &(_, build, [inputs, classes], size) = MODELS
        .iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| format!("\"{name}\" is no network; expected {}", known()))?;
    let number = |at: usize, default: usize| match arguments.get(at) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("\"{text}\" is no number")),
    };
    Ok((build(inputs, classes), [number(1, 1)?, inputs, number(2, size)?, number(3, number(2, size)?)?]))
}
