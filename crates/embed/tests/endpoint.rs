//! The endpoint client against a server that answers well, badly, late or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers of tests too")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use layer_embed::{Blame, EmbedError, Encoding, Endpoint, Options};
use layer_service::config::Secret;
use serde_json::{Value, json};

/// Answers the n-th request, counted from 0, given its texts.
type Answer = Box<dyn Fn(usize, &[String]) -> Response + Send + Sync>;

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it came.
#[derive(Clone)]
struct Seen {
    headers: HeaderMap,
    body: Value,
    at: Instant,
}

impl Seen {
    fn texts(&self) -> Vec<String> {
        serde_json::from_value(self.body["input"].clone()).unwrap()
    }
}

struct Shared {
    answer: Answer,
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn handle(State(shared): State<Arc<Shared>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let seen = Seen { headers, body, at: Instant::now() };
    let number = {
        let mut all = shared.seen.lock().unwrap();
        all.push(seen.clone());
        all.len() - 1
    };
    (shared.answer)(number, &seen.texts())
}

async fn server(answer: impl Fn(usize, &[String]) -> Response + Send + Sync + 'static) -> Server {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::new(Shared { answer: Box::new(answer), seen: Arc::clone(&seen) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/v1/embeddings", post(handle)).with_state(shared);
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    Server { url, seen }
}

impl Server {
    fn endpoint(&self, change: impl FnOnce(&mut Options)) -> Endpoint {
        let mut options = Options::new(&self.url, "small");
        options.backoff = Duration::from_millis(1);
        change(&mut options);
        Endpoint::new(options, None).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A vector of two numbers for each text: its length, and its first byte.
fn good(texts: &[String]) -> Response {
    let vector = |text: &String| [text.len() as f32, f32::from(text.as_bytes()[0])];
    let items = texts.iter().enumerate().rev();
    let items: Vec<_> = items.map(|(index, text)| json!({"index": index, "embedding": vector(text)})).collect();
    Json(json!({ "data": items })).into_response()
}

fn refused(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, Json(json!({"error": {"message": message, "code": Value::Null}}))).into_response()
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

async fn only(endpoint: &Endpoint, deadline: Instant) -> Result<Vec<f32>, EmbedError> {
    endpoint.embed(&texts(&["a"]), deadline).await.pop().unwrap()
}

#[tokio::test]
async fn batches_come_back_in_order_with_key_and_model() {
    let server = server(|_, texts| good(texts)).await;
    let endpoint = server.endpoint(|options| {
        options.batch_texts = 2;
        options.api_key = Some(Secret::new("key"));
        options.encoding = Encoding::Float;
    });
    let vectors = endpoint.embed(&texts(&["a", "bb", "ccc", "dddd", "eeeee"]), soon()).await;
    let lengths: Vec<f32> = vectors.into_iter().map(|vector| vector.unwrap()[0]).collect();
    assert_eq!(lengths, [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(endpoint.dimension(), Some(2));
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer key" && seen.body["model"] == "small"));
    assert!(seen.iter().all(|seen| seen.body["encoding_format"] == "float" && seen.body.get("dimensions").is_none()));
}

#[tokio::test]
async fn a_refused_text_is_found_and_takes_no_other_with_it() {
    let server =
        server(
            |_, texts| {
                if texts.iter().any(|text| text == "bad") { refused(400, "too many tokens") } else { good(texts) }
            },
        )
        .await;
    let given = texts(&["a", "b", "c", "bad", "e", "f", "g"]);
    let results = server.endpoint(|_| ()).embed(&given, soon()).await;
    for (text, result) in given.iter().zip(results) {
        assert_eq!(result.is_ok(), text != "bad", "{text}");
        if let Err(error) = result {
            assert_eq!(error, EmbedError::Refused { status: 400, message: "too many tokens".to_owned() });
            assert_eq!(error.blame(), Blame::Text);
        }
    }
}

#[tokio::test]
async fn texts_that_cannot_be_sent_are_not() {
    let server = server(|_, texts| good(texts)).await;
    let endpoint = server.endpoint(|options| options.text_bytes = 3);
    let results = endpoint.embed(&texts(&["", "fits", "abc"]), soon()).await;
    assert_eq!(results[0], Err(EmbedError::Size { size: 0, max: 3 }));
    assert_eq!(results[1], Err(EmbedError::Size { size: 4, max: 3 }));
    assert!(results[2].is_ok());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_failure_is_tried_again() {
    let server = server(|number, texts| if number == 0 { refused(500, "") } else { good(texts) }).await;
    assert!(only(&server.endpoint(|_| ()), soon()).await.is_ok());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn attempts_are_bounded_and_the_budget_holds() {
    let server = server(|_, _| refused(500, "")).await;
    let endpoint = server.endpoint(|options| options.attempts_max = 3);
    assert_eq!(only(&endpoint, soon()).await, Err(EmbedError::Failed { status: 500 }));
    assert_eq!(server.seen().len(), 3);
    for _ in 0..100 {
        assert!(only(&endpoint, soon()).await.is_err());
    }
    let seen = server.seen().len();
    assert!((101..160).contains(&seen), "{seen} requests for 101 calls");
}

#[tokio::test]
async fn patience_is_had_by_all_as_long_as_asked() {
    let server = server(|number, texts| {
        if number > 0 {
            return good(texts);
        }
        (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "300")], "{}").into_response()
    })
    .await;
    let endpoint = server.endpoint(|options| options.batch_texts = 1);
    assert!(only(&endpoint, soon()).await.is_ok());
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_answer_that_uses_up_the_limit_holds_the_next_request() {
    let server = server(|number, texts| {
        let mut answer = good(texts);
        if number == 0 {
            answer.headers_mut().insert("x-ratelimit-remaining-requests", "0".parse().unwrap());
            answer.headers_mut().insert("x-ratelimit-reset-requests", "250ms".parse().unwrap());
        }
        answer
    })
    .await;
    let endpoint = server.endpoint(|_| ());
    assert!(only(&endpoint, soon()).await.is_ok());
    assert!(only(&endpoint, soon()).await.is_ok());
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= Duration::from_millis(240));
}

#[tokio::test]
async fn a_limit_beyond_the_deadline_ends_the_call_at_once() {
    let server = server(|_, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")], "{}").into_response()).await;
    let start = Instant::now();
    let result = only(&server.endpoint(|_| ()), start + Duration::from_secs(10)).await;
    assert_eq!(result, Err(EmbedError::RateLimited));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_wrong_key_is_nobodys_text() {
    let leaky = server(|_, _| refused(401, "Incorrect API key provided: sk-12")).await;
    let error = only(&leaky.endpoint(|_| ()), soon()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Endpoint);
    assert!(!error.to_string().contains("sk-12"), "{error}");
    let broke = server(|_, _| {
        let body = json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}});
        (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
    })
    .await;
    let error = only(&broke.endpoint(|_| ()), soon()).await.unwrap_err();
    assert!(matches!(error, EmbedError::Denied { status: 429, .. }));
    assert_eq!((leaky.seen().len(), broke.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_lying_answer_is_tried_again_and_never_taken() {
    let lies = HashMap::from([
        (0, json!({"data": []})),
        (1, json!({"data": [{"index": 0, "embedding": ["x"]}]})),
        (2, json!({"data": [{"index": 7, "embedding": [1.0, 2.0]}]})),
    ]);
    let server = server(move |number, texts| match lies.get(&number) {
        Some(lie) => Json(lie).into_response(),
        None => good(texts),
    })
    .await;
    assert_eq!(only(&server.endpoint(|_| ()), soon()).await, Ok(vec![1.0, 97.0]));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn a_vector_of_another_size_is_refused_even_later() {
    let server = server(|number, texts| {
        if number == 0 {
            good(texts)
        } else {
            Json(json!({"data": [{"index": 0, "embedding": [1.0]}]})).into_response()
        }
    })
    .await;
    let endpoint = server.endpoint(|options| options.attempts_max = 2);
    assert!(only(&endpoint, soon()).await.is_ok());
    assert!(matches!(only(&endpoint, soon()).await, Err(EmbedError::Answer(_))));
}

#[tokio::test]
async fn a_silent_server_costs_no_more_than_the_time_given() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let mut options = Options::new(url, "small");
    (options.request_timeout, options.attempts_max) = (Duration::from_millis(50), 2);
    options.backoff = Duration::from_millis(1);
    let endpoint = Endpoint::new(options, None).unwrap();
    let start = Instant::now();
    let error = only(&endpoint, soon()).await.unwrap_err();
    assert_eq!(error, EmbedError::Timeout { limit: Duration::from_millis(50) });
    assert_eq!(only(&endpoint, Instant::now() + Duration::from_millis(20)).await, Err(EmbedError::Deadline));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_away_is_nobodys_text() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let mut options = Options::new(url, "small");
    (options.backoff, options.attempts_max) = (Duration::from_millis(1), 2);
    let error = only(&Endpoint::new(options, None).unwrap(), soon()).await.unwrap_err();
    assert_eq!(error.blame(), Blame::Endpoint);
}
