//! Any bytes as a schema and as a metadata answer: the outcome is the model's.
#![no_main]

#[path = "../../crates/wire/tests/model/mod.rs"]
mod model;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| model::check::check_strip(data));
