// One batch more was seen.
@group(0) @binding(0) var<storage, read_write> batches: array<f32>;

@compute @workgroup_size(1)
fn main() {
    batches[0] += 1.0;
}
