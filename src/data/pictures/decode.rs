//! Decodes pictures. Sizes are checked before memory is taken, and a file that ends too early is refused, where many
//! decoders fill up what is missing with grey.

use crate::file::{START, Wanted, foreign};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};
use std::io::Cursor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The most rows or columns.
const LONGEST: u32 = 1 << 15;
/// The most bytes of a decoded picture: so many, and so many for each byte of its file. No format packs one colour
/// much denser.
const FREE: u64 = 16 << 20;
const DENSEST: u64 = 1100;
/// Weights of red, green and blue in grey, of 65536: those of Rec. 601, as Pillow has them.
const GREY: [u32; 3] = [19595, 38470, 7471];

/// A decoded picture: its pixels row by row, with their channels one after the other.
#[derive(Debug)]
pub(super) struct Decoded {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// Decodes a file's contents, of so many pixels at the most, to one or three channels. The error says what is wrong with the
/// file.
pub(super) fn decode(bytes: &[u8], channels: usize, most: u64) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("is empty".into());
    }
    let image = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg(bytes, most)?,
        Ok(format @ (ImageFormat::Png | ImageFormat::WebP)) => other(bytes, format, most)?,
        _ => {
            let what = foreign(&bytes[..bytes.len().min(START)], Wanted::Data);
            return Err(match what {
                Some(what) => format!("is no PNG, JPEG or WebP; it is {what}"),
                None => "is no PNG, JPEG or WebP; convert it".to_owned(),
            });
        }
    };
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = image.into_raw();
    let pixels = if channels == 1 { grey(&pixels) } else { pixels };
    Ok(Decoded { width, height, pixels })
}

fn jpeg(bytes: &[u8], most: u64) -> Result<RgbImage, String> {
    let damaged = |error: zune_jpeg::errors::DecodeErrors| format!("is a damaged JPEG: {error}");
    let options = DecoderOptions::new_fast()
        // Anything else fills up what is missing.
        .set_strict_mode(true)
        // `check_size` has a limit of its own.
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let Some(info) = decoder.info() else { return Err("is a JPEG without a header".into()) };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check_size(width, height, 3 * u64::from(width) * u64::from(height), bytes, most)?;
    let pixels = decoder.decode().map_err(damaged)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let Some(image) = RgbImage::from_raw(width, height, pixels) else {
        return Err("is a JPEG of a kind that can't be decoded to red, green and blue".into());
    };
    Ok(upright(DynamicImage::ImageRgb8(image), orientation.unwrap_or(Orientation::NoTransforms)))
}

fn other(bytes: &[u8], format: ImageFormat, most: u64) -> Result<RgbImage, String> {
    let refused = |error: ImageError| match error {
        ImageError::Limits(limit) => format!("is too large: {limit}"),
        error => format!("is damaged: {error}"),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(4 * allowed(bytes));
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes(), bytes, most)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(upright(DynamicImage::from_decoder(decoder).map_err(refused)?, orientation))
}

/// The bytes that a picture may decode to.
fn allowed(file: &[u8]) -> u64 {
    FREE + DENSEST * file.len() as u64
}

fn check_size(width: u32, height: u32, decoded: u64, file: &[u8], most: u64) -> Result<(), String> {
    if width.max(height) > LONGEST {
        return Err(format!("is too large: it has {width} x {height} pixels, a side may have {LONGEST}"));
    }
    if u64::from(width) * u64::from(height) > most {
        return Err(format!("has {width} x {height} pixels, the most is {most}"));
    }
    if width == 0 || height == 0 || decoded > allowed(file) {
        let length = file.len();
        return Err(format!("promises {width} x {height} pixels in a file of {length} bytes; it is damaged"));
    }
    Ok(())
}

fn upright(mut image: DynamicImage, orientation: Orientation) -> RgbImage {
    image.apply_orientation(orientation);
    image.into_rgb8()
}

fn grey(pixels: &[u8]) -> Vec<u8> {
    let grey = |pixel: &[u8]| {
        let sum: u32 = pixel.iter().zip(GREY).map(|(&channel, weight)| u32::from(channel) * weight).sum();
        ((sum + (1 << 15)) >> 16) as u8
    };
    pixels.chunks_exact(3).map(grey).collect()
}
