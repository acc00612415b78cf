//! The window on the page: drawn into a canvas, told what engine and page say, and what it asks for carried out.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use dsee_core::protocol::{Event, FailureKind, FailureReport, RunEvent, RunId};
use dsee_ui::{Action, Notice, Studio, shell::Download, spoken::Spoken};
use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use crate::{
    archive,
    bridge::PageHost,
    crash, hub,
    messages::{incoming_bytes, outgoing_files},
    notices::{PageNotice, SavedInputs, purpose_name},
};

/// Opens the window in `canvas`. Called by `www/boot.js`.
///
/// # Errors
/// If the canvas cannot be drawn on.
#[wasm_bindgen(js_name = startPage)]
pub async fn start_page(
    canvas: HtmlCanvasElement,
    host: PageHost,
    store: hub::HubStore,
) -> Result<Page, JsValue> {
    let on_panic = host.clone();
    crash::on_panic(move |reason| on_panic.crashed(reason));
    eframe::WebLogger::init(log::LevelFilter::Warn).ok();
    let shared = Rc::new(RefCell::new(Shared { studio: Studio::default(), context: None }));
    let window = Window { shared: shared.clone(), host: host.clone(), store, downloading: Rc::default() };
    let runner = eframe::WebRunner::new();
    let create = move |creation: &eframe::CreationContext<'_>| {
        Studio::install(&creation.egui_ctx);
        creation.egui_ctx.add_plugin(Spoken::default());
        creation.egui_ctx.enable_accesskit();
        window.shared.borrow_mut().context = Some(creation.egui_ctx.clone());
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    runner.start(canvas, eframe::WebOptions::default(), Box::new(create)).await?;
    Ok(Page { shared, host, _runner: runner })
}

/// What the window and the messages to it share. Never borrowed while a script is called: it may answer at once.
struct Shared {
    studio: Studio,
    context: Option<egui::Context>,
}

/// The window's face towards the scripts.
#[wasm_bindgen]
pub struct Page {
    shared: Rc<RefCell<Shared>>,
    host: PageHost,
    _runner: eframe::WebRunner,
}

#[wasm_bindgen]
impl Page {
    /// An event of the engine, as JSON, with `{ name, buffer }` beside it.
    #[wasm_bindgen(js_name = engineEvent)]
    pub fn engine_event(&self, event: &str, attachments: Array) {
        match serde_json::from_str::<Event>(event) {
            Ok(event) => {
                self.tell(|studio| studio.event(&event, &incoming_bytes(&attachments)));
                self.keep_report(&event);
            }
            Err(error) => log::error!("an event of the engine is not understood: {error}"),
        }
    }

    /// The engine has ended, for a reason in a few words; none if it came to its own end.
    #[wasm_bindgen(js_name = engineGone)]
    pub fn engine_gone(&self, reason: &str) {
        let shared = self.shared.borrow();
        let state = &shared.studio.state;
        let report = FailureReport {
            kind: FailureKind::Crashed,
            run: state.current,
            text: format!("The engine has stopped: {}", reason.lines().next().unwrap_or("it gave no reason")),
            advice: "Start a new engine. The last saved state of the run is kept and can be gone on with."
                .to_owned(),
            last_good_step: state.run().and_then(|run| run.saved_step),
        };
        drop(shared);
        self.tell(|studio| studio.notice(Notice::EngineGone(report)));
    }

    /// Goes on with a saved run from the files that were found, as JSON.
    pub fn resume(&self, inputs: &str) {
        let actions = match serde_json::from_str::<SavedInputs>(inputs) {
            Ok(inputs) => inputs.into_actions(),
            Err(error) => {
                let text = format!("The run was saved by another version of the app: {error}");
                return self.tell(|studio| studio.notice(Notice::Problem(text)));
            }
        };
        // The window gives model and data to every new engine: from now on, these.
        self.tell(|studio| actions.iter().for_each(|action| studio.state.sources.note(action)));
        actions.iter().for_each(|action| send(&self.host, action));
    }

    /// How long drawing takes during the newest run, as JSON; `null` while nothing was drawn during one.
    #[wasm_bindgen(js_name = frameFigures)]
    pub fn frame_figures(&self) -> String {
        let figures = self.shared.borrow().studio.state.frames.figures();
        serde_json::to_string(&figures).unwrap_or_default()
    }

    /// Something happened around the window, as JSON.
    pub fn notice(&self, notice: &str) {
        match serde_json::from_str::<PageNotice>(notice) {
            Ok(notice) => self.tell(|studio| studio.notice(notice.into())),
            Err(error) => log::error!("a notice of the page is not understood: {error}"),
        }
    }
}

/// Sends what is a command to the engine.
fn send(host: &PageHost, action: &Action) {
    let Action::Send { command, files } = action else { return };
    match serde_json::to_string(command) {
        Ok(command) => host.send(&command, outgoing_files(files)),
        Err(error) => log::error!("a command cannot be written: {error}"),
    }
}

/// Tells the window something, and lets it be drawn.
fn tell(shared: &RefCell<Shared>, what: impl FnOnce(&mut Studio)) {
    let mut shared = shared.borrow_mut();
    what(&mut shared.studio);
    if let Some(context) = &shared.context {
        context.request_repaint();
    }
}

