//! The push tokenizer: walks the levels of a JSON document that its handler asks for, and jumps over the rest.
//!
//! It is fed chunks as they come and calls its [`Handler`] with each key, each value's first byte and each end of a
//! container that was entered. Where it walks, the grammar is checked in full; a fault is [`Malformed`]. It must not
//! behave differently for different chunks of the same body: every call happens at a given byte of the body.

use std::borrow::Cow;

use crate::names::{RESERVED_PREFIX, TEXT_LIMIT, decode};
use crate::scan::{Skip, is_whitespace, scalar_end, string_end};
use crate::tape::Span;

/// How many containers may be entered inside each other. Handlers need four; one that asks for more gets a jump.
const DEPTH: usize = 4;

/// A fault in the structure of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not valid JSON: expected {expected} at byte {at}")]
pub(crate) struct Malformed {
    /// The offset of the byte at fault.
    pub(crate) at: u64,
    expected: &'static str,
}

/// What to do with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<R> {
    /// Jump over it.
    Skip,
    /// Jump over it and report its text by [`Handler::text`], if it is a string or a scalar.
    Read,
    /// Walk its members or elements, if it is a container.
    Enter(R),
    /// Jump over it and all further elements of the array that it is in; the array's count will include them.
    Elements,
}

/// A container that is being walked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Frame<R> {
    /// What the handler entered it as.
    pub(crate) role: R,
    /// How many members or elements have begun, the present one included.
    pub(crate) count: u64,
    is_object: bool,
}

/// The text of a key, a string or a scalar: as spelled, without quotes, cut at [`TEXT_LIMIT`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    whole: bool,
    quoted: bool,
}

impl<'a> Text<'a> {
    fn new(raw: &'a [u8], quoted: bool) -> Self {
        let whole = raw.len() <= TEXT_LIMIT;
        let raw = if whole { raw } else { &raw[..TEXT_LIMIT] };
        Self { raw, whole, quoted }
    }

    /// The decoded text of a key or string that is short enough to be compared; empty for a longer one.
    pub(crate) fn decoded(&self) -> Cow<'a, [u8]> {
        if self.whole { decode(self.raw) } else { Cow::Borrowed(b"") }
    }

    /// The decoded text of a key or string, if it is short enough to be known whole.
    pub(crate) fn whole(&self) -> Option<Cow<'a, [u8]>> {
        self.whole.then(|| decode(self.raw))
    }

    /// The value of a scalar that is an integer from 0 to 2^64-1, as plain digits.
    pub(crate) fn unsigned(&self) -> Option<u64> {
        let digits = self.raw.first().is_some_and(u8::is_ascii_digit) && !self.quoted && self.whole;
        std::str::from_utf8(self.raw).ok().filter(|_| digits)?.parse().ok()
    }

    /// Whether this was spelled in quotes.
    pub(crate) fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// Whether this is the scalar `literal`, not a string of that content.
    pub(crate) fn is_scalar(&self, literal: &[u8]) -> bool {
        !self.quoted && self.whole && self.raw == literal
    }

    /// Whether this is a string of that content.
    pub(crate) fn is_string(&self, content: &str) -> bool {
        self.quoted && *self.decoded() == *content.as_bytes()
    }

    /// The decoded name, if it is a reserved one. A name too long to be decoded whole is judged by its beginning.
    pub(crate) fn reserved(&self) -> Option<Cow<'a, [u8]>> {
        if !matches!(self.raw.first(), Some(b'_' | b'\\')) {
            return None;
        }
        let name = decode(self.raw);
        name.starts_with(RESERVED_PREFIX.as_bytes()).then_some(name)
    }
}

/// What a walk is for.
pub(crate) trait Handler {
    /// What the handler calls the containers that it enters.
    type Role: Copy + Default;
    /// How it refuses.
    type Error: From<Malformed>;

