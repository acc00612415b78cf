//! The lessons: what is dragged changes the numbers, Reset brings them back, a link opens the same state.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod support;

use dsee_core::protocol::Command;
use dsee_ui::{
    Notice,
    screens::lessons::{CONTROLS, LessonsScreen},
    state::Screen,
};
use egui::Theme;
use egui_kittest::{Harness, kittest::Queryable};
use support::answers::{answer_predict, at, newest};
use support::{Window, after_tuning, harness, ready, tuning_until};

const SIZE: [f32; 2] = [1280.0, 1400.0];

/// The lessons, opened by a link.
fn opened<'a>(link: &str) -> Harness<'a, Window> {
    let mut window = at(Window::ready(), Screen::Lessons);
    window.studio.notice(Notice::Link(format!("#{link}")));
    let mut harness = harness(window, SIZE, Theme::Dark);
    harness.run_ok();
    harness
}

fn lesson_link(harness: &Harness<'_, Window>) -> String {
    harness.state().studio.state.lesson.clone().unwrap()
}

fn sent(action: &dsee_ui::Action) -> Option<&Command> {
    match action {
        dsee_ui::Action::Send { command, .. } => Some(command),
        _ => None,
    }
}

fn press(harness: &mut Harness<'_, Window>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_ok();
}

#[test]
fn every_lesson_opens_and_walks_through_its_steps() {
    let mut harness = opened("screen=lessons");
    let questions = [
        "Why does low rank miss outliers?",
        "How are the entries found?",
        "Rank or entries: what should a budget buy?",
        "What does pruning cost, and what brings it back?",
        "What does one attention head do?",
    ];
    for (i, question) in questions.iter().enumerate() {
        press(&mut harness, &format!("{}   {question}", i + 1));
        assert!(harness.query_all_by_label(question).next().is_some(), "{question}");
        let n_steps = if i == 0 { 4 } else { 3 };
        harness.get_by_label(&format!("1 of {n_steps}"));
        press(&mut harness, "Next");
        harness.get_by_label(&format!("2 of {n_steps}"));
    }
}

#[test]
fn a_step_changes_the_numbers_and_reset_brings_them_back() {
    for lesson in ["lesson%3D1", "lesson%3D2", "lesson%3D3"] {
        let mut harness = opened(&format!("lesson={lesson}"));
        let first = lesson_link(&harness);
        let seen = |harness: &Harness<'_, Window>| {
            use egui_kittest::kittest::NodeT;
            let nodes = harness.query_all_by_label_contains("%");
            nodes.filter_map(|node| node.accesskit_node().value()).collect::<Vec<_>>()
        };
        let before = seen(&harness);
        press(&mut harness, "Step");
        assert_ne!(lesson_link(&harness), first, "{lesson}");
        assert_ne!(seen(&harness), before, "{lesson}: the numbers must change");
        press(&mut harness, "Reset");
        assert_eq!(lesson_link(&harness), first, "{lesson}");
        assert_eq!(seen(&harness), before, "{lesson}");
    }
}

#[test]
fn play_goes_on_by_itself_and_pause_stops_it() {
    let mut harness = opened("lesson=lesson%3D2");
    harness.get_by_label("Play").click();
    harness.run_steps(10);
    let playing = lesson_link(&harness);
    assert!(playing.contains("sweep=") && !playing.contains("sweep=1&"), "{playing}");
    harness.get_by_label("Pause").click();
    harness.run_steps(2);
    let paused = lesson_link(&harness);
    harness.run_steps(10);
    assert_eq!(lesson_link(&harness), paused);
}

#[test]
fn a_link_opens_the_same_state_and_hides_controls() {
    let link = "lesson=1&step=3&rank=3&entries=12&seed=2&slow=1";
    let mut screen = LessonsScreen::default();
    screen.open_link(link);
    assert_eq!(screen.link(), link);
    for link in [
        "lesson=2&step=2&sweep=4&seed=1",
        "lesson=3&step=3&matrix=spiky&rank=1&seed=1",
        "lesson=4&step=1&sparsity=70",
        "lesson=5&step=2&head=3",
    ] {
        screen.open_link(link);
        assert_eq!(screen.link(), link);
    }
    screen.open_link("lesson=99&rank=1000&step=77&nonsense");
    assert_eq!(screen.link(), "lesson=5&step=1&head=3", "nonsense changes nothing");

    let coded = "lesson%3D1%26step%3D3%26rank%3D3%26entries%3D12%26seed%3D1";
    let mut harness = opened(&format!("hide=list,slow,reset&lesson={coded}"));
    harness.get_by_label("12 of 12");
    for hidden in ["Reset", "slow motion", "2   How are the entries found?"] {
        assert!(harness.query_by_label(hidden).is_none(), "{hidden}");
    }
    press(&mut harness, "Step");
    assert!(lesson_link(&harness).contains("entries=13"));
    assert!(CONTROLS.iter().any(|control| control.0 == "entries"));
}

