//! uses label
//! hole class_weight(c: u32) -> f32 { return 1.0; }
//!     by class_weight
//
// Where the rows of labelled logits lie: row r holds elements (r / INNER, c, r % INNER) of logits
// (N, CLASSES, INNER). The smoothed target gives every class SMOOTHING / CLASSES, and the label
// 1 - SMOOTHING more. What is given are logits, or with LOGARITHMS the logarithms of probabilities.
const ROWS: u32 = 128u; // shape
const INNER: u32 = 1u; // shape
const SMOOTHING: f32 = 0.0; // shape
const LOGARITHMS: bool = false; // shape

fn row_base(row: u32) -> u32 {
    return row / INNER * (CLASSES * INNER) + row % INNER;
}
