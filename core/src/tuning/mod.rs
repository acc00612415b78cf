//! Tuning methods: what they train at which site, and what they leave behind.

pub mod criterion;
pub mod masks;
pub mod scores;
pub mod shrink;
pub mod state;
