//! Texts into vectors: what the embedding stage of a pipeline does.
//!
//! Either by an endpoint that speaks OpenAI's embeddings call ([`Endpoint`]), or by a model in this process ([`Model`]).
//! [`Embedder`] is one of the two. Each text has its own answer: one that cannot be embedded does not take others with it.
//!
//! Texts and vectors are never logged, and the endpoint's key goes to the endpoint and nowhere else.

mod embedder;
mod endpoint;
mod error;
mod local;

pub use embedder::Embedder;
pub use endpoint::{Encoding, Endpoint, Options, OptionsError};
pub use error::{Blame, EmbedError};
pub use local::{LoadError, Model, ModelError};

/// A text's vector.
pub type Vector = Vec<f32>;
