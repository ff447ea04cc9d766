//! Filters that whiten images, from the images themselves.

use crate::error::{Error, Result};
use crate::memory;
use crate::tensor::{HostTensor, Shape};

/// Rounds of rotations after which an eigenvalue problem counts as solved; fewer than ten are usual.
const ROUNDS: usize = 60;

/// Filters whose outputs on these images are uncorrelated and of variance 1, for the first convolution of a network: the
/// eigenvectors of the mean of `p p^T` over all patches p, each over the root of its eigenvalue plus `eps`, and then their
/// negatives (airbench; after Page, 2019, "How to Train Your ResNet"). The largest eigenvalue comes first.
///
/// `images` are (N, C, H, W) and normalised, as the network takes them; some thousands are enough. The filters are
/// \[2 C h w, C, h, w] for a `kernel` of h by w. airbench takes 5e-4 for `eps`, which keeps directions without variance
/// small.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{HostTensor, nn};
///
/// // Patches of one pixel, whose mean square is 4.
/// let images = HostTensor::f32([1, 1, 1, 2], vec![2.0, -2.0])?;
/// let filters = nn::whitening_filters(&images, [1, 1], 0.0)?;
/// assert_eq!(filters.as_f32(), Some(&[0.5, -0.5][..]));
/// # Ok(())
/// # }
/// ```
///
/// Write them into the network's first weight before training
/// ([`Trainer::start`](crate::train::Trainer::start), [`Weights::write`](crate::Weights::write)), and keep that from the
/// optimizer ([`Optimizer::freeze`](crate::optim::Optimizer::freeze)).
///
/// # Errors
/// Images that are not (N, C, H, W) of finite f32, or are smaller than the kernel; a kernel without taps; an `eps` below 0;
/// a direction without variance and an `eps` of 0; not enough host memory.
pub fn whitening_filters(images: &HostTensor, kernel: [usize; 2], eps: f64) -> Result<HostTensor> {
    let error = |message: String| Err(Error::Setting { setting: "whitening", message });
    let (&[count, channels, height, width], Some(pixels)) = (&images.shape[..], images.as_f32()) else {
        return error(format!("expected images (N, C, H, W) of f32, found {}", images.ty()));
    };
    if count == 0 || channels == 0 {
        return error(format!("expected images, found {}", images.ty()));
    }
    let [rows, columns] = kernel;
    if rows == 0 || columns == 0 || rows > height || columns > width {
        return error(format!(
            "a kernel of {rows} x {columns} must have taps and fit images of {height} x {width}"
        ));
    }
    if !(eps >= 0.0 && eps.is_finite()) {
        return error(format!("eps must be at least 0 and finite, found {eps}"));
    }
    let size = channels * rows * columns;
    let mut squares = memory::filled(size * size, 0.0, "the patches' covariance")?;
    let mut patch = memory::filled(size, 0.0, "a patch")?;
    let (down, right) = (height - rows + 1, width - columns + 1);
    for image in pixels.chunks_exact(channels * height * width) {
        for (y, x) in (0..down).flat_map(|y| (0..right).map(move |x| (y, x))) {
            for (i, tap) in patch.iter_mut().enumerate() {
                let (channel, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
                *tap = f64::from(image[(channel * height + y + row) * width + x + column]);
            }
            for (i, sums) in squares.chunks_exact_mut(size).enumerate() {
                sums[..=i].iter_mut().zip(&patch).for_each(|(sum, tap)| *sum += patch[i] * tap);
            }
        }
    }
    let patches = (count * down * right) as f64;
    for i in 0..size {
        for j in 0..=i {
            let mean = squares[i * size + j] / patches;
            (squares[i * size + j], squares[j * size + i]) = (mean, mean);
        }
    }
    if squares.iter().any(|mean| !mean.is_finite()) {
        return error("the images hold numbers that are not finite, or too large to square".into());
    }
    let mut filters: Vec<f32> = Vec::new();
    memory::reserve(&mut filters, 2 * size * size, "the whitening filters")?;
    for (value, mut vector) in eigenvectors(squares, size)? {
        // Rounding may leave an eigenvalue of 0 below it.
        let scale = 1.0 / (value.max(0.0) + eps).sqrt();
        if !scale.is_finite() {
            return error("a direction of the patches has no variance; take an eps above 0".into());
        }
        // A vector and its negative solve the same problem: the sign is that of the largest element.
        let largest = vector.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        vector.iter_mut().for_each(|x| *x *= scale * largest.signum());
        filters.extend(vector.into_iter().map(|x| x as f32));
    }
    filters.extend_from_within(..);
    filters[size * size..].iter_mut().for_each(|x| *x = -*x);
    HostTensor::f32(Shape::from([2 * size, channels, rows, columns]), filters)
}

/// Eigenvalues of a symmetric matrix, the largest first, with eigenvectors of length 1: by Jacobi's rotations, each of
/// which makes one element 0 (Golub and Van Loan, "Matrix Computations", section 8.5).
fn eigenvectors(mut a: Vec<f64>, size: usize) -> Result<Vec<(f64, Vec<f64>)>> {
    let mut rotated = memory::filled(size * size, 0.0, "the eigenvectors")?;
    (0..size).for_each(|i| rotated[i * size + i] = 1.0);
    for _ in 0..ROUNDS {
        let mut done = true;
        for (p, q) in (0..size).flat_map(|p| (p + 1..size).map(move |q| (p, q))) {
            let (app, aqq, apq) = (a[p * size + p], a[q * size + q], a[p * size + q]);
            // What is this small changes no bit of the eigenvalues.
            if apq.abs() <= f64::EPSILON * (app.abs() * aqq.abs()).sqrt() {
                continue;
            }
            done = false;
            let theta = (aqq - app) / (2.0 * apq);
            let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cosine = 1.0 / tangent.hypot(1.0);
            let sine = tangent * cosine;
            let rotate = |matrix: &mut [f64], one: usize, other: usize| {
                let (x, y) = (matrix[one], matrix[other]);
                (matrix[one], matrix[other]) = (cosine * x - sine * y, sine * x + cosine * y);
            };
            for i in 0..size {
                rotate(&mut a, i * size + p, i * size + q);
            }
            for i in 0..size {
                rotate(&mut a, p * size + i, q * size + i);
                rotate(&mut rotated, p * size + i, q * size + i);
            }
        }
        if done {
            break;
        }
    }
    let mut found: Vec<(f64, Vec<f64>)> =
        (0..size).map(|i| (a[i * size + i], rotated[i * size..(i + 1) * size].to_vec())).collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0));
    Ok(found)
}
