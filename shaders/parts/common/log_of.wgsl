//! uses element_bits
//
// log(x). Where x is near 1 a driver's logarithm need be no closer than 5e-7, and the logarithm may be smaller: there
// 2 atanh((x - 1) / (x + 1)) by its power series. A denormal number is its bits times 2^-149.
fn log_of(x: Element) -> Element {
    let small = is_denormal(x);
    let far = log(select(x, Element(bitcast<Bits>(x)), small)) - select(Element(0.0), Element(103.278930), small);
    let s = (x - 1.0) / (x + 1.0);
    let q = s * s;
    let near = 2.0 * s * (1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * 0.111111111))));
    return select(far, near, abs(x - 1.0) < Element(0.25));
}
