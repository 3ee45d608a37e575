//! Answers of writes: which rows the origin says it touched.
//!
//! A write by filter is answered with the ids that it hit only when the request asks for them, so Layer asks where the
//! caller does not ([`Asked::Layer`]), and takes the ids out of the answer again. They may be millions: they are read as
//! they pass, kept up to a bound, and dropped. The rest of the answer stays as the origin wrote it.
//!
//! [`Asked::Layer`]: crate::Asked::Layer

use bytes::Bytes;

use crate::ids::{Collector, IdLimits, Ids};
use crate::pieces::Pieces;
use crate::rejection::Rejection;
use crate::tape::{Span, Tape};
use crate::walk::{Frame, Handler, Malformed, Step, Text, Walker};

/// The members that list ids.
const LISTS: [&[u8]; 3] = [b"upserted_ids", b"patched_ids", b"deleted_ids"];

/// What the origin says of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// The rows that it touched. `None`: too many for the limits, not all of them listed, or not certain.
    pub ids: Option<Ids>,
}

/// Reads one answer as it comes in, with or without taking the ids out.
#[derive(Debug)]
pub struct AffectedRewriter {
    walker: Walker<Role>,
    tape: Tape,
    progress: Progress,
    broken: Option<Malformed>,
}

impl AffectedRewriter {
    /// For one answer. `take_out`: the lists of ids are left out of the output.
    #[must_use]
    pub fn new(limits: IdLimits, take_out: bool) -> Self {
        let progress = Progress {
            ids: Collector::new(limits),
            rows: None,
            listed: 0,
            take_out,
            upcoming: Upcoming::Other,
            in_list: false,
            in_kept: false,
            kept: false,
            end: 0,
        };
        Self { walker: Walker::new(), tape: Tape::default(), progress, broken: None }
    }

    /// Takes in the next chunk and appends to `out` what can be handed on.
    pub fn push(&mut self, chunk: Bytes, out: &mut Pieces) {
        self.tape.load(chunk.clone());
        if self.broken.is_none() {
            let mut pass = Pass { progress: &mut self.progress, tape: &mut self.tape, out };
            self.broken = self.walker.feed(&chunk, &mut pass).err();
        }
        self.flush(out);
    }

    /// Hands on all but what may still turn out to stand before a list: a comma and a key.
    fn flush(&mut self, out: &mut Pieces) {
        let (progress, tape) = (&self.progress, &mut self.tape);
        match progress.upcoming {
            _ if !progress.take_out || progress.in_kept => tape.emit_until(tape.end(), out),
            Upcoming::List => tape.drop_until(tape.end()),
            _ => tape.emit_until(progress.end, out),
        }
    }

    /// The answer is complete: appends the last of it.
    ///
    /// # Errors
    /// A [`Rejection`] where it is no JSON document, as far as it was looked at; the output is worth nothing then, unless
    /// nothing was to be taken out.
    pub fn finish(mut self, out: &mut Pieces) -> Result<Affected, Rejection> {
        self.tape.emit_until(self.tape.end(), out);
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        self.walker.finish()?;
        let Progress { ids, rows, listed, .. } = self.progress;
        // Fewer ids than rows: the origin left some out.
        let complete = rows.is_some_and(|rows| rows <= listed);
        Ok(Affected { ids: ids.into_ids().filter(|_| complete) })
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    #[default]
    Answer,
    List,
    Other,
}

/// What the value after the root's key just read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upcoming {
    Other,
    Rows,
    List,
}

#[derive(Debug)]
struct Progress {
    ids: Collector,
    /// `rows_affected`.
    rows: Option<u64>,
    /// How many ids were listed.
    listed: u64,
    take_out: bool,
    upcoming: Upcoming,
    /// The walk is inside a list of ids.
    in_list: bool,
    /// It is inside the value of a member that stays.
    in_kept: bool,
    /// Some member stays.
    kept: bool,
    /// Where the last member ended, or the brace at the beginning.
    end: u64,
}

struct Pass<'a> {
    progress: &'a mut Progress,
    tape: &'a mut Tape,
    out: &'a mut Pieces,
}

