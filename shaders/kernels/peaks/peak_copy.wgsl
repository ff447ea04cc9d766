// result = source: nothing but reads and writes of memory, to measure how many bytes an adapter moves
// in a second. Invocations side by side copy vectors side by side.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

const VECTORS: u32 = 256u; // shape

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < VECTORS) {
        result[id.x] = source[id.x];
    }
}
