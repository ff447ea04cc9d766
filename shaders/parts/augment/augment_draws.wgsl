//! uses philox
//
// Numbers made of words of Philox.

// A whole number below `count`: the high word of word * count.
fn below(word: u32, count: u32) -> u32 {
    return multiply_high(vec2(word), vec2(count)).x;
}

// From 0 to 1, 1 excluded.
fn unit(word: u32) -> f32 {
    return f32(word >> 8u) * 5.9604644775390625e-8;
}

fn between(low: f32, high: f32, word: u32) -> f32 {
    return low + (high - low) * unit(word);
}

// The whole part of a square root below 4096, whatever the driver's root is off by.
fn whole_root(square: f32) -> u32 {
    var root = u32(sqrt(square));
    if (f32(root * root) > square) {
        root -= 1u;
    } else if (f32((root + 1u) * (root + 1u)) <= square) {
        root += 1u;
    }
    return root;
}

// Cosine and sine of an angle from -pi to pi by their series, because WGSL's are only good to 2^-11.
fn direction(angle: f32) -> vec2<f32> {
    let pi = 3.14159274;
    let size = abs(angle);
    let back = size > 0.5 * pi;
    let t = select(size, pi - size, back);
    let s = t * t;
    let cosine = 1.0 - s / 2.0 * (1.0 - s / 12.0 * (1.0 - s / 30.0 * (1.0 - s / 56.0 * (1.0 - s / 90.0 * (1.0 - s / 132.0 * (1.0 - s / 182.0))))));
    let sine = t * (1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0 * (1.0 - s / 110.0 * (1.0 - s / 156.0))))));
    return vec2(select(cosine, -cosine, back), select(sine, -sine, angle < 0.0));
}
