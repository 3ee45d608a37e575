//! The service as a client sees it, over a core that answers what it is told: real messages, real metadata, no network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use layer_proto::router::v1::query_router_service_client::QueryRouterServiceClient;
use layer_proto::router::v1::query_router_service_server::QueryRouterServiceServer;
use layer_proto::router::v1::{
    DeleteNamespaceRequest, ExplainRequest, GetMetadataRequest, GetSchemaRequest, ListNamespacesRequest,
    MultiQueryRequest, QueryRequest, RecallRequest, UpdateMetadataRequest, UpdateSchemaRequest, WarmHintRequest,
    WriteRequest,
};
use layer_proto::types::v1::{
    Aggregation, AttributeSchemaChange, Filter, Query, aggregation, attribute_schema_change, filter,
};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::{QueryRouterFront, WireCall, service};

/// Answers every request alike and keeps what it was asked.
#[derive(Clone)]
struct FakeCore {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    seen: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl WireCall for FakeCore {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.seen.lock().unwrap().push(request);
        let mut answer = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            answer = answer.header(*name, *value);
        }
        answer.body(Bytes::from_static(self.body.as_bytes())).unwrap()
    }
}

impl FakeCore {
    fn answering(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Self {
        Self { status, headers: headers.to_vec(), body, seen: Arc::default() }
    }

    fn client(&self) -> QueryRouterServiceClient<QueryRouterServiceServer<QueryRouterFront<Self>>> {
        QueryRouterServiceClient::new(service(self.clone()))
    }

    /// The only request so far.
    fn asked(&self) -> Request<Bytes> {
        let mut seen = self.seen.lock().unwrap();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }
}

fn namespace() -> String {
    "docs".to_owned()
}

fn counting() -> Query {
    let count = Aggregation { kind: Some(aggregation::Kind::Count(Default::default())) };
    Query { aggregate_by: [("n".to_owned(), count)].into(), ..Query::default() }
}

#[tokio::test]
async fn what_belongs_to_a_call_goes_along_and_nothing_else() {
    let core = FakeCore::answering(200, &[], "{}");
    let mut request = tonic::Request::new(GetSchemaRequest { namespace: namespace() });
    for (name, value) in [
        ("authorization", "Bearer k"),
        ("traceparent", "00-1-2-01"),
        ("tracestate", "a=b"),
        ("x-hevlayer-tag", "one"),
        ("x-request-timeout-ms", "1"),
        ("cookie", "c"),
        ("prefer", "respond-async"),
    ] {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    request.metadata_mut().append("x-hevlayer-tag", "two".parse().unwrap());
    request.metadata_mut().insert_bin("x-secret-bin", tonic::metadata::MetadataValue::from_bytes(b"\xff"));
    request.set_timeout(Duration::from_secs(2));
    core.client().get_schema(request).await.unwrap();
    let asked = core.asked();
    let mut headers: Vec<_> =
        asked.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.sort();
    assert_eq!(
        headers,
        [
            "accept-encoding: identity",
            "accept: application/json",
            "authorization: Bearer k",
            "traceparent: 00-1-2-01",
            "tracestate: a=b",
            "x-hevlayer-tag: one",
            "x-hevlayer-tag: two",
            "x-request-timeout-ms: 2000",
        ]
    );
    assert_eq!((asked.method(), asked.uri().path()), (&Method::GET, "/v1/namespaces/docs/schema"));
}

#[tokio::test]
async fn extensions_travel_to_the_core() {
    #[derive(Clone, Debug, PartialEq)]
    struct Peer(u8);
    let core = FakeCore::answering(200, &[], "{}");
    let peer = |mut request: tonic::Request<()>| {
        request.extensions_mut().insert(Peer(7));
        Ok(request)
    };
    let mut client = QueryRouterServiceClient::with_interceptor(service(core.clone()), peer);
    client.get_schema(GetSchemaRequest { namespace: namespace() }).await.unwrap();
    assert_eq!(core.asked().extensions().get(), Some(&Peer(7)));
}

#[tokio::test]
async fn who_answered_and_how_long_it_took_comes_back() {
    let told = [("x-layer-served-by", "origin"), ("server-timing", "origin;dur=3"), ("x-layer-cache", "hit")];
    let headers = [told.as_slice(), &[("content-length", "2"), ("set-cookie", "c"), ("retry-after", "1")]].concat();
    let names = |map: &HeaderMap| {
        let told = told.map(|(name, value)| map.get(name).is_some_and(|found| found == value));
        (told, map.contains_key("set-cookie") || map.contains_key("retry-after"))
    };
    let request = || GetSchemaRequest { namespace: namespace() };
    let answer = FakeCore::answering(200, &headers, "{}").client().get_schema(request()).await.unwrap();
    assert_eq!(names(&answer.metadata().clone().into_headers()), ([true; 3], false));
    let error = FakeCore::answering(404, &headers, "{}").client().get_schema(request()).await.unwrap_err();
    assert_eq!(names(&error.metadata().clone().into_headers()), ([true; 3], false));
}

#[tokio::test]
async fn errors_reach_the_client_with_their_details() {
    let body = r#"{"error":"overloaded","message":"too many requests in flight"}"#;
    let core = FakeCore::answering(429, &[("x-layer-served-by", "layer"), ("retry-after-ms", "250")], body);
    let error = core.client().warm_hint(WarmHintRequest { namespace: namespace() }).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::ResourceExhausted, "too many requests in flight"));
    let details = error.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(250)));
}

