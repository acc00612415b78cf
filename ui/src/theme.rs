//! One type scale, one spacing scale, and colours that mean the same everywhere, dark and light.

use egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme,
    ThemePreference, Visuals, vec2,
};

/// Spacing scale in points: between parts of a control, controls, groups, cards, and around the page.
pub const SPACE: [f32; 5] = [4.0, 8.0, 12.0, 16.0, 24.0];
/// Height of whatever can be pressed, in points; fingers need 40.
pub const TARGET: f32 = 40.0;
/// Height of controls where a mouse is likely.
const CONTROL: f32 = 32.0;
/// Below this width in points everything stands in one column.
pub const NARROW: f32 = 700.0;
/// Rounding of cards; controls have half of it.
pub const ROUND: u8 = 10;

/// Type scale in points: notes, text, headings, large numbers and titles.
pub const TYPE: [f32; 4] = [12.5, 15.0, 19.0, 25.0];

/// Colours by meaning, safe for colour-blind eyes.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind everything.
    pub page: Color32,
    /// Cards and bars on the page.
    pub surface: Color32,
    /// Buttons and fields on a card.
    pub raised: Color32,
    /// Edges of cards and fields.
    pub border: Color32,
    /// Text.
    pub text: Color32,
    /// Headings and numbers.
    pub strong: Color32,
    /// Notes and names of numbers.
    pub weak: Color32,
    /// What asks to be pressed, where it is a line or a word.
    pub accent: Color32,
    /// What asks to be pressed, where it is a surface under white text.
    pub accent_fill: Color32,
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
    if dark { DARK } else { LIGHT }
}

