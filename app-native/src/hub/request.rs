//! One request to the hub: redirects followed by hand, so that the token never goes to another host.

use dsee_core::hub::{AnswerHead, HubError, Repository, Token, range_header};
use std::{ops::Range, time::Duration};
use ureq::{Agent, Body, config::AutoHeaderValue, http};

/// Longest chain of redirects that is followed.
const MOST_REDIRECTS: usize = 5;
/// Silence after which a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(30);

/// Asks for files of one hub.
pub struct Client {
    agent: Agent,
    token: Option<Token>,
}

impl Client {
    /// A client that shows this token to the hub, and to nobody else.
    pub fn new(token: Option<Token>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // Compressed bytes could neither be counted nor gone on with.
            .accept_encoding(AutoHeaderValue::Provided("identity".to_owned().into()))
            .user_agent(concat!("dsee/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(SILENCE / 2))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build();
        Self { agent: config.new_agent(), token }
    }

    /// Whether there is a token to show.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for a file or for a part of it.
    ///
    /// # Errors
    /// If the hub cannot be reached, or its answer is neither the file nor a part of it.
    pub fn get(
        &self,
        repository: &Repository,
        file: &str,
        range: Option<&Range<u64>>,
    ) -> Result<(AnswerHead, Body), HubError> {
        self.follow(repository, repository.url(file), file, range)
    }

    /// Asks for the list of the repository's files.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_listing(&self, repository: &Repository) -> Result<(AnswerHead, Body), HubError> {
        self.follow(repository, repository.listing_url(), "list of files", None)
    }

    fn follow(
        &self,
        repository: &Repository,
        mut url: String,
        file: &str,
        range: Option<&Range<u64>>,
    ) -> Result<(AnswerHead, Body), HubError> {
        let mut commit = None;
        for _ in 0..=MOST_REDIRECTS {
            let response = self.ask(repository, &url, range)?;
            let mut head = head_of(&response);
            // The hub names the commit in its own answer, which may be a redirect to the host of large files.
            commit = commit.or(head.commit.take());
            if !response.status().is_redirection() {
                head.commit = commit;
                return match head.status {
                    200 | 206 | 416 => Ok((head, response.into_body())),
                    _ => Err(HubError::of(&head, repository, file, self.has_token())),
                };
            }
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| redirected(&url, location));
            url = next.ok_or_else(|| strange(repository, "a redirect to nowhere"))?;
        }
        Err(strange(repository, "too many redirects"))
    }

    fn ask(
        &self,
        repository: &Repository,
        url: &str,
        range: Option<&Range<u64>>,
    ) -> Result<http::Response<Body>, HubError> {
        let mut request = self.agent.get(url);
        if let Some(token) = self.token.as_ref().filter(|_| repository.endpoint.is_origin_of(url)) {
            request = request.header("authorization", token.authorization());
        }
        if let Some(range) = range {
            request = request.header("range", range_header(range));
        }
        let host = repository.endpoint.host().to_owned();
        request.call().map_err(|error| HubError::Offline { host, reason: reason(&error) })
    }
}

fn strange(repository: &Repository, what: &str) -> HubError {
    HubError::Strange { host: repository.endpoint.host().to_owned(), what: what.to_owned() }
}

fn head_of(response: &http::Response<Body>) -> AnswerHead {
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    AnswerHead::read(response.status().as_u16(), header)
}

/// What the system says, in a few words: never the address, which may be signed.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => "no secure connection".to_owned(),
        _ => "the connection failed".to_owned(),
    }
}

/// The address a redirect leads to. From a secure connection it must lead to a secure one.
fn redirected(from: &str, location: &str) -> Option<String> {
    let origin_end = from.find("://").map(|at| at + 3)?;
    let origin_end = from[origin_end..].find('/').map_or(from.len(), |at| origin_end + at);
    let to = if location.starts_with('/') && !location.starts_with("//") {
        format!("{}{location}", &from[..origin_end])
    } else {
        location.to_owned()
    };
    let secure = to.starts_with("https://");
    let plain = to.starts_with("http://") && from.starts_with("http://");
    (secure || plain).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_secure() {
        let from = "https://hub.example.org/a/b";
        assert_eq!(redirected(from, "/c?d=1").as_deref(), Some("https://hub.example.org/c?d=1"));
        assert_eq!(
            redirected(from, "https://cdn.example.org/x").as_deref(),
            Some("https://cdn.example.org/x")
        );
        for bad in ["http://cdn.example.org/x", "//cdn.example.org/x", "file:///etc/passwd", "x"] {
            assert_eq!(redirected(from, bad), None, "{bad}");
        }
    }
}
