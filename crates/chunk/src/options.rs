//! How text is split, as an operator says it.

use serde::{Deserialize, Serialize};

/// What the size of a chunk is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Tokens of the tokenizer that the splitter is given, without the ones that a model adds around a text.
    Tokens,
    /// Sentences by the rules of Unicode (UAX #29).
    Sentences,
    /// Characters: Unicode scalar values.
    Characters,
}

impl Unit {
    /// The largest chunk, in this unit: what the largest models take, and then some.
    fn size_max(self) -> u32 {
        match self {
            Self::Tokens => 32_768,
            Self::Sentences => 1_000,
            Self::Characters => 200_000,
        }
    }
}

/// How text is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What `size` and `overlap` count.
    pub unit: Unit,
    /// The largest chunk.
    pub size: u32,
    /// How much of a chunk's end is repeated at the beginning of the next, at most.
    #[serde(default)]
    pub overlap: u32,
}

/// An option that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct OptionsError {
    /// The option's name.
    pub field: &'static str,
    /// What it accepts.
    pub problem: String,
}

impl Options {
    /// Checks the options, the sizes by their unit.
    ///
    /// # Errors
    /// [`OptionsError`] naming the first option that cannot be meant.
    pub fn validate(&self) -> Result<(), OptionsError> {
        let max = self.unit.size_max();
        let refuse = |field, problem| Err(OptionsError { field, problem });
        if !(1..=max).contains(&self.size) {
            return refuse("size", format!("must be 1 to {max}, is {}", self.size));
        }
        if self.overlap >= self.size {
            return refuse("overlap", format!("must be less than size ({}), is {}", self.size, self.overlap));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let options = |size, overlap| Options { unit: Unit::Characters, size, overlap };
        assert_eq!(options(1, 0).validate(), Ok(()));
        assert_eq!(options(0, 0).validate().unwrap_err().field, "size");
        assert_eq!(options(200_001, 0).validate().unwrap_err().field, "size");
        assert_eq!(options(10, 10).validate().unwrap_err().field, "overlap");
    }
}
