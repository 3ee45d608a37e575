//! Which call on pipelines a path and method are.
//!
//! A document's id is data for pipeline-worker, never a path for the origin: it may hold anything. A slash in it may be
//! encoded, or not, as the published clients send it: what stands behind `documents/` is the id, but for the last segment
//! of the calls that have one more.

/// A call on pipelines. The ids are as they stand in the path, still percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipelineRoute<'a> {
    /// What is asked.
    pub call: PipelineCall,
    /// The pipeline's id; empty where the call is about none.
    pub pipeline: &'a str,
    /// The document's id; empty where the call is about none.
    pub document: &'a str,
}

/// What is asked of pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PipelineCall {
    /// POST /v2/pipelines
    Create,
    /// GET /v2/pipelines
    List,
    /// GET /v2/pipelines/{id}
    Get,
    /// DELETE /v2/pipelines/{id}
    Delete,
    /// GET …/status
    Status,
    /// POST …/claim
    Claim,
    /// POST …/documents/heartbeat
    Heartbeat,
    /// POST …/documents/stage
    SetStage,
    /// POST …/documents/complete
    Complete,
    /// POST …/documents/fail
    Fail,
    /// POST …/documents/release
    Release,
    /// GET …/documents/{doc}
    Document,
    /// PUT …/documents/{doc}
    PutChunks,
    /// GET …/documents/{doc}/chunks
    GetChunks,
    /// PUT …/documents/{doc}/vectors
    PutVectors,
    /// PUT …/documents/{doc}/rows
    PutDocumentRows,
    /// PUT …/rows
    PutRows,
    /// GET …/dead-letters
    DeadLetters,
    /// POST …/dead-letters/requeue
    Requeue,
}

impl<'a> PipelineRoute<'a> {
    /// The call that `method` on `/v2/pipelines` and `rest` is.
    pub fn of(method: &str, rest: &'a str) -> Option<Self> {
        let Some(rest) = rest.strip_prefix('/') else {
            let call = match (method, rest) {
                ("POST", "") => PipelineCall::Create,
                ("GET", "") => PipelineCall::List,
                _ => return None,
            };
            return Some(Self { call, pipeline: "", document: "" });
        };
        let (pipeline, action) = rest.split_once('/').map_or((rest, None), |(id, action)| (id, Some(action)));
        let (call, document) = match action.map(|action| action.split_once('/').unwrap_or((action, ""))) {
            Some(("documents", of)) => of_documents(method, of)?,
            _ => (of_pipeline(method, action)?, ""),
        };
        (!pipeline.is_empty()).then_some(Self { call, pipeline, document })
    }
}

fn of_pipeline(method: &str, action: Option<&str>) -> Option<PipelineCall> {
    Some(match (method, action) {
        ("GET", None) => PipelineCall::Get,
        ("DELETE", None) => PipelineCall::Delete,
        ("GET", Some("status")) => PipelineCall::Status,
        ("POST", Some("claim")) => PipelineCall::Claim,
        ("PUT", Some("rows")) => PipelineCall::PutRows,
        ("GET", Some("dead-letters")) => PipelineCall::DeadLetters,
        ("POST", Some("dead-letters/requeue")) => PipelineCall::Requeue,
        _ => return None,
    })
}

fn of_documents<'a>(method: &str, of: &'a str) -> Option<(PipelineCall, &'a str)> {
    let call = match (method, of) {
        (_, "") => return None,
        ("POST", "heartbeat") => PipelineCall::Heartbeat,
        ("POST", "stage") => PipelineCall::SetStage,
        ("POST", "complete") => PipelineCall::Complete,
        ("POST", "fail") => PipelineCall::Fail,
        ("POST", "release") => PipelineCall::Release,
        _ => return of_document(method, of),
    };
    Some((call, ""))
}

fn of_document<'a>(method: &str, of: &'a str) -> Option<(PipelineCall, &'a str)> {
    let ending = |end: &str| of.strip_suffix(end).filter(|document| !document.is_empty());
    Some(match method {
        "GET" => match ending("/chunks") {
            Some(document) => (PipelineCall::GetChunks, document),
            None => (PipelineCall::Document, of),
        },
        "PUT" => match (ending("/vectors"), ending("/rows")) {
            (Some(document), _) => (PipelineCall::PutVectors, document),
            (_, Some(document)) => (PipelineCall::PutDocumentRows, document),
            _ => (PipelineCall::PutChunks, of),
        },
        _ => return None,
    })
}

