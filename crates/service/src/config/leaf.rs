//! The list of settings, read off the types' JSON schema.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::Settings;

/// What a setting holds; the text of an environment variable or flag is converted by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Comma-separated texts.
    List,
    /// One of these words.
    Choice(Vec<String>),
}

/// One setting.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The path, for example `limits.body_bytes`.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// The field's documentation.
    pub(super) help: String,
    /// The default as JSON; null when the setting is unset by default.
    pub(super) default: Value,
}

impl Leaf {
    /// `--limits-body-bytes` without the dashes in front.
    pub(super) fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// `LAYER_LIMITS_BODY_BYTES`.
    pub(super) fn variable(&self) -> String {
        format!("LAYER_{}", self.path.replace('.', "_").to_uppercase())
    }

    /// What the setting accepts, in words.
    pub(super) fn accepts(&self) -> String {
        match &self.kind {
            Kind::Text => "a text".to_owned(),
            Kind::Integer => "a whole number, 0 or more".to_owned(),
            Kind::Number => "a number".to_owned(),
            Kind::Boolean => "true or false".to_owned(),
            Kind::List => "texts separated by commas".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// The value that `text` stands for, or `None` where it is not of the setting's kind.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        match &self.kind {
            Kind::Text => Some(Value::from(text)),
            Kind::Integer => text.trim().replace('_', "").parse::<u64>().ok().map(Value::from),
            Kind::Number => text.trim().parse::<f64>().ok().map(Value::from),
            Kind::Boolean => text.trim().parse::<bool>().ok().map(Value::from),
            Kind::List => Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            Kind::Choice(words) => words.iter().any(|word| word == text).then(|| Value::from(text)),
        }
    }
}

/// Every setting of `S`, in the order of its fields.
pub(super) fn leaves<S: Settings>() -> Vec<Leaf> {
    let generator = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
    let schema = generator.into_root_schema_for::<S>().to_value();
    let defaults = serde_json::to_value(S::default()).expect("settings serialize to JSON");
    let mut found = Vec::new();
    collect("", &schema, &defaults, &mut found);
    found
}

fn collect(path: &str, schema: &Value, defaults: &Value, found: &mut Vec<Leaf>) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return found.push(leaf(path, schema, defaults));
    };
    // The types' order, which the defaults keep and a JSON object's keys here do not.
    let order = defaults.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    for name in order.iter().filter(|name| properties.contains_key(*name)) {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&inner, &properties[name], &defaults[name], found);
    }
}

fn leaf(path: &str, schema: &Value, default: &Value) -> Leaf {
    let help = schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
    Leaf { path: path.to_owned(), kind: kind(schema), help, default: default.clone() }
}

fn kind(schema: &Value) -> Kind {
    if let Some(words) = choice(schema) {
        return Kind::Choice(words);
    }
    let named = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    };
    match named {
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some("array") => Kind::List,
        _ => Kind::Text,
    }
}

fn choice(schema: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(Value::Array(words)) = schema.get("enum") {
        return Some(words.iter().filter_map(text).collect());
    }
    let variants = schema.get("oneOf")?.as_array()?;
    Some(variants.iter().filter_map(|variant| variant.get("const").and_then(text)).collect())
}

/// Sets `path` in a tree of JSON objects.
pub(super) fn set(tree: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            tree.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = tree.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}
