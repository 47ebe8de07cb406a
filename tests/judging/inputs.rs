//! Files that are to do harm, each with the code that refuses it.

/// A hostile file.
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// The code of the first error.
    pub code: &'static str,
}

const TEN_MIB: usize = 10 << 20;

/// A Pod up to its containers.
const HEAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n";

/// All of them.
pub fn all() -> Vec<Hostile> {
    let one = |name, code, text: String| Hostile { name, bytes: text.into_bytes(), code };
    let mut files = vec![
        one("alias bomb of lists", "too-large", bomb(|above| format!("[{}]", [above; 9].join(", ")), "[lol]")),
        one("alias bomb of texts", "too-large", bomb(|above| format!("[{}]", [above; 9].join(", ")), "lol")),
        one("alias bomb of merge keys", "too-large", merge_bomb()),
        one("one anchor, a million aliases", "too-large", format!("a: &a x\nb:\n{}", "- *a\n".repeat(1_000_000))),
        one("an alias of itself", "yaml-alias", "a: &a [*a]\n".into()),
        one("100 kB of [", "too-deep", "[".repeat(100_000)),
        one("100 kB of {", "json-syntax", "{".repeat(100_000)),
        one("100 kB of JSON's {", "json-syntax", "{\"a\":".repeat(20_000)),
        one("100 kB of - ", "too-deep", "- ".repeat(50_000)),
        one("100 kB of ? ", "too-deep", "? ".repeat(50_000)),
        one("nesting by indentation", "too-deep", (0..1_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()),
        one("more than 10 MiB", "too-large", format!("# {}\n{HEAD}  - {{name: a, image: b}}\n", "x".repeat(TEN_MIB))),
        one("10 MiB of a comment", "empty-file", filled("", "# nothing\n")),
        one("10 MiB of one word", "not-an-object", filled("", "x")),
        one("10 MiB of one quoted text", "yaml-syntax", filled("\"", "x")),
        one(
            "10 MiB of one field's value",
            "unknown-field",
            filled(&format!("{HEAD}  - {{name: a, image: b}}\n  x: "), "x"),
        ),
        one("10 MiB of a block text", "not-an-object", filled("|\n", "  x\n")),
        one("10 MiB of documents", "too-large", filled("", "---\na\n")),
        one("10 MiB of empty documents", "too-large", filled("", "---\n")),
        one("10 MiB of short lines", "too-large", filled("", "- a\n")),
        one("10 MiB of keys", "too-large", keys()),
        one("10 MiB of one key", "too-large", filled("", "a: b\n")),
        one("9 MB of brackets that close", "too-large", format!("- [{}[]]", "[],".repeat(3_000_000))),
        one("9 MB of JSON", "too-large", format!("{{\"a\": [{}0]}}", "0,".repeat(4_500_000))),
        one("10 MiB of JSON's blanks", "json-syntax", filled("{", " ")),
        one("10 MiB of anchors", "too-large", filled("", "- &a b\n")),
        one("10 MiB of tags", "too-large", filled("", "- !!str b\n")),
        one("10 MiB of directives", "yaml-syntax", filled("", "%YAML 1.1\n")),
        one("10 MiB of tabs", "yaml-syntax", filled("a:\n", "\t")),
        one("10 MiB of carriage returns", "empty-file", filled("", "\r")),
        one("10 MiB of line separators", "yaml-syntax", filled("a: b", "\u{2028}: ")),
        one("10 MiB of escapes", "yaml-syntax", filled("\"", "\\x41")),
        one("10 MiB of blanks before a word", "not-an-object", format!("{}x", filled("", " "))),
        one("10,000 containers", "too-many", format!("{HEAD}{}", "  - {name: a, image: b}\n".repeat(10_000))),
        one("100,000 mistakes", "unknown-field", format!("{HEAD}  - name: a\n    image: b\n{}", mistakes())),
        one(
            "a name of a megabyte",
            "invalid",
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec: {{containers: [{{name: a, image: b}}]}}\n",
                "a".repeat(1 << 20)
            ),
        ),
        one(
            "a number of a megabyte",
            "wrong-type",
            format!("{HEAD}  - {{name: a, image: b}}\n  terminationGracePeriodSeconds: {}\n", "9".repeat(1 << 20)),
        ),
        one(
            "an amount of a megabyte",
            "invalid-quantity",
            format!("{HEAD}  - {{name: a, image: b, resources: {{limits: {{cpu: \"{}x\"}}}}}}\n", "9".repeat(1 << 20)),
        ),
        one("a kind of a megabyte", "unknown-kind", format!("apiVersion: v1\nkind: {}\n", "P".repeat(1 << 20))),
        one(
            "a field's name of a megabyte",
            "unknown-field",
            format!("{HEAD}  - {{name: a, image: b}}\n  {}: 1\n", "x".repeat(1 << 10)),
        ),
        one("a NUL", "nul-byte", format!("{HEAD}  - {{name: a, image: b}}\n\0")),
        one("a megabyte of NULs", "nul-byte", "\0".repeat(1 << 20)),
    ];
    files.push(Hostile { name: "not UTF-8", bytes: b"apiVersion: v1\nkind: \xff\n".to_vec(), code: "not-utf8" });
    files.push(Hostile { name: "UTF-16", bytes: b"\xff\xfea\0:\0 \0b\0".to_vec(), code: "not-utf8" });
    files
}

/// 10 MiB of one thing after a beginning.
fn filled(beginning: &str, with: &str) -> String {
    let mut text = beginning.to_owned();
    text.push_str(&with.repeat((TEN_MIB - 1 - beginning.len()) / with.len()));
    text
}

fn keys() -> String {
    let mut text = String::new();
    for n in 0.. {
        let line = format!("k{n}: v\n");
        if text.len() + line.len() > TEN_MIB {
            break;
        }
        text.push_str(&line);
    }
    text
}

fn mistakes() -> String {
    (0..100_000).map(|n| format!("    f{n}: 1\n")).collect()
}

/// Ten levels, each nine times the one above.
fn bomb(level: impl Fn(&str) -> String, bottom: &str) -> String {
    let mut text = format!("l0: &l0 {bottom}\n");
    for n in 1..10 {
        text.push_str(&format!("l{n}: &l{n} {}\n", level(&format!("*l{}", n - 1))));
    }
    text
}

fn merge_bomb() -> String {
    let mut text = "l0: &l0 {a: b}\n".to_owned();
    for n in 1..10 {
        let keys: String = (0..9).map(|key| format!("k{key}: {{<<: *l{}}}, ", n - 1)).collect();
        text.push_str(&format!("l{n}: &l{n} {{{keys}}}\n"));
    }
    text
}
