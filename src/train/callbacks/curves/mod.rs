//! The curves of a run as a picture: the loss of each step, and the figures of each epoch. `chart.rs` has axes, marks
//! and smoothing.

mod chart;

use super::{Begin, Callback, EpochEnd, Flow};
use crate::error::{Error, Result};
use crate::file::{self, printable_path};
use crate::train::History;
use chart::{Area, Chart, smoothed, steps};
use plotters::prelude::*;
use std::path::PathBuf;

const SIZE: (u32, u32) = (1400, 1000);

/// The result of drawing a part of a picture.
type Drawn<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Draws a PNG after each epoch: the loss of every step, and below it a figure in per cent of every epoch.
///
/// ```no_run
/// use wgrad::train::Curves;
///
/// let curves = Curves::new("curves.png", "accuracy").subtitle("three layers, no dropout");
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Curves {
    path: PathBuf,
    figure: String,
    subtitle: String,
    batch_size: usize,
    unit: String,
}

impl Curves {
    /// A picture in this file, with this figure below the loss. Where the figure is followed too
    /// ([`Trainer::follow`](crate::train::Trainer::follow)), each training step's is drawn beside it.
    pub fn new(path: impl Into<PathBuf>, figure: impl Into<String>) -> Self {
        Curves {
            path: path.into(),
            figure: figure.into(),
            subtitle: String::new(),
            batch_size: 1,
            unit: String::new(),
        }
    }

    /// Sets a line below the title.
    #[must_use]
    pub fn subtitle(mut self, subtitle: impl Into<String>) -> Self {
        self.subtitle = subtitle.into();
        self
    }

    fn write(&self, history: &History) -> Result<()> {
        if history.losses.is_empty() {
            return Ok(());
        }
        let mut pixels = vec![0; 3 * (SIZE.0 * SIZE.1) as usize];
        self.draw(&mut pixels, history).map_err(|error| Error::Drawing(error.to_string()))?;
        let mut encoded = Vec::new();
        encode(&mut encoded, &pixels).map_err(|error| Error::Drawing(error.to_string()))?;
        file::write_whole(&self.path, &encoded)
    }

    fn draw(&self, pixels: &mut [u8], history: &History) -> Drawn<()> {
        let root = chart::page(pixels, SIZE)?;
        let found = history.evaluation().and_then(|evaluation| evaluation.figure(&self.figure));
        let found =
            found.map_or_else(String::new, |figure| format!(", {} {:.2} %", self.figure, 100.0 * figure));
        let title =
            format!("Training: {} of {} {}{found}", steps(history.losses.len()), self.batch_size, self.unit);
        let root = chart::titled(&root, &title, &self.subtitle)?;
        let (above, below) = root.split_vertically((50).percent());
        self.loss(&above, history)?;
        self.figures(&below, history)?;
        root.present()?;
        Ok(())
    }

    fn loss(&self, area: &Area<'_>, history: &History) -> Drawn<()> {
        // A logarithmic axis has no place for a loss of exactly zero.
        let losses: Vec<f64> = history.losses.iter().map(|&loss| f64::from(loss).max(1e-6)).collect();
        let line = smoothed(&losses);
        // A few steps with almost no loss must not squeeze the rest.
        let mut sorted = losses.clone();
        sorted.sort_by(f64::total_cmp);
        let low = (sorted[sorted.len() / 100] * 0.7).min(line.iter().fold(f64::MAX, |m, &y| m.min(y)) * 0.7);
        let high = sorted[sorted.len() - 1] * 1.4;
        let range = (low..high).log_scale().with_key_points(chart::ticks(low, high));
        let mut chart = Chart::new(area, "Training loss", history.first_step, losses.len(), range)?;
        chart.mesh("loss (log scale)", &|y| chart::decimal(*y))?;
        chart.ends(history, low..high)?;
        let raised: Vec<f64> = losses.iter().map(|y| y.max(low)).collect();
        chart.dots(&raised, f64::MIN, "each step")?;
        chart.line(&line, f64::MIN)?;
        chart.legend(SeriesLabelPosition::UpperRight)
    }

    fn figures(&self, area: &Area<'_>, history: &History) -> Drawn<()> {
        let followed = history.followed.iter().find(|(name, _)| *name == self.figure);
        let each: Vec<f64> = followed.map_or_else(Vec::new, |(_, sums)| {
            sums.iter().map(|sum| 100.0 * sum / self.batch_size as f64).collect()
        });
        let line = smoothed(&each);
        let ends: Vec<(f64, f64)> = history
            .epochs
            .iter()
            .filter(|epoch| epoch.steps > history.first_step)
            .filter_map(|epoch| Some((epoch.steps as f64, 100.0 * epoch.figure(&self.figure)?)))
            .collect();
        // The axis fits the smoothed line after its steep start, so that the end can be read.
        let settled = line.get(line.len() / 20..).unwrap_or_default();
        let low = settled.iter().chain(ends.iter().map(|(_, y)| y)).fold(100.0f64, |m, &y| m.min(y));
        let low = ((low - 1.0) / 5.0).floor().max(0.0) * 5.0;
        let high = 100.0 + (100.0 - low) * 0.03;
        let start = line.iter().rposition(|&y| y < low).map_or(0, |i| i + 1);
        let count = history.losses.len();
        let mut chart = Chart::new(area, &self.figure, history.first_step, count, low..high)?;
        chart.mesh("per cent", &|y| format!("{y:.0}"))?;
        chart.ends(history, low..high)?;
        if !each.is_empty() {
            chart.dots(&each, low, "training, each step")?;
            chart.line(&line, start as f64)?;
        }
        chart.marks(&ends, "evaluation, after each epoch")?;
        chart.legend(SeriesLabelPosition::LowerRight)
    }
}

fn encode(to: &mut Vec<u8>, pixels: &[u8]) -> std::result::Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(to, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels)
}

impl Callback for Curves {
    fn begin(&mut self, begin: &Begin) -> Result<Flow> {
        self.batch_size = begin.batch_size;
        self.unit.clone_from(&begin.unit);
        if self.path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("png")) {
            let message =
                format!("pictures are PNG; let the name {} end in .png", printable_path(&self.path));
            return Err(Error::Setting { setting: "curves", message });
        }
        if begin.figures.iter().any(|figure| figure == "loss") {
            begin.check_figure(&self.figure, "curves")?;
        }
        file::check_writable(&self.path)?;
        Ok(Flow::Continue)
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        self.write(end.history)?;
        Ok(Flow::Continue)
    }

    fn end(&mut self, history: &History) -> Result<()> {
        self.write(history)
    }
}
