//! The files of the repository, and Rust files without their comments and tests: what the tidy tests look at.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The text of a file, named from the top folder.
#[must_use]
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files that git tracks or would track, named from the top folder, sorted.
///
/// # Panics
/// Outside a git checkout.
#[must_use]
pub fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let output = git.output().unwrap_or_else(|error| panic!("this test asks git for the files: {error}"));
    assert!(output.status.success(), "this test needs a git checkout: git ls-files failed");
    let names = output.stdout.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let mut files: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files
}

/// Files whose name ends in `extension` under a folder, both from the top.
#[must_use]
pub fn files_under(folder: &str, extension: &str) -> Vec<String> {
    files().into_iter().filter(|file| file.starts_with(folder) && file.ends_with(extension)).collect()
}

/// The code of a Rust file line by line: comments and the contents of strings blanked out.
#[must_use]
pub fn code_lines(text: &str) -> Vec<String> {
    blank(text, true).lines().map(str::to_owned).collect()
}

/// The same without what is compiled for tests only. Strings stay: they are part of what the product says.
#[must_use]
pub fn product_lines(text: &str) -> Vec<String> {
    let (code, mut kept) =
        (code_lines(text), blank(text, false).lines().map(str::to_owned).collect::<Vec<_>>());
    let mut depth_of_tests: Option<i32> = None;
    for (i, line) in code.iter().enumerate() {
        let change = line.matches('{').count() as i32 - line.matches('}').count() as i32;
        match &mut depth_of_tests {
            None if line.trim() == "#[cfg(test)]" => depth_of_tests = Some(0),
            None => continue,
            Some(depth) => {
                *depth += change;
                // The item ends with its last brace, or, without braces, with its semicolon.
                if *depth == 0 && (line.contains('}') || line.trim_end().ends_with(';')) {
                    depth_of_tests = None;
                }
            }
        }
        kept[i].clear();
    }
    kept
}

/// Whether a whole file is compiled for tests only, by the names this project gives such files.
#[must_use]
pub fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("tests/") || matches!(name, "tests.rs" | "testing.rs") || name.ends_with("_tests.rs")
}

/// The words in a piece of code: identifiers, divided at underscores and capitals, in lower case.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        if (c.is_uppercase() && before.is_lowercase()) || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Replaces comments, and on request the contents of strings, by spaces. Lines stay where they are.
fn blank(text: &str, strings_too: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (len, hide) = token(rest);
        let (token, after) = rest.split_at(len.max(c.len_utf8()));
        match hide {
            Hide::Comment => out.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' })),
            Hide::Text if strings_too => out.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' })),
            _ => out.push_str(token),
        }
        rest = after;
    }
    out
}

enum Hide {
    Nothing,
    Comment,
    Text,
}

/// Length and kind of what begins here: a comment, a string, a character, or one character of code.
fn token(rest: &str) -> (usize, Hide) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Hide::Comment);
    }
    if rest.starts_with("/*") {
        return (rest.find("*/").map_or(rest.len(), |end| end + 2), Hide::Comment);
    }
    if let Some(len) = raw_string(rest) {
        return (len, Hide::Text);
    }
    if rest.starts_with('"') {
        return (quoted(rest, '"'), Hide::Text);
    }
    // A quote begins a character if one follows within a character or an escape; otherwise a lifetime.
    let mut chars = rest.chars();
    if chars.next() == Some('\'') {
        let (first, second) = (chars.next(), chars.next());
        if first == Some('\\') || second == Some('\'') {
            return (quoted(rest, '\''), Hide::Text);
        }
    }
    // Identifiers go whole, so that an r or b at their end begins no string.
    let identifier = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    (identifier, Hide::Nothing)
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return i + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// Length of the raw string that begins here, if one does: `r"…"`, `r#"…"#`, `br"…"`.
fn raw_string(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len() + hashes + 1;
    Some(rest[start..].find(&close).map_or(rest.len(), |end| start + end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_and_lines_stay() {
        let text =
            "let a = \"x // y\"; // wgpu\n/* wgpu\n*/ let c = '\"'; let r = br#\"wgpu \"q\"#; 'a: loop {}";
        let code = code_lines(text);
        assert_eq!(code.len(), 3);
        assert!(!code.join("\n").contains("wgpu") && !code[0].contains('x'));
        assert!(code[2].contains("let r =") && code[2].ends_with("'a: loop {}"));
    }

    #[test]
    fn tests_at_the_foot_are_left_out() {
        let text = "fn a() { \"lora\" }\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod d;\nfn e() {}";
        let kept = product_lines(text);
        let lines: Vec<usize> = (0..kept.len()).filter(|&i| !kept[i].is_empty()).collect();
        assert_eq!(lines, [0, 5, 8]);
        assert!(kept[0].contains("lora"));
    }

    #[test]
    fn words_of_identifiers() {
        assert_eq!(words("LoraPlan::dsee_state(bitfit2)"), ["lora", "plan", "dsee", "state", "bitfit2"]);
    }
}
