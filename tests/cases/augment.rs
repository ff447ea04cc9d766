//! Augmentation: what is drawn, the images made by it, mixing.

use crate::harness::{Case, numbers};
use wgrad::op::{Array, Reference};
use wgrad::ops::augment::{
    Affine, Augment, AugmentParameters, Augmentation, Border, ColorJitter, Crop, Erase, Flip, Mix, Mixing,
    Pixels, mix_tables,
};
use wgrad::{HostData, HostTensor, Shape};

fn step(number: u32) -> HostTensor {
    HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![number]) }
}

fn drawn(augmentation: Augmentation, shape: &[usize]) -> (AugmentParameters, Vec<HostTensor>) {
    let images = Shape::from(shape);
    let tables = augmentation.tables(&images).expect("the settings are valid");
    let mut inputs = vec![step(3), tables];
    if matches!(augmentation.flip, Flip::Alternating { .. }) {
        let numbers = (0..shape[0] as i32).map(|n| 7 * n).collect();
        inputs.push(HostTensor::i32([shape[0]], numbers).expect("one for each"));
    }
    (AugmentParameters { augmentation, images, seed: 0x1234_5678_9abc, node: 1 }, inputs)
}

/// The draws, and the images made by them.
fn pair(name: &str, augmentation: Augmentation, shape: &[usize], pixels: Pixels) -> Vec<Case> {
    let (parameters, inputs) = drawn(augmentation, shape);
    let arrays: Vec<Array> =
        inputs.iter().map(|input| Array::new(input.shape.clone(), input.to_f64())).collect();
    let rows = parameters.reference(&arrays.iter().collect::<Vec<_>>()).remove(0);
    let rows =
        HostTensor::f32(rows.shape, rows.data.iter().map(|&x| x as f32).collect()).expect("of a row's shape");
    let count: usize = shape.iter().product();
    let bytes: Vec<u8> = (0..count).map(|i| (i * 167 + i / 251 * 13) as u8).collect();
    let images = match pixels {
        Pixels::Bytes => HostTensor::u8(shape, bytes),
        Pixels::Floats => HostTensor::f32(shape, bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()),
    };
    let channels = shape[1];
    let normal = (0..2 * channels).map(|i| 0.4 + 0.3 * i as f32).collect();
    let normal = HostTensor::f32([2, channels], normal).expect("two for each channel");
    let mut inputs_of_images = vec![images.expect("one for each place"), rows, normal];
    let mut cases = vec![Case::new(name, parameters, inputs)];
    if augmentation.colors.contrast > 0.0 {
        let gray = Augment { augmentation, gray: true, pixels };
        cases.push(Case::new(name, gray, inputs_of_images.clone()));
        let means = (0..shape[0]).map(|n| 0.3 + 0.1 * n as f32).collect();
        inputs_of_images.push(HostTensor::f32([shape[0]], means).expect("one for each image"));
    }
    cases.push(Case::new(name, Augment { augmentation, gray: false, pixels }, inputs_of_images));
    cases
}

pub fn cases() -> Vec<Case> {
    let none = Augmentation::default();
    let crop = Crop::Padded { size: [8, 8], padding: 2 };
    let resized = Crop::Resized { size: [7, 5], scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] };
    let affine = Affine {
        degrees: [-180.0, 180.0],
        translate: [0.1, 0.2],
        scale: [0.7, 1.4],
        shear_x: [-20.0, 30.0],
        shear_y: [-10.0, 10.0],
    };
    let colors = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    let erase = Erase { p: 0.7, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: -0.5 };
    let half = Flip::Chance(0.5);
    let (floats, bytes) = (Pixels::Floats, Pixels::Bytes);
    let mut cases = Vec::new();
    let mut add = |name: &str, all: Augmentation, shape: &[usize], pixels| {
        cases.extend(pair(name, all, shape, pixels));
    };
    add("nothing", none, &[2, 3, 4, 5], floats);
    add("nothing, bytes", none, &[1, 1, 3, 3], bytes);
    add("one pixel", none, &[1, 1, 1, 1], floats);
    add("flips", Augmentation { flip: half, ..none }, &[9, 2, 3, 4], floats);
    for steps in [1, 2, 4] {
        let flip = Flip::Alternating { steps };
        add("alternating flips", Augmentation { flip, ..none }, &[9, 1, 3, 4], bytes);
    }
    add("crops of zeros", Augmentation { crop, flip: half, ..none }, &[9, 3, 8, 8], floats);
    add("crops, reflected", Augmentation { crop, border: Border::Reflect, ..none }, &[5, 3, 8, 8], bytes);
    add("resized crops", Augmentation { crop: resized, ..none }, &[17, 1, 9, 13], floats);
    let tall = Crop::Resized { size: [4, 4], scale: [0.9, 1.0], ratio: [0.1, 0.2] };
    add("resized crops that never fit", Augmentation { crop: tall, ..none }, &[3, 1, 9, 13], floats);
    add("affine maps", Augmentation { affine: Some(affine), ..none }, &[9, 2, 11, 7], floats);
    let moved = Augmentation { crop, flip: half, affine: Some(affine), ..none };
    add("affine maps, reflected", Augmentation { border: Border::Reflect, ..moved }, &[5, 1, 9, 10], bytes);
    add(
        "affine maps, replicated",
        Augmentation { border: Border::Replicate, ..moved },
        &[5, 1, 9, 10],
        floats,
    );
    add("reflected at one pixel", Augmentation { border: Border::Reflect, ..moved }, &[2, 1, 4, 4], floats);
    for (name, colors) in [
        ("brightness", ColorJitter { brightness: 0.5, ..ColorJitter::default() }),
        ("contrast", ColorJitter { contrast: 0.5, ..ColorJitter::default() }),
        ("saturation", ColorJitter { saturation: 0.5, ..ColorJitter::default() }),
        ("hue", ColorJitter { hue: 0.5, ..ColorJitter::default() }),
    ] {
        add(name, Augmentation { colors, ..none }, &[4, 3, 5, 5], floats);
    }
    let gray = ColorJitter { saturation: 0.0, hue: 0.0, ..colors };
    add("contrast of one channel", Augmentation { colors: gray, ..none }, &[3, 1, 5, 5], bytes);
    add("erased", Augmentation { erase: Some(erase), ..none }, &[9, 2, 12, 10], floats);
    add("all of it", Augmentation { colors, erase: Some(erase), ..moved }, &[5, 3, 9, 10], bytes);
    let mut mix = |name: &str, mixing, shape: &[usize], plane: [usize; 2], number| {
        let tables = mix_tables(0.8, plane).expect("alpha is valid");
        let inputs = vec![numbers(shape, 1), step(number), tables];
        cases.push(Case::new(name, Mix { mixing, seed: 11, node: 2 }, inputs));
    };
    for number in 0..3 {
        mix("mixup of images", Mixing::Mixup, &[3, 2, 4, 5], [1, 1], number);
        mix("cutmix of images", Mixing::Cutmix, &[3, 2, 8, 9], [8, 9], number);
        mix("cutmix of labels", Mixing::CutmixLabels([8, 9]), &[3, 7], [8, 9], number);
    }
    mix("a batch of one", Mixing::Mixup, &[1, 7], [1, 1], 0);
    cases
}

/// A batch of photographs.
pub fn large() -> Vec<Case> {
    let all = Augmentation {
        crop: Crop::Resized { size: [224, 224], scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] },
        flip: Flip::Chance(0.5),
        colors: ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
        ..Augmentation::default()
    };
    pair("32x3x256x256 to 224", all, &[32, 3, 256, 256], Pixels::Bytes)
}
