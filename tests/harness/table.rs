//! The table of tested operators in the docs: which operators, with what attributes, and the largest
//! error that a run of the tests saw.

use super::{Case, Seen, device, snapshot, sweep};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wgrad::Caps;
use wgrad::op::AdapterKind;

/// Where the table stands.
pub const PATH: &str = "docs/operators.md";

/// What writes it: its errors are those of all cases.
pub const COMMAND: &str = "WGRAD_SWEEP=1 WGRAD_UPDATE=1 cargo test --release --test suite ops::";

/// Whether it is to be written.
pub fn updating() -> bool {
    snapshot::updating() && sweep::sweeping()
}

/// Values of an attribute that are listed one by one; more are counted.
const LISTED: usize = 6;

/// The column that differs from adapter to adapter.
const ERROR_COLUMN: usize = 4;

/// One row: an operator of a family.
#[derive(Default)]
struct Row {
    variants: Vec<&'static str>,
    cases: usize,
    attributes: Vec<(String, Vec<String>)>,
    tolerance: f64,
    error: f64,
}

/// The table of these families, their cases and what running them showed, if it was run.
pub fn render(families: &[(&'static str, Vec<Case>)], seen: &BTreeMap<&'static str, Vec<Seen>>) -> String {
    let mut text = format!(
        "# Tested operators\n\n\
         Written by `{}`.\n\n\
         In the sweep every variant runs every case and is compared with the reference in f64. By default it runs\n\
         those that show it an edge (`tests/harness/edges.rs`). An error is the largest\n\
         difference of all cases and variants, relative to the largest magnitude of the reference. This run\n\
         was on a {} adapter. Other tests cover generated shapes, PyTorch's answers and finite differences\n\
         (`tests/suite/generated.rs`, `tests/suite/fixtures_*.rs`, `tests/suite/losses.rs` and others).\n",
        COMMAND,
        device().caps().kind
    );
    // What every adapter lists alike, whichever runs.
    let caps = Caps { subgroups: true, subgroup_size: 8, ..Caps::webgpu_defaults(AdapterKind::Software) };
    for (family, cases) in families {
        let mut rows: BTreeMap<&'static str, Row> = BTreeMap::new();
        for case in cases {
            let row = rows.entry(case.operator.name()).or_default();
            row.cases += 1;
            row.tolerance = case.operator.tolerance();
            let kinds = case.kinds();
            for variant in case.operator.variants(&kinds.iter().collect::<Vec<_>>(), &caps) {
                let variant = variant.name();
                if !row.variants.contains(&variant) {
                    row.variants.push(variant);
                }
            }
            for (name, value) in attributes(&format!("{:?}", case.operator)) {
                let at = row.attributes.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                    row.attributes.push((name, Vec::new()));
                    row.attributes.len() - 1
                });
                let values = &mut row.attributes[at].1;
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        for seen in seen.get(family).into_iter().flatten() {
            if let Some(row) = rows.get_mut(seen.operator) {
                row.error = row.error.max(seen.error);
            }
        }
        let _ = write!(
            text,
            "\n## {family}\n\n| operator | variants | cases | attributes | largest error | allowed |\n|---|---|---|---|---|---|\n"
        );
        for (operator, row) in rows {
            let _ = writeln!(
                text,
                "| `{operator}` | {} | {} | {} | {:.1e} | {:.0e} |",
                row.variants.join(", "),
                row.cases,
                listed(&row.attributes),
                row.error,
                row.tolerance
            );
        }
    }
    text + &preferences(families)
}

/// Which variants operators prefer on each kind of adapter, for the classes of shapes among their cases.
fn preferences(families: &[(&'static str, Vec<Case>)]) -> String {
    const KINDS: [AdapterKind; 5] = [
        AdapterKind::Discrete,
        AdapterKind::Integrated,
        AdapterKind::Apple,
        AdapterKind::Software,
        AdapterKind::SwiftShader,
    ];
    let mut rows = BTreeMap::new();
    for case in families.iter().flat_map(|(_, cases)| cases) {
        let types = case.kinds();
        let preference = case.operator.preference(&types.iter().collect::<Vec<_>>());
        let lists = KINDS.map(|kind| {
            preference.variants(kind).iter().map(|variant| variant.name()).collect::<Vec<_>>().join(", ")
        });
        if lists.iter().any(|list| !list.is_empty()) {
            rows.insert((case.operator.name(), preference.class()), lists);
        }
    }
    let mut text = String::from(
        "\n## Preferred variants\n\n\
         The first that can compute a shape is taken. A name in brackets is a class of shapes with a preference\n\
         of its own. Operators that are not listed have one variant.\n\n\
         | operator | discrete GPUs | integrated | Apple's | software adapters | SwiftShader |\n|---|---|---|---|---|---|\n",
    );
    for ((operator, class), lists) in rows {
        let class = if class.is_empty() { String::new() } else { format!(" ({class})") };
        let _ = writeln!(text, "| `{operator}`{class} | {} |", lists.join(" | "));
    }
    text
}

/// The table without its errors, for comparing what is listed with what there is.
pub fn without_errors(table: &str) -> String {
    let line = |line: &str| {
        let columns: Vec<&str> = line.split(" | ").collect();
        let kept = columns.iter().enumerate().filter(|(i, _)| columns.len() < 6 || *i != ERROR_COLUMN);
        kept.map(|(_, column)| *column).collect::<Vec<_>>().join(" | ")
    };
    table.lines().filter(|line| line.starts_with(['|', '#'])).map(line).collect::<Vec<_>>().join("\n")
}

fn listed(attributes: &[(String, Vec<String>)]) -> String {
    // What has no name is an operator of an enum, which the operator's own name tells.
    let named = attributes.iter().filter(|(name, _)| !name.is_empty());
    let one = |(name, values): &(String, Vec<String>)| {
        let values = match values.len() {
            0..=LISTED => values.join(", "),
            count => format!("{count} values"),
        };
        format!("{name} {values}")
    };
    named.map(one).collect::<Vec<_>>().join("; ").replace('|', "/")
}

/// Names and values of the fields of a `Debug` print-out, those of structs within included. What has no
/// name, such as the variant of an enum, has an empty one.
fn attributes(text: &str) -> Vec<(String, String)> {
    field("", text)
}

fn field(name: &str, text: &str) -> Vec<(String, String)> {
    let identifier = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(identifier);
    let named = word.starts_with(|c: char| c.is_uppercase());
    if let Some(body) = rest.strip_prefix(" { ").and_then(|rest| rest.strip_suffix(" }"))
        && named
    {
        return pieces(body)
            .into_iter()
            .filter_map(|piece| piece.split_once(": "))
            .flat_map(|(name, value)| field(name, value))
            .collect();
    }
    if let Some(body) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        && named
        && word != "Some"
        && body.starts_with(|c: char| c.is_uppercase())
    {
        return pieces(body).into_iter().flat_map(|piece| field(name, piece)).collect();
    }
    vec![(name.to_owned(), text.to_owned())]
}

/// Splits at the commas that stand in no bracket.
fn pieces(text: &str) -> Vec<&str> {
    let (mut pieces, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                pieces.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    pieces.push(text[start..].trim());
    pieces
}
