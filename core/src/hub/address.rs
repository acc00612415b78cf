//! Where the files of a model or a data set are on the hub, and which commit of it is meant.

use std::fmt;

use thiserror::Error;

use super::id::ModelId;

/// The public hub.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
/// The branch that is meant where none is named.
pub const DEFAULT_REVISION: &str = "main";

/// Hexadecimal digits of a commit hash.
const COMMIT_DIGITS: usize = 40;

/// The address of a hub, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// A branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(String);

/// What a repository holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepositoryKind {
    /// A model.
    Model,
    /// A data set.
    Dataset,
}

impl fmt::Display for RepositoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Model => "model",
            Self::Dataset => "data set",
        })
    }
}

/// One state of one model or data set on one hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Model or data set.
    pub kind: RepositoryKind,
    /// Which hub.
    pub endpoint: Endpoint,
    /// Its name.
    pub id: ModelId,
    /// Which state of it.
    pub revision: Revision,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Not the address of a hub.
    #[error(
        "the address of a hub begins with https:// or http:// and names a host and perhaps a folder: {found}"
    )]
    Endpoint {
        /// What was given, without what may be secret in it.
        found: String,
    },
    /// Not the name of a revision.
    #[error("a revision is the name of a branch or a tag, or a commit: {found:?}")]
    Revision {
        /// What was given.
        found: String,
    },
}

