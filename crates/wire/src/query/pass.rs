//! What a query does at each place of its body that the walk reports.

use super::QuerySummary;
use super::projection::{List, Projection};
use crate::pieces::Pieces;
use crate::rejection::Rejection;
use crate::tape::{Span, Tape};
use crate::walk::{Frame, Handler, Malformed, Step, Text};

/// A container of a query body that is walked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// The body: a query object, or what holds several.
    #[default]
    Body,
    /// The array of `queries`.
    Queries,
    /// One of its objects.
    Leg,
    /// An array of `exclude_attributes`.
    Exclude,
}

/// Why the walk of a query stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The body is no JSON: the origin shall say so.
    Malformed(Malformed),
    /// The body cannot be rewritten.
    Refused(Rejection),
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

/// A member that counts in the summary when it has a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Upcoming {
    #[default]
    Other,
    Queries,
    Filters,
    RankBy,
}

/// What is known of a query body so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) projection: Projection,
    pub(crate) summary: QuerySummary,
    upcoming: Upcoming,
    /// Whether the strings read are the elements of an `exclude_attributes` array.
    in_list: bool,
}

/// One chunk's walk.
pub(crate) struct Pass<'a> {
    pub(crate) progress: &'a mut Progress,
    pub(crate) tape: &'a mut Tape,
    pub(crate) out: &'a mut Pieces,
}

impl Handler for Pass<'_> {
    type Role = Role;
    type Error = Stop;

    fn key(&mut self, frame: &Frame<Role>, key: Text<'_>, span: Span) -> Result<(), Stop> {
        self.keep_limit(span.end - 1)?;
        let progress = &mut *self.progress;
        progress.upcoming = Upcoming::Other;
        let is_query = frame.role == Role::Leg || progress.summary.multi.is_none();
        match &*key.decoded() {
            b"queries" if frame.role == Role::Body => progress.upcoming = Upcoming::Queries,
            b"filters" => progress.upcoming = Upcoming::Filters,
            b"rank_by" => progress.upcoming = Upcoming::RankBy,
            b"include_attributes" if is_query => progress.projection.key(List::Include, span)?,
            b"exclude_attributes" if is_query => progress.projection.key(List::Exclude, span)?,
            _ => {}
        }
        Ok(())
    }

    fn value(&mut self, frame: Option<&Frame<Role>>, first: u8, at: u64) -> Result<Step<Role>, Stop> {
        self.keep_limit(at)?;
        let Some(frame) = frame else {
            return Ok(if first == b'{' { Step::Enter(Role::Body) } else { Step::Skip });
        };
        Ok(match frame.role {
            Role::Exclude => Step::Read,
            Role::Queries => self.begin_leg(first),
            Role::Body | Role::Leg => self.begin_member(first),
        })
    }

    fn text(&mut self, text: Text<'_>, span: Span) -> Result<(), Stop> {
        // A scalar ends at the byte after it, a string at its own closing quote.
        let is_string = text.is_quoted();
        self.keep_limit(span.end - u64::from(is_string))?;
        let projection = &mut self.progress.projection;
        if self.progress.in_list {
            projection.name(|name| text.is_string(name));
        } else {
            projection.scalar(text.is_scalar(b"true"), text.is_scalar(b"null"), span);
        }
        Ok(())
    }

    fn end(&mut self, frame: &Frame<Role>, at: u64) -> Result<(), Stop> {
        self.keep_limit(at)?;
        match frame.role {
            Role::Exclude => {
                self.progress.in_list = false;
                self.progress.projection.list_ends(at, frame.count == 0);
            }
            Role::Leg => self.decide()?,
            Role::Body if self.progress.summary.multi.is_none() => self.decide()?,
            Role::Body | Role::Queries => {}
        }
        Ok(())
    }
}

impl Pass<'_> {
    /// See [`Projection::keep_limit`].
    pub(crate) fn keep_limit(&mut self, at: u64) -> Result<(), Rejection> {
        self.progress.projection.keep_limit(at, self.tape, self.out)
    }

    fn begin_leg(&mut self, first: u8) -> Step<Role> {
        if let Some(legs) = &mut self.progress.summary.multi {
            *legs = legs.saturating_add(1);
        }
        self.progress.projection = self.progress.projection.renewed();
        if first == b'{' { Step::Enter(Role::Leg) } else { Step::Skip }
    }

    fn begin_member(&mut self, first: u8) -> Step<Role> {
        let progress = &mut *self.progress;
        match (progress.projection.pending(), first) {
            (Some(List::Exclude), b'[') => {
                progress.in_list = true;
                return Step::Enter(Role::Exclude);
            }
            (Some(_), b'[' | b'{') => progress.projection.other(),
            (Some(_), _) => return Step::Read,
            (None, _) => {}
        }
        let summary = &mut progress.summary;
        match progress.upcoming {
            Upcoming::Queries if first == b'[' => {
                // The body is no query object itself: what it asks for is for the origin to judge, as it stands.
                progress.projection = progress.projection.renewed();
                summary.multi.get_or_insert(0);
                return Step::Enter(Role::Queries);
            }
            Upcoming::Filters => summary.has_filter |= first != b'n',
            Upcoming::RankBy => summary.has_rank_by |= first != b'n',
            Upcoming::Queries | Upcoming::Other => {}
        }
        Step::Skip
    }

    fn decide(&mut self) -> Result<(), Rejection> {
        let projection = &mut self.progress.projection;
        projection.decide(self.tape, self.out)?;
        self.progress.summary.rewritten |= projection.changed();
        Ok(())
    }
}
