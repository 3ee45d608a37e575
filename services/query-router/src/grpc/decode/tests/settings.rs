use layer_proto::types::v1::attribute_config::{AnnSetting, EmbedSetting, FullTextSearchSetting};
use layer_proto::types::v1::encryption::Mode;
use layer_proto::types::v1::{
    Ann, AttributeConfig, CustomerManagedEncryption, DefaultEncryption, DistanceMetric, EmbedConfig, Encryption, Index,
    IndexStatus, Pinning, PinningStatus, Sharding, SparseKnn,
};
use prost_types::Timestamp;

use super::*;

fn typed(name: &str) -> AttributeConfig {
    AttributeConfig { r#type: name.to_owned(), ..AttributeConfig::default() }
}

#[test]
fn the_schema_view_is_read_with_its_nulls() {
    let body = br#"{"id":{"filterable":null,"full_text_search":null,"type":"uint"},
        "tags":{"filterable":true,"full_text_search":null,"type":"[]string","glob":true},
        "title":{"filterable":false,"full_text_search":{"ascii_folding":false,"b":0.75,"case_sensitive":false,"k1":1.2,
          "k3":8.0,"language":"english","max_token_length":39,"remove_stopwords":false,"stemming":false,
          "tokenizer":"word_v4"},"type":"string"},
        "vector":{"ann":true,"filterable":null,"full_text_search":null,"type":"[2]f32"}}"#;
    let schema = get_schema(body).unwrap().schema;
    assert_eq!(schema["id"], typed("uint"));
    assert_eq!(schema["tags"], AttributeConfig { filterable: Some(true), glob: Some(true), ..typed("[]string") });
    let ann = AttributeConfig { ann_setting: Some(AnnSetting::AnnEnabled(true)), ..typed("[2]f32") };
    assert_eq!(schema["vector"], ann);
    let Some(FullTextSearchSetting::FullTextSearch(search)) = &schema["title"].full_text_search_setting else {
        panic!("no full text search")
    };
    assert_eq!((search.k1, search.b, search.k3), (Some(1.2), Some(0.75), Some(8.0)));
    assert_eq!((search.tokenizer.as_deref(), search.language.as_deref()), (Some("word_v4"), Some("english")));
    assert_eq!((search.max_token_length, search.stemming), (Some(39), Some(false)));
    assert_eq!(schema["title"].filterable, Some(false));
}

#[test]
fn settings_that_the_contract_does_not_know_are_passed_on() {
    let body = br#"{"a":{"type":"string","full_text_search":{"language":"tlh","new":1},"later":true}}"#;
    let schema = update_schema(body).unwrap().schema;
    assert_eq!(schema["a"].full_text_search_setting, None);
    let expected = [("full_text_search", "{\"language\":\"tlh\",\"new\":1}"), ("later", "true")]
        .map(|(a, b)| (a.into(), b.into()));
    assert_eq!(schema["a"].additional_fields, expected.into());
}

