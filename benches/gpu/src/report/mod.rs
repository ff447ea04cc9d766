//! The report: everything that the parts left, as one JSON file and as a page to read.
//!
//! `run.sh` leaves for each part what it printed (`PART.log`) and a line on how it ended (`PART.status`); the part
//! leaves its results (`PART.json`). Any of them may be missing.

mod figures;
mod mixed;
mod sections;
mod tests_log;

use crate::results;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The version of the JSON file's layout.
const FORMAT: u32 = 1;
/// The file of the parts' names, in order.
const ORDER: &str = "order";
/// Last lines of a failed part's output that the page shows and that the JSON file holds, and the most characters of one.
const LAST_LINES: usize = 30;
const LAST_LINES_OF_JSON: usize = 400;
const LINE: usize = 300;

/// What is left of a part.
pub struct Part {
    pub name: String,
    /// How it ended; `None` if it never began.
    pub status: Option<Status>,
    /// What it measured; null if it left nothing.
    pub results: Value,
    /// All that it printed.
    pub log: String,
}

/// How a part ended.
pub struct Status {
    code: i64,
    seconds: f64,
    limit: f64,
}

impl Part {
    fn read(folder: &Path, name: &str) -> Part {
        // A program's output need not be text.
        let text = |extension: &str| {
            let bytes = std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let status = text("status");
        let mut numbers = status.split_whitespace().map(|number| number.parse::<f64>().ok());
        let mut next = || numbers.next().flatten();
        let status = match (next(), next(), next()) {
            (Some(code), Some(seconds), Some(limit)) => Some(Status { code: code as i64, seconds, limit }),
            _ => None,
        };
        let results = serde_json::from_str(&text("json")).unwrap_or(Value::Null);
        Part { name: name.to_owned(), status, results, log: text("log") }
    }

    /// How it ended, in words.
    fn outcome(&self) -> String {
        let Some(Status { code, limit, .. }) = self.status else { return "not run".into() };
        match code {
            0 => "done".into(),
            // What the commands `timeout` and `sh` say.
            124 => format!("STOPPED at its limit of {limit:.0} s"),
            137 => format!("KILLED: it did not end at its limit of {limit:.0} s, or the system killed it"),
            77 => format!("left out: {}", self.last_line()),
            3 => "FAILED: no adapter".into(),
            1 | 101 => "FAILED".into(),
            129.. => format!("CRASHED with signal {}", code - 128),
            _ => format!("FAILED with exit code {code}"),
        }
    }

    /// Whether it did not run because something is missing here.
    fn is_left_out(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.code == 77)
    }

    /// Whether it failed: it ended with neither success nor "left out".
    fn failed(&self) -> bool {
        self.status.as_ref().is_some_and(|status| ![0, 77].contains(&status.code))
    }

    fn last_line(&self) -> &str {
        self.log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing")
    }

    /// The last lines of what it printed.
    fn last_lines(&self, count: usize) -> String {
        let lines: Vec<&str> = self.log.lines().collect();
        let last = &lines[lines.len().saturating_sub(count)..];
        last.iter().map(|line| line.chars().take(LINE).collect::<String>() + "\n").collect()
    }

    fn json(&self) -> Value {
        json!({
            "outcome": self.outcome(),
            "exit_code": self.status.as_ref().map(|status| status.code),
            "seconds": self.status.as_ref().map(|status| status.seconds),
            "limit_seconds": self.status.as_ref().map(|status| status.limit),
            "last_lines": self.failed().then(|| self.last_lines(LAST_LINES_OF_JSON)),
            "tests": self.name.strip_prefix("test-").map(|_| tests_log::Counts::of(&self.log).json()),
            "results": self.results,
        })
    }
}

