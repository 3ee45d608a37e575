//! Rows, through the router.
//!
//! What is read here is read strongly: a worker's input is what the row is now. Nothing here tries again: who calls
//! repeats, and leases give the time.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::{
    RouterCalls,
    errors::{Trouble, trouble},
    item_id::spelled_alike,
    marks::{STAMP, all_of, among, behind},
};
use layer_proto::{
    router::v1::{BatchFetchRequest, GetSchemaRequest, QueryRequest, UpdateSchemaRequest, WriteRequest, WriteResponse},
    types::v1::{
        AttributeSchemaChange, Consistency, ConsistencyLevel, Filter, Id, Limit, OrderBy, OrderKey, Query, RankBy,
        ResultRow, query, rank_by,
    },
};

use crate::points;

/// A row, as it is now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The id as the origin spells it.
    pub(crate) id: Id,
    pub(crate) attributes: Attributes,
    /// When it was written last through Layer, in milliseconds since 1970.
    pub(crate) stamp: Option<i64>,
}

/// Attributes by name.
pub(crate) type Attributes = BTreeMap<String, layer_proto::types::v1::Value>;

/// The router, with the time for a call.
#[derive(Debug, Clone)]
pub(crate) struct Rows<R> {
    pub(crate) router: R,
    pub(crate) within: Duration,
}

impl<R: RouterCalls> Rows<R> {
    /// Reads rows strongly, with these attributes. By the ids that were asked for; who is not there has no entry.
    pub(crate) async fn read(
        &self,
        namespace: &str,
        ids: &[Id],
        attributes: &[String],
    ) -> Result<HashMap<String, Row>, Trouble> {
        let mut include_attributes = attributes.to_vec();
        include_attributes.push(STAMP.to_owned());
        let request = BatchFetchRequest {
            namespace: namespace.to_owned(),
            ids: ids.to_vec(),
            include_attributes,
            consistency: Some(strong()),
            ..BatchFetchRequest::default()
        };
        let documents = self.router.fetch(request, self.within).await.map_err(trouble)?;
        let found = documents.into_iter().filter_map(|document| {
            let id = document.id?;
            Some((key(&id), row(id, document.attributes)))
        });
        Ok(found.collect())
    }

    /// Reads whole rows, strongly: all attributes but the stamp, Layer's own too.
    pub(crate) async fn read_whole(
        &self,
        namespace: &str,
        ids: &[Id],
        types: &BTreeMap<String, String>,
    ) -> Result<HashMap<String, Row>, Trouble> {
        let query = Query {
            rank_by: Some(by_id()),
            limit: Some(Limit { total: u32::try_from(ids.len()).unwrap_or(u32::MAX), per: None }),
            filters: Some(among(ids)),
            include: Some(query::Include::IncludeAllAttributes(true)),
            ..Query::default()
        };
        let mut request = asked(namespace, query);
        request.attribute_types.clone_from(types);
        let rows = self.rows(request, self.within).await?;
        Ok(rows
            .into_iter()
            .filter_map(|found| Some((found.id?, found.attributes)))
            .map(|(id, attributes)| (key(&id), row(id, attributes)))
            .collect())
    }

    /// Which of these rows a filter holds for.
    pub(crate) async fn matching(&self, namespace: &str, ids: &[Id], filter: &Filter) -> Result<Vec<String>, Trouble> {
        let total = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let rows = self.page(namespace, all_of(vec![among(ids), filter.clone()]), total, self.within).await?;
        Ok(rows.iter().map(key).collect())
    }

    /// The ids of the first rows that a filter holds for, in their order, from behind `after`.
    pub(crate) async fn page_behind(
        &self,
        namespace: &str,
        filters: Vec<Filter>,
        after: Option<&Id>,
        total: u32,
        within: Duration,
    ) -> Result<Vec<Id>, Trouble> {
        let filters: Vec<_> = filters.into_iter().chain(after.and_then(behind)).collect();
        let query = Query {
            rank_by: Some(by_id()),
            limit: Some(Limit { total, per: None }),
            filters: (!filters.is_empty()).then(|| all_of(filters)),
            ..Query::default()
        };
        let rows = self.rows(asked(namespace, query), within).await?;
        Ok(rows.into_iter().filter_map(|row| row.id).collect())
    }

    async fn page(&self, namespace: &str, filter: Filter, total: u32, within: Duration) -> Result<Vec<Id>, Trouble> {
        self.page_behind(namespace, vec![filter], None, total, within).await
    }

    async fn rows(&self, request: QueryRequest, within: Duration) -> Result<Vec<ResultRow>, Trouble> {
        let answer = self.router.query(request, within).await.map_err(trouble)?;
        Ok(answer.result.map(|result| result.rows).unwrap_or_default())
    }

    pub(crate) async fn write(&self, request: WriteRequest) -> Result<WriteResponse, Trouble> {
        points::reach("function.write.before");
        let written = self.router.write(request, self.within).await;
        points::reach("function.write.after");
        written.map_err(trouble)
    }

    /// The types of a namespace's attributes by name, but of Layer's own.
    pub(crate) async fn types(&self, namespace: &str) -> Result<BTreeMap<String, String>, Trouble> {
        let request = GetSchemaRequest { namespace: namespace.to_owned() };
        let schema = self.router.schema(request, self.within).await.map_err(trouble)?.schema;
        Ok(schema.into_iter().map(|(name, config)| (name, config.r#type)).collect())
    }

    pub(crate) async fn declare(
        &self,
        namespace: &str,
        attributes: Vec<(String, AttributeSchemaChange)>,
    ) -> Result<(), Trouble> {
        let schema = attributes.into_iter().collect();
        let request = UpdateSchemaRequest { namespace: namespace.to_owned(), schema };
        self.router.declare(request, self.within).await.map_err(trouble)
    }
}

/// What a row is found by, however its id is spelled.
pub(crate) fn key(id: &Id) -> String {
    super::item_id::item_of("", &spelled_alike(id)).unwrap_or_default()
}

fn row(id: Id, mut attributes: Attributes) -> Row {
    use layer_proto::types::v1::value::Kind;
    let stamp = match attributes.remove(STAMP).and_then(|value| value.kind) {
        Some(Kind::IntValue(stamp)) => Some(stamp),
        _ => None,
    };
    Row { id, attributes, stamp }
}

fn asked(namespace: &str, query: Query) -> QueryRequest {
    QueryRequest {
        namespace: namespace.to_owned(),
        query: Some(query),
        consistency: Some(strong()),
        ..QueryRequest::default()
    }
}

fn by_id() -> RankBy {
    let keys = vec![OrderKey { attribute: "id".to_owned(), direction: 0 }];
    RankBy { kind: Some(rank_by::Kind::OrderBy(OrderBy { keys })) }
}

fn strong() -> Consistency {
    Consistency { level: ConsistencyLevel::Strong.into(), max_staleness_seconds: None }
}
