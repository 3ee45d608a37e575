//! Text into chunks.
//!
//! By tokens or characters, a chunk is as many whole sections (for Markdown), paragraphs, sentences and words as fit; only a word that
//! is too long by itself is cut. By sentences, it is that many sentences. Chunks have no white space around them (in Markdown
//! the first line keeps its indentation), and what is between them is white space and nothing else.

mod sentences;
mod tokens;

use std::ops::Range;

use text_splitter::{Characters, ChunkConfig, MarkdownSplitter, TextSplitter, TryChunkSizer};
use tokenizers::Tokenizer;

use crate::extract::Outline;
use crate::{Chunk, Kind, Options, OptionsError, Position, Text, Unit};

/// The most chunks that a document may have: what the pipeline service takes.
const CHUNKS_MAX: usize = 100_000;

/// Why a text cannot be split. The same text will never do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// It would be too many chunks.
    #[error("the document has more than {max} chunks")]
    TooManyChunks {
        /// The limit.
        max: usize,
    },
    /// The tokenizer refused a piece of the text.
    #[error("the tokenizer cannot read the text")]
    Tokenizer,
}

/// Splits texts in one way. It is made once and shared.
pub struct Splitter {
    options: Options,
    tokenizer: Option<Tokenizer>,
    chunks_max: usize,
}

impl Splitter {
    /// A splitter. `tokenizer_json` is the content of a `tokenizer.json` (Hugging Face's form), for [`Unit::Tokens`] only.
    ///
    /// # Errors
    /// [`OptionsError`] where an option cannot be meant, or the tokenizer is missing or unreadable (`tokenizer`).
    pub fn new(options: Options, tokenizer_json: Option<&[u8]>) -> Result<Self, OptionsError> {
        options.validate()?;
        let tokenizer = match (options.unit, tokenizer_json) {
            (Unit::Tokens, Some(json)) => Some(tokens::load(json)?),
            (Unit::Tokens, None) => return Err(tokens::refuse("is needed to split by tokens")),
            _ => None,
        };
        Ok(Self { options, tokenizer, chunks_max: CHUNKS_MAX })
    }

    /// The chunks of a text, in their order; none where it is all white space.
    ///
    /// # Errors
    /// [`SplitError`] where there are too many, or the tokenizer fails.
    pub fn split(&self, text: &Text) -> Result<Vec<Chunk>, SplitError> {
        let markdown = text.kind == Kind::Markdown;
        let ranges = match (&self.tokenizer, self.options.unit) {
            (Some(tokenizer), _) => self.by_size(&text.text, markdown, tokens::Tokens(tokenizer)),
            (None, Unit::Sentences) => self.gather(sentences::ranges(&text.text, &self.options).map(Ok)),
            (None, _) => self.by_size(&text.text, markdown, CheckedCharacters),
        }?;
        Ok(chunks(text, &ranges))
    }

    fn by_size<S>(&self, text: &str, markdown: bool, sizer: S) -> Result<Vec<Range<usize>>, SplitError>
    where
        S: TryChunkSizer<Error = SplitError>,
    {
        let config = ChunkConfig::new(self.options.size as usize).with_sizer(sizer).with_trim(true);
        let config = config.with_overlap(self.options.overlap as usize).expect("the options were validated");
        let range = |(at, piece): (usize, &str)| at..at + piece.len();
        if markdown {
            let splitter = MarkdownSplitter::new(config);
            self.gather(splitter.try_chunk_indices(text).map(|found| found.map(range)))
        } else {
            let splitter = TextSplitter::new(config);
            self.gather(splitter.try_chunk_indices(text).map(|found| found.map(range)))
        }
    }

    fn gather(
        &self,
        found: impl Iterator<Item = Result<Range<usize>, SplitError>>,
    ) -> Result<Vec<Range<usize>>, SplitError> {
        let ranges = found.take(self.chunks_max + 1).collect::<Result<Vec<_>, _>>()?;
        let max = self.chunks_max;
        if ranges.len() > max { Err(SplitError::TooManyChunks { max }) } else { Ok(ranges) }
    }
}

/// Counts characters; it never fails.
struct CheckedCharacters;

impl TryChunkSizer for CheckedCharacters {
    type Error = SplitError;

    fn try_size(&self, chunk: &str) -> Result<usize, SplitError> {
        Characters.try_size(chunk).map_err(|never| match never {})
    }
}

/// The chunks at these ranges, which are in the order of their beginnings.
fn chunks(text: &Text, ranges: &[Range<usize>]) -> Vec<Chunk> {
    let count = u32::try_from(ranges.len()).expect("at most 100,000");
    let mut outline = Outline::new(&text.headings);
    let mut counted = (0, 0);
    let mut result = Vec::with_capacity(ranges.len());
    for (index, range) in (0..count).zip(ranges) {
        counted = (range.start, counted.1 + text.text[counted.0..range.start].chars().count());
        let piece = &text.text[range.clone()];
        let page = text.pages.partition_point(|start| *start <= range.start);
        let position = Position {
            chunk_index: index,
            chunk_count: count,
            start_byte: range.start as u64,
            end_byte: range.end as u64,
            start_char: counted.1 as u64,
            end_char: (counted.1 + piece.chars().count()) as u64,
            page: u32::try_from(page).ok().filter(|page| *page > 0),
            headings: outline.at(range.start),
        };
        result.push(Chunk { text: piece.to_owned(), position });
    }
    result
}

#[cfg(test)]
mod tests;
