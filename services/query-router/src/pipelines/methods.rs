//! The gRPC methods that are handed over, by their paths.

/// The route's name, the same as over HTTP, of a method that is handed over; none for any other path.
pub(super) fn name(path: &str) -> Option<&'static str> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let known = match service {
        "layer.pipeline.v1.PipelineService" => PIPELINES,
        "layer.function.v1.FunctionService" => FUNCTIONS,
        _ => return None,
    };
    known.iter().find(|(known, _)| *known == method).map(|(_, name)| *name)
}

const PIPELINES: &[(&str, &str)] = &[
    ("CreatePipeline", "create_pipeline"),
    ("GetPipeline", "get_pipeline"),
    ("ListPipelines", "list_pipelines"),
    ("DeletePipeline", "delete_pipeline"),
    ("GetPipelineStatus", "get_pipeline_status"),
    ("StageDocuments", "put_pipeline_document_chunks"),
    ("GetChunks", "get_pipeline_document_chunks"),
    ("GetDocuments", "get_pipeline_document"),
    ("Claim", "claim_documents"),
    ("Heartbeat", "heartbeat_documents"),
    ("Release", "release_documents"),
    ("Fail", "fail_documents"),
    ("Complete", "complete_documents"),
    ("PutRows", "put_pipeline_rows"),
    ("SetStage", "set_documents_stage"),
    ("ListDeadLetters", "list_pipeline_dead_letters"),
    ("RequeueDeadLetters", "requeue_pipeline_dead_letters"),
];

const FUNCTIONS: &[(&str, &str)] = &[
    ("CreateFunction", "create_udf"),
    ("UpsertFunction", "upsert_udf"),
    ("GetFunction", "get_udf"),
    ("ListFunctions", "list_udfs"),
    ("DeleteFunction", "delete_udf"),
    ("PauseFunction", "pause_udf"),
    ("ResumeFunction", "resume_udf"),
    ("ResetFailed", "reset_failed_udf"),
    ("ListDeadLetters", "list_udf_dead_letters"),
    ("Discover", "discover_udf"),
    ("Claim", "claim_udf_items"),
    ("Heartbeat", "heartbeat_udf_items"),
    ("Complete", "complete_udf_items"),
    ("Fail", "fail_udf_items"),
];

/// What only the router itself calls.
#[cfg(test)]
const INTERNAL: &[&str] = &["NotifyWrites"];

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::pipelines::SERVICES;

    #[test]
    fn every_method_of_the_contract_is_handed_over() {
        let set = FileDescriptorSet::decode(layer_proto::FILE_DESCRIPTOR_SET).unwrap();
        let mut found = 0;
        for file in &set.file {
            for service in &file.service {
                let full = format!("{}.{}", file.package(), service.name());
                if !SERVICES.contains(&full.as_str()) {
                    continue;
                }
                for method in &service.method {
                    let path = format!("/{full}/{}", method.name());
                    let handed_over = !INTERNAL.contains(&method.name());
                    assert_eq!(name(&path).is_some(), handed_over, "{path}");
                    found += usize::from(handed_over);
                }
            }
        }
        assert_eq!(found, PIPELINES.len() + FUNCTIONS.len());
    }

    #[test]
    fn nothing_else_is() {
        for path in ["", "/", "/layer.router.v1.QueryRouterService/Query", "/layer.pipeline.v1.PipelineService/New"] {
            assert_eq!(name(path), None, "{path}");
        }
    }
}
