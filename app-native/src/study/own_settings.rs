//! Settings of one arm as a word of the command line: `full+learning_rate=1e-5+rank=4`.

use dsee_core::{
    config::{FieldError, FieldSpec},
    study::Settings,
};

/// The name before the first plus sign, and the settings behind it.
///
/// # Errors
/// If what follows is no setting with a value, or one of those that the verb decides itself.
pub fn read<'a>(
    flag: &str,
    text: &'a str,
    reserved: &[(&str, &str)],
) -> Result<(&'a str, Settings), FieldError> {
    let wrong = |reason: String, advice: &str| FieldError::new(flag, text, reason, advice);
    let mut parts = text.split('+');
    let name = parts.next().unwrap_or_default();
    let mut settings = Settings::new();
    for part in parts {
        let pair = part.split_once('=').map(|(name, value)| (name.replace('-', "_"), value));
        let Some((name, value)) = pair.filter(|(name, _)| FieldSpec::find(name).is_some()) else {
            return Err(wrong(format!("`{part}` is no setting with a value"), "nnz=64, for example"));
        };
        if reserved.iter().any(|(reserved, _)| *reserved == name) {
            return Err(wrong(format!("`{name}` is not set for one of the rows alone"), "leave it out"));
        }
        settings.push((name, value.to_owned()));
    }
    Ok((name, settings))
}
