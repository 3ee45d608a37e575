//! The requests that are measured.

use clap::ValueEnum;

use crate::bodies::{self, Size};

/// The key that the router is started with and that every request carries.
pub const API_KEY: &str = "bench-key";

/// In the name of a namespace: the fake origin looks into the bodies that come for it.
pub const COUNTED: &str = "-counted";

/// A kind of request, with one fixed body and one fixed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A query that Layer forwards unchanged, about 1.3 KB each way.
    QueryPassSmall,
    /// A query that Layer forwards unchanged, about 14 KB each way.
    QueryPassLarge,
    /// A query for all attributes, which Layer rewrites, about 1.3 KB each way.
    QueryReadSmall,
    /// A query for all attributes, which Layer rewrites, about 14 KB each way.
    QueryReadLarge,
    /// A write of one row, about 1.3 KB, which Layer stamps.
    WriteSmall,
    /// A write of eleven rows, about 14 KB, which Layer stamps.
    WriteLarge,
    /// The list of namespaces: a GET without a body.
    Namespaces,
}

/// What Layer does with a request, which decides what it may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It goes through as it is.
    PassedThrough,
    /// Layer reads the body and changes it.
    Read,
}

impl Case {
    /// Every case, in the order in which they are measured and shown.
    pub const ALL: [Self; 7] = [
        Self::QueryPassSmall,
        Self::QueryPassLarge,
        Self::QueryReadSmall,
        Self::QueryReadLarge,
        Self::WriteSmall,
        Self::WriteLarge,
        Self::Namespaces,
    ];

    /// The name on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueryPassSmall => "query-pass-small",
            Self::QueryPassLarge => "query-pass-large",
            Self::QueryReadSmall => "query-read-small",
            Self::QueryReadLarge => "query-read-large",
            Self::WriteSmall => "write-small",
            Self::WriteLarge => "write-large",
            Self::Namespaces => "namespaces",
        }
    }

    /// What Layer does with it.
    pub fn work(self) -> Work {
        match self {
            Self::QueryPassSmall | Self::QueryPassLarge | Self::Namespaces => Work::PassedThrough,
            _ => Work::Read,
        }
    }

    /// The rows that a write of this case carries; none for the others.
    pub fn rows(self) -> u32 {
        match self {
            Self::WriteSmall | Self::WriteLarge => bodies::rows_of_write(self.size()),
            _ => 0,
        }
    }

    /// The size of its bodies.
    pub fn size(self) -> Size {
        match self {
            Self::QueryPassLarge | Self::QueryReadLarge | Self::WriteLarge => Size::Large,
            _ => Size::Small,
        }
    }

    /// The request body.
    pub fn body(self) -> String {
        match self {
            Self::QueryPassSmall | Self::QueryPassLarge => bodies::query(self.size(), false),
            Self::QueryReadSmall | Self::QueryReadLarge => bodies::query(self.size(), true),
            Self::WriteSmall | Self::WriteLarge => bodies::write(self.size()),
            Self::Namespaces => String::new(),
        }
    }

    /// The body that a right answer has.
    pub fn answer(self) -> String {
        match self {
            Self::WriteSmall | Self::WriteLarge => bodies::write_answer(),
            Self::Namespaces => bodies::namespaces_answer(),
            _ => bodies::query_answer(self.size()),
        }
    }

    /// The whole request as bytes; with `counted` it goes to a namespace that the fake origin looks into.
    pub fn request(self, host: &str, counted: bool) -> Vec<u8> {
        let namespace = format!("bench{}-{}", if counted { COUNTED } else { "" }, self.size().suffix());
        let (method, target) = match self {
            Self::Namespaces => ("GET", "/v1/namespaces".to_owned()),
            Self::WriteSmall | Self::WriteLarge => ("POST", format!("/v2/namespaces/{namespace}")),
            _ => ("POST", format!("/v2/namespaces/{namespace}/query")),
        };
        let body = self.body();
        let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        format!("{}{length}\r\n{body}", head(method, &target, host)).into_bytes()
    }
}

/// A request head without framing and without its empty line: the fields that Turbopuffer's Python client sends.
pub fn head(method: &str, target: &str, host: &str) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {API_KEY}\r\n");
    head.push_str(concat!(
        "Accept: application/json\r\n",
        "Accept-Encoding: identity\r\n",
        "Content-Type: application/json\r\n",
        "User-Agent: Turbopuffer/Python 3.1.0\r\n",
        "prefer: respond-async\r\n",
        "X-Stainless-Lang: python\r\n",
        "X-Stainless-Package-Version: 3.1.0\r\n",
        "X-Stainless-OS: Linux\r\n",
        "X-Stainless-Arch: x64\r\n",
        "X-Stainless-Runtime: CPython\r\n",
        "X-Stainless-Runtime-Version: 3.11.2\r\n",
        "X-Stainless-Async: false\r\n",
        "x-stainless-retry-count: 0\r\n",
        "x-stainless-read-timeout: 60\r\n",
    ));
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Framing, parse_request};

    #[test]
    fn names_are_those_of_the_command_line() {
        for case in Case::ALL {
            let value = case.to_possible_value().expect("no case is hidden");
            assert_eq!(value.get_name(), case.name());
        }
        assert_eq!(Case::ALL.len(), Case::value_variants().len());
    }

    #[test]
    fn every_request_parses_and_frames_its_body() {
        for case in Case::ALL {
            let bytes = case.request("127.0.0.1:1", false);
            let head = parse_request(&bytes).unwrap().unwrap();
            let body = &bytes[head.length..];
            assert_eq!(head.framing, Framing::Length(body.len() as u64), "{}", case.name());
        }
    }

    #[test]
    fn only_queries_for_all_attributes_and_writes_are_read() {
        for case in Case::ALL {
            let all = case.body().contains(r#""include_attributes":true"#);
            assert_eq!(case.work() == Work::Read, all || case.rows() > 0, "{}", case.name());
        }
    }
}
