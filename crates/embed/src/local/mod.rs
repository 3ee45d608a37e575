//! A model in this process: BERT, from the folder that sentence-transformers saves. candle reads the weights.
//!
//! Texts are not padded. The tokens of many texts stand one behind the other in one matrix, so the large products cost what
//! the tokens cost; only attention knows where a text ends. Groups of texts are worked on in parallel, each group on one
//! thread as far as possible, since its numbers then stay in that core's cache.

mod attention;
mod bert;
mod kernels;
mod layout;
mod lines;
mod product;
mod tokens;
mod weights;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use self::bert::{Bert, Scratch};
use self::layout::{Layout, Pooling};
use self::tokens::Tokens;

/// Tokens of a group of texts, at most, unless one text alone has more: enough that reading the weights does not count,
/// few enough that the numbers in between stay in a core's cache.
const GROUP_TOKENS: usize = 512;

/// Why a model's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is not there.
    #[error("{file}: there is no such file")]
    Missing {
        /// Its name in the folder.
        file: String,
    },
    /// A file cannot be read, or is not what it must be.
    #[error("{file}: {reason}")]
    Broken {
        /// Its name in the folder.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The model asks for something that is not done here.
    #[error("{file}: {field} {value:?} is not supported")]
    Unsupported {
        /// Its name in the folder.
        file: String,
        /// The setting.
        field: String,
        /// What it says.
        value: String,
    },
    /// The threads cannot be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
}

/// Why texts cannot be embedded by a model in this process. It would be the same the next time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The tokenizer refused a text.
    #[error("the tokenizer cannot read the text")]
    Tokenizer,
    /// The numbers went out of bounds, or a product was refused.
    #[error("the model failed: {0}")]
    Compute(String),
}

/// A model in this process.
pub struct Model {
    tokens: Tokens,
    bert: Bert,
    layout: Layout,
    pool: rayon::ThreadPool,
    /// What groups were worked on in before: as many as were worked on at once at the most. New memory is cleared by the kernel, page
    /// by page, which would take a fiftieth of the time.
    scratch: Mutex<Vec<Scratch>>,
}

impl Model {
    /// Reads a model: `config.json`, `tokenizer.json`, `model.safetensors` or `pytorch_model.bin`, and where they are there
    /// `modules.json`, its pooling's `config.json`, `sentence_bert_config.json` and `tokenizer_config.json`. It blocks.
    /// `threads` are those that compute, 0 for one per core.
    ///
    /// # Errors
    /// [`LoadError`], naming the file and the setting.
    pub fn load(folder: &Path, threads: usize) -> Result<Self, LoadError> {
        let layout = layout::read(folder)?;
        let tokens = Tokens::load(folder, &layout)?;
        let bert = Bert::new(&weights::Weights::load(folder)?, &layout.config)?;
        let named = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("embed-{index}"));
        let pool = named.build().map_err(|error| LoadError::Threads(error.to_string()))?;
        Ok(Self { tokens, bert, layout, pool, scratch: Mutex::default() })
    }

    /// How many numbers a vector has.
    pub fn dimension(&self) -> usize {
        self.layout.config.hidden_size
    }

    /// The vectors of `texts`, in their order. What of a text is behind the model's longest is not looked at. It blocks.
    ///
    /// # Errors
    /// [`ModelError`]; all texts fail together.
    pub fn embed<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.pool.install(|| {
            let tokens = self.tokens.of(texts)?;
            let each = groups(&tokens).into_par_iter().map(|group| self.group(&tokens, group));
            let done: Vec<Vec<(usize, Vec<f32>)>> = each.collect::<Result<_, _>>()?;
            let mut vectors = vec![Vec::new(); texts.len()];
            for (index, vector) in done.into_iter().flatten() {
                vectors[index] = vector;
            }
            Ok(vectors)
        })
    }

    fn group(&self, tokens: &[Vec<u32>], group: Vec<usize>) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let texts: Vec<&[u32]> = group.iter().map(|index| tokens[*index].as_slice()).collect();
        let mut scratch = self.idle().pop().unwrap_or_default();
        let mut rows = self.bert.forward(&texts, &mut scratch);
        let mut vectors = Vec::with_capacity(group.len());
        for (index, text) in group.into_iter().zip(texts) {
            let (own, rest) = rows.split_at(text.len() * self.dimension());
            vectors.push((index, self.pooled(own)?));
            rows = rest;
        }
        self.idle().push(scratch);
        Ok(vectors)
    }

    /// The memory that nobody works in. Numbers of an earlier group do no harm: a panic elsewhere does not lock it up.
    fn idle(&self) -> MutexGuard<'_, Vec<Scratch>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One vector out of those of a text's tokens.
    fn pooled(&self, rows: &[f32]) -> Result<Vec<f32>, ModelError> {
        let width = self.dimension();
        let mut vector = match self.layout.pooling {
            Pooling::First => rows[..width].to_vec(),
            Pooling::Mean => kernels::mean(rows, width),
        };
        if self.layout.normalize {
            kernels::normalize(&mut vector);
        }
        let finite = vector.iter().all(|number| number.is_finite());
        if finite { Ok(vector) } else { Err(ModelError::Compute("a vector is not finite".to_owned())) }
    }
}

/// The texts in groups, the longest first, so that no thread is left with a long one at the end.
fn groups(tokens: &[Vec<u32>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(tokens[*index].len()));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for index in order {
        let size = tokens[index].len();
        if groups.is_empty() || size > room {
            groups.push(Vec::new());
            room = GROUP_TOKENS;
        }
        room = room.saturating_sub(size);
        groups.last_mut().expect("one was just made").push(index);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_text_once_and_keep_their_size() {
        let tokens: Vec<Vec<u32>> = [300, 2, 700, 100, 200, 3].map(|size| vec![0; size]).to_vec();
        let groups = groups(&tokens);
        assert_eq!(groups, [vec![2], vec![0, 4], vec![3, 5, 1]]);
    }
}
