//! Panics, told to whoever is around before the wasm instance ends.

use std::cell::RefCell;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    type Error;

    #[wasm_bindgen(constructor)]
    fn new() -> Error;
    #[wasm_bindgen(method, getter)]
    fn stack(this: &Error) -> Option<String>;
}

/// Hears the message and the stack of a panic.
type Listener = Box<dyn Fn(&str)>;

thread_local! {
    /// Objects of JavaScript belong to one thread, and a panic hook may hold none: it finds the listener here.
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Calls `tell` with the message and the stack of the first panic.
pub fn on_panic(tell: impl Fn(&str) + 'static) {
    LISTENER.set(Some(Box::new(tell)));
    std::panic::set_hook(Box::new(|panic| {
        let stack = Error::new().stack().unwrap_or_default();
        if let Some(tell) = LISTENER.take() {
            tell(&format!("{panic}\n{stack}"));
        }
    }));
}
