use proptest::prelude::*;

use super::*;
use crate::extract::{Limits, Source, extract};

fn read(text: &str, name: &str) -> Text {
    extract(&Source { bytes: text.as_bytes(), name: Some(name), content_type: None }, &Limits::default()).unwrap()
}

fn splitter(unit: Unit, size: u32, overlap: u32) -> Splitter {
    Splitter::new(Options { unit, size, overlap }, Some(WORDS.as_bytes())).unwrap()
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk.text.as_str()).collect()
}

/// A tokenizer with a token for each word and mark, which says that it truncates to four and pads to eight.
const WORDS: &str = r#"{"version": "1.0",
    "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
        "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
    "decoder": null, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"}}"#;

#[test]
fn sentences_are_counted_and_overlap() {
    let text = read("One. Two two.  Three!\nFour?", "a.txt");
    assert_eq!(texts(&splitter(Unit::Sentences, 2, 0).split(&text).unwrap()), ["One. Two two.", "Three!\nFour?"]);
    let overlapping = splitter(Unit::Sentences, 3, 2).split(&text).unwrap();
    assert_eq!(texts(&overlapping), ["One. Two two.  Three!", "Two two.  Three!\nFour?"]);
}

#[test]
fn a_sentence_without_end_is_cut() {
    let text = read(&"word ".repeat(10_000), "a.txt");
    let chunks = splitter(Unit::Sentences, 1, 0).split(&text).unwrap();
    assert!(chunks.len() > 5 && chunks.iter().all(|chunk| chunk.text.len() <= 8_192));
    assert!(chunks.iter().all(|chunk| chunk.text.starts_with("word") && chunk.text.ends_with("word")));
}

#[test]
fn the_tokenizers_own_truncation_does_not_count() {
    let text = read(&"a b c d e f g h i j ".repeat(3), "a.txt");
    let chunks = splitter(Unit::Tokens, 10, 0).split(&text).unwrap();
    assert_eq!(texts(&chunks), ["a b c d e f g h i j"; 3]);
}

#[test]
fn splitting_by_tokens_needs_a_tokenizer() {
    let options = Options { unit: Unit::Tokens, size: 10, overlap: 0 };
    assert_eq!(Splitter::new(options, None).err().unwrap().field, "tokenizer");
    assert_eq!(Splitter::new(options, Some(b"{}")).err().unwrap().field, "tokenizer");
}

#[test]
fn markdown_is_split_at_its_headings_which_are_kept() {
    let text = read("# A\n\nfirst part here\n\n## B\n\nsecond part here\n", "a.md");
    let chunks = splitter(Unit::Characters, 25, 0).split(&text).unwrap();
    assert_eq!(texts(&chunks), ["# A\n\nfirst part here", "## B\n\nsecond part here"]);
    assert_eq!(chunks[1].position.headings, ["A", "B"]);
}

#[test]
fn no_more_chunks_than_the_service_takes() {
    let mut few = splitter(Unit::Characters, 1, 0);
    few.chunks_max = 3;
    assert_eq!(few.split(&read("abc", "a")).unwrap().len(), 3);
    assert_eq!(few.split(&read("abcd", "a")), Err(SplitError::TooManyChunks { max: 3 }));
}

#[test]
fn white_space_has_no_chunks() {
    assert_eq!(splitter(Unit::Characters, 5, 0).split(&read(" \n\t ", "a")), Ok(Vec::new()));
    assert_eq!(splitter(Unit::Sentences, 5, 0).split(&read(" \n\t ", "a")), Ok(Vec::new()));
}

#[test]
fn positions_are_json_members() {
    let chunks = splitter(Unit::Characters, 100, 0).split(&read("# Ä\n\nx", "a.md")).unwrap();
    assert_eq!(
        chunks[0].position.to_json(),
        r#"{"chunk_index":0,"chunk_count":1,"start_byte":0,"end_byte":7,"start_char":0,"end_char":6,"headings":["Ä"]}"#
    );
}

fn units() -> impl Strategy<Value = Unit> {
    prop_oneof![Just(Unit::Tokens), Just(Unit::Sentences), Just(Unit::Characters)]
}

fn size_in(unit: Unit, chunk: &str) -> usize {
    match unit {
        Unit::Tokens => tokens::Tokens(&tokens::load(WORDS.as_bytes()).unwrap()).try_size(chunk).unwrap(),
        Unit::Characters => chunk.chars().count(),
        // Sentences change with what stands around them; `sentences_are_counted_and_overlap` looks at their number.
        Unit::Sentences => 0,
    }
}

/// Text with what makes splitting hard: marks, line ends, headings, characters of up to four bytes, joined ones.
const HARD: &str = "([a-zA-Z]{1,12}|[.!?,] |\n\n|\n# |\n- |```|[ \t]{1,4}|ä|漢字|😀|👩‍👩‍👧|é|\u{a0}|\r\n){0,80}";

proptest! {
    #[test]
    fn chunks_cover_the_text_and_fit(text in HARD, unit in units(), size in 1..40u32, markdown: bool) {
        let text = read(&text, if markdown { "a.md" } else { "a.txt" });
        let chunks = splitter(unit, size, 0).split(&text).unwrap();
        let mut behind = 0;
        for chunk in &chunks {
            let (start, end) = (chunk.position.start_byte as usize, chunk.position.end_byte as usize);
            prop_assert!(text.text[behind..start].trim().is_empty(), "lost {:?}", &text.text[behind..start]);
            prop_assert!(size_in(unit, &chunk.text) <= size as usize, "{:?} is larger than {size}", chunk.text);
            behind = end;
        }
        prop_assert!(text.text[behind..].trim().is_empty(), "lost {:?}", &text.text[behind..]);
    }

    #[test]
    fn positions_are_right(text in HARD, unit in units(), size in 2..40u32, overlap in 0..39u32) {
        let text = read(&text, "a.md");
        let chunks = splitter(unit, size, overlap.min(size - 1)).split(&text).unwrap();
        for (index, chunk) in chunks.iter().enumerate() {
            let at = &chunk.position;
            prop_assert_eq!(&text.text[at.start_byte as usize..at.end_byte as usize], chunk.text.as_str());
            let chars: String =
                text.text.chars().skip(at.start_char as usize).take((at.end_char - at.start_char) as usize).collect();
            prop_assert_eq!(&chars, &chunk.text);
            prop_assert_eq!((at.chunk_index as usize, at.chunk_count as usize), (index, chunks.len()));
            prop_assert!(size_in(unit, &chunk.text) <= size as usize);
            // Markdown keeps what its first line is indented by.
            prop_assert_eq!(chunk.text.trim_end(), chunk.text.as_str());
            prop_assert!(!chunk.text.is_empty());
        }
        let nothing_lost = |pair: &[Chunk]| {
            let (end, start) = (pair[0].position.end_byte as usize, pair[1].position.start_byte as usize);
            end >= start || text.text[end..start].trim().is_empty()
        };
        prop_assert!(chunks.windows(2).all(nothing_lost));
    }
}
