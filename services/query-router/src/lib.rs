//! query-router.
