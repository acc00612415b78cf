//! Panics, told to whoever is around before the wasm instance ends.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Error;

    #[wasm_bindgen(constructor)]
    fn new() -> Error;
    #[wasm_bindgen(method, getter)]
    fn stack(this: &Error) -> Option<String>;
}

/// Calls `tell` with the message and the stack of the first panic.
pub fn on_panic(tell: impl Fn(&str) + 'static) {
    // There is one thread: what the hook holds is never used from another one.
    let tell = OneThread(tell);
    std::panic::set_hook(Box::new(move |panic| {
        let stack = Error::new().stack().unwrap_or_default();
        tell.call(&format!("{panic}\n{stack}"));
    }));
}
