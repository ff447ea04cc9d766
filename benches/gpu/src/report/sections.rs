//! The sections of the report, one for each part that left results.

use super::tests_log::Counts;
use super::{Part, cell};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Nodes of a profile that the page lists.
const NODES: usize = 25;
/// Failed tests that the page lists.
const TESTS: usize = 40;

/// What the page says of the adapter, by group of the results.
const ADAPTER: [(&str, &[&str]); 6] = [
    ("adapter", &["name", "backend", "driver", "software"]),
    ("driver", &["type", "vendor", "device"]),
    (
        "caps",
        &[
            "kind",
            "max_binding_bytes",
            "max_buffer_bytes",
            "max_storage_buffers",
            "max_workgroup_bytes",
            "max_invocations",
            "max_workgroups",
            "offset_alignment",
            "subgroups",
            "subgroup_size",
        ],
    ),
    ("driver", &["workgroup_size", "subgroup_min_size", "subgroup_max_size", "timestamps"]),
    ("mixed", &["f16", "cooperative_matrices"]),
    ("machine", &["processor", "threads", "memory", "system", "kernel"]),
];

/// The main result of a part, for the summary.
pub fn headline(part: &Part, parts: &[Part]) -> String {
    let rows = rows(part);
    let error = rows.iter().filter(|row| row.get("error").is_some_and(Value::is_string)).count();
    if part.name.starts_with("test-") {
        let counts = Counts::of(&part.log);
        let mut text = format!("{} passed, {} failed", counts.passed, counts.failed.len());
        if counts.missing() > 0 {
            let _ = write!(text, ", {} of {} did not end", counts.missing(), counts.announced);
        }
        return text;
    }
    match part.name.as_str() {
        "adapter" => {
            let [flops, bytes] =
                ["flops_per_second", "bytes_per_second"].map(|f| part.results["peaks"][f].as_f64());
            match (flops, bytes) {
                (Some(flops), Some(bytes)) => {
                    format!("{:.0} GFLOP/s, {:.0} GB/s measured", flops / 1e9, bytes / 1e9)
                }
                _ => String::new(),
            }
        }
        "operators" => {
            let [planned, runs, failed] = ["planned_runs", "runs", "failed"].map(|f| &part.results[f]);
            if runs.is_null() { String::new() } else { format!("{runs} of {planned} runs, {failed} failed") }
        }
        _ if part.results.is_null() || part.is_left_out() => String::new(),
        "mixed-verify" => super::mixed::verify_headline(part),
        "mixed-throughput" => super::mixed::throughput_headline(part),
        "training" | "mixed-training" => {
            let all = part.results["workloads"].as_array().map_or(0, Vec::len);
            let text = format!("{} of {all} networks, {error} errors", rows.len());
            if part.name == "training" { text } else { text + &super::mixed::ratios(part, parts) }
        }
        _ if error > 0 => format!("{} results, {error} errors", rows.len()),
        _ => format!("{} results", rows.len()),
    }
}

/// A part's section; empty if it left no results.
pub fn section(part: &Part, parts: &[Part]) -> String {
    let text = match part.name.as_str() {
        name if name.starts_with("test-") => tests(part),
        _ if part.results.is_null() || part.is_left_out() => return String::new(),
        "adapter" => adapter(&part.results),
        "compile" => compile(part),
        "operators" => operators(part),
        "verify" => verify(part),
        "throughput" => super::figures::throughput(part, parts),
        "training" => super::figures::training(part, parts),
        "mixed-verify" => super::mixed::verify(part),
        "mixed-throughput" => super::mixed::throughput(part, parts),
        "mixed-training" => super::mixed::training(part, parts),
        "profiles" => profiles(part),
        // Beside the part that they belong to.
        _ => return String::new(),
    };
    if text.is_empty() { text } else { format!("\n## {}\n\n{text}", part.name) }
}

/// The rows of a part's table.
pub fn rows(part: &Part) -> &[Value] {
    part.results["rows"].as_array().map_or(&[], Vec::as_slice)
}

