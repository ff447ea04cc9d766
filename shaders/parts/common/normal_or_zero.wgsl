// Numbers below f32's least normal one as zeros of their sign. Some devices take them for zeros and some do not, and sums
// over micro-batches have the same bits on a device and on the host.
fn normal_or_zero(x: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x);
    return bitcast<vec4<f32>>(select(bits, bits & vec4(0x80000000u), (bits & vec4(0x7f800000u)) == vec4(0u)));
}
