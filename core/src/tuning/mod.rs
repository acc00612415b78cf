//! Tuning methods: what they train at which site, and what they leave behind.

pub mod state;
