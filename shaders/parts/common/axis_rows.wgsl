// Rows along an axis of a tensor [outer, AXIS, INNER]: a row is one outer and one inner index.
const AXIS: u32 = 10u; // shape
const INNER: u32 = 1u; // shape

// The first element of a row; the others follow INNER apart.
fn row_base(row: u32) -> u32 {
    return row / INNER * (AXIS * INNER) + row % INNER;
}

// The row that element i lies in.
fn row_of(i: u32) -> u32 {
    return i / (AXIS * INNER) * INNER + i % INNER;
}
