//! Models: their settings, the names of their parameters, and loading them from files.

pub mod bert_load;
pub mod bert_names;
pub mod config;
pub mod config_fields;
pub mod head_layout;
