//! What the router counts.
//!
//! Names and labels are those that operators of such a gateway know. No label ever holds an id, a vector, a filter or a
//! query's text, and the number of namespaces told apart is bounded.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use layer_service::metrics::{BATCH, Bounded, LABEL_VALUES_MAX, Metric, Metrics, OTHER, SECONDS, Series};
use layer_wire::{QuerySummary, WriteSummary};
use prometheus::{Histogram, HistogramVec, IntCounterVec, IntGauge};

use crate::route::Route;

const CALL: [&str; 3] = ["pipeline_id", "namespace", "status"];
/// The pipeline of calls that come from no pipeline.
const DIRECT: &str = "direct";
/// The only kind of store there is.
const STORE: &str = "turbopuffer";

layer_service::metrics! {
    /// Every metric of the router, for the inventory.
    pub METRICS:

    /// Queries, from the request's head to the answer's last byte.
    QUERY_DURATION = Histogram(SECONDS) "layer_query_duration_seconds" by CALL;
    /// The origin's share of a query's time.
    QUERY_TPUF = Histogram(SECONDS) "layer_query_tpuf_seconds" by CALL;
    /// Layer's share of a query's time.
    QUERY_OVERHEAD = Histogram(SECONDS) "layer_query_overhead_seconds" by CALL;
    /// Queries by shape.
    QUERY_SHAPE = Counter "layer_query_shape_total"
        by ["pipeline_id", "namespace", "has_filter", "has_rank_by", "status"];
    /// Multi-queries.
    MULTI_QUERY = Counter "hevlayer_multi_query_total" by ["namespace", "store_kind", "status"];
    /// Queries in a multi-query.
    MULTI_QUERY_LEGS = Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0]) "hevlayer_multi_query_legs" by ["namespace", "store_kind"];
    /// Writes, from the request's head to the answer's last byte.
    UPSERT_DURATION = Histogram(SECONDS) "layer_upsert_duration_seconds" by CALL;
    /// The origin's share of a write's time.
    UPSERT_TPUF = Histogram(SECONDS) "layer_upsert_tpuf_seconds" by CALL;
    /// Layer's share of a write's time.
    UPSERT_OVERHEAD = Histogram(SECONDS) "layer_upsert_overhead_seconds" by CALL;
    /// Rows of a write.
    UPSERT_BATCH = Histogram(BATCH) "layer_upsert_batch_size" by ["pipeline_id", "namespace"];
    /// Reads of metadata and schema.
    HEAD_DURATION = Histogram(SECONDS) "layer_head_duration_seconds" by CALL;
    /// Listings of namespaces.
    LIST_DURATION = Histogram(SECONDS) "layer_list_duration_seconds" by CALL;
    /// Calls to the origin in flight.
    TPUF_IN_FLIGHT = Gauge "layer_tpuf_inflight";
    /// Answers by route, by who made them (origin, layer) and by HTTP status.
    REQUESTS = Counter "layer_requests_total" by ["route", "served_by", "code"];
    /// Answers that broke off after their head: the origin stood still or went away mid-body, or the caller left.
    BROKEN = Counter "layer_answers_broken_total" by ["route"];
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The origin said yes.
    Ok,
    /// The origin said no.
    TpufError,
    /// Layer said no.
    LayerError,
    /// The time ran out.
    Timeout,
}

impl Status {
    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TpufError => "tpuf_error",
            Self::LayerError => "layer_error",
            Self::Timeout => "timeout",
        }
    }
}

/// Which family of series a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Query,
    Upsert,
    Head,
    List,
    Other,
}

impl Family {
    fn of(route: &Route<'_>) -> Self {
        match route {
            Route::Query(_) | Route::QueryAlias(_) => Self::Query,
            Route::Write(_) => Self::Upsert,
            Route::Metadata(_) | Route::Schema(_) => Self::Head,
            Route::List => Self::List,
            _ => Self::Other,
        }
    }
}

/// The three durations of one kind of call, all statuses, for one namespace: looked up once, then only observed.
#[derive(Debug)]
struct Timed {
    duration: HistogramVec,
    tpuf: HistogramVec,
    overhead: HistogramVec,
}

impl Timed {
    fn series(&self, namespace: &str, status: Status) -> [Histogram; 3] {
        let labels = [DIRECT, namespace, status.label()];
        [&self.duration, &self.tpuf, &self.overhead].map(|vec| vec.with_label_values(&labels))
    }
}

