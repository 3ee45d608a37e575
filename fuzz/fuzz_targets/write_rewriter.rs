//! Any bytes as a write body, cut by the first bytes of the input: the outcome is the model's.
#![no_main]

#[path = "../../crates/wire/tests/model/mod.rs"]
mod model;
mod split;

use layer_wire::WriteOptions;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (sizes, flag, body) = split::split(data);
    let options = WriteOptions {
        upserted_at_ms: 1_763_000_000_017,
        allow_reserved: flag,
    };
    model::check::check_write(body, options, &sizes);
    model::check::check_tracked_write(body, options, &sizes);
});
