// Count, mean and sum of squared deviations of two sets as one:
// Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
fn merge_moments(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    let count = a.x + b.x;
    let share = b.x / max(count, 1.0);
    let delta = b.y - a.y;
    // An empty set adds nothing, also where the square overflows and 0 times it is NaN.
    let between = select(delta * (a.x * share) * delta, 0.0, a.x == 0.0 || b.x == 0.0);
    return vec3(count, a.y + delta * share, a.z + b.z + between);
}
