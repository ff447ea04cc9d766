//! fills Element
//
// An element is four numbers side by side.
alias Element = vec4<f32>;
alias Flag = vec4<bool>;
alias Bits = vec4<u32>;
alias Ints = vec4<i32>;

fn element_sum(x: Element) -> f32 {
    return (x.x + x.y) + (x.z + x.w);
}

fn bits_sum(x: Bits) -> u32 {
    return x.x + x.y + x.z + x.w;
}