/// The durations of one kind of call by status, made when first needed.
type ByStatus = [OnceLock<[Histogram; 3]>; 4];

/// The series of one namespace.
pub struct NamespaceSeries {
    name: String,
    query: ByStatus,
    upsert: ByStatus,
}

impl NamespaceSeries {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), query: Default::default(), upsert: Default::default() }
    }
}

/// The router's metrics; made once, shared by all workers.
pub struct Observe {
    query: Timed,
    upsert: Timed,
    head: HistogramVec,
    list: HistogramVec,
    batch: HistogramVec,
    shape: IntCounterVec,
    multi: IntCounterVec,
    legs: HistogramVec,
    in_flight: IntGauge,
    requests: IntCounterVec,
    broken: IntCounterVec,
    namespaces: Bounded<NamespaceSeries>,
}

impl Observe {
    /// Registers the router's metrics.
    pub fn new(metrics: &Metrics) -> Arc<Self> {
        let timed = |[duration, tpuf, overhead]: [&Metric; 3]| Timed {
            duration: metrics.histogram(duration),
            tpuf: metrics.histogram(tpuf),
            overhead: metrics.histogram(overhead),
        };
        Arc::new(Self {
            query: timed([&QUERY_DURATION, &QUERY_TPUF, &QUERY_OVERHEAD]),
            upsert: timed([&UPSERT_DURATION, &UPSERT_TPUF, &UPSERT_OVERHEAD]),
            head: metrics.histogram(&HEAD_DURATION),
            list: metrics.histogram(&LIST_DURATION),
            batch: metrics.histogram(&UPSERT_BATCH),
            shape: metrics.counter(&QUERY_SHAPE),
            multi: metrics.counter(&MULTI_QUERY),
            legs: metrics.histogram(&MULTI_QUERY_LEGS),
            in_flight: metrics.gauge(&TPUF_IN_FLIGHT).only(),
            requests: metrics.counter(&REQUESTS),
            broken: metrics.counter(&BROKEN),
            namespaces: Bounded::new(LABEL_VALUES_MAX, NamespaceSeries::new(OTHER), |_, name| {
                NamespaceSeries::new(name)
            }),
        })
    }

    /// Begins to measure a call.
    pub fn begin(self: &Arc<Self>, route: &Route<'_>, started: Instant) -> Measured {
        let family = Family::of(route);
        let counted = if family == Family::Other { None } else { route.namespace() };
        let namespace = counted.map(|name| self.namespaces.known(name));
        let mut measured = self.begin_other(route.name(), started);
        (measured.family, measured.namespace) = (family, namespace);
        measured
    }

    /// Begins to measure a call that is none on a namespace; `route`: one of a fixed set.
    pub fn begin_other(self: &Arc<Self>, route: &'static str, started: Instant) -> Measured {
        Measured {
            observe: Arc::clone(self),
            family: Family::Other,
            route,
            namespace: None,
            started,
            asked: None,
            code: 0,
            status: Status::LayerError,
            span: tracing::Span::none(),
        }
    }

    /// A call to the origin that is no caller's own, counted as in flight until this is dropped.
    pub fn at_origin(&self) -> AtOrigin {
        self.in_flight.inc();
        AtOrigin(self.in_flight.clone())
    }

    fn record(&self, call: &Measured) {
        let now = Instant::now();
        let total = now.saturating_duration_since(call.started);
        let tpuf = call.asked.map_or(Duration::ZERO, |asked| now.saturating_duration_since(asked));
        let times = [total, tpuf, total.saturating_sub(tpuf)].map(|time| time.as_secs_f64());
        let name = call.namespace.as_ref().map_or("", |series| series.name.as_str());
        match (call.family, &call.namespace) {
            (Family::Query, Some(series)) => {
                let made = series.query[call.status as usize].get_or_init(|| self.query.series(name, call.status));
                observe(made, times);
            }
            (Family::Upsert, Some(series)) => {
                let made = series.upsert[call.status as usize].get_or_init(|| self.upsert.series(name, call.status));
                observe(made, times);
            }
            (Family::Head, _) => self.head.with_label_values(&[DIRECT, name, call.status.label()]).observe(times[0]),
            (Family::List, _) => self.list.with_label_values(&[DIRECT, "", call.status.label()]).observe(times[0]),
            _ => {}
        }
    }
}

