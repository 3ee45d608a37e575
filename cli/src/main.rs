//! `layer`.
fn main() {}
