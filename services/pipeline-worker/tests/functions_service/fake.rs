//! A router over rows in memory, as far as functions use one: filters, conditions, schemas and stamps as the origin and the
//! router have them (reference, sections 3, 4 and 6).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use layer_proto::{
    router::v1::{
        BatchFetchRequest, Document, GetSchemaRequest, GetSchemaResponse, QueryRequest, QueryResponse,
        UpdateSchemaRequest, WriteRequest, WriteResponse,
    },
    types::v1::{
        AttributeConfig, AttributeSchemaChange, Comparison, ComparisonOperator as Op, Filter, Id, QueryResult,
        ResultRow, Value, attribute_schema_change, comparison, filter, id, query, value,
    },
};
use pipeline_worker::{RouterError, functions::RouterCalls};
use tonic::{Code, Status};

pub const STAMP: &str = "_hevlayer_upserted_at";

pub type Attributes = BTreeMap<String, Value>;
/// What is done at the next writes, before they are carried out.
type Meanwhile = Box<dyn FnOnce(&mut Origin) + Send>;

#[derive(Default)]
pub struct Namespace {
    pub schema: BTreeMap<String, String>,
    pub rows: BTreeMap<Key, Attributes>,
}

/// An id that sorts as the origin sorts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Number(u64),
    Text(String),
}

#[derive(Default)]
pub struct Origin {
    pub namespaces: BTreeMap<String, Namespace>,
    clock: i64,
    pub faults: VecDeque<(&'static str, Status)>,
    pub meanwhile: VecDeque<Meanwhile>,
    pub calls: Vec<&'static str>,
    pub writes: Vec<WriteRequest>,
}

/// The router; clones share the rows.
#[derive(Clone, Default)]
pub struct Fake {
    pub origin: Arc<Mutex<Origin>>,
}

pub fn key(id: &Id) -> Key {
    match id.kind.as_ref().unwrap() {
        id::Kind::UintValue(number) => Key::Number(*number),
        id::Kind::StringValue(text) => Key::Text(text.clone()),
    }
}

pub fn id_of(key: &Key) -> Id {
    let kind = match key {
        Key::Number(number) => id::Kind::UintValue(*number),
        Key::Text(text) => id::Kind::StringValue(text.clone()),
    };
    Id { kind: Some(kind) }
}

pub fn text(text: &str) -> Value {
    Value { kind: Some(value::Kind::StringValue(text.to_owned())) }
}

pub fn int(number: i64) -> Value {
    Value { kind: Some(value::Kind::IntValue(number)) }
}

fn is_null(value: Option<&Value>) -> bool {
    matches!(value.and_then(|value| value.kind.as_ref()), None | Some(value::Kind::NullValue(_)))
}

/// The order of two values of one kind.
fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    use value::Kind::{BoolValue, FloatValue, IntValue, StringValue, UintValue};
    match (a.kind.as_ref()?, b.kind.as_ref()?) {
        (StringValue(a), StringValue(b)) => Some(a.cmp(b)),
        (IntValue(a), IntValue(b)) => Some(a.cmp(b)),
        (UintValue(a), UintValue(b)) => Some(a.cmp(b)),
        (BoolValue(a), BoolValue(b)) => Some(a.cmp(b)),
        (FloatValue(a), FloatValue(b)) => a.partial_cmp(b),
        _ => None,
    }
}

fn elements(list: &Value) -> Vec<Value> {
    match list.kind.as_ref() {
        Some(value::Kind::IntArray(list)) => list.values.iter().map(|n| int(*n)).collect(),
        Some(value::Kind::UintArray(list)) => {
            list.values.iter().map(|n| Value { kind: Some(value::Kind::UintValue(*n)) }).collect()
        }
        Some(value::Kind::StringArray(list)) => list.values.iter().map(|t| text(t)).collect(),
        other => panic!("no list: {other:?}"),
    }
}

impl Namespace {
    fn matches(&self, filter: &Filter, row: &Attributes) -> Result<bool, Status> {
        match filter.kind.as_ref().unwrap() {
            filter::Kind::AllOf(list) => {
                let all: Result<Vec<_>, _> = list.filters.iter().map(|one| self.matches(one, row)).collect();
                Ok(all?.into_iter().all(|one| one))
            }
            filter::Kind::AnyOf(list) => {
                let all: Result<Vec<_>, _> = list.filters.iter().map(|one| self.matches(one, row)).collect();
                Ok(all?.into_iter().any(|one| one))
            }
            filter::Kind::Comparison(one) => self.compared(one, row),
            other => panic!("unused: {other:?}"),
        }
    }

