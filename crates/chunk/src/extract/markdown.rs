//! Markdown is its own text. What is taken out of it are its headings, so that a chunk can say under which it stands.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::Text;
use crate::Kind;

/// A heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Where it begins, in bytes.
    pub start: usize,
    /// Its level, 1 to 6.
    pub level: u8,
    /// Its text, without marks.
    pub text: String,
}

/// The longest text of a heading that is kept, in bytes: it is repeated in the metadata of each chunk below.
const HEADING_MAX: usize = 200;

/// A Markdown file as text.
pub(super) fn text(text: String) -> Text {
    let headings = headings(&text);
    Text { text, kind: Kind::Markdown, pages: Vec::new(), headings }
}

fn headings(text: &str) -> Vec<Heading> {
    let mut found = Vec::new();
    let mut open: Option<Heading> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => open = Some(heading(range.start, level)),
            Event::End(TagEnd::Heading(_)) => found.extend(open.take()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut open {
                    heading.text.push_str(&part[..part.floor_char_boundary(HEADING_MAX - heading.text.len())]);
                }
            }
            _ => {}
        }
    }
    found
}

fn heading(start: usize, level: HeadingLevel) -> Heading {
    Heading { start, level: level as u8, text: String::new() }
}

/// Walks along a text and tells which headings each place stands under.
pub(crate) struct Outline<'a> {
    behind: std::slice::Iter<'a, Heading>,
    next: Option<&'a Heading>,
    open: Vec<&'a Heading>,
}

impl<'a> Outline<'a> {
    /// At the beginning of the text whose headings these are.
    pub(crate) fn new(headings: &'a [Heading]) -> Self {
        let mut behind = headings.iter();
        let next = behind.next();
        Self { behind, next, open: Vec::new() }
    }

    /// The headings that the byte `at` stands under, outermost first. Places must be asked for in their order.
    pub(crate) fn at(&mut self, at: usize) -> Vec<String> {
        while let Some(heading) = self.next.take_if(|heading| heading.start <= at) {
            self.open.retain(|open| open.level < heading.level);
            self.open.push(heading);
            self.next = self.behind.next();
        }
        self.open.iter().map(|heading| heading.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_nest_by_their_level() {
        let source = "# A `b`\n\nx\n\n### C\n\ny\n\nD\n-\n\n```\n# no heading\n```\nz\n";
        let found = text(source.to_owned()).headings;
        let mut outline = Outline::new(&found);
        let mut at = |needle: &str| outline.at(source.find(needle).unwrap());
        assert_eq!(at("# A"), ["A b"]);
        assert_eq!(at("x"), ["A b"]);
        assert_eq!(at("y"), ["A b", "C"]);
        assert_eq!(at("z"), ["A b", "D"]);
    }

    #[test]
    fn a_long_heading_is_cut_between_characters() {
        let found = text(format!("# {}\n", "ß".repeat(500))).headings;
        assert_eq!(found[0].text.len(), HEADING_MAX);
    }
}
