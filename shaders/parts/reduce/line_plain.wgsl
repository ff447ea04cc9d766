//! uses line
//! fills line_at
//
// The elements of a line are those of the tensor.
fn line_at(at: u32) -> Element {
    return line[at];
}
