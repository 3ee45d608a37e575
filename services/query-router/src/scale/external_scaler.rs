//! KEDA's external scaler, served by the router: push and poll.
//!
//! A ScaledObject names the router's gRPC port as `scalerAddress` (trigger `external-push` or `external`). Its metadata may
//! set `demandWindow` (seconds for which demand keeps the cache awake, 120) and `demandPerReplica` (fetches per second
//! that one replica of the cache is for, 5000). Several routers each tell of their own demand: KEDA asks one of them.

use std::{pin::Pin, sync::Arc, time::Duration};

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

use super::demand::Demand;

/// The service's name.
pub const SERVICE: &str = "externalscaler.ExternalScaler";
/// The metric that KEDA makes a HorizontalPodAutoscaler of.
const METRIC: &str = "hevlayer_cache_demand";
/// Streams at once: KEDA holds one for each ScaledObject, and anybody on the network can open one.
const STREAMS_MAX: usize = 64;
const WINDOW_S: f64 = 120.0;
const WINDOW_S_MAX: f64 = 86_400.0;
const PER_REPLICA: f64 = 5000.0;

/// The service over `demand`. Its streams end when the router begins to stop, so that they hold no drain.
pub fn service(demand: Arc<Demand>, lifecycle: Lifecycle) -> ExternalScalerServer<Scaler> {
    ExternalScalerServer::new(Scaler { demand, lifecycle, streams: InFlight::new(STREAMS_MAX) })
}

/// Answers KEDA.
pub struct Scaler {
    demand: Arc<Demand>,
    lifecycle: Lifecycle,
    streams: InFlight,
}

struct Told {
    demand: Arc<Demand>,
    lifecycle: Lifecycle,
    window: Duration,
    last: Option<bool>,
    _permit: Permit,
}

impl Told {
    /// The next thing to tell: how it is at first, then each change.
    async fn next(mut self) -> Option<(Result<IsActiveResponse, Status>, Self)> {
        if let Some(last) = self.last {
            let lifecycle = self.lifecycle.clone();
            tokio::select! {
                () = self.demand.changed(last, self.window) => {}
                () = lifecycle.reached(Stage::Noticing) => return None,
            }
        }
        let result = self.demand.active(self.window);
        self.last = Some(result);
        Some((Ok(IsActiveResponse { result }), self))
    }
}

#[tonic::async_trait]
impl ExternalScaler for Scaler {
    type StreamIsActiveStream = Pin<Box<dyn Stream<Item = Result<IsActiveResponse, Status>> + Send>>;
    type StreamMetricSpecStream = stream::Empty<Result<GetMetricSpecResponse, Status>>;

    async fn is_active(&self, request: Request<ScaledObjectRef>) -> Result<Response<IsActiveResponse>, Status> {
        let window = window(request.get_ref())?;
        Ok(Response::new(IsActiveResponse { result: self.demand.active(window) }))
    }

    async fn stream_is_active(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<Self::StreamIsActiveStream>, Status> {
        let window = window(request.get_ref())?;
        let permit = self.streams.enter().ok_or_else(|| Status::resource_exhausted("too many scaler streams"))?;
        let (demand, lifecycle) = (Arc::clone(&self.demand), self.lifecycle.clone());
        let told = Told { demand, lifecycle, window, last: None, _permit: permit };
        Ok(Response::new(Box::pin(stream::unfold(told, Told::next))))
    }

    async fn get_metric_spec(
        &self,
        request: Request<ScaledObjectRef>,
    ) -> Result<Response<GetMetricSpecResponse>, Status> {
        let target = positive(request.get_ref(), "demandPerReplica", PER_REPLICA, f64::MAX)?;
        let spec =
            MetricSpec { metric_name: METRIC.to_owned(), target_size: target.ceil() as i64, target_size_float: target };
        Ok(Response::new(GetMetricSpecResponse { metric_specs: vec![spec] }))
    }

    async fn get_metrics(&self, request: Request<GetMetricsRequest>) -> Result<Response<GetMetricsResponse>, Status> {
        let asked = request.get_ref();
        let window = window(&asked.scaled_object_ref.clone().unwrap_or_default())?;
        let rate = self.demand.rate(window);
        let value =
            MetricValue { metric_name: METRIC.to_owned(), metric_value: rate.ceil() as i64, metric_value_float: rate };
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

fn window(asked: &ScaledObjectRef) -> Result<Duration, Status> {
    positive(asked, "demandWindow", WINDOW_S, WINDOW_S_MAX).map(Duration::from_secs_f64)
}

fn positive(asked: &ScaledObjectRef, name: &str, default: f64, max: f64) -> Result<f64, Status> {
    let Some(text) = asked.scaler_metadata.get(name) else { return Ok(default) };
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(value) if value > 0.0 && value <= max => Ok(value),
        _ => Err(Status::invalid_argument(format!("scalerMetadata.{name} must be a number above 0 and at most {max}"))),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn scaler() -> (Scaler, Lifecycle) {
        let lifecycle = Lifecycle::default();
        let scaler = Scaler {
            demand: Arc::new(Demand::default()),
            lifecycle: lifecycle.clone(),
            streams: InFlight::new(STREAMS_MAX),
        };
        (scaler, lifecycle)
    }

    fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
        let pairs = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ScaledObjectRef { scaler_metadata: pairs.collect(), ..ScaledObjectRef::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_tells_of_demand_at_once_and_of_its_end() {
        let (scaler, lifecycle) = scaler();
        let asked = Request::new(object(&[("demandWindow", "30")]));
        let mut told = scaler.stream_is_active(asked).await.expect("a stream").into_inner();
        assert!(!told.next().await.expect("now").expect("ok").result);
        scaler.demand.wanted();
        assert!(told.next().await.expect("demand").expect("ok").result);
        assert!(!told.next().await.expect("its end").expect("ok").result);
        lifecycle.advance(Stage::Noticing);
        assert!(told.next().await.is_none(), "a stopping router ends its streams");
    }

    #[tokio::test]
    async fn wrong_metadata_is_named() {
        let (scaler, _lifecycle) = scaler();
        let refused = scaler.is_active(Request::new(object(&[("demandWindow", "soon")]))).await.expect_err("wrong");
        assert!(refused.message().contains("demandWindow"), "{refused}");
        let refused =
            scaler.get_metric_spec(Request::new(object(&[("demandPerReplica", "0")]))).await.expect_err("wrong");
        assert!(refused.message().contains("demandPerReplica"), "{refused}");
    }

    #[tokio::test]
    async fn streams_are_bounded() {
        let (scaler, _lifecycle) = scaler();
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
