//! DSEE Studio in the browser: one wasm file with two entry points, the page ([`page::start_page`]) and the worker that
//! computes ([`worker::start_engine`]).
//!
//! What only browsers have (files, storage, tabs, the address) is done by the scripts in `www/`, which hand a host
//! object to each entry point ([`bridge`]); what the window asks for and is told is Rust here.
#![cfg(target_arch = "wasm32")]

mod archive;
mod blob_source;
mod bridge;
mod crash;
mod hub;
mod kernels;
mod messages;
mod notices;
mod page;
mod worker;
