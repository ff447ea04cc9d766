// Elements of an image, or zero for each that is not inside.
@group(0) @binding(1) var<storage, read> source: array<f32>;

fn gathered(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    // What is outside reads the first element, and is taken away.
    let place = select(vec4<u32>(), at, inside);
    return select(vec4<f32>(), vec4(source[place.x], source[place.y], source[place.z], source[place.w]), inside);
}
