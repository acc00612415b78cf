//! The settings of a run as command-line flags, made from the same table as `run.toml`.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use dsee_core::config::{
    FIELDS, FieldError, FieldKind, FieldSpec, GENERATION, ModelFacts, RunConfig, RunConfigDraft,
};
use std::path::PathBuf;

use crate::failure::Failure;

/// `--config` and one flag for every setting.
#[derive(Clone, Debug, Default)]
pub struct SettingsArgs {
    /// What the flags said.
    pub flags: RunConfigDraft,
    /// A file of settings, which flags override.
    pub config: Option<PathBuf>,
}

impl SettingsArgs {
    /// The checked settings: file first, flags over it.
    pub fn resolve(&self) -> Result<RunConfig, Failure> {
        checked(&self.draft()?, &self.flags).map_err(|failure| self.placed(failure))
    }

    /// The same for a model.
    ///
    /// # Errors
    /// If the file cannot be read, and everything that is wrong with the settings.
    pub fn resolve_for(&self, model: &ModelFacts) -> Result<RunConfig, Failure> {
        let checked = self.draft()?.check_for(model);
        checked.map_err(|errors| self.placed(Failure::Settings(as_flags(errors))))
    }

    /// The same failure, with the file before the settings that stand in it.
    fn placed(&self, failure: Failure) -> Failure {
        let file = self.config.as_ref().and_then(|path| Some((path, read_draft(path).ok()?)));
        let (mut errors, (path, file)) = match (failure, file) {
            (Failure::Settings(errors), Some(file)) => (errors, file),
            (failure, _) => return failure,
        };
        for error in &mut errors {
            let name = error.field.trim_start_matches("--").replace('-', "_");
            if file.has(&name) && !self.flags.has(&name) {
                error.field = format!("{}: {name}", path.display());
            }
        }
        Failure::Settings(errors)
    }

    /// The same, unchecked.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn draft(&self) -> Result<RunConfigDraft, Failure> {
        let file = match &self.config {
            Some(path) => read_draft(path)?,
            None => RunConfigDraft::default(),
        };
        Ok(file.overridden_by(&self.flags))
    }
}

/// Reads a `run.toml`, unchecked.
pub fn read_draft(path: &std::path::Path) -> Result<RunConfigDraft, Failure> {
    use anyhow::Context as _;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the settings: {}", path.display()))?;
    Ok(RunConfigDraft::from_toml(&text)
        .with_context(|| format!("cannot read the settings: {}", path.display()))?)
}

/// The checked settings, if each of the `flags` about writing among them does something.
///
/// # Errors
/// Everything that is wrong with them.
pub fn checked(draft: &RunConfigDraft, flags: &RunConfigDraft) -> Result<RunConfig, Failure> {
    let config = draft.check().map_err(|errors| Failure::Settings(as_flags(errors)))?;
    refuse_idle([&config], flags)?;
    Ok(config)
}

/// Refuses flags about writing that change nothing in any of the runs they are given for.
///
/// # Errors
/// Each of them once.
pub fn refuse_idle<'a>(
    configs: impl IntoIterator<Item = &'a RunConfig>,
    flags: &RunConfigDraft,
) -> Result<(), Failure> {
    let configs: Vec<&RunConfig> = configs.into_iter().collect();
    if configs.iter().all(|config| config.generation.is_none()) {
        return refuse(given(flags, is_of_writing, "no text is written here"));
    }
    let mut of_runs =
        configs.into_iter().filter_map(|config| config.generation).map(|settings| settings.idle(flags));
    let mut idle = of_runs.next().unwrap_or_default();
    of_runs.for_each(|other| idle.retain(|error| other.contains(error)));
    refuse(idle)
}