#[tokio::test]
async fn a_wrong_request_is_never_sent() {
    let core = FakeCore::answering(200, &[], "{}");
    let request = QueryRequest { namespace: namespace(), ..QueryRequest::default() };
    let error = core.client().query(request).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::InvalidArgument, "query is required"));
    assert_eq!(error.get_error_details().bad_request().unwrap().field_violations[0].field, "query");
    let mut request = tonic::Request::new(GetSchemaRequest { namespace: namespace() });
    request.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
    let error = core.client().get_schema(request).await.unwrap_err();
    assert_eq!(error.get_error_details().bad_request().unwrap().field_violations[0].field, "grpc-timeout");
    assert!(core.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn messages_that_are_too_deep_or_too_large_are_refused() {
    let core = FakeCore::answering(200, &[], "{}");
    let negate = |inner, _| Filter { kind: Some(filter::Kind::Negated(Box::new(inner))) };
    let filters = Some((0..200).fold(Filter::default(), negate));
    let request = RecallRequest { namespace: namespace(), filters, ..RecallRequest::default() };
    let error = core.client().recall(request).await.unwrap_err();
    assert!(error.message().contains("recursion limit"), "{error:?}");
    let mut small = QueryRouterServiceClient::new(service(core.clone()).max_decoding_message_size(16));
    let error = small.get_schema(GetSchemaRequest { namespace: "n".repeat(100) }).await.unwrap_err();
    assert_eq!(error.code(), Code::OutOfRange, "{error:?}");
    assert!(core.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_accepted_query_waits_for_its_index() {
    let core = FakeCore::answering(202, &[], r#"{"status":"error","error":"building"}"#);
    let request = QueryRequest { namespace: namespace(), query: Some(counting()), ..QueryRequest::default() };
    let error = core.client().query(request).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(error.get_error_details().error_info().unwrap().reason, "INDEX_BUILDING");
    let warm = core.client().warm_hint(WarmHintRequest { namespace: namespace() }).await.unwrap();
    assert_eq!(warm.into_inner().status, "error");
}

/// Sends one request and says which route it took.
macro_rules! route {
    ($method:ident, $request:expr, $answer:expr) => {{
        let core = FakeCore::answering(200, &[], $answer);
        core.client().$method($request).await.unwrap();
        let asked = core.asked();
        format!("{} {}", asked.method(), asked.uri())
    }};
}

#[tokio::test]
async fn every_method_takes_its_route() {
    let namespace = namespace();
    let query = Some(counting());
    assert_eq!(
        route!(query, QueryRequest { namespace: namespace.clone(), query: query.clone(), ..Default::default() }, "{}"),
        "POST /v2/namespaces/docs/query"
    );
    let queries = vec![counting()];
    assert_eq!(
        route!(
            multi_query,
            MultiQueryRequest { namespace: namespace.clone(), queries, ..Default::default() },
            r#"{"results":[]}"#
        ),
        "POST /v2/namespaces/docs/query"
    );
    assert_eq!(
        route!(write, WriteRequest { namespace: namespace.clone(), ..Default::default() }, "{}"),
        "POST /v2/namespaces/docs"
    );
    assert_eq!(
        route!(list_namespaces, ListNamespacesRequest::default(), r#"{"namespaces":[]}"#),
        "GET /v1/namespaces?page_size=1000"
    );
    assert_eq!(
        route!(get_metadata, GetMetadataRequest { namespace: namespace.clone() }, "{}"),
        "GET /v2/namespaces/docs/metadata"
    );
    assert_eq!(
        route!(update_metadata, UpdateMetadataRequest { namespace: namespace.clone(), ..Default::default() }, "{}"),
        "PATCH /v1/namespaces/docs/metadata"
    );
    let change = AttributeSchemaChange { kind: Some(attribute_schema_change::Kind::Drop(true)) };
    let schema = [("a".to_owned(), change)].into();
    assert_eq!(
        route!(update_schema, UpdateSchemaRequest { namespace: namespace.clone(), schema }, "{}"),
        "POST /v1/namespaces/docs/schema"
    );
    assert_eq!(
        route!(delete_namespace, DeleteNamespaceRequest { namespace: namespace.clone() }, "{}"),
        "DELETE /v2/namespaces/docs"
    );
    assert_eq!(
        route!(explain, ExplainRequest { namespace: namespace.clone(), query, ..Default::default() }, "{}"),
        "POST /v2/namespaces/docs/explain_query"
    );
    assert_eq!(
        route!(recall, RecallRequest { namespace, ..Default::default() }, r#"{"avg_recall":1}"#),
        "POST /v1/namespaces/docs/_debug/recall"
    );
}