/// A value of a table.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => cell(text),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn number(value: &Value, scale: f64, digits: usize) -> String {
    value.as_f64().map_or(String::new(), |number| format!("{:.digits$}", number * scale))
}

fn error(value: &Value) -> String {
    value.as_f64().map_or_else(|| shown(value), |error| format!("{error:.1e}"))
}

fn adapter(results: &Value) -> String {
    let mut text = String::from("| | |\n|---|---|\n");
    for (group, fields) in ADAPTER {
        for field in fields {
            let _ = writeln!(text, "| {} | {} |", field.replace('_', " "), shown(&results[group][field]));
        }
    }
    let peaks = &results["peaks"];
    let _ = writeln!(
        text,
        "| measured peak | {} GFLOP/s in multiply-adds, {} GB/s in copying |",
        number(&peaks["flops_per_second"], 1e-9, 1),
        number(&peaks["bytes_per_second"], 1e-9, 1)
    );
    let driver = &results["driver"];
    let matrices = driver["cooperative_matrices"].as_array().map_or(&[][..], Vec::as_slice);
    if matrices.is_empty() {
        text.push_str("\nThe driver names no cooperative matrix sizes through the GPU library.\n");
    } else {
        text.push_str("\n| cooperative matrix, m x n x k | operands | result |\n|---|---|---|\n");
    }
    for matrix in matrices {
        let [m, n, k, operands, result] = ["m", "n", "k", "operands", "result"].map(|f| shown(&matrix[f]));
        let _ = writeln!(text, "| {m} x {n} x {k} | {operands} | {result} |");
    }
    let _ = writeln!(text, "\nFeatures: {}.", shown(&driver["features"]));
    let _ = writeln!(text, "\nAdapters found: {}.", shown(&results["adapters"]));
    text
}

fn compile(part: &Part) -> String {
    let mut text = String::from(
        "Seconds to build the graph, to plan it, to make the session (kernels are compiled here or in the first step,\n\
         as the driver likes), and of the first two steps.\n\n\
         | training step | dispatches | kernels | graph | plan | session | first step | second step |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows(part) {
        let _ = write!(text, "| {} ", shown(&row["name"]));
        if row["error"].is_string() {
            let _ = writeln!(text, "| {} |", shown(&row["error"]));
            continue;
        }
        let _ = write!(text, "| {} | {} ", shown(&row["dispatches"]), shown(&row["kernels"]));
        for field in ["graph", "plan", "session", "first_step", "second_step"] {
            let _ = write!(text, "| {} ", number(&row[format!("{field}_seconds")], 1.0, 3));
        }
        text.push_str("|\n");
    }
    text
}

fn tests(part: &Part) -> String {
    let counts = Counts::of(&part.log);
    if counts.failed.is_empty() {
        return String::new();
    }
    let mut text = String::from("Failed:\n\n");
    for test in counts.failed.iter().take(TESTS) {
        let _ = writeln!(text, "- `{}`", cell(test));
    }
    if counts.failed.len() > TESTS {
        let _ = writeln!(text, "- and {} more", counts.failed.len() - TESTS);
    }
    text
}

fn operators(part: &Part) -> String {
    let start = "The largest difference from the f64 reference, relative to the reference's largest magnitude, of each variant.\n\n";
    start.to_owned() + &variants(part)
}

/// The table of what variants showed, and what failed.
pub fn variants(part: &Part) -> String {
    let mut text = String::from(
        "| operator | variant | runs | largest error | allowed | failed |\n|---|---|---|---|---|---|\n",
    );
    let mut failures = String::new();
    for row in rows(part) {
        let name = format!("{} | {}", shown(&row["operator"]), shown(&row["variant"]));
        let failed = if row["failed"] == 0 { String::new() } else { format!("**{}**", row["failed"]) };
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {failed} |",
            row["runs"],
            error(&row["error"]),
            error(&row["tolerance"])
        );
        for failure in row["failures"].as_array().into_iter().flatten() {
            let _ = writeln!(
                failures,
                "- {} [{}] {}",
                shown(&row["operator"]),
                shown(&row["variant"]),
                shown(failure)
            );
        }
    }
    if failures.is_empty() {
        text
    } else {
        format!("{text}\nWhat failed, at most five cases of each:\n\n{failures}")
    }
}

