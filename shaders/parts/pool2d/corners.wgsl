// Four neighbouring outputs, a word, whose 2x2 windows tile the input. Of each window a corner is one component:
// a and b lie above, c and d below.
const OUT_W: u32 = 4u; // shape

struct Corners {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

// Where the upper halves of the windows lie, in vec2s. The lower ones are OUT_W further. The outputs may run on into
// the next row.
fn pairs_of(word: u32) -> vec4<u32> {
    let o = 4u * word + vec4(0u, 1u, 2u, 3u);
    return o + o / OUT_W * OUT_W;
}
