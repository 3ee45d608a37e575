use http::Method;
use layer_proto::router::v1::update_metadata_request::PinningSetting;
use layer_proto::router::v1::{
    DeleteNamespaceRequest, GetMetadataRequest, GetSchemaRequest, ListNamespacesRequest, UpdateMetadataRequest,
    UpdateSchemaRequest, WarmHintRequest,
};
use layer_proto::types::v1::attribute_config::{AnnSetting, EmbedSetting, FullTextSearchSetting};
use layer_proto::types::v1::attribute_schema_change::Kind;
use layer_proto::types::v1::{
    Ann, AttributeConfig, AttributeSchemaChange, DistanceMetric, EmbedConfig, FullTextSearch, Pinning, SparseKnn,
};
use serde_json::json;

use super::*;
use crate::grpc::encode;

fn schema_json(kind: Kind) -> Json {
    let schema = [("a".to_owned(), AttributeSchemaChange { kind: Some(kind) })].into();
    body(encode::update_schema(&UpdateSchemaRequest { namespace: "docs".to_owned(), schema }))["a"].clone()
}

fn config(change: impl FnOnce(&mut AttributeConfig)) -> Json {
    let mut config = AttributeConfig { r#type: "string".to_owned(), ..AttributeConfig::default() };
    change(&mut config);
    schema_json(Kind::Config(config))
}

#[test]
fn schema_changes_have_the_wires_three_forms() {
    assert_eq!(schema_json(Kind::TypeOnly("[]string".to_owned())), json!("[]string"));
    assert_eq!(schema_json(Kind::Drop(true)), json!({"drop": true}));
    assert_eq!(config(|_| ()), json!({"type": "string"}));
}

#[test]
fn attribute_settings_say_all_they_can() {
    let full = config(|config| {
        config.filterable = Some(false);
        config.full_text_search_setting = Some(FullTextSearchSetting::FullTextSearch(FullTextSearch {
            tokenizer: Some("word_v3".to_owned()),
            language: Some("german".to_owned()),
            stemming: Some(true),
            remove_stopwords: Some(false),
            case_sensitive: Some(false),
            ascii_folding: Some(true),
            max_token_length: Some(254),
            k1: Some(1.5),
            b: Some(0.0),
            k3: Some(8.0),
        }));
        config.regex = Some(true);
        config.glob = Some(true);
        config.fuzzy = Some(false);
        config.embed_setting = Some(EmbedSetting::Embed(EmbedConfig {
            model: "m".to_owned(),
            attribute: Some("v".to_owned()),
            dims: Some(256),
            dtype: Some("f32".to_owned()),
        }));
        config.additional_fields = [("later".to_owned(), "[1]".to_owned())].into();
    });
    let expected = json!({
        "type": "string", "filterable": false, "regex": true, "glob": true, "fuzzy": false, "later": [1],
        "full_text_search": {"tokenizer": "word_v3", "language": "german", "stemming": true,
            "remove_stopwords": false, "case_sensitive": false, "ascii_folding": true, "max_token_length": 254,
            "k1": 1.5, "b": 0.0, "k3": 8.0},
        "embed": {"model": "m", "attribute": "v", "dims": 256, "dtype": "f32"},
    });
    assert_eq!(full, expected);
}

#[test]
fn switches_are_truth_values_or_settings() {
    let on = config(|config| {
        config.full_text_search_setting = Some(FullTextSearchSetting::FullTextSearchEnabled(true));
        config.ann_setting = Some(AnnSetting::AnnEnabled(false));
        config.embed_setting = Some(EmbedSetting::EmbedRemoved(true));
        config.sparse_knn = Some(SparseKnn::default());
    });
    let expected = json!({"type": "string", "full_text_search": true, "ann": false, "embed": null,
        "sparse_knn": {"distance_metric": "dot_product"}});
    assert_eq!(on, expected);
    let metric = DistanceMetric::CosineDistance as i32;
    let ann = config(|config| {
        config.ann_setting = Some(AnnSetting::Ann(Ann { distance_metric: metric, late_interaction: Some(true) }));
    });
    let expected = json!({"type": "string", "ann": {"distance_metric": "cosine_distance", "late_interaction": true}});
    assert_eq!(ann, expected);
}

#[test]
fn requests_without_a_body_are_routes() {
    let namespace = || "a.b-c_D9".to_owned();
    for (encoded, method, target) in [
        (
            encode::get_metadata(&GetMetadataRequest { namespace: namespace() }),
            Method::GET,
            "/v2/namespaces/a.b-c_D9/metadata",
        ),
        (
            encode::get_schema(&GetSchemaRequest { namespace: namespace() }),
            Method::GET,
            "/v1/namespaces/a.b-c_D9/schema",
        ),
        (
            encode::warm_hint(&WarmHintRequest { namespace: namespace() }),
            Method::GET,
            "/v1/namespaces/a.b-c_D9/hint_cache_warm",
        ),
        (
            encode::delete_namespace(&DeleteNamespaceRequest { namespace: namespace() }),
            Method::DELETE,
            "/v2/namespaces/a.b-c_D9",
        ),
    ] {
        let sent = sent(encoded);
        assert_eq!((sent.method, sent.target.as_str(), sent.body.len()), (method, target, 0));
    }
}

#[test]
fn lists_are_paged_and_their_parameters_escaped() {
    let list = |prefix: &str, page_size, page_token: &str| {
        let request = ListNamespacesRequest { prefix: prefix.to_owned(), page_size, page_token: page_token.to_owned() };
        sent(encode::list_namespaces(&request)).target
    };
    assert_eq!(list("", 0, ""), "/v1/namespaces?page_size=1000");
    assert_eq!(list("", 5000, ""), "/v1/namespaces?page_size=1000");
    assert_eq!(
        list("a&b=c/ü", 2, "e+/=="),
        "/v1/namespaces?page_size=2&prefix=a%26b%3Dc%2F%C3%BC&cursor=e%2B%2F%3D%3D"
    );
}

#[test]
fn settings_of_a_namespace_change_one_by_one() {
    let patch = |pinning_setting, read_only| {
        let request = UpdateMetadataRequest { namespace: "docs".to_owned(), pinning_setting, read_only };
        let sent = sent(encode::update_metadata(&request));
        assert_eq!((sent.method, sent.target.as_str()), (Method::PATCH, "/v1/namespaces/docs/metadata"));
        serde_json::from_slice::<Json>(&sent.body).unwrap()
    };
    assert_eq!(patch(None, Some(true)), json!({"read_only": true}));
    assert_eq!(patch(Some(PinningSetting::PinningEnabled(false)), None), json!({"pinning": false}));
    let two = Pinning { replicas: Some(2), status: None };
    assert_eq!(patch(Some(PinningSetting::Pinning(two)), None), json!({"pinning": {"replicas": 2}}));
    assert_eq!(patch(Some(PinningSetting::Pinning(Pinning::default())), None), json!({"pinning": {}}));
}
