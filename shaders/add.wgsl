// out[i] = lhs[i] + rhs[i], with each operand broadcast to the output's shape.
//
// One invocation makes one element; an operand's index is found through its strides, which are
// zero along broadcast dimensions. Shapes are padded to six dimensions on the left.
@group(0) @binding(0) var<storage, read> lhs: array<f32>;
@group(0) @binding(1) var<storage, read> rhs: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 64u; // shape
const SIZE_1: u32 = 1u; // shape
const SIZE_2: u32 = 1u; // shape
const SIZE_3: u32 = 1u; // shape
const SIZE_4: u32 = 1u; // shape
const SIZE_5: u32 = 64u; // shape
const LHS_0: u32 = 0u; // shape
const LHS_1: u32 = 0u; // shape
const LHS_2: u32 = 0u; // shape
const LHS_3: u32 = 0u; // shape
const LHS_4: u32 = 0u; // shape
const LHS_5: u32 = 1u; // shape
const RHS_0: u32 = 0u; // shape
const RHS_1: u32 = 0u; // shape
const RHS_2: u32 = 0u; // shape
const RHS_3: u32 = 0u; // shape
const RHS_4: u32 = 0u; // shape
const RHS_5: u32 = 1u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ELEMENTS) {
        return;
    }
    let d5 = i % SIZE_5;
    let d4 = i / SIZE_5 % SIZE_4;
    let d3 = i / (SIZE_5 * SIZE_4) % SIZE_3;
    let d2 = i / (SIZE_5 * SIZE_4 * SIZE_3) % SIZE_2;
    let d1 = i / (SIZE_5 * SIZE_4 * SIZE_3 * SIZE_2) % SIZE_1;
    let d0 = i / (SIZE_5 * SIZE_4 * SIZE_3 * SIZE_2 * SIZE_1);
    let l = d0 * LHS_0 + d1 * LHS_1 + d2 * LHS_2 + d3 * LHS_3 + d4 * LHS_4 + d5 * LHS_5;
    let r = d0 * RHS_0 + d1 * RHS_1 + d2 * RHS_2 + d3 * RHS_3 + d4 * RHS_4 + d5 * RHS_5;
    result[i] = lhs[l] + rhs[r];
}
