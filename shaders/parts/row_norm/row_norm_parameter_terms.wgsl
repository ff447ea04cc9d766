//! fills terms
//
// The terms of batch_norm_grad_sums for a weight that elements of several rows share: gradient, and gradient *
// (source - mean) * inverse by the statistics of the element's row.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> statistics: array<vec4<f32>>;

// Packs of a row.
const ROW: u32 = 8u; // shape

fn terms(at: u32, none: vec4<f32>) -> Terms {
    let line = statistics[at / ROW];
    let g = gradient[at];
    return Terms(g, g * (((source[at] - Pack(line.x)) - Pack(line.y)) * line.z));
}
