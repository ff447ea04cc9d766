//! hole class_weight(c: u32) -> f32 { return 1.0; }
//!     by class_weight
//
// Labelled logits (N, CLASSES, INNER), whose rows are those of axis_rows. The smoothed target gives every class
// SMOOTHING / CLASSES, and the label 1 - SMOOTHING more. What is given are logits, or with LOGARITHMS the
// logarithms of probabilities.
const ROWS: u32 = 128u; // shape
const SMOOTHING: f32 = 0.0; // shape
const LOGARITHMS: bool = false; // shape
