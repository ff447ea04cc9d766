//! uses element, stretch
//! fills made
//! hole finalize(i: u32, sum: Element) -> Element { return sum; }
//!     by pool2d_finalize
//
// result[g][i] = finalize(i, sum of parts[p][i] over the parts p of group g).
//
// parts is (PARTS, RESULTS); group g has COUNT of them, the last perhaps fewer. Stretches of parts are added in order,
// and those in order. `finalize` is what an operator makes of a whole sum.
@group(0) @binding(0) var<storage, read> parts: array<Element>;

const RESULTS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape
const COUNT: u32 = 2u; // shape

fn made(i: u32) -> Element {
    let element = i % RESULTS;
    var part = i / RESULTS * COUNT;
    let end = min(part + COUNT, PARTS);
    var sum = Element();
    while (part < end) {
        var stretch = Element();
        for (var k = 0u; k < STRETCH && part < end; k++) {
            stretch += parts[part * RESULTS + element];
            part++;
        }
        sum += stretch;
    }
    return finalize(element, sum);
}