impl Handler for Pass<'_> {
    type Role = Role;
    type Error = Malformed;

    fn key(&mut self, frame: &Frame<Role>, key: Text<'_>, span: Span) -> Result<(), Malformed> {
        if frame.role != Role::Answer {
            return Ok(());
        }
        let name = key.decoded();
        let progress = &mut *self.progress;
        progress.upcoming = match &*name {
            name if LISTS.contains(&name) => Upcoming::List,
            b"rows_affected" => Upcoming::Rows,
            _ => Upcoming::Other,
        };
        if !progress.take_out {
            return Ok(());
        }
        if progress.upcoming == Upcoming::List {
            self.tape.emit_until(progress.end, self.out);
            self.tape.drop_until(span.end);
            return Ok(());
        }
        if !progress.kept && frame.count > 1 {
            // All before it were taken out, and their commas were not.
            self.tape.drop_until(span.start);
        }
        (progress.kept, progress.in_kept) = (true, true);
        Ok(())
    }

    fn value(&mut self, frame: Option<&Frame<Role>>, first: u8, at: u64) -> Result<Step<Role>, Malformed> {
        let progress = &mut *self.progress;
        let Some(frame) = frame else {
            progress.end = at + 1;
            return Ok(if first == b'{' { Step::Enter(Role::Answer) } else { Step::Skip });
        };
        Ok(match (frame.role, first) {
            (Role::Answer, b'[') if progress.upcoming == Upcoming::List => {
                progress.in_list = true;
                Step::Enter(Role::List)
            }
            (Role::Answer, b'[' | b'{') => Step::Enter(Role::Other),
            (Role::Answer, _) => Step::Read,
            (Role::List, b'[' | b'{') => {
                progress.ids.give_up();
                Step::Elements
            }
            (Role::List, _) => {
                if progress.ids.is_collecting() {
                    Step::Read
                } else {
                    Step::Elements
                }
            }
            (Role::Other, _) => Step::Skip,
        })
    }

    fn text(&mut self, text: Text<'_>, span: Span) -> Result<(), Malformed> {
        if self.progress.in_list {
            self.progress.ids.add(&text);
            return Ok(());
        }
        match self.progress.upcoming {
            Upcoming::Rows => self.progress.rows = text.unsigned(),
            Upcoming::List if !text.is_scalar(b"null") => self.progress.ids.give_up(),
            _ => {}
        }
        self.member_ends(span.end);
        Ok(())
    }

    fn end(&mut self, frame: &Frame<Role>, at: u64) -> Result<(), Malformed> {
        match frame.role {
            Role::Answer => {
                // What stands behind the last member is the answer's, whatever that member was.
                self.progress.in_kept = true;
                return Ok(());
            }
            Role::List => self.progress.listed += frame.count,
            Role::Other if self.progress.upcoming == Upcoming::List => self.progress.ids.give_up(),
            Role::Other => {}
        }
        self.member_ends(at + 1);
        Ok(())
    }
}

