//! fills also_finalize
//
// The gradient of what is added to a whole channel of batch norm's source, such as a convolution's bias:
// the sum over the channel of grad_source, which is zero, because normalising takes the mean away.
@group(0) @binding(8) var<storage, read_write> grad_source_bias: array<f32>;

fn also_finalize(c: u32) {
    grad_source_bias[c] = 0.0;
}
