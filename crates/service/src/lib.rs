//! layer-service.
