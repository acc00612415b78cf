//! The window: `dsee` without arguments. Everything it shows is drawn by `dsee-ui`; here are the system around it and
//! the threads it must not wait for.

mod app;
mod dialogs;
mod disk;
mod engine_thread;
mod held_files;
mod icon;
mod measure;
mod model_store;
mod picture;
#[cfg(test)]
mod resume_tests;
mod run_records;
mod saved_runs;
mod shell;
mod sources;

use anyhow::anyhow;
use egui::{Vec2, ViewportBuilder};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use crate::{atomic, failure::Failure, hub::Cache, run_folder::RUNS_FOLDER};
use app::DseeWindow;
use shell::{Places, Shell};

pub use measure::Measure;

const TITLE: &str = "DSEE Studio";
/// Size of the first window, in points.
const FIRST_SIZE: Vec2 = Vec2::new(1280.0, 800.0);
/// Smallest size that is of use, in points.
const LEAST_SIZE: Vec2 = Vec2::new(390.0, 480.0);
/// Where the window's size is kept.
const SIZE_FILE: &str = "window.json";

/// What the window does besides being there.
pub struct Errands {
    /// Save a picture of the window there when the engine is ready, and close it.
    pub picture: Option<PathBuf>,
    /// Measure frames during a run, and close it.
    pub measure: Option<Measure>,
}

/// Opens the window, showing the run in the folder `run`, and waits until it is closed, by the user or when its
/// errands are done.
///
/// # Errors
/// [`Failure::NoDisplay`] if there is nowhere to open it.
pub fn open(run: Option<&Path>, errands: Errands) -> Result<(), Failure> {
    if let Some(reason) =
        missing_display(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
    {
        return Err(Failure::NoDisplay { reason });
    }
    let cache = Cache::of_this_user().ok();
    let size_file = cache.as_ref().map(|cache| cache.root().join(SIZE_FILE));
    let first = size_file.as_deref().and_then(read_size).unwrap_or(FIRST_SIZE);
    let size = Arc::new(Mutex::new(first));
    let viewport = ViewportBuilder::default()
        .with_title(TITLE)
        .with_app_id("dsee")
        .with_icon(icon::icon())
        .with_inner_size(first)
        .with_min_inner_size(LEAST_SIZE)
        .with_drag_and_drop(true);
    let options = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let places = Places { runs: PathBuf::from(RUNS_FOLDER), cache };
    let (run, shared) = (run.map(Path::to_path_buf), Arc::clone(&size));
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        dsee_ui::Studio::install(&creation.egui_ctx);
        let ctx = creation.egui_ctx.clone();
        let shell = Shell::start(places, Arc::new(move || ctx.request_repaint()))?;
        shell.look_around(run);
        Ok(Box::new(DseeWindow::new(shell, errands, shared)))
    });
    eframe::run_native(TITLE, options, create).map_err(|error| match error {
        eframe::Error::AppCreation(error) => Failure::Failed(anyhow!("{error}")),
        other => Failure::NoDisplay { reason: other.to_string() },
    })?;
    if let (Some(path), Ok(size)) = (size_file, size.lock()) {
        write_size(&path, *size);
    }
    Ok(())
}

/// Why there is nowhere to open a window, if that is plain before trying.
fn missing_display(is_set: impl Fn(&str) -> bool) -> Option<String> {
    let needs_one = cfg!(all(unix, not(target_os = "macos")));
    let has_one = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set);
    (needs_one && !has_one)
        .then(|| "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)".to_owned())
}

fn read_size(path: &Path) -> Option<Vec2> {
    let [width, height]: [f32; 2] = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let size = Vec2::new(width, height);
    // What a damaged file says should not open a window that nobody can grasp.
    (size.is_finite() && size.max_elem() < 20_000.0).then(|| size.max(LEAST_SIZE))
}

/// Keeps the size. It is a convenience: where it cannot be written, the next window has the first size again.
fn write_size(path: &Path, size: Vec2) {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written =
        parent.is_ok() && atomic::write(path, format!("[{}, {}]", size.x, size.y).as_bytes()).is_ok();
    if !written {
        log::info!("the size of the window could not be kept");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_display_nothing_is_tried() {
        assert!(missing_display(|_| false).unwrap().contains("DISPLAY"));
        assert!(missing_display(|name| name == "WAYLAND_DISPLAY").is_none());
    }

    #[test]
    fn the_size_is_kept_and_nonsense_is_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("new/window.json");
        write_size(&path, Vec2::new(1000.0, 700.0));
        assert_eq!(read_size(&path), Some(Vec2::new(1000.0, 700.0)));
        write_size(&path, Vec2::new(1.0, 700.0));
        assert_eq!(read_size(&path), Some(Vec2::new(390.0, 700.0)));
        atomic::write(&path, b"[1e9, 2]").unwrap();
        assert_eq!(read_size(&path), None);
        assert_eq!(read_size(&place.path().join("none")), None);
    }
}
