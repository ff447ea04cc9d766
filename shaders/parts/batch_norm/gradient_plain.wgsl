//! fills gradient_at
//
// The output's gradient as it lies in memory.
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;

fn gradient_at(i: u32) -> Pack {
    return gradient[i];
}
