//! layer-wire.
