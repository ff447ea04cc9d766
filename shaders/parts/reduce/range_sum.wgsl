//! uses element, lines
//! hole element_at(n: u32, k: u32, inner: u32) -> Element
//!     by line, line_sorted
//
// Sums over stretches of a line by those over its blocks: element k of a line is `element_at` (line_*),
// blocks holds sums over BLOCK neighbours each (block_sums), blocks_of_blocks sums over BLOCK of those. Where a
// line is too short for the last, any buffer does in its place.
//
// There are as many lines as N times PLANE, `inner` is the place in the plane. Elements, blocks and blocks of
// blocks are added from first to last.
@group(0) @binding(16) var<storage, read> blocks: array<Element>;
@group(0) @binding(17) var<storage, read> blocks_of_blocks: array<Element>;

const BLOCK: u32 = 1024u; // tunable

// The sum over elements that fill no block, `most` of them.
fn elements_sum(n: u32, inner: u32, first: u32, end: u32, most: u32) -> Element {
    var sum = Element();
    for (var k = 0u; k < min(most, LENGTH) && first + k < end; k++) {
        sum += element_at(n, first + k, inner);
    }
    return sum;
}

// The sum over blocks that fill no block of blocks, `most` of them.
fn blocks_sum(n: u32, inner: u32, first: u32, end: u32, most: u32) -> Element {
    const BLOCKS = (LENGTH + BLOCK - 1u) / BLOCK;
    var sum = Element();
    for (var k = 0u; k < min(most, BLOCKS) && first + k < end; k++) {
        sum += blocks[(n * BLOCKS + first + k) * PLANE + inner];
    }
    return sum;
}

// The sum over the elements from `first` to before `end`.
fn range_sum(n: u32, inner: u32, first: u32, end: u32) -> Element {
    const BLOCKS = (LENGTH + BLOCK - 1u) / BLOCK;
    const ALL = (BLOCKS + BLOCK - 1u) / BLOCK;
    // Whole blocks within, and whole blocks of them.
    let low = (first + BLOCK - 1u) / BLOCK;
    let high = end / BLOCK;
    var sum = elements_sum(n, inner, first, select(end, low * BLOCK, low < high), 2u * BLOCK);
    if (low < high) {
        let lowest = (low + BLOCK - 1u) / BLOCK;
        let highest = high / BLOCK;
        if (lowest >= highest) {
            sum += blocks_sum(n, inner, low, high, 2u * BLOCK);
        } else {
            sum += blocks_sum(n, inner, low, lowest * BLOCK, BLOCK);
            for (var k = 0u; k < ALL && lowest + k < highest; k++) {
                sum += blocks_of_blocks[(n * ALL + lowest + k) * PLANE + inner];
            }
            sum += blocks_sum(n, inner, highest * BLOCK, high, BLOCK);
        }
        sum += elements_sum(n, inner, high * BLOCK, end, BLOCK);
    }
    return sum;
}
