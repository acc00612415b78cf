//! A static file server for this machine only: right content types, ranges, no special headers.

use anyhow::Context as _;
use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    ops::Range,
    path::{Path, PathBuf},
    thread,
};

/// Serves `site` below the path `under` until the program ends.
///
/// # Errors
/// If the port is taken.
pub fn serve(site: &Path, port: u16, under: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} is not free; choose another with --port"))?;
    let under = format!("/{}", under.trim_matches('/')).trim_end_matches('/').to_owned();
    println!("serving   http://localhost:{}{under}/   (Ctrl-C ends it)", listener.local_addr()?.port());
    for stream in listener.incoming().flatten() {
        let (site, under) = (site.to_owned(), under.clone());
        // A visitor who goes away in the middle of an answer is no error.
        thread::spawn(move || drop(answer(&stream, &site, &under)));
    }
    Ok(())
}

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    head_only: bool,
    path: String,
    range: Option<String>,
}

/// Answers the requests of one connection, one after the other.
fn answer(stream: &TcpStream, site: &Path, under: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = read_request(&mut lines)? {
        match request.path.strip_prefix(under).and_then(|path| file_of(site, path)) {
            Some(path) => send_file(stream, &path, &request)?,
            None => {
                send(stream, "404 Not Found", "text/plain", "", &b"there is no such file here\n"[..], 27)?
            }
        }
    }
    Ok(())
}

/// The next request; `None` at the end of the connection, and for what is no request for a file.
fn read_request(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
) -> std::io::Result<Option<Request>> {
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(['?', '#']).next().unwrap_or_default().to_owned();
    let mut request = Request { head_only: method == "HEAD", path, range: None };
    for line in lines {
        let line = line?;
        if line.is_empty() {
            return Ok(matches!(method, "GET" | "HEAD").then_some(request));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("range")
        {
            request.range = Some(value.trim().to_owned());
        }
    }
    Ok(None)
}

/// The file at a path of the site. Nothing outside the site can be named.
fn file_of(site: &Path, path: &str) -> Option<PathBuf> {
    let mut file = site.to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part.starts_with('.') || part.contains(['\\', '%', ':']) {
            return None;
        }
        file.push(part);
    }
    if file.is_dir() {
        file.push("index.html");
    }
    file.is_file().then_some(file)
}

fn send_file(stream: &TcpStream, path: &Path, request: &Request) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let range = request.range.as_deref().and_then(|range| parse_range(range, len));
    let (status, headers, part) = match range {
        Some(part) => {
            let header = format!("Content-Range: bytes {}-{}/{len}\r\n", part.start, part.end - 1);
            ("206 Partial Content", header, part)
        }
        None => ("200 OK", String::new(), 0..len),
    };
    let n_bytes = part.end - part.start;
    file.seek(SeekFrom::Start(part.start))?;
    let body = file.take(if request.head_only { 0 } else { n_bytes });
    send(stream, status, content_type(path), &headers, body, n_bytes)
}

fn send(
    mut stream: &TcpStream,
    status: &str,
    kind: &str,
    headers: &str,
    mut body: impl std::io::Read,
    n_bytes: u64,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {n_bytes}\r\nAccept-Ranges: bytes\r\n\
         Cache-Control: no-cache\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes())?;
    std::io::copy(&mut body, &mut stream).map(drop)
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n` within `len` bytes; `None` for anything else, which is answered whole.
fn parse_range(text: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), Some(last)) => first..len.min(last.checked_add(1)?),
        (Some(first), None) if last.is_empty() => first..len,
        (None, Some(n)) if first.is_empty() => len.saturating_sub(n)..len,
        _ => return None,
    };
    (range.start < range.end).then_some(range)
}

/// Browsers compile wasm while it comes in, and run scripts, only if their types are right.
fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn ranges_stay_within_the_file() {
        assert_eq!(parse_range("bytes=0-7", 100), Some(0..8));
        assert_eq!(parse_range("bytes=60-", 100), Some(60..100));
        assert_eq!(parse_range("bytes=90-200", 100), Some(90..100));
        assert_eq!(parse_range("bytes=-10", 100), Some(90..100));
        for odd in ["bytes=100-", "bytes=5-2", "bytes=a-b", "bytes=0-1,4-5", "items=0-7", "bytes=--1"] {
            assert_eq!(parse_range(odd, 100), None, "{odd}");
        }
    }

    #[test]
    fn nothing_outside_the_site_can_be_named() {
        let place = tempfile::tempdir().unwrap();
        let site = place.path().join("site");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(site.join("index.html"), "page").unwrap();
        std::fs::write(place.path().join("secret"), "no").unwrap();
        assert_eq!(file_of(&site, "/"), Some(site.join("index.html")));
        for path in ["/../secret", "/%2e%2e/secret", "/..\\secret", "//../secret", "/missing"] {
            assert_eq!(file_of(&site, path), None, "{path}");
        }
    }

    #[test]
    fn a_part_of_a_file_comes_over_the_wire_and_the_connection_stays() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("a.wasm"), "0123456789").unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let site = place.path().to_owned();
        let thread = thread::spawn(move || answer(&server, &site, "/some").unwrap());
        client.write_all(b"GET /some/a.wasm HTTP/1.1\r\nRange: bytes=2-4\r\n\r\n").unwrap();
        client.write_all(b"GET /a.wasm HTTP/1.1\r\n\r\n").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        thread.join().unwrap();
        assert!(text.contains("application/wasm") && text.contains("bytes 2-4/10"), "{text}");
        assert!(text.contains("\r\n\r\n234HTTP/1.1 404"), "{text}");
    }
}
