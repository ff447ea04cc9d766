//! fills Pack
//
// Elements taken four at a time.
alias Pack = vec4<f32>;
const WIDTH: f32 = 4.0;

fn component(v: Pack, i: u32) -> f32 {
    return v[i];
}

fn pack_sum(v: Pack) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn pack_first(v: Pack) -> f32 {
    return v.x;
}

// NaN where one of them is.
fn pack_max(v: Pack) -> f32 {
    return select(max(max(v.x, v.y), max(v.z, v.w)), pack_sum(v), any(pack_is_nan(v)));
}

// One number for each element of a pack.
alias PackNumber = vec4<u32>;

// The number of the first of v's largest elements, which were taken from the packs `at`; of those that are NaN the
// last.
fn pack_first_largest(v: Pack, at: PackNumber) -> u32 {
    let own = at * 4u + PackNumber(0u, 1u, 2u, 3u);
    let nan = select(PackNumber(0u), own, pack_is_nan(v));
    if (any(pack_is_nan(v))) {
        return max(max(nan.x, nan.y), max(nan.z, nan.w));
    }
    let number = select(PackNumber(0xffffffffu), own, v == Pack(pack_max(v)));
    return min(min(number.x, number.y), min(number.z, number.w));
}

// Which elements are NaN, by their bits: compilers may take it that none is.
fn pack_is_nan(v: Pack) -> vec4<bool> {
    return (bitcast<vec4<u32>>(v) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}
