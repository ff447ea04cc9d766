//! A progress bar on standard error, if that is a terminal.

use super::{Begin, Callback, EpochEnd, Flow, Progress};
use crate::device::Compiling;
use crate::error::Result;
use crate::train::History;
use crate::train::history::thousands;
use crate::tune;
use indicatif::{ProgressBar as Bar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};

/// Shows epoch, steps, loss, speed and time left, and prints a line for each epoch above it. Where standard error is no
/// terminal only the lines are printed, to standard output.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::train::ProgressBar;
/// use wgrad::{Device, DeviceOptions};
///
/// // The kernels of large networks take a while on a software adapter.
/// let device = Device::open_with(&DeviceOptions::default().compiling(ProgressBar::compiling(true)))?;
/// let bar = ProgressBar::new();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ProgressBar {
    bar: Bar,
    shown: bool,
    batch_size: usize,
    epochs: u64,
    unit: String,
}

impl Default for ProgressBar {
    fn default() -> Self {
        ProgressBar::new()
    }
}

impl ProgressBar {
    /// A bar over the steps of a run.
    pub fn new() -> Self {
        ProgressBar { bar: Bar::hidden(), shown: true, batch_size: 1, epochs: 1, unit: String::new() }
    }

    setters! {
        /// Sets whether there is a bar above the lines. On by default.
        shown: bool;
    }

    /// Shows, if `shown`, how far a session's kernels are, for
    /// [`DeviceOptions::compiling`](crate::DeviceOptions::compiling).
    pub fn compiling(shown: bool) -> impl Fn(Compiling) + Send + Sync {
        let bar = over(shown, 1, "kernels");
        bar.set_prefix("compiling");
        move |compiling| {
            bar.set_length(compiling.total as u64);
            bar.set_position(compiling.done as u64);
            if compiling.done == compiling.total {
                bar.finish_and_clear();
            }
        }
    }

    /// Shows, if `shown`, how far the choice of kernels is, for [`Trainer::tune`](crate::train::Trainer::tune).
    pub fn tuning(shown: bool) -> impl FnMut(&tune::Progress) {
        let mut bar: Option<Bar> = None;
        move |progress| {
            let bar = bar.get_or_insert_with(|| over(shown, progress.total as u64, "kernels"));
            bar.set_prefix("tuning");
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            let operator = progress.operator.as_ref().map(|key| key.operator.clone());
            bar.set_message(operator.unwrap_or_else(|| "the whole step".into()));
            if progress.done == progress.total {
                bar.finish_and_clear();
            }
        }
    }
}

fn over(shown: bool, length: u64, unit: &str) -> Bar {
    let shown = shown && length > 0 && std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = Bar::with_draw_target(Some(length), target);
    let template = format!("{{prefix}} {{bar:30.cyan/black.bright}} {{pos}}/{{len}} {unit}  {{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("━╸━"));
    }
    bar
}

impl Callback for ProgressBar {
    fn begin(&mut self, begin: &Begin) -> Result<Flow> {
        (self.batch_size, self.epochs) = (begin.batch_size, begin.epochs);
        self.unit.clone_from(&begin.unit);
        self.bar = over(self.shown, begin.steps.saturating_sub(begin.first_step), "steps");
        Ok(Flow::Continue)
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Result<()> {
        self.bar.set_prefix(format!("epoch {}/{}", progress.epoch, self.epochs));
        self.bar.inc(progress.losses.len() as u64);
        let Some(loss) = progress.losses.last().filter(|_| !self.bar.is_hidden()) else { return Ok(()) };
        let speed = progress.samples_per_second.map_or_else(String::new, |speed| {
            let left = self.bar.length().unwrap_or(0).saturating_sub(self.bar.position());
            let seconds = (left as f64 * self.batch_size as f64 / speed).ceil() as u64;
            format!("  {} {}/s  {}:{:02} left", thousands(speed), self.unit, seconds / 60, seconds % 60)
        });
        self.bar.set_message(format!("loss {loss:.4}{speed}"));
        Ok(())
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        // A closed pipe (`| head`) is no reason to end a run.
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stdout(), "{}", end.line());
        });
        Ok(Flow::Continue)
    }

    fn end(&mut self, history: &History) -> Result<()> {
        self.bar.finish_and_clear();
        if let Some(reason) = &history.stopped {
            let _ = writeln!(std::io::stdout(), "stopped: {reason}");
        }
        Ok(())
    }
}
