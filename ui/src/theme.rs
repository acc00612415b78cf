//! One type scale, one spacing scale, and colours that mean the same everywhere.

use egui::Color32;

/// Spacing scale in points: between parts of a control, controls, groups, cards, and around the page.
pub const SPACE: [f32; 5] = [4.0, 8.0, 12.0, 16.0, 24.0];
/// Height of whatever can be pressed, in points; fingers need 40.
pub const TARGET: f32 = 40.0;
/// Below this width in points everything stands in one column.
pub const NARROW: f32 = 700.0;

/// Colours by meaning, safe for colour-blind eyes.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// What asks to be pressed.
    pub accent: Color32,
    /// Positive numbers.
    pub positive: Color32,
    /// Negative numbers.
    pub negative: Color32,
    /// Zero and pruned.
    pub zero: Color32,
    /// Sparse entries Ω.
    pub sparse: Color32,
    /// Something to look at.
    pub warning: Color32,
    /// Something is wrong.
    pub error: Color32,
    /// Something is done.
    pub good: Color32,
}

/// The colours for the dark or light theme.
#[must_use]
pub fn palette(dark: bool) -> Palette {
    let rgb = Color32::from_rgb;
    if dark {
        Palette {
            accent: rgb(0x4c, 0x9b, 0xf5),
            positive: rgb(0xe6, 0x9f, 0x00),
            negative: rgb(0x56, 0xb4, 0xe9),
            zero: rgb(0x5a, 0x5f, 0x6a),
            sparse: rgb(0xf0, 0xe4, 0x42),
            warning: rgb(0xe6, 0x9f, 0x00),
            error: rgb(0xff, 0x7b, 0x72),
            good: rgb(0x2f, 0xc4, 0x94),
        }
    } else {
        Palette {
            accent: rgb(0x0b, 0x62, 0xc4),
            positive: rgb(0xb3, 0x6b, 0x00),
            negative: rgb(0x00, 0x72, 0xb2),
            zero: rgb(0xb4, 0xb9, 0xc2),
            sparse: rgb(0x8a, 0x6d, 0x00),
            warning: rgb(0x9a, 0x5b, 0x00),
            error: rgb(0xb3, 0x26, 0x1e),
            good: rgb(0x00, 0x7a, 0x57),
        }
    }
}

/// The colours of the theme `ui` is drawn in.
#[must_use]
pub fn colours(ui: &egui::Ui) -> Palette {
    palette(ui.visuals().dark_mode)
}
