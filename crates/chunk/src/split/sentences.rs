//! Sentences, by the rules of Unicode (UAX #29), which know no language: an abbreviation may end a sentence.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::Options;

/// The longest sentence, in bytes. Text without full stops (tables, logs, encoded data) would else become one chunk that no
/// model reads. It is cut between words, if it has any.
const SENTENCE_MAX: usize = 8_192;

/// Where the chunks of `options.size` sentences stand.
pub(super) fn ranges(text: &str, options: &Options) -> impl Iterator<Item = Range<usize>> {
    let sentences: Vec<Range<usize>> = text
        .split_sentence_bound_indices()
        .flat_map(|(at, sentence)| cut(sentence).map(move |part| at + part.start..at + part.end))
        .filter_map(|range| trimmed(text, range))
        .collect();
    let (size, step) = (options.size as usize, (options.size - options.overlap) as usize);
    let count = sentences.len();
    let mut next = Some(0).filter(|_| count > 0);
    std::iter::from_fn(move || {
        let from = next?;
        let to = (from + size).min(count);
        next = Some(from + step).filter(|_| to < count);
        Some(sentences[from].start..sentences[to - 1].end)
    })
}

/// A sentence in parts that are not too long.
fn cut(sentence: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = &sentence[from..];
        if rest.is_empty() {
            return None;
        }
        let part = if rest.len() <= SENTENCE_MAX { rest.len() } else { cut_at(rest) };
        from += part;
        Some(from - part..from)
    })
}

/// Where to cut a text that is too long: behind the last white space that fits, else between two characters.
fn cut_at(rest: &str) -> usize {
    let most = rest.floor_char_boundary(SENTENCE_MAX);
    match rest[..most].char_indices().rev().find(|(_, character)| character.is_whitespace()) {
        Some((at, space)) if at > 0 => at + space.len_utf8(),
        _ => most,
    }
}

/// The range without white space around it; none where nothing is left.
fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let piece = &text[range.clone()];
    let start = range.start + (piece.len() - piece.trim_start().len());
    let end = start + piece.trim().len();
    (start < end).then_some(start..end)
}
