//! Against a fake.
