//! What is asked of each target, and how many documents it is about.

use std::net::SocketAddr;
use std::sync::Arc;

use layer_proto::cache::v1::GetRequest;
use layer_proto::router::v1::{BatchFetchRequest, FetchRequest};
use prost::Message as _;

use crate::case::head;

use super::bare;
use super::documents::{self, BATCH, BYTES, COUNT, NAMESPACE};
use super::load::Sheet;
use super::wire::{Dialect, Question, get, grpc_message, mget, set};

/// How many documents a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    One,
    Batch,
}

impl Shape {
    pub(super) const ALL: [Self; 2] = [Self::One, Self::Batch];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Batch => "batch of 100",
        }
    }

    /// How many documents a question is about.
    pub(super) fn documents(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Batch => BATCH,
        }
    }

    /// The ids of every question.
    fn each(self) -> Vec<Vec<u64>> {
        match self {
            Self::One => (0..COUNT).map(|id| vec![id]).collect(),
            Self::Batch => (0..COUNT / BATCH).map(|number| documents::batch(number).collect()).collect(),
        }
    }

    fn sheet(self, dialect: Dialect, question: impl Fn(&[u64]) -> Question) -> Arc<Sheet> {
        Arc::new(Sheet { dialect, questions: self.each().iter().map(|ids| question(ids)).collect() })
    }

    /// Fetches through the router over HTTP.
    pub(super) fn http(self, host: SocketAddr) -> Arc<Sheet> {
        let host = host.to_string();
        self.sheet(Dialect::Http, |ids| match self {
            Self::One => Question {
                request: request(&host, "GET", &format!("/v2/namespaces/{NAMESPACE}/documents/{}", ids[0]), ""),
                answer: documents::shown(ids[0]).into_bytes(),
            },
            Self::Batch => {
                let names: Vec<String> = ids.iter().map(u64::to_string).collect();
                let body = format!(r#"{{"ids":[{}]}}"#, names.join(","));
                Question {
                    request: request(&host, "POST", &format!("/v2/namespaces/{NAMESPACE}/documents"), &body),
                    answer: documents::shown_batch(ids.iter().copied()).into_bytes(),
                }
            }
        })
    }

    /// Fetches through the router over gRPC.
    pub(super) fn grpc(self, host: SocketAddr) -> Arc<Sheet> {
        let method = match self {
            Self::One => "/layer.router.v1.QueryRouterService/Fetch",
            Self::Batch => "/layer.router.v1.QueryRouterService/BatchFetch",
        };
        self.sheet(Dialect::grpc(method, &host.to_string()), |ids| {
            let namespace = NAMESPACE.to_owned();
            let (request, answer) = match self {
                Self::One => {
                    let id = Some(documents::message_id(ids[0]));
                    let request = FetchRequest { namespace, id, ..FetchRequest::default() };
                    (request.encode_to_vec(), documents::message(ids[0]).encode_to_vec())
                }
                Self::Batch => {
                    let names = ids.iter().copied().map(documents::message_id).collect();
                    let request = BatchFetchRequest { namespace, ids: names, ..BatchFetchRequest::default() };
                    (request.encode_to_vec(), documents::message_batch(ids.iter().copied()).encode_to_vec())
                }
            };
            Question { request: grpc_message(&request), answer: grpc_message(&answer) }
        })
    }

    /// Calls of the bare tonic server.
    pub(super) fn bare(self, host: SocketAddr) -> Arc<Sheet> {
        let (method, bytes) = match self {
            Self::One => (bare::ONE, BYTES),
            Self::Batch => (bare::BATCH_OF_100, bare::batch_bytes()),
        };
        let answer = grpc_message(&bare::answer(bytes).encode_to_vec());
        self.sheet(Dialect::grpc(method, &host.to_string()), |ids| {
            let id = ids.iter().flat_map(|id| id.to_be_bytes()).collect::<Vec<u8>>().into();
            let request = GetRequest { scope: None, id };
            Question { request: grpc_message(&request.encode_to_vec()), answer: answer.clone() }
        })
    }

    /// Redis's GET, and MGET.
    pub(super) fn redis(self) -> Arc<Sheet> {
        self.sheet(Dialect::Redis, |ids| match self {
            Self::One => get(ids[0], &documents::shown(ids[0])),
            Self::Batch => mget(ids, &ids.iter().copied().map(documents::shown).collect::<Vec<_>>()),
        })
    }

    /// Queries of the origin by id.
    pub(super) fn origin(self, host: SocketAddr) -> Arc<Sheet> {
        let (host, target) = (host.to_string(), format!("/v2/namespaces/{NAMESPACE}/query"));
        self.sheet(Dialect::Http, |ids| Question {
            request: request(&host, "POST", &target, &documents::query(ids.iter().copied())),
            answer: documents::answer(ids.iter().copied()).into_bytes(),
        })
    }
}

/// What fills Redis.
pub(super) fn fill_redis() -> Arc<Sheet> {
    Shape::One.sheet(Dialect::Redis, |ids| set(ids[0], &documents::shown(ids[0])))
}

/// A whole request.
pub(super) fn request(host: &str, method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{}{length}\r\n{body}", head(method, target, host)).into_bytes()
}