impl Pass<'_> {
    fn member_ends(&mut self, end: u64) {
        let progress = &mut *self.progress;
        if progress.take_out && progress.upcoming == Upcoming::List {
            self.tape.drop_until(end);
        }
        (progress.in_list, progress.in_kept, progress.upcoming) = (false, false, Upcoming::Other);
        progress.end = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    const LIMITS: IdLimits = IdLimits { ids_max: 4, bytes_max: 64 };

    fn read(body: &str, take_out: bool, size: usize) -> Result<(String, Affected), Rejection> {
        let (mut rewriter, mut out) = (AffectedRewriter::new(LIMITS, take_out), Pieces::new());
        for chunk in body.as_bytes().chunks(size) {
            rewriter.push(Bytes::copy_from_slice(chunk), &mut out);
        }
        let affected = rewriter.finish(&mut out)?;
        let kept = out.drain().flatten().collect();
        Ok((String::from_utf8(kept).unwrap(), affected))
    }

    fn taken_out(body: &str) -> (String, Affected) {
        let whole = read(body, true, body.len()).unwrap();
        for size in 1..body.len() {
            assert_eq!(read(body, true, size).unwrap(), whole, "{body} by {size}");
            assert_eq!(read(body, false, size).unwrap(), (body.to_owned(), whole.1.clone()), "{body} by {size}");
        }
        whole
    }

    #[test]
    fn lists_are_taken_out_wherever_they_stand() {
        for (body, kept) in [
            (r#"{"rows_affected":1,"deleted_ids":[1]}"#, r#"{"rows_affected":1}"#),
            (r#"{"deleted_ids":[1],"rows_affected":1}"#, r#"{"rows_affected":1}"#),
            (r#"{"deleted_ids":[1] , "patched_ids":[], "rows_affected":1 }"#, r#"{"rows_affected":1 }"#),
            (
                r#"{"a":{"deleted_ids":[1]},"patched_ids":["x"],"b":[],"upserted_ids":null}"#,
                r#"{"a":{"deleted_ids":[1]},"b":[]}"#,
            ),
            (r#"{"deleted\u005fids":[1]} "#, "{} "),
            (r#"{"deleted_ids":[1], "patched_ids":[2]}"#, "{}"),
            (
                r#"{ "message":"deleted_ids", "n":18446744073709551615 }"#,
                r#"{ "message":"deleted_ids", "n":18446744073709551615 }"#,
            ),
            ("{}", "{}"),
            ("[1,2]", "[1,2]"),
        ] {
            assert_eq!(taken_out(body).0, kept);
        }
    }

    #[test]
    fn ids_are_known_where_every_row_is_listed() {
        let all = taken_out(r#"{"rows_affected":3,"deleted_ids":[1,18446744073709551615],"patched_ids":["1"]}"#)
            .1
            .ids
            .unwrap();
        assert_eq!(all.iter().collect::<Vec<_>>(), [Id::Number(1), Id::Number(u64::MAX), Id::Text("1")]);
        assert!(taken_out(r#"{"rows_affected":0}"#).1.ids.unwrap().is_empty());
        for unknown in [
            "{}",
            r#"{"rows_affected":2}"#,
            r#"{"rows_affected":2,"deleted_ids":[1]}"#,
            r#"{"rows_affected":1,"deleted_ids":[[1]]}"#,
            r#"{"rows_affected":1,"deleted_ids":[1.0]}"#,
            r#"{"rows_affected":0,"deleted_ids":{}}"#,
            r#"{"rows_affected":0,"deleted_ids":7}"#,
            r#"{"rows_affected":"1","deleted_ids":[1]}"#,
            r#"{"rows_affected":5,"deleted_ids":[1,2,3,4,5]}"#,
            "[]",
        ] {
            assert_eq!(taken_out(unknown).1.ids, None, "{unknown}");
        }
    }

    #[test]
    fn an_answer_that_is_no_json_is_refused_and_passes_where_nothing_is_taken_out() {
        for body in ["", "{", r#"{"a":1,"deleted_ids":[1,}"#, r#"{"deleted_ids":[1]"#, "x"] {
            assert!(read(body, true, 3).is_err() || body == "x", "{body}");
            let (mut rewriter, mut out) = (AffectedRewriter::new(LIMITS, false), Pieces::new());
            rewriter.push(Bytes::copy_from_slice(body.as_bytes()), &mut out);
            let _ = rewriter.finish(&mut out);
            assert_eq!(out.drain().flatten().collect::<Vec<u8>>(), body.as_bytes());
        }
    }

    #[test]
    fn a_long_list_takes_no_memory() {
        let (mut rewriter, mut out) = (AffectedRewriter::new(LIMITS, true), Pieces::new());
        rewriter.push(Bytes::from_static(br#"{"rows_affected":1000000,"deleted_ids":[0"#), &mut out);
        let chunk = Bytes::from(",12345".repeat(10_000));
        for _ in 0..100 {
            rewriter.push(chunk.clone(), &mut out);
            assert!(out.len_bytes() < 64, "{}", out.len_bytes());
            assert!(rewriter.tape.waiting() < 64, "{}", rewriter.tape.waiting());
        }
        rewriter.push(Bytes::from_static(b"]}"), &mut out);
        assert_eq!(rewriter.finish(&mut out).unwrap().ids, None);
        assert_eq!(out.drain().flatten().collect::<Vec<u8>>(), br#"{"rows_affected":1000000}"#);
    }
}
