//! The descriptor set is complete: reflection accepts it and finds the services and the error details.

use prost::Message;
use prost_types::FileDescriptorSet;

fn message_names() -> Vec<String> {
    let set = FileDescriptorSet::decode(layer_proto::FILE_DESCRIPTOR_SET).expect("a descriptor set");
    set.file
        .iter()
        .flat_map(|file| file.message_type.iter().map(|message| format!("{}.{}", file.package(), message.name())))
        .collect()
}

#[test]
fn reflection_serves_the_descriptors() {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(layer_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("reflection accepts the descriptors with all their imports");
}

#[test]
fn the_contract_and_the_error_details_are_there() {
    let names = message_names();
    for name in [
        "layer.router.v1.QueryRequest",
        "layer.pipeline.v1.ClaimRequest",
        "layer.function.v1.ClaimRequest",
        "layer.types.v1.Filter",
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} is missing");
    }
}

#[test]
fn the_service_is_named_for_clients() {
    let name = <layer_proto::router::v1::query_router_service_server::QueryRouterServiceServer<()> as tonic::server::NamedService>::NAME;
    assert_eq!(name, "layer.router.v1.QueryRouterService");
}
