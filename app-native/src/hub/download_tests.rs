//! Downloads from a hub on this machine, whole, cut, refused and redirected.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
use super::*;
use crate::hub::server::{COMMIT, How, HubServer};
use dsee_core::{
    builtin,
    hub::{Endpoint, RepositoryKind, Revision},
};

struct Place {
    folder: tempfile::TempDir,
    server: HubServer,
}

/// The files of the embedded model.
fn embedded() -> Vec<(String, Vec<u8>)> {
    let read = |(name, source): (String, std::rc::Rc<dyn dsee_core::source::ByteSource>)| {
        (name, pollster::block_on(source.read(0..source.len())).unwrap())
    };
    builtin::model_files().files.into_iter().map(read).collect()
}

/// A hub with the embedded model.
fn place() -> Place {
    Place { folder: tempfile::tempdir().unwrap(), server: HubServer::start(embedded()) }
}

impl Place {
    fn download(&self, token: Option<&str>) -> Download {
        let repository = Repository {
            kind: RepositoryKind::Model,
            endpoint: Endpoint::new(&self.server.address()).unwrap(),
            id: "org/name".parse().unwrap(),
            revision: Revision::new("main").unwrap(),
        };
        let token = token.and_then(|token| Token::new(token).unwrap());
        let mut download = Download::new(repository, token, self.cache());
        download.first_wait = Duration::from_millis(1);
        download
    }

    fn cache(&self) -> Cache {
        Cache::new(self.folder.path().to_path_buf())
    }

    fn fetch(&self) -> Result<PathBuf, HubError> {
        self.download(None).run(&mut |_| {})
    }
}

fn is_the_embedded_model(folder: &std::path::Path) {
    assert!(crate::run_folder::read_folder(folder).unwrap() == embedded(), "{}", folder.display());
}

#[test]
fn a_model_comes_whole_and_is_kept() {
    let place = place();
    let mut last = (0, 0);
    let mut show = |status: &Status<'_>| {
        assert!(status.meter.n_done() >= last.0, "progress never goes back");
        last = (status.meter.n_done(), status.meter.n_total());
    };
    let folder = place.download(None).run(&mut show).unwrap();
    is_the_embedded_model(&folder);
    assert_eq!(last.0, last.1);
    let id = "org/name".parse().unwrap();
    assert_eq!(place.cache().find(&id, "main"), Some(folder));
    let seen = place.server.seen();
    assert!(seen.iter().skip(1).all(|seen| seen.path.contains(COMMIT)), "pinned after the first answer");
}

#[test]
fn a_cut_is_gone_on_with_by_range() {
    let place = place();
    place.server.rule("model.safetensors", How::Cut, 1);
    is_the_embedded_model(&place.fetch().unwrap());
    let ranges: Vec<String> = place.server.seen().into_iter().filter_map(|seen| seen.range).collect();
    assert!(
        ranges.iter().any(|range| !range.starts_with("bytes=0-") && !range.starts_with("bytes=8-")),
        "{ranges:?}"
    );
}

#[test]
fn what_came_before_a_stop_is_not_fetched_again() {
    let place = place();
    let n_total = builtin::model_files().files["model.safetensors"].len();
    let download = place.download(None);
    let cancel = download.cancel_flag();
    let mut stop = |status: &Status<'_>| {
        if status.file == "model.safetensors" && status.meter.n_done() > status.meter.n_total() / 2 {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    assert_eq!(download.run(&mut stop), Err(HubError::Cancelled));
    let id = "org/name".parse().unwrap();
    assert_eq!(place.cache().find(&id, "main"), None);
    assert!(place.cache().list()[0].n_bytes > n_total / 3);
    is_the_embedded_model(&place.fetch().unwrap());
    let last = place.server.seen().into_iter().filter_map(|seen| seen.range).next_back().unwrap();
    assert!(!last.starts_with("bytes=0-"), "{last}");
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_anew() {
    let place = place();
    place.server.rule("model.safetensors", How::Cut, 1);
    place.server.rule("model.safetensors", How::OtherEtag, 1);
    is_the_embedded_model(&place.fetch().unwrap());
}

#[test]
fn refusals_are_told_apart_and_a_busy_hub_is_asked_again() {
    let place = place();
    for (status, expected) in [(401, "access token"), (403, "conditions"), (404, "config.json")] {
        place.server.rule("config.json", How::Status(status), 1);
        let error = place.fetch().unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("org/name"), "{error}");
    }
    place.server.rule("config.json", How::Status(503), 2);
    is_the_embedded_model(&place.fetch().unwrap());
}

#[test]
fn a_busy_hub_is_asked_five_times_at_most() {
    let place = place();
    place.server.rule("config.json", How::Status(503), 100);
    assert!(matches!(place.fetch(), Err(HubError::Busy { status: 503, .. })));
    assert_eq!(place.server.seen().len(), 5);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let place = place();
    let storage = HubServer::start(embedded());
    place.server.rule("model.safetensors", How::Redirect(storage.address()), 100);
    let folder = place.download(Some("hf_secret")).run(&mut |_| {}).unwrap();
    is_the_embedded_model(&folder);
    let shown = |server: &HubServer| server.seen().iter().filter(|seen| seen.authorization.is_some()).count();
    assert_eq!(shown(&place.server), place.server.seen().len());
    assert!(!storage.seen().is_empty());
    assert_eq!(shown(&storage), 0, "the host of large files never sees the token");
}

#[test]
fn a_model_that_cannot_be_used_is_refused_by_its_header() {
    let mut files = embedded();
    for (name, bytes) in &mut files {
        if name == "config.json" {
            *bytes = String::from_utf8_lossy(bytes)
                .replace("\"hidden_size\": ", "\"hidden_size\": 1")
                .into_bytes();
        }
    }
    let place = Place { folder: tempfile::tempdir().unwrap(), server: HubServer::start(files) };
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, HubError::Config(_) | HubError::Contradiction(_)), "{error}");
    let fetched_weights =
        |seen: &crate::hub::server::Seen| seen.path.ends_with(".safetensors") && seen.range.is_none();
    assert!(!place.server.seen().iter().any(fetched_weights));
}

#[test]
fn a_hub_that_is_not_there_is_offline_at_once() {
    let mut place = place();
    place.server.stop();
    let began = Instant::now();
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}
