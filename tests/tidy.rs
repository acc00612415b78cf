//! Proves what the compiler cannot: who may name whom, where the outside world may be touched, and that every file
//! says what it is for. Needs no GPU, only a git checkout. Every failure lists file, line and what to do.

use std::collections::BTreeMap;

use dsee_tests::repository::{code_lines, files, files_under, is_test_file, product_lines, text, words};

/// Largest number of lines of a file, by extension. Aim far below: 300 and 150.
const MOST_LINES: [(&str, usize); 2] = [(".rs", 500), (".wgsl", 200)];

/// Tuning methods as words in code.
const METHODS: [&str; 3] = ["lora", "dsee", "bitfit"];

/// Models as words in code.
const MODELS: [&str; 6] = ["bert", "roberta", "gpt", "gpt2", "distilbert", "minilm"];

/// Fails with all findings at once.
fn none(findings: &[String], advice: &str) {
    assert!(findings.is_empty(), "{advice}\n{}", findings.join("\n"));
}

fn finding(file: &str, line: usize, text: &str) -> String {
    format!("  {file}:{}: {}", line + 1, text.trim())
}

/// Lines of the product's code, without comments and tests, in Rust files under `folder`.
fn product(folder: &str) -> Vec<(String, usize, String)> {
    let rust = files_under(folder, ".rs").into_iter().filter(|file| !is_test_file(file));
    let lines = |file: String| {
        let lines = product_lines(&text(&file));
        lines.into_iter().enumerate().map(move |(i, line)| (file.clone(), i, line)).collect::<Vec<_>>()
    };
    rust.flat_map(lines).collect()
}

fn findings(lines: &[(String, usize, String)], forbidden: impl Fn(&str) -> bool) -> Vec<String> {
    let found = lines.iter().filter(|(_, _, line)| forbidden(line));
    found.map(|(file, i, line)| finding(file, *i, line)).collect()
}

fn names(line: &str, forbidden: &[&str]) -> bool {
    words(line).iter().any(|word| forbidden.contains(&word.as_str()))
}

#[test]
fn one_place_names_the_graphics_library() {
    let mut found = Vec::new();
    for file in files_under("", ".rs") {
        if !file.starts_with("core/src/gpu/") {
            let code = code_lines(&text(&file)).into_iter().enumerate();
            let named = code.filter(|(_, line)| names(line, &["wgpu"]));
            found.extend(named.map(|(i, line)| finding(&file, i, &line)));
        }
    }
    none(&found, "only core/src/gpu may name wgpu: give its Device a method for what is needed");
}

#[test]
fn the_engine_touches_no_files_threads_clocks_or_pages() {
    let forbidden =
        ["std::fs", "std::thread", "std::time::Instant", "std::env::", "std::process", "web_sys", "js_sys"];
    let found = findings(&product("core/src/"), |line| forbidden.iter().any(|name| line.contains(name)));
    none(
        &found,
        "core takes bytes and gives bytes, anywhere: the apps touch files, threads, clocks and pages",
    );
}

#[test]
fn the_engine_prints_nothing() {
    let forbidden = ["println!", "print!(", "eprint!(", "dbg!"];
    let found = findings(&product("core/src/"), |line| forbidden.iter().any(|name| line.contains(name)));
    none(&found, "core returns what is to be said, or uses the log macros");
}

#[test]
fn models_and_tuning_know_only_what_they_share() {
    let mut found = findings(&product("core/src/models/"), |line| line.contains("tuning::"));
    found.extend(findings(&product("core/src/tuning/"), |line| line.contains("models::")));
    none(&found, "models and tuning meet in nn/site.rs and nn/plan.rs; train brings them together");
}

#[test]
fn lower_layers_import_nothing_above_them() {
    let below: [(&str, &[&str]); 4] = [
        ("core/src/gpu/", &["ops", "tape", "nn", "models", "tuning", "train"]),
        ("core/src/ops/", &["nn", "models", "tuning", "train"]),
        ("core/src/tape.rs", &["nn", "models", "tuning", "train"]),
        ("core/src/nn/", &["models", "tuning", "train"]),
    ];
    let mut found = Vec::new();
    for (folder, above) in below {
        let imports = |line: &str| above.iter().any(|name| line.contains(&format!("crate::{name}::")));
        found.extend(findings(&product(folder), imports));
    }
    none(&found, "imports point down: nn, tape, ops, gpu. Move the shared type to the lower of the two");
}

#[test]
fn training_and_models_name_no_method() {
    let mut lines = product("core/src/train/");
    lines.extend(product("core/src/models/"));
    let found = findings(&lines, |line| names(line, &METHODS));
    none(&found, "a method is a plan over sites (core/src/nn/plan.rs): say it in core/src/tuning");
}

