//! The object store: S3 in production, a local directory embedded.
