//! What a PDF must not do, because the text extractor would follow it without end.
//!
//! A form (a drawing with a name) may draw other forms, and a page may take what it lacks from its parent. The extractor calls itself for
//! each, and running out of stack ends the process: no thread and no panic handler can stop that. So both are walked
//! here first, with a bound.

use std::collections::HashSet;

use pdf_extract::content::Content;
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::ExtractError;
use super::guard::{Clock, malformed};
use super::pdf::PDF;

/// How deep forms may draw forms, and pages may have parents.
const DEPTH_MAX: usize = 32;
/// How many forms may be drawn in a file, counted each time: forms that draw each other twice double with each level.
const CALLS_MAX: usize = 100_000;

/// Checks that every page can be drawn in bounded depth.
pub(super) fn check(document: &Document, clock: &Clock) -> Result<(), ExtractError> {
    let mut walk = Walk { document, clock, calls: 0, harmless: HashSet::new() };
    let empty = Dictionary::new();
    for page in document.get_pages().into_values() {
        let resources = inherited(document, page)?.unwrap_or(&empty);
        let content = document.get_page_content(page).map_err(|error| malformed(PDF, error.to_string()))?;
        walk.drawing(&content, resources, 0)?;
    }
    Ok(())
}

/// The resources of a page, which may be its parents'; walks all parents in any case.
fn inherited(document: &Document, page: ObjectId) -> Result<Option<&Dictionary>, ExtractError> {
    let mut found = None;
    let mut at = document.get_dictionary(page).ok();
    for _ in 0..DEPTH_MAX {
        let Some(node) = at else { return Ok(found) };
        found = found.or_else(|| dictionary(document, node, b"Resources"));
        at = dictionary(document, node, b"Parent");
    }
    Err(malformed(PDF, "its pages are nested too deep"))
}

fn dictionary<'a>(document: &'a Document, node: &'a Dictionary, key: &[u8]) -> Option<&'a Dictionary> {
    node.get_deref(key, document).and_then(Object::as_dict).ok()
}

struct Walk<'a> {
    document: &'a Document,
    clock: &'a Clock,
    calls: usize,
    /// Forms that draw no other.
    harmless: HashSet<*const Stream>,
}

impl<'a> Walk<'a> {
    fn drawing(&mut self, content: &[u8], resources: &'a Dictionary, depth: usize) -> Result<bool, ExtractError> {
        if depth > DEPTH_MAX {
            return Err(malformed(PDF, "its drawings are nested too deep"));
        }
        self.clock.check()?;
        let content = Content::decode(content).map_err(|error| malformed(PDF, error.to_string()))?;
        let drawn = content.operations.iter().filter(|operation| operation.operator == "Do");
        let mut draws = false;
        for name in drawn.filter_map(|operation| operation.operands.first()?.as_name().ok()) {
            draws |= self.named(name, resources, depth)?;
        }
        Ok(draws)
    }

    /// Walks what a name draws; answers whether it is a form at all.
    fn named(&mut self, name: &[u8], resources: &'a Dictionary, depth: usize) -> Result<bool, ExtractError> {
        let object =
            dictionary(self.document, resources, b"XObject").and_then(|of| of.get_deref(name, self.document).ok());
        let Some(form) = object.and_then(|object| object.as_stream().ok()) else { return Ok(false) };
        self.calls += 1;
        if self.calls > CALLS_MAX {
            return Err(malformed(PDF, "it has too many drawings"));
        }
        if !self.harmless.contains(&std::ptr::from_ref(form)) {
            let within = dictionary(self.document, &form.dict, b"Resources").unwrap_or(resources);
            let content = form.get_plain_content().map_err(|error| malformed(PDF, error.to_string()))?;
            if !self.drawing(&content, within, depth + 1)? {
                self.harmless.insert(std::ptr::from_ref(form));
            }
        }
        Ok(true)
    }
}
