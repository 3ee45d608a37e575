//! What a fetch asks for, read and checked before anything is done.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::id::{self, Asked, IdType};
use crate::refusal::Refusal;

/// Most documents that one call asks for.
pub const IDS_MAX: usize = 10_000;
/// Most attributes that one call names: the origin has no more in a namespace.
pub const NAMES_MAX: usize = 1024;
/// The longest body of a fetch, in bytes: 10,000 ids of 64 bytes with every byte escaped are 4 MB.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Which attributes are answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Include {
    /// All but Layer's own.
    #[default]
    All,
    /// Those named, also of Layer's own.
    Names(Vec<String>),
}

/// A fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// What is asked for, in the caller's order, doubles too.
    pub ids: Vec<Asked>,
    /// Which attributes.
    pub include: Include,
    /// From the origin, whatever the cache holds.
    pub strong: bool,
}

impl Fetch {
    /// Reads the fetch of one document: its id as it stands in the path, and the query string.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the parameter.
    pub fn one(encoded_id: &str, query: Option<&str>) -> Result<Self, Refusal> {
        let (mut names, mut strong, mut id_type) = (None::<Vec<String>>, false, None);
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "include_attributes" => {
                    let listed = decoded(value, name)?;
                    names
                        .get_or_insert_default()
                        .extend(listed.split(',').filter(|n| !n.is_empty()).map(str::to_owned));
                }
                "consistency" => strong = is_strong(&decoded(value, name)?)?,
                "id_type" => id_type = Some(IdType::parse(&decoded(value, name)?)?),
                // Clients put parameters of their own there, as they do for the origin.
                _ => {}
            }
        }
        let text = percent_decode_str(encoded_id).decode_utf8();
        let text = text.map_err(|_| Refusal::Invalid("id: the path is not UTF-8".to_owned()))?;
        let id = id::from_text(&text, id_type, || "id".to_owned())?;
        Ok(Self { ids: vec![id], include: included(names)?, strong })
    }

    /// Reads the fetch of many documents.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the field.
    pub fn many(body: &[u8]) -> Result<Self, Refusal> {
        let body: Body<'_> = serde_json::from_slice(body)
            .map_err(|error| Refusal::Invalid(format!("the body must be {{\"ids\": [...]}}: {error}")))?;
        let ids = body.ids.ok_or_else(|| Refusal::Invalid("ids: is required".to_owned()))?;
        if ids.is_empty() || ids.len() > IDS_MAX {
            return Err(Refusal::Invalid(format!("ids: must hold 1 to {IDS_MAX} ids, not {}", ids.len())));
        }
        let id_type = body.id_type.as_deref().map(IdType::parse).transpose()?;
        let each = ids.iter().enumerate();
        let ids = each.map(|(index, raw)| id::from_json(raw, id_type, || format!("ids[{index}]")));
        let include = match body.include_attributes {
            None | Some(Listed::Whether(true)) => Include::All,
            Some(Listed::Whether(false)) => Include::Names(Vec::new()),
            Some(Listed::Names(names)) => included(Some(names))?,
        };
        let strong = match body.consistency {
            None => false,
            Some(Consistency::Word(level) | Consistency::Level { level }) => is_strong(&level)?,
        };
        Ok(Self { ids: ids.collect::<Result<_, _>>()?, include, strong })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    ids: Option<Vec<&'a RawValue>>,
    include_attributes: Option<Listed>,
    consistency: Option<Consistency>,
    id_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "include_attributes must be a list of names, true or false")]
enum Listed {
    Whether(bool),
    Names(Vec<String>),
}

/// As a word, or as the origin's queries have it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "consistency must be \"strong\"")]
enum Consistency {
    Word(String),
    Level { level: String },
}

fn included(names: Option<Vec<String>>) -> Result<Include, Refusal> {
    match names {
        None => Ok(Include::All),
        Some(names) if names.len() > NAMES_MAX => {
            Err(Refusal::Invalid(format!("include_attributes: must hold at most {NAMES_MAX} names")))
        }
        Some(names) => Ok(Include::Names(names)),
    }
}

