// log(1 + r) for r >= 0, to full precision where r is small and 1 + r would round it away: there
// 2 atanh(r / (2 + r)) by its power series.
fn log1p(r: f32) -> f32 {
    if (r > 0.5) {
        return log(1.0 + r);
    }
    let s = r / (2.0 + r);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * 0.111111111))));
}
