//! Operators: attributes, shape rule, backward rule, and the kernels they become.
//!
//! There is one file or folder per family. Each computation is written twice more, on purpose: as WGSL in `shaders/`
//! and as f64 loops in `reference/`. Nothing here touches a GPU. The trait and the code that all operators share are
//! in `op/`.

pub mod argmax;
pub mod arithmetic;
pub mod augment;
pub mod batch_norm;
pub mod byte_lookup;
pub(crate) mod chain;
mod checks;
pub mod compare;
pub mod concatenate;
pub mod conv2d;
pub mod correct;
pub mod cross_entropy;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod expand;
pub(crate) mod gemm;
pub mod in_top_k;
pub mod linear;
pub mod local_response_norm;
mod loops;
pub mod loss;
pub mod losses;
pub mod matmul;
pub mod micro_batch_mean;
pub mod one_hot;
pub mod optimizer;
mod pack;
pub mod pad;
mod parts;
pub mod permute;
pub mod pool2d;
pub mod prelu;
mod range_sum;
pub mod reduce;
pub(crate) mod reduction;
pub mod reshape;
pub mod row_norm;
mod rows;
pub mod running_sum;
pub mod sample_moments;
mod serial;
pub mod slice;
pub mod softmax;
mod strided_copy;

pub mod unary;
pub mod upsample;
mod vector_norm;
