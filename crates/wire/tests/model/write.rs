//! The rules of a write, on a tree.

use layer_wire::{Operation, OperationSet, RejectionKind, WriteOptions, WriteSummary};

use super::{Document, Member, Node, STAMP_NAME, append_member};

struct Write {
    options: WriteOptions,
    summary: WriteSummary,
}

type Checked = Result<(), RejectionKind>;

/// What the rewriter must make of `document`. It must be shorter than the schema's hold.
pub fn rewrite(document: &Document, options: WriteOptions) -> Result<(String, WriteSummary), RejectionKind> {
    let mut document = document.clone();
    let mut write = Write { options, summary: WriteSummary::default() };
    let Node::Object(members, end) = &mut document.0.node else {
        return Err(RejectionKind::Malformed);
    };
    write.body(members, end)?;
    if write.summary.operations.is_empty() {
        return Err(RejectionKind::NoOperation);
    }
    Ok((document.print(), write.summary))
}

impl Write {
    fn body(&mut self, members: &mut Vec<Member>, end: &mut String) -> Checked {
        // A schema is declared in if a row follows before the next schema, or came before it.
        let mut undeclared: Option<usize> = None;
        for index in 0..members.len() {
            let name = members[index].name();
            let before = self.summary.stamped;
            self.member(&name, &mut members[index].node)?;
            if !before
                && self.summary.stamped
                && let Some(schema) = undeclared.take()
            {
                declare(&mut members[schema].node);
            }
            if name == "schema" {
                undeclared = Some(index);
                if self.summary.stamped {
                    declare(&mut members[index].node);
                }
            }
        }
        if self.summary.stamped && !members.iter().any(|member| member.name() == "schema") {
            let mut schema = Node::Object(Vec::new(), String::new());
            declare(&mut schema);
            append_member(members, end, Member::new("schema", schema));
        }
        Ok(())
    }

    fn member(&mut self, name: &str, node: &mut Node) -> Checked {
        if name == "upserts" || name == "patches" {
            return Err(RejectionKind::ForeignKey);
        }
        let Some(operation) = Operation::ALL.into_iter().find(|operation| operation.key() == name) else {
            return Ok(());
        };
        if node.is_null() {
            return Ok(());
        }
        let operations = self.summary.operations.iter().chain([operation]);
        self.summary.operations = operations.collect::<OperationSet>();
        match operation {
            Operation::UpsertRows | Operation::PatchRows => self.rows(node),
            Operation::UpsertColumns | Operation::PatchColumns => self.columns(node),
            Operation::PatchByFilter => self.by_filter(node),
            Operation::Schema => self.names(node),
            Operation::Deletes => {
                if let Node::Array(items, _) = node {
                    self.summary.deletes += items.len() as u64;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn rows(&mut self, node: &mut Node) -> Checked {
        let Node::Array(items, _) = node else { return Ok(()) };
        for item in items {
            self.names(&item.node)?;
            let stamp = Node::scalar(self.options.upserted_at_ms.to_string());
            if let Node::Object(members, end) = &mut item.node {
                append_member(members, end, Member::new(STAMP_NAME, stamp));
                self.summary.rows += 1;
                self.summary.stamped = true;
            }
        }
        Ok(())
    }

    fn columns(&mut self, node: &mut Node) -> Checked {
        self.names(node)?;
        let Node::Object(members, end) = node else { return Ok(()) };
        let mut rows = 0;
        for member in members.iter().filter(|member| member.name() == "id") {
            rows = match &member.node {
                Node::Array(items, _) => items.len(),
                _ => 0,
            };
            self.summary.stamped |= rows > 0;
        }
        if rows > 0 {
            let stamps = std::iter::repeat_n(self.options.upserted_at_ms.to_string(), rows);
            append_member(members, end, Member::new(STAMP_NAME, Node::list(stamps)));
            self.summary.rows += rows as u64;
        }
        Ok(())
    }

    fn by_filter(&mut self, node: &mut Node) -> Checked {
        let Node::Object(members, _) = node else { return Ok(()) };
        for member in members.iter_mut().filter(|member| member.name() == "patch") {
            self.names(&member.node)?;
            let stamp = Node::scalar(self.options.upserted_at_ms.to_string());
            if let Node::Object(members, end) = &mut member.node
                && !members.is_empty()
            {
                append_member(members, end, Member::new(STAMP_NAME, stamp));
                self.summary.stamped = true;
            }
        }
        Ok(())
    }

    /// No key of the object may be reserved.
    fn names(&self, node: &Node) -> Checked {
        let Node::Object(members, _) = node else { return Ok(()) };
        for name in members.iter().map(Member::name) {
            let refused = name == STAMP_NAME || !self.options.allow_reserved;
            if name.starts_with("_hevlayer_") && refused {
                return Err(RejectionKind::ReservedName);
            }
        }
        Ok(())
    }
}

fn declare(schema: &mut Node) {
    if schema.is_null() {
        *schema = Node::Object(Vec::new(), String::new());
    }
    if let Node::Object(members, end) = schema {
        append_member(members, end, Member::new(STAMP_NAME, Node::scalar("\"int\"")));
    }
}
