//! Draws rows of pictures with captions to a PNG. Shared by the examples that draw pictures with text.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../program/mod.rs"]
mod program;

use plotters::prelude::*;
pub(crate) use program::{Outcome, end, say};
use std::path::Path;

const FONT: &str = "panels";
const INK: RGBColor = RGBColor(38, 44, 52);
const MARGIN: u32 = 20;
const CAPTION: u32 = 26;
const TITLE: u32 = 44;

/// A grey picture: `width * height` values, 0 black and 1 white.
pub struct Panel {
    pub caption: String,
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<f32>,
    /// Side of the square on the page that shows one pixel.
    pub scale: usize,
    /// Bars below the picture, each with its height and half the length of its whisker, from 0 to 1.
    pub bars: Vec<(f32, f32)>,
}

impl Panel {
    /// A picture of these values, one pixel of the page for each.
    pub fn new(caption: impl Into<String>, width: usize, height: usize, pixels: Vec<f32>) -> Panel {
        assert_eq!(pixels.len(), width * height, "a panel has width * height pixels");
        Panel { caption: caption.into(), width, height, pixels, scale: 1, bars: Vec::new() }
    }

    /// The same picture, enlarged.
    pub fn scaled(mut self, scale: usize) -> Panel {
        self.scale = scale;
        self
    }

    fn size(&self) -> (u32, u32) {
        let bars = if self.bars.is_empty() { 0 } else { BARS };
        ((self.width * self.scale) as u32, (self.height * self.scale) as u32 + CAPTION + bars)
    }
}

/// Height of a panel's bars on the page.
const BARS: u32 = 60;

/// Writes rows of panels to a PNG of this name.
pub fn draw(path: &Path, title: &str, rows: &[Vec<Panel>]) -> Outcome<()> {
    plotters::style::register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
        .map_err(|_| "the built-in font is damaged")?;
    let across = |row: &Vec<Panel>| row.iter().map(|panel| panel.size().0 + MARGIN).sum::<u32>() + MARGIN;
    let down = |row: &Vec<Panel>| row.iter().map(|panel| panel.size().1 + MARGIN).max().unwrap_or(0);
    let size = (
        rows.iter().map(across).max().unwrap_or(1).max(600),
        rows.iter().map(down).sum::<u32>() + MARGIN + TITLE,
    );
    // The library draws to a temporary file, which is then written to its place as a whole.
    let drawing = tempfile::Builder::new().suffix(".png").tempfile()?;
    {
        let root = BitMapBackend::new(drawing.path(), size).into_drawing_area();
        root.fill(&WHITE)?;
        let font = |size: u32| (FONT, size).into_font().color(&INK);
        root.draw_text(title, &font(26), (MARGIN as i32, MARGIN as i32 - 6))?;
        let mut y = (MARGIN + TITLE) as i32;
        for row in rows {
            let mut x = MARGIN as i32;
            for panel in row {
                root.draw_text(&panel.caption, &font(18), (x, y))?;
                let side = panel.scale as i32;
                let top = y + CAPTION as i32;
                for (i, value) in panel.pixels.iter().enumerate() {
                    let (px, py) =
                        ((i % panel.width) as i32 * side + x, (i / panel.width) as i32 * side + top);
                    let grey = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
                    let color = RGBColor(grey, grey, grey);
                    for at in 0..side * side {
                        root.draw_pixel((px + at % side, py + at / side), &color)?;
                    }
                }
                bars(&root, panel, x, top + (panel.height * panel.scale) as i32)?;
                x += (panel.size().0 + MARGIN) as i32;
            }
            y += down(row) as i32;
        }
        root.present()?;
    }
    wgrad::file::write_whole(path, &std::fs::read(drawing.path())?)?;
    Ok(())
}

fn bars(
    root: &DrawingArea<BitMapBackend<'_>, plotters::coord::Shift>,
    panel: &Panel,
    x: i32,
    top: i32,
) -> Outcome<()> {
    let width = (panel.width * panel.scale) as f32 / panel.bars.len().max(1) as f32;
    let bottom = top + BARS as i32;
    let height = |value: f32| (value.clamp(0.0, 1.0) * (BARS - 10) as f32) as i32;
    for (i, &(value, whisker)) in panel.bars.iter().enumerate() {
        let (left, right) = (x + (i as f32 * width) as i32, x + ((i + 1) as f32 * width) as i32 - 2);
        let bar = [(left, bottom - height(value)), (right, bottom)];
        root.draw(&Rectangle::new(bar, RGBColor(31, 102, 184).filled()))?;
        let middle = (left + right) / 2;
        let ends = [(middle, bottom - height(value - whisker)), (middle, bottom - height(value + whisker))];
        root.draw(&PathElement::new(ends, RGBColor(214, 94, 22).stroke_width(2)))?;
    }
    Ok(())
}
