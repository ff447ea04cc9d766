//! Floats made of bytes.

use crate::harness::{Case, numbers};
use wgrad::HostTensor;
use wgrad::ops::byte_lookup::ByteLookup;

/// Bytes of this shape by so many tables.
pub fn case(name: &str, shape: &[usize], tables: usize) -> Case {
    let count: usize = shape.iter().product();
    let bytes = (0..count).map(|i| (i * 167 + i / 251) as u8).collect();
    let bytes = HostTensor::u8(shape, bytes).expect("there is one for each place");
    Case::new(name, ByteLookup, vec![bytes, numbers([tables, 256], 1)])
}

pub fn cases() -> Vec<Case> {
    vec![
        case("every byte", &[2, 128], 1),
        case("a word partly empty", &[3, 7], 1),
        case("one byte", &[], 1),
        case("channels in words", &[2, 3, 2, 6], 3),
        case("channels that part words", &[2, 3, 5, 5], 3),
        case("rows of channels", &[5, 4], 4),
        case("past a workgroup", &[2, 3, 31, 16], 3),
    ]
}

/// Pictures.
pub fn large() -> Vec<Case> {
    vec![case("32x3x224x224, 3 tables", &[32, 3, 224, 224], 3)]
}