/// Writes `report.md` and `report.json` into `out`, and prints the summary.
pub fn write(out: &Path) -> Result<(), String> {
    let folder = results::folder(out);
    let order =
        std::fs::read_to_string(folder.join(ORDER)).map_err(|e| format!("{}: {e}", folder.display()))?;
    let (header, names) = order.split_once('\n').unwrap_or((&order, ""));
    let parts: Vec<Part> = names.split_whitespace().map(|name| Part::read(&folder, name)).collect();
    let summary = summary(&parts);
    let by_name: Map<String, Value> = parts.iter().map(|part| (part.name.clone(), part.json())).collect();
    let whole = json!({ "format": FORMAT, "run": header, "parts": by_name });
    let text = serde_json::to_string_pretty(&whole).map_err(|e| e.to_string())?;
    let save = |name: &str, text: &str| {
        wgrad::file::write_whole(&out.join(name), text.as_bytes()).map_err(|e| e.to_string())
    };
    save("report.json", &text)?;
    save("report.md", &page(header, &summary, &parts))?;
    println!("\n{}\n{summary}", title(&parts));
    Ok(())
}

/// The adapter's name, if the part `adapter` left it.
fn title(parts: &[Part]) -> String {
    let adapter = parts.iter().find(|part| part.name == "adapter").map(|part| &part.results["adapter"]);
    match adapter.and_then(|adapter| Some((adapter["name"].as_str()?, adapter["driver"].as_str()?))) {
        Some((name, driver)) => format!("{name} ({driver})"),
        None => "an unknown adapter".into(),
    }
}

/// The parts, how they ended, and their main result.
fn summary(parts: &[Part]) -> String {
    let mut text = String::from("| part | ended | seconds | result |\n|---|---|---|---|\n");
    for part in parts {
        let seconds = part.status.as_ref().map_or(String::new(), |status| format!("{:.0}", status.seconds));
        let headline = part.status.as_ref().map_or(String::new(), |_| sections::headline(part, parts));
        let _ =
            writeln!(text, "| {} | {} | {seconds} | {} |", part.name, cell(&part.outcome()), cell(&headline));
    }
    let all =
        parts.iter().filter_map(|part| Some(part.status.as_ref()?.seconds)).fold(0.0, |sum, one| sum + one);
    let _ = writeln!(text, "| all | | {all:.0} | |");
    text
}

/// Text that breaks no table.
pub fn cell(text: &str) -> String {
    wgrad::file::printable(text).replace('|', "/")
}

fn page(header: &str, summary: &str, parts: &[Part]) -> String {
    let mut text = format!(
        "# wgrad on {}\n\n{header}\n\n{summary}\n\
         Each part has a time limit of its own. A part that takes less leaves the rest to those after it. A part that\n\
         fails changes nothing for the others. `report.json` has every figure, also those that this page leaves out.\n",
        cell(&title(parts))
    );
    let failed: Vec<&Part> = parts.iter().filter(|part| part.failed()).collect();
    if !failed.is_empty() {
        text.push_str("\n## What failed\n");
    }
    for part in failed {
        let _ = writeln!(text, "\n**{}**: {}.", part.name, part.outcome());
        let wrong = part.results["wrong"].as_array().map_or(&[][..], Vec::as_slice);
        for sentence in wrong {
            let _ = writeln!(text, "- {}", sections::shown(sentence));
        }
        if !wrong.is_empty() {
            continue;
        }
        text.push_str("The last lines that it printed:\n\n");
        // Indented, so that no line ends the block.
        let lines = part.last_lines(LAST_LINES);
        let lines = if lines.is_empty() { "(nothing)\n".to_owned() } else { lines };
        for line in lines.lines() {
            let _ = writeln!(text, "    {}", wgrad::file::printable(line));
        }
    }
    for part in parts {
        let section = sections::section(part, parts);
        if !section.is_empty() {
            text.push_str(&section);
        }
        for note in part.results["notes"].as_array().into_iter().flatten() {
            let _ = writeln!(text, "\n{}", note.as_str().unwrap_or_default());
        }
    }
    text
}