#[test]
fn tuning_names_no_model() {
    // Two methods of the literature have a model in their names.
    let without_titles =
        |line: &str| line.replace("bert_tickets", "").replace("BertTickets", "").replace("EarlyBert", "");
    let found = findings(&product("core/src/tuning/"), |line| names(&without_titles(line), &MODELS));
    none(&found, "a method sees sites and roles (core/src/nn/site.rs): say it in core/src/models");
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut found = Vec::new();
    for (extension, opening) in [(".rs", "//! "), (".wgsl", "// ")] {
        let silent = files_under("", extension).into_iter().filter(|file| !text(file).starts_with(opening));
        found.extend(
            silent.map(|file| format!("  {file}:1: begin with `{opening}` and what the file is for")),
        );
    }
    none(&found, "every Rust and WGSL file begins with what it is for");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let later = [["TO", "DO"], ["FIX", "ME"], ["to", "do!"], ["unimple", "mented!"], ["#[ig", "nore"]]
        .map(|word| word.concat());
    let mut found = Vec::new();
    for file in files() {
        let source = [".rs", ".wgsl", ".toml", ".py", ".js", ".mjs", ".html", ".css", ".md", ".sh"];
        if source.iter().any(|extension| file.ends_with(extension)) {
            let text = text(&file);
            let lines =
                text.lines().enumerate().filter(|(_, line)| later.iter().any(|word| line.contains(word)));
            found.extend(lines.map(|(i, line)| finding(&file, i, line)));
        }
    }
    none(&found, "finish it, or open an issue; a test that is switched off proves nothing");
}

/// Whether a path begins at `at`: not in the middle of another path or address.
fn begins_path(line: &str, at: usize) -> bool {
    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/:*~})>".contains(c))
}

#[test]
fn no_file_names_a_machine() {
    let folders = ["root", "work", "tmp", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for file in files() {
        // Golden weights are no text.
        let Ok(text) = std::fs::read_to_string(dsee_tests::repository::root().join(&file)) else { continue };
        for (i, line) in text.lines().enumerate() {
            let here =
                |folder: &String| line.match_indices(folder.as_str()).any(|(at, _)| begins_path(line, at));
            // An invented home shows in tests what a user's path looks like.
            if folders.iter().any(here) && !line.contains("/home/me/") {
                found.push(finding(&file, i, line));
            }
        }
    }
    none(&found, "a path of one machine is of no use on another: name it from the repository, or ask for it");
}

/// The host of every address in a line.
fn hosts(line: &str) -> Vec<&str> {
    // Browsers have pages of their own, `chrome` and a name, which are no hosts.
    let on_a_network = |at: &usize| line[..*at].ends_with("http") || line[..*at].ends_with("https");
    let marks = line.match_indices("://").filter(|(at, _)| on_a_network(at));
    let after = marks.map(|(at, mark)| &line[at + mark.len()..]);
    after
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && !"-._".contains(c)).next().unwrap_or("")
        })
        .collect()
}

#[test]
fn no_file_names_a_registry_or_a_private_host() {
    let registries = [
        ["crates", ".io"],
        ["pypi", ".org"],
        ["pythonhosted", ".org"],
        ["npmjs", ".org"],
        ["npmjs", ".com"],
        ["debian", ".org"],
    ]
    .map(|host| host.concat());
    let own = ["localhost", "127.0.0.1"];
    let mut found = Vec::new();
    // Cargo writes the lock file.
    for file in
        files().into_iter().filter(|file| !file.ends_with(".lock") && !file.ends_with("package-lock.json"))
    {
        let Ok(text) = std::fs::read_to_string(dsee_tests::repository::root().join(&file)) else { continue };
        for (i, line) in text.lines().enumerate() {
            let private = |host: &&str| {
                let number = host.split('.').all(|part| part.parse::<u8>().is_ok());
                !host.is_empty() && !own.contains(host) && (number || !host.contains('.'))
            };
            let registry = registries.iter().any(|host| line.contains(host.as_str()));
            if registry || hosts(line).iter().any(private) {
                found.push(finding(&file, i, line));
            }
        }
    }
    none(&found, "packages are named, never where a machine fetches them from");
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let (mut n_dependencies, mut silent) = (0, Vec::new());
    for file in files_under("", "Cargo.toml") {
        let manifest = text(&file);
        let mut in_dependencies = false;
        for (i, line) in manifest.lines().enumerate() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
                continue;
            }
            // Our own packages say it in their manifests, and members refer to the workspace's list.
            let ours = line.contains("path =") || line.contains("workspace = true");
            if in_dependencies && line.contains('=') && !line.starts_with('#') && !ours {
                n_dependencies += 1;
                if !line.contains(" # ") {
                    silent.push(finding(&file, i, line));
                }
            }
        }
    }
    assert!(n_dependencies > 10, "the list of dependencies was not found in Cargo.toml");
    none(&silent, "add ` # what it is for` to the line");
}

#[test]
fn files_stay_readable() {
    let mut found = Vec::new();
    for (extension, most) in MOST_LINES {
        let mut sizes: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for file in files_under("", extension) {
            sizes.entry(text(&file).lines().count()).or_default().push(file);
        }
        let n_files: usize = sizes.values().map(Vec::len).sum();
        let n_lines: usize = sizes.iter().map(|(lines, files)| lines * files.len()).sum();
        println!("{n_files} files *{extension}, {n_lines} lines; the longest:");
        for (lines, files) in sizes.iter().rev().take(5) {
            println!("  {lines:5}  {}", files.join(", "));
        }
        let long =
            sizes.range(most + 1..).flat_map(|(lines, files)| files.iter().map(move |file| (lines, file)));
        found.extend(long.map(|(lines, file)| format!("  {file}:{lines}: at most {most} lines")));
    }
    none(&found, "divide the file by what its parts are for");
}
