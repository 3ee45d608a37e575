//! Any bytes as a recall answer: what is no JSON stays, rows lose their reserved members, and nothing else is lost.
#![no_main]

use bytes::Bytes;
use layer_wire::{RESERVED_PREFIX, strip_reserved_rows};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|data: &[u8]| {
    let out = strip_reserved_rows(Bytes::copy_from_slice(data));
    if serde_json::from_slice::<&RawValue>(data).is_err() {
        assert_eq!(out, data);
    }
    // A tree cannot hold all that is JSON: numbers out of range, escaped half surrogates.
    if let Ok(mut expected) = serde_json::from_slice::<Value>(data) {
        forget(&mut expected);
        let found: Value = serde_json::from_slice(&out).expect("what was JSON is JSON");
        assert_eq!(found, expected);
    }
});

/// The same on a tree.
fn forget(answer: &mut Value) {
    let Some(answer) = answer.as_object_mut() else { return };
    // Only the shape counts, not the names of the members on the way: objects in lists in objects in lists.
    for list in answer.values_mut().filter_map(Value::as_array_mut) {
        for inner in list.iter_mut().filter_map(Value::as_object_mut) {
            for rows in inner.values_mut().filter_map(Value::as_array_mut) {
                for row in rows.iter_mut().filter_map(Value::as_object_mut) {
                    row.retain(|name, _| !name.starts_with(RESERVED_PREFIX));
                }
            }
        }
    }
}
