//! The CPU reference: every operator as scalar loops in f64, written to be read and to be right.
//!
//! It shares nothing with the kernels but the operators' attributes. Speed is no concern here. Class labels and
//! counters are held as f64 too, which is exact for them. The trait [`Reference`](crate::op::Reference) is in `op/`.

mod argmax;
mod arithmetic;
mod augment;
mod batch_norm;
mod byte_lookup;
mod chain;
mod compare;
mod concatenate;
mod conv2d;
mod correct;
mod cross_entropy;
mod dropout;
mod elementwise;
mod embedding;
mod expand;
mod in_top_k;
mod linear;
mod local_response_norm;
mod loss;
mod matmul;
mod micro_batch_mean;
mod one_hot;
mod optimizer;
mod pad;
mod permute;
mod pool2d;
mod prelu;
mod reduce;
mod reshape;
mod row_norm;
mod running_sum;
mod sample_moments;
mod slice;
mod softmax;
mod unary;
mod upsample;

use crate::tensor::Shape;

/// The coordinates of element `i` of a row-major array.
fn coordinates(mut i: usize, shape: &Shape) -> Vec<usize> {
    let mut coordinates = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        coordinates[d] = i % shape[d];
        i /= shape[d];
    }
    coordinates
}

/// The index of the element at these coordinates of a row-major array. The array is repeated along dimensions of size
/// one and along missing leading dimensions.
fn element(coordinates: &[usize], shape: &Shape) -> usize {
    let own = &coordinates[coordinates.len() - shape.len()..];
    own.iter().zip(shape.iter()).fold(0, |i, (&own, &size)| i * size + if size == 1 { 0 } else { own })
}
