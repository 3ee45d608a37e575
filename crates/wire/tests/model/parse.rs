//! A strict recursive parser, RFC 8259 to the letter.

use super::{Document, Item, Member, Node};

/// Deeper bodies are for other tests: this parser is recursive.
const DEEPEST: usize = 200;

/// Why there is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The text is no JSON.
    Invalid,
    /// The text is nested deeper than this parser goes.
    TooDeep,
}

/// The document that `body` is, if it is one.
pub fn parse(body: &[u8]) -> Result<Document, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::Invalid)?;
    let mut parser = Parser { text, at: 0 };
    let item = parser.item(0)?;
    if parser.at == text.len() { Ok(Document(item)) } else { Err(Fault::Invalid) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn whitespace(&mut self) -> String {
        self.while_in(b" \n\r\t").to_owned()
    }

    fn while_in(&mut self, set: &[u8]) -> &'a str {
        let start = self.at;
        while self.at < self.text.len() && set.contains(&self.peek()) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.at < self.text.len() && self.peek() == byte {
            self.at += 1;
            return Ok(());
        }
        Err(Fault::Invalid)
    }

    fn item(&mut self, depth: usize) -> Result<Item, Fault> {
        Ok(Item { before: self.whitespace(), node: self.node(depth)?, after: self.whitespace() })
    }

    fn node(&mut self, depth: usize) -> Result<Node, Fault> {
        if depth > DEEPEST {
            return Err(Fault::TooDeep);
        }
        match self.peek() {
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            b'"' => self.string().map(Node::Scalar),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.literal(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node, Fault> {
        self.expect(b'[')?;
        let start = self.at;
        let end = self.whitespace();
        if self.expect(b']').is_ok() {
            return Ok(Node::Array(Vec::new(), end));
        }
        self.at = start;
        let mut items = vec![self.item(depth + 1)?];
        while self.expect(b',').is_ok() {
            items.push(self.item(depth + 1)?);
        }
        self.expect(b']')?;
        Ok(Node::Array(items, String::new()))
    }

    fn object(&mut self, depth: usize) -> Result<Node, Fault> {
        self.expect(b'{')?;
        let start = self.at;
        let end = self.whitespace();
        if self.expect(b'}').is_ok() {
            return Ok(Node::Object(Vec::new(), end));
        }
        self.at = start;
        let mut members = vec![self.member(depth + 1)?];
        while self.expect(b',').is_ok() {
            members.push(self.member(depth + 1)?);
        }
        self.expect(b'}')?;
        Ok(Node::Object(members, String::new()))
    }

    fn member(&mut self, depth: usize) -> Result<Member, Fault> {
        let before = self.whitespace();
        let key = self.string()?;
        let mut colon = self.whitespace();
        self.expect(b':')?;
        colon.push(':');
        colon.push_str(&self.whitespace());
        let node = self.node(depth)?;
        let after = self.whitespace();
        Ok(Member { before, key, colon, node, after })
    }

    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => self.escape()?,
                0..0x20 => return Err(Fault::Invalid),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(self.text[start..self.at].to_owned())
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let kind = self.peek();
        self.at += 1;
        if b"\"\\/bfnrt".contains(&kind) {
            return Ok(());
        }
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        if kind != b'u' || !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Fault::Invalid);
        }
        self.at += 4;
        Ok(())
    }

    fn number(&mut self) -> Result<Node, Fault> {
        let start = self.at;
        let _ = self.expect(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(Fault::Invalid);
        }
        if self.expect(b'.').is_ok() {
            self.digits()?;
        }
        if b"eE".contains(&self.peek()) {
            self.at += 1;
            if b"+-".contains(&self.peek()) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Node::scalar(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<&'a str, Fault> {
        let digits = self.while_in(b"0123456789");
        if digits.is_empty() { Err(Fault::Invalid) } else { Ok(digits) }
    }

    fn literal(&mut self) -> Result<Node, Fault> {
        for literal in ["true", "false", "null"] {
            if self.text[self.at..].starts_with(literal) {
                self.at += literal.len();
                return Ok(Node::scalar(literal));
            }
        }
        Err(Fault::Invalid)
    }
}
