//! What the machine needs beside Rust: an adapter to compute on, the web target to check against, and a browser with
//! Node.js to drive it.

use anyhow::{Context as _, bail};
use std::{fs, path::Path, time::Duration};

use crate::shell;

/// Target of the web build.
pub const WEB_TARGET: &str = "wasm32-unknown-unknown";
/// Debian's software adapter.
const SOFTWARE_ADAPTER: &str = "mesa-vulkan-drivers";
/// Names that the tests' browser goes by.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Where Vulkan's loader looks for drivers.
const DRIVER_FOLDERS: [&str; 3] =
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/// Installs what is missing to run on this machine: nothing but, on Linux, a Vulkan driver.
///
/// # Errors
/// If it cannot be installed; says the command to run.
pub fn adapter() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") || DRIVER_FOLDERS.iter().any(|folder| has_driver(Path::new(folder))) {
        return Ok(());
    }
    println!("no Vulkan driver here: installing the software adapter, {SOFTWARE_ADAPTER}");
    install(SOFTWARE_ADAPTER)
}

/// Adds the web target, which is needed for the tests only.
///
/// # Errors
/// If rustup is absent, refuses or hangs; says the command to run.
pub fn web_target() -> anyhow::Result<()> {
    let sysroot = shell::command("rustc", &["--print", "sysroot"]).output().context("cannot start rustc")?;
    let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
    if Path::new(&sysroot).join("lib/rustlib").join(WEB_TARGET).is_dir() {
        return Ok(());
    }
    println!("adding the Rust target {WEB_TARGET}");
    let mut rustup = shell::command("rustup", &["target", "add", WEB_TARGET]);
    shell::run_bounded(&mut rustup, Duration::from_secs(180))
        .with_context(|| format!("the web target is missing; run: rustup target add {WEB_TARGET}"))
}

/// Installs a browser and Node.js, which are needed for the tests only.
///
/// # Errors
/// If they cannot be installed; says the command to run.
pub fn browser() -> anyhow::Result<()> {
    let named = std::env::var_os("CHROMIUM").is_some();
    let programs = [
        ("chromium", named || BROWSERS.iter().any(|name| is_program(name))),
        ("nodejs", is_program("node")),
        ("npm", is_program("npm")),
    ];
    for (package, _) in programs.iter().filter(|(_, is_there)| !is_there) {
        println!("installing {package}, for the browser tests");
        install(package)?;
    }
    Ok(())
}

/// Installs a display without a screen where there is none, for the tests of the window.
///
/// # Errors
/// If it cannot be installed; says the command to run.
pub fn display() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") || is_program("Xvfb") {
        return Ok(());
    }
    println!("installing xvfb, for the tests of the window");
    install("xvfb")
}

/// Installs GNU parallel where it is missing, for the test of the documented example.
///
/// # Errors
/// If it cannot be installed; says the command to run.
pub fn parallel() -> anyhow::Result<()> {
    if is_program("parallel") {
        return Ok(());
    }
    println!("installing parallel, for the tests of divided studies");
    install("parallel")
}

/// Whether a program can be started by its name.
fn is_program(name: &str) -> bool {
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&places).any(|folder| folder.join(name).is_file())
}

/// Whether a folder holds the description of a Vulkan driver.
fn has_driver(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| path.extension().is_some_and(|extension| extension == "json"))
}

/// Installs a Debian package as root, or says how.
fn install(package: &str) -> anyhow::Result<()> {
    let by_hand = format!("apt-get install --yes {package}");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("please install {package}, or what your system has for it");
    }
    if !is_root() {
        bail!("please run: sudo {by_hand}");
    }
    let limit = Duration::from_secs(600);
    let update = shell::run_bounded(&mut shell::command("apt-get", &["update"]), limit);
    let mut apt = shell::command("apt-get", &["install", "--yes", "--no-install-recommends", package]);
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    // An update that fails matters only if the installation does, too.
    match (update, shell::run_bounded(&mut apt, limit)) {
        (_, Ok(())) => Ok(()),
        (Err(update), Err(install)) => {
            Err(install.context(update)).with_context(|| format!("please run: {by_hand}"))
        }
        (Ok(()), Err(install)) => Err(install).with_context(|| format!("please run: {by_hand}")),
    }
}

/// Whether we may install packages.
fn is_root() -> bool {
    let id = shell::command("id", &["-u"]).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_driver_is_a_description_in_json() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_driver(folder.path()));
        fs::File::create(folder.path().join("README")).unwrap();
        assert!(!has_driver(folder.path()));
        fs::File::create(folder.path().join("lvp_icd.json")).unwrap();
        assert!(has_driver(folder.path()));
        assert!(!has_driver(&folder.path().join("missing")));
    }
}
