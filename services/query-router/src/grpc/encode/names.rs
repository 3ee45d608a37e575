//! Names: of namespaces, of attributes, of fields that the contract does not know.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use super::encoder::Encoder;

/// Longest attribute name that the origin takes, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 128;
/// Longest namespace name that the origin takes, in bytes.
const MAX_NAMESPACE_BYTES: usize = 128;
const NAMESPACE_RULE: &str = "must be 1 to 128 of letters, digits, '-', '_' and '.', and not '.' or '..'";

/// Checks the name of a namespace, which becomes part of a path: `.` and `..` would change which path it is.
pub(super) fn namespace(e: &mut Encoder<'_>, name: &str) {
    let fits = (1..=MAX_NAMESPACE_BYTES).contains(&name.len()) && !matches!(name, "." | "..");
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    e.check(fits && plain, NAMESPACE_RULE);
}

/// Writes the name of an attribute that the request refers to, which may be `id` or a pseudo-attribute.
pub(super) fn reference(e: &mut Encoder<'_>, name: &str) {
    e.check(!name.is_empty(), "is required");
    e.json.scalar(name);
}

/// Writes names of attributes that the request refers to.
pub(super) fn references<'a>(e: &mut Encoder<'a>, names: &'a [String]) {
    e.list(names, |e, name| reference(e, name));
}

/// Writes the key of an attribute that the request sets.
pub(super) fn attribute_key(e: &mut Encoder<'_>, name: &str) {
    e.check((1..=MAX_ATTRIBUTE_BYTES).contains(&name.len()), "names of attributes have 1 to 128 bytes");
    e.check(name != "id", "the id is set by the field id");
    e.check(!name.starts_with('$'), "names of attributes do not start with '$'");
    e.json.key(name);
}

/// Writes a required text that must not be empty.
pub(super) fn required_text(e: &mut Encoder<'_>, text: &str) {
    e.check(!text.is_empty(), "is required");
    e.json.scalar(text);
}

/// Writes fields that the contract does not know into the current object. A `known` one would appear twice.
pub(super) fn additional<'a>(e: &mut Encoder<'a>, fields: &'a BTreeMap<String, String>, known: &[&str]) {
    e.field("additional_fields", |e| {
        for (name, text) in fields {
            e.entry(name, |e| {
                let unknown = !name.is_empty() && !known.contains(&name.as_str());
                let valid = serde_json::from_str::<IgnoredAny>(text).is_ok();
                e.check(unknown, "names a field that the contract has");
                if e.check(valid, "must be JSON text") {
                    e.json.key(name);
                    e.json.raw(text);
                }
            });
        }
    });
}
