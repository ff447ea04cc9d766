//! Softmax.

/// How many invocations of a workgroup of 64 share a row of this many terms.
pub(super) fn team(terms: usize) -> usize {
    if terms <= 32 { 1 } else { 64 }
}
