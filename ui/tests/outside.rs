//! What the window tells the app around it: words for screen readers, and when the screen may sleep.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_ui::{Action, Notice, spoken::Spoken, state::Screen};
use egui::Theme;
use egui_kittest::kittest::Queryable as _;
use support::{Window, after_tuning, harness};

const SIZE: [f32; 2] = [1280.0, 900.0];

#[test]
fn the_focus_is_told_with_the_name_of_a_field() {
    let mut harness = harness(Window::at(Screen::Model), SIZE, Theme::Dark);
    harness.ctx.add_plugin(Spoken::default());
    harness.run_ok();
    harness.get_by_label("Model id").focus();
    harness.run_ok();
    let told = harness.ctx.with_plugin(Spoken::take).unwrap();
    assert_eq!(told.as_deref(), Some("Model id: blank: text input"));
    harness.get_by_label("Choose files…").focus();
    harness.run_ok();
    let told = harness.ctx.with_plugin(Spoken::take).unwrap();
    assert_eq!(told.as_deref(), Some("Choose files…: button"), "a name that is told already comes once");
    assert_eq!(harness.ctx.with_plugin(Spoken::take).unwrap(), None, "each is told once");
}

#[test]
fn the_screen_may_sleep_again_when_the_run_has_ended() {
    let mut harness = harness(Window::running(40), SIZE, Theme::Dark);
    harness.run_ok();
    let name = "Keep the screen awake during the run";
    assert!(harness.query_by_label(name).is_none(), "offered only where it can be done");
    harness.state_mut().studio.notice(Notice::CanKeepAwake);
    harness.run_ok();
    harness.get_by_label(name).click_accesskit();
    harness.run_ok();
    let run = harness.state().studio.state.current.unwrap();
    after_tuning().into_iter().for_each(|event| harness.state_mut().tell_run(run, event));
    harness.run_ok();
    let asked = harness.state().actions.iter().filter_map(|action| match action {
        Action::KeepAwake(awake) => Some(*awake),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn frames_of_a_run_are_counted_and_told_on_the_help_page() {
    let mut window = Window::ready();
    window.studio.notice(Notice::Frame { seconds: 0.5 });
    window.start();
    let run = window.studio.state.current.unwrap();
    window.tell_run(run, support::tuning_until(1).remove(0));
    for seconds in [0.004, 0.005, 0.006] {
        window.studio.notice(Notice::Frame { seconds });
    }
    let mut harness = harness(window, SIZE, Theme::Light);
    harness.run_ok();
    harness.get_by_label("Help and keys").click();
    harness.run_ok();
    harness.get_by_label("Drawing during the run: half of 3 frames within 5.0 ms, 95 % within 6.0 ms.");
}