fn verify(part: &Part) -> String {
    let start = "Every node of a training step against the f64 reference, on the node's own inputs.\n\n";
    start.to_owned() + &steps(rows(part))
}

/// The table of verified training steps.
pub fn steps(rows: &[Value]) -> String {
    let mut text = String::from(
        "| training step | nodes | nearest to its limit | error | allowed |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let name = shown(&row["name"]);
        if row["error"].is_string() {
            let _ = writeln!(text, "| {name} | **failed**: {} |", shown(&row["error"]));
            continue;
        }
        let worst = &row["worst"];
        let _ = writeln!(
            text,
            "| {name} | {} | {} \"{}\" [{}] | {} | {} |",
            row["nodes"],
            shown(&worst["operator"]),
            shown(&worst["node"]),
            shown(&worst["variant"]),
            error(&worst["error"]),
            error(&worst["tolerance"])
        );
    }
    text
}

fn profiles(part: &Part) -> String {
    let mut text = String::new();
    for row in rows(part) {
        let _ = write!(text, "### {}\n\n", shown(&row["name"]));
        if row["error"].is_string() {
            let _ = writeln!(text, "Failed: {}\n", shown(&row["error"]));
            continue;
        }
        let _ = writeln!(
            text,
            "{} dispatches in {} groups between barriers. A plain step takes {} ms, a profiled one {} ms: {} ms in dispatches and {} ms in gaps between\n\
             them. Medians of {} steps, by {}.\n",
            shown(&row["dispatches"]),
            shown(&row["groups"]),
            number(&row["plain_step_seconds"], 1e3, 3),
            number(&row["profiled_step_seconds"], 1e3, 3),
            number(&row["dispatch_seconds"], 1e3, 3),
            number(&row["gap_seconds"], 1e3, 3),
            shown(&row["steps"]),
            shown(&row["clock"])
        );
        let nodes = row["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let all: f64 = nodes.iter().filter_map(|node| node["seconds"].as_f64()).sum();
        by_operator(&mut text, nodes, all);
        let mut nodes: Vec<&Value> = nodes.iter().collect();
        nodes.sort_by(|a, b| {
            b["seconds"].as_f64().unwrap_or(0.0).total_cmp(&a["seconds"].as_f64().unwrap_or(0.0))
        });
        let _ = writeln!(
            text,
            "\nThe slowest {} of {} nodes:\n\n\
             | node | operator | variant | us | share | GFLOP/s | GB/s | of peak |\n|---|---|---|---|---|---|---|---|",
            nodes.len().min(NODES),
            nodes.len()
        );
        for node in nodes.into_iter().take(NODES) {
            let seconds = node["seconds"].as_f64().unwrap_or(0.0).max(1e-9);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.1} | {:.1} % | {} | {} | {} % {} |",
                shown(&node["node"]),
                shown(&node["operator"]),
                shown(&node["variant"]),
                1e6 * seconds,
                100.0 * seconds / all.max(1e-9),
                number(&node["flops"], 1e-9 / seconds, 1),
                number(&node["bytes"], 1e-9 / seconds, 1),
                number(&node["share_of_peak"], 100.0, 1),
                shown(&node["bound"])
            );
        }
        text.push('\n');
    }
    text
}

fn by_operator(text: &mut String, nodes: &[Value], all: f64) {
    let mut operators: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for node in nodes {
        let entry = operators.entry(node["operator"].as_str().unwrap_or_default()).or_default();
        *entry = (entry.0 + 1, entry.1 + node["seconds"].as_f64().unwrap_or(0.0));
    }
    let mut operators: Vec<_> = operators.into_iter().collect();
    operators.sort_by(|a, b| b.1.1.total_cmp(&a.1.1));
    text.push_str("| operator | nodes | ms | share |\n|---|---|---|---|\n");
    for (operator, (count, seconds)) in operators {
        let share = 100.0 * seconds / all.max(1e-9);
        let _ = writeln!(text, "| {} | {count} | {:.3} | {share:.1} % |", cell(operator), 1e3 * seconds);
    }
}