#[test]
fn metadata_is_read() {
    let body = br#"{"schema":{"id":{"type":"uint"},
          "vector":{"type":"[2]f32","ann":{"distance_metric":"cosine_distance","late_interaction":false}},
          "sparse":{"type":"{}f16","sparse_knn":{"distance_metric":"dot_product"}},
          "text":{"type":"string","embed":{"model":"m","attribute":"e","dims":256,"dtype":"f16"}}},
        "approx_logical_bytes":12,"approx_row_count":3,"created_at":"2024-03-02T00:00:00Z",
        "updated_at":"2024-03-02T00:00:01Z","last_write_at":"2024-03-02T00:00:02.5Z","encryption":{"mode":"default"},
        "index":{"status":"updating","unindexed_bytes":5,"unindexed_rows":6},"read_only":true,
        "pinning":{"replicas":2,"status":{"ready_replicas":1,"replicas":2,"updated_at":"2024-03-02T00:00:00Z",
          "utilization":0.5}},"sharding":{"num_shards":8},"layer":{"a":1}}"#;
    let metadata = get_metadata(body).unwrap().metadata.unwrap();
    let time = |seconds: i64, nanos| Some(Timestamp { seconds: 1_709_337_600 + seconds, nanos });
    assert_eq!((metadata.approx_logical_bytes, metadata.approx_row_count), (12, 3));
    assert_eq!((metadata.created_at, metadata.updated_at), (time(0, 0), time(1, 0)));
    assert_eq!(metadata.last_write_at, time(2, 500_000_000));
    let updating = Index { status: IndexStatus::Updating as i32, unindexed_bytes: 5, unindexed_rows: 6 };
    assert_eq!(metadata.index, Some(updating));
    let status = PinningStatus { ready_replicas: 1, replicas: 2, updated_at: time(0, 0), utilization: 0.5 };
    assert_eq!(metadata.pinning, Some(Pinning { replicas: Some(2), status: Some(status) }));
    assert_eq!((metadata.read_only, metadata.sharding), (true, Some(Sharding { num_shards: 8 })));
    assert_eq!(metadata.additional_fields, [("layer".to_owned(), "{\"a\":1}".to_owned())].into());
    let cosine = Ann { distance_metric: DistanceMetric::CosineDistance as i32, late_interaction: Some(false) };
    assert_eq!(metadata.schema["vector"].ann_setting, Some(AnnSetting::Ann(cosine)));
    let dot = SparseKnn { distance_metric: DistanceMetric::DotProduct as i32 };
    assert_eq!(metadata.schema["sparse"].sparse_knn, Some(dot));
    let embed = EmbedConfig {
        model: "m".to_owned(),
        attribute: Some("e".to_owned()),
        dims: Some(256),
        dtype: Some("f16".to_owned()),
    };
    assert_eq!(metadata.schema["text"].embed_setting, Some(EmbedSetting::Embed(embed)));
}

#[test]
fn encryption_is_read_in_both_shapes() {
    let read = |json: &str| {
        let body = format!(r#"{{"encryption":{json}}}"#);
        update_metadata(body.as_bytes()).unwrap().metadata.unwrap()
    };
    let default = Some(Encryption { mode: Some(Mode::DefaultEncryption(DefaultEncryption {})) });
    let keys = |context: &[(&str, &str)]| {
        let encryption_context = context.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let keys = CustomerManagedEncryption { key_name: "k".to_owned(), encryption_context };
        Some(Encryption { mode: Some(Mode::CustomerManaged(keys)) })
    };
    assert_eq!(read(r#"{"mode":"default"}"#).encryption, default);
    assert_eq!(read(r#"{"sse":true}"#).encryption, default);
    assert_eq!(read(r#"{"cmek":{"key_name":"k"}}"#).encryption, keys(&[]));
    let managed = r#"{"mode":"customer-managed","key_name":"k","encryption_context":{"a":"b"}}"#;
    assert_eq!(read(managed).encryption, keys(&[("a", "b")]));
    let unknown = read(r#"{"mode":"new"}"#);
    assert_eq!((unknown.encryption, unknown.additional_fields.len()), (None, 1));
}

#[test]
fn lists_end_without_a_token() {
    let page = list_namespaces(br#"{"namespaces":[{"id":"a"},{"id":"b"}],"next_cursor":"eyJ="}"#).unwrap();
    assert_eq!(page.namespaces.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(page.next_page_token, "eyJ=");
    let last = list_namespaces(br#"{"namespaces":[],"next_cursor":null}"#).unwrap();
    assert_eq!((last.namespaces.len(), last.next_page_token.as_str()), (0, ""));
}

#[test]
fn short_answers_are_read() {
    assert_eq!(delete_namespace(br#"{"status":"ok"}"#).unwrap().status, "ok");
    let warm = warm_hint(br#"{"status":"ACCEPTED","message":"cache warm hint accepted"}"#).unwrap();
    assert_eq!((warm.status.as_str(), warm.message.as_str()), ("ACCEPTED", "cache warm hint accepted"));
}
