//! Jumps over a JSON value without looking into it.
//!
//! Most of a body is vectors and texts. Here they cost a vectorised search for the few bytes that can end them, and a
//! depth counter: no recursion, so no nesting is too deep, and no state but a few words, so the jump can stop at the
//! end of a chunk anywhere, even inside an escape. For a valid value the end found is exact. An invalid one is jumped
//! over by the same rules, to wherever they lead; see the crate's promise 2 for why that is sound.

use memchr::{memchr_iter, memchr2, memchr3};

/// What sort of value is being jumped over, which decides what can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A string, after its opening quote.
    String,
    /// An array or object, after its opening bracket; only brackets of its own kind are counted.
    Nested { open: u8, close: u8 },
    /// A number, `true`, `false`, `null`, or what stands in their place.
    Scalar,
    /// The rest of an array's elements up to its closing bracket, counted.
    Elements,
}

/// A jump in progress.
#[derive(Debug, Clone)]
pub(crate) struct Skip {
    kind: Kind,
    depth: u64,
    in_string: bool,
    escaped: bool,
    commas: u64,
}

impl Skip {
    fn new(kind: Kind) -> Self {
        Self { kind, depth: 0, in_string: kind == Kind::String, escaped: false, commas: 0 }
    }

    /// A jump over the value whose first byte is `first`, and whether that byte itself is already dealt with.
    pub(crate) fn over(first: u8) -> (Self, usize) {
        let kind = match first {
            b'"' => Kind::String,
            b'[' => Kind::Nested { open: b'[', close: b']' },
            b'{' => Kind::Nested { open: b'{', close: b'}' },
            _ => return (Self::new(Kind::Scalar), 0),
        };
        (Self::new(kind), 1)
    }

    /// A jump over the remaining elements of an array, from the first byte of one of them to the array's bracket.
    pub(crate) fn elements() -> Self {
        Self::new(Kind::Elements)
    }

    /// How many elements followed the one that [`Skip::elements`] began with.
    pub(crate) fn further_elements(&self) -> u64 {
        self.commas
    }

    /// Goes on at `from`. Returns where the value has ended: after its last byte; for scalars at the byte that ended
    /// them, for elements at the array's closing bracket. `None` when the chunk ends first.
    pub(crate) fn run(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        match self.kind {
            Kind::String => string_end(bytes, from, &mut self.escaped),
            Kind::Nested { open, close } => self.nested(bytes, from, open, close),
            Kind::Scalar => scalar_end(bytes, from),
            Kind::Elements => self.count(bytes, from),
        }
    }

    fn nested(&mut self, bytes: &[u8], from: usize, open: u8, close: u8) -> Option<usize> {
        let mut at = from;
        loop {
            at = self.leave_string(bytes, at)?;
            at += memchr3(b'"', open, close, bytes.get(at..)?)? + 1;
            let found = bytes[at - 1];
            if found == b'"' {
                self.in_string = true;
            } else if found == open {
                self.depth += 1;
            } else if self.depth == 0 {
                return Some(at);
            } else {
                self.depth -= 1;
            }
        }
    }

    /// Counts commas between elements. Here both kinds of bracket matter: a comma inside an element is not counted.
    fn count(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            at = self.leave_string(bytes, at)?;
            let rest = bytes.get(at..)?;
            let stop = memchr3(b'"', b'[', b']', rest);
            self.count_span(&rest[..stop.unwrap_or(rest.len())]);
            at += stop?;
            match bytes[at] {
                b'"' => self.in_string = true,
                b'[' => self.depth += 1,
                _ if self.depth == 0 => return Some(at),
                _ => self.depth -= 1,
            }
            at += 1;
        }
    }

    /// Counts the commas of a span without quotes and square brackets. Ids are scalars, so braces are a rarity there
    /// and may take the slow loop.
    fn count_span(&mut self, span: &[u8]) {
        if memchr2(b'{', b'}', span).is_none() {
            if self.depth == 0 {
                self.commas += memchr_iter(b',', span).count() as u64;
            }
            return;
        }
        for &byte in span {
            match byte {
                b'{' => self.depth += 1,
                b'}' => self.depth = self.depth.saturating_sub(1),
                b',' if self.depth == 0 => self.commas += 1,
                _ => {}
            }
        }
    }

    /// Finishes the string that the jump is in, if it is in one.
    #[inline]
    fn leave_string(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if !self.in_string {
            return Some(at);
        }
        let end = string_end(bytes, at, &mut self.escaped)?;
        self.in_string = false;
        Some(end)
    }
}

