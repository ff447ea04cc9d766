//! The progress bar: steps, loss, speed and time left, if standard error is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use wgrad::device::Compiling;
use wgrad::tune;

/// A bar on standard error, or nothing.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over all steps of a run. Hidden if it is not wanted or not a terminal.
    pub fn new(wanted: bool, steps: u64) -> Progress {
        Progress::over(wanted, steps, "steps")
    }

    /// A bar over the kernels that are measured.
    pub fn tuning(wanted: bool, total: usize) -> Progress {
        let progress = Progress::over(wanted, total as u64, "kernels");
        progress.bar.set_prefix("tuning");
        progress
    }

    /// What shows how far a session's kernels are, if they take long to compile.
    pub fn compiling(wanted: bool) -> impl Fn(Compiling) + Send + Sync {
        let progress = Progress::over(wanted, 1, "kernels");
        progress.bar.set_prefix("compiling");
        move |compiling| {
            progress.bar.set_length(compiling.total as u64);
            progress.bar.set_position(compiling.done as u64);
            if compiling.done == compiling.total {
                progress.finish();
            }
        }
    }

    fn over(wanted: bool, length: u64, unit: &str) -> Progress {
        let shown = wanted && length > 0 && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        let style = ProgressStyle::with_template(&format!(
            "{{prefix}} {{bar:30.cyan/black.bright}} {{pos}}/{{len}} {unit}  {{msg}}"
        ));
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸━"));
        }
        Progress { bar }
    }

    pub fn epoch(&self, epoch: u64, epochs: u64) {
        self.bar.set_prefix(format!("epoch {epoch}/{epochs}"));
    }

    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Shows what is being measured.
    pub fn tuned(&self, progress: &tune::Progress) {
        self.bar.set_position(progress.done as u64);
        let operator = progress.operator.as_ref().map(|key| key.operator.clone());
        self.bar.set_message(operator.unwrap_or_else(|| "the whole step".into()));
    }

    /// Shows the last loss, the speed, and the time left at that speed.
    pub fn measured(&self, loss: f32, images_per_second: Option<f64>, batch_size: usize) {
        if self.bar.is_hidden() {
            return;
        }
        let speed = images_per_second.map_or_else(String::new, |speed| {
            let left = self.bar.length().unwrap_or(0).saturating_sub(self.bar.position());
            let seconds = (left as f64 * batch_size as f64 / speed).ceil() as u64;
            format!("  {} images/s  {}:{:02} left", thousands(speed), seconds / 60, seconds % 60)
        });
        self.bar.set_message(format!("loss {loss:.4}{speed}"));
    }

    /// Prints a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| crate::say!("{line}"));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A whole number with a comma between thousands.
pub fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
