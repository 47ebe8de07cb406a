//! Good and bad manifests → others, by bytes and by structure.

use crate::random::Random;
use serde_json::{Map, Value};
use std::{fs, path::Path};

/// What YAML, JSON and Kubernetes give a meaning, to be put anywhere.
const WORDS: &[&str] = &[
    "- ",
    ": ",
    "? ",
    "&a ",
    "*a",
    "<<: *a\n",
    "<<: [*a, *a]\n",
    "!!str ",
    "!!int ",
    "!!binary ",
    "!x ",
    "|\n",
    ">-\n",
    "|9\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    "\"",
    "#",
    " #",
    "\t",
    "\r",
    "\n",
    "\n\n",
    "\0",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "é",
    "\u{1f980}",
    "%YAML 1.1\n",
    "%TAG ! !\n",
    "\n---\n",
    "\n...\n",
    "~",
    "null",
    "y",
    "0x",
    "0o17",
    "-0",
    "1_0",
    ".inf",
    ".nan",
    "1e400",
    "1e-400",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "2147483648",
    "190:20:30",
    "2001-01-01T00:00:00Z",
    "999999999999Ei",
    "1e-18",
    "-1",
    "0.5",
    "5e",
    "$(A)",
    "$$(A)",
    "../..",
    "/",
    "//",
    "kind: List\nitems:\n",
    "kind: DaemonSet\n",
    "apiVersion: extensions/v1beta1\n",
    "metadata:\n",
    "spec:\n",
    "  ",
    "\\",
    "\\u0000",
    "\\ud800",
    "\\x",
];

/// Scalars at the edges of their types.
fn scalars() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "a",
        "A",
        "a/b",
        "a b",
        "-",
        ".",
        "..",
        "0",
        "01",
        "1Gi",
        "-1Gi",
        "1e1000",
        "99999999999999999999Ei",
        "yes",
        "::1",
        "192.0.2.1",
        "http",
        "Always",
        "OnFailure",
        "Never",
        "UDP",
        "$(A)$(",
        "/a/../b",
        "\u{0}",
        "\u{202e}",
        "2001-01-01T00:00:00Z",
    ];
    let mut all: Vec<Value> = texts.into_iter().map(Value::from).collect();
    all.extend(
        [0, 1, -1, 65_535, 65_536, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN].map(Value::from),
    );
    all.extend([Value::from(u64::MAX), Value::from(0.5), Value::from(1e300), Value::Null, true.into(), false.into()]);
    all.extend(["x".repeat(64), "x".repeat(254), "9".repeat(400), "a.".repeat(200)].map(Value::from));
    all.extend([Value::Array(Vec::new()), Value::Object(Map::new())]);
    all
}

/// Files that were worth keeping as beginnings, at most, and how long each may be.
const KEPT: usize = 3_000;
const LONGEST_KEPT: usize = 16 << 10;

/// Makes new files of old ones.
pub struct Mutator {
    /// What it makes new files of: those it began with, then what was worth keeping of its own.
    seeds: Vec<Vec<u8>>,
    /// How many of them it began with.
    own: usize,
    keys: Vec<String>,
    scalars: Vec<Value>,
}