fn observe(series: &[Histogram; 3], times: [f64; 3]) {
    for (series, time) in series.iter().zip(times) {
        series.observe(time);
    }
}

/// A call to the origin in flight.
pub struct AtOrigin(IntGauge);

impl Drop for AtOrigin {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One call in the course of being measured; recorded when dropped, which is when its answer's last byte was handed on.
pub struct Measured {
    observe: Arc<Observe>,
    family: Family,
    route: &'static str,
    namespace: Option<Arc<NamespaceSeries>>,
    started: Instant,
    asked: Option<Instant>,
    code: u16,
    status: Status,
    span: tracing::Span,
}

impl Measured {
    /// When the call's head was there.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The call's span.
    pub fn span(&self) -> &tracing::Span {
        &self.span
    }

    /// When the origin was asked, if it was.
    pub fn asked_at(&self) -> Option<Instant> {
        self.asked
    }

    /// The call's span ends when its answer does.
    pub fn within(&mut self, span: tracing::Span) {
        self.span = span;
    }

    /// The origin is being asked now.
    pub fn asked(&mut self) {
        self.asked = Some(Instant::now());
        self.observe.in_flight.inc();
    }

    /// The origin answered with `code` about `namespace`. Only a good answer makes a namespace known: strangers could
    /// otherwise fill the metrics with names of their own.
    pub fn answered(&mut self, code: http::StatusCode, namespace: Option<&str>) {
        let counted = namespace.filter(|name| code.is_success() && self.namespace.is_some() && is_name(name));
        if let Some(name) = counted {
            self.namespace = Some(self.observe.namespaces.get(name));
        }
        self.code = code.as_u16();
        self.status = if code.is_success() { Status::Ok } else { Status::TpufError };
        self.count("origin");
    }

    /// Layer answers itself.
    pub fn refused(&mut self, code: http::StatusCode) {
        self.code = code.as_u16();
        self.status = if code == http::StatusCode::GATEWAY_TIMEOUT { Status::Timeout } else { Status::LayerError };
        self.count("layer");
    }

    /// Layer answers itself, well.
    pub fn served(&mut self, code: http::StatusCode) {
        (self.code, self.status) = (code.as_u16(), Status::Ok);
        self.count("layer");
    }

    /// The origin's answer is relayed that others waited for too.
    pub fn told(&mut self, code: http::StatusCode) {
        (self.code, self.status) = (code.as_u16(), Status::TpufError);
        self.count("origin");
    }

    /// The answer's head was relayed, but not its body to the end.
    pub fn broke(&self) {
        self.observe.broken.with_label_values(&[self.route]).inc();
    }

    /// A write was read whole.
    pub fn wrote(&self, seen: &WriteSummary) {
        if let Some(series) = &self.namespace {
            // A row count is far below 2^53.
            #[allow(clippy::cast_precision_loss)]
            self.observe.batch.with_label_values(&[DIRECT, series.name.as_str()]).observe(seen.rows as f64);
        }
    }

    /// A query was read whole and answered.
    pub fn queried(&self, seen: &QuerySummary) {
        let Some(series) = &self.namespace else { return };
        let (name, status) = (series.name.as_str(), self.status.label());
        if let Some(legs) = seen.multi {
            self.observe.multi.with_label_values(&[name, STORE, status]).inc();
            self.observe.legs.with_label_values(&[name, STORE]).observe(f64::from(legs));
        }
        let word = |yes: bool| if yes { "true" } else { "false" };
        let labels = [DIRECT, name, word(seen.has_filter), word(seen.has_rank_by), status];
        self.observe.shape.with_label_values(&labels).inc();
    }

    fn count(&self, served_by: &str) {
        let mut digits = [0; 3];
        let code = three_digits(self.code, &mut digits);
        self.observe.requests.with_label_values(&[self.route, served_by, code]).inc();
        self.span.record("http.response.status_code", self.code);
        if self.code >= 500 {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

/// What Turbopuffer takes for a namespace's name.
fn is_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn three_digits(code: u16, digits: &mut [u8; 3]) -> &str {
    *digits = [code / 100 % 10, code / 10 % 10, code % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or(0));
    std::str::from_utf8(digits).unwrap_or("000")
}

impl Drop for Measured {
    fn drop(&mut self) {
        if self.asked.is_some() {
            self.observe.in_flight.dec();
        }
        let observe = Arc::clone(&self.observe);
        observe.record(self);
    }
}
