//! KEDA's external scaler, push and poll, over whatever a service counts.
//!
//! A ScaledObject names the service's gRPC port as `scalerAddress` (trigger `external-push` or `external`). What its
//! metadata may say is the [`Source`]'s. Replicas of a service each tell what they know: KEDA asks one of them.

use std::pin::Pin;

use futures_util::{Stream, stream};
use layer_proto::externalscaler::{
    GetMetricSpecResponse, GetMetricsRequest, GetMetricsResponse, IsActiveResponse, MetricSpec, MetricValue,
    ScaledObjectRef,
    external_scaler_server::{ExternalScaler, ExternalScalerServer},
};
use layer_service::{
    lifecycle::{Lifecycle, Stage},
    shed::{InFlight, Permit},
};
use tonic::{Request, Response, Status};

/// The service's name.
pub const SERVICE: &str = "externalscaler.ExternalScaler";
/// Streams at once: KEDA holds one for each ScaledObject, and anybody on the network can open one.
const STREAMS_MAX: usize = 1024;

/// What a service scales by.
pub trait Source: Clone + Send + Sync + 'static {
    /// What a ScaledObject asks about.
    type Asked: Clone + Send + Sync + 'static;

    /// Reads a ScaledObject's metadata.
    ///
    /// # Errors
    /// A status that names what is wrong.
    fn read(&self, object: &ScaledObjectRef) -> Result<Self::Asked, Status>;

    /// The metric's name and the value that one replica is for.
    fn target(&self, asked: &Self::Asked) -> (String, f64);

    /// Whether replicas are needed at all.
    fn active(&self, asked: &Self::Asked) -> impl Future<Output = Result<bool, Status>> + Send;

    /// The metric's value.
    fn value(&self, asked: &Self::Asked) -> impl Future<Output = Result<f64, Status>> + Send;

    /// Waits until [`Source::active`] is another than `last`, or may be.
    fn changed(&self, asked: &Self::Asked, last: bool) -> impl Future<Output = ()> + Send;
}

/// The service over `source`. Its streams end when the process begins to stop, so that they hold no drain.
pub fn service<S: Source>(source: S, lifecycle: Lifecycle) -> ExternalScalerServer<Scaler<S>> {
    ExternalScalerServer::new(Scaler::new(source, lifecycle))
}

/// A number of a ScaledObject's metadata: above 0, at most `max`; with an `s` behind it, it is seconds.
///
/// # Errors
/// INVALID_ARGUMENT naming it.
pub fn positive(object: &ScaledObjectRef, name: &str, default: f64, max: f64) -> Result<f64, Status> {
    let Some(text) = object.scaler_metadata.get(name) else { return Ok(default) };
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(value) if value > 0.0 && value <= max => Ok(value),
        _ => Err(Status::invalid_argument(format!("scalerMetadata.{name} must be a number above 0 and at most {max}"))),
    }
}

/// Answers KEDA.
pub struct Scaler<S> {
    source: S,
    lifecycle: Lifecycle,
    streams: InFlight,
}

impl<S: Source> Scaler<S> {
    /// A scaler over `source`.
    pub fn new(source: S, lifecycle: Lifecycle) -> Self {
        Self { source, lifecycle, streams: InFlight::new(STREAMS_MAX) }
    }
}

struct Told<S: Source> {
    source: S,
    asked: S::Asked,
    lifecycle: Lifecycle,
    last: Option<bool>,
    _permit: Permit,
}

impl<S: Source> Told<S> {
    /// The next thing to tell: how it is at first, then each change.
    async fn next(mut self) -> Option<(Result<IsActiveResponse, Status>, Self)> {
        loop {
            if let Some(last) = self.last {
                let lifecycle = self.lifecycle.clone();
                first_of(self.source.changed(&self.asked, last), lifecycle.reached(Stage::Noticing)).await?;
            }
            let result = match self.source.active(&self.asked).await {
                Ok(result) => result,
                Err(status) => return Some((Err(status), self)),
            };
            if self.last != Some(result) {
                self.last = Some(result);
                return Some((Ok(IsActiveResponse { result }), self));
            }
        }
    }
}

/// Waits for `first`; nothing where `end` comes before it.
async fn first_of(first: impl Future<Output = ()>, end: impl Future<Output = ()>) -> Option<()> {
    let (first, end) = (std::pin::pin!(first), std::pin::pin!(end));
    match futures_util::future::select(first, end).await {
        futures_util::future::Either::Left(_) => Some(()),
        futures_util::future::Either::Right(_) => None,
    }
}

#[tonic::async_trait]
impl<S: Source> ExternalScaler for Scaler<S> {
    type StreamIsActiveStream = Pin<Box<dyn Stream<Item = Result<IsActiveResponse, Status>> + Send>>;
    type StreamMetricSpecStream = stream::Empty<Result<GetMetricSpecResponse, Status>>;

