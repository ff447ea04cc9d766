// 1 - exp(u) for u <= 0; near zero, where the subtraction would cancel, by its power series.
fn one_less_exp(u: f32) -> f32 {
    if (u < -1.0) {
        return 1.0 - exp(max(u, -80.0));
    }
    var sum = 1.0;
    for (var k = 11.0; k > 1.5; k -= 1.0) { // at most 10 iterations
        sum = 1.0 + u / k * sum;
    }
    return -u * sum;
}
