//! Which kernel variant computes a node: one table by operator and kind of adapter.
//!
//! An operator says which of its variants can compute a shape (`Operator::variants`); the first of
//! the row below that is among them is taken. Operators without a row have one variant.

use super::caps::AdapterKind;

/// Operator, preference on GPUs, preference on software adapters.
///
/// A tile in workgroup memory feeds many FMAs from each load on a GPU. On a software adapter a
/// load from workgroup memory costs what any load costs, so there registers are the better tile.
const PREFERENCE: &[(&str, &[&str], &[&str])] = &[
    ("conv2d", &["gemm"], &["subgroup", "direct"]),
    ("conv2d_grad_bias", &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    ("conv2d_grad_input", &["gemm"], &["direct", "subgroup", "register"]),
    ("conv2d_grad_weight", &["gemm"], &["subgroup", "direct"]),
    ("cross_entropy", &["whole", "rows"], &["whole", "rows"]),
    ("linear", &["tiled"], &["subgroup", "register"]),
    ("matmul", &["tiled"], &["subgroup", "register"]),
    ("batch_norm", &["wide"], &["narrow"]),
    ("batch_norm_grad", &["wide"], &["narrow"]),
    ("batch_norm_eval", &["wide"], &["narrow"]),
    ("batch_norm_eval_grad", &["wide"], &["narrow"]),
    ("max_pool2d", &["two_by_two", "default"], &["two_by_two", "default"]),
    ("max_pool2d_grad", &["two_by_two", "default"], &["two_by_two", "default"]),
    ("sum_to", &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
];

/// The variant to take among `offered`, and why.
pub(crate) fn choose(
    operator: &str,
    kind: AdapterKind,
    offered: &[&'static str],
) -> (&'static str, &'static str) {
    if let [only] = offered {
        return (only, "the only one");
    }
    let Some((_, gpu, software)) = PREFERENCE.iter().find(|row| row.0 == operator) else {
        return (offered[0], "no preference is stated");
    };
    let row = if kind == AdapterKind::Software { software } else { gpu };
    for (rank, name) in row.iter().enumerate() {
        if let Some(&variant) = offered.iter().find(|v| *v == name) {
            let why = ["first choice for this kind of adapter", "first choice that computes this shape"];
            return (variant, why[rank.min(1)]);
        }
    }
    (offered[0], "no preferred one computes this shape")
}
