//! Prometheus metrics: declared once by [`metrics!`](crate::metrics!), from which the series and the inventory page both
//! come.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
    core::{MetricVec, MetricVecBuilder},
};

/// Buckets of every duration in seconds, 1 ms to 10 s.
pub const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Buckets of batch sizes.
pub const BATCH: &[f64] = &[1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0];
/// Distinct values of a label like `namespace` before the rest is counted as `other`.
pub const LABEL_VALUES_MAX: usize = 5000;
/// What a label's value is called beyond [`LABEL_VALUES_MAX`].
pub const OTHER: &str = "other";

/// What a metric is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution over these upper bounds.
    Histogram(&'static [f64]),
}

/// A metric's declaration.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The series' name, unit last.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Label names.
    pub labels: &'static [&'static str],
    /// What it tells, for `# HELP` and the inventory.
    pub help: &'static str,
}

/// Declares metrics and their list: each is a constant [`Metric`] whose doc comment is its help, for `# HELP` and the
/// inventory. The list has them in this order.
///
/// ```
/// use layer_service::metrics::{Metrics, SECONDS, Series};
///
/// layer_service::metrics! {
///     /// Every metric of this module.
///     pub METRICS:
///
///     /// Samples, by what became of them: ok, failed.
///     SAMPLES = Counter "layer_samples_total" by ["status"];
///     /// How long one takes.
///     DURATION = Histogram(SECONDS) "layer_sample_duration_seconds";
/// }
///
/// let metrics = Metrics::default();
/// let [ok, _failed] = metrics.counter(&SAMPLES).of(["ok", "failed"]);
/// ok.inc();
/// metrics.histogram(&DURATION).only().observe(0.5);
/// assert!(metrics.text().contains("layer_samples_total{status=\"ok\"} 1"));
/// assert_eq!(METRICS[1].help, "How long one takes.");
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])* $shown:vis $list:ident:
        $($(#[doc = $help:literal])+ $name:ident = $kind:ident $(($buckets:expr))? $series:literal $(by $labels:expr)?;)+
    ) => {
        $(
            $(#[doc = $help])+
            const $name: $crate::metrics::Metric = $crate::metrics::Metric {
                name: $series,
                kind: $crate::metrics::Kind::$kind $(($buckets))?,
                labels: [$(&$labels as &[&str],)? &[]][0],
                help: concat!($($help),+).trim_ascii(),
            };
        )+

        $(#[$about])*
        $shown const $list: &[&$crate::metrics::Metric] = &[$(&$name),+];
    };
}

/// Handles of a metric's series, looked up once and kept.
pub trait Series {
    /// One of them.
    type One;

    /// The one of a metric without labels.
    fn only(&self) -> Self::One;

    /// Those of a metric with one label, by its values.
    fn of<const N: usize>(&self, values: [&str; N]) -> [Self::One; N];
}

impl<B: MetricVecBuilder> Series for MetricVec<B> {
    type One = B::M;

    fn only(&self) -> B::M {
        self.with_label_values::<&str>(&[])
    }

    fn of<const N: usize>(&self, values: [&str; N]) -> [B::M; N] {
        values.map(|value| self.with_label_values(&[value]))
    }
}

/// A registry of metrics; clones share it.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process)).expect("the process collector is registered once");
        Self { registry }
    }
}

impl Metrics {
    /// The series of a histogram.
    pub fn histogram(&self, metric: &Metric) -> HistogramVec {
        let Kind::Histogram(buckets) = metric.kind else { panic!("{} is no histogram", metric.name) };
        let options = HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, metric.labels))
    }

    /// The series of a counter.
    pub fn counter(&self, metric: &Metric) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// The series of a gauge.
    pub fn gauge(&self, metric: &Metric) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    fn register<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        // Declarations are constants: a wrong or double one is a programming error that the first test run shows.
        let collector = made.expect("a metric's declaration is valid");
        self.registry.register(Box::new(collector.clone())).expect("a metric is declared once");
        collector
    }

    /// Everything in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut page = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut page) {
            Ok(()) => String::from_utf8_lossy(&page).into_owned(),
            Err(error) => format!("# metrics could not be encoded: {error}\n"),
        }
    }
}

/// A Markdown table of declared metrics, for `docs/metrics.md`.
pub fn inventory(program: &str, metrics: &[&Metric]) -> String {
    let mut page = format!("## {program}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for metric in metrics {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels = if metric.labels.is_empty() { "-".to_owned() } else { metric.labels.join(", ") };
        page.push_str(&format!("| `{}` | {kind} | {labels} | {} |\n", metric.name, metric.help));
    }
    page
}

/// Values that hang on a label whose values callers choose: at most `max` are kept apart, the rest share one.
///
/// Callers could otherwise grow the registry without end by inventing namespaces.
#[derive(Debug)]
pub struct Bounded<T> {
    known: RwLock<HashMap<String, Arc<T>>>,
    other: Arc<T>,
    max: usize,
    make: fn(&T, &str) -> T,
}

impl<T> Bounded<T> {
    /// `other` is what values beyond `max` share; `make` makes the one of a new value from it.
    pub fn new(max: usize, other: T, make: fn(&T, &str) -> T) -> Self {
        Self { known: RwLock::default(), other: Arc::new(other), max, make }
    }

    /// What hangs on `value` if it is known already, else what the rest shares.
    pub fn known(&self, value: &str) -> Arc<T> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get(value).unwrap_or(&self.other))
    }

    /// What hangs on `value`.
    pub fn get(&self, value: &str) -> Arc<T> {
        if let Some(found) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(value) {
            return Arc::clone(found);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.max && !known.contains_key(value) {
            return Arc::clone(&self.other);
        }
        let made = known.entry(value.to_owned()).or_insert_with(|| Arc::new((self.make)(&self.other, value)));
        Arc::clone(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_bounded() {
        let bounded = Bounded::new(2, OTHER.to_owned(), |_, value| value.to_owned());
        let seen: Vec<_> = ["a", "b", "c", "a", "d"].iter().map(|v| bounded.get(v).as_ref().clone()).collect();
        assert_eq!(seen, ["a", "b", OTHER, "a", OTHER]);
        assert_eq!((bounded.known("a").as_str(), bounded.known("e").as_str()), ("a", OTHER));
    }

    #[test]
    fn text_and_inventory_name_the_metric() {
        crate::metrics! {
            SAMPLES:
            /// Samples,
            /// and more.
            SAMPLE = Counter "layer_sample_total" by ["status"];
            /// A gauge.
            GAUGE = Gauge "layer_sample_gauge";
        }
        let metrics = Metrics::default();
        let [ok, failed] = metrics.counter(&SAMPLE).of(["ok", "failed"]);
        ok.inc();
        failed.inc_by(2);
        metrics.gauge(&GAUGE).only().set(7);
        assert!(metrics.text().contains("layer_sample_total{status=\"ok\"} 1"));
        assert!(metrics.text().contains("process_resident_memory_bytes"));
        assert!(metrics.text().contains("layer_sample_total{status=\"failed\"} 2"));
        assert!(metrics.text().contains("layer_sample_gauge 7"));
        let page = inventory("x", SAMPLES);
        assert!(page.contains("| `layer_sample_total` | counter | status | Samples, and more. |"), "{page}");
        assert!(page.ends_with("| `layer_sample_gauge` | gauge | - | A gauge. |\n"), "{page}");
    }
}
