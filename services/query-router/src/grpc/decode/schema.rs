//! Schemas of an answer, both views: the schema route shows nulls, the metadata route leaves them out.

use std::collections::BTreeMap;

use layer_proto::router::v1::{GetSchemaResponse, UpdateSchemaResponse};
use layer_proto::types::v1::attribute_config::{AnnSetting, EmbedSetting, FullTextSearchSetting};
use layer_proto::types::v1::{Ann, AttributeConfig, DistanceMetric, EmbedConfig, FullTextSearch, SparseKnn};

use super::object::{Object, Raw, Unreadable, plain};

/// The schema of a namespace.
pub(in crate::grpc) fn get_schema(body: &[u8]) -> Result<GetSchemaResponse, Unreadable> {
    Ok(GetSchemaResponse { schema: attributes(Object::parse(body)?)? })
}

/// The schema after a change.
pub(in crate::grpc) fn update_schema(body: &[u8]) -> Result<UpdateSchemaResponse, Unreadable> {
    Ok(UpdateSchemaResponse { schema: attributes(Object::parse(body)?)? })
}

/// The settings of every attribute.
pub(super) fn attributes(object: Object<'_>) -> Result<BTreeMap<String, AttributeConfig>, Unreadable> {
    let each = object.entries().map(|(name, raw)| Some((name, attribute(raw)?)));
    each.collect::<Option<_>>().ok_or(Unreadable { field: "schema" })
}

fn attribute(raw: Raw<'_>) -> Option<AttributeConfig> {
    let Some(mut object) = Object::of(raw) else {
        return Some(AttributeConfig { r#type: plain(raw)?, ..AttributeConfig::default() });
    };
    Some(AttributeConfig {
        r#type: object.plain("type")?,
        filterable: object.plain("filterable"),
        full_text_search_setting: object.take("full_text_search", full_text_search),
        regex: object.plain("regex"),
        glob: object.plain("glob"),
        fuzzy: object.plain("fuzzy"),
        ann_setting: object.take("ann", ann),
        sparse_knn: object.take("sparse_knn", sparse_knn),
        embed_setting: object.take("embed", embed).map(EmbedSetting::Embed),
        additional_fields: object.rest(),
    })
}

fn full_text_search(raw: Raw<'_>) -> Option<FullTextSearchSetting> {
    if let Some(enabled) = plain(raw) {
        return Some(FullTextSearchSetting::FullTextSearchEnabled(enabled));
    }
    let mut object = Object::of(raw)?;
    let parameters = FullTextSearch {
        tokenizer: object.plain("tokenizer"),
        language: object.plain("language"),
        stemming: object.plain("stemming"),
        remove_stopwords: object.plain("remove_stopwords"),
        case_sensitive: object.plain("case_sensitive"),
        ascii_folding: object.plain("ascii_folding"),
        max_token_length: object.plain("max_token_length"),
        k1: object.plain("k1"),
        b: object.plain("b"),
        k3: object.plain("k3"),
    };
    known_whole(object).then_some(FullTextSearchSetting::FullTextSearch(parameters))
}

fn ann(raw: Raw<'_>) -> Option<AnnSetting> {
    if let Some(enabled) = plain(raw) {
        return Some(AnnSetting::AnnEnabled(enabled));
    }
    let mut object = Object::of(raw)?;
    let parameters = Ann {
        distance_metric: object.take("distance_metric", metric).unwrap_or_default(),
        late_interaction: object.plain("late_interaction"),
    };
    known_whole(object).then_some(AnnSetting::Ann(parameters))
}

fn sparse_knn(raw: Raw<'_>) -> Option<SparseKnn> {
    let mut object = Object::of(raw)?;
    let distance_metric = object.take("distance_metric", metric).unwrap_or_default();
    known_whole(object).then_some(SparseKnn { distance_metric })
}

fn embed(raw: Raw<'_>) -> Option<EmbedConfig> {
    if let Some(model) = plain(raw) {
        return Some(EmbedConfig { model, ..EmbedConfig::default() });
    }
    let mut object = Object::of(raw)?;
    let config = EmbedConfig {
        model: object.plain("model")?,
        attribute: object.plain("attribute"),
        dims: object.plain("dims"),
        dtype: object.plain("dtype"),
    };
    known_whole(object).then_some(config)
}

/// A setting with a field that the contract does not know is left to `additional_fields`, so that nothing is lost.
fn known_whole(object: Object<'_>) -> bool {
    object.rest().is_empty()
}

fn metric(raw: Raw<'_>) -> Option<i32> {
    let metric = match plain::<String>(raw)?.as_str() {
        "cosine_distance" => DistanceMetric::CosineDistance,
        "euclidean_squared" => DistanceMetric::EuclideanSquared,
        "dot_product" => DistanceMetric::DotProduct,
        _ => return None,
    };
    Some(metric as i32)
}
