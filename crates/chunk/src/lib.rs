//! Source files into chunks of text: what the first stage of a pipeline does.
//!
//! A file's bytes become text ([`extract`]), the text is split ([`Splitter`]), and each [`Chunk`] gets an id that the same
//! file gets again whenever the work is repeated ([`chunk_id`]). Everything here is plain computing: no files, no sockets,
//! no clock but the one that bounds an extraction.
//!
//! What is read here was written by strangers. So the crate must never bring the process down: sizes, times and depths are
//! bounded, and a parser that panics is an error like any other. What cannot be read is never guessed at: it is an
//! [`ExtractError`], and whoever sees it again will see the same one.

mod chunk;
mod extract;
mod id;
mod kind;
mod options;
mod split;

pub use chunk::{Chunk, Position};
pub use extract::{ExtractError, Limits, Source, Text, extract};
pub use id::chunk_id;
pub use kind::Kind;
pub use options::{Options, OptionsError, Unit};
pub use split::{SplitError, Splitter};
