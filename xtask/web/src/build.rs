//! From Rust to a folder that any static host can serve: cargo, wasm-bindgen, and the site's own files.

use anyhow::{Context as _, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use wasm_bindgen_cli_support::Bindgen;

use crate::{pack, root, size};

/// Target of the web build.
const TARGET: &str = "wasm32-unknown-unknown";
/// Package of the page, and the name of what it is built into.
const PACKAGE: &str = "dsee-web";
const LIBRARY: &str = "dsee_web";

/// Flags of the build.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// Quick to build again and large, for work on the page.
    #[arg(long)]
    dev: bool,
}

/// Builds the page and returns its folder.
///
/// # Errors
/// If something does not build, or the page is larger than a visitor should have to load.
pub fn build(args: &BuildArgs) -> anyhow::Result<PathBuf> {
    let wasm = compile(args.dev)?;
    let site = root().join("www/dist");
    let bound = bind(&wasm, args.dev)?;
    pack::pack(&root().join("www"), &bound, &root().join("core/src/builtin"), &site)?;
    let sizes = size::of_site(&site)?;
    println!("size      {sizes}, before the built-in models\npage      {}", site.display());
    if !args.dev {
        sizes.check()?;
    }
    Ok(site)
}

/// The wasm file as the compiler leaves it.
fn compile(dev: bool) -> anyhow::Result<PathBuf> {
    let (profile, folder) = if dev { ("dev", "debug") } else { ("web", "web") };
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let flags = ["build", "--quiet", "--package", PACKAGE, "--target", TARGET, "--profile", profile];
    let status =
        Command::new(cargo).args(flags).current_dir(root()).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the page does not build: cargo {}", flags.join(" "));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(TARGET).join(folder).join(LIBRARY).with_extension("wasm"))
}

/// The wasm file and its JavaScript, as wasm-bindgen makes them, in a folder of their own.
fn bind(wasm: &Path, keep_names: bool) -> anyhow::Result<PathBuf> {
    let folder = wasm.with_file_name("bindgen");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).context("cannot empty the folder of the bindings")?;
    }
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_producers_section(true)
        .remove_name_section(!keep_names);
    bindgen.generate(&folder).context("wasm-bindgen refuses the wasm file")?;
    Ok(folder)
}
