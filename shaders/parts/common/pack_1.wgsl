//! fills Pack
//
// Elements taken one at a time.
alias Pack = f32;
const WIDTH: f32 = 1.0;

fn component(v: Pack, i: u32) -> f32 {
    return v;
}

fn pack_sum(v: Pack) -> f32 {
    return v;
}

fn pack_first(v: Pack) -> f32 {
    return v;
}

fn pack_max(v: Pack) -> f32 {
    return v;
}

// One number for each element of a pack.
alias PackNumber = u32;

// The number of the first of v's largest elements, which were taken from the packs `at`.
fn pack_first_largest(v: Pack, at: PackNumber) -> u32 {
    return at;
}

// Which elements are NaN, by their bits: compilers may take it that none is.
fn pack_is_nan(v: Pack) -> bool {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}
