//! The layer: what it adds to a graph, evaluation, steps that are done again, what is refused.

use super::session;
use crate::harness::{device, numbers};
use wgrad::nn::Augment;
use wgrad::ops::augment::{Affine, Border, ColorJitter, Erase};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Value, Weights};

const JITTER: ColorJitter = ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };

fn everything() -> Augment {
    Augment::new(9)
        .random_crop([6, 7], 2)
        .flip(0.5)
        .affine(Affine { degrees: [-30.0, 30.0], ..Affine::default() })
        .border(Border::Reflect)
        .color_jitter(JITTER)
        .erase(Erase::default())
        .normalize(&[0.4, 0.5, 0.6], &[0.2, 0.3, 0.4])
}

/// Bytes of five images of 3 x 8 x 9.
fn bytes() -> Vec<u8> {
    (0..5 * 3 * 8 * 9).map(|i| (i * 167 + i / 251 * 13) as u8).collect()
}

fn applied(augment: &Augment, mode: Mode) -> Result<(Session, Value, Value)> {
    let mut g = Graph::new();
    let pixels = g.input_u8("images", [5, 3, 8, 9])?;
    let images = augment.apply(&mut g, pixels, mode)?;
    Ok((session(&g, &[images])?, pixels, images))
}

#[test]
fn it_takes_two_dispatches_and_with_contrast_two_more() -> Result<()> {
    let few = Augment::new(1)
        .random_crop([6, 7], 2)
        .flip(0.5)
        .affine(Affine { degrees: [-30.0, 30.0], ..Affine::default() })
        .color_jitter(ColorJitter { contrast: 0.0, ..JITTER })
        .erase(Erase::default())
        .normalize(&[0.4, 0.5, 0.6], &[0.2, 0.3, 0.4]);
    for (augment, dispatches) in [(few, 2), (everything(), 4)] {
        let (session, ..) = applied(&augment, Mode::Train)?;
        assert_eq!(session.plan().dispatches().len(), dispatches, "{}", session.plan());
    }
    Ok(())
}

#[test]
fn a_step_that_is_done_again_has_the_same_pictures() -> Result<()> {
    let (mut session, pixels, images) = applied(&everything(), Mode::Train)?;
    let mut all = Vec::new();
    for _ in 0..4 {
        session.write(pixels, &bytes())?;
        session.step()?;
        all.push(session.read(images)?);
    }
    assert!((1..4).all(|step| all[step] != all[0]), "each step draws anew");
    let (mut again, pixels, images) = applied(&everything(), Mode::Train)?;
    again.set_step_number(2);
    again.write(pixels, &bytes())?;
    again.step()?;
    assert_eq!(again.read(images)?, all[2]);
    Ok(())
}

#[test]
fn evaluation_normalises_the_middle() -> Result<()> {
    for mode in [Mode::Eval, Mode::MonteCarlo, Mode::Population] {
        let (mut session, pixels, images) = applied(&everything(), mode)?;
        session.write(pixels, &bytes())?;
        session.step()?;
        let found = session.read(images)?;
        assert_eq!(found.shape[..], [5, 3, 6, 7]);
        for (i, x) in found.to_f64().into_iter().enumerate() {
            let [w, h, c, n] = [i % 7, i / 7 % 6, i / 42 % 3, i / 126];
            let byte = f64::from(bytes()[((n * 3 + c) * 8 + h + 1) * 9 + w + 1]);
            let expected = (byte / 255.0 - [0.4, 0.5, 0.6][c]) / [0.2, 0.3, 0.4][c];
            assert!((x - expected).abs() < 1e-5, "{x} at {i}, expected {expected}");
        }
        assert_eq!(session.plan().graph().find("step"), None);
    }
    // Floats without a mean are left as they are.
    let mut g = Graph::new();
    let images = g.input("images", [2, 3, 4, 4])?;
    assert_eq!(Augment::new(1).flip(0.5).apply(&mut g, images, Mode::Eval)?, images);
    let normal = Augment::new(1).normalize(&[0.5; 3], &[0.25; 3]).apply(&mut g, images, Mode::Eval)?;
    let mut session = session(&g, &[normal])?;
    let x = numbers([2, 3, 4, 4], 3);
    session.write(images, x.as_f32().expect("f32"))?;
    session.step()?;
    let expected: Vec<f64> = x.to_f64().iter().map(|x| (x - 0.5) / 0.25).collect();
    let found = session.read(normal)?.to_f64();
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
    Ok(())
}