fn is_strong(level: &str) -> Result<bool, Refusal> {
    match level {
        "strong" => Ok(true),
        _ => Err(Refusal::Invalid("consistency: must be strong, or left out".to_owned())),
    }
}

/// A parameter's value, of a form's encoding.
fn decoded(value: &str, name: &str) -> Result<String, Refusal> {
    let spaced = value.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().map(Cow::into_owned);
    text.map_err(|_| Refusal::Invalid(format!("{name}: is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::{super::id::DocId, *};

    fn names(include: &Include) -> Option<Vec<&str>> {
        match include {
            Include::All => None,
            Include::Names(names) => Some(names.iter().map(String::as_str).collect()),
        }
    }

    #[test]
    fn one_id_in_a_path() {
        let fetch = Fetch::one("a%2Fb%20c", Some("include_attributes=x%2Cy,z&include_attributes=w&other=1")).unwrap();
        assert_eq!(fetch.ids, [Asked::Exactly(DocId::Text("a/b c".into()))]);
        assert_eq!(names(&fetch.include), Some(vec!["x", "y", "z", "w"]));
        assert!(!fetch.strong);
        let fetch = Fetch::one("7", Some("consistency=strong&id_type=string")).unwrap();
        assert_eq!((fetch.strong, &fetch.ids[0]), (true, &Asked::Exactly(DocId::Text("7".into()))));
        assert_eq!(names(&fetch.include), None);
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        for (id, query, field) in [
            ("%ff", "", "id: "),
            ("x", "id_type=uint", "id: "),
            ("x", "id_type=int", "id_type: "),
            ("x", "consistency=eventual", "consistency: "),
            ("x", "include_attributes=%ff", "include_attributes: "),
        ] {
            let refused = Fetch::one(id, Some(query)).unwrap_err().to_string();
            assert!(refused.starts_with(field), "{refused}");
        }
        let long = format!("{{\"ids\":[{}1]}}", "1,".repeat(IDS_MAX));
        for (body, field) in [
            ("{}", "ids: is required"),
            (r#"{"ids":[]}"#, "ids: must hold 1 to 10000"),
            (long.as_str(), "ids: must hold 1 to 10000"),
            (r#"{"ids":[1,2,3,-4]}"#, "ids[3]: "),
            (r#"{"ids":"1"}"#, "ids"),
            (r#"{"ids":[1],"ids":[2]}"#, "ids"),
            (r#"{"ids":[1],"include_attributes":"a"}"#, "include_attributes"),
            (r#"{"ids":[1],"consistency":"eventual"}"#, "consistency: "),
            (r#"{"ids":[1],"consistency":7}"#, "consistency"),
            (r#"{"ids":[1],"top_k":7}"#, "top_k"),
            (r#"{"ids":[1],"id_type":"string"}"#, "ids[0]: "),
            (r#"{"ids":[1]"#, "the body must be"),
            ("[1]", "the body must be"),
        ] {
            let refused = Fetch::many(body.as_bytes()).expect_err(body).to_string();
            assert!(refused.contains(field), "{refused}");
        }
    }

    #[test]
    fn many_ids_in_a_body() {
        let body = r#"{"ids":[1,"1","a",1],"include_attributes":["x,y"],"consistency":{"level":"strong"}}"#;
        let fetch = Fetch::many(body.as_bytes()).unwrap();
        let one = || Asked::Exactly(DocId::Uint(1));
        assert_eq!(fetch.ids, [one(), Asked::Digits(1), Asked::Exactly(DocId::Text("a".into())), one()]);
        assert_eq!((names(&fetch.include), fetch.strong), (Some(vec!["x,y"]), true));
        let none = Fetch::many(br#"{"ids":[1],"include_attributes":false}"#).unwrap();
        assert_eq!(names(&none.include), Some(vec![]));
    }
}
