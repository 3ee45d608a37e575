//! The text of PDF files, page by page.
//!
//! A PDF says where glyphs stand, not what the words are; spaces and line ends are the parser's best guess. Scanned pages have
//! no text at all, and a file of nothing else is refused, so that nobody takes it for read.

use std::time::Duration;

use pdf_extract::{Document, MediaBox, Object, OutputDev, OutputError, PlainTextOutput, Transform};

use super::guard::{self, Clock, malformed};
use super::pdf_checks::check;
use super::{ExtractError, Limits, Text};
use crate::Kind;

/// The name of the format in errors.
pub(super) const PDF: &str = "PDF";
/// What stands between two pages.
const PAGE_BREAK: &str = "\n\n";

/// The text of a PDF file.
pub(super) fn text(bytes: &[u8], limits: &Limits) -> Result<Text, ExtractError> {
    let (bytes, limits) = (bytes.to_vec(), *limits);
    // The parser looks at the clock by itself, so that it stops; the guard's limit is for one that does not come to it.
    guard::run(PDF, limits.time_max + Duration::from_secs(1), move || read(&bytes, &limits))
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Text, ExtractError> {
    let clock = Clock::new(limits.time_max);
    let document = open(bytes)?;
    clock.check()?;
    check(&document, &clock)?;
    let mut whole = Text { text: String::new(), kind: Kind::Pdf, pages: Vec::new(), headings: Vec::new() };
    for number in document.get_pages().into_keys() {
        let room = limits.text_max.saturating_sub(whole.text.len());
        let page = page(&document, number, room, &clock).map_err(|error| at_page(error, number, limits))?;
        if !whole.text.is_empty() {
            whole.text.push_str(PAGE_BREAK);
        }
        whole.pages.push(whole.text.len());
        whole.text.push_str(page.trim());
    }
    if whole.text.trim().is_empty() { Err(ExtractError::NoText { pages: whole.pages.len() }) } else { Ok(whole) }
}

/// The file, decrypted where it needs no password for that, without its pictures.
fn open(bytes: &[u8]) -> Result<Document, ExtractError> {
    let mut document = Document::load_mem(bytes).map_err(|error| malformed(PDF, error.to_string()))?;
    if document.is_encrypted() {
        document.decrypt("").map_err(|_| ExtractError::Encrypted)?;
    }
    for object in document.objects.values_mut() {
        if let Object::Stream(stream) = object
            && stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|name| name == b"Image")
        {
            // The text extractor would take a picture that is shown for a list of drawing commands.
            stream.set_plain_content(Vec::new());
        }
    }
    Ok(document)
}

fn page(document: &Document, number: u32, room: usize, clock: &Clock) -> Result<String, ExtractError> {
    let mut text = String::new();
    let mut output = Bounded { inner: PlainTextOutput::new(&mut text), room, clock, stopped: None };
    let result = guard::caught(PDF, || {
        let drawn = pdf_extract::output_doc_page(document, &mut output, number);
        drawn.map_err(|error| malformed(PDF, error.to_string()))
    });
    if let Some(stopped) = output.stopped.take() {
        return Err(stopped);
    }
    result.map(|()| text)
}

/// The error of a page, as one of the file.
fn at_page(error: ExtractError, number: u32, limits: &Limits) -> ExtractError {
    match error {
        ExtractError::Malformed { kind, reason } => malformed(kind, format!("page {number}: {reason}")),
        ExtractError::TooMuchText { .. } => ExtractError::TooMuchText { max: limits.text_max },
        other => other,
    }
}

/// Takes down what a page shows, while there is time and room.
struct Bounded<'a> {
    inner: PlainTextOutput<&'a mut String>,
    room: usize,
    clock: &'a Clock,
    /// Why it stopped.
    stopped: Option<ExtractError>,
}

impl Bounded<'_> {
    /// An end to the page, for a reason that the parser cannot carry.
    fn stop(&mut self, error: ExtractError) -> OutputError {
        self.stopped = Some(error);
        OutputError::FormatError(std::fmt::Error)
    }
}

impl OutputDev for Bounded<'_> {
    fn begin_page(
        &mut self,
        number: u32,
        media: &MediaBox,
        art: Option<(f64, f64, f64, f64)>,
    ) -> Result<(), OutputError> {
        self.inner.begin_page(number, media, art)
    }

    fn end_page(&mut self) -> Result<(), OutputError> {
        self.inner.end_page()
    }

    fn output_character(
        &mut self,
        transform: &Transform,
        width: f64,
        spacing: f64,
        font_size: f64,
        character: &str,
    ) -> Result<(), OutputError> {
        // A space or two line ends may come before it.
        let Some(left) = self.room.checked_sub(character.len() + 3) else {
            return Err(self.stop(ExtractError::TooMuchText { max: 0 }));
        };
        self.room = left;
        self.clock.check().map_err(|error| self.stop(error))?;
        self.inner.output_character(transform, width, spacing, font_size, character)
    }

    fn begin_word(&mut self) -> Result<(), OutputError> {
        self.inner.begin_word()
    }

    fn end_word(&mut self) -> Result<(), OutputError> {
        self.inner.end_word()
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.inner.end_line()
    }
}
