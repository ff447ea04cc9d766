//! Resampling against worked examples, and its backward rules against finite differences.

use super::{assert_numbers, cases, finite, passes, plane, refused};
use wgrad::ops::upsample::Resize;
use wgrad::{Error, Graph};

/// What PyTorch's documentation shows of a plane of 2 x 2, and other small cases by hand.
#[test]
fn resampling_by_hand() -> Result<(), Error> {
    let x = plane([[1.0, 2.0], [3.0, 4.0]]);
    let twice = Resize::ScaleFactor([2.0, 2.0]);
    let (y, dx) = passes(&x, None, |g, x| g.upsample_nearest2d(x, twice))?;
    assert_numbers(&y, &[1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.], "nearest");
    assert_numbers(&dx, &[4.0; 4], "nearest, gradient");
    let (y, dx) = passes(&x, None, |g, x| g.upsample_bilinear2d(x, twice, false))?;
    let expected = [1., 1.25, 1.75, 2., 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3., 3.25, 3.75, 4.];
    assert_numbers(&y, &expected, "bilinear");
    assert_numbers(&dx, &[4.0; 4], "bilinear, gradient");
    let (y, dx) = passes(&x, None, |g, x| g.upsample_bilinear2d(x, Resize::Size([4, 4]), true))?;
    let thirds = [3., 4., 5., 6., 5., 6., 7., 8., 7., 8., 9., 10., 9., 10., 11., 12.].map(|x| x / 3.0);
    assert_numbers(&y, &thirds, "aligned corners");
    assert_numbers(&dx, &[4.0; 4], "aligned corners, gradient");

    // Outputs 0, 1, 2 of five elements: floor of 0, 5/3, 10/3; middles at 1/3, 2, 11/3.
    let line = plane([[1.0, 2.0, 4.0, 8.0, 16.0]]);
    let three = Resize::Size([1, 3]);
    let (y, dx) = passes(&line, None, |g, x| g.upsample_nearest2d(x, three))?;
    assert_numbers(&y, &[1.0, 2.0, 8.0], "nearest, fewer");
    assert_numbers(&dx, &[1.0, 1.0, 0.0, 1.0, 0.0], "nearest, fewer, gradient");
    let (y, dx) = passes(&line, None, |g, x| g.upsample_bilinear2d(x, three, false))?;
    assert_numbers(&y, &[4.0 / 3.0, 4.0, 8.0 + 16.0 / 3.0], "bilinear, fewer");
    let third = 1.0 / 3.0;
    assert_numbers(&dx, &[2.0 * third, third, 1.0, third, 2.0 * third], "bilinear, fewer, gradient");
    let (y, _) = passes(&line, None, |g, x| g.upsample_bilinear2d(x, Resize::Size([1, 1]), true))?;
    assert_numbers(&y, &[1.0], "one output with aligned corners is the first element");
    // 4 = floor(3 * 1.5), and positions step by 1/1.5 and not by 3/4.
    let line = plane([[1.0, 2.0, 3.0]]);
    let (y, _) =
        passes(&line, None, |g, x| g.upsample_bilinear2d(x, Resize::ScaleFactor([1.0, 1.5]), false))?;
    assert_numbers(&y, &[1.0, 1.5, 2.0 + 1.0 / 6.0, 2.0 + 5.0 / 6.0], "a factor that is kept");
    Ok(())
}

#[test]
fn sizes_that_resampling_cannot_make_are_refused() -> Result<(), Error> {
    let mut g = Graph::new();
    let x = g.input("x", [1, 1, 3, 4])?;
    let large = usize::MAX;
    for (resize, words) in [
        (
            Resize::Size([0, 2]),
            "Input and output sizes should be greater than 0, but got input (H: 3, W: 4) output (H: 0, W: 2)",
        ),
        (Resize::ScaleFactor([0.3, 1.0]), "output (H: 0, W: 4)"),
        (Resize::ScaleFactor([-1.0, 1.0]), "scale_factor must be above 0, found [-1.0, 1.0]"),
        (Resize::ScaleFactor([1.0, f64::NAN]), "scale_factor must be above 0"),
        (Resize::ScaleFactor([1.0, f64::INFINITY]), "scale_factor must be above 0"),
        (Resize::ScaleFactor([1.0, 1e300]), "sizes of up to 16777216 are possible"),
        (Resize::Size([large, large]), "sizes of up to 16777216 are possible"),
    ] {
        refused(g.scoped("up", |g| g.upsample_nearest2d(x, resize)), words);
        refused(g.scoped("up", |g| g.upsample_nearest2d(x, resize)), "upsample_nearest2d \"up");
        refused(g.upsample_bilinear2d(x, resize, true), words);
    }
    let flat = g.input("flat", [4, 4])?;
    let two = Resize::Size([2, 2]);
    refused(g.upsample_nearest2d(flat, two), "expected f32 of shape (N, C, H, W), found f32[4, 4]");
    Ok(())
}

#[test]
fn resampling_gradients_are_slopes() {
    for case in &cases::upsample::cases() {
        if !case.operator.name().ends_with("_grad") {
            finite::check_gradients(case, &[0]);
        }
    }
}
