//! Names that callers may not give to attributes, in bodies that are read whole.

use std::fmt;

use layer_wire::{RESERVED_PREFIX, UPSERTED_AT};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::refusal::Refusal;

/// Refuses a change of a schema that names a reserved attribute. Layer's own services may, but for the stamp, whose type
/// the router declares. What is no map of names is for the origin to refuse.
pub fn check_schema(body: &[u8], internal: bool) -> Result<(), Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let found = json.deserialize_map(Names { internal }).ok().flatten();
    match found {
        None => Ok(()),
        Some(name) => Err(Refusal::Invalid(format!("{name}: names that begin with {RESERVED_PREFIX} are Layer's own"))),
    }
}

/// Whether a change of a schema changes rows that are there already: it drops an attribute, or changes how one is
/// embedded. What cannot be read here might be read by the origin, so in doubt it does.
pub fn alters_rows(body: &[u8]) -> bool {
    serde_json::Deserializer::from_slice(body).deserialize_map(Alters).unwrap_or(true)
}

/// Looks for declarations that change rows.
struct Alters;

impl<'de> Visitor<'de> for Alters {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut alters = false;
        while let Some((_, declared)) = map.next_entry::<IgnoredAny, Value>()? {
            alters |= ["drop", "embed"].iter().any(|member| declared.get(member).is_some());
        }
        Ok(alters)
    }
}

/// Looks for the first reserved name among a map's keys.
struct Names {
    internal: bool,
}

impl<'de> Visitor<'de> for Names {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<String>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            let reserved = if self.internal { name == UPSERTED_AT } else { name.starts_with(RESERVED_PREFIX) };
            if reserved && found.is_none() {
                found = Some(name);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused_by_name_however_they_are_spelled() {
        for body in [r#"{"_hevlayer_upserted_at":"string"}"#, r#"{"a":"int","\u005fhevlayer_x":{"type":"int"}}"#] {
            let refused = check_schema(body.as_bytes(), false).expect_err(body).to_string();
            assert!(refused.contains("_hevlayer_"), "{refused}");
        }
    }

    #[test]
    fn layers_own_services_may_but_for_the_stamp() {
        assert!(check_schema(br#"{"_hevlayer_x":"int"}"#, true).is_ok());
        assert!(check_schema(br#"{"_hevlayer_upserted_at":"int"}"#, true).is_err());
    }

    #[test]
    fn what_changes_rows_is_told_from_what_only_changes_indexes() {
        for body in [r#"{"a":"int","b":{"drop":true}}"#, r#"{"a":{"type":"string","embed":null}}"#] {
            assert!(alters_rows(body.as_bytes()), "{body}");
        }
        for body in [r#"{"drop":"int","embed":{"type":"string","filterable":true}}"#, "{}"] {
            assert!(!alters_rows(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn in_doubt_a_change_of_a_schema_changes_rows() {
        // A number that no f64 holds, and half a surrogate pair: others may read past them.
        for body in [
            r#"{"a":{"drop":true},"b":{"type":"string","x":1e400}}"#,
            r#"{"a":{"drop":true},"b":{"type":"\ud800"}}"#,
            "[]",
            "{",
            "",
        ] {
            assert!(alters_rows(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn the_rest_is_for_the_origin() {
        for body in [r#"{"a":{"_hevlayer_x":1}}"#, "[]", "{", "", r#"{"_hevlayer_x":"#] {
            assert!(check_schema(body.as_bytes(), false).is_ok(), "{body}");
        }
    }
}