#[test]
fn each_epoch_mirrors_what_the_one_before_did_not() -> Result<()> {
    const ITEMS: usize = 200;
    let mut g = Graph::new();
    let pixels = g.input("images", [ITEMS / 2, 1, 1, 2])?;
    let items = g.input_i32("item", [ITEMS / 2])?;
    let images = Augment::new(5).alternating_flip("item", 2).apply(&mut g, pixels, Mode::Train)?;
    let mut session = session(&g, &[images])?;
    let mut epochs: Vec<Vec<bool>> = Vec::new();
    for epoch in 0..4 {
        let mut flipped = vec![false; ITEMS];
        // Each epoch has its own order.
        let order: Vec<usize> = (0..ITEMS).map(|i| (i * 7 + epoch * 11) % ITEMS).collect();
        for batch in order.chunks(ITEMS / 2) {
            session.write(pixels, &[0.0, 1.0].repeat(ITEMS / 2))?;
            session.write(items, &batch.iter().map(|&i| i as i32).collect::<Vec<_>>())?;
            session.step()?;
            let found = session.read(images)?.to_f64();
            for (pair, &item) in found.as_chunks::<2>().0.iter().zip(batch) {
                flipped[item] = match pair {
                    [0.0, 1.0] => false,
                    [1.0, 0.0] => true,
                    other => panic!("{other:?}"),
                };
            }
        }
        epochs.push(flipped);
    }
    let count = epochs[0].iter().filter(|&&flipped| flipped).count();
    assert!((70..130).contains(&count), "{count} of {ITEMS} are mirrored in the first epoch");
    assert!(epochs[0].iter().zip(&epochs[1]).all(|(a, b)| a != b));
    assert_eq!((&epochs[0], &epochs[1]), (&epochs[2], &epochs[3]));
    Ok(())
}

#[test]
fn a_sample_is_what_training_sees() -> Result<()> {
    let (mut session, pixels, images) = applied(&everything(), Mode::Train)?;
    let batch = HostTensor::u8([5, 3, 8, 9], bytes())?;
    let found = everything().sample(device(), &batch, 3)?;
    for sample in &found {
        session.write(pixels, &bytes())?;
        session.step()?;
        let normal = session.read(images)?.to_f64();
        for (i, (x, normal)) in sample.to_f64().into_iter().zip(normal).enumerate() {
            let c = i / 42 % 3;
            let expected = (x - [0.4, 0.5, 0.6][c]) / [0.2, 0.3, 0.4][c];
            // What is erased is so after normalisation.
            assert!((normal - expected).abs() < 1e-5 || (x == 0.0 && normal == 0.0), "{x} {normal}");
        }
    }
    // Items that flip alternatingly are numbered.
    let pairs = HostTensor::f32([50, 1, 1, 2], [0.0, 1.0].repeat(50))?;
    let found = Augment::new(5).alternating_flip("item", 1).sample(device(), &pairs, 2)?;
    assert!(found[0].to_f64().iter().zip(found[1].to_f64()).all(|(a, b)| a + b == 1.0));
    Ok(())
}

#[test]
fn images_and_labels_are_mixed_by_the_same_share() -> Result<()> {
    for cut in [false, true] {
        let mut g = Graph::new();
        // Images that are their own labels.
        let images = g.input("images", [4, 4, 6, 5])?;
        let labels = g.input_i32("labels", [4])?;
        let soft = g.one_hot(labels, 4)?;
        let (mixed, targets) =
            if cut { g.cutmix(images, soft, 1.0, 3)? } else { g.mixup(images, soft, 1.0, 3)? };
        let means = g.mean(mixed, &[2, 3], false)?;
        let mut session = session(&g, &[means, targets])?;
        let pixels: Vec<f32> = (0..4 * 4 * 30).map(|i| f32::from(u8::from(i / 30 % 4 == i / 120))).collect();
        let mut shares = Vec::new();
        for _ in 0..20 {
            session.write(images, &pixels)?;
            session.write(labels, &[0, 1, 2, 3])?;
            session.step()?;
            let (means, targets) = (session.read(means)?.to_f64(), session.read(targets)?.to_f64());
            assert!(means.iter().zip(&targets).all(|(a, b)| (a - b).abs() < 1e-5), "{means:?} {targets:?}");
            assert!((targets[0] + targets[3] - 1.0).abs() < 1e-6, "the first is mixed with the last");
            shares.push(targets[0]);
        }
        shares.sort_by(f64::total_cmp);
        assert!(shares[0] < 0.5 && shares[19] > 0.7, "{shares:?}");
    }
    Ok(())
}

