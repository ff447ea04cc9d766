// Elements taken four at a time.
alias Pack = vec4<f32>;
const WIDTH: f32 = 4.0;

fn pack_sum(v: Pack) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn pack_first(v: Pack) -> f32 {
    return v.x;
}

fn pack_max(v: Pack) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

// One number for each element of a pack.
alias PackNumber = vec4<u32>;

// The number of the first of v's largest elements, which were taken from the packs `at`.
fn pack_first_largest(v: Pack, at: PackNumber) -> u32 {
    let number = select(PackNumber(0xffffffffu), at * 4u + PackNumber(0u, 1u, 2u, 3u), v == Pack(pack_max(v)));
    return min(min(number.x, number.y), min(number.z, number.w));
}

// Which elements are NaN, by their bits: compilers may take it that none is.
fn pack_is_nan(v: Pack) -> vec4<bool> {
    return (bitcast<vec4<u32>>(v) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}
