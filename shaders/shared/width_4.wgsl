// Kernels over flat tensors take four elements at a time: for sizes that four divides.
alias Element = vec4<f32>;

fn across(v: Element) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}
