//! [`Tree`] → JSON value, as Kubernetes turns YAML into JSON: scalars resolved by YAML 1.1, merge keys
//! applied, keys made text, the last of duplicate keys taken.

use super::{
    scalar::Scalar,
    second::Second,
    tree::{CoreTag, Kind, NodeId, Style, Tree},
    yaml::ReadError,
};
use crate::manifest::{findings::Findings, path::Path};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::HashMap};

/// Turns one document into JSON. `second` is what the other reader made of it (`None` for JSON
/// files). What is doubtful goes to `findings`, what is impossible ends it.
pub fn to_json(
    tree: &Tree,
    document: NodeId,
    second: Option<&Second>,
    findings: &mut Findings,
) -> Result<Value, ReadError> {
    Converter { tree, findings }.value(document, second, &Path::ROOT)
}

struct Converter<'a, 'f, 't> {
    tree: &'a Tree<'a>,
    findings: &'f mut Findings<'t>,
}

impl Converter<'_, '_, '_> {
    fn value(&mut self, id: NodeId, second: Option<&Second>, path: &Path) -> Result<Value, ReadError> {
        let id = self.tree.resolve(id);
        let tree = self.tree;
        let Some(node) = tree.node(id) else { return Ok(Value::Null) };
        match (&node.kind, second) {
            (Kind::Scalar { text, style }, None | Some(Second::Bare(_) | Second::Text(_))) => {
                self.scalar(id, text, *style, second)
            }
            (Kind::Sequence(items), None | Some(Second::Sequence(_))) => {
                let seconds = match second {
                    Some(Second::Sequence(seconds)) if seconds.len() != items.len() => return Err(self.ambiguous(id)),
                    Some(Second::Sequence(seconds)) => Some(seconds),
                    _ => None,
                };
                let mut array = Vec::with_capacity(items.len());
                for (index, &item) in items.iter().enumerate() {
                    let second = seconds.and_then(|s| s.get(index));
                    array.push(self.value(item, second, &path.index(index))?);
                }
                Ok(Value::Array(array))
            }
            (Kind::Mapping(entries), None | Some(Second::Mapping(_))) => {
                let seconds = match second {
                    Some(Second::Mapping(seconds)) if seconds.len() != entries.len() => return Err(self.ambiguous(id)),
                    Some(Second::Mapping(seconds)) => Some(seconds.as_slice()),
                    _ => None,
                };
                self.mapping(entries, seconds, path).map(Value::Object)
            }
            _ => Err(self.ambiguous(id)),
        }
    }

    fn mapping(
        &mut self,
        entries: &[(NodeId, NodeId)],
        seconds: Option<&[(Second, Second)]>,
        path: &Path,
    ) -> Result<Map<String, Value>, ReadError> {
        let mut map = Map::new();
        let mut own: HashMap<String, NodeId> = HashMap::new();
        for (index, &(key, value)) in entries.iter().enumerate() {
            let second = seconds.and_then(|s| s.get(index));
            if self.tree.is_merge(key) {
                for (name, value) in self.merged(value, second.map(|s| &s.1), path)? {
                    if let Some(&first) = own.get(&name) {
                        self.merge_after(key, first, &name, path);
                    }
                    map.insert(name, value);
                }
                continue;
            }
            let name = self.key(key, second.map(|s| &s.0), path)?;
            let value = self.value(value, second.map(|s| &s.1), &path.field(&name))?;
            if let Some(first) = own.insert(name.clone(), key) {
                self.duplicate(key, first, &name, path);
            }
            map.insert(name, value);
        }
        Ok(map)
    }

    /// What a merge key brings in: a mapping, or several of which the first wins.
    fn merged(&mut self, value: NodeId, second: Option<&Second>, path: &Path) -> Result<Map<String, Value>, ReadError> {
        let tree = self.tree;
        let is_mapping = |id: NodeId| matches!(tree.node(tree.resolve(id)).map(|n| &n.kind), Some(Kind::Mapping(_)));
        match tree.node(value).map(|n| &n.kind) {
            // A list must be written out; an alias of one is refused by Kubernetes too.
            Some(Kind::Sequence(items)) => {
                let seconds = match second {
                    Some(Second::Sequence(seconds)) if seconds.len() == items.len() => Some(seconds),
                    Some(_) => return Err(self.ambiguous(value)),
                    None => None,
                };
                let mut map = Map::new();
                for (index, &item) in items.iter().enumerate().rev() {
                    if !is_mapping(item) {
                        return Err(self.merge_error(item));
                    }
                    let second = seconds.and_then(|s| s.get(index));
                    if let Value::Object(merged) = self.value(item, second, path)? {
                        map.extend(merged);
                    }
                }
                return Ok(map);
            }
            _ if is_mapping(value) => {}
            _ => return Err(self.merge_error(value)),
        }
        match self.value(value, second, path)? {
            Value::Object(map) => Ok(map),
            _ => Err(self.merge_error(value)),
        }
    }

    fn key(&mut self, key: NodeId, second: Option<&Second>, path: &Path) -> Result<String, ReadError> {
        let Some((text, style)) = self.tree.scalar(key) else {
            return Err(self.error("yaml-key", key, "a key must be text").suggest("put the key in quotes"));
        };
        let text = text_of(text, second);
        if style != Style::Plain {
            return Ok(text.into_owned());
        }
        match Scalar::resolve(&text) {
            Scalar::Text => Ok(text.into_owned()),
            Scalar::Bool(value) => {
                let name = if value { "true" } else { "false" };
                if !text.eq_ignore_ascii_case(name) {
                    let message = format!("key `{text}` is read as `{name}`: without quotes it is a YAML 1.1 boolean");
                    let place = self.tree.place(key);
                    let found = self.findings.warn("yaml-boolean-key", path, message);
                    found.at(place).suggest(format!("write \"{text}\""));
                }
                Ok(name.to_owned())
            }
            Scalar::Integer(value) => Ok(value.to_string()),
            #[expect(clippy::cast_possible_truncation, reason = "Kubernetes prints it as a 32 bit float")]
            Scalar::Float(value) => Ok((value as f32).to_string()),
            Scalar::Null | Scalar::NotFinite => {
                Err(self.error("yaml-key", key, format!("`{text}` can not be a key")).suggest("put the key in quotes"))
            }
        }
    }

    fn scalar(&self, id: NodeId, text: &str, style: Style, second: Option<&Second>) -> Result<Value, ReadError> {
        let plain = |text: &str| match Scalar::resolve(text) {
            Scalar::Text => Ok(Value::String(text_of(text, second).into_owned())),
            Scalar::NotFinite => {
                Err(self.error("yaml-value", id, format!("`{text}` is no value for a manifest")).suggest("quote it"))
            }
            scalar => Ok(scalar.to_json().unwrap_or(Value::Null)),
        };
        match style {
            Style::Quoted if matches!(second, Some(Second::Bare(_))) => Err(self.ambiguous(id)),
            Style::Quoted | Style::Tagged(CoreTag::Str) => Ok(Value::String(text_of(text, second).into_owned())),
            Style::Json => serde_json::from_str(text).map_err(|_| self.error("json-syntax", id, "not valid JSON")),
            Style::Plain => plain(text),
            Style::Tagged(tag) => {
                let value = plain(text)?;
                let fits = match tag {
                    CoreTag::Int => value.is_i64() || value.is_u64(),
                    CoreTag::Float => value.is_number(),
                    CoreTag::Bool => value.is_boolean(),
                    CoreTag::Null => value.is_null(),
                    CoreTag::Str => true,
                };
                if fits {
                    Ok(value)
                } else {
                    Err(self.error("yaml-tag", id, format!("`{text}` is not what its tag says")))
                }
            }
        }
    }

    fn duplicate(&mut self, key: NodeId, first: NodeId, name: &str, path: &Path) {
        let (place, first) = (self.tree.place(key), self.tree.place(first));
        let message = format!("key `{name}` is given twice");
        let found = self.findings.strict("duplicate-key", &path.field(name), message);
        found.at(place).suggest("remove one of them").related(first, "first given here");
    }

    fn merge_after(&mut self, merge: NodeId, first: NodeId, name: &str, path: &Path) {
        let (place, first) = (self.tree.place(merge), self.tree.place(first));
        let message = format!("`<<` replaces `{name}`, which stands before it");
        let found = self.findings.warn("merge-order", &path.field(name), message);
        found.at(place).suggest("put `<<` first, so that what is written out wins").related(first, "replaced");
    }

    fn merge_error(&self, id: NodeId) -> ReadError {
        self.error("yaml-merge", id, "`<<` takes a mapping or a list of mappings")
            .suggest("give it an alias of a mapping, as in `<<: *name`")
    }

    fn ambiguous(&self, id: NodeId) -> ReadError {
        self.error("yaml-ambiguous", id, "readers of YAML disagree about what this is")
            .suggest("write it more plainly, with quotes and without unusual indentation")
    }

    fn error(&self, code: &'static str, id: NodeId, message: impl Into<String>) -> ReadError {
        let range = self.tree.node(id).map_or(0..0, |node| node.start as usize..node.end as usize);
        ReadError::new(code, range, message)
    }
}

/// The second reader's text, where it has one: block scalars at the end of a file differ.
fn text_of<'a>(text: &'a str, second: Option<&'a Second>) -> Cow<'a, str> {
    match second {
        Some(Second::Text(text)) => Cow::Borrowed(text),
        _ => Cow::Borrowed(text),
    }
}
