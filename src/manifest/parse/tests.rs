use super::*;

fn parse(text: &str) -> Parsed {
    parse_file(Path::new("web.yaml"), text.as_bytes(), &ParseOptions::default())
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: a, image: b:1}]\n";

#[test]
fn documents_and_lists() {
    assert_eq!(parse(POD).objects.len(), 1);
    assert_eq!(parse(&format!("---\n{POD}---\n# nothing\n---\n{POD}...\n")).objects.len(), 2);
    let item = POD.replace("\n", "\n  ");
    assert_eq!(parse(&format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n")).objects.len(), 1);
    for text in ["", "# a\n", "a: [", "apiVersion: v2\nkind: Pod\n"] {
        assert!(parse(text).is_refused(), "{text}");
    }
}