impl Mutator {
    /// Begins with the manifests of this repository.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        for directory in ["manifests", "tests/manifests/good", "tests/manifests/warned", "tests/manifests/refused"] {
            paths.extend(fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path()));
        }
        paths.sort();
        let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
        let mut keys = Vec::new();
        for seed in &seeds {
            documents(seed).iter().for_each(|document| collect_keys(document, &mut keys));
        }
        keys.sort();
        keys.dedup();
        Self { own: seeds.len(), seeds, keys, scalars: scalars() }
    }

    /// The files it began with.
    pub fn beginnings(&self) -> &[Vec<u8>] {
        &self.seeds[..self.own]
    }

    /// Goes on from this file, too. A long one would make all that follow slow.
    pub fn keep(&mut self, bytes: Vec<u8>) {
        if self.seeds.len() < KEPT && bytes.len() <= LONGEST_KEPT {
            self.seeds.push(bytes);
        }
    }

    /// Another file.
    pub fn next(&self, random: &mut Random) -> Vec<u8> {
        // Nearly all that is made of what was made before is refused: half are made of good manifests, so that
        // what is taken is judged to its end as well.
        let from = if random.one_in(2) { self.beginnings() } else { &self.seeds };
        let mut bytes = random.pick(from).clone();
        if random.below(3) > 0
            && let Some(changed) = self.by_structure(&bytes, random)
        {
            bytes = changed;
            if random.below(4) > 0 {
                return bytes;
            }
        }
        for _ in 0..=random.below(4) {
            self.by_bytes(&mut bytes, random);
        }
        bytes.truncate(1 << 18);
        bytes
    }

    fn by_bytes(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(32)).min(bytes.len());
        match random.below(9) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            1 => bytes.insert(at, random.byte()),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let many = if random.one_in(20) { 2_000 } else { 1 + random.below(4) };
                bytes.splice(at..at, part.repeat(many));
            }
            4 => {
                let other = random.pick(&self.seeds);
                let from = random.below(other.len());
                let to = (from + random.below(200)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            5 => bytes.truncate(at),
            6 => {
                // Another indentation of one line.
                let line = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                if random.one_in(2) && bytes.get(line) == Some(&b' ') {
                    bytes.remove(line);
                } else {
                    bytes.insert(line, b' ');
                }
            }
            _ => drop(bytes.splice(at..at, random.pick(WORDS).bytes())),
        }
    }

    fn by_structure(&self, bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
        let mut documents = documents(bytes);
        if documents.is_empty() {
            return None;
        }
        let index = random.below(documents.len());
        for _ in 0..=random.below(3) {
            let donor = self.donor(random);
            let document = &mut documents[index];
            let nodes = count(document);
            self.change(pick_node(document, random.below(nodes))?, &donor, random);
        }
        if random.one_in(4) {
            return serde_json::to_vec(&documents[index]).ok();
        }
        let texts: Vec<String> = documents.iter().filter_map(|document| serde_yaml::to_string(document).ok()).collect();
        Some(texts.join("---\n").into_bytes())
    }

    /// Some part of some seed.
    fn donor(&self, random: &mut Random) -> Value {
        let mut documents = documents(random.pick::<Vec<u8>>(&self.seeds));
        let index = random.below(documents.len());
        let Some(document) = documents.get_mut(index) else { return Value::Null };
        let nodes = count(document);
        pick_node(document, random.below(nodes)).map_or(Value::Null, |node| node.clone())
    }

    fn change(&self, node: &mut Value, donor: &Value, random: &mut Random) {
        match (random.below(8), &mut *node) {
            (0 | 1, Value::Object(map)) if !map.is_empty() => {
                let key = map.keys().nth(random.below(map.len())).cloned().unwrap_or_default();
                let value = map.remove(&key).unwrap_or_default();
                if random.one_in(2) {
                    map.insert(random.pick(&self.keys).clone(), value);
                }
            }
            (2, Value::Object(map)) => {
                map.insert(random.pick(&self.keys).clone(), donor.clone());
            }
            (0..=2, Value::Array(list)) if !list.is_empty() => {
                let at = random.below(list.len());
                let item = list[at].clone();
                match random.below(3) {
                    0 => drop(list.remove(at)),
                    1 => list.insert(at, item),
                    _ => list.extend(std::iter::repeat_n(item, if random.one_in(10) { 1_100 } else { 3 })),
                }
            }
            (3, Value::String(text)) => {
                let at =
                    text.char_indices().nth(random.below(text.chars().count() + 1)).map_or(text.len(), |(at, _)| at);
                text.insert_str(at, random.pick::<&str>(WORDS));
            }
            (4, _) => *node = Value::Array(vec![node.take()]),
            (5, _) => {
                let inner = node.take();
                *node = Value::Object([(random.pick(&self.keys).clone(), inner)].into_iter().collect());
            }
            (6, _) => *node = donor.clone(),
            _ => *node = random.pick(&self.scalars).clone(),
        }
    }
}

/// The documents of a file as values, if it can be read; aliases written out, tags forgotten.
pub fn documents(bytes: &[u8]) -> Vec<Value> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    serde_yaml::Deserializer::from_str(text)
        .map_while(|document| <Value as serde::Deserialize>::deserialize(document).ok())
        .filter(|value| !value.is_null())
        .collect()
}

fn collect_keys(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            keys.extend(map.keys().cloned());
            map.values().for_each(|value| collect_keys(value, keys));
        }
        Value::Array(list) => list.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

/// A value and all below it.
pub fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 0,
    }
}

/// The `index`th of the values that [`count`] counts.
pub fn pick_node(value: &mut Value, mut index: usize) -> Option<&mut Value> {
    if index == 0 {
        return Some(value);
    }
    index -= 1;
    let children: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Object(map) => Box::new(map.values_mut()),
        Value::Array(list) => Box::new(list.iter_mut()),
        _ => return None,
    };
    for child in children {
        let size = count(child);
        if index < size {
            return pick_node(child, index);
        }
        index -= size;
    }
    None
}
