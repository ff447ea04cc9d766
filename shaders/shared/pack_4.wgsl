// Elements taken four at a time.
alias Pack = vec4<f32>;
const WIDTH: f32 = 4.0;

fn pack_sum(v: Pack) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn pack_first(v: Pack) -> f32 {
    return v.x;
}
