// Philox4x32-10, a counter-based generator: four random words from a counter and a key, each word a
// function of them alone. J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011, section 3.3; the constants are the paper's.

// High words of the 64-bit products a * b, which WGSL lacks, from products of 16-bit halves.
fn multiply_high(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let half = vec2(0xffffu);
    let shift = vec2(16u);
    let a_low = a & half;
    let a_high = a >> shift;
    let b_low = b & half;
    let b_high = b >> shift;
    // Neither sum overflows: (2^16 - 1)^2 + 2 * (2^16 - 1) = 2^32 - 1.
    let upper = a_high * b_low + ((a_low * b_low) >> shift);
    let lower = a_low * b_high + (upper & half);
    return a_high * b_high + (upper >> shift) + (lower >> shift);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let factor = vec2(0xd2511f53u, 0xcd9e8d57u);
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) { // at most 10 iterations
        let high = multiply_high(factor, c.xz);
        let low = factor * c.xz;
        c = vec4(high.y ^ c.y ^ k.x, low.y, high.x ^ c.w ^ k.y, low.x);
        k += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
