//! hole Pack
//!     component(v: Pack, i: u32) -> f32
//!     pack_sum(v: Pack) -> f32
//!     pack_first(v: Pack) -> f32
//!     pack_max(v: Pack) -> f32
//!     pack_first_largest(v: Pack, at: PackNumber) -> u32
//!     by pack_1, pack_4
//
// Elements that a kernel takes one or four at a time, whichever its sizes allow: the type `Pack`, of WIDTH elements,
// and `PackNumber`, a number for each of them.