    fn compared(&self, one: &Comparison, row: &Attributes) -> Result<bool, Status> {
        if one.attribute != "id" && !self.schema.contains_key(&one.attribute) {
            let message = format!("attribute \"{}\" not found in schema", one.attribute);
            return Err(Status::invalid_argument(message));
        }
        let Some(comparison::Operand::Value(wanted)) = &one.operand else { panic!("no value") };
        let has = row.get(&one.attribute).filter(|value| !is_null(Some(value)));
        let is = |ordering| has.is_some_and(|has| order(has, wanted) == Some(ordering));
        use std::cmp::Ordering::{Equal, Greater, Less};
        Ok(match (one.op(), is_null(Some(wanted))) {
            (Op::Eq, true) => has.is_none(),
            (Op::NotEq, true) => has.is_some(),
            (Op::Eq, false) => is(Equal),
            (Op::NotEq, false) => !is(Equal),
            (Op::Gt, false) => is(Greater),
            // Nothing sorts below everything.
            (Op::Lte, false) => has.is_none() || is(Less) || is(Equal),
            (Op::In, false) => has.is_some_and(|has| elements(wanted).iter().any(|one| order(has, one) == Some(Equal))),
            other => panic!("unused: {other:?}"),
        })
    }

    fn declare(&mut self, schema: &BTreeMap<String, AttributeSchemaChange>) -> Result<(), Status> {
        for (name, change) in schema {
            let Some(attribute_schema_change::Kind::Config(config)) = &change.kind else { panic!("{change:?}") };
            let known = self.schema.entry(name.clone()).or_insert_with(|| config.r#type.clone());
            if *known != config.r#type {
                return Err(Status::invalid_argument(format!("cannot change attribute type of {name}")));
            }
        }
        Ok(())
    }

    fn fits(&self, name: &str, value: &Value) -> Result<(), Status> {
        let Some(declared) = self.schema.get(name) else {
            return Err(Status::invalid_argument(format!("attribute {name} does not exist in schema")));
        };
        use value::Kind;
        let fits = matches!(
            (declared.as_str(), value.kind.as_ref()),
            (_, None | Some(Kind::NullValue(_)))
                | ("string", Some(Kind::StringValue(_)))
                | ("int", Some(Kind::IntValue(_)))
                | ("float", Some(Kind::FloatValue(_) | Kind::IntValue(_)))
                | ("[2]f32", Some(Kind::DenseVector(_) | Kind::FloatArray(_)))
        );
        if fits { Ok(()) } else { Err(Status::invalid_argument(format!("{name} is no {declared}"))) }
    }
}

impl Origin {
    fn call(&mut self, name: &'static str) -> Result<(), Status> {
        self.calls.push(name);
        match self.faults.front().is_some_and(|(of, _)| *of == name) {
            true => Err(self.faults.pop_front().unwrap().1),
            false => Ok(()),
        }
    }

    pub fn namespace(&mut self, name: &str) -> Result<&mut Namespace, Status> {
        self.namespaces.get_mut(name).ok_or_else(|| Status::not_found(format!("namespace '{name}' was not found")))
    }

    /// What the router stamps a write with.
    pub fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// Writes a whole row, as a caller does.
    pub fn put(&mut self, namespace: &str, id: &Id, attributes: &[(&str, Value)]) {
        let stamp = self.tick();
        let space = self.namespaces.entry(namespace.to_owned()).or_default();
        let mut row: Attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        row.insert(STAMP.to_owned(), int(stamp));
        for (name, value) in &row {
            let kind = match value.kind.as_ref().unwrap() {
                value::Kind::StringValue(_) => "string",
                value::Kind::IntValue(_) => "int",
                value::Kind::DenseVector(_) => "[2]f32",
                other => panic!("{other:?}"),
            };
            space.schema.entry(name.clone()).or_insert_with(|| kind.to_owned());
        }
        space.rows.insert(key(id), row);
    }

    pub fn row(&mut self, namespace: &str, id: &Id) -> &mut Attributes {
        self.namespaces.get_mut(namespace).unwrap().rows.get_mut(&key(id)).unwrap()
    }

