//! fills Element
//
// An element is one number.
alias Element = f32;
alias Flag = bool;
alias Bits = u32;

fn element_sum(x: Element) -> f32 {
    return x;
}
