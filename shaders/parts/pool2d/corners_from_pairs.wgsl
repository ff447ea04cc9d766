//! uses corners
//! fills corners_of
//
// Windows of the input, each a vec2 of the upper row and one of the lower.
@group(0) @binding(0) var<storage, read> source: array<vec2<f32>>;

fn corners_of(word: u32) -> Corners {
    let at = pairs_of(word);
    let upper_0 = source[at.x];
    let upper_1 = source[at.y];
    let upper_2 = source[at.z];
    let upper_3 = source[at.w];
    let lower_0 = source[at.x + OUT_W];
    let lower_1 = source[at.y + OUT_W];
    let lower_2 = source[at.z + OUT_W];
    let lower_3 = source[at.w + OUT_W];
    return Corners(
        vec4(upper_0.x, upper_1.x, upper_2.x, upper_3.x),
        vec4(upper_0.y, upper_1.y, upper_2.y, upper_3.y),
        vec4(lower_0.x, lower_1.x, lower_2.x, lower_3.x),
        vec4(lower_0.y, lower_1.y, lower_2.y, lower_3.y),
    );
}
