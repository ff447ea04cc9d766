//! Images, maps, mixtures and losses against torchvision's and PyTorch's.

use super::{rows, session};
use crate::harness::fixture::{Fixture, assert_close};
use crate::harness::{Case, floats, prepare_default};
use wgrad::ops::augment::{
    Affine, Augment, Augmentation, Border, ColorJitter, Crop, Erase, Mix, Mixing, Pixels, mix_tables,
};
use wgrad::{Graph, HostData, HostTensor, Result, Shape};

/// What f32 rounding may change.
const TOLERANCE: f64 = 1e-5;

fn fixtures() -> Vec<Fixture> {
    Fixture::all("augment")
}

/// What is done in a case. Ranges matter only by whether they are there: the rows have the numbers.
fn augmentation(name: &str, expected: &Shape) -> Augmentation {
    let none = Augmentation::default();
    let size = [expected[2], expected[3]];
    let some = |used: bool| if used { 0.5 } else { 0.0 };
    let all = name == "colors";
    let colors = ColorJitter {
        brightness: some(all || name == "brightness"),
        contrast: some(all || name == "contrast"),
        saturation: some(all || name == "saturation"),
        hue: some(all || name == "hue"),
    };
    match name {
        "crop_constant" => Augmentation { crop: Crop::Padded { size, padding: 3 }, ..none },
        "crop_reflect" => {
            Augmentation { crop: Crop::Padded { size, padding: 3 }, border: Border::Reflect, ..none }
        }
        "resize" | "resized_crop" => {
            let crop = Crop::Resized { size, scale: [0.1, 1.0], ratio: [0.5, 2.0] };
            Augmentation { crop, border: Border::Replicate, ..none }
        }
        "erased" => Augmentation { erase: Some(Erase { value: -0.5, ..Erase::default() }), ..none },
        _ => Augmentation { colors, ..none },
    }
}

#[test]
fn images_are_torchvisions() -> Result<()> {
    let mut count = 0;
    for fixture in fixtures().iter().filter(|fixture| fixture.tensors.contains_key("rows")) {
        let augmentation = augmentation(&fixture.name, &fixture.array("expected").shape);
        let channels = fixture.array("images").shape[1];
        let normal: Vec<f32> = match &fixture.name[..] {
            "erased" => vec![0.4, 0.5, 0.6, 1.0 / 0.2, 1.0 / 0.25, 1.0 / 0.3],
            _ => [vec![0.0; channels], vec![1.0; channels]].concat(),
        };
        let mut g = Graph::new();
        let images = g.constant(fixture.f32("images"))?;
        let rows = g.constant(fixture.f32("rows"))?;
        let mut inputs = vec![images, rows, g.constant(HostTensor::f32([2, channels], normal)?)?];
        let pixels = Pixels::Floats;
        if augmentation.colors.contrast > 0.0 {
            let gray = g.apply1(Augment { augmentation, gray: true, pixels }, &inputs)?;
            inputs.push(g.mean(gray, &[1], false)?);
        }
        let changed = g.apply1(Augment { augmentation, gray: false, pixels }, &inputs)?;
        let mut session = session(&g, &[changed])?;
        session.step()?;
        assert_close(fixture, "expected", &session.read(changed)?, TOLERANCE);
        count += 1;
    }
    assert_eq!(count, 17);
    Ok(())
}

#[test]
fn affine_maps_are_torchvisions() -> Result<()> {
    let none = Affine::default();
    for (name, affine) in [
        ("rotate", Affine { degrees: [30.0; 2], ..none }),
        ("shear_x", Affine { shear_x: [25.0; 2], ..none }),
        ("shear_y", Affine { shear_y: [-15.0; 2], ..none }),
        ("scale", Affine { scale: [1.3; 2], ..none }),
        (
            "affine",
            Affine { degrees: [-100.0; 2], scale: [0.8; 2], shear_x: [12.0; 2], shear_y: [7.0; 2], ..none },
        ),
    ] {
        let fixture = fixtures().into_iter().find(|fixture| fixture.name == name).expect("the case is there");
        let augmentation = Augmentation { affine: Some(affine), ..Augmentation::default() };
        let shape = fixture.array("images").shape.clone();
        let found = rows(augmentation, shape.clone(), 1, 1)?;
        let found: Vec<f32> = found.as_flattened().iter().map(|&x| x as f32).collect();
        assert_close(&fixture, "rows", &floats([shape[0], 16], found), TOLERANCE);
    }
    Ok(())
}

