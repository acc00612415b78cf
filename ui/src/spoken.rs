//! What has the keyboard's focus, in words for screen readers: in a browser the canvas hides it from them, so the page
//! says it.

use egui::{Context, FullOutput, Plugin, accesskit, output::OutputEvent};

/// Listens for the focus. Added with [`egui::Context::add_plugin`]; needs [`egui::Context::enable_accesskit`] to know the
/// names of fields, which stand beside them.
#[derive(Debug, Default)]
pub struct Spoken {
    focus: Option<accesskit::NodeId>,
    words: Option<String>,
}

impl Spoken {
    /// The widget that has just got the focus, as "name: text: kind of widget"; each is told once. To be asked after a
    /// frame: within the next one, the focus may move on and what is told would be what had it before.
    pub fn take(&mut self) -> Option<String> {
        self.words.take()
    }
}

impl Plugin for Spoken {
    fn debug_name(&self) -> &'static str {
        "spoken"
    }

    fn output_hook(&mut self, _: &Context, output: &mut FullOutput) {
        let output = &output.platform_output;
        let gained = output.events.iter().rev().find_map(|event| match event {
            OutputEvent::FocusGained(info) => Some(info),
            _ => None,
        });
        let update = output.accesskit_update.as_ref();
        let focus = update.filter(|update| has_focus(update)).map(|update| update.focus);
        let moved = focus.is_some() && focus != self.focus;
        self.focus = focus;
        let name = update.and_then(name_of_focus);
        self.words = match (gained, moved) {
            (Some(info), _) => {
                let words = info.description();
                let name = name.filter(|name| info.label.as_ref() != Some(name));
                Some(name.map_or(words.clone(), |name| format!("{name}: {words}")))
            }
            // A widget that does not describe itself.
            (None, true) => Some(name.unwrap_or_default()),
            (None, false) => return,
        };
    }
}

/// Whether a widget has the focus, and not the window as a whole.
fn has_focus(update: &accesskit::TreeUpdate) -> bool {
    update.tree.as_ref().is_none_or(|tree| tree.root != update.focus)
}

/// The name of the widget that has the focus: its own, that of the labels beside it, or what its empty field says.
fn name_of_focus(update: &accesskit::TreeUpdate) -> Option<String> {
    let find = |id| update.nodes.iter().find(|(other, _)| *other == id).map(|(_, node)| node);
    let node = find(update.focus)?;
    let own = node.label().map(str::to_owned);
    let beside = || {
        let labels = node.labelled_by().iter().filter_map(|&id| find(id));
        let words: Vec<&str> = labels.filter_map(|label| label.value().or(label.label())).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    own.or_else(beside).or_else(|| node.placeholder().map(str::to_owned))
}
