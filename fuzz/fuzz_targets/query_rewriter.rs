//! Any bytes as a query body, cut by the first bytes of the input: the outcome is the model's.
#![no_main]

#[path = "../../crates/wire/tests/model/mod.rs"]
mod model;
mod split;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (sizes, _, body) = split::split(data);
    model::check::check_query(body, &sizes);
});
