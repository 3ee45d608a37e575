//! Text out of files.
//!
//! The parsers for HTML and PDF are other people's, and their input is anybody's. So they run on a thread of their own with a
//! deep stack, under a deadline, and a panic there becomes [`ExtractError::Malformed`]. What a thread cannot contain (memory
//! without end, a parser that never looks at the clock) needs a process around it; whoever reads files of strangers in
//! production should give them one.

mod decode;
mod guard;
mod html;
mod markdown;
mod pdf;
mod pdf_checks;

use std::time::Duration;

pub use self::markdown::Heading;
pub(crate) use self::markdown::Outline;
use crate::Kind;

/// A file, and what is known of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its content type, as a server or a store says it.
    pub content_type: Option<&'a str>,
    /// Its name or path, for the extension.
    pub name: Option<&'a str>,
}

/// How much an extraction may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest file, in bytes.
    pub bytes_max: usize,
    /// The most text, in bytes.
    pub text_max: usize,
    /// The longest time for HTML and PDF.
    pub time_max: Duration,
}

impl Default for Limits {
    /// 64 MiB of file, 64 MiB of text, a minute.
    fn default() -> Self {
        Self { bytes_max: 64 << 20, text_max: 64 << 20, time_max: Duration::from_secs(60) }
    }
}

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The kind of file that it was taken from.
    pub kind: Kind,
    /// Where each page begins, in bytes of `text`; empty where there are no pages.
    pub pages: Vec<usize>,
    /// The headings of a Markdown text, in their order.
    pub headings: Vec<Heading>,
}

/// Why no text can be taken out of a file. All but [`ExtractError::Timeout`] and [`ExtractError::Busy`] are for ever:
/// the same bytes will never do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// The content type is none that text is taken out of.
    #[error("no text is taken out of files of the content type {0:?}")]
    Unsupported(String),
    /// The file is too large.
    #[error("the file has {size} bytes, {max} are allowed")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The text is too large.
    #[error("the file has more than {max} bytes of text")]
    TooMuchText {
        /// The limit in bytes.
        max: usize,
    },
    /// The text is not in the encoding that it says, which is UTF-8 where it says none.
    #[error("the text is not valid {encoding} (byte {offset})")]
    Encoding {
        /// The encoding's name.
        encoding: &'static str,
        /// The first byte that does not belong, as far as that is known, else 0.
        offset: usize,
    },
    /// The file has bytes that no text has.
    #[error("the file is not text: it has a NUL character")]
    Binary,
    /// The PDF asks for a password.
    #[error("the PDF is encrypted and asks for a password")]
    Encrypted,
    /// The file has pages and no text on them: pictures of text, most likely.
    #[error("the PDF has {pages} pages and no text: it may have been scanned")]
    NoText {
        /// How many pages it has.
        pages: usize,
    },
    /// The file is not what it says it is, or is broken.
    #[error("the {kind} cannot be read: {reason}")]
    Malformed {
        /// `HTML` or `PDF`.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Reading took too long. It may be the machine's fault.
    #[error("reading the file took longer than {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// Too many earlier files are still being read past their time.
    #[error("too many files that took too long are still being read")]
    Busy,
}

impl ExtractError {
    /// Whether another attempt is of use.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Busy)
    }
}

/// Takes the text out of a file. It blocks for up to `limits.time_max`.
///
/// Text is taken to be UTF-8 unless a byte order mark, the content type's `charset` or HTML's `<meta charset>` says otherwise.
/// Bytes that do not belong are an error, never replaced: a row of garbage would be found by nobody and missed by nobody.
///
/// # Errors
/// See [`ExtractError`].
pub fn extract(source: &Source<'_>, limits: &Limits) -> Result<Text, ExtractError> {
    let size = source.bytes.len();
    if size > limits.bytes_max {
        return Err(ExtractError::TooLarge { size, max: limits.bytes_max });
    }
    let kind = Kind::detect(source.content_type, source.name, source.bytes).map_err(ExtractError::Unsupported)?;
    let text = match kind {
        Kind::Text => plain(decode::text(source)?, kind),
        Kind::Markdown => markdown::text(decode::text(source)?),
        Kind::Html => plain(html::text(decode::html(source)?, limits)?, kind),
        Kind::Pdf => pdf::text(source.bytes, limits)?,
    };
    if text.text.len() > limits.text_max { Err(ExtractError::TooMuchText { max: limits.text_max }) } else { Ok(text) }
}

fn plain(text: String, kind: Kind) -> Text {
    Text { text, kind, pages: Vec::new(), headings: Vec::new() }
}
