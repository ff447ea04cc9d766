//! Charts as PNGs: `lines` has lines, dots and bars over two axes, `heats` has maps of numbers in colours; `axis` has the axes. Here are the
//! colours, the font and the file that both share.

mod axis;
mod heats;
mod lines;

pub use axis::Axis;
pub use heats::{Colours, Heat, heats};
pub use lines::{Chart, Series, charts};

use crate::panels::Outcome;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

const FONT: &str = "overview";
const INK: RGBColor = RGBColor(38, 44, 52);
const FAINT: RGBColor = RGBColor(226, 230, 235);
pub const BLUE: RGBColor = RGBColor(31, 102, 184);
pub const ORANGE: RGBColor = RGBColor(214, 94, 22);
pub const GREEN: RGBColor = RGBColor(34, 139, 94);
pub const PURPLE: RGBColor = RGBColor(128, 76, 168);
pub const RED: RGBColor = RGBColor(190, 40, 70);
pub const GREY: RGBColor = RGBColor(140, 148, 158);
/// For series that differ by a setting, in their order.
pub const SERIES: [RGBColor; 6] = [BLUE, ORANGE, GREEN, PURPLE, RED, GREY];

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

fn font(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Draws on a white page of this size, and writes it to a PNG as a whole.
fn page(path: &Path, size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Outcome<()>) -> Outcome<()> {
    for style in [FontStyle::Normal, FontStyle::Bold] {
        plotters::style::register_font(FONT, style, epaint_default_fonts::UBUNTU_LIGHT)
            .map_err(|_| "the built-in font is damaged")?;
    }
    let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        root.fill(&WHITE)?;
        draw(&root)?;
        root.present()?;
    }
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive).write_image(
        &pixels,
        size.0,
        size.1,
        ExtendedColorType::Rgb8,
    )?;
    Ok(wgrad::file::write_whole(path, &bytes)?)
}
