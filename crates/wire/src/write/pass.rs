//! What a write does at each place of its body that the walk reports.

use super::WriteSummary;
use super::declaration::Declaration;
use super::operation::Operation;
use super::stamp::Stamp;
use super::touched::{ASK_MEMBER, Tracker};
use crate::names::{UPSERTED_AT, display};
use crate::pieces::Pieces;
use crate::rejection::{Rejection, RejectionKind};
use crate::tape::{Span, Tape};
use crate::walk::{Frame, Handler, Step, Text};

/// A container of a write body that is walked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// The body itself.
    #[default]
    Body,
    /// The array of `upsert_rows` or `patch_rows`.
    Rows(Operation),
    /// One of its objects.
    Row(Operation),
    /// The object of `upsert_columns` or `patch_columns`.
    Columns(Operation),
    /// Its `id` array.
    Ids,
    /// The array of `deletes`.
    Deletes,
    /// The object of `patch_by_filter`.
    ByFilter,
    /// Its `patch`.
    Patch,
    /// The object of `schema`.
    Schema,
    /// One of its declarations, where it matters what is declared.
    Config,
}

/// What the value after the key just read is.
#[derive(Debug, Clone, Copy)]
enum Upcoming {
    Other,
    Operation(Operation),
    Ids,
    Patch,
    /// The id of a row.
    RowId,
    /// Whether the answer is to name the rows.
    ReturnIds,
}

/// What is known of a write body so far.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) declaration: Declaration,
    /// Where somebody wants to know which documents are touched.
    pub(crate) tracker: Option<Box<Tracker>>,
    stamp: Stamp,
    allow_reserved: bool,
    upcoming: Upcoming,
    summary: WriteSummary,
    /// The index of the row in hand.
    row: u64,
    /// The length of the `id` array of the columns in hand, if it has one.
    ids: Option<u64>,
}

impl Progress {
    pub(crate) fn new(stamp: Stamp, allow_reserved: bool) -> Self {
        Self {
            declaration: Declaration::default(),
            tracker: None,
            stamp,
            allow_reserved,
            upcoming: Upcoming::Other,
            summary: WriteSummary::default(),
            row: 0,
            ids: None,
        }
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        WriteSummary { stamped: self.declaration.stamped(), ..self.summary }
    }

    /// Whether the next id matters to somebody.
    fn wants_ids(&self) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.ids.is_collecting())
    }

    /// Ids stand in a place where they cannot be read.
    fn loses_ids(&mut self) {
        if let Some(tracker) = &mut self.tracker {
            tracker.ids.give_up();
        }
    }

    /// The path of the attribute `name` in the container `role`.
    fn path(&self, role: Role, name: &str) -> String {
        let row = self.row;
        match role {
            Role::Row(operation) => format!("{}[{row}].{name}", operation.key()),
            Role::Columns(operation) => format!("{}.{name}", operation.key()),
            Role::Patch => format!("patch_by_filter.patch.{name}"),
            Role::Schema => format!("schema.{name}"),
            _ => name.to_owned(),
        }
    }
}

/// Operations whose ids stand in the body.
const NAMES_IDS: [Operation; 5] = [
    Operation::UpsertRows,
    Operation::UpsertColumns,
    Operation::PatchRows,
    Operation::PatchColumns,
    Operation::Deletes,
];

/// One chunk's walk.
pub(crate) struct Pass<'a> {
    pub(crate) progress: &'a mut Progress,
    pub(crate) tape: &'a mut Tape,
    pub(crate) out: &'a mut Pieces,
}

