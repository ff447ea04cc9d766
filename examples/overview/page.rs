//! The page: sections of text, formulas, figures, tables and claims with their verdicts, as one HTML file.

use crate::panels::Outcome;
use std::fmt::Write as _;
use std::path::Path;

const STYLE: &str = "\
body{margin:0 auto;max-width:62rem;padding:1rem;font:17px/1.55 system-ui,sans-serif;color:#262c34;background:#fff}
h1,h2{line-height:1.25}h2{margin-top:3rem;border-top:1px solid #dde2e8;padding-top:1.2rem}
figure{margin:1.5rem 0;overflow-x:auto}img{max-width:100%;height:auto;display:block}figcaption{color:#555e69;font-size:.92rem;margin-top:.4rem}
.formula{font-family:Georgia,serif;font-size:1.08rem;margin:1rem 0;padding-left:1.2rem;overflow-wrap:anywhere}
.claim{border-left:4px solid #228b5e;background:#f2f8f5;padding:.5rem .9rem;margin:.7rem 0}
.fails{border-color:#be2846;background:#fbf1f3}.verdict{font-weight:600;white-space:nowrap}
.table{overflow-x:auto}table{border-collapse:collapse;font-size:.95rem}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #e4e8ed}
td:first-child,th:first-child{text-align:left}@media(max-width:40rem){img{max-width:none;width:36rem}}nav li{margin:.15rem 0}.note{color:#555e69;font-size:.92rem}
";

/// One section. Text is HTML; text from outside has to pass through [`escape`].
pub struct Section {
    pub title: &'static str,
    pub claims: Vec<(String, bool)>,
    body: String,
}

impl Section {
    pub fn new(title: &'static str) -> Section {
        Section { title, claims: Vec::new(), body: String::new() }
    }

    pub fn text(&mut self, text: &str) {
        let _ = writeln!(self.body, "<p>{text}</p>");
    }

    pub fn formula(&mut self, formula: &str) {
        let _ = writeln!(self.body, "<p class=\"formula\">{formula}</p>");
    }

    /// A PNG in the page's folder.
    pub fn figure(&mut self, file: &str, alt: &str, caption: &str) {
        let _ = writeln!(
            self.body,
            "<figure><img src=\"{file}\" alt=\"{alt}\"><figcaption>{caption}</figcaption></figure>"
        );
    }

    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
            cells.map(|cell| format!("<{tag}>{cell}</{tag}>")).collect()
        };
        let head = cells("th", &mut head.iter().copied());
        let rows: String = rows
            .iter()
            .map(|row| format!("<tr>{}</tr>\n", cells("td", &mut row.iter().map(String::as_str))))
            .collect();
        let _ = writeln!(self.body, "<div class=\"table\"><table><tr>{head}</tr>\n{rows}</table></div>");
    }

    /// A sentence with measured figures, and whether they bear it out.
    pub fn claim(&mut self, holds: bool, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let (class, verdict) = if holds { ("claim", "holds") } else { ("claim fails", "does not hold") };
        let _ = writeln!(
            self.body,
            "<p class=\"{class}\">{sentence} <span class=\"verdict\">&rarr; {verdict}</span></p>"
        );
        self.claims.push((sentence, holds));
    }
}

/// Writes the page. Each section comes with the seconds that it took.
pub fn write(path: &Path, adapter: &str, sections: &[(Section, f64)]) -> Outcome<()> {
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>Convolutional networks, measured</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>Convolutional networks, measured</h1>\n"
    );
    let claims = || sections.iter().flat_map(|(section, _)| &section.claims);
    let held = claims().filter(|claim| claim.1).count();
    let total: f64 = sections.iter().map(|section| section.1).sum();
    let _ = writeln!(
        html,
        "<p>Every figure and number below was computed by this run on {}, in {total:.0} seconds. Each claim stands with \
         its measurements and a verdict computed from them: {held} of {} hold.</p>\n<nav><ol>",
        escape(adapter),
        claims().count()
    );
    for (i, (section, seconds)) in sections.iter().enumerate() {
        let _ = writeln!(
            html,
            "<li><a href=\"#s{}\">{}</a> <span class=\"note\">{seconds:.1} s</span></li>",
            i + 1,
            section.title
        );
    }
    html += "</ol></nav>\n";
    for (i, (section, _)) in sections.iter().enumerate() {
        let _ = writeln!(
            html,
            "<section id=\"s{0}\">\n<h2>{0}. {1}</h2>\n{2}</section>",
            i + 1,
            section.title,
            section.body
        );
    }
    html += "</body>\n</html>\n";
    Ok(wgrad::file::write_whole(path, html.as_bytes())?)
}

/// Text from outside, for HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A whole number with commas: 784,896.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with three significant digits.
pub fn short(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let power = size.log10().floor() as i32;
    match power {
        ..=-4 | 7.. => {
            format!("{:.1}&times;10<sup>{power}</sup>", number / 10f64.powi(power))
        }
        3.. => count(number.round() as u64),
        _ => format!("{number:.*}", (2 - power).max(0) as usize),
    }
}

/// A part of one in per cent.
pub fn percent(part: f64) -> String {
    // So small a part would be read as none.
    if part > 0.0 && part < 5e-4 {
        return format!("{} %", short(100.0 * part));
    }
    format!("{:.1} %", 100.0 * part)
}

/// Seconds in the unit that suits them.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} &micro;s", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.1} minutes", s / 60.0),
    }
}
