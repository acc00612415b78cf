//! What the scripts of the page offer to Rust. Each type is an object handed in by a script; its methods are listed
//! there.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

#[wasm_bindgen]
extern "C" {
    /// The page around the app: `PageHost` in `www/host.js`.
    #[derive(Clone)]
    pub type PageHost;

    #[wasm_bindgen(method)]
    pub fn send(this: &PageHost, command: &str, attachments: Array);
    #[wasm_bindgen(method)]
    pub fn pick(this: &PageHost, purpose: &str);
    #[wasm_bindgen(method)]
    pub fn save(this: &PageHost, name: &str, bytes: &[u8]);
    #[wasm_bindgen(method, js_name = setLink)]
    pub fn set_link(this: &PageHost, text: &str);
    #[wasm_bindgen(method, js_name = listStorage)]
    pub fn list_storage(this: &PageHost);
    #[wasm_bindgen(method, js_name = openCached)]
    pub fn open_cached(this: &PageHost, id: &str);
    #[wasm_bindgen(method, js_name = deleteCached)]
    pub fn delete_cached(this: &PageHost, id: &str);
    #[wasm_bindgen(method, js_name = listRuns)]
    pub fn list_runs(this: &PageHost);
    #[wasm_bindgen(method, js_name = deleteRun)]
    pub fn delete_run(this: &PageHost, key: &str);
    /// Numbers of runs are small: they come from a counter.
    #[wasm_bindgen(method, js_name = resumeRun)]
    pub fn resume_run(this: &PageHost, key: &str, run: f64);
    #[wasm_bindgen(method, js_name = pickRunFolder)]
    pub fn pick_run_folder(this: &PageHost);
    #[wasm_bindgen(method, js_name = restartEngine)]
    pub fn restart_engine(this: &PageHost);
    #[wasm_bindgen(method, js_name = setUnsaved)]
    pub fn set_unsaved(this: &PageHost, unsaved: bool);
    #[wasm_bindgen(method, js_name = keepAwake)]
    pub fn keep_awake(this: &PageHost, awake: bool);
    #[wasm_bindgen(method, js_name = saveReport)]
    pub fn save_report(this: &PageHost, run: f64, report: &str, finished: bool);
    #[wasm_bindgen(method, js_name = discardRun)]
    pub fn discard_run(this: &PageHost, run: f64);
    #[wasm_bindgen(method, js_name = setStatus)]
    pub fn set_status(this: &PageHost, text: &str, title: &str);
    #[wasm_bindgen(method)]
    pub fn announce(this: &PageHost, text: &str);
    #[wasm_bindgen(method, js_name = setFocus)]
    pub fn set_focus(this: &PageHost, widget: &str);
    #[wasm_bindgen(method)]
    pub fn crashed(this: &PageHost, reason: &str);

    /// The thread around the engine: `host` in `www/worker.js`.
    #[derive(Clone)]
    pub type EngineHost;

    /// The adapter in words.
    #[wasm_bindgen(method, getter, js_name = adapterName)]
    pub fn adapter_name(this: &EngineHost) -> String;
    #[wasm_bindgen(method, js_name = tryNext)]
    pub fn try_next(this: &EngineHost) -> Option<CommandMessage>;
    #[wasm_bindgen(method, catch)]
    pub async fn next(this: &EngineHost) -> Result<CommandMessage, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn breathe(this: &EngineHost) -> Result<(), JsValue>;
    /// The files of a model that lies beside the program: [`AttachedBlob`]s.
    #[wasm_bindgen(method, catch, js_name = modelFiles)]
    pub async fn model_files(this: &EngineHost, name: &str) -> Result<Array, JsValue>;
    /// `checkpoint`: run and step whose state is attached, if that is what the event brings.
    #[wasm_bindgen(method)]
    pub fn tell(this: &EngineHost, event: &str, checkpoint: Option<Box<[f64]>>, attachments: Array);
    #[wasm_bindgen(method)]
    pub fn crashed(this: &EngineHost, reason: &str);

    /// A command on its way to the engine.
    pub type CommandMessage;

    /// The command as JSON.
    #[wasm_bindgen(method, getter)]
    pub fn command(this: &CommandMessage) -> String;
    /// [`AttachedBlob`]s.
    #[wasm_bindgen(method, getter)]
    pub fn attachments(this: &CommandMessage) -> Array;

    /// A named file beside a command.
    pub type AttachedBlob;

    #[wasm_bindgen(method, getter)]
    pub fn name(this: &AttachedBlob) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn blob(this: &AttachedBlob) -> Blob;
}
