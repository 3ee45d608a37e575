//! layer-proto.