impl Handler for Pass<'_> {
    type Role = Role;
    type Error = Rejection;

    fn key(&mut self, frame: &Frame<Role>, key: Text<'_>, _span: Span) -> Result<(), Rejection> {
        self.progress.upcoming = match frame.role {
            Role::Body => self.member(key)?,
            Role::Config => {
                self.progress.tracker.iter_mut().for_each(|tracker| tracker.declares(&key));
                Upcoming::Other
            }
            Role::ByFilter if *key.decoded() == *b"patch" => Upcoming::Patch,
            Role::ByFilter => Upcoming::Other,
            role => {
                self.attribute(role, key)?;
                match role {
                    Role::Columns(_) if *key.decoded() == *b"id" => Upcoming::Ids,
                    Role::Row(_) if self.progress.wants_ids() && *key.decoded() == *b"id" => Upcoming::RowId,
                    _ => Upcoming::Other,
                }
            }
        };
        if frame.role == Role::Patch && frame.count == 1 {
            self.require_declaration();
        }
        Ok(())
    }

    fn value(&mut self, frame: Option<&Frame<Role>>, first: u8, at: u64) -> Result<Step<Role>, Rejection> {
        let Some(frame) = frame else {
            return if first == b'{' { Ok(Step::Enter(Role::Body)) } else { Err(not_an_object()) };
        };
        Ok(match (frame.role, self.progress.upcoming) {
            (Role::Rows(operation), _) if first == b'{' => self.begin_row(operation, frame.count - 1),
            (Role::Rows(_), _) => {
                self.progress.loses_ids();
                Step::Skip
            }
            (Role::Row(_), Upcoming::RowId) => self.begin_id(first, Step::Skip),
            (Role::Ids, _) => {
                self.require_declaration();
                self.begin_id(first, Step::Elements)
            }
            (Role::Deletes, _) => self.begin_id(first, Step::Elements),
            (Role::Body, Upcoming::ReturnIds) => Step::Read,
            (Role::Schema, _) if first == b'{' && self.progress.tracker.is_some() => Step::Enter(Role::Config),
            (Role::Body, Upcoming::Operation(operation)) => self.begin_operation(operation, first, at),
            (Role::Columns(_), Upcoming::Ids) => {
                self.progress.ids = None;
                if first == b'[' {
                    return Ok(Step::Enter(Role::Ids));
                }
                self.progress.loses_ids();
                Step::Skip
            }
            (Role::ByFilter, Upcoming::Patch) if first == b'{' => Step::Enter(Role::Patch),
            _ => Step::Skip,
        })
    }

    fn text(&mut self, text: Text<'_>, span: Span) -> Result<(), Rejection> {
        match (&mut self.progress.tracker, self.progress.upcoming) {
            (_, Upcoming::Operation(Operation::Schema)) => {
                let is_null = text.is_scalar(b"null");
                self.progress.declaration.scalar_ends(is_null, span, self.tape, self.out);
            }
            (Some(tracker), Upcoming::ReturnIds) => tracker.asks(&text),
            (Some(tracker), _) => tracker.ids.add(&text),
            (None, _) => {}
        }
        Ok(())
    }

    fn end(&mut self, frame: &Frame<Role>, at: u64) -> Result<(), Rejection> {
        let (progress, is_empty) = (&mut *self.progress, frame.count == 0);
        match frame.role {
            Role::Row(_) => self.stamp_object(is_empty, at),
            Role::Patch if !is_empty => self.stamp_object(false, at),
            Role::Ids => progress.ids = Some(frame.count),
            Role::Columns(_) => self.end_columns(at),
            Role::Deletes => progress.summary.deletes += frame.count,
            Role::Schema => progress.declaration.object_ends(is_empty, at, self.tape, self.out),
            Role::Body => {
                progress.declaration.body_ends(at, self.tape, self.out);
                self.ask_for_ids(at);
            }
            Role::Rows(_) | Role::ByFilter | Role::Patch | Role::Config => {}
        }
        Ok(())
    }
}