    /// A key of an entered object; `span` includes the quotes.
    fn key(&mut self, frame: &Frame<Self::Role>, key: Text<'_>, span: Span) -> Result<(), Self::Error>;

    /// A value begins at `at` with `first`, in `frame` or at the root.
    fn value(&mut self, frame: Option<&Frame<Self::Role>>, first: u8, at: u64)
    -> Result<Step<Self::Role>, Self::Error>;

    /// A value that was answered with [`Step::Read`] is complete.
    fn text(&mut self, _text: Text<'_>, _span: Span) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An entered container ends with the bracket at `at`.
    fn end(&mut self, frame: &Frame<Self::Role>, at: u64) -> Result<(), Self::Error>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    FirstElement,
    FirstKey,
    NextKey,
    Key,
    Colon,
    Skip,
    Elements,
    String,
    Scalar,
    AfterValue,
    Done,
}

/// A walk in progress.
#[derive(Debug)]
pub(crate) struct Walker<R> {
    stack: [Frame<R>; DEPTH],
    depth: usize,
    state: State,
    skip: Skip,
    /// The part of a key or text that came in earlier chunks, cut a little after [`TEXT_LIMIT`].
    partial: Vec<u8>,
    escaped: bool,
    /// Where the token in hand starts, and where the chunk in hand does.
    token: u64,
    base: u64,
}

impl<R: Copy + Default> Walker<R> {
    pub(crate) fn new() -> Self {
        Self {
            stack: [Frame::default(); DEPTH],
            depth: 0,
            state: State::Value,
            skip: Skip::elements(),
            partial: Vec::new(),
            escaped: false,
            token: 0,
            base: 0,
        }
    }

    /// Walks the next chunk of the body.
    pub(crate) fn feed<H>(&mut self, chunk: &[u8], handler: &mut H) -> Result<(), H::Error>
    where
        H: Handler<Role = R>,
    {
        let mut at = 0;
        while at < chunk.len() {
            at = match self.state {
                State::Skip | State::Elements => self.jump(chunk, at),
                State::Key | State::String | State::Scalar => self.read(chunk, at, handler)?,
                _ if is_whitespace(chunk[at]) => at + 1,
                _ => self.structural(chunk[at], at, handler)?,
            };
        }
        self.base += chunk.len() as u64;
        Ok(())
    }

    /// The body is complete: it must have been one whole document.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        match self.state {
            State::Done => Ok(()),
            State::Value if self.depth == 0 => Err(self.expected("a JSON object", 0)),
            _ => Err(self.expected("more: the body ends early", 0)),
        }
    }

    /// Where the key that the walk is inside of starts, if it can still turn out to be one that is compared.
    pub(crate) fn key_in_hand(&self) -> Option<u64> {
        (self.state == State::Key && self.base - self.token <= TEXT_LIMIT as u64).then_some(self.token)
    }

    /// The container that is being walked.
    fn top(&mut self) -> Option<&mut Frame<R>> {
        self.depth.checked_sub(1).map(|top| &mut self.stack[top])
    }

    fn expected(&self, expected: &'static str, at: usize) -> Malformed {
        Malformed { at: self.base + at as u64, expected }
    }

    fn jump(&mut self, chunk: &[u8], at: usize) -> usize {
        let Some(end) = self.skip.run(chunk, at) else {
            return chunk.len();
        };
        if self.state == State::Elements {
            let further = self.skip.further_elements();
            if let Some(top) = self.top() {
                top.count += further;
            }
        }
        self.value_ended();
        end
    }

    fn read<H>(&mut self, chunk: &[u8], at: usize, handler: &mut H) -> Result<usize, H::Error>
    where
        H: Handler<Role = R>,
    {
        let quoted = self.state != State::Scalar;
        let end = if quoted { string_end(chunk, at, &mut self.escaped) } else { scalar_end(chunk, at) };
        let Some(end) = end else {
            self.keep(&chunk[at..]);
            return Ok(chunk.len());
        };
        let last = &chunk[at..end - usize::from(quoted)];
        let span = Span { start: self.token, end: self.base + end as u64 };
        if self.partial.is_empty() {
            self.report(Text::new(last, quoted), span, handler)?;
        } else {
            self.keep(last);
            let whole = std::mem::take(&mut self.partial);
            self.report(Text::new(&whole, quoted), span, handler)?;
        }
        Ok(end)
    }

