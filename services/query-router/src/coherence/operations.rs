//! Calls that change rows and are no writes of rows: a namespace is deleted, or an operation has come to its end.

use http::{Request, Response};
use layer_cache::{Affects, Outcome};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{
    answer::{RECALL_BYTES_MAX, read_whole},
    body::Source,
    core::{Call, Core, Relayable},
    refusal::Refusal,
};

impl Core {
    /// DELETE /v2/namespaces/{namespace}
    pub(crate) async fn delete_namespace(
        &self,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        match self.cached_scope(call.namespace) {
            Some(scope) => self.change_held(scope, call, request).await,
            None => self.passed(call, request).await,
        }
    }

    /// GET /v1/namespaces/{namespace}/operations/{token}: what the origin answered with 202 goes on by itself, and this
    /// is how its caller learns that it is over. Whoever tells it that a write is over clears first.
    pub(crate) async fn operation(
        &self,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let Some(scope) = self.cached_scope(call.namespace) else { return self.passed(call, request).await };
        let answer = self.whole_answer(call, request).await?.map(Relayable::Origin);
        if !answer.status().is_success() {
            return Ok(answer);
        }
        let answer = read_whole(answer, RECALL_BYTES_MAX, |body| body).await?;
        if let Relayable::Whole(body) = answer.body()
            && is_finished_write(body)
        {
            let hold = self.hold(scope, Affects::Namespace, call).await?;
            hold.finish(Outcome::ChangedUnknown).await?;
        }
        Ok(answer)
    }
}

/// What a poll says. Only a measurement of recall is known to change nothing.
#[derive(Deserialize)]
struct Poll {
    status: String,
    result: Option<PollResult>,
}

#[derive(Deserialize)]
struct PollResult {
    success: Option<Success>,
}

#[derive(Deserialize)]
struct Success {
    avg_recall: Option<IgnoredAny>,
}

fn is_finished_write(body: &[u8]) -> bool {
    let Ok(poll) = serde_json::from_slice::<Poll>(body) else { return true };
    let success = poll.result.and_then(|result| result.success);
    poll.status == "finished" && success.is_some_and(|success| success.avg_recall.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_finished_write_clears() {
        for (body, clears) in [
            (r#"{"status":"running","start_time":"x"}"#, false),
            (r#"{"status":"finished","result":{"error":{"status_code":400,"detail":{}}}}"#, false),
            (r#"{"status":"finished","result":{"success":{"avg_recall":1.0}}}"#, false),
            (r#"{"status":"finished","result":{"success":{"status":"OK","rows_affected":7}}}"#, true),
            (r#"{"status":7}"#, true),
            ("", true),
        ] {
            assert_eq!(is_finished_write(body.as_bytes()), clears, "{body}");
        }
    }
}
