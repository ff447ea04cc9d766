//! uses corners
//! fills write_corners
//
// The other way round of corners_from_pairs.
@group(0) @binding(2) var<storage, read_write> result: array<vec2<f32>>;

fn write_corners(word: u32, corners: Corners) {
    let at = pairs_of(word);
    result[at.x] = vec2(corners.a.x, corners.b.x);
    result[at.y] = vec2(corners.a.y, corners.b.y);
    result[at.z] = vec2(corners.a.z, corners.b.z);
    result[at.w] = vec2(corners.a.w, corners.b.w);
    result[at.x + OUT_W] = vec2(corners.c.x, corners.d.x);
    result[at.y + OUT_W] = vec2(corners.c.y, corners.d.y);
    result[at.z + OUT_W] = vec2(corners.c.z, corners.d.z);
    result[at.w + OUT_W] = vec2(corners.c.w, corners.d.w);
}
