//! What a pod can not start without: the objects it refers to, and their keys. Owns nothing but this question.

use crate::{
    convert,
    pod::objects::{ObjectId, ObjectKind, Objects},
};
use k8s_openapi::api::core::v1 as api;
use std::collections::BTreeSet;

/// How a key of an object is used, which decides where it may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// As a variable: of a ConfigMap only `data` serves.
    Variable,
    /// As a file of a volume.
    File,
}

/// Something a pod needs.
struct Need<'a> {
    kind: ObjectKind,
    name: &'a str,
    /// One key of it; else the object as such.
    key: Option<(&'a str, Use)>,
    /// The field that names it.
    field: String,
}

/// What no object of `declared` satisfies, in words, each once, with the field that asks for it first. `optional`
/// references ask for nothing.
pub fn missing(spec: &api::PodSpec, namespace: &str, declared: &Objects) -> Vec<(String, String)> {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for Need { kind, name, key, field } in needs(spec) {
        let id = ObjectId { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        let message = match key {
            _ if declared.get(&id).is_none() => format!("{id} is declared by no file"),
            Some((key, how)) if !has(declared, &id, key, how) => format!("key {key} of {id} is declared by no file"),
            _ => continue,
        };
        if told.insert(message.clone()) {
            found.push((message, field));
        }
    }
    found
}

fn has(declared: &Objects, id: &ObjectId, key: &str, how: Use) -> bool {
    let (namespace, name) = (&id.namespace, &id.name);
    match id.kind {
        ObjectKind::ConfigMap => declared.config_map(namespace, name).is_some_and(|found| {
            found.data.contains_key(key) || (how == Use::File && found.binary_data.contains_key(key))
        }),
        ObjectKind::Secret => declared.secret(namespace, name).is_some_and(|found| found.data.contains_key(key)),
        ObjectKind::PersistentVolumeClaim => true,
    }
}

fn needs(spec: &api::PodSpec) -> Vec<Need<'_>> {
    let mut found = Vec::new();
    let lists = [("initContainers", spec.init_containers.as_deref()), ("containers", Some(&spec.containers[..]))];
    for (list, containers) in lists {
        for (index, container) in containers.unwrap_or_default().iter().enumerate() {
            of_container(container, &format!("spec.{list}[{index}]"), &mut found);
        }
    }
    let containers = || lists.iter().flat_map(|(_, list)| list.unwrap_or_default());
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        // What no container mounts is not waited for.
        if containers().any(|container| convert::uses(container, &volume.name)) {
            of_volume(volume, &format!("spec.volumes[{index}]"), &mut found);
        }
    }
    found.retain(|need| !need.name.is_empty());
    found
}

fn of_container<'a>(container: &'a api::Container, path: &str, found: &mut Vec<Need<'a>>) {
    let mut need = |kind, name, key: Option<&'a str>, optional: Option<bool>, field: String| {
        if optional == Some(true) {
            return;
        }
        found.push(Need { kind, name, key: None, field: format!("{field}.name") });
        if let Some(key) = key {
            found.push(Need { kind, name, key: Some((key, Use::Variable)), field: format!("{field}.key") });
        }
    };
    for (index, var) in container.env.iter().flatten().enumerate() {
        let Some(from) = &var.value_from else { continue };
        let path = format!("{path}.env[{index}].valueFrom");
        if let Some(from) = &from.config_map_key_ref {
            let field = format!("{path}.configMapKeyRef");
            need(ObjectKind::ConfigMap, &from.name, Some(&from.key), from.optional, field);
        }
        if let Some(from) = &from.secret_key_ref {
            need(ObjectKind::Secret, &from.name, Some(&from.key), from.optional, format!("{path}.secretKeyRef"));
        }
    }
    for (index, from) in container.env_from.iter().flatten().enumerate() {
        let path = format!("{path}.envFrom[{index}]");
        if let Some(from) = &from.config_map_ref {
            need(ObjectKind::ConfigMap, &from.name, None, from.optional, format!("{path}.configMapRef"));
        }
        if let Some(from) = &from.secret_ref {
            need(ObjectKind::Secret, &from.name, None, from.optional, format!("{path}.secretRef"));
        }
    }
}

