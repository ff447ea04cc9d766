//! Evaluation over several views against the views one by one.

use crate::harness::{device, numbers};
use wgrad::nn::{self, Layer};
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Weights};

const SHAPE: [usize; 4] = [3, 2, 5, 7];

fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv", nn::Conv2d::new(2, 4, [3, 3]))
        .add("norm", nn::BatchNorm::new(4))
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(4 * 3 * 5, 6))
}

/// What a network makes of images in this mode, and the names of its parameters.
fn outputs(net: &dyn Layer, images: &[f32], mode: Mode) -> Result<(Vec<f64>, Vec<String>)> {
    let mut g = Graph::new();
    let x = g.input("x", SHAPE)?;
    let y = net.forward(&mut g, x, mode)?;
    let weights = Weights::init(device(), &g, 0)?;
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
    session.write(x, images)?;
    session.step()?;
    Ok((session.read(y)?.to_f64(), weights.names().map(str::to_owned).collect()))
}

/// Coordinate `at` moved by `by`, mirrored at the outermost elements.
fn reflected(at: usize, by: isize, size: usize) -> usize {
    let at = at as isize + by;
    let at = if at < 0 { -at } else { at };
    if at >= size as isize { 2 * (size - 1) - at as usize } else { at as usize }
}

/// The images moved down and right by `by`, and mirrored if asked.
fn view(images: &[f32], by: isize, mirror: bool) -> Vec<f32> {
    let [_, _, rows, columns] = SHAPE;
    let at = |i: usize| {
        let (plane, y, x) = (i / columns / rows, i / columns % rows, i % columns);
        let x = if mirror { columns - 1 - x } else { x };
        (plane * rows + reflected(y, -by, rows)) * columns + reflected(x, -by, columns)
    };
    (0..images.len()).map(|i| images[at(i)]).collect()
}

#[test]
fn outputs_are_means_over_the_views() -> Result<()> {
    let images = numbers(SHAPE, 1);
    let images = images.as_f32().expect("they are floats");
    let mean = |views: &[(isize, bool, f64)]| -> Result<Vec<f64>> {
        let mut sum = vec![0.0; 3 * 6];
        for &(by, mirror, weight) in views {
            let (found, _) = outputs(&network(), &view(images, by, mirror), Mode::Eval)?;
            sum.iter_mut().zip(found).for_each(|(sum, x)| *sum += weight * x);
        }
        Ok(sum)
    };
    let both = |by: isize, weight: f64| [(by, false, weight), (by, true, weight)];
    let mirrored = mean(&both(0, 0.5))?;
    let moved = mean(&[both(0, 0.25), both(2, 0.125), both(-2, 0.125)].concat())?;
    for (pixels, expected) in [(0, mirrored), (2, moved)] {
        let net = nn::TestTimeViews::new(network()).translate(pixels);
        let (found, names) = outputs(&net, images, Mode::Eval)?;
        let off = found.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        assert!(off < 1e-6, "{pixels}: off by {off}");
        assert_eq!(names, outputs(&network(), images, Mode::Eval)?.1);
        for mode in [Mode::Train, Mode::Population] {
            assert_eq!(outputs(&net, images, mode)?, outputs(&network(), images, mode)?);
        }
    }
    let mut g = Graph::new();
    let x = g.input("x", [3, 2])?;
    let error = nn::TestTimeViews::new(nn::Relu).forward(&mut g, x, Mode::Eval).expect_err("no image");
    assert!(error.to_string().contains("expected images (N, C, H, W), found [3, 2]"), "{error}");
    Ok(())
}

/// What the filters make of the images that they are from has no correlations, and variance 1.
#[test]
fn whitened_patches_are_uncorrelated() -> Result<()> {
    let (channels, [rows, columns]) = (2, [2, 3]);
    let mixed = |shape: [usize; 4]| -> Result<HostTensor> {
        // Neighbours are alike, and so are channels.
        let noise = numbers(shape, 5);
        let noise = noise.as_f32().expect("they are floats");
        let near = |i: usize, back: usize| noise[i.saturating_sub(back)];
        let pixels =
            (0..noise.len()).map(|i| 0.3 + noise[i] + near(i, 1) + 0.7 * near(i, 9) + 0.4 * near(i, 81));
        HostTensor::f32(shape, pixels.collect())
    };
    let images = mixed([11, channels, 9, 9])?;
    let filters = nn::whitening_filters(&images, [rows, columns], 0.0)?;
    let size = channels * rows * columns;
    assert_eq!(filters.shape[..], [2 * size, channels, rows, columns]);

    let mut g = Graph::new();
    let x = g.input("x", images.shape.clone())?;
    let y =
        nn::Conv2d::new(channels, 2 * size, [rows, columns]).bias(false).forward(&mut g, x, Mode::Eval)?;
    let weights = Weights::init(device(), &g, 0)?;
    weights.write("weight", filters.as_f32().expect("they are floats"))?;
    let places: usize = g.shape(y)?[2..].iter().product();
    let mut session = Session::new(device(), Plan::new(&g, &[y], device().caps())?, &weights)?;
    session.write(x, &images)?;
    session.step()?;
    let outputs = session.read(y)?.to_f64();
    let output =
        |patch: usize, filter: usize| outputs[(patch / places * 2 * size + filter) * places + patch % places];
    let patches = 11 * places;
    for one in 0..size {
        for other in 0..size {
            let mean = (0..patches).map(|p| output(p, one) * output(p, other)).sum::<f64>() / patches as f64;
            let expected = f64::from(u8::from(one == other));
            assert!((mean - expected).abs() < 1e-4, "{one} by {other}: {mean}");
        }
        assert!((0..patches).all(|p| output(p, one) == -output(p, size + one)), "{one} and its negative");
    }
    // The largest eigenvalue comes first: its filter is the shortest.
    let length = |filter: &[f32]| filter.iter().map(|x| x * x).sum::<f32>();
    let filters = filters.as_f32().expect("they are floats");
    assert!(filters[..size * size].chunks(size).is_sorted_by(|a, b| length(a) <= length(b)));

    let refused = |images: HostTensor, kernel, eps, part: &str| {
        let error = nn::whitening_filters(&images, kernel, eps).expect_err(part).to_string();
        assert!(error.contains(part), "{error}");
    };
    let constant = HostTensor::f32([1, 1, 3, 3], vec![2.0; 9])?;
    refused(constant.clone(), [2, 2], 0.0, "a direction of the patches has no variance");
    nn::whitening_filters(&constant, [2, 2], 1e-3)?;
    refused(constant.clone(), [4, 1], 1e-3, "a kernel of 4 x 1 must have taps and fit images of 3 x 3");
    refused(constant.clone(), [0, 1], 1e-3, "must have taps");
    refused(constant, [1, 1], -1.0, "eps must be at least 0 and finite, found -1");
    refused(HostTensor::f32([1, 1, 1, 1], vec![f32::NAN])?, [1, 1], 0.1, "not finite");
    refused(
        HostTensor::f32([4], vec![0.0; 4])?,
        [1, 1],
        0.1,
        "expected images (N, C, H, W) of f32, found f32[4]",
    );
    Ok(())
}
