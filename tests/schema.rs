//! The schema table is what the API types say. They are asked through a deserializer that writes down
//! what each type asks for, so nothing is kept by hand.
//!
//! `UPDATE_SCHEMA=1 cargo test --test schema` writes the table anew.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value},
    forward_to_deserialize_any,
};
use std::{cell::RefCell, collections::BTreeMap, fmt::Write, rc::Rc};

/// What was written down: fields of each struct, by the struct's name, in order.
#[derive(Default)]
struct Tracer {
    structs: BTreeMap<String, Vec<(String, String)>>,
}

type Shared = Rc<RefCell<Tracer>>;

/// Deserializes anything, noting its type in `found`.
struct Probe<'a> {
    tracer: Shared,
    found: &'a mut String,
}

type Error = value::Error;

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        // Only `IntOrString` and free-form values ask for anything at all.
        *self.found = if expecting(&visitor) == "IntOrString" { "IntOrString".into() } else { "Any".into() };
        visitor.visit_i64(1)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        "Bool".clone_into(self.found);
        visitor.visit_bool(false)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        "Int32".clone_into(self.found);
        visitor.visit_i32(0)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        "Int64".clone_into(self.found);
        visitor.visit_i64(0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if expecting(&visitor) == "a base64-encoded string" {
            "Bytes".clone_into(self.found);
            return visitor.visit_str("");
        }
        "String".clone_into(self.found);
        visitor.visit_str("1970-01-01T00:00:00Z")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        let mut inner = String::new();
        let result = visitor.visit_newtype_struct(Probe { tracer: self.tracer, found: &mut inner });
        *self.found = match name {
            "Quantity" => "Quantity".into(),
            "Time" | "MicroTime" => "Time".into(),
            "FieldsV1" | "RawExtension" => "Any".into(),
            other => panic!("new kind of value in the API: {other} ({inner})"),
        };
        result
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = String::new();
        let result = visitor.visit_seq(One { tracer: self.tracer, found: &mut inner, done: false });
        *self.found = format!("List(&{})", typed(&inner));
        result
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut inner = String::new();
        let mut ignored = Vec::new();
        let fields =
            Fields { of: "", names: &["key"], at: 0, tracer: self.tracer, types: &mut ignored, map: Some(&mut inner) };
        let result = visitor.visit_map(fields);
        *self.found = format!("Map(&{})", typed(&inner));
        result
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.found = format!("Struct(&{})", constant(name));
        let known = self.tracer.borrow().structs.contains_key(name);
        if !known {
            self.tracer.borrow_mut().structs.insert(name.into(), Vec::new());
        }
        let mut types = Vec::new();
        let tracer = self.tracer.clone();
        let result =
            visitor.visit_map(Fields { of: name, names, at: 0, tracer: self.tracer, types: &mut types, map: None })?;
        if !known {
            tracer.borrow_mut().structs.insert(name.into(), types);
        }
        Ok(result)
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

/// What a visitor says it expects: some types can be told apart by nothing else.
fn expecting<'de, V: Visitor<'de>>(visitor: &V) -> String {
    struct Expecting<'v, V>(&'v V);
    impl<'de, V: Visitor<'de>> std::fmt::Display for Expecting<'_, V> {
        fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            self.0.expecting(f)
        }
    }
    Expecting(visitor).to_string()
}

struct One<'a> {
    tracer: Shared,
    found: &'a mut String,
    done: bool,
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(None);
        }
        seed.deserialize(Probe { tracer: self.tracer.clone(), found: self.found }).map(Some)
    }
}

struct Fields<'a> {
    of: &'a str,
    names: &'a [&'static str],
    at: usize,
    tracer: Shared,
    types: &'a mut Vec<(String, String)>,
    map: Option<&'a mut String>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.get(self.at) else { return Ok(None) };
        self.at += 1;
        seed.deserialize(value::StrDeserializer::new(name)).map(Some)
    }
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let name = self.names[self.at - 1];
        // Objects check what they are.
        let is = RESOURCES.iter().find(|(of, _)| *of == self.of);
        if let Some((kind, version)) = is.filter(|_| name == "apiVersion" || name == "kind") {
            self.types.push((name.into(), "String".into()));
            let text = if name == "kind" { kind } else { version };
            return seed.deserialize(value::StrDeserializer::new(text));
        }
        let mut found = String::new();
        let result = seed.deserialize(Probe { tracer: self.tracer.clone(), found: &mut found })?;
        match &mut self.map {
            Some(map) => **map = found,
            None => self.types.push((name.into(), found)),
        }
        Ok(result)
    }
}

