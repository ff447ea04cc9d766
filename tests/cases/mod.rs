//! The case tables, one file per operator family. Tests and benches use them.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]
#![allow(dead_code, reason = "tests use the small cases, benches the large ones")]

pub mod argmax;
pub mod arithmetic;
pub mod augment;
pub mod batch_norm;
pub mod byte_lookup;
pub mod compare;
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
pub mod metrics;
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

/// Hands the list of families to a macro: the one list that tests and benches go by.
macro_rules! with_families {
    ($macro:ident) => {
        $macro! {
            argmax
            arithmetic
            augment
            batch_norm
            byte_lookup
            compare
            concatenate
            conv2d
            cross_entropy
            dropout
            elementwise
            embedding
            expand
            loss
            local_response_norm
            matmul
            metrics
            optimizer
            pad
            permute
            pool2d
            prelu
            reduce
            reshape
            row_norm
            sample_moments
            slice
            softmax
            unary
            upsample
        }
    };
}
#[allow(unused_imports, reason = "tests make a test of each family, benches do not")]
pub(crate) use with_families;

macro_rules! table {
    ($($family:ident)*) => {
        /// Every family.
        pub const FAMILIES: &[Family] = &[$(
            Family { name: stringify!($family), cases: $family::cases, large: $family::large },
        )*];
    };
}
with_families!(table);

/// Every small case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    FAMILIES.iter().map(|family| (family.name, (family.cases)())).collect()
}

/// Every large case.
pub fn large() -> Vec<Case> {
    FAMILIES.iter().flat_map(|family| (family.large)()).collect()
}
