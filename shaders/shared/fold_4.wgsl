// The four elements of a pack reduced to one. Needs shared/combine_*.
fn fold(v: Pack) -> f32 {
    return combine_two(combine_two(v.x, v.y), combine_two(v.z, v.w));
}