#[test]
fn a_network_learns_from_augmented_bytes_after_a_checkpoint_as_before() -> Result<()> {
    use wgrad::{nn, nn::Layer, optim};
    let build = || -> Result<(Graph, Value, Value, Value)> {
        let mut g = Graph::new();
        let pixels = g.input_u8("images", [5, 3, 8, 9])?;
        let labels = g.input_i32("labels", [5])?;
        let images = everything().apply(&mut g, pixels, Mode::Train)?;
        let soft = g.one_hot(labels, 4)?;
        let (images, soft) = g.mixup(images, soft, 0.4, 1)?;
        let net = nn::Sequential::new()
            .add("conv", nn::Conv2d::new(3, 4, [3, 3]))
            .add("flatten", nn::Flatten)
            .add("fc", nn::Linear::new(4 * 4 * 5, 4));
        let logits = net.forward(&mut g, images, Mode::Train)?;
        let loss = g.cross_entropy_of_probabilities(logits, soft)?;
        let rate = g.constant(HostTensor::filled([0; 0], 0.05)?)?;
        optim::Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
        Ok((g, pixels, labels, loss))
    };
    let (g, pixels, labels, loss) = build()?;
    let start =
        || Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &Weights::init(device(), &g, 3)?);
    let run = |session: &mut Session, steps: usize| -> Result<Vec<HostTensor>> {
        (0..steps)
            .map(|_| {
                session.write(pixels, &bytes())?;
                session.write(labels, &[0, 1, 2, 3, 0])?;
                session.step()?;
                session.read(loss)
            })
            .collect()
    };
    let mut whole = start()?;
    let expected = run(&mut whole, 6)?;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("augmented.ckpt");
    let mut first = start()?;
    run(&mut first, 3)?;
    first.save_checkpoint(&path)?;
    let mut second = start()?;
    second.load_checkpoint(&path)?;
    assert_eq!(run(&mut second, 3)?, expected[3..]);
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused() -> Result<()> {
    let refused = |augment: Augment, shape: &[usize], mode: Mode, parts: &[&str]| {
        let mut g = Graph::new();
        let images = g.input("images", shape).expect("a shape");
        let message = augment.apply(&mut g, images, mode).expect_err("it makes no sense").to_string();
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    };
    let new = || Augment::new(1);
    let (train, eval) = (Mode::Train, Mode::Eval);
    refused(new(), &[4, 3], train, &["[n, channels, height, width]", "[4, 3]"]);
    refused(new().random_crop([9, 4], 2), &[1, 1, 4, 4], train, &["[9, 4]", "[8, 8]"]);
    refused(new().random_crop([4, 4], 5000), &[1, 1, 4, 4], train, &["4095"]);
    refused(new().flip(1.5), &[1, 1, 4, 4], train, &["flip", "1.5"]);
    refused(new().flip(f64::NAN), &[1, 1, 4, 4], train, &["flip", "NaN"]);
    refused(
        new().random_resized_crop([4, 4], [0.5, 0.2], [1.0, 1.0]),
        &[1, 1, 4, 4],
        train,
        &["scale", "0.2"],
    );
    refused(
        new().affine(Affine { shear_x: [0.0, 90.0], ..Affine::default() }),
        &[1, 1, 4, 4],
        train,
        &["shear_x"],
    );
    refused(new().color_jitter(JITTER), &[1, 1, 4, 4], train, &["3 channels", "[1, 1, 4, 4]"]);
    refused(new().erase(Erase { p: -0.1, ..Erase::default() }), &[1, 1, 4, 4], train, &["erasing", "-0.1"]);
    refused(new().normalize(&[0.5], &[0.5]), &[1, 3, 4, 4], train, &["3 means"]);
    refused(new().normalize(&[0.5], &[0.0]), &[1, 1, 4, 4], eval, &["deviation", "0"]);
    refused(new().alternating_flip("item", 10), &[1, 1, 4, 4], train, &["no input \"item\"", "Numbered"]);
    refused(new().alternating_flip("images", 0), &[1, 1, 4, 4], train, &["one step"]);
    refused(new().alternating_flip("images", 1), &[1, 1, 4, 4], train, &["items' numbers", "i32[1]"]);
    refused(new().random_crop([6, 6], 2), &[1, 1, 4, 4], eval, &["[1, 1, 4, 4]", "[6, 6]"]);
    let mut g = Graph::new();
    let images = g.input("images", [4, 3, 8, 8])?;
    let labels = g.input("labels", [3, 10])?;
    let soft = g.input("soft", [4, 10])?;
    for (result, part) in [
        (g.mixup(images, labels, 0.2, 1).map(drop), "[3, 10]"),
        (g.mixup(images, soft, 0.0, 1).map(drop), "alpha"),
        (g.cutmix(soft, soft, 0.2, 1).map(drop), "[4, 10]"),
        (g.cross_entropy_of_probabilities(soft, labels).map(drop), "[3, 10]"),
    ] {
        let message = result.expect_err("it makes no sense").to_string();
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    // A gradient by images that a network made has to be asked of something else.
    let weight = g.parameter("weight", [4, 3, 8, 8], wgrad::graph::Init::Constant(1.0))?;
    let changed = new().flip(0.5).apply(&mut g, weight, train)?;
    let sum = g.sum(changed, &[0, 1, 2, 3], false)?;
    let message = g.gradients(sum, &[weight]).expect_err("there is no gradient").to_string();
    assert!(message.contains("augment inputs"), "{message}");
    Ok(())
}
