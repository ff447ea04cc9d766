//! uses line
//! fills line_at
//
// The elements of a line are the squares of the tensor's.
fn line_at(at: u32) -> Element {
    return line[at] * line[at];
}
