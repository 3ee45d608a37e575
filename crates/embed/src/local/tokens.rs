//! Texts into the numbers of their tokens.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use super::layout::Layout;
use super::{LoadError, ModelError};

/// A model's tokenizer, which cuts off what the model does not read.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    lower_case: bool,
}

impl Tokens {
    pub(super) fn load(folder: &Path, layout: &Layout) -> Result<Self, LoadError> {
        let file = "tokenizer.json";
        let broken = |reason: String| LoadError::Broken { file: file.to_owned(), reason };
        let bytes = match std::fs::read(folder.join(file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::Missing { file: file.to_owned() });
            }
            other => other.map_err(|error| broken(error.to_string()))?,
        };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| broken(error.to_string()))?;
        let truncation = TruncationParams { max_length: layout.tokens_max, ..TruncationParams::default() };
        tokenizer.with_padding(None);
        tokenizer.with_truncation(Some(truncation)).map_err(|error| broken(error.to_string()))?;
        if tokenizer.get_vocab_size(true) > layout.config.vocab_size {
            return Err(broken(format!("it has more tokens than the model ({})", layout.config.vocab_size)));
        }
        Ok(Self { tokenizer, lower_case: layout.lower_case })
    }

    /// The tokens of each text. It runs on the threads of the current pool.
    pub(super) fn of<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>, ModelError> {
        let prepared = texts.iter().map(|text| self.prepared(text.as_ref())).collect();
        let encodings = self.tokenizer.encode_batch_fast(prepared, true).map_err(|_| ModelError::Tokenizer)?;
        let tokens: Vec<Vec<u32>> = encodings.into_iter().map(|encoding| encoding.get_ids().to_vec()).collect();
        // No text is without tokens: the model puts one before it and one behind. A tokenizer that does not is another's.
        if tokens.iter().any(Vec::is_empty) { Err(ModelError::Tokenizer) } else { Ok(tokens) }
    }

    /// The text as sentence-transformers hands it to the tokenizer.
    fn prepared(&self, text: &str) -> String {
        if self.lower_case { text.trim().to_lowercase() } else { text.trim().to_owned() }
    }
}
