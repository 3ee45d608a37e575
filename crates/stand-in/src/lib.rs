//! layer-stand-in.
