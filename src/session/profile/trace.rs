//! Writes a profile as a trace file in Chrome's JSON format, which Perfetto (ui.perfetto.dev) opens.
//!
//! Format: "Trace Event Format", Google. Every event is complete ("ph": "X"), on one track, where steps
//! hold nodes and nodes hold dispatches.

use super::{Profile, ProfiledNode, Span};
use crate::error::Result;
use std::fmt::Write;
use std::path::Path;

impl Profile {
    /// Writes the trace for Perfetto (ui.perfetto.dev), by [`write_whole`](crate::file::write_whole).
    ///
    /// # Errors
    /// A path that can't be written.
    pub fn save_trace(&self, path: impl AsRef<Path>) -> Result<()> {
        crate::file::write_whole(path.as_ref(), self.trace().as_bytes())
    }

    /// The trace as text.
    pub fn trace(&self) -> String {
        let start = self.spans.iter().flatten().map(|span| span.start).min().unwrap_or(0);
        let mut events = vec![format!(
            r#"{{"name":"thread_name","ph":"M","pid":1,"tid":1,"args":{{"name":{}}}}}"#,
            quoted(&self.adapter.name)
        )];
        for (number, spans) in self.spans.iter().enumerate() {
            let Some(whole) = hull(spans) else { continue };
            events.push(event(&format!("step {number}"), "step", start, &whole, ""));
            let mut rest = spans.as_slice();
            for node in &self.nodes {
                let (own, others) = rest.split_at(node.dispatches.len());
                rest = others;
                if let Some(whole) = hull(own) {
                    events.push(event(&node.node, "node", start, &whole, &self.arguments(node)));
                }
                for (dispatch, span) in node.dispatches.iter().zip(own) {
                    let [x, y, z] = dispatch.workgroups;
                    let arguments = format!(r#""workgroups":[{x},{y},{z}]"#);
                    events.push(event(dispatch.kernel, "dispatch", start, span, &arguments));
                }
            }
        }
        format!(
            "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"adapter\":{},\"clock\":{}}},\"traceEvents\":[\n{}\n]}}\n",
            quoted(&self.adapter.to_string()),
            quoted(&self.clock.to_string()),
            events.join(",\n")
        )
    }

    fn arguments(&self, node: &ProfiledNode) -> String {
        let (share, bound) = node.share_of_peak(&self.peaks);
        format!(
            r#""operator":{},"variant":{},"flops":{},"bytes":{},"least_bytes":{},"median_us":{:.3},"share_of_peak":{share:.4},"bound":"{bound}""#,
            quoted(node.operator),
            quoted(node.variant),
            node.flops,
            node.traffic.total(),
            node.traffic.least(),
            1e6 * node.seconds,
        )
    }
}

/// The span from the first start to the last end.
fn hull(spans: &[Span]) -> Option<Span> {
    let start = spans.iter().map(|span| span.start).min()?;
    let end = spans.iter().map(|span| span.end).max()?;
    Some(start..end)
}

/// One event. Times are microseconds with nanoseconds as decimals, so that nested events stay nested.
fn event(name: &str, category: &str, epoch: u64, span: &Span, arguments: &str) -> String {
    let microseconds = |time: u64| format!("{}.{:03}", time / 1000, time % 1000);
    format!(
        r#"{{"name":{},"cat":"{category}","ph":"X","ts":{},"dur":{},"pid":1,"tid":1,"args":{{{arguments}}}}}"#,
        quoted(name),
        microseconds(span.start - epoch),
        microseconds(span.end - span.start)
    )
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
