//! Pictures of every screen, to be looked at.
mod support;

use egui::Theme;
use egui_kittest::HarnessBuilder;
use support::{Window, build};

#[test]
#[ignore = "writes pictures"]
fn shots() {
    let folder = std::env::var("SHOTS").unwrap();
    for (size, width) in [([1280.0, 720.0], "wide"), ([390.0, 800.0], "narrow")] {
        for (theme, dark) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            let windows = [
                ("before", Window::ready()),
                ("running", Window::running(140)),
                ("finished", Window::finished()),
            ];
            for (name, window) in windows {
                let builder = HarnessBuilder::default().wgpu();
                let mut harness = build(window, size, theme, builder);
                harness.run_ok();
                harness.render().unwrap().save(format!("{folder}/{name}-{width}-{dark}.png")).unwrap();
            }
        }
    }
}
