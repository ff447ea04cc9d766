// The sum of all parts is the result.
fn conclude(i: u32, sum: Element) -> Element {
    return sum;
}
