//! What the head of an answer says: how much there is, of which file, and whether it goes on where we stopped.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The value of a `Range` header for these bytes. This simple form needs no permission from the host beforehand when
/// a browser sends it (a preflight), unlike open ends and several ranges.
///
/// # Panics
/// If the range is empty.
#[must_use]
pub fn range_header(range: &Range<u64>) -> String {
    assert!(range.start < range.end, "a range header cannot ask for nothing");
    format!("bytes={}-{}", range.start, range.end - 1)
}

/// What the head of an answer says, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerHead {
    /// Status code.
    pub status: u16,
    /// `etag`, without quotes and the mark of weak ones.
    pub etag: Option<String>,
    /// `content-length`; absent if the bytes are compressed on their way, because it counts those.
    pub content_length: Option<u64>,
    /// `content-range`.
    pub content_range: Option<ContentRange>,
    /// `x-repo-commit`, see [`super::Repository::pin`].
    pub commit: Option<String>,
    /// `x-error-code`: the hub's own word for what is wrong.
    pub error_code: Option<String>,
    /// `retry-after` in seconds.
    pub retry_after: Option<u64>,
}

/// A parsed `content-range` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that come; absent if the range that was asked for lies outside the file.
    pub range: Option<Range<u64>>,
    /// Bytes of the whole file, if the host says.
    pub n_total: Option<u64>,
}

/// What tells one content of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The host's mark for the content.
    pub etag: Option<String>,
    /// Its length in bytes.
    pub n_total: Option<u64>,
}

/// What to do with the bytes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// They follow those that are there.
    Append,
    /// They are the whole file: drop what is there.
    Anew,
    /// They do not fit: drop what is there and ask for the whole file.
    AskAgain,
    /// Everything is there already.
    Complete,
}

impl AnswerHead {
    /// Reads the headers through `header`, which gives the value of a header by its name in small letters.
    pub fn read(status: u16, header: impl Fn(&str) -> Option<String>) -> Self {
        let encoded =
            header("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
        let number = |name: &str| header(name)?.trim().parse().ok();
        Self {
            status,
            etag: header("etag")
                .map(|etag| etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()),
            content_length: number("content-length").filter(|_| !encoded),
            content_range: header("content-range").and_then(|value| ContentRange::parse(&value)),
            commit: header("x-repo-commit"),
            error_code: header("x-error-code"),
            retry_after: number("retry-after"),
        }
    }

    /// What it says of the file as a whole.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let n_total = match &self.content_range {
            Some(range) => range.n_total,
            None => self.content_length,
        };
        Identity { etag: self.etag.clone(), n_total }
    }
}

impl ContentRange {
    /// Parses `bytes 0-7/100`, `bytes 0-7/*` and `bytes */100`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let n_total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if range == "*" {
            return Some(Self { range: None, n_total });
        }
        let (first, last) = range.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        let range = first..last.checked_add(1)?;
        let fits = first <= last && n_total.is_none_or(|n_total| range.end <= n_total);
        fits.then_some(Self { range: Some(range), n_total })
    }
}

impl Identity {
    /// Whether both can be the same content. What one of them does not say is not held against the other.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let differ = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a != b);
        let lengths_differ = self.n_total.zip(other.n_total).is_some_and(|(a, b)| a != b);
        !differ(self.etag.as_deref(), other.etag.as_deref()) && !lengths_differ
    }
}

/// What to do with an answer of status 200, 206 or 416 when `n_have` bytes of a file like `kept` are there.
#[must_use]
pub fn start_of(n_have: u64, kept: &Identity, head: &AnswerHead) -> Start {
    let same = kept.agrees_with(&head.identity());
    let range = head.content_range.as_ref();
    match head.status {
        206 if same
            && range.and_then(|range| range.range.as_ref()).is_some_and(|range| range.start == n_have) =>
        {
            Start::Append
        }
        // The range begins behind the last byte: it was complete.
        416 if same && range.is_some_and(|range| range.n_total == Some(n_have)) => Start::Complete,
        206 | 416 => Start::AskAgain,
        _ => Start::Anew,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> AnswerHead {
        let find =
            |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        AnswerHead::read(status, find)
    }

    #[test]
    fn ranges_are_of_the_simple_form() {
        assert_eq!(range_header(&(0..8)), "bytes=0-7");
        assert_eq!(range_header(&(8..9)), "bytes=8-8");
    }

    #[test]
    fn content_ranges_are_parsed_or_refused() {
        let parsed = ContentRange::parse("bytes 8-19/20").unwrap();
        assert_eq!(parsed, ContentRange { range: Some(8..20), n_total: Some(20) });
        assert_eq!(ContentRange::parse("bytes 0-7/*").unwrap().n_total, None);
        assert_eq!(
            ContentRange::parse("bytes */90").unwrap(),
            ContentRange { range: None, n_total: Some(90) }
        );
        let last = format!("bytes 0-{}/*", u64::MAX);
        for bad in
            ["", "bytes 5-4/9", "bytes 0-9/9", "bytes x-4/9", "items 0-4/9", "bytes 0-4", last.as_str()]
        {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_compressed_answer_does_not_tell_the_length() {
        let head = head(200, &[("content-length", "10"), ("content-encoding", "gzip"), ("etag", "W/\"x\"")]);
        assert_eq!(head.identity(), Identity { etag: Some("x".to_owned()), n_total: None });
    }

    #[test]
    fn bytes_go_on_only_where_they_fit() {
        let kept = Identity { etag: Some("x".to_owned()), n_total: Some(100) };
        let range = ("content-range", "bytes 60-99/100");
        let start = |headers: &[_]| start_of(60, &kept, &head(206, headers));
        assert_eq!(start(&[range, ("etag", "\"x\"")]), Start::Append);
        assert_eq!(start(&[range]), Start::Append);
        assert_eq!(start(&[range, ("etag", "\"y\"")]), Start::AskAgain);
        assert_eq!(start(&[("content-range", "bytes 60-119/120")]), Start::AskAgain);
        assert_eq!(start(&[("content-range", "bytes 50-99/100")]), Start::AskAgain);
        assert_eq!(start(&[]), Start::AskAgain);
        assert_eq!(start_of(60, &kept, &head(200, &[("content-length", "100")])), Start::Anew);
        let beyond = head(416, &[("content-range", "bytes */100")]);
        assert_eq!(start_of(100, &kept, &beyond), Start::Complete);
        assert_eq!(start_of(120, &kept, &beyond), Start::AskAgain);
    }
}
