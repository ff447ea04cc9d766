//! hole Element
//!     element_sum(x: Element) -> f32
//!     bits_sum(x: Bits) -> u32
//!     by element_1, element_4
//
// Elements that pass through an epilogue, one or four at a time: the type `Element`, and `Flag`, `Bits` and `Ints`
// of as many components. The plan knows which.
