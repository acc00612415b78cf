//! DSEE Studio in the browser: two entry points into one wasm file, the page and the worker.
#![cfg(target_arch = "wasm32")]

use eframe as _;
