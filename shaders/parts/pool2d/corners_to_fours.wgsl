//! uses corners, corners_in_fours
//! fills write_corners
//
// The other way round of corners_from_fours.
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

fn write_corners(word: u32, corners: Corners) {
    let at = fours_of(word);
    result[at.x] = vec4(corners.a.x, corners.b.x, corners.a.y, corners.b.y);
    result[at.y] = vec4(corners.a.z, corners.b.z, corners.a.w, corners.b.w);
    result[at.x + OUT_W / 2u] = vec4(corners.c.x, corners.d.x, corners.c.y, corners.d.y);
    result[at.y + OUT_W / 2u] = vec4(corners.c.z, corners.d.z, corners.c.w, corners.d.w);
}
