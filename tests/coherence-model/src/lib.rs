//! The coherence protocol of the document cache as a model that is explored exhaustively.
