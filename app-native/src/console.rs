//! Words for people on stderr and results on stdout. A terminal that has gone ends no run; who stops reading results needs
//! no more of them.

use std::{
    fmt::Arguments,
    io::{ErrorKind, Write as _},
    process,
};

/// A line for people, on stderr. If nobody can read it, the work goes on.
macro_rules! say {
    ($($arg:tt)*) => { $crate::console::say(format_args!($($arg)*)) };
}

/// A line of results, on stdout.
macro_rules! tell {
    ($($arg:tt)*) => { $crate::console::tell(format_args!($($arg)*)) };
}

/// See [`say!`].
pub fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// See [`tell!`]. Ends the program where results cannot go anywhere: quietly if the reader has left, as `head` does.
pub fn tell(line: Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(0);
    }
    say!("error: the results cannot be written to stdout\n  because: {error}");
    process::exit(1);
}
