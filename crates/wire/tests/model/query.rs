//! The rules of a query, on a tree.

use layer_wire::QuerySummary;

use super::{Document, Item, Member, Node, STAMP_NAME, unquote};

/// What the rewriter must make of `document`. It must be shorter than the hold of a query object.
pub fn rewrite(document: &Document) -> (String, QuerySummary) {
    let mut document = document.clone();
    let before = document.print();
    let mut summary = QuerySummary::default();
    if let Node::Object(members, _) = &mut document.0.node {
        note(members, &mut summary);
        let mut queries = members.iter_mut().filter(|member| member.name() == "queries");
        let legs: Vec<_> = queries
            .by_ref()
            .filter_map(|member| match &mut member.node {
                Node::Array(items, _) => Some(items),
                _ => None,
            })
            .collect();
        if legs.is_empty() {
            project(members);
        } else {
            summary.multi = Some(0);
            for leg in legs.into_iter().flatten() {
                summary.multi = summary.multi.map(|count| count + 1);
                if let Node::Object(members, _) = &mut leg.node {
                    note(members, &mut summary);
                    project(members);
                }
            }
        }
    }
    let after = document.print();
    summary.rewritten = before != after;
    (after, summary)
}

fn note(members: &[Member], summary: &mut QuerySummary) {
    let has = |name: &str| members.iter().any(|member| member.name() == name && !member.node.is_null());
    summary.has_filter |= has("filters");
    summary.has_rank_by |= has("rank_by");
}

fn project(members: &mut [Member]) {
    let find =
        |name: &str| -> Vec<usize> { (0..members.len()).filter(|index| members[*index].name() == name).collect() };
    let (include, exclude) = (find("include_attributes"), find("exclude_attributes"));
    if include.len() > 1 || exclude.len() > 1 {
        return;
    }
    let given = |found: &[usize]| found.first().copied().filter(|index| !members[*index].node.is_null());
    match (given(&include), given(&exclude)) {
        (Some(index), None) if members[index].node == Node::scalar("true") => {
            if let Some(null) = exclude.first() {
                members[index].node = Node::scalar("null");
                members[*null].node = reserved();
            } else {
                members[index].key = "\"exclude_attributes\"".into();
                members[index].node = reserved();
            }
        }
        (None, Some(index)) => exclude_too(&mut members[index].node),
        _ => {}
    }
}

fn reserved() -> Node {
    Node::list([format!("\"{STAMP_NAME}\"")])
}

fn exclude_too(node: &mut Node) {
    let Node::Array(items, end) = node else { return };
    let is_there =
        |item: &Item| matches!(&item.node, Node::Scalar(text) if text.starts_with('"') && unquote(text) == STAMP_NAME);
    if items.iter().any(is_there) {
        return;
    }
    items.push(Item {
        before: std::mem::take(end),
        node: Node::scalar(format!("\"{STAMP_NAME}\"")),
        after: String::new(),
    });
}
