//! Tells a program how far the compiling of kernels is, if it takes long.

use crate::instant::Instant;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// From when on it is told.
const LONG: Duration = Duration::from_secs(1);

/// How far a session's kernels are. A software adapter counts each twice: it makes machine code in a second round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Compiling {
    /// Kernels that are compiled.
    pub done: usize,
    /// All of them.
    pub total: usize,
}

impl fmt::Display for Compiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "compiling kernels {}/{}", self.done, self.total)
    }
}

/// What a program does with it.
#[derive(Clone)]
pub(super) struct Report(Arc<dyn Fn(Compiling) + Send + Sync>);

impl Report {
    pub(super) fn new(report: impl Fn(Compiling) + Send + Sync + 'static) -> Report {
        Report(Arc::new(report))
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Report").finish_non_exhaustive()
    }
}

/// Counts kernels as they are compiled.
pub(super) struct Progress<'a> {
    report: Option<&'a Report>,
    start: Instant,
    done: AtomicUsize,
    total: usize,
}

impl<'a> Progress<'a> {
    pub(super) fn new(report: Option<&'a Report>, total: usize) -> Self {
        Progress { report, start: Instant::now(), done: AtomicUsize::new(0), total }
    }

    #[cfg(test)]
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// One more is done.
    pub(super) fn one(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(Report(report)) = self.report
            && self.start.elapsed() > LONG
        {
            report(Compiling { done, total: self.total });
        }
    }
}
