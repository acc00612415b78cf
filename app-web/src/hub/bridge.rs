//! What `www/hub.js` offers: requests, and files that are kept.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `HubStore` in `www/hub.js`.
    #[derive(Clone)]
    pub type HubStore;

    #[wasm_bindgen(method)]
    pub fn endpoint(this: &HubStore) -> String;
    #[wasm_bindgen(method)]
    pub fn cancel(this: &HubStore);
    #[wasm_bindgen(method, catch)]
    pub async fn request(
        this: &HubStore,
        url: &str,
        range: Option<String>,
        authorization: Option<String>,
    ) -> Result<HubAnswer, JsValue>;
    #[wasm_bindgen(method, catch, js_name = keepRest)]
    pub async fn keep_rest(
        this: &HubStore,
        url: &str,
        start: f64,
        identity: &str,
        answer: &HubAnswer,
        on_bytes: &Closure<dyn FnMut(f64)>,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn partial(this: &HubStore, url: &str) -> Result<Partial, JsValue>;
    #[wasm_bindgen(method, catch, js_name = dropPartial)]
    pub async fn drop_partial(this: &HubStore, url: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn complete(this: &HubStore, url: &str, id: &str, file: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn store(
        this: &HubStore,
        url: &str,
        id: &str,
        file: &str,
        content: &[u8],
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn has(this: &HubStore, url: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn read(this: &HubStore, url: &str, end: f64) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn sleep(this: &HubStore, milliseconds: f64) -> Result<JsValue, JsValue>;

    /// The answer to a request.
    pub type HubAnswer;

    #[wasm_bindgen(method, getter)]
    pub fn status(this: &HubAnswer) -> u16;
    #[wasm_bindgen(method)]
    pub fn header(this: &HubAnswer, name: &str) -> Option<String>;
    #[wasm_bindgen(method, catch)]
    pub async fn bytes(this: &HubAnswer) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(method)]
    pub fn discard(this: &HubAnswer);

    /// What is there of a file that is not complete.
    pub type Partial;

    #[wasm_bindgen(method, getter)]
    pub fn n_bytes(this: &Partial) -> f64;
    /// The [`dsee_core::hub::Identity`] it is of, as JSON; empty if nothing is there.
    #[wasm_bindgen(method, getter)]
    pub fn identity(this: &Partial) -> String;
}
