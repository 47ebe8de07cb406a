use super::*;

fn parse(text: &str) -> Parsed {
    parse_file(Path::new("web.yaml"), text.as_bytes(), &ParseOptions::default())
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers: [{name: a, image: b:1}]\n";

#[test]
fn byte_order_marks_and_line_ends_of_other_systems_change_nothing() {
    let misspelt = POD.replace("image:", "imgae:");
    let places = |text: &str| {
        let parsed = parse(text);
        let place = |d: &Diagnostic| (d.code, d.field.clone(), d.place.as_ref().map(|p| (p.line, p.column)));
        let json = parsed.objects.iter().map(|object| format!("{object:?}")).collect::<Vec<_>>();
        (json, parsed.diagnostics.iter().map(place).collect::<Vec<_>>())
    };
    let block = "data:\n  page: |\n    one\n    two\n";
    let config = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n{block}---\n{POD}");
    for text in [POD, &misspelt, &config, "{\"apiVersion\": \"v1\",\n\"kind\": \"Pood\"}\n"] {
        let expected = places(text);
        assert!(!expected.0.is_empty() || !expected.1.is_empty());
        for other in
            [format!("\u{feff}{text}"), text.replace('\n', "\r\n"), format!("\u{feff}{}", text.replace('\n', "\r\n"))]
        {
            assert_eq!(places(&other), expected, "{other:?}");
        }
    }
    assert_eq!(locate(&format!("\u{feff}{}", POD.replace('\n', "\r\n")), 0, "spec"), locate(POD, 0, "spec"));
}

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
