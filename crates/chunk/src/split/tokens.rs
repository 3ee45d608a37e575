//! Sizes in tokens.

use text_splitter::TryChunkSizer;
use tokenizers::Tokenizer;

use super::SplitError;
use crate::OptionsError;

/// Counts the tokens of a text, without the ones that a model adds around it.
pub(super) struct Tokens<'a>(pub(super) &'a Tokenizer);

impl TryChunkSizer for Tokens<'_> {
    type Error = SplitError;

    fn try_size(&self, chunk: &str) -> Result<usize, SplitError> {
        Ok(self.0.encode_fast(chunk, false).map_err(|_| SplitError::Tokenizer)?.len())
    }
}

/// A tokenizer that tells the whole size of a text: files ship with the model's truncation and padding, which would make every
/// long text fit.
pub(super) fn load(json: &[u8]) -> Result<Tokenizer, OptionsError> {
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(|error| refuse(&error.to_string()))?;
    tokenizer.with_padding(None).with_truncation(None).map_err(|error| refuse(&error.to_string()))?;
    Ok(tokenizer)
}

/// An error of the option `tokenizer`.
pub(super) fn refuse(problem: &str) -> OptionsError {
    OptionsError { field: "tokenizer", problem: problem.to_owned() }
}