impl Endpoint {
    /// Takes the address of a hub, `https://hub.example.org` for example.
    ///
    /// # Errors
    /// Anything but a scheme, a host, perhaps a port and a folder. Names and passwords have no place in it.
    pub fn new(address: &str) -> Result<Self, AddressError> {
        let address = address.trim().trim_end_matches('/');
        let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let plain = address.chars().all(|c| c.is_ascii_graphic() && !"?#@\"<>\\".contains(c));
        if host.is_empty() || !plain {
            // What stands before an `@` may be a password.
            let found = address.rsplit('@').next().unwrap_or_default().to_owned();
            return Err(AddressError::Endpoint { found });
        }
        Ok(Self(address.to_owned()))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host with its port, for messages.
    #[must_use]
    pub fn host(&self) -> &str {
        host_of(&self.0)
    }

    /// Whether `url` goes to this hub itself: the same scheme, host and port. Only there may a token go; large files
    /// come from other hosts, which do not need it.
    #[must_use]
    pub fn is_origin_of(&self, url: &str) -> bool {
        origin_of(url).eq_ignore_ascii_case(origin_of(&self.0))
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self(DEFAULT_ENDPOINT.to_owned())
    }
}

/// Scheme, host and port of an address.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

fn host_of(url: &str) -> &str {
    let origin = origin_of(url);
    origin.split_once("://").map_or(origin, |(_, host)| host)
}

impl Revision {
    /// Takes the name of a branch or a tag, or a commit; [`DEFAULT_REVISION`] for an empty text.
    ///
    /// # Errors
    /// Names that git does not allow either: blanks, control characters, `..`.
    pub fn new(name: &str) -> Result<Self, AddressError> {
        let name = name.trim();
        let bad = |c: char| c.is_whitespace() || c.is_control() || "?*[\\^~:".contains(c);
        if name.contains(bad)
            || name.contains("..")
            || name.starts_with(['/', '-', '.'])
            || name.ends_with('/')
        {
            return Err(AddressError::Revision { found: name.to_owned() });
        }
        Ok(Self(if name.is_empty() { DEFAULT_REVISION.to_owned() } else { name.to_owned() }))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a commit, whose files never change.
    #[must_use]
    pub fn is_commit(&self) -> bool {
        self.0.len() == COMMIT_DIGITS && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Repository {
    /// The address of one file, without anything secret in it.
    #[must_use]
    pub fn url(&self, file: &str) -> String {
        let file: Vec<String> = file.split('/').map(percent_encode).collect();
        let revision = percent_encode(self.revision.as_str());
        let below = match self.kind {
            RepositoryKind::Model => "",
            RepositoryKind::Dataset => "datasets/",
        };
        format!("{}/{below}{}/resolve/{revision}/{}", self.endpoint.as_str(), self.id, file.join("/"))
    }

    /// The address of the list of its files with their sizes ([`super::Listing`]).
    #[must_use]
    pub fn listing_url(&self) -> String {
        let below = match self.kind {
            RepositoryKind::Model => "models",
            RepositoryKind::Dataset => "datasets",
        };
        let revision = percent_encode(self.revision.as_str());
        format!("{}/api/{below}/{}/revision/{revision}?blobs=true", self.endpoint.as_str(), self.id)
    }

    /// Holds on to the commit that the hub named with its first answer (`x-repo-commit`), so that all files are of
    /// one state even if the branch moves meanwhile. Anything but a commit hash is passed over.
    pub fn pin(&mut self, commit: Option<&str>) {
        let named = commit.map(|commit| Revision(commit.trim().to_owned()));
        if let Some(commit) = named.filter(Revision::is_commit)
            && !self.revision.is_commit()
        {
            self.revision = commit;
        }
    }
}

/// Everything but letters, digits and `-._~` as `%XX`, byte by byte (RFC 3986).
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn repository(revision: &str) -> Repository {
        Repository {
            kind: RepositoryKind::Model,
            endpoint: Endpoint::default(),
            id: "org/name".parse().unwrap(),
            revision: Revision::new(revision).unwrap(),
        }
    }

    #[test]
    fn addresses_are_encoded() {
        let url = repository("").url("model.safetensors");
        assert_eq!(url, "https://huggingface.co/org/name/resolve/main/model.safetensors");
        let url = repository("refs/pr/1").url("sub folder/größe#1.json");
        assert!(url.ends_with("/resolve/refs%2Fpr%2F1/sub%20folder/gr%C3%B6%C3%9Fe%231.json"), "{url}");
        let dataset = Repository { kind: RepositoryKind::Dataset, ..repository("main") };
        let url = dataset.url("train.csv");
        assert_eq!(url, "https://huggingface.co/datasets/org/name/resolve/main/train.csv");
        let url = dataset.listing_url();
        assert_eq!(url, "https://huggingface.co/api/datasets/org/name/revision/main?blobs=true");
    }

    #[test]
    fn an_endpoint_is_scheme_host_and_folder() {
        assert_eq!(
            Endpoint::new(" http://localhost:8080/hub/ ").unwrap().as_str(),
            "http://localhost:8080/hub"
        );
        assert_eq!(Endpoint::new("https://hub.example.org/x").unwrap().host(), "hub.example.org");
        for bad in ["", "hub.example.org", "ftp://hub.example.org", "https://", "https://a.example.org/?x=1"]
        {
            assert!(Endpoint::new(bad).is_err(), "{bad}");
        }
        let error = Endpoint::new("https://a.person:secret@hub.example.org").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn only_the_hub_itself_shares_its_origin() {
        let endpoint = Endpoint::new("https://hub.example.org/sub").unwrap();
        assert!(endpoint.is_origin_of("https://HUB.example.org/api"));
        let others = ["https://cdn.example.org/x", "http://hub.example.org/", "https://hub.example.org:444/"];
        for other in others.into_iter().chain(["https://hub.example.org.evil.example.org/"]) {
            assert!(!endpoint.is_origin_of(other), "{other}");
        }
    }

    #[test]
    fn the_first_commit_that_is_named_stays() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let mut pinned = repository("main");
        pinned.pin(None);
        pinned.pin(Some("main"));
        assert_eq!(pinned.revision.as_str(), "main");
        pinned.pin(Some(commit));
        pinned.pin(Some(&commit.replace('0', "f")));
        assert_eq!(pinned.revision.as_str(), commit);
        assert!(pinned.url("config.json").contains(commit));
    }

    #[test]
    fn revisions_cannot_leave_their_place() {
        for bad in ["../other", "a b", "a\nb", "/x", "-x", "x/", "a?b"] {
            assert!(Revision::new(bad).is_err(), "{bad:?}");
        }
    }
}
