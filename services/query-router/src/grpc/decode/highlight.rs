//! Highlighted fragments: `[{text, fragment_range?, match_ranges?, array_index?}, …]`.

use layer_proto::types::v1::{HighlightFragment, Highlights, OffsetRange};

use super::object::{Object, Raw, list, plain};

/// Reads the fragments of an attribute.
pub(super) fn highlights(raw: Raw<'_>) -> Option<Highlights> {
    list(raw, fragment).map(|fragments| Highlights { fragments })
}

/// A fragment with a field that the contract does not know is left to be shown as JSON, so that nothing is lost.
fn fragment(raw: Raw<'_>) -> Option<HighlightFragment> {
    let mut object = Object::of(raw)?;
    let fragment = HighlightFragment {
        text: object.plain("text")?,
        fragment_range: object.take("fragment_range", range),
        match_ranges: object.take("match_ranges", |raw| list(raw, range)).unwrap_or_default(),
        array_index: object.count("array_index"),
    };
    object.rest().is_empty().then_some(fragment)
}

fn range(raw: Raw<'_>) -> Option<OffsetRange> {
    let [start, end] = plain(raw)?;
    Some(OffsetRange { start, end })
}