    /// Keeps a part of a text for when its end comes: enough to compare it, and to know that it is too long.
    fn keep(&mut self, part: &[u8]) {
        let room = (TEXT_LIMIT + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn report<H>(&mut self, text: Text<'_>, span: Span, handler: &mut H) -> Result<(), H::Error>
    where
        H: Handler<Role = R>,
    {
        if self.state != State::Key {
            self.value_ended();
            return handler.text(text, span);
        }
        self.state = State::Colon;
        let Some(top) = self.top() else {
            return Ok(());
        };
        top.count += 1;
        handler.key(&*top, text, span)
    }

    fn structural<H>(&mut self, byte: u8, at: usize, handler: &mut H) -> Result<usize, H::Error>
    where
        H: Handler<Role = R>,
    {
        match (self.state, byte) {
            (State::FirstKey | State::NextKey, b'"') => self.begin_text(State::Key, at),
            (State::Colon, b':') => self.state = State::Value,
            (State::AfterValue, b',') => self.next_member(),
            (State::FirstKey, b'}') | (State::FirstElement, b']') => self.end(at, handler)?,
            (State::AfterValue, b'}' | b']') if self.closes(byte) => self.end(at, handler)?,
            (State::Value | State::FirstElement, _) => return self.begin_value(byte, at, handler),
            _ => return Err(self.expected(self.wanted(), at).into()),
        }
        Ok(at + 1)
    }

    fn wanted(&self) -> &'static str {
        match self.state {
            State::FirstKey => "a key or '}'",
            State::NextKey => "a key",
            State::Colon => "':'",
            State::Done => "the end of the body",
            _ => "',' or a closing bracket",
        }
    }

    fn closes(&mut self, byte: u8) -> bool {
        self.top().is_some_and(|top| top.is_object == (byte == b'}'))
    }

    fn next_member(&mut self) {
        let in_object = self.top().is_some_and(|top| top.is_object);
        self.state = if in_object { State::NextKey } else { State::Value };
    }

    fn begin_text(&mut self, state: State, at: usize) {
        self.state = state;
        self.token = self.base + at as u64;
        self.partial.clear();
        self.escaped = false;
    }

    fn begin_value<H>(&mut self, first: u8, at: usize, handler: &mut H) -> Result<usize, H::Error>
    where
        H: Handler<Role = R>,
    {
        if matches!(first, b',' | b':' | b']' | b'}') {
            return Err(self.expected("a value", at).into());
        }
        let offset = self.base + at as u64;
        let step = match self.top() {
            None => handler.value(None, first, offset)?,
            Some(top) => {
                top.count += u64::from(!top.is_object);
                handler.value(Some(&*top), first, offset)?
            }
        };
        Ok(at + self.take_step(step, first, at))
    }

    /// Starts on what the handler asked for; returns how many bytes of the value that takes.
    fn take_step(&mut self, step: Step<R>, first: u8, at: usize) -> usize {
        match (step, first) {
            (Step::Enter(role), b'{' | b'[') if self.depth < DEPTH => self.enter(role, first == b'{'),
            (Step::Read, b'"') => self.begin_text(State::String, at),
            (Step::Read, first) if first != b'{' && first != b'[' => {
                self.begin_text(State::Scalar, at);
                return 0;
            }
            (Step::Elements, _) => {
                self.state = State::Elements;
                self.skip = Skip::elements();
                return 0;
            }
            _ => {
                let (skip, taken) = Skip::over(first);
                self.state = State::Skip;
                self.skip = skip;
                return taken;
            }
        }
        1
    }

    fn enter(&mut self, role: R, is_object: bool) {
        self.stack[self.depth] = Frame { role, count: 0, is_object };
        self.depth += 1;
        self.state = if is_object { State::FirstKey } else { State::FirstElement };
    }

    fn end<H>(&mut self, at: usize, handler: &mut H) -> Result<(), H::Error>
    where
        H: Handler<Role = R>,
    {
        self.depth -= 1;
        self.value_ended();
        let ended = self.stack[self.depth];
        handler.end(&ended, self.base + at as u64)
    }

    fn value_ended(&mut self) {
        self.state = if self.depth == 0 { State::Done } else { State::AfterValue };
    }
}
