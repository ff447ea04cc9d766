// The output's gradient times the weight (`weight_at`, which is joined).
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;

fn gradient_at(i: u32) -> Pack {
    return gradient[i] * weight_at(i);
}