impl Pass<'_> {
    fn begin_operation(&mut self, operation: Operation, first: u8, at: u64) -> Step<Role> {
        let progress = &mut *self.progress;
        if operation == Operation::Schema {
            progress.declaration.schema_begins(first, at, self.tape, self.out);
        }
        if first == b'n' {
            return if operation == Operation::Schema { Step::Read } else { Step::Skip };
        }
        progress.summary.operations.insert(operation);
        match (operation, first) {
            (Operation::UpsertRows | Operation::PatchRows, b'[') => Step::Enter(Role::Rows(operation)),
            (Operation::UpsertColumns | Operation::PatchColumns, b'{') => {
                progress.ids = None;
                Step::Enter(Role::Columns(operation))
            }
            (Operation::Deletes, b'[') => Step::Enter(Role::Deletes),
            (Operation::PatchByFilter, b'{') => Step::Enter(Role::ByFilter),
            (Operation::Schema, b'{') => Step::Enter(Role::Schema),
            _ => {
                if NAMES_IDS.contains(&operation) {
                    progress.loses_ids();
                }
                Step::Skip
            }
        }
    }

    /// An id begins, or what stands in the place of one; `unread` is what to do where it does not matter.
    fn begin_id(&mut self, first: u8, unread: Step<Role>) -> Step<Role> {
        if !self.progress.wants_ids() {
            return unread;
        }
        if matches!(first, b'{' | b'[') {
            self.progress.loses_ids();
            return unread;
        }
        Step::Read
    }

    /// Has the origin name what a filter hit, where nothing is said about that.
    fn ask_for_ids(&mut self, at: u64) {
        let operations = self.progress.summary.operations;
        let by_filter = operations.contains(Operation::DeleteByFilter) || operations.contains(Operation::PatchByFilter);
        let Some(tracker) = self.progress.tracker.as_mut().filter(|_| by_filter) else { return };
        if tracker.ask() {
            self.tape.emit_until(at, self.out);
            self.out.push_static(ASK_MEMBER);
        }
    }

    /// What the member of the body with this key is.
    fn member(&mut self, key: Text<'_>) -> Result<Upcoming, Rejection> {
        let upcoming = member(key)?;
        match &mut self.progress.tracker {
            Some(tracker) if *key.decoded() == *b"return_affected_ids" => {
                tracker.says_ids();
                Ok(Upcoming::ReturnIds)
            }
            _ => Ok(upcoming),
        }
    }

    fn begin_row(&mut self, operation: Operation, index: u64) -> Step<Role> {
        self.progress.row = index;
        self.progress.summary.rows += 1;
        self.require_declaration();
        Step::Enter(Role::Row(operation))
    }

    fn require_declaration(&mut self) {
        self.progress.declaration.require(self.tape, self.out);
    }

    fn stamp_object(&mut self, is_empty: bool, at: u64) {
        self.tape.emit_until(at, self.out);
        self.progress.stamp.push_member(is_empty, self.out);
    }

    fn end_columns(&mut self, at: u64) {
        if let Some(rows @ 1..) = self.progress.ids {
            self.progress.summary.rows += rows;
            self.tape.emit_until(at, self.out);
            self.progress.stamp.push_column(rows, self.out);
        }
    }

    /// Refuses a reserved name among the attributes.
    fn attribute(&self, role: Role, key: Text<'_>) -> Result<(), Rejection> {
        let Some(name) = key.reserved() else {
            return Ok(());
        };
        let is_stamp = *name == *UPSERTED_AT.as_bytes();
        if self.progress.allow_reserved && !is_stamp {
            return Ok(());
        }
        let field = self.progress.path(role, &display(&name));
        let message = if is_stamp {
            "is set by Layer itself at every write; leave it out"
        } else {
            "starts with _hevlayer_, which is reserved for Layer; choose another attribute name"
        };
        Err(Rejection::new(RejectionKind::ReservedName, field, message))
    }
}

/// What the member of the body with this key is.
fn member(key: Text<'_>) -> Result<Upcoming, Rejection> {
    let name = key.decoded();
    let (key, native) = match &*name {
        b"upserts" => ("upserts", "upsert_rows or upsert_columns"),
        b"patches" => ("patches", "patch_rows or patch_columns"),
        name => return Ok(Operation::from_key(name).map_or(Upcoming::Other, Upcoming::Operation)),
    };
    let message = format!("is not a key of Turbopuffer's write API; use {native}");
    Err(Rejection::new(RejectionKind::ForeignKey, key, message))
}

fn not_an_object() -> Rejection {
    Rejection::new(RejectionKind::Malformed, "body", "must be a JSON object (UTF-8 without a byte order mark)")
}
