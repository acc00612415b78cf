//! Ctrl-C: the first one asks the run to save and stop after the current step, the second one stops it now.

use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of an interrupted run: 128 + SIGINT, as shells expect.
pub const EXIT_INTERRUPTED: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C from now on.
///
/// # Errors
/// If the system does not let us.
pub fn listen() -> Result<(), ctrlc::Error> {
    let listening = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            say!("stopped");
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        say!("stopping after this step and saving; press Ctrl-C again to stop at once");
    });
    match listening {
        // One process may train several times.
        Err(ctrlc::Error::MultipleHandlers) => Ok(()),
        other => other,
    }
}

/// Whether the user asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
