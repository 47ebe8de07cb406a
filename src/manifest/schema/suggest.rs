//! The right name for a field that does not exist: misspelt, or in the wrong place.

use super::{Struct, Type};

/// Longer names are not compared: no field is near them.
const MAX_NAME: usize = 64;
/// More wrong letters than this are never forgiven.
const MAX_DISTANCE: usize = 3;
/// How many equally near names are offered.
const MAX_OFFERED: usize = 4;
/// How far below a struct its fields are looked for.
const MAX_DEPTH: usize = 3;

/// Structs from the one with the unknown field outward.
#[derive(Clone, Copy)]
pub struct Chain<'a> {
    /// The struct around this one.
    pub outer: Option<&'a Chain<'a>>,
    /// This struct.
    pub inner: &'static Struct,
    /// Where it is, as in `spec.containers[]`.
    pub place: &'a str,
}

/// What to tell about an unknown field.
#[derive(Debug)]
pub struct Advice {
    /// The sentence.
    pub text: String,
    /// The field of the same struct that was meant, if that is clear.
    pub meant: Option<&'static str>,
}

/// What to tell about an unknown field, if anything is like it.
pub fn for_unknown(name: &str, chain: &Chain) -> Option<Advice> {
    let (text, meant) = advice(name, chain)?;
    Some(Advice { text, meant })
}

fn advice(name: &str, chain: &Chain) -> Option<(String, Option<&'static str>)> {
    let own = nearest(name, chain.inner);
    // One letter off in the same struct is the likeliest mistake.
    if let Some((distance, names)) = &own
        && *distance <= 1
    {
        return Some((did_you_mean(names), names.first().copied()));
    }
    let exact = |field: &str| field == name;
    if let Some(advice) = elsewhere(chain, &exact) {
        return Some((format!("it belongs in {}, not in {}", advice.0, here(chain)), None));
    }
    if let Some((_, names)) = &own {
        return Some((did_you_mean(names), names.first().copied()));
    }
    let near = |field: &str| name.len() > 4 && distance(name, field) <= 1;
    if let Some((place, field)) = elsewhere(chain, &near) {
        return Some((format!("did you mean `{field}`, which belongs in {place}?"), None));
    }
    let names: Vec<_> = chain.inner.fields.iter().map(|(field, _)| *field).collect();
    (1..=8).contains(&names.len()).then(|| (format!("its fields are {}", list(&names, "and")), None))
}

/// The nearest of some words to a misspelt one, if any is near.
pub fn nearest_word<'w>(name: &str, words: &[&'w str]) -> Option<&'w str> {
    words
        .iter()
        .map(|word| (distance(name, word), *word))
        .filter(|(d, word)| *d <= allowed(word))
        .min_by_key(|(d, _)| *d)
        .map(|(_, word)| word)
}

fn did_you_mean(names: &[&str]) -> String {
    format!("did you mean {}?", list(names, "or"))
}

fn list(names: &[&str], last: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
    join(&quoted.iter().map(String::as_str).collect::<Vec<_>>(), last)
}

fn join(words: &[&str], last: &str) -> String {
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn here(chain: &Chain) -> String {
    described(chain.inner, chain.place, false)
}

fn described(inner: &Struct, place: &str, with_place: bool) -> String {
    match inner.name {
        "Container" if with_place => format!("a container (`{place}`)"),
        "Container" => "a container".into(),
        _ if place.is_empty() => format!("the {} itself", inner.name),
        _ => format!("`{place}`"),
    }
}

/// The fields at the smallest distance, if that is small.
fn nearest(name: &str, inner: &'static Struct) -> Option<(usize, Vec<&'static str>)> {
    let distances: Vec<_> = inner.fields.iter().map(|(field, _)| (distance(name, field), *field)).collect();
    let best = distances.iter().filter(|(d, field)| *d <= allowed(field)).map(|(d, _)| *d).min()?;
    let names = distances.iter().filter(|(d, _)| *d == best).map(|(_, field)| *field).take(MAX_OFFERED);
    Some((best, names.collect()))
}

/// How many wrong letters a name of this length may have and still be meant.
fn allowed(field: &str) -> usize {
    (field.len() / 3).clamp(1, MAX_DISTANCE)
}

/// A fitting field elsewhere: below this struct, in the structs around it, below those.
fn elsewhere(chain: &Chain, fits: &dyn Fn(&str) -> bool) -> Option<(String, &'static str)> {
    let mut around = Some(chain);
    while let Some(outer) = around {
        let own = outer.inner.fields.iter().find(|(field, _)| fits(field));
        if let Some((field, _)) = own.filter(|_| !std::ptr::eq(outer.inner, chain.inner)) {
            return Some((described(outer.inner, outer.place, true), field));
        }
        // Far away only one place is likely enough to be meant.
        let most = if std::ptr::eq(outer, chain) { MAX_OFFERED } else { 1 };
        if let Some(found) = below(outer, chain.inner, most, fits) {
            return Some(found);
        }
        around = outer.outer;
    }
    None
}

/// Breadth first, so that the nearest place wins; nothing if there are too many to be meant.
fn below(chain: &Chain, except: &Struct, most: usize, fits: &dyn Fn(&str) -> bool) -> Option<(String, &'static str)> {
    let mut level: Vec<(&'static Struct, String)> = vec![(chain.inner, chain.place.to_owned())];
    for _ in 0..MAX_DEPTH {
        let mut next: Vec<(&'static Struct, String)> = Vec::new();
        let mut found: Vec<(String, &'static str)> = Vec::new();
        for (inner, place) in &level {
            for (field, ty) in inner.fields {
                let Some(child) = ty.innermost().filter(|child| !std::ptr::eq(*child, except)) else { continue };
                let dot = if place.is_empty() { "" } else { "." };
                let brackets = if matches!(ty, Type::List(_)) { "[]" } else { "" };
                let place = format!("{place}{dot}{field}{brackets}");
                if let Some((name, _)) = child.fields.iter().find(|(field, _)| fits(field)) {
                    found.push((described(child, &place, true), name));
                }
                next.push((child, place));
            }
        }
        // Ephemeral containers are of no use in a file, and init containers second to containers.
        found.retain(|(place, _)| !place.contains("phemeral"));
        if found.iter().any(|(place, _)| place.contains("spec.containers[]")) {
            found.retain(|(place, _)| !place.contains("initContainers"));
        }
        match found.as_slice() {
            [] => level = next,
            [(_, name), ..] if found.len() <= most => {
                let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
                return Some((join(&places, "or"), name));
            }
            _ => return None,
        }
    }
    None
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, letters'
/// case aside.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > MAX_NAME || b.len() > MAX_NAME || a.len().abs_diff(b.len()) > MAX_DISTANCE {
        return usize::MAX;
    }
    let same = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let (mut before_last, mut last, mut row) = ([0; MAX_NAME + 1], [0; MAX_NAME + 1], [0; MAX_NAME + 1]);
    for (j, cell) in last.iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(!same(i - 1, j - 1));
            let mut best = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1) {
                best = best.min(before_last[j - 2] + 1);
            }
            row[j] = best;
        }
        (before_last, last) = (last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [
            ("", "", 0),
            ("ports", "PORTS", 0),
            ("port", "ports", 1),
            ("livenesProbe", "livenessProbe", 1),
            ("imagePullPolicey", "imagePullPolicy", 1),
            ("naem", "name", 1),
            ("abc", "", 3),
            ("abcd", "", usize::MAX),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }
}
