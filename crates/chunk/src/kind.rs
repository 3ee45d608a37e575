//! Which kind of file it is: by what the caller says of it, then by its name, then by its first bytes.

use std::path::Path;

/// A kind of file that text can be taken out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text without structure, or with one that is nobody's business here (source code, JSON, CSV).
    Text,
    /// Markdown: split at its headings and blocks.
    Markdown,
    /// HTML: its visible text.
    Html,
    /// PDF: its text, page by page.
    Pdf,
}

/// How much of a file is looked at for its kind, in bytes.
const LOOK: usize = 1024;

impl Kind {
    /// The kind of a file: by its content type, or else by the end of its name, or else by its first bytes.
    ///
    /// # Errors
    /// The content type, where it names something that no text is taken out of.
    pub fn detect(content_type: Option<&str>, name: Option<&str>, bytes: &[u8]) -> Result<Self, String> {
        if let Some(found) = content_type.map(essence).filter(|essence| !says_nothing(essence)) {
            return Self::of_content_type(&found).ok_or(found);
        }
        Ok(name.and_then(Self::of_name).unwrap_or_else(|| Self::sniff(bytes)))
    }

    fn of_content_type(essence: &str) -> Option<Self> {
        match essence {
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            "text/html" | "application/xhtml+xml" => Some(Self::Html),
            "application/pdf" | "application/x-pdf" => Some(Self::Pdf),
            "application/json" | "application/xml" | "application/yaml" | "application/toml" => Some(Self::Text),
            other if other.starts_with("text/") || other.ends_with("+json") || other.ends_with("+xml") => {
                Some(Self::Text)
            }
            _ => None,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        let extension = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" | "mdown" | "mkd" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            "txt" | "text" | "log" | "csv" | "tsv" | "json" | "jsonl" | "yaml" | "yml" | "toml" | "rst" | "adoc" => {
                Some(Self::Text)
            }
            _ => None,
        }
    }

    fn sniff(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(LOOK)];
        if head.windows(5).any(|window| window == b"%PDF-") {
            return Self::Pdf;
        }
        let start = head.iter().position(|byte| !byte.is_ascii_whitespace()).map_or(head, |at| &head[at..]);
        let begins = |with: &[u8]| start.len() >= with.len() && start[..with.len()].eq_ignore_ascii_case(with);
        if begins(b"<!doctype html") || begins(b"<html") { Self::Html } else { Self::Text }
    }
}

/// A content type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What servers say of a file of which they know nothing.
fn says_nothing(essence: &str) -> bool {
    matches!(essence, "" | "application/octet-stream" | "binary/octet-stream" | "application/x-unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_is_believed_first() {
        assert_eq!(Kind::detect(Some("text/HTML; charset=utf-8"), Some("a.md"), b"%PDF-1.7"), Ok(Kind::Html));
        assert_eq!(Kind::detect(Some("image/png"), Some("a.md"), b""), Err("image/png".to_owned()));
    }

    #[test]
    fn then_the_name_then_the_bytes() {
        assert_eq!(Kind::detect(Some("application/octet-stream"), Some("dir/A.MD"), b"%PDF-1.7"), Ok(Kind::Markdown));
        assert_eq!(Kind::detect(None, Some("unknown.xyz"), b"junk before %PDF-1.4"), Ok(Kind::Pdf));
        assert_eq!(Kind::detect(None, None, b"\n <!DOCTYPE HTML><p>x"), Ok(Kind::Html));
        assert_eq!(Kind::detect(None, Some("notes"), b"plain"), Ok(Kind::Text));
    }
}
