//! What is embedded: this repository's own pages, as they are: prose, lists and names.

/// The pages.
const PAGES: [&str; 6] = [
    include_str!("../../../../docs/ARCHITECTURE.md"),
    include_str!("../../../../docs/operations.md"),
    include_str!("../../../../docs/operations/document-cache.md"),
    include_str!("../../../../docs/adr/0001-worker-threads.md"),
    include_str!("../../../../docs/adr/0004-cache-coherence.md"),
    include_str!("../../../../docs/adr/0005-pipelines.md"),
];
/// Words of a piece: about two hundred tokens, which is below the model's limit of 256.
const PIECE_WORDS: usize = 140;
/// Shorter ones are headings and crumbs.
const SENTENCE_CHARACTERS: usize = 20;

/// The kinds of text by name, `count` texts of each.
pub(super) fn kinds(count: usize) -> Vec<(&'static str, Vec<String>)> {
    let words: Vec<&str> = PAGES.iter().flat_map(|page| page.split_whitespace()).filter(|word| speaks(word)).collect();
    let whole = words.join(" ");
    let sentences = whole.split_inclusive(". ").map(str::trim).filter(|text| text.len() > SENTENCE_CHARACTERS);
    let sentences = repeated(sentences.map(str::to_owned).collect(), count);
    let pieces = repeated(words.chunks(PIECE_WORDS).map(|piece| piece.join(" ")).collect(), count);
    let each = sentences.iter().zip(&pieces).flat_map(|(sentence, piece)| [sentence.clone(), piece.clone()]);
    let mixed = each.take(count).collect();
    vec![("sentences", sentences), ("pieces of 140 words", pieces), ("both in turn", mixed)]
}

/// Whether a word is one, and no line of a table.
fn speaks(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric)
}

fn repeated(texts: Vec<String>, count: usize) -> Vec<String> {
    texts.into_iter().cycle().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_texts_as_asked_for_and_none_is_empty() {
        for (name, texts) in kinds(300) {
            assert_eq!(texts.len(), 300, "{name}");
            assert!(texts.iter().all(|text| text.len() > SENTENCE_CHARACTERS), "{name}");
        }
    }
}
