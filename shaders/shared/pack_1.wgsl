// Elements taken one at a time.
alias Pack = f32;
const WIDTH: f32 = 1.0;

fn pack_sum(v: Pack) -> f32 {
    return v;
}

fn pack_first(v: Pack) -> f32 {
    return v;
}
