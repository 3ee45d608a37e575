//! What can be asked of a running mesh.

mod cache;
mod function;
mod namespaces;
mod pipeline;
mod query;
mod reference;
mod run;
mod status;
mod warm;

pub use cache::cache;
pub use function::function;
pub use namespaces::namespaces;
pub use pipeline::pipeline;
pub use query::query;
pub use reference::reference;
pub use status::status;
pub use warm::warm;

use std::fmt::Write as _;

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => path.push(char::from(byte)),
            other => write!(path, "%{other:02X}").expect("a String takes all that is written"),
        }
    }
    path
}
