//! The state of the window as a link, `key=value&…`: settings, the open screen, the lesson, and what is hidden.
//!
//! A teacher sends a link, and the window opens as the teacher left it. Values are percent-encoded.

use dsee_core::{
    config::{FieldSpec, PATHS},
    protocol::Settings,
};

use crate::state::{AppState, Screen, presets};

/// The link that opens the window as it stands now; empty for a window nobody has changed.
#[must_use]
pub fn write(state: &AppState) -> String {
    let mut parts = Vec::new();
    if state.screen != Screen::default() {
        parts.push(format!("screen={}", state.screen.key()));
    }
    if let Some(lesson) = &state.lesson {
        parts.push(format!("lesson={}", encode(lesson)));
    }
    if !state.hidden.is_empty() {
        let names: Vec<String> = state.hidden.iter().map(|name| encode(name)).collect();
        parts.push(format!("hide={}", names.join(",")));
    }
    if state.settings != presets::first_run() {
        let settings = state.settings.iter().filter(|(name, _)| !PATHS.contains(&name.as_str()));
        parts.extend(settings.map(|(name, value)| format!("{name}={}", encode(value))));
    }
    parts.join("&")
}

/// Brings the window into the state that `link` describes. What it does not name stays; settings are replaced as a
/// whole, so that the same link gives the same run everywhere. Unknown names become a message.
pub fn apply(state: &mut AppState, link: &str) {
    let mut settings = Settings::new();
    let mut unknown = Vec::new();
    let link = link.trim_start_matches(['#', '?']);
    for (key, value) in link.split('&').filter_map(|part| part.split_once('=')) {
        let value = decode(value);
        match key {
            "screen" => match Screen::ALL.into_iter().find(|screen| screen.key() == value) {
                Some(screen) => state.screen = screen,
                None => unknown.push(format!("screen {value}")),
            },
            "lesson" => {
                state.lesson = Some(value);
                state.screen = Screen::Lessons;
            }
            "hide" => {
                state.hidden = value.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            }
            name if FieldSpec::find(name).is_some() && !PATHS.contains(&name) => {
                settings.insert(name.to_owned(), value);
            }
            name => unknown.push(name.to_owned()),
        }
    }
    if !settings.is_empty() {
        state.settings = settings;
    }
    if !unknown.is_empty() {
        state
            .messages
            .push(format!("The link names what this version does not know: {}", unknown.join(", ")));
    }
}

/// Keeps what may stand in a link as it is; everything else becomes `%XX`, byte by byte of UTF-8.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                out.push(byte as char);
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text that was encoded. A `%` without two hexadecimal digits stands for itself.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            out.push(byte);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(link: &str) -> AppState {
        let mut state = AppState::default();
        state.settings = presets::first_run();
        apply(&mut state, link);
        state
    }

    #[test]
    fn an_untouched_window_has_an_empty_link() {
        assert_eq!(write(&opened("")), "");
    }

    #[test]
    fn a_link_opens_the_window_as_it_was() {
        let mut state = opened("");
        state.screen = Screen::Lessons;
        state.lesson = Some("rank=4&nnz=8".into());
        state.hidden = ["nav", "settings"].map(str::to_owned).into();
        state.settings.insert("prune".into(), "heads:3".into());
        state.settings.insert("text_column".into(), "Sätze & 100 %".into());
        state.settings.insert("train_file".into(), "/home/me/secret.csv".into());
        let link = write(&state);
        assert!(!link.contains("secret") && !link.contains(' '), "{link}");
        let back = opened(&link);
        state.settings.remove("train_file");
        assert_eq!((back.screen, &back.lesson, &back.hidden), (state.screen, &state.lesson, &state.hidden));
        assert_eq!(back.settings, state.settings);
        assert_eq!(write(&back), link);
    }

    #[test]
    fn unknown_names_are_told_and_odd_bytes_survive() {
        let state = opened("#colour=blue&screen=nowhere&rank=%zz&seed");
        assert_eq!(state.settings["rank"], "%zz");
        assert!(state.messages[0].contains("colour") && state.messages[0].contains("nowhere"));
        assert_eq!(decode(&encode("Ω & 5 %=#")), "Ω & 5 %=#");
    }
}
