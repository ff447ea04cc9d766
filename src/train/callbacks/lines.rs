//! A line of text for each epoch.

use super::{Callback, EpochEnd, Flow};
use crate::error::Result;
use crate::train::History;
use std::fmt;
use std::io::Write;

/// Writes a line for each epoch, and one if the run ends early.
pub struct Lines<W> {
    to: W,
}

impl Lines<std::io::Stdout> {
    /// To standard output.
    pub fn new() -> Self {
        Lines { to: std::io::stdout() }
    }
}

impl Default for Lines<std::io::Stdout> {
    fn default() -> Self {
        Lines::new()
    }
}

impl<W: Write + Send> Lines<W> {
    /// To a writer of one's own. Its errors are ignored, as those of a closed pipe.
    pub fn to(to: W) -> Self {
        Lines { to }
    }
}

impl<W> fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl<W: Write + Send> Callback for Lines<W> {
    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        let _ = writeln!(self.to, "{}", end.line());
        Ok(Flow::Continue)
    }

    fn end(&mut self, history: &History) -> Result<()> {
        if let Some(reason) = &history.stopped {
            let _ = writeln!(self.to, "stopped: {reason}");
        }
        Ok(())
    }
}
