//! Published networks, with what is published of them.

use wgrad::nn::Sequential;
use wgrad::nn::models;

/// A network and what is published of it, for images of 224 x 224 where nothing else is said.
pub struct Published {
    pub name: &'static str,
    pub network: Sequential,
    pub images: [usize; 3],
    /// Names and shapes.
    pub table: &'static str,
    pub parameters: u64,
    /// Thousand millions of multiply-adds, with the three digits after the point that torchvision gives.
    pub multiply_adds: Option<f64>,
}

pub fn published() -> Vec<Published> {
    let network = |name, network, table, parameters, multiply_adds| Published {
        name,
        network,
        images: [3, 224, 224],
        table,
        parameters,
        multiply_adds: Some(multiply_adds),
    };
    vec![
        Published {
            name: "LeNet-5",
            network: models::lenet5(1, 10),
            images: [1, 28, 28],
            table: include_str!("lenet5.txt"),
            parameters: 61_706,
            multiply_adds: None,
        },
        network("ResNet-18", models::resnet18(3, 1000), include_str!("resnet18.txt"), 11_689_512, 1.814),
        network("ResNet-50", models::resnet50(3, 1000), include_str!("resnet50.txt"), 25_557_032, 4.089),
        network("VGG-11", models::vgg11(3, 1000), include_str!("vgg11.txt"), 132_863_336, 7.609),
        network(
            "VGG-11 with batch norm",
            models::vgg11_bn(3, 1000),
            include_str!("vgg11_bn.txt"),
            132_868_840,
            7.609,
        ),
        network(
            "MobileNetV2",
            models::mobilenet_v2(3, 1000),
            include_str!("mobilenet_v2.txt"),
            3_504_872,
            0.301,
        ),
        network(
            "ConvNeXt-T",
            models::convnext_tiny(3, 1000),
            include_str!("convnext_tiny.txt"),
            28_589_128,
            4.456,
        ),
        network(
            "DenseNet-121",
            models::densenet121(3, 1000),
            include_str!("densenet121.txt"),
            7_978_856,
            2.834,
        ),
        network(
            "EfficientNet-B0",
            models::efficientnet_b0(3, 1000),
            include_str!("efficientnet_b0.txt"),
            5_288_548,
            0.386,
        ),
        network(
            "RegNetY-400MF",
            models::regnet_y_400mf(3, 1000),
            include_str!("regnet_y_400mf.txt"),
            4_344_144,
            0.402,
        ),
        network(
            "ShuffleNetV2",
            models::shufflenet_v2_x1_0(3, 1000),
            include_str!("shufflenet_v2_x1_0.txt"),
            2_278_604,
            0.145,
        ),
        Published {
            name: "U-Net",
            network: models::unet(3, 1, 32),
            images: [3, 96, 64],
            table: include_str!("unet.txt"),
            parameters: 7_763_041,
            multiply_adds: None,
        },
    ]
}
