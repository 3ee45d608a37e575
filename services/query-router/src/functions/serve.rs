//! The calls on functions over HTTP.

use http::{Request, Response};

use super::{
    function, items,
    route::{FunctionCall, FunctionRoute},
};
use crate::{
    body::Source,
    core::{Call, Core, Relayable},
    pipelines::decoded,
    refusal::Refusal,
};

impl Core {
    /// Answers a call on functions.
    pub(crate) async fn function(
        &self,
        route: &FunctionRoute<'_>,
        call: &mut Call<'_>,
        request: Request<Source>,
    ) -> Result<Response<Relayable>, Refusal> {
        let id = decoded("udf_id", route.function)?;
        let asked = &self.asked_of_part(route.call.name(), call, request).await?;
        let reply = match route.call {
            FunctionCall::Create => function::create(asked).await,
            FunctionCall::List => function::list(asked).await,
            FunctionCall::Get => function::get(asked, id).await,
            FunctionCall::Upsert => function::upsert(asked, id).await,
            FunctionCall::Delete => function::delete(asked, id).await,
            FunctionCall::Status => function::status(asked, id).await,
            FunctionCall::Pause => function::pause(asked, id).await,
            FunctionCall::Resume => function::resume(asked, id).await,
            FunctionCall::ResetFailed => function::reset_failed(asked, id).await,
            FunctionCall::Discover => function::discover(asked, id).await,
            FunctionCall::Claim => items::claim(asked, id).await,
            FunctionCall::Heartbeat => items::heartbeat(asked, id).await,
            FunctionCall::Complete => items::complete(asked, id).await,
            FunctionCall::Fail => items::fail(asked, id).await,
            FunctionCall::DeadLetters => items::dead_letters(asked, id).await,
        };
        reply.map(|reply| reply.into_answer(call))
    }
}
