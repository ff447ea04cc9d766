//! hole store_element(z: u32, m: u32, n: u32, value: f32)
//!     by conv2d_store, conv2d_phase_store, linear_grad_store
//
// Stores four columns of a row one by one.
fn store(z: u32, m: u32, n: u32, values: vec4<f32>) {
    store_element(z, m, n, values.x);
    store_element(z, m, n + 1u, values.y);
    store_element(z, m, n + 2u, values.z);
    store_element(z, m, n + 3u, values.w);
}