fn of_volume<'a>(volume: &'a api::Volume, path: &str, found: &mut Vec<Need<'a>>) {
    type Items<'a> = &'a Option<Vec<api::KeyToPath>>;
    let mut need = |kind, (name, named): (&'a str, &str), items: Items<'a>, optional: Option<bool>, field: String| {
        if optional == Some(true) {
            return;
        }
        found.push(Need { kind, name, key: None, field: format!("{field}.{named}") });
        for (index, item) in items.iter().flatten().enumerate() {
            let field = format!("{field}.items[{index}].key");
            found.push(Need { kind, name, key: Some((&item.key, Use::File)), field });
        }
    };
    if let Some(source) = &volume.config_map {
        let field = format!("{path}.configMap");
        need(ObjectKind::ConfigMap, (&source.name, "name"), &source.items, source.optional, field);
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        need(ObjectKind::Secret, (name, "secretName"), &source.items, source.optional, format!("{path}.secret"));
    }
    if let Some(source) = &volume.persistent_volume_claim {
        let field = format!("{path}.persistentVolumeClaim");
        need(ObjectKind::PersistentVolumeClaim, (&source.claim_name, "claimName"), &None, None, field);
    }
    let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    for (index, source) in sources.enumerate() {
        let path = format!("{path}.projected.sources[{index}]");
        if let Some(source) = &source.config_map {
            let field = format!("{path}.configMap");
            need(ObjectKind::ConfigMap, (&source.name, "name"), &source.items, source.optional, field);
        }
        if let Some(source) = &source.secret {
            need(ObjectKind::Secret, (&source.name, "name"), &source.items, source.optional, format!("{path}.secret"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::Config, pod::ManifestSource};
    use serde_json::{Value, from_value, json};
    use std::{path::PathBuf, sync::Arc};

    fn objects() -> Objects {
        let map = json!({"metadata": {"name": "m"}, "data": {"text": "x"}, "binaryData": {"bytes": "eA=="}});
        let secret = json!({"metadata": {"name": "s"}, "stringData": {"token": "x"}});
        let all = [
            Config::ConfigMap(Box::new(from_value(map).unwrap())),
            Config::Secret(Box::new(from_value(secret).unwrap())),
        ];
        let source = ManifestSource { path: PathBuf::from("a.yaml"), document: 0 };
        all.iter().map(|config| (config.id(), Arc::new(config.declared(source.clone())))).collect()
    }

    fn told(container: Value, volumes: &Value) -> Vec<String> {
        let mut container = container;
        container["name"] = "c".into();
        let mounted = volumes.as_array().unwrap().iter().map(|v| &v["name"]).filter(|name| *name != "unused");
        container["volumeMounts"] = mounted.map(|name| json!({"name": name, "mountPath": "/m"})).collect();
        let spec = from_value(json!({"containers": [container], "volumes": volumes})).unwrap();
        let missing = missing(&spec, "default", &objects());
        missing.into_iter().map(|(message, field)| format!("{field}: {message}")).collect()
    }

    #[test]
    fn keys_and_objects_that_are_not_there() {
        let variable = |kind: &str, name: &str, key: &str, optional: bool| {
            let from = json!({kind: {"name": name, "key": key, "optional": optional}});
            told(json!({"env": [{"name": "V", "valueFrom": from}]}), &json!([]))
        };
        let (map, secret) = ("configMapKeyRef", "secretKeyRef");
        let place = |kind: &str| format!("spec.containers[0].env[0].valueFrom.{kind}");
        for (kind, name, key, expected) in [
            (map, "m", "text", None),
            (secret, "s", "token", None),
            (map, "m", "txt", Some(".key: key txt of ConfigMap default/m is declared by no file")),
            // A kubelet makes no variable of bytes.
            (map, "m", "bytes", Some(".key: key bytes of ConfigMap default/m is declared by no file")),
            (secret, "s", "text", Some(".key: key text of Secret default/s is declared by no file")),
            (secret, "m", "text", Some(".name: Secret default/m is declared by no file")),
        ] {
            let expected: Vec<_> = expected.iter().map(|message| format!("{}{message}", place(kind))).collect();
            assert_eq!(variable(kind, name, key, false), expected, "{kind} {name} {key}");
            assert_eq!(variable(kind, name, key, true), [""; 0], "{kind} {name} {key}");
        }
    }

    #[test]
    fn each_is_told_once_where_it_is_asked_for_first() {
        let from = json!([{"configMapRef": {"name": "none"}}, {"configMapRef": {"name": "none"}}]);
        let items = |key: &str| json!([{"key": key, "path": "p"}]);
        let volumes = json!([
            {"name": "a", "configMap": {"name": "m", "items": items("bytes")}},
            {"name": "b", "secret": {"secretName": "s", "items": items("none")}},
            {"name": "c", "projected": {"sources": [{"secret": {"name": "s", "items": items("none")}}, {"configMap": {"name": "n"}}]}},
            {"name": "d", "persistentVolumeClaim": {"claimName": "p"}},
            {"name": "unused", "secret": {"secretName": "gone"}},
        ]);
        let expected = [
            "spec.containers[0].envFrom[0].configMapRef.name: ConfigMap default/none is declared by no file",
            "spec.volumes[1].secret.items[0].key: key none of Secret default/s is declared by no file",
            "spec.volumes[2].projected.sources[1].configMap.name: ConfigMap default/n is declared by no file",
            "spec.volumes[3].persistentVolumeClaim.claimName: PersistentVolumeClaim default/p is declared by no file",
        ];
        assert_eq!(told(json!({"envFrom": from}), &volumes), expected);
    }
}
