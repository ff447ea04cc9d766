// count = float: the sum of the counts of all micro-batches.
@group(0) @binding(0) var<storage, read_write> count: array<u32>;
@group(0) @binding(1) var<storage, read> float: array<f32>;

@compute @workgroup_size(1)
fn main() {
    count[0] = u32(float[0]);
}
