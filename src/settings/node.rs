//! `--node-labels`, `--register-with-taints` and `registerWithTaints`.

use super::{SettingsError, refuse, text_of};
use crate::{
    cli::Options,
    manifest::names,
    pod::{NodeRules, Taint, TaintEffect},
};

/// Labels and taints of the node, from the flags or the configuration's taints.
pub(super) fn rules(
    options: &Options,
    of_file: Option<Vec<Taint>>,
    node_name: &str,
) -> Result<NodeRules, SettingsError> {
    let mut rules = NodeRules::new(node_name);
    for item in items(options.node_labels.as_deref()) {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        let of = |what: &str, why: &str| refuse("--node-labels", format!("{item:?}: the {what} {why}"));
        names::qualified_name(key).map_err(|why| of("key", why))?;
        names::label_value(value).map_err(|why| of("value", why))?;
        rules.labels.insert(key.to_owned(), value.to_owned());
    }
    rules.taints = match &options.register_with_taints {
        Some(text) => items(Some(text)).map(|item| taint("--register-with-taints", item)).collect::<Result<_, _>>()?,
        None => of_file.unwrap_or_default(),
    };
    Ok(rules)
}

fn items(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A taint as `key=value:effect` or `key:effect`.
fn taint(place: &str, text: &str) -> Result<Taint, SettingsError> {
    let form = || refuse(place, format!("{text:?} is not a taint, as in dedicated=db:NoSchedule"));
    let (name, effect) = text.rsplit_once(':').ok_or_else(form)?;
    let (key, value) = name.split_once('=').unwrap_or((name, ""));
    checked_taint(place, key, value, effect)
}

fn checked_taint(place: &str, key: &str, value: &str, effect: &str) -> Result<Taint, SettingsError> {
    let of = |what: &str, why: &str| refuse(place, format!("taint {key:?}: the {what} {why}"));
    names::qualified_name(key).map_err(|why| of("key", why))?;
    names::label_value(value).map_err(|why| of("value", why))?;
    let effect =
        TaintEffect::parse(effect).ok_or_else(|| of("effect", "must be NoSchedule, PreferNoSchedule or NoExecute"))?;
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect })
}

/// `registerWithTaints`, in the API's form.
pub(super) fn taints_of(place: &str, value: &serde_json::Value) -> Result<Vec<Taint>, SettingsError> {
    let list = match value {
        serde_json::Value::Null => return Ok(Vec::new()),
        serde_json::Value::Array(list) => list,
        _ => return Err(refuse(place, "must be a list of taints")),
    };
    let word = |taint: &serde_json::Value, field: &str| match taint.get(field) {
        None | Some(serde_json::Value::Null) => Ok(String::new()),
        Some(value) => text_of(place, value).map(str::to_owned),
    };
    list.iter()
        .map(|taint| checked_taint(place, &word(taint, "key")?, &word(taint, "value")?, &word(taint, "effect")?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::settle;
    use std::path::Path;

    fn options() -> Options {
        Options { pod_manifest_path: Some("/m".into()), ..Options::default() }
    }

    #[test]
    fn what_pods_ask_of_the_node() {
        let text = "registerWithTaints: [{key: a, value: b, effect: NoExecute}, {key: c, effect: NoSchedule}]";
        let config = Some((Path::new("/c.yaml"), text));
        let told = |options: &Options| {
            let rules = settle(options, config, "Node1").map(|(settings, _)| settings.node_rules)?;
            let taints: Vec<_> = rules.taints.iter().map(ToString::to_string).collect();
            Ok::<_, SettingsError>((rules.labels, taints.join(" ")))
        };
        let (labels, taints) = told(&Options { node_labels: Some("disk=ssd, gpu".into()), ..options() }).unwrap();
        let label = |key: &str| labels.get(key).map(String::as_str);
        assert_eq!(
            (label("disk"), label("gpu"), label("kubernetes.io/hostname")),
            (Some("ssd"), Some(""), Some("node1"))
        );
        assert_eq!(taints, "a=b:NoExecute c:NoSchedule");
        let flag = |text: &str| told(&Options { register_with_taints: Some(text.into()), ..options() });
        assert_eq!(flag("x/y=z:PreferNoSchedule,d:NoSchedule").unwrap().1, "x/y=z:PreferNoSchedule d:NoSchedule");
        assert_eq!(flag("").unwrap().1, "");
        for (text, expected) in [
            ("a", "--register-with-taints: \"a\" is not a taint, as in dedicated=db:NoSchedule"),
            (
                "a:Never",
                "--register-with-taints: taint \"a\": the effect must be NoSchedule, PreferNoSchedule or NoExecute",
            ),
        ] {
            assert_eq!(flag(text).unwrap_err().to_string(), expected);
        }
        let odd = told(&Options { node_labels: Some("a b=c".into()), ..options() }).unwrap_err();
        assert!(odd.to_string().starts_with("--node-labels: \"a b=c\": the key must be a name"), "{odd}");
    }
}
