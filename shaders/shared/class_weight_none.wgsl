// Every class weighs one.
fn class_weight(c: u32) -> f32 {
    return 1.0;
}
