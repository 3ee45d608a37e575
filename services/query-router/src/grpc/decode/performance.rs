//! What a request cost.

use layer_proto::types::v1::{QueryBilling, QueryPerformance, WriteBilling, WritePerformance};

use super::object::{Object, Raw};

/// What the origin bills for a query.
pub(super) fn query_billing(raw: Raw<'_>) -> Option<QueryBilling> {
    let mut object = Object::of(raw)?;
    Some(QueryBilling {
        billable_logical_bytes_queried: object.count("billable_logical_bytes_queried").unwrap_or_default(),
        billable_logical_bytes_returned: object.count("billable_logical_bytes_returned").unwrap_or_default(),
        additional_fields: object.rest(),
    })
}

/// What the origin bills for a write.
pub(super) fn write_billing(raw: Raw<'_>) -> Option<WriteBilling> {
    let mut object = Object::of(raw)?;
    Some(WriteBilling {
        billable_logical_bytes_written: object.count("billable_logical_bytes_written").unwrap_or_default(),
        query: object.take("query", query_billing),
        additional_fields: object.rest(),
    })
}

/// How a query went.
pub(super) fn query_performance(raw: Raw<'_>) -> Option<QueryPerformance> {
    let mut object = Object::of(raw)?;
    Some(QueryPerformance {
        approx_namespace_size: object.count("approx_namespace_size").unwrap_or_default(),
        cache_hit_ratio: object.plain("cache_hit_ratio").unwrap_or_default(),
        cache_temperature: object.plain("cache_temperature").unwrap_or_default(),
        exhaustive_search_count: object.count("exhaustive_search_count").unwrap_or_default(),
        query_execution_ms: object.count("query_execution_ms").unwrap_or_default(),
        server_total_ms: object.count("server_total_ms").unwrap_or_default(),
        embedding_ms: object.count("embedding_ms"),
        embedding_tokens: object.count("embedding_tokens"),
        last_included_write_at: object.time("last_included_write_at"),
        additional_fields: object.rest(),
    })
}

/// How a write went.
pub(super) fn write_performance(raw: Raw<'_>) -> Option<WritePerformance> {
    let mut object = Object::of(raw)?;
    Some(WritePerformance {
        server_total_ms: object.count("server_total_ms").unwrap_or_default(),
        embedding_ms: object.count("embedding_ms"),
        embedding_tokens: object.count("embedding_tokens"),
        additional_fields: object.rest(),
    })
}
