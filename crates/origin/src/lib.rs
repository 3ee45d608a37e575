//! layer-origin.
