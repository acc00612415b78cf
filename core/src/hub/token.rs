//! An access token: kept in memory, sent to the hub alone, never shown.

use std::fmt;

use thiserror::Error;

/// An access token. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What was given cannot be a token. What it was is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an access token has no blanks and only plain characters: copy it again from the hub's settings")]
pub struct TokenError;

impl Token {
    /// Takes a token as pasted; `None` for an empty text.
    ///
    /// # Errors
    /// Blanks inside it, and characters that cannot stand in a header.
    pub fn new(text: &str) -> Result<Option<Self>, TokenError> {
        let text = text.trim();
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError);
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The value of the `Authorization` header.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let token = Token::new(" hf_secret\n").unwrap().unwrap();
        assert_eq!(token.authorization(), "Bearer hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(Token::new("  ").unwrap(), None);
    }

    #[test]
    fn a_token_cannot_smuggle_a_header_in() {
        let error = Token::new("hf_secret\r\nX-Other: 1").unwrap_err();
        assert!(!error.to_string().contains("secret"));
        assert!(Token::new("two words").is_err());
    }
}
