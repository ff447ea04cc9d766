//! Charts with two axes: lines, dots and bars, with a legend.

use super::axis::{Axis, Span};
use super::{Area, FAINT, INK, Outcome, font, page};
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (600, 400);

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
