//! The visible text of HTML: what a reader of the page would read, without links' addresses, bullets and table lines.

use html2text::config;
use html2text::render::TrivialDecorator;

use super::guard::{self, malformed};
use super::{ExtractError, Limits};

/// The name of the format in errors.
const HTML: &str = "HTML";
/// How wide a line may be, in columns: paragraphs are not to be broken.
const WIDTH: usize = 1 << 20;
/// How deep elements may be nested. No page comes near, and the renderer's time grows with the square of it.
const DEPTH_MAX: usize = 2_000;
/// Elements whose ends are left out by right, or that have none: they do not nest.
const OPEN_ENDED: [&str; 28] = [
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta", "optgroup", "option",
    "p", "param", "path", "rp", "rt", "source", "tbody", "td", "tfoot", "th", "tr", "track", "wbr",
];

/// The text of an HTML file.
pub(super) fn text(page: String, limits: &Limits) -> Result<String, ExtractError> {
    if depth(&page) > DEPTH_MAX {
        return Err(malformed(HTML, "its elements are nested too deep"));
    }
    guard::run(HTML, limits.time_max, move || {
        let config = config::with_decorator(TrivialDecorator::new()).raw_mode(true).allow_width_overflow();
        let text = config.string_from_read(page.as_bytes(), WIDTH);
        text.map_err(|error| malformed(HTML, error.to_string()))
    })
}

/// How deep the elements are nested, by their tags alone. It may be too high where ends are forgotten.
fn depth(page: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for tag in page.split('<').skip(1) {
        let name_end =
            |name: &str| name.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(name.len());
        if let Some(rest) = tag.strip_prefix('/') {
            let name = rest[..name_end(rest)].to_ascii_lowercase();
            depth = depth.saturating_sub(usize::from(nests(&name)));
        } else {
            let name = tag[..name_end(tag)].to_ascii_lowercase();
            depth += usize::from(nests(&name));
            deepest = deepest.max(depth);
        }
    }
    deepest
}

fn nests(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && OPEN_ENDED.binary_search(&name).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nests_is_counted() {
        assert!(OPEN_ENDED.is_sorted());
        assert_eq!(depth("<div><B>x</B><br><p>a<p>b<!-- c --><svg/></div></div> 1 < 2 <"), 2);
        assert_eq!(depth(&"<div>".repeat(9)), 9);
    }
}
