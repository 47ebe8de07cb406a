use super::{
    suggest::{self, Chain},
    *,
};
use std::collections::BTreeSet;

/// Every struct of the table.
fn structs() -> Vec<&'static Struct> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut todo: Vec<&'static Struct> = table::ROOTS.to_vec();
    while let Some(next) = todo.pop() {
        if seen.insert(next.name) {
            found.push(next);
            todo.extend(next.fields.iter().filter_map(|(_, ty)| ty.innermost()));
        }
    }
    found
}

/// The name with one letter wrong, in every way.
fn misspellings(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let text = |chars: &[char]| chars.iter().collect::<String>();
    let mut wrong = Vec::new();
    for at in 0..chars.len() {
        let mut less = chars.clone();
        less.remove(at);
        wrong.push(text(&less));
        let mut twice = chars.clone();
        twice.insert(at, chars[at]);
        wrong.push(text(&twice));
        let mut other = chars.clone();
        other[at] = if chars[at] == 'x' { 'q' } else { 'x' };
        wrong.push(text(&other));
        let mut case = chars.clone();
        case[at] =
            if chars[at].is_lowercase() { chars[at].to_ascii_uppercase() } else { chars[at].to_ascii_lowercase() };
        wrong.push(text(&case));
        if at > 0 {
            let mut swapped = chars.clone();
            swapped.swap(at - 1, at);
            wrong.push(text(&swapped));
        }
    }
    wrong.retain(|w| w != name && !w.is_empty());
    wrong
}

#[test]
fn one_wrong_letter_in_any_field_is_found_and_mended() {
    let (mut tried, mut fields) = (0, 0);
    for inner in structs() {
        for (name, _) in inner.fields {
            fields += 1;
            for wrong in misspellings(name).iter().filter(|wrong| inner.field(wrong).is_none()) {
                let chain = Chain { outer: None, inner, place: "" };
                let advice = suggest::for_unknown(wrong, &chain).map(|advice| advice.text).unwrap_or_default();
                assert!(advice.contains(&format!("`{name}`")), "{}.{wrong} for {name}: {advice}", inner.name);
                tried += 1;
            }
        }
    }
    assert!(fields > 600 && tried > 30_000, "{fields} fields, {tried} misspellings");
}

#[test]
fn every_kind_has_its_struct() {
    for kind in ["Pod", "ConfigMap", "Secret", "PersistentVolumeClaim", "DaemonSet", "Deployment", "ReplicaSet"] {
        assert_eq!(of_kind(kind).map(|s| s.name), Some(kind));
    }
    assert!(of_kind("Service").is_none());
}
