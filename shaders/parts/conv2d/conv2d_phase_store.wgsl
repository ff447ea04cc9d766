//! uses gemm_shape, conv2d_phase
//! fills store
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// C of the input's gradient in phases: row m = input channel, column n = (image, row, column) of the
// phase's plane, stored to where it lies in the input; see conv2d_phase.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

fn store_one(phase: Phase, m: u32, n: u32, value: f32) {
    let h = n / PHASE_W % PHASE_H * SH + phase.h;
    let w = n % PHASE_W * SW + phase.w;
    if (n < N && h < H && w < W) {
        let image = n / (PHASE_H * PHASE_W);
        let at = (((image * GROUPS + phase.group) * M + m) * H + h) * W + w;
        result[at] = epilogue(at, value);
    }
}

fn store(z: u32, m: u32, n: u32, values: vec4<f32>) {
    let phase = phase_of(z);
    store_one(phase, m, n, values.x);
    store_one(phase, m, n + 1u, values.y);
    store_one(phase, m, n + 2u, values.z);
    store_one(phase, m, n + 3u, values.w);
}
