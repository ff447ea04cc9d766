//! uses gemm_shape, conv2d_phase, gemm_store_elements
//! fills store, store_element
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// C of the input's gradient in phases: row m = input channel, column n = (image, row, column) of the
// phase's plane, stored to where it lies in the input; see conv2d_phase.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

fn store_element(z: u32, m: u32, n: u32, value: f32) {
    let phase = phase_of(z);
    let h = n / PHASE_W % PHASE_H * SH + phase.h;
    let w = n % PHASE_W * SW + phase.w;
    if (n < N && h < H && w < W) {
        let image = n / (PHASE_H * PHASE_W);
        let at = (((image * GROUPS + phase.group) * M + m) * H + h) * W + w;
        result[at] = epilogue(at, value);
    }
}
