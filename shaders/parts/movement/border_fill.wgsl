//! fills border
//
// Outside the source there is nothing.
fn border(t: i32, extent: i32) -> i32 {
    return select(-1, t, t < extent);
}
