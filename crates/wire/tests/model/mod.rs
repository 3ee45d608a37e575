//! A naive reference: parses a whole body into a tree that keeps every byte, changes the tree, and prints it.
//!
//! Written for obviousness, from the rules and not from the rewriters, and shared by the property tests and the fuzz
//! targets. What it prints must be what the rewriters emit, byte for byte.

#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod check;
mod parse;
pub mod query;
pub mod strip;
pub mod touched;
pub mod write;

pub use parse::{Fault, parse};

pub const STAMP_NAME: &str = "_hevlayer_upserted_at";

/// A JSON value with all its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A number, literal or string, as spelled.
    Scalar(String),
    Array(Vec<Item>, String),
    Object(Vec<Member>, String),
}

/// An element with the whitespace around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub before: String,
    pub node: Node,
    pub after: String,
}

/// A member: whitespace, the key as spelled with its quotes, what stands between it and the value, the value, whitespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub before: String,
    pub key: String,
    pub colon: String,
    pub node: Node,
    pub after: String,
}

impl Member {
    pub fn new(key: &str, node: Node) -> Self {
        Self { before: String::new(), key: format!("\"{key}\""), colon: ":".into(), node, after: String::new() }
    }

    pub fn name(&self) -> String {
        unquote(&self.key)
    }
}

impl Node {
    pub fn scalar(text: impl Into<String>) -> Self {
        Self::Scalar(text.into())
    }

    /// An array of scalars without whitespace.
    pub fn list(texts: impl IntoIterator<Item = String>) -> Self {
        let items = texts.into_iter().map(|text| Item {
            before: String::new(),
            node: Self::Scalar(text),
            after: String::new(),
        });
        Self::Array(items.collect(), String::new())
    }

    pub fn is_null(&self) -> bool {
        *self == Self::scalar("null")
    }

    pub fn print(&self) -> String {
        let mut text = String::new();
        self.print_to(&mut text);
        text
    }

    fn print_to(&self, text: &mut String) {
        match self {
            Self::Scalar(scalar) => text.push_str(scalar),
            Self::Array(items, end) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    text.push_str(if index > 0 { "," } else { "" });
                    text.push_str(&item.before);
                    item.node.print_to(text);
                    text.push_str(&item.after);
                }
                text.push_str(end);
                text.push(']');
            }
            Self::Object(members, end) => {
                text.push('{');
                for (index, member) in members.iter().enumerate() {
                    text.push_str(if index > 0 { "," } else { "" });
                    text.push_str(&member.before);
                    text.push_str(&member.key);
                    text.push_str(&member.colon);
                    member.node.print_to(text);
                    text.push_str(&member.after);
                }
                text.push_str(end);
                text.push('}');
            }
        }
    }
}

/// A document: a value with whitespace around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document(pub Item);

impl Document {
    pub fn print(&self) -> String {
        format!("{}{}{}", self.0.before, self.0.node.print(), self.0.after)
    }
}

/// Appends a member to an object, after all whitespace that is there.
pub fn append_member(members: &mut Vec<Member>, end: &mut String, mut member: Member) {
    if members.is_empty() {
        member.before = std::mem::take(end);
    }
    members.push(member);
}

/// What a quoted string means. Half a surrogate pair becomes U+FFFD.
pub fn unquote(quoted: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut characters = quoted[1..quoted.len() - 1].chars();
    while let Some(character) = characters.next() {
        let meant = match (character, character == '\\') {
            (_, true) => match characters.next().expect("the string was parsed") {
                'u' => {
                    let digits: String = characters.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&digits, 16).expect("the string was parsed"));
                    continue;
                }
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            (plain, false) => plain,
        };
        units.extend_from_slice(meant.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}
