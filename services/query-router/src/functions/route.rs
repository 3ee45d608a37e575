//! Which call on functions a path and method are. The published name of a function is UDF.

/// A call on functions. The id is as it stands in the path, still percent-encoded; empty where the call is about none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionRoute<'a> {
    /// What is asked.
    pub call: FunctionCall,
    /// The function's id.
    pub function: &'a str,
}

/// What is asked of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionCall {
    /// POST /v2/udfs
    Create,
    /// GET /v2/udfs
    List,
    /// GET /v2/udfs/{id}
    Get,
    /// PUT /v2/udfs/{id}
    Upsert,
    /// DELETE /v2/udfs/{id}
    Delete,
    /// GET …/status
    Status,
    /// POST …/pause
    Pause,
    /// POST …/resume
    Resume,
    /// POST …/reset-failed
    ResetFailed,
    /// POST …/discover
    Discover,
    /// POST …/claim
    Claim,
    /// POST …/items/heartbeat
    Heartbeat,
    /// POST …/items/complete
    Complete,
    /// POST …/items/fail
    Fail,
    /// GET …/dead-letters
    DeadLetters,
}

impl<'a> FunctionRoute<'a> {
    /// The call that `method` on `/v2/udfs` and `rest` is.
    pub fn of(method: &str, rest: &'a str) -> Option<Self> {
        let Some(rest) = rest.strip_prefix('/') else {
            let call = match (method, rest) {
                ("POST", "") => FunctionCall::Create,
                ("GET", "") => FunctionCall::List,
                _ => return None,
            };
            return Some(Self { call, function: "" });
        };
        let (function, action) = rest.split_once('/').map_or((rest, None), |(id, action)| (id, Some(action)));
        let call = match (method, action) {
            ("GET", None) => FunctionCall::Get,
            ("PUT", None) => FunctionCall::Upsert,
            ("DELETE", None) => FunctionCall::Delete,
            ("GET", Some("status")) => FunctionCall::Status,
            ("POST", Some("pause")) => FunctionCall::Pause,
            ("POST", Some("resume")) => FunctionCall::Resume,
            ("POST", Some("reset-failed")) => FunctionCall::ResetFailed,
            ("POST", Some("discover")) => FunctionCall::Discover,
            ("POST", Some("claim")) => FunctionCall::Claim,
            ("POST", Some("items/heartbeat")) => FunctionCall::Heartbeat,
            ("POST", Some("items/complete")) => FunctionCall::Complete,
            ("POST", Some("items/fail")) => FunctionCall::Fail,
            ("GET", Some("dead-letters")) => FunctionCall::DeadLetters,
            _ => return None,
        };
        (!function.is_empty()).then_some(Self { call, function })
    }
}

impl FunctionCall {
    /// Its name for metrics and spans: where the published client has it, the client's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create_udf",
            Self::List => "list_udfs",
            Self::Get => "get_udf",
            Self::Upsert => "upsert_udf",
            Self::Delete => "delete_udf",
            Self::Status => "get_udf_status",
            Self::Pause => "pause_udf",
            Self::Resume => "resume_udf",
            Self::ResetFailed => "reset_failed_udf",
            Self::Discover => "discover_udf",
            Self::Claim => "claim_udf_items",
            Self::Heartbeat => "heartbeat_udf_items",
            Self::Complete => "complete_udf_items",
            Self::Fail => "fail_udf_items",
            Self::DeadLetters => "list_udf_dead_letters",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_known_and_nothing_else() {
        use FunctionCall::*;
        for (method, rest, call, function) in [
            ("POST", "", Create, ""),
            ("GET", "", List, ""),
            ("GET", "/f", Get, "f"),
            ("PUT", "/f", Upsert, "f"),
            ("DELETE", "/f", Delete, "f"),
            ("GET", "/f/status", Status, "f"),
            ("POST", "/f/pause", Pause, "f"),
            ("POST", "/f/resume", Resume, "f"),
            ("POST", "/f/reset-failed", ResetFailed, "f"),
            ("POST", "/f/discover", Discover, "f"),
            ("POST", "/f/claim", Claim, "f"),
            ("POST", "/f/items/heartbeat", Heartbeat, "f"),
            ("POST", "/f/items/complete", Complete, "f"),
            ("POST", "/f/items/fail", Fail, "f"),
            ("GET", "/f/dead-letters", DeadLetters, "f"),
        ] {
            assert_eq!(FunctionRoute::of(method, rest), Some(FunctionRoute { call, function }), "{method} {rest}");
        }
        for (method, rest) in
            [("GET", "x"), ("GET", "/"), ("POST", "/f"), ("GET", "/f/claim"), ("POST", "/f/items"), ("POST", "//claim")]
        {
            assert_eq!(FunctionRoute::of(method, rest), None, "{method} {rest}");
        }
    }
}
