//! Puts the site together: the scripts and the wasm file in one folder named by what is in it, so that no cache ever
//! mixes two versions, and an `index.html` that names this folder. All addresses are relative.

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What `index.html` calls the folder, and the size of the wasm file for the loading bar.
const FOLDER_MARK: &str = "{{app}}";
const BYTES_MARK: &str = "{{wasm_bytes}}";
/// The page itself; all other files go into the folder.
const PAGE: &str = "index.html";
/// What wasm-bindgen calls the wasm file.
const WASM: &str = "dsee_web_bg.wasm";

/// The embedded models, beside the program here and inside it elsewhere: their names, and their folders in the sources.
const MODELS: [(&str, &str); 2] = [("dsee-tiny-encoder", "model"), ("dsee-tiny-decoder", "decoder")];
const MODEL_FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// Writes `site` anew from the files of `www`, the `bindings` of the wasm file, and the `models` in their folders.
///
/// # Errors
/// If a file cannot be read or written.
pub fn pack(www: &Path, bindings: &Path, models: &Path, site: &Path) -> anyhow::Result<()> {
    let mut files = files_of(www)?;
    let page = files.remove(PAGE).with_context(|| format!("{PAGE} is missing in {}", www.display()))?;
    files.extend(files_of(bindings)?);
    for (model, folder) in MODELS {
        files.extend(MODEL_FILES.map(|name| (format!("{model}/{name}"), models.join(folder).join(name))));
    }
    let wasm = files.get(WASM).with_context(|| format!("{WASM} is missing in {}", bindings.display()))?;
    let n_bytes = fs::metadata(wasm)?.len();
    let app = format!("app-{}", &digest(&files)?[..12]);
    if site.is_dir() {
        fs::remove_dir_all(site).with_context(|| format!("cannot empty {}", site.display()))?;
    }
    let folder = site.join(&app);
    for folder in [folder.clone()].into_iter().chain(MODELS.map(|(model, _)| folder.join(model))) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for (name, path) in &files {
        fs::copy(path, folder.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
    }
    let page = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    let page = page.replace(FOLDER_MARK, &app).replace(BYTES_MARK, &n_bytes.to_string());
    fs::write(site.join(PAGE), page).context("cannot write the page")
}

/// The files directly in a folder, by name.
fn files_of(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, path);
        }
    }
    Ok(files)
}

/// SHA-256 over names and contents, in hexadecimal digits.
fn digest(files: &BTreeMap<String, PathBuf>) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for (name, path) in files {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    fn site(boot: &str) -> (tempfile::TempDir, String) {
        let place = tempfile::tempdir().unwrap();
        let folder = |name: &str| place.path().join(name);
        ["www", "bindings", "models", "models/model", "models/decoder"]
            .iter()
            .for_each(|name| fs::create_dir(folder(name)).unwrap());
        fs::write(folder("www/index.html"), "<script src=\"./{{app}}/boot.js\" data-n=\"{{wasm_bytes}}\">")
            .unwrap();
        fs::write(folder("www/boot.js"), boot).unwrap();
        fs::write(folder("bindings/dsee_web_bg.wasm"), [0; 5]).unwrap();
        for name in MODEL_FILES {
            MODELS
                .iter()
                .for_each(|(_, model)| fs::write(folder("models").join(model).join(name), name).unwrap());
        }
        pack(&folder("www"), &folder("bindings"), &folder("models"), &folder("dist")).unwrap();
        let page = fs::read_to_string(folder("dist/index.html")).unwrap();
        (place, page)
    }

    #[test]
    fn the_page_names_a_folder_that_is_there_and_the_size() {
        let (place, page) = site("one");
        let app = page.split('/').nth(1).unwrap();
        assert!(place.path().join("dist").join(app).join("boot.js").is_file());
        assert!(place.path().join("dist").join(app).join(WASM).is_file());
        for (model, _) in MODELS {
            assert!(place.path().join("dist").join(app).join(model).join("config.json").is_file());
        }
        assert!(page.contains("data-n=\"5\""), "{page}");
    }

    #[test]
    fn another_content_is_another_folder() {
        assert_eq!(site("one").1, site("one").1);
        assert_ne!(site("one").1, site("two").1);
    }
}
