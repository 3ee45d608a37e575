//! The bodies that go over the wire: made once, always the same, shaped like Turbopuffer's.
//!
//! The fake origin and the load generator both make them from here, so every answer can be compared byte for byte.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How large a body is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// About 1.3 KB.
    Small,
    /// About 14 KB.
    Large,
}

impl Size {
    /// The bytes aimed at; bodies come within 5 % of it.
    pub fn bytes(self) -> usize {
        match self {
            Self::Small => 1_300,
            Self::Large => 14_000,
        }
    }

    /// The last part of the namespace's name, by which the fake origin knows what to answer.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// What starts every row that [`row`] makes, so that rows can be counted on the wire.
pub const ROW_START: &str = r#"{"id":"row-"#;

/// Dimensions of the vectors in writes: with them one row makes the small body.
const WRITE_DIMENSIONS: u32 = 216;

/// Component `index` of the made-up vectors, in -1..1.
fn component(index: u32) -> f32 {
    let mixed = index.wrapping_add(1).wrapping_mul(2_654_435_761) >> 8;
    let whole = u16::try_from(mixed >> 8).unwrap_or(u16::MAX);
    f32::from(whole) / 32_768.0 - 1.0
}

/// A query for ten rows, with its vector as JSON numbers, as the SDKs send it.
/// With `everything` it asks for all attributes, which makes Layer rewrite it.
pub fn query(size: Size, everything: bool) -> String {
    let include = if everything { "true" } else { r#"["title","category"]"# };
    let end = format!(r#"]],"top_k":10,"filters":["category","Eq","news"],"include_attributes":{include}}}"#);
    let mut body = String::from(r#"{"rank_by":["vector","ANN",["#);
    for index in 0.. {
        if body.len() + end.len() >= size.bytes() {
            break;
        }
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(body, "{comma}{}", component(index));
    }
    body + &end
}

/// One row of a write: an id, a base64 vector of little-endian f32, two short attributes. All rows have one length.
pub fn row(index: u32) -> String {
    let first = index.wrapping_mul(WRITE_DIMENSIONS);
    let vector: Vec<u8> =
        (0..WRITE_DIMENSIONS).flat_map(|index| component(first.wrapping_add(index)).to_le_bytes()).collect();
    let vector = STANDARD.encode(vector);
    format!(
        r#"{ROW_START}{index:010}","vector":"{vector}","title":"A headline of row {index:010}","category":"news"}}"#
    )
}

/// What stands before the rows of a write.
pub const WRITE_START: &str = r#"{"distance_metric":"cosine_distance","upsert_rows":["#;
/// What stands after the rows of a write.
pub const WRITE_END: &str = "]}";

/// How many rows a write of this size has.
pub fn rows_of_write(size: Size) -> u32 {
    match size {
        Size::Small => 1,
        Size::Large => 11,
    }
}

/// A write of rows.
pub fn write(size: Size) -> String {
    let rows: Vec<String> = (0..rows_of_write(size)).map(row).collect();
    format!("{WRITE_START}{}{WRITE_END}", rows.join(","))
}

/// The answer to a query: ten rows whose text fills it up to the size.
pub fn query_answer(size: Size) -> String {
    let empty = query_answer_with("");
    let text = "the quick brown fox jumps over a lazy dog ".repeat(size.bytes() / 420 + 1);
    query_answer_with(&text[..(size.bytes().saturating_sub(empty.len())) / 10])
}

fn query_answer_with(text: &str) -> String {
    let rows: Vec<String> = (0..10)
        .map(|index| format!(r#"{{"$dist":0.{index:03},"id":{index},"title":"{text}","category":"news"}}"#))
        .collect();
    format!(
        r#"{{"rows":[{}],"billing":{{"billable_logical_bytes_queried":256000000,"billable_logical_bytes_returned":999}},"performance":{{"approx_namespace_size":100000,"cache_hit_ratio":1.0,"cache_temperature":"hot","exhaustive_search_count":0,"query_execution_ms":3,"server_total_ms":3}}}}"#,
        rows.join(",")
    )
}

/// The answer to a write.
pub fn write_answer() -> String {
    r#"{"status":"OK","message":"documents committed successfully","rows_affected":1,"rows_upserted":1,"billing":{"billable_logical_bytes_written":1300}}"#.to_owned()
}

/// The answer to the list of namespaces.
pub fn namespaces_answer() -> String {
    let names: Vec<String> = (0..20).map(|index| format!(r#"{{"id":"namespace-{index:03}"}}"#)).collect();
    format!(r#"{{"namespaces":[{}],"next_cursor":null}}"#, names.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(text: &str, size: Size) {
        let (is, aim) = (text.len(), size.bytes());
        assert!(is.abs_diff(aim) * 20 <= aim, "{is} bytes, not about {aim}");
        serde_json::from_str::<serde_json::Value>(text).expect("valid JSON");
    }

    #[test]
    fn bodies_are_json_of_the_size_they_claim() {
        for size in [Size::Small, Size::Large] {
            assert_near(&query(size, false), size);
            assert_near(&query(size, true), size);
            assert_near(&write(size), size);
            assert_near(&query_answer(size), size);
        }
        serde_json::from_str::<serde_json::Value>(&write_answer()).expect("valid JSON");
        serde_json::from_str::<serde_json::Value>(&namespaces_answer()).expect("valid JSON");
    }

    #[test]
    fn rows_have_one_length_and_differ() {
        let (first, last) = (row(0), row(u32::MAX));
        assert_eq!(first.len(), last.len());
        assert_ne!(first, last);
        assert!(first.starts_with(ROW_START));
    }

    #[test]
    fn components_are_inside_their_range() {
        assert!((0..10_000).map(component).all(|value| (-1.0..1.0).contains(&value)));
    }
}
