// float = count: a micro-batch's count as a number that is summed as all others are, exact up to 2^24.
@group(0) @binding(0) var<storage, read_write> float: array<f32>;
@group(0) @binding(1) var<storage, read> count: array<u32>;

@compute @workgroup_size(1)
fn main() {
    float[0] = f32(count[0]);
}
