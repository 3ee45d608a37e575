//! Fetches of documents by id: checked here, and handed to the core as they are, without a detour by JSON.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::Method;
use layer_proto::router::v1::{BatchFetchRequest, FetchRequest};
use layer_proto::types::v1::{Consistency, ConsistencyLevel, Id, id};
use tonic_types::FieldViolation;

use super::encoder::Encoder;
use super::requests::attribute_types;
use super::{WireRequest, names, value};
use crate::fetch::{Asked, DocId, Fetch, IDS_MAX, Include, NAMES_MAX, Operation, Typed};

/// The route, and what goes along with it; or every fault.
pub(in crate::grpc) type EncodedFetch = Result<(WireRequest, Typed), Vec<FieldViolation>>;

/// One document.
pub(in crate::grpc) fn fetch(request: &FetchRequest) -> EncodedFetch {
    let mut e = Encoder::new(0);
    e.field("id", |e| value::required_id(e, request.id.as_ref()));
    let ids = request.id.as_slice();
    let rest = Rest {
        namespace: &request.namespace,
        include: &request.include_attributes,
        consistency: request.consistency.as_ref(),
        types: &request.attribute_types,
    };
    rest.encode(e, ids, Operation::Single)
}

/// Many documents.
pub(in crate::grpc) fn batch_fetch(request: &BatchFetchRequest) -> EncodedFetch {
    let mut e = Encoder::new(0);
    e.field("ids", |e| {
        e.check((1..=IDS_MAX).contains(&request.ids.len()), "must hold 1 to 10000 ids");
        e.list(&request.ids, value::id);
    });
    let rest = Rest {
        namespace: &request.namespace,
        include: &request.include_attributes,
        consistency: request.consistency.as_ref(),
        types: &request.attribute_types,
    };
    rest.encode(e, &request.ids, Operation::Batch)
}

/// What both have beside their ids.
struct Rest<'a> {
    namespace: &'a str,
    include: &'a [String],
    consistency: Option<&'a Consistency>,
    types: &'a BTreeMap<String, String>,
}

impl<'a> Rest<'a> {
    fn encode(self, mut e: Encoder<'a>, ids: &[Id], operation: Operation) -> EncodedFetch {
        e.field("namespace", |e| names::namespace(e, self.namespace));
        e.field("include_attributes", |e| {
            e.check(self.include.len() <= NAMES_MAX, "must hold at most 1024 names");
            names::references(e, self.include);
        });
        attribute_types(&mut e, self.types);
        if let Some(consistency) = self.consistency {
            e.field("consistency", |e| e.field("level", |e| strong(e, consistency)));
        }
        e.finish()?;
        let include = match self.include {
            [] => Include::All,
            names => Include::Names(names.to_vec()),
        };
        let ids = ids.iter().filter_map(asked).collect();
        let fetch = Fetch { ids, include, strong: self.consistency.is_some() };
        let target = format!("/v2/namespaces/{}/documents", self.namespace);
        let wire = WireRequest { method: Method::POST, target, body: Bytes::new() };
        Ok((wire, Typed(Arc::new(fetch), operation)))
    }
}

fn strong(e: &mut Encoder<'_>, consistency: &Consistency) {
    let level = ConsistencyLevel::try_from(consistency.level);
    e.check(level == Ok(ConsistencyLevel::Strong), "must be CONSISTENCY_LEVEL_STRONG, or consistency unset");
}

fn asked(id: &Id) -> Option<Asked> {
    Some(Asked::Exactly(match id.kind.as_ref()? {
        id::Kind::UintValue(number) => DocId::Uint(*number),
        id::Kind::StringValue(text) => DocId::Text(text.as_str().into()),
    }))
}
