//! What a write touches, found on a tree.

use layer_wire::{Asked, Id, Ids, Touched};

use super::{Document, Item, Member, Node, append_member, unquote};

/// Ids in a fixed order, spelled for comparison: the model finds them by operation, the crate by place.
fn spelled(ids: &Ids) -> Vec<String> {
    let spell = |id| match id {
        Id::Number(number) => u64::to_string(&number),
        Id::Text(text) => format!("{text:?}"),
    };
    let mut spelled: Vec<String> = ids.iter().map(spell).collect();
    spelled.sort();
    spelled
}

/// What the crate must have found, as `(ids, alters_rows, asked)`.
pub fn comparable(touched: &Touched) -> (Option<Vec<String>>, bool, Asked) {
    (touched.ids.as_ref().map(spelled), touched.alters_rows, touched.asked)
}

/// What a legal write touches.
pub fn touched(document: &Document) -> (Option<Vec<String>>, bool, Asked) {
    let Node::Object(members, _) = &document.0.node else { panic!("a legal write is an object") };
    let mut found = Found { ids: Vec::new(), certain: true };
    let mut alters = false;
    for Member { node, .. } in with_names(members, &["upsert_rows", "patch_rows"]) {
        found.rows(node);
    }
    for Member { node, .. } in with_names(members, &["upsert_columns", "patch_columns"]) {
        found.columns(node);
    }
    for Member { node, .. } in with_names(members, &["deletes"]) {
        found.list(node);
    }
    for Member { node, .. } in with_names(members, &["schema"]) {
        alters |= has_altering(node);
    }
    found.ids.sort();
    (found.certain.then_some(found.ids), alters, asked(members))
}

fn with_names<'a>(members: &'a [Member], names: &'a [&'a str]) -> impl Iterator<Item = &'a Member> {
    members.iter().filter(move |member| names.contains(&&*member.name()) && !member.node.is_null())
}

fn is_by_filter(members: &[Member]) -> bool {
    with_names(members, &["delete_by_filter", "patch_by_filter"]).next().is_some()
}

fn asked(members: &[Member]) -> Asked {
    let last = members.iter().rfind(|member| member.name() == "return_affected_ids");
    match last {
        Some(member) if member.node == Node::scalar("true") => Asked::Caller,
        None if is_by_filter(members) => Asked::Layer,
        _ => Asked::Nobody,
    }
}

/// Appends what Layer asks for.
pub fn ask(document: &Document, rewritten: String) -> String {
    let Node::Object(members, _) = &document.0.node else { return rewritten };
    if asked(members) != Asked::Layer {
        return rewritten;
    }
    let mut document = super::parse(rewritten.as_bytes()).expect("the rewritten body is JSON");
    let Node::Object(members, end) = &mut document.0.node else { panic!("a legal write is an object") };
    append_member(members, end, Member::new("return_affected_ids", Node::scalar("true")));
    document.print()
}

fn has_altering(schema: &Node) -> bool {
    let Node::Object(attributes, _) = schema else { return false };
    attributes.iter().any(|attribute| match &attribute.node {
        Node::Object(members, _) => members.iter().any(|member| ["drop", "embed"].contains(&&*member.name())),
        _ => false,
    })
}

struct Found {
    ids: Vec<String>,
    certain: bool,
}

impl Found {
    fn rows(&mut self, node: &Node) {
        let Node::Array(items, _) = node else {
            self.certain = false;
            return;
        };
        for Item { node, .. } in items {
            match node {
                Node::Object(members, _) => members.iter().filter(|m| m.name() == "id").for_each(|m| self.id(&m.node)),
                _ => self.certain = false,
            }
        }
    }

    fn columns(&mut self, node: &Node) {
        match node {
            Node::Object(members, _) => members.iter().filter(|m| m.name() == "id").for_each(|m| self.list(&m.node)),
            _ => self.certain = false,
        }
    }

    fn list(&mut self, node: &Node) {
        match node {
            Node::Array(items, _) => items.iter().for_each(|item| self.id(&item.node)),
            _ => self.certain = false,
        }
    }

    fn id(&mut self, node: &Node) {
        match node {
            Node::Scalar(text) if text.starts_with('"') => self.ids.push(format!("{:?}", unquote(text))),
            Node::Scalar(text) => match serde_json::from_str::<u64>(text) {
                Ok(number) => self.ids.push(number.to_string()),
                Err(_) => self.certain = false,
            },
            _ => self.certain = false,
        }
    }
}