const RESOURCES: &[(&str, &str)] = &[
    ("Pod", "v1"),
    ("ConfigMap", "v1"),
    ("Secret", "v1"),
    ("PersistentVolumeClaim", "v1"),
    ("ReplicationController", "v1"),
    ("DaemonSet", "apps/v1"),
    ("Deployment", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
];

fn trace<T: for<'de> Deserialize<'de> + k8s_openapi::Resource>(tracer: &Shared) -> &'static str {
    let mut found = String::new();
    T::deserialize(Probe { tracer: tracer.clone(), found: &mut found }).expect(T::KIND);
    T::KIND
}

fn constant(name: &str) -> String {
    let mut out = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let next_lower = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let before_lower = i > 0 && (chars[i - 1].is_lowercase() || chars[i - 1].is_ascii_digit());
        if c.is_uppercase() && i > 0 && (before_lower || next_lower) {
            out.push('_');
        }
        out.extend(c.to_uppercase());
    }
    out
}

fn typed(name: &str) -> String {
    format!("Type::{name}")
}

fn table() -> String {
    let tracer = Shared::default();
    let roots = [
        trace::<core::Pod>(&tracer),
        trace::<core::ConfigMap>(&tracer),
        trace::<core::Secret>(&tracer),
        trace::<core::PersistentVolumeClaim>(&tracer),
        trace::<core::ReplicationController>(&tracer),
        trace::<apps::DaemonSet>(&tracer),
        trace::<apps::Deployment>(&tracer),
        trace::<apps::ReplicaSet>(&tracer),
        trace::<apps::StatefulSet>(&tracer),
        trace::<batch::Job>(&tracer),
        trace::<batch::CronJob>(&tracer),
    ];
    let mut out = String::from(
        "//! The table. Written by `UPDATE_SCHEMA=1 cargo test --test schema`; do not edit.\n\n\
         use super::{Struct, Type};\n\n\
         /// Kinds that are decoded.\n#[rustfmt::skip]\npub static ROOTS: &[&Struct] = &[",
    );
    let names: Vec<String> = roots.iter().map(|root| format!("&{}", constant(root))).collect();
    writeln!(out, "{}];\n", names.join(", ")).unwrap();
    let tracer = tracer.borrow();
    // `status` is the system's, and not looked into.
    let is_status = |name: &str| roots.iter().any(|root| name == format!("{root}Status"));
    let mut reached = std::collections::BTreeSet::new();
    let mut todo: Vec<String> = roots.iter().map(ToString::to_string).collect();
    let by_constant: BTreeMap<String, &String> = tracer.structs.keys().map(|k| (constant(k), k)).collect();
    while let Some(name) = todo.pop() {
        if is_status(&name) || !reached.insert(name.clone()) {
            continue;
        }
        for (_, ty) in &tracer.structs[&name] {
            if let Some(inner) = ty.split("Struct(&").nth(1) {
                todo.push(by_constant[inner.trim_end_matches(')')].clone());
            }
        }
    }
    for name in &reached {
        let fields: Vec<String> = tracer.structs[name]
            .iter()
            .map(|(field, ty)| {
                let status = ty.split("Struct(&").nth(1).map(|c| c.trim_end_matches(')'));
                let is_status = status.is_some_and(|c| is_status(by_constant[c]));
                format!("(\"{field}\", {})", if is_status { "Type::Any".into() } else { typed(ty) })
            })
            .collect();
        writeln!(
            out,
            "#[rustfmt::skip]\nstatic {}: Struct = Struct {{ name: \"{name}\", fields: &[{}] }};",
            constant(name),
            fields.join(", ")
        )
        .unwrap();
    }
    out
}

#[test]
fn the_table_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manifest/schema/table.rs");
    let table = table();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(kept == table, "the table is not what the API types say; run UPDATE_SCHEMA=1 cargo test --test schema");
}
