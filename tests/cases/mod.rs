//! The case tables: one file an operator family, used by tests and benches alike.

#![allow(dead_code, reason = "tests use the small cases, benches the large ones")]

pub mod argmax;
pub mod arithmetic;
pub mod batch_norm;
pub mod concatenate;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod expand;
pub mod local_response_norm;
pub mod loss;
pub mod matmul;
pub mod optimizer;
pub mod pad;
pub mod permute;
pub mod pool2d;
pub mod prelu;
pub mod reduce;
pub mod reshape;
pub mod row_norm;
pub mod sample_moments;
pub mod slice;
pub mod softmax;
pub mod unary;
pub mod upsample;

use crate::harness::Case;

/// A family's small cases, for tests, and those of real networks' sizes, for benches.
pub struct Family {
    pub name: &'static str,
    pub cases: fn() -> Vec<Case>,
    pub large: fn() -> Vec<Case>,
}

/// Every family.
pub const FAMILIES: &[Family] = &[
    Family { name: "argmax", cases: argmax::cases, large: argmax::large },
    Family { name: "arithmetic", cases: arithmetic::cases, large: arithmetic::large },
    Family { name: "batch_norm", cases: batch_norm::cases, large: batch_norm::large },
    Family { name: "concatenate", cases: concatenate::cases, large: concatenate::large },
    Family { name: "conv2d", cases: conv2d::cases, large: conv2d::large },
    Family { name: "cross_entropy", cases: cross_entropy::cases, large: cross_entropy::large },
    Family { name: "dropout", cases: dropout::cases, large: dropout::large },
    Family { name: "elementwise", cases: elementwise::cases, large: elementwise::large },
    Family { name: "embedding", cases: embedding::cases, large: embedding::large },
    Family { name: "expand", cases: expand::cases, large: expand::large },
    Family { name: "loss", cases: loss::cases, large: loss::large },
    Family {
        name: "local_response_norm",
        cases: local_response_norm::cases,
        large: local_response_norm::large,
    },
    Family { name: "matmul", cases: matmul::cases, large: matmul::large },
    Family { name: "optimizer", cases: optimizer::cases, large: optimizer::large },
    Family { name: "pad", cases: pad::cases, large: pad::large },
    Family { name: "permute", cases: permute::cases, large: permute::large },
    Family { name: "pool2d", cases: pool2d::cases, large: pool2d::large },
    Family { name: "prelu", cases: prelu::cases, large: prelu::large },
    Family { name: "reduce", cases: reduce::cases, large: reduce::large },
    // A view costs nothing: there is nothing to time.
    Family { name: "reshape", cases: reshape::cases, large: Vec::new },
    Family { name: "row_norm", cases: row_norm::cases, large: row_norm::large },
    // Beside the network that is sampled it takes no time.
    Family { name: "sample_moments", cases: sample_moments::cases, large: sample_moments::large },
    Family { name: "slice", cases: slice::cases, large: slice::large },
    Family { name: "softmax", cases: softmax::cases, large: softmax::large },
    Family { name: "unary", cases: unary::cases, large: unary::large },
    Family { name: "upsample", cases: upsample::cases, large: upsample::large },
];

/// Every small case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    FAMILIES.iter().map(|family| (family.name, (family.cases)())).collect()
}

/// Every large case.
pub fn large() -> Vec<Case> {
    FAMILIES.iter().flat_map(|family| (family.large)()).collect()
}
