//! What KEDA learns of demand for the document cache.
//!
//! A ScaledObject's metadata may set `demandWindow` (seconds for which demand keeps the cache awake, 120) and
//! `demandPerReplica` (fetches per second that one replica of the cache is for, 5000).

use std::{sync::Arc, time::Duration};

use layer_proto::externalscaler::{ScaledObjectRef, external_scaler_server::ExternalScalerServer};
use layer_scaler::{Scaler, Source, positive};
use layer_service::lifecycle::Lifecycle;
use tonic::Status;

use super::demand::Demand;

/// The metric that KEDA makes a HorizontalPodAutoscaler of.
const METRIC: &str = "hevlayer_cache_demand";
const WINDOW_S: f64 = 120.0;
const WINDOW_S_MAX: f64 = 86_400.0;
const PER_REPLICA: f64 = 5000.0;

/// The service over `demand`.
pub fn service(demand: Arc<Demand>, lifecycle: Lifecycle) -> ExternalScalerServer<Scaler<CacheDemand>> {
    layer_scaler::service(CacheDemand(demand), lifecycle)
}

/// Demand as KEDA asks for it.
#[derive(Clone)]
pub struct CacheDemand(Arc<Demand>);

/// What a ScaledObject asks about.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    window: Duration,
    per_replica: f64,
}

impl Source for CacheDemand {
    type Asked = Asked;

    fn read(&self, object: &ScaledObjectRef) -> Result<Asked, Status> {
        Ok(Asked {
            window: Duration::from_secs_f64(positive(object, "demandWindow", WINDOW_S, WINDOW_S_MAX)?),
            per_replica: positive(object, "demandPerReplica", PER_REPLICA, f64::MAX)?,
        })
    }

    fn target(&self, asked: &Asked) -> (String, f64) {
        (METRIC.to_owned(), asked.per_replica)
    }

    async fn active(&self, asked: &Asked) -> Result<bool, Status> {
        Ok(self.0.active(asked.window))
    }

    async fn value(&self, asked: &Asked) -> Result<f64, Status> {
        Ok(self.0.rate(asked.window))
    }

    async fn changed(&self, asked: &Asked, last: bool) {
        self.0.changed(last, asked.window).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use layer_proto::externalscaler::external_scaler_server::ExternalScaler as _;
    use layer_service::lifecycle::Stage;
    use tonic::Request;

    use super::*;

    fn object(metadata: &[(&str, &str)]) -> ScaledObjectRef {
        let pairs = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ScaledObjectRef { scaler_metadata: pairs.collect(), ..ScaledObjectRef::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_tells_of_demand_at_once_and_of_its_end() {
        let (demand, lifecycle) = (Arc::new(Demand::default()), Lifecycle::default());
        let scaler = Scaler::new(CacheDemand(Arc::clone(&demand)), lifecycle.clone());
        let asked = Request::new(object(&[("demandWindow", "30")]));
        let mut told = scaler.stream_is_active(asked).await.expect("a stream").into_inner();
        assert!(!told.next().await.expect("now").expect("ok").result);
        demand.wanted();
        assert!(told.next().await.expect("demand").expect("ok").result);
        assert!(!told.next().await.expect("its end").expect("ok").result);
        lifecycle.advance(Stage::Noticing);
        assert!(told.next().await.is_none(), "a stopping router ends its streams");
    }

    #[test]
    fn wrong_metadata_is_named() {
        let source = CacheDemand(Arc::new(Demand::default()));
        for (name, value) in [("demandWindow", "soon"), ("demandPerReplica", "0")] {
            let refused = source.read(&object(&[(name, value)])).expect_err("wrong");
            assert!(refused.message().contains(name), "{refused}");
        }
    }
}
