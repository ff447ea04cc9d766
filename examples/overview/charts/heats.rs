//! Maps of numbers in colours, in rows, with captions and a scale beside each.

use super::{FAINT, INK, Outcome, font, page};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const MARGIN: i32 = 18;
const CAPTION: i32 = 26;
/// Room for the scale of a map.
const SCALE: i32 = 74;

/// What numbers look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// From black to white.
    Grey,
    /// From white over blue to a dark blue.
    Blue,
    /// From blue over white to orange, with white at zero.
    Signed,
}

/// A map of `width * height` numbers.
pub struct Heat {
    pub caption: String,
    pub width: usize,
    pub height: usize,
    pub values: Vec<f64>,
    /// The least and the largest number that colours tell apart.
    pub range: (f64, f64),
    /// Side of the square that shows a number.
    pub side: i32,
    pub colours: Colours,
    /// Whether each square says its number, with so many digits.
    pub digits: Option<usize>,
    /// Whether a scale stands beside the map.
    pub scale: bool,
}

impl Heat {
    /// A map whose colours reach from the least to the largest number.
    pub fn new(
        caption: impl Into<String>,
        [height, width]: [usize; 2],
        values: Vec<f64>,
        colours: Colours,
    ) -> Heat {
        assert_eq!(values.len(), width * height, "a map has width * height numbers");
        let low = values.iter().copied().fold(f64::MAX, f64::min);
        let high = values.iter().copied().fold(f64::MIN, f64::max);
        let range = match colours {
            Colours::Signed => (-low.abs().max(high.abs()), low.abs().max(high.abs())),
            _ => (low, high),
        };
        Heat {
            caption: caption.into(),
            width,
            height,
            values,
            range,
            side: 8,
            colours,
            digits: None,
            scale: false,
        }
    }

    pub fn side(mut self, side: i32) -> Heat {
        self.side = side;
        self
    }

    pub fn range(mut self, low: f64, high: f64) -> Heat {
        self.range = (low, high);
        self
    }

    pub fn digits(mut self, digits: usize) -> Heat {
        self.digits = Some(digits);
        self
    }

    pub fn with_scale(mut self) -> Heat {
        self.scale = true;
        self
    }

    fn size(&self) -> (i32, i32) {
        let scale = if self.scale { SCALE } else { 0 };
        let caption = if self.caption.is_empty() { 6 } else { CAPTION };
        // About the width of the caption's letters.
        let text = self.caption.chars().count() as i32 * 8;
        ((self.width as i32 * self.side + scale).max(text), self.height as i32 * self.side + caption)
    }

    fn colour(&self, value: f64) -> RGBColor {
        let (low, high) = self.range;
        let t = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        let stops: &[[f64; 3]] = match self.colours {
            Colours::Grey => &[[0.0; 3], [255.0; 3]],
            Colours::Blue => {
                &[[248.0, 250.0, 252.0], [158.0, 197.0, 232.0], [31.0, 102.0, 184.0], [10.0, 36.0, 82.0]]
            }
            Colours::Signed => &[[31.0, 102.0, 184.0], [250.0, 250.0, 250.0], [214.0, 94.0, 22.0]],
        };
        let at = t * (stops.len() - 1) as f64;
        let first = (at as usize).min(stops.len() - 2);
        let mix = |i: usize| {
            (stops[first][i] + (at - first as f64) * (stops[first + 1][i] - stops[first][i])) as u8
        };
        RGBColor(mix(0), mix(1), mix(2))
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 100.0 || value.fract() == 0.0 && size < 1e6 => format!("{value:.0}"),
        size if size >= 0.01 => format!("{value:.2}"),
        _ => format!("{value:.0e}"),
    }
}

/// Writes rows of maps to a PNG.
pub fn heats(path: &Path, rows: &[Vec<Heat>]) -> Outcome<()> {
    let across = |row: &Vec<Heat>| row.iter().map(|heat| heat.size().0 + MARGIN).sum::<i32>() + MARGIN;
    let down = |row: &Vec<Heat>| row.iter().map(|heat| heat.size().1 + MARGIN).max().unwrap_or(0);
    let size = (
        rows.iter().map(across).max().unwrap_or(1) as u32,
        (rows.iter().map(down).sum::<i32>() + MARGIN) as u32,
    );
    page(path, size, |root| {
        let centred = font(14).pos(Pos::new(HPos::Center, VPos::Center));
        let mut y = MARGIN;
        for row in rows {
            let mut x = MARGIN;
            for heat in row {
                root.draw_text(&heat.caption, &font(17), (x, y - 4))?;
                let top = y + heat.size().1 - heat.height as i32 * heat.side;
                for (i, &value) in heat.values.iter().enumerate() {
                    let (left, up) =
                        ((i % heat.width) as i32 * heat.side + x, (i / heat.width) as i32 * heat.side + top);
                    let colour = heat.colour(value);
                    for at in 0..heat.side * heat.side {
                        root.draw_pixel((left + at % heat.side, up + at / heat.side), &colour)?;
                    }
                    if let Some(digits) = heat.digits {
                        let dark = u32::from(colour.0) + u32::from(colour.1) + u32::from(colour.2) < 380;
                        let style = centred.color(if dark { &WHITE } else { &INK });
                        let middle = (left + heat.side / 2, up + heat.side / 2);
                        root.draw_text(&format!("{value:.digits$}"), &style, middle)?;
                    }
                }
                let (right, bottom) =
                    (x + heat.width as i32 * heat.side, top + heat.height as i32 * heat.side);
                root.draw(&Rectangle::new([(x - 1, top - 1), (right, bottom)], FAINT))?;
                if heat.scale {
                    let (low, high) = heat.range;
                    for step in 0..bottom - top {
                        let value =
                            high - (high - low) * f64::from(step) / f64::from((bottom - top - 1).max(1));
                        let line = [(right + 8, top + step), (right + 18, top + step + 1)];
                        root.draw(&Rectangle::new(line, heat.colour(value).filled()))?;
                    }
                    root.draw_text(&short(high), &font(14), (right + 22, top - 2))?;
                    root.draw_text(&short(low), &font(14), (right + 22, bottom - 14))?;
                }
                x += heat.size().0 + MARGIN;
            }
            y += down(row);
        }
        Ok(())
    })
}
