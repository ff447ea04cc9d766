//! uses corners
//
// Where the upper halves of the first two windows and of the last two lie, in vec4s, for an even OUT_W. The lower ones
// are OUT_W / 2 further.
fn fours_of(word: u32) -> vec2<u32> {
    let half = 2u * word + vec2(0u, 1u);
    return half / (OUT_W / 2u) * OUT_W + half % (OUT_W / 2u);
}
