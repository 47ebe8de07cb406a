//! Checks a JSON value against the table: unknown fields, wrong types, all of them at once. What
//! Kubernetes' decoder forgives is put right on the way, so that decoding can not fail afterwards.

use super::{
    Struct, Type,
    suggest::{self, Chain},
};
use crate::{
    manifest::{findings::Findings, parse::FieldValidation, path::Path, text::scalar::Scalar},
    pod::quantity::Quantity,
};
use serde_json::{Map, Value};

/// Checks an object of a kind. Afterwards, if no error was found, it decodes.
pub fn check(value: &mut Value, root: &'static Struct, path: &Path, findings: &mut Findings) {
    let mut checker = Checker { findings, secret: root.name == "Secret" };
    let place = path.to_string();
    let chain = Chain { outer: None, inner: root, place: &place };
    match value {
        Value::Object(map) => checker.fields(map, &chain, path),
        other => checker.mismatch("a mapping", other, path, None),
    }
}

struct Checker<'f, 't> {
    findings: &'f mut Findings<'t>,
    /// Whether this is a Secret, whose data must not be shown.
    secret: bool,
}

impl Checker<'_, '_> {
    fn fields(&mut self, map: &mut Map<String, Value>, chain: &Chain, path: &Path) {
        // Null is the same as not written at all.
        map.retain(|_, value| !value.is_null());
        let unknown: Vec<String> = map.keys().filter(|name| chain.inner.field(name).is_none()).cloned().collect();
        for name in unknown {
            map.remove(&name);
            self.unknown_field(&name, chain, path);
        }
        for (name, ty) in chain.inner.fields {
            if let Some(value) = map.get_mut(*name) {
                self.value(value, ty, chain, &path.field(name));
            }
        }
        // What has the wrong type was reported and made null.
        map.retain(|_, value| !value.is_null());
    }

    fn unknown_field(&mut self, name: &str, chain: &Chain, path: &Path) {
        let level = self.findings.options().field_validation;
        let is_told = level != FieldValidation::Ignore && !self.findings.is_full();
        let advice = if !is_told { None } else { suggest::for_unknown(name, chain) };
        let field = path.field(name);
        let message = format!("`{}` is not a field of {}", shortened(name), chain.inner.name);
        let finding = self.findings.strict("unknown-field", &field, message).at_key(&field);
        let meant = advice.as_ref().and_then(|advice| advice.meant);
        if let Some(advice) = advice {
            finding.suggest(advice.text);
        }
        // Where the file is not refused for the name, what follows is all there is to refuse it for.
        if let Some(meant) = meant.filter(|_| level == FieldValidation::Strict) {
            self.findings.mark_broken(&path.field(meant));
        }
    }

    fn value(&mut self, value: &mut Value, ty: &'static Type, chain: &Chain, path: &Path) {
        match (ty, &mut *value) {
            (Type::Any, _)
            | (Type::String, Value::String(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::IntOrString, Value::String(_)) => {}
            (Type::Int32 | Type::IntOrString, Value::Number(number)) if number.as_f64().is_some_and(whole) => {
                if number.as_i64().is_none_or(|n| i32::try_from(n).is_err()) {
                    self.mismatch("a whole number of 32 bits", value, path, None);
                }
            }
            (Type::Int64, Value::Number(number)) if number.is_i64() => {}
            (Type::Int64, Value::Number(number)) if number.as_f64().is_some_and(whole) => {
                self.mismatch("a whole number of 64 bits", value, path, None);
            }
            (Type::Quantity, Value::Number(number)) => {
                *value = Value::String(plain_number(number));
                self.quantity(value, path);
            }
            (Type::Quantity, Value::String(_)) => self.quantity(value, path),
            (Type::Time, Value::String(text)) => {
                if text.parse::<jiff::Timestamp>().is_err() {
                    self.mismatch("a time such as 2024-01-31T12:00:00Z", value, path, None);
                }
            }
            (Type::Bytes, Value::String(text)) => {
                text.retain(|c| c != '\n' && c != '\r');
                if !is_base64(text) {
                    let plain = if self.secret { "stringData" } else { "data" };
                    let advice = format!("encode it with `base64`, or use {plain} for plain text");
                    self.mismatch("text in base64", value, path, Some(&advice));
                }
            }
            (Type::List(inner), Value::Array(items)) => {
                let place = format!("{}[]", chain_place(chain, path));
                for (index, item) in items.iter_mut().enumerate() {
                    self.item(item, inner, chain, &place, &path.index(index));
                }
            }
            (Type::Map(inner), Value::Object(map)) => {
                let place = chain_place(chain, path);
                for (name, item) in map {
                    self.item(item, inner, chain, &place, &path.key(name));
                }
            }
            (Type::Struct(inner), Value::Object(map)) => {
                let place = chain_place(chain, path);
                self.fields(map, &Chain { outer: Some(chain), inner, place: &place }, path);
            }
            _ => self.mismatch(expected(ty), value, path, None),
        }
    }

    /// An item of a list or map; null is its type's zero value there.
    fn item(&mut self, item: &mut Value, ty: &'static Type, chain: &Chain, place: &str, path: &Path) {
        if item.is_null() {
            *item = zero(ty);
        }
        match (ty, item) {
            (Type::Struct(inner), Value::Object(map)) => {
                self.fields(map, &Chain { outer: Some(chain), inner, place }, path);
            }
            (_, item) => {
                self.value(item, ty, chain, path);
                if item.is_null() {
                    *item = zero(ty);
                }
            }
        }
    }

    fn quantity(&mut self, value: &Value, path: &Path) {
        if let Value::String(text) = value
            && Quantity::parse(text).is_err()
        {
            let message = format!("\"{}\" is not an amount", shortened(text));
            self.findings
                .error("invalid-quantity", path, message)
                .suggest("write a number with an optional suffix: m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei, or 1e3");
        }
    }

    fn mismatch(&mut self, expected: &str, found: &mut Value, path: &Path, advice: Option<&str>) {
        let sensitive = self.is_sensitive(path);
        let written = self.findings.written(path).map(str::to_owned);
        let written = written.as_deref().filter(|_| !sensitive);
        let message = format!("expected {expected}, found {}", found_words(found, written));
        let advice = advice.map(str::to_owned).or_else(|| type_advice(expected, found, written));
        let finding = self.findings.error("wrong-type", path, message);
        let finding = if sensitive { finding.sensitive() } else { finding };
        if let Some(advice) = advice {
            finding.suggest(advice);
        }
        self.findings.mark_broken(path);
        *found = Value::Null;
    }

    /// Whether a value must not appear in a message: a Secret's, or one of the environment.
    fn is_sensitive(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.secret && (path.contains("data[") || path.contains("stringData["))
            || path.ends_with("].value") && (path.contains(".env[") || path.contains("httpHeaders["))
    }
}

/// Where the value of a path is, for advice: without the indices of lists.
fn chain_place(chain: &Chain, path: &Path) -> String {
    match path.last() {
        crate::manifest::path::Step::Field(name) if chain.place.is_empty() => name.to_owned(),
        crate::manifest::path::Step::Field(name) => format!("{}.{name}", chain.place),
        _ => chain.place.to_owned(),
    }
}

fn expected(ty: &Type) -> &'static str {
    match ty {
        Type::String => "text",
        Type::Bool => "true or false",
        Type::Int32 | Type::Int64 => "a whole number",
        Type::Quantity => "an amount such as 500m or 1Gi",
        Type::IntOrString => "a whole number or text",
        Type::Time => "a time such as 2024-01-31T12:00:00Z",
        Type::Bytes => "text in base64",
        Type::Any => "anything",
        Type::List(_) => "a list",
        Type::Map(_) | Type::Struct(_) => "a mapping",
    }
}