    /// Changes some attributes of a row, as a caller does.
    pub fn change(&mut self, namespace: &str, id: &Id, attributes: &[(&str, Value)]) {
        let stamp = int(self.tick());
        let row = self.row(namespace, id);
        row.extend(attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        row.insert(STAMP.to_owned(), stamp);
    }

    fn query(&mut self, request: &QueryRequest) -> Result<Vec<ResultRow>, Status> {
        self.call("query")?;
        let asked = request.query.as_ref().unwrap();
        let space = self.namespace(&request.namespace)?;
        let mut found = Vec::new();
        for (key, row) in &space.rows {
            let id = id_of(key);
            let mut seen = row.clone();
            let own = match key {
                Key::Number(number) => Value { kind: Some(value::Kind::UintValue(*number)) },
                Key::Text(name) => text(name),
            };
            seen.insert("id".to_owned(), own);
            if asked.filters.as_ref().map_or(Ok(true), |filter| space.matches(filter, &seen))? {
                let mut attributes = row.clone();
                attributes.remove(STAMP);
                if asked.include != Some(query::Include::IncludeAllAttributes(true)) {
                    attributes.clear();
                }
                found.push(ResultRow { id: Some(id), dist: None, attributes });
            }
        }
        found.truncate(asked.limit.as_ref().unwrap().total as usize);
        Ok(found)
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteResponse, Status> {
        self.writes.push(request.clone());
        self.call("write")?;
        if let Some(meanwhile) = self.meanwhile.pop_front() {
            meanwhile(self);
        }
        let stamp = int(self.tick());
        let space = self.namespace(&request.namespace)?;
        // A write is atomic: what is refused has done nothing.
        let mut schema = BTreeMap::new();
        std::mem::swap(&mut schema, &mut space.schema);
        let mut tried = Namespace { schema, rows: space.rows.clone() };
        let before = tried.schema.clone();
        let answer = tried.apply(request, &stamp);
        if answer.is_err() {
            tried = Namespace { schema: before, rows: std::mem::take(&mut space.rows) };
        }
        *space = tried;
        answer
    }
}

impl Namespace {
    fn apply(&mut self, request: &WriteRequest, stamp: &Value) -> Result<WriteResponse, Status> {
        self.declare(&request.schema)?;
        let mut answer = WriteResponse::default();
        for row in &request.patch_rows {
            row.attributes.iter().try_for_each(|(name, value)| self.fits(name, value))?;
            if let Some((name, _)) = row.attributes.iter().find(|(name, _)| self.schema[*name] == "[2]f32") {
                return Err(Status::invalid_argument(format!("patching vectors is currently unsupported: {name}")));
            }
            let id = row.id.clone().unwrap();
            let Some(now) = self.rows.get(&key(&id)) else { continue };
            if !request.patch_condition.as_ref().map_or(Ok(true), |condition| self.matches(condition, now))? {
                continue;
            }
            let mut next = now.clone();
            next.extend(row.attributes.clone());
            next.insert(STAMP.to_owned(), stamp.clone());
            next.retain(|_, value| !is_null(Some(value)));
            self.rows.insert(key(&id), next);
            answer.patched_ids.push(id);
        }
        for row in &request.upsert_rows {
            row.attributes.iter().try_for_each(|(name, value)| self.fits(name, value))?;
            let id = row.id.clone().unwrap();
            // A condition holds nothing back that is not there.
            if let (Some(now), Some(condition)) = (self.rows.get(&key(&id)), &request.upsert_condition)
                && !self.matches(condition, now)?
            {
                continue;
            }
            let mut next = row.attributes.clone();
            next.insert(STAMP.to_owned(), stamp.clone());
            next.retain(|_, value| !is_null(Some(value)));
            self.rows.insert(key(&id), next);
            answer.upserted_ids.push(id);
        }
        Ok(answer)
    }
}

/// A status as the client of the router tells it.
fn told(status: Status) -> RouterError {
    let message = status.message().to_owned();
    match status.code() {
        Code::NotFound => RouterError::Origin { code: Code::NotFound, http_status: Some(404), message },
        Code::InvalidArgument => RouterError::Origin { code: Code::InvalidArgument, http_status: Some(400), message },
        _ => RouterError::Unavailable { reason: message, retry: Duration::from_secs(1) },
    }
}

impl RouterCalls for Fake {
    async fn query(&self, request: QueryRequest, _: Duration) -> Result<QueryResponse, RouterError> {
        let rows = self.origin.lock().unwrap().query(&request).map_err(told)?;
        let result = Some(QueryResult { rows, ..QueryResult::default() });
        Ok(QueryResponse { result, ..QueryResponse::default() })
    }

    async fn fetch(&self, request: BatchFetchRequest, _: Duration) -> Result<Vec<Document>, RouterError> {
        let mut origin = self.origin.lock().unwrap();
        origin.call("fetch").map_err(told)?;
        let space = origin.namespace(&request.namespace).map_err(told)?;
        let found = request.ids.iter().filter_map(|id| Some((id, space.rows.get(&key(id))?)));
        Ok(found
            .map(|(id, row)| {
                let mut attributes = row.clone();
                attributes.retain(|name, _| request.include_attributes.contains(name));
                Document { id: Some(id.clone()), attributes }
            })
            .collect())
    }

    async fn write(&self, request: WriteRequest, _: Duration) -> Result<WriteResponse, RouterError> {
        self.origin.lock().unwrap().write(&request).map_err(told)
    }

    async fn schema(&self, request: GetSchemaRequest, _: Duration) -> Result<GetSchemaResponse, RouterError> {
        let mut origin = self.origin.lock().unwrap();
        origin.call("schema").map_err(told)?;
        let shown = origin
            .namespace(&request.namespace)
            .map_err(told)?
            .schema
            .iter()
            .filter(|(name, _)| !name.starts_with("_hevlayer_"));
        let config = |kind: &String| AttributeConfig { r#type: kind.clone(), ..AttributeConfig::default() };
        Ok(GetSchemaResponse { schema: shown.map(|(name, kind)| (name.clone(), config(kind))).collect() })
    }

    async fn declare(&self, request: UpdateSchemaRequest, _: Duration) -> Result<(), RouterError> {
        let mut origin = self.origin.lock().unwrap();
        origin.call("declare").map_err(told)?;
        origin.namespace(&request.namespace).and_then(|space| space.declare(&request.schema)).map_err(told)
    }
}
