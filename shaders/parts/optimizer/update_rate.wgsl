// The learning rate of an update.
@group(0) @binding(5) var<storage, read> rate: array<f32>;
