// An element of softmax and of its gradient, or with LOG of its logarithm, from what was reduced of its row.
const LOG: bool = false; // shape

// From how far x lies below the row's maximum m, and the row's sum of exp(x - m).
fn softmax_of(apart: f32, sum: f32) -> f32 {
    if (LOG) {
        return apart - log(sum);
    }
    return exp(apart) / sum;
}

// What the row's sum adds up.
fn softmax_grad_term(y: f32, dy: f32) -> f32 {
    if (LOG) {
        return dy;
    }
    return dy * y;
}

fn softmax_grad_of(y: f32, dy: f32, sum: f32) -> f32 {
    if (LOG) {
        return dy - exp(y) * sum;
    }
    return y * (dy - sum);
}
