//! The screen for own sentences: what it asks for, what it shows, what a press does.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::protocol::{
    ClassScores, Command, Event, Predicted, Prediction, Variant, Written, WrittenText,
};
use dsee_ui::state::Screen;
use egui::{Key, Theme};
use egui_kittest::kittest::Queryable;
use support::answers::{answer_predict, at, newest, quality};
use support::{Window, data_card, harness, model_card, ready};

const SIZE: [f32; 2] = [1100.0, 1600.0];

fn predict_texts(window: &Window) -> Vec<String> {
    newest(window, |command| match command {
        Command::Predict { texts, .. } => Some(texts.iter().map(|t| t.text.clone()).collect()),
        _ => None,
    })
}

#[test]
fn enter_asks_and_every_state_answers_side_by_side() {
    let mut harness = harness(at(Window::finished(), Screen::TryIt), SIZE, Theme::Dark);
    harness.run_ok();
    let field = harness.get_by_role(egui::accesskit::Role::TextInput);
    field.focus();
    harness.run_ok();
    harness.get_by_role(egui::accesskit::Role::TextInput).type_text("the room was not clean");
    harness.run_ok();
    harness.key_press(Key::Enter);
    harness.run_ok();
    assert_eq!(predict_texts(harness.state()), ["the room was not clean"]);
    answer_predict(harness.state_mut(), &[]);
    harness.run_ok();
    for state in ["Before", "Tuned", "Pruned", "Retuned"] {
        harness.get_by_label(state);
    }
    harness.get_by_label("positive 97.0 %");
    harness.get_by_label("[CLS]");
}

#[test]
fn an_example_is_judged_with_one_press() {
    let mut harness = harness(at(Window::finished(), Screen::TryIt), SIZE, Theme::Light);
    harness.run_ok();
    harness.get_by_label("The soup was anything but bland.").click();
    harness.run_ok();
    assert_eq!(predict_texts(harness.state()), ["The soup was anything but bland."]);
}

#[test]
fn heads_are_switched_off_for_the_prediction() {
    let mut harness = harness(at(Window::finished(), Screen::TryIt), SIZE, Theme::Dark);
    harness.run_ok();
    harness.get_by_label("Switch heads off").click();
    harness.run_ok();
    harness.get_by_label("layer 1 head 2 on").click();
    harness.run_ok();
    harness.get_by_label("The soup was anything but bland.").click();
    harness.run_ok();
    let off = newest(harness.state(), |command| match command {
        Command::Predict { heads_off, .. } => Some(heads_off.clone()),
        _ => None,
    });
    assert_eq!(off, [(1, vec![2])].into());
    answer_predict(harness.state_mut(), &[]);
    harness.run_ok();
    harness.get_by_label_contains("(1 head off)");
}

#[test]
fn the_worst_mistakes_can_be_tried() {
    let mut harness = harness(at(Window::finished(), Screen::TryIt), SIZE, Theme::Dark);
    harness.run_ok();
    harness.get_by_label("Judge the validation data").click();
    harness.run_ok();
    let run = newest(harness.state(), |command| match command {
        Command::Judge { run } => Some(*run),
        _ => None,
    });
    harness.state_mut().studio.event(&Event::Judged { run, quality: quality() }, &[]);
    harness.run_ok();
    harness.get_by_label("385 of 400 validation examples are right (96.2 %).");
    harness.get_by_label("I expected a bad film and got a good one.").click();
    harness.run_ok();
    assert_eq!(predict_texts(harness.state()), ["I expected a bad film and got a good one."]);
}

fn text(variant: Variant, text: &str) -> WrittenText {
    WrittenText { variant, text: text.into(), n_tokens: text.split(' ').count(), is_complete: false }
}

#[test]
fn a_decoder_writes_with_every_state_and_texts_run_in() {
    let mut harness = harness(at(Window::finished_writing(), Screen::TryIt), SIZE, Theme::Dark);
    harness.run_ok();
    assert!(harness.query_by_label("Judge the validation data").is_none());
    assert!(harness.query_by_label("Predict").is_none());
    harness.get_by_label("name : Oak Mill | type : cafe | pets : no").click();
    harness.run_ok();
    let written = newest(harness.state(), |command| match command {
        Command::Write { request, prompt, settings, variants } => {
            Some((*request, prompt.clone(), settings.clone(), variants.clone()))
        }
        _ => None,
    });
    let (request, prompt, settings, variants) = written;
    assert_eq!(prompt, "name : Oak Mill | type : cafe | pets : no");
    assert!(variants.is_empty() && settings["max_new_tokens"] == "64" && settings["do_sample"] == "false");
    for so_far in ["Oak", "Oak Mill is"] {
        let event = Event::Writing { request, text: text(Variant::Base, so_far) };
        harness.state_mut().studio.event(&event, &[]);
        harness.run_steps(2);
        harness.get_by_label(so_far);
    }
    harness.get_by_label("Stop writing").click();
    harness.run_steps(2);
    newest(harness.state(), |c| (*c == Command::StopWriting { request }).then_some(()));
    let texts = vec![text(Variant::Base, "Oak Mill is"), text(Variant::Tuned, "Oak Mill is a cafe.")];
    let answer = Written { request, prompt, texts, is_stopped: true };
    harness.state_mut().studio.event(&Event::Written(answer), &[]);
    harness.run_ok();
    harness.get_by_label("Oak Mill is a cafe.");
    harness.get_by_label("Copy the text of Tuned");
    harness.get_by_label("Oak Mill is a cafe without pets.");
    assert!(harness.unnamed_widgets().is_empty(), "{:?}", harness.unnamed_widgets());
}

#[test]
fn regression_shows_numbers_and_pairs_have_two_fields() {
    let mut data = data_card();
    data.embedded = false;
    data.label_names.clear();
    data.text_pair_column = Some("sentence2".into());
    data.preview[0].text_pair = Some("it was tidy".into());
    let events = [ready(), Event::ModelLoaded(model_card()), Event::DataLoaded(data)];
    let mut harness = harness(at(Window::told(&events), Screen::TryIt), SIZE, Theme::Dark);
    harness.run_ok();
    assert_eq!(harness.get_all_by_role(egui::accesskit::Role::TextInput).count(), 2);
    harness.get_by_label("the room was not clean but the staff was very kind").click();
    harness.run_ok();
    let (request, input) = newest(harness.state(), |command| match command {
        Command::Predict { request, texts, .. } => Some((*request, texts[0].clone())),
        _ => None,
    });
    assert_eq!(input.text_pair.as_deref(), Some("it was tidy"));
    let scores = vec![ClassScores { variant: Variant::Base, values: vec![2.71459] }];
    let predictions = vec![Prediction { input, tokens: vec![], scores }];
    let answer = Event::Predicted(Predicted { request, label_names: vec![], predictions });
    harness.state_mut().studio.event(&answer, &[]);
    harness.run_ok();
    harness.get_by_label("2.71");
}