    async fn is_active(&self, request: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        let asked = self.source.read(request.get_ref())?;
        Ok(Response::new(IsActiveResponse { result: self.source.active(&asked).await? }))
    }

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let asked = self.source.read(request.get_ref())?;
        let permit = self.streams.enter().ok_or_else(|| Status::resource_exhausted("too many scaler streams"))?;
        let (source, lifecycle) = (self.source.clone(), self.lifecycle.clone());
        let told = Told { source, asked, lifecycle, last: None, _permit: permit };
        Ok(Response::new(Box::pin(stream::unfold(told, Told::next))))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let asked = self.source.read(request.get_ref())?;
        let (metric_name, target) = self.source.target(&asked);
        let spec = MetricSpec { metric_name, target_size: target.ceil() as i64, target_size_float: target };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(&self, request: Request<GetMetricsRequest>) -> Result<Response<GetMetricsResponse>, Status> {
        let object = request.into_inner().scaled_object_ref.unwrap_or_default();
        let asked = self.source.read(&object)?;
        let (metric_name, _) = self.source.target(&asked);
        let value = self.source.value(&asked).await?;
        let value = MetricValue { metric_name, metric_value: value.ceil() as i64, metric_value_float: value };
        Ok(Response::new(GetMetricsResponse { metric_values: vec![value] }))
    }

    async fn stream_metric_spec(
        &self,
        _request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamMetricSpecStream>, Status> {
        // Optional, and our specs do not change: KEDA then asks for them.
        Err(Status::unimplemented("metric specs do not change"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt as _;

    use super::*;

    /// Is active while its number is above 0.
    #[derive(Clone, Default)]
    struct Number(Arc<std::sync::atomic::AtomicU64>, Arc<tokio::sync::Notify>);

    impl Source for Number {
        type Asked = f64;

        fn read(&self, object: &ScaledObjectRef) -> Result<f64, Status> {
            positive(object, "perReplica", 10.0, 100.0)
        }

        fn target(&self, asked: &f64) -> (String, f64) {
            ("number".to_owned(), *asked)
        }

        async fn active(&self, asked: &f64) -> Result<bool, Status> {
            Ok(self.value(asked).await? > 0.0)
        }

        async fn value(&self, _asked: &f64) -> Result<f64, Status> {
            Ok(f64::from(u32::try_from(self.0.load(std::sync::atomic::Ordering::Relaxed)).unwrap()))
        }

        async fn changed(&self, _asked: &f64, _last: bool) {
            self.1.notified().await;
        }
    }

    fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
        let pairs = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ScaledObjectRef { scaler_metadata: pairs.collect(), ..ScaledObjectRef::default() }
    }

    #[tokio::test]
    async fn a_stream_tells_each_change_once_and_ends_with_the_process() {
        let (number, lifecycle) = (Number::default(), Lifecycle::default());
        let scaler = Scaler::new(number.clone(), lifecycle.clone());
        let mut told = scaler.stream_is_active(Request::new(object(&[]))).await.unwrap().into_inner();
        assert!(!told.next().await.unwrap().unwrap().result);
        // A change that is none is not told.
        number.1.notify_one();
        let next = tokio::spawn(async move { (told.next().await, told) });
        number.0.store(7, std::sync::atomic::Ordering::Relaxed);
        number.1.notify_one();
        let (next, mut told) = next.await.unwrap();
        assert!(next.unwrap().unwrap().result);
        lifecycle.advance(Stage::Noticing);
        assert!(told.next().await.is_none());
    }

    #[tokio::test]
    async fn the_metric_and_its_target_are_told() {
        let scaler = Scaler::new(Number::default(), Lifecycle::default());
        let spec = scaler.get_metric_spec(Request::new(object(&[("perReplica", "2.5")]))).await.unwrap().into_inner();
        assert_eq!((spec.metric_specs[0].target_size, spec.metric_specs[0].target_size_float), (3, 2.5));
        let refused = scaler.is_active(Request::new(object(&[("perReplica", "0")]))).await.expect_err("wrong");
        assert!(refused.message().contains("perReplica"), "{refused}");
    }

    #[tokio::test]
    async fn streams_are_bounded() {
        let scaler = Scaler::new(Number::default(), Lifecycle::default());
        let mut open = Vec::new();
        for _ in 0..STREAMS_MAX {
            open.push(scaler.stream_is_active(Request::new(object(&[]))).await.expect("a stream"));
        }
        let refused = scaler.stream_is_active(Request::new(object(&[]))).await.map(drop).expect_err("one too many");
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        open.pop();
        assert!(scaler.stream_is_active(Request::new(object(&[]))).await.is_ok());
    }
}
