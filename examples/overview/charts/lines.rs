//! Charts with two axes: lines, dots and bars, with a legend. Axes are linear, logarithmic or have names as marks.

use super::{Area, FAINT, INK, Outcome, font, page};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use std::ops::Range;
use std::path::Path;

const SIZE: (u32, u32) = (600, 400);

/// An axis as plotters draws it: a linear range with given marks.
struct Span {
    range: Range<f64>,
    marks: Vec<f64>,
}

impl Ranged for Span {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (f64::from(limit.1 - limit.0) * part).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// One axis: its name and what its marks are.
#[derive(Clone, Default)]
pub struct Axis {
    name: String,
    log: bool,
    range: Option<(f64, f64)>,
    names: Vec<String>,
}

impl Axis {
    pub fn new(name: &str) -> Axis {
        Axis { name: name.into(), ..Axis::default() }
    }

    pub fn log(mut self) -> Axis {
        self.log = true;
        self
    }

    /// Shows this range, also where no point lies.
    pub fn range(mut self, low: f64, high: f64) -> Axis {
        self.range = Some((low, high));
        self
    }

    /// Marks 0, 1, 2 and so on by these names.
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Axis {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    fn place(&self, value: f64) -> f64 {
        if self.log { value.max(1e-30).log10() } else { value }
    }

    /// The shown range, as places.
    fn span(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some((low, high)) = self.range {
            return (self.place(low), self.place(high));
        }
        if !self.names.is_empty() {
            return (-0.6, self.names.len() as f64 - 0.4);
        }
        let places = values.filter(|x| x.is_finite()).map(|x| self.place(x));
        let (low, high) = places.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        if low > high {
            return (0.0, 1.0);
        }
        let room = ((high - low) * 0.04).max(1e-9);
        (low - room, high + room)
    }

    fn marks(&self, (low, high): (f64, f64)) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|i| i as f64).collect();
        }
        if self.log && high - low > 2.0 {
            let step = ((high - low) / 7.0).ceil();
            return (0..100)
                .map(|i| (low / step).ceil() * step + i as f64 * step)
                .take_while(|x| *x <= high)
                .collect();
        }
        if self.log {
            let digits = (-12..12)
                .flat_map(|power| [1.0, 2.0, 5.0].map(|digit: f64| digit.log10() + f64::from(power)));
            return digits.filter(|x| (low..=high).contains(x)).collect();
        }
        let rough = (high - low) / 6.0;
        let unit = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|x| x * unit).into_iter().find(|x| *x >= rough).unwrap_or(rough);
        (0..100)
            .map(|i| (low / step).ceil() * step + f64::from(i) * step)
            .take_while(|x| *x <= high)
            .collect()
    }

    fn label(&self, place: f64) -> String {
        if !self.names.is_empty() {
            return self.names.get(place.round() as usize).cloned().unwrap_or_default();
        }
        let value = if self.log { 10f64.powf(place) } else { place };
        if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
            return format!("{value:.0e}");
        }
        // Without the tail that rounding leaves.
        let text = format!("{value:.4}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        if text == "-0" { "0".into() } else { text.to_owned() }
    }
}

enum Style {
    Line,
    Dots,
    /// Of this width.
    Bars(f64),
}

/// Points of one colour.
pub struct Series {
    label: String,
    points: Vec<(f64, f64)>,
    colour: RGBColor,
    style: Style,
}

impl Series {
    pub fn line(label: impl Into<String>, colour: RGBColor, points: Vec<(f64, f64)>) -> Series {
        Series { label: label.into(), points, colour, style: Style::Line }
    }

    pub fn dots(label: impl Into<String>, colour: RGBColor, points: Vec<(f64, f64)>) -> Series {
        Series { label: label.into(), points, colour, style: Style::Dots }
    }

    pub fn bars(label: impl Into<String>, colour: RGBColor, points: Vec<(f64, f64)>, width: f64) -> Series {
        Series { label: label.into(), points, colour, style: Style::Bars(width) }
    }
}

/// One chart.
pub struct Chart {
    pub caption: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    pub legend: SeriesLabelPosition,
}

impl Chart {
    pub fn new(caption: impl Into<String>, x: Axis, y: Axis, series: Vec<Series>) -> Chart {
        Chart { caption: caption.into(), x, y, series, legend: SeriesLabelPosition::UpperRight }
    }

    pub fn legend(mut self, position: SeriesLabelPosition) -> Chart {
        self.legend = position;
        self
    }

    fn draw(&self, area: &Area<'_>) -> Outcome<()> {
        let all = || self.series.iter().flat_map(|series| series.points.iter());
        let (left, right) = self.x.span(all().map(|point| point.0));
        let (low, high) = self.y.span(all().map(|point| point.1));
        let area = area.margin(4, 4, 8, 16);
        let (columns, rows) = (self.x.marks((left, right)), self.y.marks((low, high)));
        let mut context = ChartBuilder::on(&area)
            .caption(&self.caption, font(21))
            .x_label_area_size(46)
            .y_label_area_size(74)
            .build_cartesian_2d(
                Span { range: left..right, marks: columns.clone() },
                Span { range: low..high, marks: rows.clone() },
            )?;
        context
            .configure_mesh()
            .x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .x_labels(columns.len().max(1))
            .y_labels(rows.len().max(1))
            .max_light_lines(0)
            .bold_line_style(FAINT)
            .axis_style(INK.mix(0.6))
            .label_style(font(16))
            .axis_desc_style(font(17))
            .x_label_formatter(&|&x| self.x.label(x))
            .y_label_formatter(&|&y| self.y.label(y))
            .draw()?;
        for series in &self.series {
            let colour = series.colour;
            let points: Vec<(f64, f64)> = series
                .points
                .iter()
                .map(|&(x, y)| (self.x.place(x), self.y.place(y).clamp(low, high)))
                .collect();
            let drawn = match &series.style {
                Style::Line => context.draw_series(LineSeries::new(points, colour.stroke_width(2)))?,
                Style::Dots => {
                    context.draw_series(points.iter().map(|&at| Circle::new(at, 4, colour.filled())))?
                }
                Style::Bars(width) => {
                    let half = width / 2.0;
                    let floor = if self.y.log { low } else { 0f64.clamp(low, high) };
                    let bar = |&(x, y): &(f64, f64)| {
                        Rectangle::new([(x - half, floor), (x + half, y)], colour.mix(0.75).filled())
                    };
                    context.draw_series(points.iter().map(bar))?
                }
            };
            if !series.label.is_empty() {
                let square = !matches!(series.style, Style::Line);
                drawn.label(&series.label).legend(move |(x, y)| {
                    let half = if square { 5 } else { 1 };
                    Rectangle::new([(x + 2, y - half), (x + 20, y + half)], colour.filled())
                });
            }
        }
        if self.series.iter().any(|series| !series.label.is_empty()) {
            context
                .configure_series_labels()
                .position(self.legend.clone())
                .margin(10)
                .legend_area_size(28)
                .label_font(font(16))
                .background_style(WHITE.mix(0.85))
                .border_style(FAINT)
                .draw()?;
        }
        Ok(())
    }
}

/// Writes charts to a PNG, in rows of at most `columns`.
pub fn charts(path: &Path, columns: usize, all: &[Chart]) -> Outcome<()> {
    let columns = columns.min(all.len()).max(1);
    let rows = all.len().div_ceil(columns);
    let size = (SIZE.0 * columns as u32, SIZE.1 * rows as u32);
    page(path, size, |root| {
        for (area, chart) in root.split_evenly((rows, columns)).iter().zip(all) {
            chart.draw(area)?;
        }
        Ok(())
    })
}
