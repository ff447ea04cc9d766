// Count, mean and sum of squared deviations of two sets as one:
// Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
fn merge_moments(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    let count = a.x + b.x;
    let share = b.x / max(count, 1.0);
    let delta = b.y - a.y;
    // In this order an empty set adds nothing where the square overflows.
    return vec3(count, a.y + delta * share, a.z + b.z + delta * (a.x * share) * delta);
}