impl Page {
    fn tell(&self, what: impl FnOnce(&mut Studio)) {
        tell(&self.shared, what);
    }

    /// Hands what a run has told to the page for keeping, when its state was saved and when it ends.
    fn keep_report(&self, event: &Event) {
        let (run, finished) = match event {
            Event::CheckpointSaved { run, .. } => (*run, false),
            Event::Run { run, event: RunEvent::Finished(_) } => (*run, true),
            Event::Stopped { run, kept: true, .. } => (*run, true),
            Event::Stopped { run, kept: false, .. } => return self.host.discard_run(*run as f64),
            _ => return,
        };
        if let Some(report) = self.report_of(run) {
            self.host.save_report(run as f64, &report, finished);
        }
    }

    fn report_of(&self, run: RunId) -> Option<String> {
        let shared = self.shared.borrow();
        serde_json::to_string(&shared.studio.state.runs.get(&run)?.report).ok()
    }
}

/// The window itself.
struct Window {
    shared: Rc<RefCell<Shared>>,
    host: PageHost,
    store: hub::HubStore,
    /// Whether a download is wanted; it ends itself when not.
    downloading: Rc<Cell<bool>>,
}

impl eframe::App for Window {
    fn logic(&mut self, _context: &egui::Context, _frame: &mut eframe::Frame) {
        let (status, title) = {
            let studio = &self.shared.borrow().studio;
            (studio.status_line(), studio.window_title())
        };
        self.host.set_status(&status, &title);
    }

    /// What shows before the first frame and between panels: the ground of the theme.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let actions = {
            let studio = &mut self.shared.borrow_mut().studio;
            if let Some(seconds) = frame.info().cpu_usage {
                studio.notice(Notice::Frame { seconds });
            }
            studio.show(ui)
        };
        self.tell_focus(ui.ctx().clone());
        actions.into_iter().for_each(|action| self.carry_out(action));
    }
}

impl Window {
    /// Tells the page what has the keyboard, as soon as this frame has ended.
    fn tell_focus(&self, context: egui::Context) {
        let host = self.host.clone();
        wasm_bindgen_futures::spawn_local(async move {
            if let Some(widget) = context.with_plugin(Spoken::take).flatten() {
                host.set_focus(&widget);
            }
        });
    }

    fn carry_out(&self, action: Action) {
        let host = &self.host;
        match action {
            Action::Send { .. } => send(host, &action),
            Action::Pick(purpose) => host.pick(purpose_name(purpose)),
            Action::Save { name, files } => self.save(&name, &files),
            Action::SetLink(text) => host.set_link(&text),
            Action::Download { id, revision, token } => self.download(id, revision, token),
            Action::CancelDownload => {
                self.downloading.set(false);
                self.store.cancel();
            }
            Action::ListStorage => host.list_storage(),
            Action::OpenCached(id) => host.open_cached(&id),
            Action::DeleteCached(id) => host.delete_cached(&id),
            Action::ListRuns => host.list_runs(),
            Action::DeleteRun(key) => host.delete_run(&key),
            Action::ResumeRun { key, run } => host.resume_run(&key, run as f64),
            Action::PickRunFolder => host.pick_run_folder(),
            Action::RestartEngine => host.restart_engine(),
            Action::SetUnsaved(unsaved) => host.set_unsaved(unsaved),
            Action::KeepAwake(awake) => host.keep_awake(awake),
        }
    }

    /// Gets a model from the hub in the background; its files come as a notice when they are all here.
    fn download(&self, id: String, revision: String, token: Option<String>) {
        // One at a time: the window shows one.
        if self.downloading.replace(true) {
            return;
        }
        let (shared, wanted) = (self.shared.clone(), self.downloading.clone());
        let progress: hub::Progress = Rc::new(move |download| {
            let download = Notice::Download(Box::new(download.clone()));
            tell(&shared, |studio| studio.notice(download));
            wanted.get()
        });
        let (shared, wanted, host, store) =
            (self.shared.clone(), self.downloading.clone(), self.host.clone(), self.store.clone());
        wasm_bindgen_futures::spawn_local(async move {
            let fetched = hub::fetch(store, &id, &revision, token.as_deref(), progress).await;
            wanted.set(false);
            let newest = shared.borrow().studio.state.download.clone().unwrap_or_default();
            let problem = fetched.as_ref().err().map(ToString::to_string);
            host.announce(problem.as_deref().unwrap_or("The model is here."));
            let ended = Download { id: id.clone(), problem, finished: fetched.is_ok(), rate: 0.0, ..newest };
            tell(&shared, |studio| studio.notice(Notice::Download(Box::new(ended))));
            if fetched.is_ok() {
                host.open_cached(&id);
                host.list_storage();
            }
        });
    }

    /// One file as it is, several as a zip.
    fn save(&self, name: &str, files: &[dsee_core::source::NamedBytes]) {
        match files {
            [file] => self.host.save(name, &file.bytes),
            _ => match archive::zip(name, files) {
                Ok(bytes) => self.host.save(&format!("{name}.zip"), &bytes),
                Err(error) => {
                    let problem = Notice::Problem(format!("The files could not be put together: {error}"));
                    self.shared.borrow_mut().studio.notice(problem);
                }
            },
        }
    }
}
