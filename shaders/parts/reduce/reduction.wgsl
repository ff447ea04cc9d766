//! uses pack
//! hole combine
//!     neutral() -> f32
//!     combine(a: Pack, b: Pack) -> Pack
//!     combine_two(a: f32, b: f32) -> f32
//!     by combine_sum, combine_max, combine_min
//! hole term(value: Pack, at: u32, origin: Pack, output: u32) -> Pack { return value; }
//!     by term_deviation, term_square_deviation, term_equal, term_exponential, term_below, term_gap,
//!        term_weighted_gap, term_product
//
// What is reduced, and how: `term` makes a term of element `at`, whose value is given, for result `output`, the first
// of whose elements is `origin`; `combine` makes one of two terms, and `neutral` is what it starts from.