#[test]
fn reset_goes_back_to_the_teachers_link() {
    let mut harness = opened("lesson=lesson%3D1%26step%3D3%26rank%3D2%26entries%3D5%26seed%3D1");
    let first = lesson_link(&harness);
    press(&mut harness, "Step");
    assert!(lesson_link(&harness).contains("entries=6"));
    press(&mut harness, "Reset");
    assert_eq!(lesson_link(&harness), first);
}

#[test]
fn pruning_is_a_run_whose_three_figures_appear() {
    let mut harness = opened("lesson=lesson%3D4%26sparsity%3D70");
    press(&mut harness, "Play");
    let (run, settings) = newest(harness.state(), |command| match command {
        Command::Start { run, settings, paused: false } => Some((*run, settings.clone())),
        _ => None,
    });
    assert_eq!(settings["prune"], "unstructured:0.7");
    assert!(harness.state().studio.state.runs.contains_key(&run), "its settings are a run");
    for event in tuning_until(support::TUNE_STEPS).into_iter().chain(after_tuning()) {
        harness.state_mut().tell_run(run, event);
    }
    harness.run_ok();
    harness.get_by_label("pruned: 92.8 %");
    harness
        .get_by_label_contains("With 70 % zeros: 96.2 % tuned, 92.8 % right after pruning, 96.2 % retuned.");
}

#[test]
fn a_lesson_s_run_waits_goes_on_and_is_thrown_away() {
    let mut harness = opened("lesson=lesson%3D4");
    press(&mut harness, "Step");
    let run = newest(harness.state(), |command| match command {
        Command::Start { run, paused: true, .. } => Some(*run),
        _ => None,
    });
    tuning_until(3).into_iter().for_each(|event| harness.state_mut().tell_run(run, event));
    harness.run_ok();
    press(&mut harness, "Reset");
    let stop = newest(harness.state(), |command| Some(command.clone()));
    assert_eq!(stop, Command::Stop { run, keep: false });
}

#[test]
fn heads_are_switched_off_and_turned_verdicts_are_marked() {
    let mut window = at(Window::finished(), Screen::Lessons);
    window.studio.notice(Notice::Link("#lesson=lesson%3D5".into()));
    let mut harness = harness(window, SIZE, Theme::Light);
    harness.run_ok();
    answer_predict(harness.state_mut(), &[]);
    harness.run_ok();
    press(&mut harness, "Step");
    let off = newest(harness.state(), |command| match command {
        Command::Predict { heads_off, .. } => Some(heads_off.clone()),
        _ => None,
    });
    assert_eq!(off, [(0, vec![0])].into());
    answer_predict(harness.state_mut(), &[2, 5]);
    harness.run_ok();
    assert_eq!(harness.get_all_by_label("turned: negative 95 %").count(), 2);
    harness.get_by_label_contains("The most, 2 of 8, turned with layer 0, head 0 off.");
}

#[test]
fn without_a_tuned_model_the_heads_lesson_offers_a_run() {
    let mut harness = opened("lesson=lesson%3D5");
    press(&mut harness, "Start a short run");
    newest(harness.state(), |command| matches!(command, Command::Start { .. }).then_some(()));
    let mut harness = {
        let window = at(Window::told(&[ready()]), Screen::Lessons);
        support::harness(window, SIZE, Theme::Dark)
    };
    harness.run_ok();
    press(&mut harness, "5   What does one attention head do?");
    press(&mut harness, "Start a short run");
    let sent: Vec<&Command> = harness.state().actions.iter().filter_map(sent).collect();
    let newest = &sent[sent.len() - 3..];
    assert!(
        matches!(newest, [Command::LoadModel { .. }, Command::LoadData { .. }, Command::Start { .. }]),
        "the built-in model and sentences come first: {newest:?}"
    );
}
