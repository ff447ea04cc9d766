// Nothing is known of a channel.
fn line_of(c: u32) -> vec4<f32> {
    return vec4(0.0);
}
