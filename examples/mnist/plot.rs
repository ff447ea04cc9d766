//! Draws the curves of loss and accuracy.

use crate::Outcome;
use crate::progress::thousands;
use crate::report::Record;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use std::path::Path;
use wgrad::file;

const SIZE: (u32, u32) = (1400, 1000);
const FONT: &str = "plot";
const INK: RGBColor = RGBColor(38, 44, 52);
const FAINT: RGBColor = RGBColor(222, 226, 231);
const BLUE: RGBColor = RGBColor(31, 102, 184);
const ORANGE: RGBColor = RGBColor(214, 94, 22);
/// The smoothed line averages, around each step, the number of all steps divided by this.
const WINDOW: usize = 50;

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// Writes a PNG: the loss of every step above, accuracies below.
pub fn draw(path: &Path, record: &Record) -> Outcome<()> {
    for style in [FontStyle::Normal, FontStyle::Bold] {
        plotters::style::register_font(FONT, style, epaint_default_fonts::UBUNTU_LIGHT)
            .map_err(|_| "the built-in font is damaged")?;
    }
    // The library draws to a temporary file, which is then written to its place as a whole.
    let drawing = tempfile::Builder::new().suffix(".png").tempfile()?;
    {
        let root = BitMapBackend::new(drawing.path(), SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let title = format!(
            "Training: {} of {} images, test accuracy {}",
            steps(record.losses.len()),
            record.batch_size,
            record
                .tests
                .last()
                .map_or_else(|| "not measured".to_owned(), |&(_, a)| format!("{:.2} %", 100.0 * a)),
        );
        let root = root.margin(18, 18, 22, 34);
        let root = root.titled(&title, (FONT, 34).into_font().color(&INK))?;
        let root = root.titled(&subtitle(record), (FONT, 20).into_font().color(&INK.mix(0.75)))?;
        let (above, below) = root.split_vertically((50).percent());
        loss(&above, record)?;
        accuracy(&below, record)?;
        root.present()?;
    }
    file::write_whole(path, &std::fs::read(drawing.path())?)?;
    Ok(())
}

fn subtitle(record: &Record) -> String {
    let speed = record.images_per_second.map_or_else(String::new, |s| format!(", {} images/s", thousands(s)));
    format!("{} ({}){speed}", record.adapter.name, record.adapter.backend)
}

fn loss(area: &Area<'_>, record: &Record) -> Outcome<()> {
    // A logarithmic axis has no place for a loss of exactly zero.
    let losses: Vec<f64> = record.losses.iter().map(|&loss| f64::from(loss).max(1e-6)).collect();
    let line = smoothed(&losses);
    // A few steps with almost no loss must not squeeze the rest.
    let mut sorted = losses.clone();
    sorted.sort_by(f64::total_cmp);
    let low = (sorted[sorted.len() / 100] * 0.7).min(line.iter().fold(f64::MAX, |m, &y| m.min(y)) * 0.7);
    let high = sorted[sorted.len() - 1] * 1.4;
    let range = (low..high).log_scale().with_key_points(ticks(low, high));
    let mut chart = panel(area, "Training loss", losses.len(), range)?;
    mesh(&mut chart, losses.len(), "cross-entropy, nats (log scale)", &|y| format_loss(*y))?;
    epochs(&mut chart, record, low..high)?;
    chart
        .draw_series(losses.iter().enumerate().map(|(i, &y)| dot(i, y.max(low), losses.len(), BLUE)))?
        .label("each step")
        .legend(|(x, y)| Circle::new((x + 10, y), 3, BLUE.mix(0.45).filled()));
    chart
        .draw_series(LineSeries::new(points(&line), BLUE.stroke_width(3)))?
        .label(format!("mean of {}", steps(window(losses.len()))))
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(3)));
    legend(&mut chart, SeriesLabelPosition::UpperRight)
}

fn accuracy(area: &Area<'_>, record: &Record) -> Outcome<()> {
    let batch: Vec<f64> =
        record.correct.iter().map(|&c| 100.0 * f64::from(c) / record.batch_size as f64).collect();
    let line = smoothed(&batch);
    let tests: Vec<(f64, f64)> = record.tests.iter().map(|&(step, a)| (step as f64, 100.0 * a)).collect();
    // The axis fits the smoothed line after its steep start, so that the end can be read.
    let settled = &line[line.len().min(line.len() / 20 + 1) - 1..];
    let low = settled.iter().chain(tests.iter().map(|(_, y)| y)).fold(100.0f64, |m, &y| m.min(y));
    let low = ((low - 1.0) / 5.0).floor().max(0.0) * 5.0;
    let high = 100.0 + (100.0 - low) * 0.03;
    let start = line.iter().rposition(|&y| y < low).map_or(0, |i| i + 1);
    let mut chart = panel(area, "Accuracy", batch.len(), low..high)?;
    mesh(&mut chart, batch.len(), "correct predictions, %", &|y| format!("{y:.0}"))?;
    epochs(&mut chart, record, low..high)?;
    chart
        .draw_series(
            batch.iter().enumerate().filter(|&(_, &y)| y >= low).map(|(i, &y)| dot(i, y, batch.len(), BLUE)),
        )?
        .label("training, each step")
        .legend(|(x, y)| Circle::new((x + 10, y), 3, BLUE.mix(0.45).filled()));
    chart
        .draw_series(LineSeries::new(points(&line).filter(|&(x, _)| x > start as f64), BLUE.stroke_width(3)))?
        .label(format!("training, mean of {}", steps(window(batch.len()))))
        .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(3)));
    chart.draw_series(LineSeries::new(tests.iter().copied(), ORANGE.stroke_width(3)))?;
    chart
        .draw_series(tests.iter().map(|&at| Circle::new(at, 7, ORANGE.filled())))?
        .label("test images, after each epoch")
        .legend(|(x, y)| Circle::new((x + 10, y), 6, ORANGE.filled()));
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}

