//! A picture of the window as a PNG file.

use anyhow::anyhow;
use eframe::icon_data::IconDataExt as _;
use egui::{ColorImage, IconData};
use std::path::Path;

use crate::atomic;

/// Writes a picture.
///
/// # Errors
/// If the file cannot be written.
pub fn save(path: &Path, image: &ColorImage) -> anyhow::Result<()> {
    let [width, height] = image.size.map(|side| side as u32);
    // A window shows no transparency, whatever its buffer holds.
    let rgba = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b(), 255]).collect();
    let png = IconData { rgba, width, height }.to_png_bytes().map_err(|error| anyhow!(error))?;
    Ok(atomic::write(path, &png)?)
}