/// The colours of the theme `ui` is drawn in.
#[must_use]
pub fn colours(ui: &egui::Ui) -> Palette {
    palette(ui.visuals().dark_mode)
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const DARK: Palette = Palette {
    page: rgb(0x0e1116),
    surface: rgb(0x171b22),
    raised: rgb(0x252b35),
    border: rgb(0x2b323d),
    text: rgb(0xd3dae4),
    strong: rgb(0xf5f8fc),
    weak: rgb(0x98a3b2),
    accent: rgb(0x5aa7ff),
    accent_fill: rgb(0x1f6fd8),
    positive: rgb(0xe69f00),
    negative: rgb(0x56b4e9),
    zero: rgb(0x5a5f6a),
    sparse: rgb(0xf0e442),
    warning: rgb(0xf0ad2e),
    error: rgb(0xff7b72),
    good: rgb(0x2fc494),
};

const LIGHT: Palette = Palette {
    page: rgb(0xf2f4f7),
    surface: rgb(0xffffff),
    raised: rgb(0xe8ecf1),
    border: rgb(0xd8dee6),
    text: rgb(0x232b36),
    strong: rgb(0x0a0f16),
    weak: rgb(0x566273),
    accent: rgb(0x0b62c4),
    accent_fill: rgb(0x0b62c4),
    positive: rgb(0xb36b00),
    negative: rgb(0x0072b2),
    zero: rgb(0xb4b9c2),
    sparse: rgb(0x8a6d00),
    warning: rgb(0x9a5b00),
    error: rgb(0xb3261e),
    good: rgb(0x007a57),
};

/// The text style of large numbers and of the product's name.
#[must_use]
pub fn display() -> TextStyle {
    TextStyle::Name("display".into())
}

/// Gives `ctx` both themes and lets it follow the system. Once, before the first frame.
pub fn install(ctx: &Context) {
    for (theme, palette) in [(Theme::Dark, DARK), (Theme::Light, LIGHT)] {
        ctx.style_mut_of(theme, |style| {
            set_type(style);
            set_spacing(style);
            set_visuals(&mut style.visuals, &palette);
        });
    }
    ctx.set_theme(ThemePreference::System);
}

/// Makes the controls in `ui` as high as its width asks for: fingers use narrow windows.
pub fn set_density(ui: &mut egui::Ui, narrow: bool) {
    let height = if narrow { TARGET } else { CONTROL };
    ui.spacing_mut().interact_size = vec2(height, height);
    // The padding fills up what a line of text leaves.
    ui.spacing_mut().button_padding.y = (height - TYPE[1] * 1.25) / 2.0;
}

fn set_type(style: &mut Style) {
    let text = |size| FontId::new(size, FontFamily::Proportional);
    style.text_styles = [
        (TextStyle::Small, text(TYPE[0])),
        (TextStyle::Body, text(TYPE[1])),
        (TextStyle::Button, text(TYPE[1])),
        (TextStyle::Heading, text(TYPE[2])),
        (display(), text(TYPE[3])),
        (TextStyle::Monospace, FontId::new(TYPE[0] + 0.5, FontFamily::Monospace)),
    ]
    .into();
}

fn set_spacing(style: &mut Style) {
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(SPACE[1], SPACE[1]);
    spacing.button_padding = vec2(SPACE[2], 6.5);
    spacing.interact_size = vec2(CONTROL, CONTROL);
    spacing.window_margin = Margin::same(SPACE[4] as i8);
    spacing.menu_margin = Margin::same(SPACE[1] as i8);
    spacing.icon_width = 18.0;
    spacing.icon_width_inner = 10.0;
    spacing.icon_spacing = SPACE[1];
    spacing.slider_width = 180.0;
    spacing.tooltip_width = 360.0;
    style.interaction.selectable_labels = false;
    style.animation_time = 0.1;
}

fn set_visuals(visuals: &mut Visuals, palette: &Palette) {
    visuals.panel_fill = palette.page;
    visuals.window_fill = palette.surface;
    visuals.window_stroke = Stroke::new(1.0, palette.border);
    visuals.window_corner_radius = CornerRadius::same(ROUND);
    visuals.menu_corner_radius = CornerRadius::same(ROUND);
    visuals.window_shadow =
        Shadow { offset: [0, 8], blur: 24, spread: 0, color: Color32::from_black_alpha(60) };
    visuals.popup_shadow = visuals.window_shadow;
    visuals.faint_bg_color = palette.raised.gamma_multiply(0.35);
    visuals.extreme_bg_color = palette.page;
    visuals.text_edit_bg_color = Some(palette.page);
    visuals.code_bg_color = palette.raised;
    visuals.hyperlink_color = palette.accent;
    visuals.warn_fg_color = palette.warning;
    visuals.error_fg_color = palette.error;
    visuals.weak_text_color = Some(palette.weak);
    visuals.selection.bg_fill = palette.accent.gamma_multiply(0.28);
    visuals.selection.stroke = Stroke::new(1.0, palette.strong);
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = egui::style::HandleShape::Circle;
    set_widgets(visuals, palette);
}

fn set_widgets(visuals: &mut Visuals, palette: &Palette) {
    let brighter = palette.raised.lerp_to_gamma(palette.strong, 0.10);
    let widgets = &mut visuals.widgets;
    let states = [
        (&mut widgets.noninteractive, palette.surface, palette.border, palette.text),
        (&mut widgets.inactive, palette.raised, palette.border, palette.text),
        (&mut widgets.hovered, brighter, palette.weak, palette.strong),
        (&mut widgets.active, brighter, palette.accent, palette.strong),
        (&mut widgets.open, brighter, palette.border, palette.strong),
    ];
    for (state, fill, edge, text) in states {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, edge);
        state.fg_stroke = Stroke::new(1.0, text);
        state.corner_radius = CornerRadius::same(ROUND / 2 + 1);
        state.expansion = 0.0;
    }
    // What has the keyboard is drawn as active: the edge must be seen.
    visuals.widgets.active.bg_stroke.width = 2.0;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours as WCAG 2 counts it.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let luminance = |colour: Color32| {
            let rgba = egui::Rgba::from(colour);
            0.2126 * rgba.r() + 0.7152 * rgba.g() + 0.0722 * rgba.b() + 0.05
        };
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_can_be_read_on_every_surface() {
        for palette in [DARK, LIGHT] {
            for surface in [palette.page, palette.surface] {
                for text in [palette.text, palette.strong, palette.weak, palette.accent, palette.error] {
                    assert!(contrast(text, surface) >= 4.5, "{text:?} on {surface:?}");
                }
                for text in [palette.warning, palette.good] {
                    assert!(contrast(text, surface) >= 4.5, "{text:?} on {surface:?}");
                }
            }
            assert!(contrast(Color32::WHITE, palette.accent_fill) >= 4.5);
            assert!(contrast(palette.text, palette.raised) >= 4.5);
        }
    }
}