/// Those of the flags that `is_refused`, each as an error: to be left out, for this reason.
pub fn given(
    flags: &RunConfigDraft,
    is_refused: impl Fn(&FieldSpec) -> bool,
    reason: &str,
) -> Vec<FieldError> {
    let refused = FIELDS.iter().filter(|field| is_refused(field));
    let given = refused.filter_map(|field| Some((field.name, flags.text(field.name)?)));
    given.map(|(name, value)| FieldError::new(name, value, reason, "leave it out")).collect()
}

/// Fails with these errors in the spelling of the command line, if there are any.
pub fn refuse(errors: Vec<FieldError>) -> Result<(), Failure> {
    if errors.is_empty() { Ok(()) } else { Err(Failure::Settings(as_flags(errors))) }
}

/// Whether a setting is about how text is written.
pub fn is_of_writing(field: &FieldSpec) -> bool {
    field.group == GENERATION
}

/// Errors in the spelling of the command line.
pub fn as_flags(mut errors: Vec<FieldError>) -> Vec<FieldError> {
    for error in &mut errors {
        if FieldSpec::find(&error.field).is_some() {
            error.field = format!("--{}", error.field.replace('_', "-"));
        }
    }
    errors
}

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("RUN.TOML")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Settings from a file; flags override it");
        // Of a flag given twice the last one counts, so that scripts can put the user's flags behind their own.
        let command = command.args_override_self(true).arg(config);
        FIELDS.iter().fold(command, |command, field| command.arg(flag(field)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        for field in FIELDS {
            if let Some(value) = matches.get_one::<String>(field.name) {
                self.flags.set(field.name, value);
            }
        }
        Ok(())
    }
}

/// The settings of how text is written, as flags of verbs that read everything else from a run.
#[derive(Clone, Debug, Default)]
pub struct WritingArgs {
    /// What the flags said.
    pub flags: RunConfigDraft,
}

impl WritingArgs {
    /// The flags that were given, with their values.
    pub fn given(&self) -> Vec<(&'static str, String)> {
        writing_fields().filter_map(|field| Some((field.name, self.flags.text(field.name)?))).collect()
    }
}

/// The settings among all that [`WritingArgs`] has.
fn writing_fields() -> impl Iterator<Item = &'static FieldSpec> {
    FIELDS.iter().filter(|field| is_of_writing(field))
}

impl Args for WritingArgs {
    fn augment_args(command: Command) -> Command {
        // Their defaults are those of the run, not those of the table.
        let of_run =
            |field: &'static FieldSpec| flag(field).help(format!("{} [default: as in the run]", field.help));
        writing_fields().fold(command, |command, field| command.arg(of_run(field)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for WritingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut writing = Self::default();
        writing.update_from_arg_matches(matches)?;
        Ok(writing)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for field in writing_fields() {
            if let Some(value) = matches.get_one::<String>(field.name) {
                self.flags.set(field.name, value);
            }
        }
        Ok(())
    }
}

/// The flag of one setting. Values stay text here, so that everything wrong is reported at once.
fn flag(field: &'static FieldSpec) -> Arg {
    // clap keeps names for the life of the process, and there is one process: leaking forty words is what it asks for.
    let kebab: &'static str = field.name.replace('_', "-").leak();
    let help = match field.default {
        "" => field.help.to_owned(),
        default => format!("{} [default: {default}]", field.help),
    };
    let arg =
        Arg::new(field.name).long(kebab).help(help).help_heading(field.group).allow_negative_numbers(true);
    let arg = if kebab == field.name { arg } else { arg.alias(field.name) };
    match field.kind {
        FieldKind::Text => arg.value_name("TEXT"),
        FieldKind::Count => arg.value_name("N"),
        FieldKind::Number => arg.value_name("X"),
        FieldKind::Choices(_) => arg.value_name("A,B"),
        FieldKind::Pruning => arg.value_name("WHAT"),
        // A bare switch means true.
        FieldKind::Switch => arg.value_name("true|false").num_args(0..=1).default_missing_value("true"),
        FieldKind::Choice(names) => arg.value_name(&*names.join("|").leak()),
    }
}
