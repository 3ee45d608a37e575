//! Schema changes: `{attr: "type" | {config} | {"drop": true}}`.

use std::collections::BTreeMap;

use layer_proto::types::v1::attribute_config::{AnnSetting, EmbedSetting, FullTextSearchSetting};
use layer_proto::types::v1::attribute_schema_change::Kind;
use layer_proto::types::v1::{
    Ann, AttributeConfig, AttributeSchemaChange, DistanceMetric, EmbedConfig, FullTextSearch, SparseKnn,
};

use super::encoder::Encoder;
use super::names;
use super::value;

const KNOWN_FIELDS: [&str; 10] =
    ["type", "filterable", "full_text_search", "regex", "glob", "fuzzy", "ann", "sparse_knn", "embed", "drop"];

/// Writes schema changes as an object.
pub(super) fn changes<'a>(e: &mut Encoder<'a>, schema: &'a BTreeMap<String, AttributeSchemaChange>) {
    e.object(|e| {
        for (name, change) in schema {
            e.entry(name, |e| {
                e.check(!name.is_empty(), "names of attributes are not empty");
                e.json.key(name);
                one(e, change);
            });
        }
    });
}

fn one<'a>(e: &mut Encoder<'a>, change: &'a AttributeSchemaChange) {
    match &change.kind {
        Some(Kind::Config(config)) => e.field("config", |e| e.object(|e| members(e, config))),
        Some(Kind::TypeOnly(name)) => e.field("type_only", |e| names::required_text(e, name)),
        Some(Kind::Drop(truth)) => e.field("drop", |e| {
            e.check(*truth, "must be true");
            e.object(|e| e.member("drop", |e| e.json.scalar(truth)));
        }),
        None => e.violation("must have one of config, type_only, drop"),
    }
}

fn members<'a>(e: &mut Encoder<'a>, config: &'a AttributeConfig) {
    e.member("type", |e| names::required_text(e, &config.r#type));
    flag(e, "filterable", config.filterable);
    match &config.full_text_search_setting {
        Some(FullTextSearchSetting::FullTextSearchEnabled(on)) => flag(e, "full_text_search", Some(*on)),
        Some(FullTextSearchSetting::FullTextSearch(parameters)) => {
            e.member("full_text_search", |e| e.object(|e| full_text_search(e, parameters)));
        }
        None => (),
    }
    flag(e, "regex", config.regex);
    flag(e, "glob", config.glob);
    flag(e, "fuzzy", config.fuzzy);
    match &config.ann_setting {
        Some(AnnSetting::AnnEnabled(on)) => flag(e, "ann", Some(*on)),
        Some(AnnSetting::Ann(parameters)) => e.member("ann", |e| e.object(|e| ann(e, parameters))),
        None => (),
    }
    if let Some(parameters) = &config.sparse_knn {
        e.member("sparse_knn", |e| sparse_knn(e, parameters));
    }
    embed_setting(e, config.embed_setting.as_ref());
    names::additional(e, &config.additional_fields, &KNOWN_FIELDS);
}

fn flag(e: &mut Encoder<'_>, name: &'static str, setting: Option<bool>) {
    if let Some(on) = setting {
        e.member(name, |e| e.json.scalar(&on));
    }
}

fn full_text_search(e: &mut Encoder<'_>, parameters: &FullTextSearch) {
    text(e, "tokenizer", parameters.tokenizer.as_ref());
    text(e, "language", parameters.language.as_ref());
    flag(e, "stemming", parameters.stemming);
    flag(e, "remove_stopwords", parameters.remove_stopwords);
    flag(e, "case_sensitive", parameters.case_sensitive);
    flag(e, "ascii_folding", parameters.ascii_folding);
    if let Some(length) = parameters.max_token_length {
        e.member("max_token_length", |e| {
            e.check((1..=254).contains(&length), "must be 1 to 254");
            e.json.scalar(&length);
        });
    }
    number(e, "k1", parameters.k1);
    number(e, "b", parameters.b);
    number(e, "k3", parameters.k3);
}

fn text(e: &mut Encoder<'_>, name: &'static str, setting: Option<&String>) {
    if let Some(text) = setting {
        e.member(name, |e| names::required_text(e, text));
    }
}

fn number(e: &mut Encoder<'_>, name: &'static str, setting: Option<f64>) {
    if let Some(number) = setting {
        e.member(name, |e| value::float(e, number));
    }
}

fn ann(e: &mut Encoder<'_>, parameters: &Ann) {
    optional_metric(e, parameters.distance_metric);
    flag(e, "late_interaction", parameters.late_interaction);
}

fn sparse_knn(e: &mut Encoder<'_>, parameters: &SparseKnn) {
    e.object(|e| {
        e.member("distance_metric", |e| {
            let metric = DistanceMetric::try_from(parameters.distance_metric);
            let dot = matches!(metric, Ok(DistanceMetric::Unspecified | DistanceMetric::DotProduct));
            e.check(dot, "must be the dot product");
            e.json.scalar("dot_product");
        });
    });
}

fn embed_setting(e: &mut Encoder<'_>, setting: Option<&EmbedSetting>) {
    match setting {
        Some(EmbedSetting::Embed(config)) => e.member("embed", |e| e.object(|e| embed(e, config))),
        Some(EmbedSetting::EmbedRemoved(truth)) => {
            e.field("embed_removed", |e| e.check(*truth, "must be true"));
            e.json.key("embed");
            e.json.scalar(&());
        }
        None => (),
    }
}

fn embed(e: &mut Encoder<'_>, config: &EmbedConfig) {
    e.member("model", |e| names::required_text(e, &config.model));
    text(e, "attribute", config.attribute.as_ref());
    if let Some(dims) = config.dims {
        e.member("dims", |e| e.json.scalar(&dims));
    }
    text(e, "dtype", config.dtype.as_ref());
}

/// Writes a metric of dense vectors, if one is set.
pub(super) fn optional_metric(e: &mut Encoder<'_>, metric: i32) {
    let name = match DistanceMetric::try_from(metric) {
        Ok(DistanceMetric::Unspecified) => return,
        Ok(DistanceMetric::CosineDistance) => "cosine_distance",
        Ok(DistanceMetric::EuclideanSquared) => "euclidean_squared",
        _ => return e.field("distance_metric", |e| e.violation("must be the cosine or Euclidean distance")),
    };
    e.member("distance_metric", |e| e.json.scalar(name));
}
