//! What stands around every screen: navigation, header, the buttons that drive the run, and what must be seen.

mod banners;
mod failure;
mod header;
mod help;
mod keys;
mod navigation;
mod transport;
pub mod words;

use egui::{CentralPanel, Frame, Panel, Stroke, Ui};

use crate::{
    screens::Screens,
    shell::Action,
    state::{Activity, AppState},
    theme::{NARROW, SPACE, colours, set_density},
};

/// Width of the navigation beside the screen.
const RAIL: f32 = 212.0;

/// What the frame of the window remembers.
#[derive(Default)]
pub struct Window {
    /// Whether the page about keys and colours is open.
    pub help: bool,
    /// Whether the question before discarding is open.
    pub confirm_discard: bool,
    told_link: String,
    told_unsaved: bool,
    told_awake: bool,
}

impl Window {
    /// Draws everything into `ui`.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        state: &mut AppState,
        screens: &mut Screens,
        actions: &mut Vec<Action>,
    ) {
        let narrow = ui.available_width() < NARROW;
        set_density(ui, narrow);
        keys::act(ui, self, state, actions);
        if narrow {
            self.top_bar(ui, state);
        } else {
            self.rail(ui, state);
        }
        if state.shows("transport") {
            self.transport_bar(ui, state, narrow, actions);
        }
        if !narrow {
            header_bar(ui, state);
        }
        CentralPanel::no_frame().frame(Frame::new().fill(colours(ui).page)).show(ui, |ui| {
            banners::show(ui, state, actions);
            screens.show(ui, state, actions);
        });
        help::show(ui, state, &mut self.help);
        transport::confirm_discard(ui, &mut self.confirm_discard, state, actions);
        self.tell_changes(state, actions);
    }

    fn top_bar(&mut self, ui: &mut Ui, state: &mut AppState) {
        Panel::top("top bar").show_separator_line(false).frame(bar(ui)).show(ui, |ui| {
            header::narrow(ui, state, &mut self.help);
        });
    }

    fn rail(&mut self, ui: &mut Ui, state: &mut AppState) {
        let rail = Panel::left("navigation").resizable(false).exact_size(RAIL).show_separator_line(false);
        rail.frame(bar(ui)).show(ui, |ui| navigation::rail(ui, state, &mut self.help));
    }

    fn transport_bar(&mut self, ui: &mut Ui, state: &mut AppState, narrow: bool, actions: &mut Vec<Action>) {
        Panel::bottom("transport").show_separator_line(false).frame(bar(ui)).show(ui, |ui| {
            transport::show(ui, state, narrow, &mut self.confirm_discard, actions);
        });
    }

    /// The app keeps the link, asks before closing, and lets the screen sleep again when the run has ended.
    fn tell_changes(&mut self, state: &AppState, actions: &mut Vec<Action>) {
        let link = crate::link::write(state);
        if link != self.told_link {
            self.told_link.clone_from(&link);
            actions.push(Action::SetLink(link));
        }
        let unsaved = state.has_unsaved_work();
        if unsaved != self.told_unsaved {
            self.told_unsaved = unsaved;
            actions.push(Action::SetUnsaved(unsaved));
        }
        let awake = state.keep_awake && state.activity().is_some_and(Activity::is_under_way);
        if awake != self.told_awake {
            self.told_awake = awake;
            actions.push(Action::KeepAwake(awake));
        }
    }
}

fn header_bar(ui: &mut Ui, state: &AppState) {
    let margin = egui::Margin::symmetric(SPACE[4] as i8, SPACE[2] as i8);
    let frame = Frame::new().fill(colours(ui).page).inner_margin(margin);
    Panel::top("header").show_separator_line(false).frame(frame).show(ui, |ui| header::wide(ui, state));
}

/// A bar along an edge of the window.
fn bar(ui: &Ui) -> Frame {
    let colours = colours(ui);
    Frame::new().fill(colours.surface).stroke(Stroke::new(1.0, colours.border)).inner_margin(SPACE[2])
}
