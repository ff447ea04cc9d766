//! Which kernel variant computes a node: one table by operator, class of shape and kind of adapter.
//!
//! An operator says which of its variants can compute a shape (`Operator::variants`) and what is
//! particular about the shape (`Operator::shape_class`); the first of the row below that is among them
//! is taken. Operators without a row have one variant.

use super::AdapterKind;

/// The class of shapes that have no row of their own.
pub(crate) const ANY: &str = "any";

/// Preferences for one operator and one class of shapes, by kind of adapter.
struct Row {
    operator: &'static str,
    class: &'static str,
    discrete: &'static [&'static str],
    integrated: &'static [&'static str],
    apple: &'static [&'static str],
    software: &'static [&'static str],
}

impl Row {
    /// A row in which all GPUs agree.
    const fn gpus(
        operator: &'static str,
        class: &'static str,
        gpus: &'static [&'static str],
        software: &'static [&'static str],
    ) -> Row {
        Row { operator, class, discrete: gpus, integrated: gpus, apple: gpus, software }
    }

    /// The row of plain matrix products. Others report the tile in workgroup memory ahead on most GPUs, the
    /// register tile on Apple's, rows spread through the subgroup on Intel's.
    const fn product(operator: &'static str) -> Row {
        Row {
            operator,
            class: ANY,
            discrete: &["tiled"],
            integrated: &["subgroup", "tiled"],
            apple: &["register"],
            software: &["subgroup", "register"],
        }
    }

    /// A row in which all adapters agree.
    const fn all(operator: &'static str, class: &'static str, variants: &'static [&'static str]) -> Row {
        Row::gpus(operator, class, variants, variants)
    }

    fn of(&self, kind: AdapterKind) -> &'static [&'static str] {
        match kind {
            AdapterKind::Discrete => self.discrete,
            AdapterKind::Integrated => self.integrated,
            AdapterKind::Apple => self.apple,
            AdapterKind::Software => self.software,
        }
    }
}

/// A tile in workgroup memory feeds many FMAs from each load on a GPU. On a software adapter a
/// load from workgroup memory costs what any load costs, so there registers are the better tile.
#[rustfmt::skip]
const PREFERENCE: &[Row] = &[
    //        operator                class  variants, the best first: on GPUs, on software adapters
    Row::product("matmul"),
    Row::gpus("matmul",               "vector", &["vector"], &["register"]),
    Row::product("linear"),
    Row::gpus("linear",               "vector", &["vector"], &["register"]),
    Row::product("linear_grad_weight"),
    Row::gpus("conv2d",               ANY, &["tiled"], &["direct_subgroup", "direct", "subgroup", "register"]),
    Row::gpus("conv2d",               "depthwise", &["depthwise", "tiled"], &["direct_subgroup", "direct", "subgroup", "register"]),
    Row::gpus("conv2d_grad_input",    ANY, &["tiled"], &["direct_subgroup", "direct", "subgroup", "register"]),
    Row::gpus("conv2d_grad_input",    "depthwise", &["depthwise", "tiled"], &["direct_subgroup", "direct", "subgroup", "register"]),
    Row::gpus("conv2d_grad_weight",   ANY, &["tiled"], &["subgroup", "register"]),
    Row::all ("conv2d_grad_weight",   "depthwise", &["depthwise"]),
    Row::gpus("conv2d_grad_weight",   "few results", &["tiled"], &["direct", "subgroup", "register"]),
    Row::gpus("conv2d_grad_bias",     ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("sum_to",               ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("sum",                  ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("mean",                 ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("max",                  ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("min",                  ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("variance",             ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("equal_count",          ANY, &["channels_wide", "rows_wide", "generic"], &["channels", "rows", "generic"]),
    Row::gpus("batch_norm",           ANY, &["wide"], &["narrow"]),
    Row::gpus("batch_norm_grad",      ANY, &["wide"], &["narrow"]),
    Row::gpus("batch_norm_max_pool2d", ANY, &["wide"], &["narrow"]),
    Row::gpus("batch_norm_max_pool2d_grad", ANY, &["wide"], &["narrow"]),
    Row::gpus("batch_norm_eval_grad", ANY, &["wide"], &["narrow"]),
    Row::gpus("layer_norm",           ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("layer_norm_grad",      ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("layer_norm_grad_parameters", ANY, &["wide"], &["narrow"]),
    Row::gpus("group_norm",           ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("group_norm_grad",      ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("group_norm_grad_parameters", ANY, &["wide"], &["narrow"]),
    Row::gpus("instance_norm",        ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("instance_norm_grad",   ANY, &["parts", "wide"], &["narrow"]),
    Row::gpus("instance_norm_grad_parameters", ANY, &["wide"], &["narrow"]),
    Row::all ("cross_entropy",        ANY, &["whole", "rows"]),
    Row::gpus("max_pool2d",           ANY, &["global_wide", "two_by_two", "default", "parts"], &["global", "two_by_two_rows", "two_by_two", "default", "parts"]),
    Row::all ("max_pool2d_grad",      ANY, &["two_by_two", "default"]),
    Row::gpus("avg_pool2d",           ANY, &["global_wide", "two_by_two", "default", "parts"], &["global", "two_by_two", "default", "parts"]),
    Row::all ("embedding",            ANY, &["vec4", "scalar"]),
    Row::all ("embedding_grad",       ANY, &["vec4", "scalar", "sorted"]),
    Row::all ("concatenate",          ANY, &["vec4", "scalar"]),
    Row::gpus("permute",              ANY, &["vec4", "tiled", "scalar"], &["vec4", "scalar"]),
    Row::all ("pad",                  ANY, &["vec4", "scalar"]),
    Row::all ("pad_grad",             ANY, &["vec4", "scalar"]),
    Row::all ("slice",                ANY, &["vec4", "scalar"]),
    Row::all ("slice_grad",           ANY, &["vec4", "scalar"]),
    Row::all ("avg_pool2d_grad",      ANY, &["global", "two_by_two", "default", "parts"]),
];

/// The variant to take among `offered`, and why.
pub(crate) fn choose(
    operator: &str,
    class: &'static str,
    kind: AdapterKind,
    offered: &[&'static str],
) -> (&'static str, String) {
    if let [only] = offered {
        return (only, "the only one".into());
    }
    let find = |class: &str| PREFERENCE.iter().find(|row| row.operator == operator && row.class == class);
    let Some(row) = find(class).or_else(|| find(ANY)) else {
        return (offered[0], "no preference is stated".into());
    };
    let shapes = if row.class == ANY { String::new() } else { format!(" for {} shapes", row.class) };
    for (rank, name) in row.of(kind).iter().enumerate() {
        if let Some(&variant) = offered.iter().find(|v| *v == name) {
            let place = if rank == 0 { "first choice" } else { "first choice that computes this" };
            return (variant, format!("{place}{shapes} on {kind} adapters"));
        }
    }
    (offered[0], "no preferred one computes this shape".into())
}
