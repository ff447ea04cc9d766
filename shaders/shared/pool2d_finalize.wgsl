// The sum over all parts of a window's taps, on its way to the result: `settle` of the kind of pooling. Needs
// the windows' files.
fn finalize(o: u32, sum: f32) -> f32 {
    return settle(sum, window_of(i32(o) / OUT_W % OUT_H, i32(o) % OUT_W));
}