#[test]
fn mixtures_are_torchvisions() -> Result<()> {
    let mut count = 0;
    for fixture in fixtures().iter().filter(|fixture| fixture.tensors.contains_key("share")) {
        let half = fixture.tensors.get("half").map_or(vec![0.0; 2], |half| half.data.clone());
        let table = [fixture.array("share").data[0], half[0], half[1]];
        let table = table.iter().flat_map(|&number| vec![number as f32; 1024]).collect();
        let table = floats([3, 1024], table);
        let (step, mixings) = match fixture.name.strip_prefix("cutmix_") {
            Some(step) => (step.parse().expect("a number"), [Mixing::Cutmix, Mixing::CutmixLabels([9, 7])]),
            None => (0, [Mixing::Mixup; 2]),
        };
        let step = HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![step]) };
        for (mixing, (input, expected)) in
            mixings.into_iter().zip([("images", "expected"), ("labels", "expected_labels")])
        {
            let inputs = vec![fixture.f32(input), step.clone(), table.clone()];
            let case = Case::new(&fixture.name, Mix { mixing, seed: 11, node: 2 }, inputs);
            let mut prepared = prepare_default(&case)?;
            prepared.session.step()?;
            let found = prepared.session.read(prepared.outputs[0])?;
            assert_close(fixture, expected, &found, TOLERANCE);
            count += 1;
        }
    }
    assert_eq!(count, 8);
    Ok(())
}

#[test]
fn shares_are_scipys_quantiles() {
    for fixture in fixtures().iter().filter(|fixture| fixture.name.starts_with("beta_")) {
        let tables = mix_tables(fixture.array("alpha").data[0], [8, 100]).expect("alpha is valid").to_f64();
        let (shares, halves) = tables.split_at(1024);
        for (found, expected) in shares.iter().zip(&fixture.array("quantiles").data) {
            let least = expected.min(1.0 - expected).abs();
            assert!((found - expected).abs() <= 1e-5 * least + 1e-7, "{}: {found}, {expected}", fixture.name);
        }
        for (i, &share) in shares.iter().enumerate() {
            // Rounding the share to f32 may move a side over a whole number.
            let side = |length: f64| 0.5 * length * (1.0 - share).sqrt();
            for (found, length) in [(halves[i], 8.0), (halves[1024 + i], 100.0)] {
                assert!((-1e-3..1.001).contains(&(side(length) - found)), "{share}: {found} of {length}");
                assert_eq!(found.fract(), 0.0);
            }
        }
    }
}

#[test]
fn the_loss_of_probabilities_is_pytorchs() -> Result<()> {
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "loss").expect("the case is there");
    let mut g = Graph::new();
    let (logits, targets) = (g.input("logits", [5, 4])?, g.input("targets", [5, 4])?);
    let loss = g.cross_entropy_of_probabilities(logits, targets)?;
    let gradients = g.gradients(loss, &[logits, targets])?;
    let gradients: Vec<_> =
        gradients.into_iter().map(|gradient| gradient.expect("it depends on both")).collect();
    let mut session = session(&g, &[loss, gradients[0], gradients[1]])?;
    session.write(logits, fixture.f32("logits").as_f32().expect("f32"))?;
    session.write(targets, fixture.f32("targets").as_f32().expect("f32"))?;
    session.step()?;
    for (name, value) in [("loss", loss), ("gradient", gradients[0]), ("gradient_of_targets", gradients[1])] {
        assert_close(&fixture, name, &session.read(value)?, TOLERANCE);
    }
    Ok(())
}