type Chart<'a, 'b, Y> =
    ChartContext<'a, BitMapBackend<'b>, Cartesian2d<plotters::coord::types::RangedCoordf64, Y>>;

fn panel<'a, 'b, Y>(
    area: &'a Area<'b>,
    caption: &str,
    steps: usize,
    range: Y,
) -> Outcome<Chart<'a, 'b, Y::CoordDescType>>
where
    Y: AsRangedCoord<Value = f64>,
{
    Ok(ChartBuilder::on(area)
        .caption(caption, (FONT, 24).into_font().color(&INK))
        .margin_top(12)
        .x_label_area_size(56)
        .y_label_area_size(92)
        // Room at the right for the last point's mark.
        .build_cartesian_2d(0.0..steps as f64 * 1.01, range)?)
}

fn mesh<Y>(
    chart: &mut Chart<'_, '_, Y>,
    steps: usize,
    unit: &str,
    format: &dyn Fn(&f64) -> String,
) -> Outcome<()>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart
        .configure_mesh()
        .x_desc("training step")
        .y_desc(unit)
        .x_labels(11.min(steps + 1))
        .y_labels(9)
        .max_light_lines(1)
        .light_line_style(WHITE.mix(0.0))
        .bold_line_style(FAINT)
        .axis_style(INK.mix(0.6))
        .label_style((FONT, 19).into_font().color(&INK))
        .axis_desc_style((FONT, 20).into_font().color(&INK))
        .x_label_formatter(&|&x| thousands(x))
        .y_label_formatter(format)
        .draw()?;
    Ok(())
}

/// An upright line at the end of each epoch, as long as there are not too many.
fn epochs<Y>(chart: &mut Chart<'_, '_, Y>, record: &Record, range: std::ops::Range<f64>) -> Outcome<()>
where
    Y: Ranged<ValueType = f64>,
{
    if (2..=40).contains(&record.tests.len()) {
        chart.draw_series(record.tests.iter().map(|&(step, _)| {
            let x = step as f64;
            PathElement::new([(x, range.start), (x, range.end)], INK.mix(0.25))
        }))?;
    }
    Ok(())
}

fn legend<'a, 'b: 'a, Y>(chart: &mut Chart<'a, 'b, Y>, position: SeriesLabelPosition) -> Outcome<()>
where
    Y: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .margin(14)
        .legend_area_size(34)
        .label_font((FONT, 19).into_font().color(&INK))
        .background_style(WHITE.mix(0.9))
        .border_style(FAINT)
        .draw()?;
    Ok(())
}

/// A single step's value, fainter the more steps there are.
fn dot(step: usize, y: f64, steps: usize, colour: RGBColor) -> Circle<(f64, f64), i32> {
    let strength = (300.0 / steps as f64).clamp(0.1, 0.5);
    Circle::new(((step + 1) as f64, y), 2, colour.mix(strength).filled())
}

/// A smoothed line, with no more points than the picture can show.
fn points(values: &[f64]) -> impl Iterator<Item = (f64, f64)> + '_ {
    let stride = (values.len() / 400).max(1);
    let last = values.len().saturating_sub(1);
    let points = values.iter().enumerate().map(|(i, &y)| ((i + 1) as f64, y));
    points.enumerate().filter(move |(i, _)| i % stride == 0 || *i == last).map(|(_, point)| point)
}

/// Steps that a point of the smoothed line averages: odd, so that they lie around it evenly.
fn window(steps: usize) -> usize {
    (steps / WINDOW) | 1
}

/// For each step, the mean of the steps around it; of fewer at the ends.
fn smoothed(values: &[f64]) -> Vec<f64> {
    let half = window(values.len()) / 2;
    (0..values.len())
        .map(|i| {
            let around = &values[i.saturating_sub(half)..(i + half + 1).min(values.len())];
            around.iter().sum::<f64>() / around.len() as f64
        })
        .collect()
}

/// Marks of a logarithmic axis: 1, 2 and 5 times the powers of ten.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    (-7..7)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

fn steps(count: usize) -> String {
    format!("{} step{}", thousands(count as f64), if count == 1 { "" } else { "s" })
}

fn format_loss(loss: f64) -> String {
    // A power of ten as computed may lie just below the true one.
    let digits = (-(loss * 1.001).log10().floor()).max(0.0) as usize;
    format!("{loss:.digits$}")
}
