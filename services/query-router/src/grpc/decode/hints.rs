//! What a request tells of its answer: which attributes are vectors, which labels are aggregations.

use std::collections::{BTreeMap, BTreeSet};

use layer_proto::router::v1::{MultiQueryRequest, QueryRequest, RecallRequest};
use layer_proto::types::v1::computed_attribute::Kind as ComputedKind;
use layer_proto::types::v1::rank_by::Kind as RankKind;
use layer_proto::types::v1::vector_search::Query as SearchFor;
use layer_proto::types::v1::{Query, RankBy};

use super::super::attribute_type::AttributeType;

/// What is known of one query's answer.
#[derive(Clone, Debug, Default)]
pub(in crate::grpc) struct Hints {
    types: BTreeMap<String, AttributeType>,
    aggregations: BTreeSet<String>,
}

impl Hints {
    /// What a query tells.
    pub(in crate::grpc) fn of_query(request: &QueryRequest) -> Self {
        request.query.as_ref().map(|query| Self::of(query, &request.attribute_types)).unwrap_or_default()
    }

    /// What each query of several tells; a fused answer has the rows of all of them.
    pub(in crate::grpc) fn of_multi_query(request: &MultiQueryRequest) -> Vec<Self> {
        let each = request.queries.iter().map(|query| Self::of(query, &request.attribute_types));
        if request.rerank_by.is_none() {
            return each.collect();
        }
        let mut all = Self::default();
        each.for_each(|one| all.types.extend(one.types));
        vec![all]
    }

    /// What a measurement of recall tells.
    pub(in crate::grpc) fn of_recall(request: &RecallRequest) -> Self {
        let mut hints = Self::default();
        hints.rank(request.rank_by.as_ref());
        hints
    }

    /// What the declared types of a fetch tell.
    pub(in crate::grpc) fn of_fetch(declared: &BTreeMap<String, String>) -> Self {
        Self::of(&Query::default(), declared)
    }

    fn of(query: &Query, declared: &BTreeMap<String, String>) -> Self {
        let mut hints = Self { aggregations: query.aggregate_by.keys().cloned().collect(), ..Self::default() };
        hints.rank(query.rank_by.as_ref());
        let declared = declared.iter().filter_map(|(name, kind)| Some((name.clone(), AttributeType::parse(kind)?)));
        hints.types.extend(declared);
        for (name, computed) in &query.compute_attributes {
            if let Some(ComputedKind::Highlight(_)) = computed.kind {
                hints.types.insert(name.clone(), AttributeType::Highlights);
            }
        }
        hints
    }

    /// An embedded text is searched under the name of its text attribute, which is no vector.
    fn rank(&mut self, rank: Option<&RankBy>) {
        if let Some(RankKind::VectorSearch(search)) = rank.and_then(|rank| rank.kind.as_ref())
            && !matches!(search.query, Some(SearchFor::Embed(_)))
        {
            self.types.insert(search.attribute.clone(), AttributeType::Vector);
        }
    }

    /// The type of an attribute. One named `vector` is a vector, as to the origin.
    pub(super) fn type_of(&self, attribute: &str) -> AttributeType {
        match self.types.get(attribute) {
            Some(known) => *known,
            None if attribute == "vector" => AttributeType::Vector,
            None => AttributeType::Plain,
        }
    }

    /// Whether this key of a group is an aggregation.
    pub(super) fn is_aggregation(&self, label: &str) -> bool {
        self.aggregations.contains(label)
    }
}