/// The index after the closing quote of the string that `from` is inside of. `escaped` carries over a chunk's end that
/// the next byte is the second one of an escape.
pub(crate) fn string_end(bytes: &[u8], from: usize, escaped: &mut bool) -> Option<usize> {
    let mut at = from;
    if *escaped {
        bytes.get(at)?;
        *escaped = false;
        at += 1;
    }
    loop {
        at += quote_or_backslash(bytes.get(at..)?)? + 1;
        if bytes[at - 1] == b'"' {
            return Some(at);
        }
        if at == bytes.len() {
            *escaped = true;
            return None;
        }
        at += 1;
    }
}

/// Most keys and many strings are shorter than what a vectorised search needs to pay for its start.
#[inline]
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const SHORT: usize = 16;
    let head = &bytes[..bytes.len().min(SHORT)];
    if let Some(at) = head.iter().position(|&byte| byte == b'"' || byte == b'\\') {
        return Some(at);
    }
    Some(head.len() + memchr2(b'"', b'\\', &bytes[head.len()..])?)
}

/// The index of the byte that ends the scalar at `from`.
pub(crate) fn scalar_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let length = rest.iter().position(|&byte| is_whitespace(byte) || matches!(byte, b',' | b']' | b'}'))?;
    Some(from + length)
}

/// The four bytes that JSON calls whitespace.
#[inline]
pub(crate) fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of the value that `text` starts with, with the text given in chunks of `size`.
    fn end_in_chunks(text: &[u8], size: usize) -> Option<usize> {
        let (mut skip, taken) = Skip::over(text[0]);
        let mut base = taken;
        for chunk in text[taken..].chunks(size) {
            if let Some(end) = skip.run(chunk, 0) {
                return Some(base + end);
            }
            base += chunk.len();
        }
        None
    }

    #[test]
    fn ends_where_the_value_ends_whatever_the_chunks() {
        for value in [
            r#""""#,
            r#""a\"b\\""#,
            r#""\\\\\"""#,
            "[]",
            r#"[1,[2,[3]],"]"]"#,
            r#"{"a":{"b":"}\""},"c":[{}]}"#,
            "-1.5e+10",
            "true",
        ] {
            let text = format!("{value} ,x\"]}}");
            for size in 1..=text.len() {
                assert_eq!(end_in_chunks(text.as_bytes(), size), Some(value.len()), "{value} by {size}");
            }
        }
    }

    #[test]
    fn an_unfinished_value_has_no_end() {
        for value in [r#""abc\""#, r#""abc\"#, "[[1]", r#"{"a":"}""#, "12"] {
            for size in 1..=value.len() {
                assert_eq!(end_in_chunks(value.as_bytes(), size), None, "{value} by {size}");
            }
        }
    }

    #[test]
    fn counts_elements_of_any_kind() {
        for (text, further) in [
            ("1]", 0),
            ("1,2,3]", 2),
            (r#""a,b","c"]"#, 1),
            (r#"[1,2],{"x":[1,2],"y":3},"]",4]"#, 3),
            (r#"{"a":1,"b":{"c":1,"d":2}},{"e":1,"f":2}]"#, 1),
        ] {
            for size in 1..=text.len() {
                let mut skip = Skip::elements();
                let mut base = 0;
                let end = text.as_bytes().chunks(size).find_map(|chunk| {
                    let end = skip.run(chunk, 0).map(|end| base + end);
                    base += chunk.len();
                    end
                });
                assert_eq!(end, Some(text.len() - 1), "{text} by {size}");
                assert_eq!(skip.further_elements(), further, "{text} by {size}");
            }
        }
    }

    #[test]
    fn depth_is_a_counter_not_a_stack() {
        let deep = 3_000_000;
        let mut text = vec![b'['; deep];
        text.extend(std::iter::repeat_n(b']', deep));
        assert_eq!(end_in_chunks(&text, 65_536), Some(text.len()));
    }
}