fn found_words(found: &Value, written: Option<&str>) -> String {
    let (kind, shown) = match found {
        Value::Null => return "nothing".into(),
        Value::Bool(value) => ("the boolean", written.map(|w| reading(w, &value.to_string()))),
        Value::Number(value) => ("the number", written.map(|w| reading(w, &value.to_string()))),
        Value::String(_) => ("the text", written.map(|w| format!("\"{}\"", shortened(w)))),
        Value::Array(_) => return "a list".into(),
        Value::Object(_) => return "a mapping".into(),
    };
    match shown {
        Some(shown) => format!("{kind} {shown}"),
        None => kind.replace("the ", "a "),
    }
}

/// A scalar as written, and as it is read if that differs.
fn reading(written: &str, value: &str) -> String {
    let decimal = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if written == value || decimal(written) && !written.trim_start_matches(['-', '+']).starts_with('0') {
        format!("`{}`", shortened(written))
    } else {
        format!("`{value}` (`{}` without quotes is that in YAML 1.1)", shortened(written))
    }
}

fn type_advice(expected: &str, found: &Value, written: Option<&str>) -> Option<String> {
    Some(match (expected, found) {
        ("text" | "text in base64", Value::Bool(_) | Value::Number(_)) => match written {
            Some(written) => format!("put it in quotes: \"{}\"", shortened(written)),
            None => "put it in quotes".into(),
        },
        ("a whole number" | "true or false", Value::String(text)) => {
            let plain = Scalar::resolve(text);
            let fits = match plain {
                Scalar::Integer(_) => expected == "a whole number",
                Scalar::Bool(_) => expected == "true or false",
                _ => false,
            };
            return fits.then(|| "remove the quotes".into());
        }
        ("a list", Value::Object(_)) => "begin each item with `- `".into(),
        ("a list", Value::String(_) | Value::Number(_) | Value::Bool(_)) => match written {
            Some(written) => format!("write a list: [\"{}\"]", shortened(written)),
            None => "write a list".into(),
        },
        ("a mapping", Value::Array(_)) => "remove the `- ` or the brackets".into(),
        ("a mapping", Value::String(text)) if text.contains(':') => "write a space after the colon".into(),
        _ => return None,
    })
}

fn zero(ty: &Type) -> Value {
    match ty {
        Type::String | Type::Time | Type::Bytes => Value::String(String::new()),
        Type::Bool => Value::Bool(false),
        Type::Int32 | Type::Int64 | Type::IntOrString => Value::from(0),
        Type::Quantity => Value::String("0".into()),
        Type::Any => Value::Null,
        Type::List(_) => Value::Array(Vec::new()),
        Type::Map(_) | Type::Struct(_) => Value::Object(Map::new()),
    }
}

fn whole(number: f64) -> bool {
    number.fract() == 0.0
}

/// A number in plain notation: an amount has no `1e-7` of Go's making.
fn plain_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4)
        && padding <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// At most 40 characters of a text, on one line.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(41).collect();
    if line.chars().count() > 40 { line.chars().take(39).chain(['…']).collect() } else { line }
}
