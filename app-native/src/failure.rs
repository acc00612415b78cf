//! How a verb ends other than well, and the exit code for it.

use dsee_core::config::FieldError;
use std::{fmt, process::ExitCode};

use crate::interrupt::EXIT_INTERRUPTED;

/// Exit code of wrong settings, the same as for a wrong command line.
const EXIT_USAGE: u8 = 2;

/// Why a verb did not finish.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong: exit code 1.
    Failed(anyhow::Error),
    /// There is nowhere to open a window: exit code 2, because another command does the job.
    NoDisplay {
        /// What the system says.
        reason: String,
    },
    /// The settings cannot be: exit code 2.
    Settings(Vec<FieldError>),
    /// A run was stopped by an error, and what it had reached is saved: exit code 1.
    Stopped {
        /// The error.
        cause: anyhow::Error,
        /// The command that goes on from the last good state, if there is one on the disk.
        resume_command: Option<String>,
    },
    /// The user asked to stop, and everything is saved: exit code 130.
    Interrupted {
        /// The command that goes on from here.
        resume_command: String,
    },
}

impl Failure {
    /// The same, with more flags on the command that goes on with training.
    pub fn going_on_with(mut self, flags: &str) -> Self {
        let command = match &mut self {
            Self::Interrupted { resume_command } => Some(resume_command),
            Self::Stopped { resume_command, .. } => resume_command.as_mut(),
            _ => None,
        };
        if let Some(command) = command.filter(|command| command.contains("--resume-from-checkpoint")) {
            command.push_str(flags);
        }
        self
    }

    /// Prints the failure once, on stderr, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        say!("{self}");
        match self {
            Self::Failed(_) | Self::Stopped { .. } => ExitCode::FAILURE,
            Self::Settings(_) | Self::NoDisplay { .. } => ExitCode::from(EXIT_USAGE),
            Self::Interrupted { .. } => ExitCode::from(EXIT_INTERRUPTED),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write_causes(f, error),
            Self::Stopped { cause, resume_command } => {
                write_causes(f, cause)?;
                resume_command.iter().try_for_each(|command| {
                    write!(f, "\nthe last good state is saved; go on with:\n  {command}")
                })
            }
            Self::NoDisplay { reason } => write!(
                f,
                "error: the window cannot be opened: {reason}\nthe command line does the same work, for example:\n  \
                 dsee train --help\nor serve the page and open it in a browser elsewhere:\n  cargo xtask serve"
            ),
            Self::Settings(errors) => {
                write!(f, "error: {} of the settings cannot be", errors.len())?;
                errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
            }
            Self::Interrupted { resume_command } => write!(f, "interrupted; go on with:\n  {resume_command}"),
        }
    }
}

fn write_causes(f: &mut fmt::Formatter<'_>, error: &anyhow::Error) -> fmt::Result {
    write!(f, "error: {error}")?;
    error.chain().skip(1).try_for_each(|cause| write!(f, "\n  because: {cause}"))
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn causes_are_listed_once_each() {
        let error = Err::<(), _>(anyhow::anyhow!("no such file"))
            .context("cannot read the data")
            .map_err(Failure::from);
        let text = error.err().map(|failure| failure.to_string()).unwrap_or_default();
        assert_eq!(text, "error: cannot read the data\n  because: no such file");
    }

    #[test]
    fn going_on_asks_for_the_same_at_the_end() {
        let failure = |command: &str| Failure::Interrupted { resume_command: command.to_owned() };
        let text = failure("dsee train --resume-from-checkpoint a").going_on_with(" --json").to_string();
        assert!(text.ends_with("dsee train --resume-from-checkpoint a --json"), "{text}");
        // What else goes on has flags of its own.
        let text = failure("dsee eval --run a").going_on_with(" --json").to_string();
        assert!(text.ends_with("dsee eval --run a"), "{text}");
    }

    #[test]
    fn all_wrong_settings_are_listed() {
        let errors =
            vec![FieldError::new("rank", 0, "too small", ""), FieldError::new("nnz", 0, "too small", "")];
        let text = Failure::Settings(errors).to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
