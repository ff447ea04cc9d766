// The one element of a pack.
fn fold(v: Pack) -> f32 {
    return v;
}
