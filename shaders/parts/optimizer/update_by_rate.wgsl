//! uses update_rate
//
// For rules that need nothing of a step but its rate.
struct Scales {
    rate: f32,
}

fn scales(updates: u32) -> Scales {
    return Scales(rate[0]);
}
