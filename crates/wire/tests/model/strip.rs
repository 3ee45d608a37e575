//! The rules of stripping, on a tree. Whitespace is left out of it: which of it goes with a member is a matter of taste.

use super::{Document, Item, Member, Node};

/// The schema answer without the reserved members.
pub fn schema(document: &Document) -> Document {
    let mut document = document.clone();
    strip(&mut document.0.node);
    document
}

/// The metadata answer without the reserved members of its schema.
pub fn metadata(document: &Document) -> Document {
    let mut document = document.clone();
    if let Node::Object(members, _) = &mut document.0.node {
        members.iter_mut().filter(|member| member.name() == "schema").for_each(|member| strip(&mut member.node));
    }
    document
}

fn strip(node: &mut Node) {
    if let Node::Object(members, _) = node {
        members.retain(|member| !member.name().starts_with("_hevlayer_"));
    }
}

/// The document without its whitespace.
pub fn compact(document: &Document) -> String {
    bare(&document.0.node).print()
}

fn bare(node: &Node) -> Node {
    match node {
        Node::Scalar(text) => Node::scalar(text),
        Node::Array(items, _) => {
            let items =
                items.iter().map(|item| Item { before: String::new(), node: bare(&item.node), after: String::new() });
            Node::Array(items.collect(), String::new())
        }
        Node::Object(members, _) => {
            let members = members.iter().map(|member| Member {
                before: String::new(),
                key: member.key.clone(),
                colon: ":".into(),
                node: bare(&member.node),
                after: String::new(),
            });
            Node::Object(members.collect(), String::new())
        }
    }
}