impl PipelineCall {
    /// Its name for metrics and spans: where the published client has it, the client's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create_pipeline",
            Self::List => "list_pipelines",
            Self::Get => "get_pipeline",
            Self::Delete => "delete_pipeline",
            Self::Status => "get_pipeline_status",
            Self::Claim => "claim_documents",
            Self::Heartbeat => "heartbeat_documents",
            Self::SetStage => "set_documents_stage",
            Self::Complete => "complete_documents",
            Self::Fail => "fail_documents",
            Self::Release => "release_documents",
            Self::Document => "get_pipeline_document",
            Self::PutChunks => "put_pipeline_document_chunks",
            Self::GetChunks => "get_pipeline_document_chunks",
            Self::PutVectors => "put_pipeline_document_vectors",
            Self::PutDocumentRows => "put_pipeline_document_rows",
            Self::PutRows => "put_pipeline_rows",
            Self::DeadLetters => "list_pipeline_dead_letters",
            Self::Requeue => "requeue_pipeline_dead_letters",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_known() {
        use PipelineCall::*;
        for (method, rest, call, pipeline, document) in [
            ("POST", "", Create, "", ""),
            ("GET", "", List, "", ""),
            ("GET", "/p", Get, "p", ""),
            ("DELETE", "/p", Delete, "p", ""),
            ("GET", "/p/status", Status, "p", ""),
            ("POST", "/p/claim", Claim, "p", ""),
            ("POST", "/p/documents/heartbeat", Heartbeat, "p", ""),
            ("POST", "/p/documents/stage", SetStage, "p", ""),
            ("POST", "/p/documents/complete", Complete, "p", ""),
            ("POST", "/p/documents/fail", Fail, "p", ""),
            ("POST", "/p/documents/release", Release, "p", ""),
            ("GET", "/p/documents/d", Document, "p", "d"),
            ("PUT", "/p/documents/d", PutChunks, "p", "d"),
            ("PUT", "/p/documents/stage", PutChunks, "p", "stage"),
            ("GET", "/p/documents/d/chunks", GetChunks, "p", "d"),
            ("PUT", "/p/documents/d/vectors", PutVectors, "p", "d"),
            ("PUT", "/p/documents/d/rows", PutDocumentRows, "p", "d"),
            ("PUT", "/p/rows", PutRows, "p", ""),
            ("GET", "/p/dead-letters", DeadLetters, "p", ""),
            ("POST", "/p/dead-letters/requeue", Requeue, "p", ""),
        ] {
            let route = PipelineRoute::of(method, rest);
            assert_eq!(route, Some(PipelineRoute { call, pipeline, document }), "{method} {rest}");
        }
    }

    #[test]
    fn a_documents_id_may_hold_anything() {
        for (method, rest, call, document) in [
            ("PUT", "/p/documents/a%2Fb", PipelineCall::PutChunks, "a%2Fb"),
            ("PUT", "/p/documents/a/b.pdf", PipelineCall::PutChunks, "a/b.pdf"),
            ("PUT", "/p/documents//data/x/vectors", PipelineCall::PutVectors, "/data/x"),
            ("GET", "/p/documents/../%2e%2e/chunks", PipelineCall::GetChunks, "../%2e%2e"),
            ("GET", "/p/documents/chunks", PipelineCall::Document, "chunks"),
            ("PUT", "/p/documents/vectors%2Frows", PipelineCall::PutChunks, "vectors%2Frows"),
        ] {
            let route = PipelineRoute::of(method, rest);
            assert_eq!(route, Some(PipelineRoute { call, pipeline: "p", document }), "{method} {rest}");
        }
    }

    #[test]
    fn anything_else_is_no_route() {
        for (method, rest) in [
            ("GET", "s"),
            ("GET", "/"),
            ("GET", "//status"),
            ("PUT", ""),
            ("HEAD", "/p"),
            ("POST", "/p"),
            ("GET", "/p/"),
            ("GET", "/p/documents"),
            ("GET", "/p/documents/"),
            ("POST", "/p/documents/d"),
            ("DELETE", "/p/documents/d"),
            ("POST", "/p/status"),
            ("POST", "/p/dead-letters"),
        ] {
            assert_eq!(PipelineRoute::of(method, rest), None, "{method} {rest}");
        }
    }
}
