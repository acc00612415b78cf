//! The screen that looks into matrices: what it asks for and when, and what it shows.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::protocol::{Command, Event, Problem};
use dsee_ui::state::Screen;
use egui::Theme;
use egui_kittest::kittest::Queryable;
use support::answers::{answer_inspect, at, head_scores};
use support::{Window, harness};

fn n_inspects(window: &Window) -> usize {
    window.commands().iter().filter(|command| matches!(command, Command::Inspect { .. })).count()
}

#[test]
fn without_a_model_it_says_what_to_do_and_leads_there() {
    let mut harness = harness(at(Window::told(&[]), Screen::Inspect), [1000.0, 700.0], Theme::Dark);
    harness.run_ok();
    harness.get_by_label("No model yet");
    harness.get_by_label("Choose a model").click();
    harness.run_ok();
    assert_eq!(harness.state().studio.state.screen, Screen::Model);
}

#[test]
fn it_asks_once_shows_the_parts_and_asks_again_on_demand() {
    let mut harness = harness(at(Window::finished(), Screen::Inspect), [1100.0, 2400.0], Theme::Light);
    harness.run_ok();
    assert_eq!(n_inspects(harness.state()), 1, "one request, however many frames");
    answer_inspect(harness.state_mut());
    harness.run_ok();
    for part in ["W", "s·BA", "s·S", "ΔW", "Mask"] {
        harness.get_by_label(&format!("{part}, 128 rows, 128 columns"));
    }
    harness.get_by_label_contains("ΔW has 18 singular values");
    harness.get_by_label_contains("Singular values of bert");
    harness.get_by_label("all of them");
    assert_eq!(n_inspects(harness.state()), 1);
    harness.get_by_label("Look again").click();
    harness.run_ok();
    assert_eq!(n_inspects(harness.state()), 2);
}

#[test]
fn a_press_in_a_picture_chooses_the_entry_and_the_formula_has_its_numbers() {
    let mut harness = harness(at(Window::finished(), Screen::Inspect), [1100.0, 2400.0], Theme::Dark);
    harness.run_ok();
    answer_inspect(harness.state_mut());
    harness.run_ok();
    harness.get_by_label_contains("ΔW[0, 40] = s·Σ B[0, k]·A[k, 40] + s·S[0, 40] = ");
    harness.get_by_label("W, 128 rows, 128 columns").click();
    harness.run_ok();
    // A press hits the middle.
    harness.get_by_label_contains("ΔW[64, 64] = s·Σ B[64, k]·A[k, 64] = ");
    harness.get_by_label_contains("The layer uses ");
}

#[test]
fn during_a_run_it_looks_again_but_never_twice_at_once() {
    let mut harness = harness(at(Window::running(40), Screen::Inspect), [1100.0, 900.0], Theme::Dark);
    harness.run_ok();
    harness.run_steps(40);
    assert_eq!(n_inspects(harness.state()), 1, "the first is still under way");
    answer_inspect(harness.state_mut());
    harness.run_steps(4);
    assert_eq!(n_inspects(harness.state()), 1, "too soon");
    harness.run_steps(20);
    assert_eq!(n_inspects(harness.state()), 2);
}

#[test]
fn a_refusal_is_shown_and_not_repeated() {
    let mut harness = harness(at(Window::ready(), Screen::Inspect), [1100.0, 900.0], Theme::Dark);
    harness.run_ok();
    let command = harness.state().commands().last().map(|command| (*command).clone()).unwrap();
    let problem =
        Problem { field: String::new(), text: "Start a run first: nothing is on the device yet.".into() };
    harness.state_mut().studio.event(&Event::Rejected { command, problems: vec![problem] }, &[]);
    harness.run_steps(30);
    assert!(harness.query_all_by_label_contains("Start a run first").next().is_some());
    assert_eq!(n_inspects(harness.state()), 1);
}

#[test]
fn removed_heads_are_told() {
    let mut window = Window::finished();
    let run = window.studio.state.current.unwrap();
    window.tell_run(run, head_scores());
    let mut harness = harness(at(window, Screen::Inspect), [1100.0, 2400.0], Theme::Dark);
    harness.run_ok();
    harness.get_by_label_contains("Layer 0: head 0: 0.0800 (removed), head 1: 0.819");
}
