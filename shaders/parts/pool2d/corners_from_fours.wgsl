//! uses corners, corners_in_fours
//! fills corners_of
//
// Windows of the input for an even OUT_W: two windows are a vec4 of the upper row and a vec4 of the lower row.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;

fn corners_of(word: u32) -> Corners {
    let at = fours_of(word);
    let upper_0 = source[at.x];
    let upper_1 = source[at.y];
    let lower_0 = source[at.x + OUT_W / 2u];
    let lower_1 = source[at.y + OUT_W / 2u];
    return Corners(
        vec4(upper_0.xz, upper_1.xz),
        vec4(upper_0.yw, upper_1.yw),
        vec4(lower_0.xz, lower_1.xz),
        vec4(lower_0.yw, lower_1.yw),
    );
}
