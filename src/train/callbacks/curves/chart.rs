//! Panels with axes, marks and smoothed lines, on plotters' bitmap.

use super::Drawn;
use crate::train::History;
use crate::train::history::thousands;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::ops::Range;

const FONT: &str = "wgrad curves";
const INK: RGBColor = RGBColor(38, 44, 52);
const FAINT: RGBColor = RGBColor(222, 226, 231);
const BLUE: RGBColor = RGBColor(31, 102, 184);
const ORANGE: RGBColor = RGBColor(214, 94, 22);
/// The smoothed line averages, around each step, the number of all steps divided by this.
const WINDOW: usize = 50;

pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// A white page on these pixels, three bytes each.
pub(super) fn page(pixels: &mut [u8], size: (u32, u32)) -> Drawn<Area<'_>> {
    for style in [FontStyle::Normal, FontStyle::Bold] {
        plotters::style::register_font(FONT, style, epaint_default_fonts::UBUNTU_LIGHT)
            .map_err(|_| "the built-in font is damaged")?;
    }
    let root = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
    root.fill(&WHITE)?;
    Ok(root.margin(18, 18, 22, 34))
}

/// The part of a page below its titles.
pub(super) fn titled<'a>(page: &Area<'a>, title: &str, subtitle: &str) -> Drawn<Area<'a>> {
    let rest = page.titled(title, (FONT, 34).into_font().color(&INK))?;
    Ok(rest.titled(subtitle, (FONT, 20).into_font().color(&INK.mix(0.75)))?)
}

/// A panel over the steps of a run.
pub(super) struct Chart<'a, 'b, Y: Ranged> {
    context: ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, Y>>,
    first: f64,
    steps: usize,
}

impl<'a, 'b: 'a, Y> Chart<'a, 'b, Y>
where
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    pub(super) fn new<R>(
        area: &'a Area<'b>,
        caption: &str,
        first: u64,
        steps: usize,
        range: R,
    ) -> Drawn<Chart<'a, 'b, Y>>
    where
        R: AsRangedCoord<Value = f64, CoordDescType = Y>,
    {
        let first = first as f64;
        let context = ChartBuilder::on(area)
            .caption(caption, (FONT, 24).into_font().color(&INK))
            .margin_top(12)
            .x_label_area_size(56)
            .y_label_area_size(92)
            // Room at the right for the last point's mark.
            .build_cartesian_2d(first..first + steps as f64 * 1.01, range)?;
        Ok(Chart { context, first, steps })
    }

    pub(super) fn mesh(&mut self, unit: &str, format: &dyn Fn(&f64) -> String) -> Drawn<()> {
        self.context
            .configure_mesh()
            .x_desc("training step")
            .y_desc(unit)
            .x_labels(11.min(self.steps + 1))
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
    pub(super) fn ends(&mut self, history: &History, range: Range<f64>) -> Drawn<()> {
        if (2..=40).contains(&history.epochs.len()) {
            let first = history.first_step;
            let ends = history.epochs.iter().map(|epoch| epoch.steps).filter(|&steps| steps > first);
            self.context.draw_series(ends.map(|steps| {
                let x = steps as f64;
                PathElement::new([(x, range.start), (x, range.end)], INK.mix(0.25))
            }))?;
        }
        Ok(())
    }

    /// A dot for each step's value of at least `low`, fainter the more steps there are.
    pub(super) fn dots(&mut self, values: &[f64], low: f64, label: &str) -> Drawn<()> {
        let strength = (300.0 / values.len() as f64).clamp(0.1, 0.5);
        let first = self.first;
        let points = values.iter().enumerate().filter(|&(_, &y)| y >= low);
        self.context
            .draw_series(
                points
                    .map(|(i, &y)| Circle::new((first + (i + 1) as f64, y), 2, BLUE.mix(strength).filled())),
            )?
            .label(label)
            .legend(|(x, y)| Circle::new((x + 10, y), 3, BLUE.mix(0.45).filled()));
        Ok(())
    }

    /// A smoothed line past value number `start`, with no more points than the picture can show.
    pub(super) fn line(&mut self, values: &[f64], start: f64) -> Drawn<()> {
        let stride = (values.len() / 400).max(1);
        let (first, last) = (self.first, values.len().saturating_sub(1));
        let shown = values.iter().enumerate().filter(|&(i, _)| i % stride == 0 || i == last);
        let points =
            shown.filter(|&(i, _)| (i + 1) as f64 > start).map(|(i, &y)| (first + (i + 1) as f64, y));
        self.context
            .draw_series(LineSeries::new(points, BLUE.stroke_width(3)))?
            .label(format!("mean of {}", steps(window(values.len()))))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLUE.stroke_width(3)));
        Ok(())
    }

    /// Marks at these points, joined by a line.
    pub(super) fn marks(&mut self, points: &[(f64, f64)], label: &str) -> Drawn<()> {
        self.context.draw_series(LineSeries::new(points.iter().copied(), ORANGE.stroke_width(3)))?;
        self.context
            .draw_series(points.iter().map(|&at| Circle::new(at, 7, ORANGE.filled())))?
            .label(label)
            .legend(|(x, y)| Circle::new((x + 10, y), 6, ORANGE.filled()));
        Ok(())
    }

    pub(super) fn legend(mut self, position: SeriesLabelPosition) -> Drawn<()> {
        self.context
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
}

/// Steps that a point of the smoothed line averages: odd, so that they lie around it evenly.
fn window(steps: usize) -> usize {
    (steps / WINDOW) | 1
}

/// For each step, the mean of the steps around it; of fewer at the ends.
pub(super) fn smoothed(values: &[f64]) -> Vec<f64> {
    let half = window(values.len()) / 2;
    let around = |i: usize| &values[i.saturating_sub(half)..(i + half + 1).min(values.len())];
    (0..values.len()).map(|i| around(i).iter().sum::<f64>() / around(i).len() as f64).collect()
}

/// Marks of a logarithmic axis: 1, 2 and 5 times the powers of ten.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    (-7..7)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)))
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

pub(super) fn steps(count: usize) -> String {
    format!("{} step{}", thousands(count as f64), if count == 1 { "" } else { "s" })
}

/// A number with as many digits as tell it from 0.
pub(super) fn decimal(number: f64) -> String {
    // A power of ten as computed may lie just below the true one.
    let digits = (-(number * 1.001).log10().floor()).max(0.0) as usize;
    format!("{number:.digits$}")
}
