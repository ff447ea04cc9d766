//! fills Element
//
// An element is one number.
alias Element = f32;
alias Flag = bool;
alias Bits = u32;
alias Ints = i32;

fn element_sum(x: Element) -> f32 {
    return x;
}

fn bits_sum(x: Bits) -> u32 {
    return x;
}
