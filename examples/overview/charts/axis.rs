//! An axis of a chart: linear, logarithmic, or with names as marks.

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use std::ops::Range;

/// An axis as plotters draws it: a linear range with given marks.
pub(super) struct Span {
    pub range: Range<f64>,
    pub marks: Vec<f64>,
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
    pub(super) name: String,
    pub(super) log: bool,
    range: Option<(f64, f64)>,
    headroom: f64,
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

    /// Leaves so much of the axis free above the points, for a legend.
    pub fn headroom(mut self, part: f64) -> Axis {
        self.headroom = part;
        self
    }

    /// Marks 0, 1, 2 and so on by these names.
    pub fn names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Axis {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        if self.log { value.max(1e-30).log10() } else { value }
    }

    /// The shown range, as places.
    pub(super) fn span(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
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
        (low - room, high + room + self.headroom * (high - low))
    }

    pub(super) fn marks(&self, (low, high): (f64, f64)) -> Vec<f64> {
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

    pub(super) fn label(&self, place: f64) -> String {
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
