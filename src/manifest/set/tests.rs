use super::*;
use crate::{
    manifest::{
        Config,
        parse::{ParseOptions, parse_file},
    },
    pod::{Taint, TaintEffect, objects},
};
use Row::{Broken, Good};

/// One file of a snapshot: pods by name, `name=uid`, `name@image`, or `name!` for one that can not be
/// resolved; `#name` is a ConfigMap, `#name@value` one that holds a value.
#[derive(Clone, Copy)]
enum Row {
    /// Good as it stands.
    Good(&'static str),
    /// Refused; what it held when it was last good.
    Broken(Option<&'static str>),
}

/// The files of one look.
type Rows = &'static [(&'static str, Row)];

const NODE: &str = "n1";

fn node() -> Node {
    Node { name: NODE.into() }
}

fn objects(names: &str) -> Arc<Vec<Object>> {
    let pod = |(document, text): (usize, &str)| {
        if let Some(text) = text.strip_prefix('#') {
            let (name, value) = text.split_once('@').unwrap_or((text, ""));
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            let map = serde_json::json!({
                "metadata": {"name": name, "namespace": namespace}, "data": {"key": value},
            });
            let config = Config::ConfigMap(serde_json::from_value(map).unwrap());
            return Object::Config { document, config };
        }
        let impossible = text.ends_with('!');
        let text = text.trim_end_matches('!');
        let (text, image) = text.split_once('@').unwrap_or((text, "i"));
        let (name, uid) = text.split_once('=').unwrap_or((text, ""));
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let policy = if impossible { "Sometimes" } else { "Always" };
        let pod = serde_json::json!({
            "metadata": {"name": name, "namespace": namespace, "uid": uid},
            "spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": image}]},
        });
        Object::Pod { document, pod: Arc::new(serde_json::from_value(pod).unwrap()) }
    };
    Arc::new(names.split_whitespace().enumerate().map(pod).collect())
}

fn snapshot(rows: &[(&str, Row)]) -> Snapshot {
    let file = |row: Row| match row {
        Good(names) => {
            let objects = objects(names);
            ManifestFile { objects: Some(objects.clone()), last_good: Some(objects), diagnostics: Vec::new() }
        }
        Broken(last) => ManifestFile { objects: None, last_good: last.map(objects), diagnostics: Vec::new() },
    };
    let files = rows.iter().map(|(path, row)| (PathBuf::from(path), file(*row))).collect();
    Snapshot { generation: 7, state: DirectoryState::Read, files, ..Snapshot::default() }
}

fn key(name: &str) -> PodKey {
    let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
    PodKey::new(namespace, format!("{name}-{NODE}"))
}

/// `"x:a y=u1:b"`: pod x runs from file a, y with this uid from b.
fn running(text: &str) -> BTreeMap<PodKey, Incumbent> {
    let entry = |entry: &str| {
        let (name, path) = entry.split_once(':').unwrap();
        let (name, uid) = name.split_once('=').unwrap_or((name, "of-its-own"));
        let source = ManifestSource { path: path.into(), document: 3 };
        (key(name), Incumbent { source, uids: [PodUid::new(uid)].into() })
    };
    text.split_whitespace().map(entry).collect()
}

/// The set in one line: desired pods with their files, what is held, the refused files.
fn told(set: &ManifestSet) -> String {
    let short = |key: &PodKey| key.to_string().replace("default/", "").replace("-n1", "");
    let pods: Vec<_> =
        set.pods.iter().map(|(key, pod)| format!("{}:{}", short(key), pod.source.path.display())).collect();
    let held: Vec<_> = match &set.held {
        Held::Everything => vec!["everything".to_owned()],
        Held::Files(files) => files.iter().map(|path| path.display().to_string()).collect(),
    };
    let refused: Vec<_> = set.diagnostics.iter().map(|d| format!("{}({})", d.path.display(), d.code)).collect();
    format!("run [{}] hold [{}] say [{}]", pods.join(" "), held.join(" "), refused.join(" "))
}

/// Resolves one look after another, each with the set before it, over the same running pods.
fn looks(incumbents: &str, looks: &[Rows]) -> String {
    let mut set = ManifestSet::default();
    for rows in looks {
        set = resolve(&snapshot(rows), &set, &running(incumbents), &node(), 110);
    }
    told(&set)
}

#[test]
fn one_look() {
    let table: &[(&str, &str, Rows, &str)] = &[
        ("empty directory: no pods", "x:a", &[], "run [] hold [] say []"),
        ("several documents", "", &[("a", Good("x y")), ("b", Good("z"))], "run [x:a y:a z:b] hold [] say []"),
        (
            "same name, other namespace",
            "",
            &[("a", Good("x")), ("b", Good("prod/x"))],
            "run [x:a prod/x:b] hold [] say []",
        ),
        (
            "same name, namespace written out",
            "",
            &[("a", Good("x")), ("b", Good("default/x"))],
            "run [x:a] hold [b] say [b(duplicate-pod)]",
        ),
        ("broken with last good", "x:a", &[("a", Broken(Some("x y")))], "run [x:a y:a] hold [] say []"),
        ("broken, never good: kept as it runs", "x:a", &[("a", Broken(None))], "run [] hold [a] say []"),
        (
            "newcomers: the first file wins",
            "",
            &[("a", Good("x")), ("b", Good("x"))],
            "run [x:a] hold [b] say [b(duplicate-pod)]",
        ),
        ("incumbent wins", "x:b", &[("a", Good("x")), ("b", Good("x"))], "run [x:b] hold [a] say [a(duplicate-pod)]"),
        (
            "a loser is refused whole",
            "x:b",
            &[("a", Good("x y")), ("b", Good("x"))],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "what a loser gives up is free",
            "x:c",
            &[("a", Good("x y")), ("b", Good("y")), ("c", Good("x"))],
            "run [x:c y:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "incumbent's file gave the pod up: moved",
            "x:a y:a",
            &[("a", Good("y")), ("b", Good("x"))],
            "run [x:b y:a] hold [] say []",
        ),
        ("renamed file", "x:a", &[("b", Good("x"))], "run [x:b] hold [] say []"),
        (
            "incumbent's file is unknown: it keeps the name",
            "x:b",
            &[("a", Good("x")), ("b", Broken(None))],
            "run [] hold [a b] say [a(duplicate-pod)]",
        ),
        (
            "incumbent's file is broken, last good",
            "x:b",
            &[("a", Good("x")), ("b", Broken(Some("x")))],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "broken newcomer with a last good is still a newcomer",
            "x:b",
            &[("a", Broken(Some("x"))), ("b", Good("x"))],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "two pods of one file",
            "",
            &[("a", Good("x x y")), ("b", Good("z"))],
            "run [z:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "impossible pod",
            "x:a",
            &[("a", Good("x y!")), ("b", Good("z"))],
            "run [z:b] hold [a] say [a(impossible-pod)]",
        ),
        (
            "an impossible file keeps what runs from it",
            "x:a",
            &[("a", Good("y!")), ("b", Good("x"))],
            "run [] hold [a b] say [a(impossible-pod) b(duplicate-pod)]",
        ),
        (
            "each wants the other's",
            "x:a y:b",
            &[("a", Good("x y")), ("b", Good("x y"))],
            "run [] hold [a b] say [a(duplicate-pod) b(duplicate-pod)]",
        ),
        ("swapped", "x:a y:b", &[("a", Good("y")), ("b", Good("x"))], "run [x:b y:a] hold [] say []"),
        (
            "one uid in two files",
            "",
            &[("a", Good("x=u1")), ("b", Good("y=u1"))],
            "run [x:a] hold [b] say [b(duplicate-pod)]",
        ),
        (
            "a uid stays with the pod that runs with it",
            "x=u1:b",
            &[("a", Good("y=u1")), ("b", Good("x=u1"))],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "a uid of a pod whose file can not be read",
            "x=u1:b",
            &[("a", Good("y=u1")), ("b", Broken(None))],
            "run [] hold [a b] say [a(duplicate-pod)]",
        ),
        (
            "a uid that the pod that runs with it is to lose",
            "x=u1:b",
            &[("a", Good("y=u1")), ("b", Good("x=u2"))],
            "run [x:b y:a] hold [] say []",
        ),
        ("one uid in one file", "", &[("a", Good("x=u1 y=u1"))], "run [] hold [a] say [a(duplicate-pod)]"),
        (
            "a refused file keeps what it is about to lose",
            "x:b y:c",
            &[("a", Good("x")), ("b", Good("y")), ("c", Good("y"))],
            "run [y:c] hold [a b] say [a(duplicate-pod) b(duplicate-pod)]",
        ),
    ];
    for (name, incumbents, rows, expected) in table {
        assert_eq!(looks(incumbents, &[rows]), *expected, "{name}");
    }
}

#[test]
fn several_looks() {
    let table: &[(&str, &str, &[Rows], &str)] = &[
        (
            "an edit into a clash keeps what the file declared before, started or not",
            "",
            &[&[("a", Good("x")), ("b", Good("y z"))], &[("a", Good("x")), ("b", Good("x y"))]],
            "run [x:a y:b z:b] hold [] say [b(duplicate-pod)]",
        ),
        (
            "and then breaks",
            "",
            &[
                &[("a", Good("x")), ("b", Good("y"))],
                &[("a", Good("x")), ("b", Good("x y"))],
                &[("a", Good("x")), ("b", Broken(Some("x y")))],
            ],
            "run [x:a y:b] hold [] say [b(duplicate-pod)]",
        ),
        (
            "clash gone: the other takes over",
            "x:a",
            &[&[("a", Good("x")), ("b", Good("x y"))], &[("b", Good("x y"))]],
            "run [x:b y:b] hold [] say []",
        ),
        (
            "a clash among newcomers does not turn when neither runs yet",
            "",
            &[&[("b", Good("x"))], &[("a", Good("x")), ("b", Good("x"))]],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "broken, then deleted",
            "x:a",
            &[&[("a", Good("x"))], &[("a", Broken(Some("x")))], &[]],
            "run [] hold [] say []",
        ),
        (
            "moved in one edit",
            "x:a y:a",
            &[&[("a", Good("x y")), ("b", Good("z"))], &[("a", Good("y")), ("b", Good("z x"))]],
            "run [x:b y:a z:b] hold [] say []",
        ),
        (
            "after a renaming the new path has it, whatever the label says",
            "x:a",
            &[&[("a", Good("x"))], &[("b", Good("x"))], &[("a", Good("x")), ("b", Good("x"))]],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "a renamed owner stays the owner, whoever else wants its name",
            "x:m",
            &[
                &[("m", Good("x@1"))],
                &[("a", Good("x@2")), ("m", Good("x@1"))],
                &[("a", Good("x@2")), ("z", Good("x@1"))],
            ],
            "run [x:z] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "an impossible edit keeps the pods",
            "",
            &[&[("a", Good("x"))], &[("a", Good("x y!"))]],
            "run [x:a] hold [] say [a(impossible-pod)]",
        ),
        (
            "a given uid stays with its file",
            "",
            &[&[("b", Good("x=u1"))], &[("a", Good("y=u1")), ("b", Good("x=u1"))]],
            "run [x:b] hold [a] say [a(duplicate-pod)]",
        ),
        (
            "a pod that gets back the uid that it runs with",
            "x=u1:b",
            &[
                &[("b", Good("x=u1"))],
                &[("a", Good("y=u1")), ("b", Good("x=u2"))],
                &[("a", Good("y=u1")), ("b", Good("x=u1"))],
            ],
            "run [x:b y:a] hold [] say [a(duplicate-pod)]",
        ),
        (
            "a pod renamed under a given uid",
            "",
            &[&[("b", Good("x=u1"))], &[("b", Good("y=u1"))]],
            "run [y:b] hold [] say []",
        ),
    ];
    for (name, incumbents, rows, expected) in table {
        assert_eq!(looks(incumbents, rows), *expected, "{name}");
    }
}

#[test]
fn a_directory_that_can_not_be_read_holds_everything_and_keeps_the_last_good_desired() {
    let mut snapshot = snapshot(&[("a", Good("x")), ("b", Broken(Some("y"))), ("c", Broken(None))]);
    let read = resolve(&snapshot, &ManifestSet::default(), &running("z:c"), &node(), 110);
    assert_eq!(told(&read), "run [x:a y:b] hold [c] say []");
    snapshot.state = DirectoryState::Unavailable("gone".into());
    let away = resolve(&snapshot, &read, &running("z:c"), &node(), 110);
    assert_eq!(told(&away), "run [x:a y:b] hold [everything] say []");
    assert_eq!(away.generation, 7);
    let unread = resolve(&Snapshot::default(), &ManifestSet::default(), &running("z:c"), &node(), 110);
    assert_eq!(told(&unread), "run [] hold [everything] say []");
}

#[test]
fn an_unknown_file_may_be_the_new_name_of_what_runs_from_nowhere() {
    // The label of x names a file that was renamed before our start; b is refused ever since.
    let mut snapshot = snapshot(&[("b", Broken(None)), ("c", Good("y"))]);
    let set = |snapshot: &Snapshot| resolve(snapshot, &ManifestSet::default(), &running("x:a y:a"), &node(), 110);
    assert_eq!(told(&set(&snapshot)), "run [y:c] hold [b] say []");
    snapshot.gone = Some(BTreeSet::new());
    let kept = set(&snapshot);
    assert_eq!(told(&kept), "run [y:c] hold [a b] say [a(kept-pod)]");
    assert!(!kept.diagnostics[0].is_error());
    // What was seen and is gone was removed on purpose.
    snapshot.gone = Some(["a".into()].into());
    assert_eq!(told(&set(&snapshot)), "run [y:c] hold [b] say []");
}

#[test]
fn the_limit_refuses_newcomers_in_the_order_of_files_and_never_what_runs() {
    let rows: &[(&str, Row)] = &[("a", Good("z y x")), ("b", Good("w v"))];
    let limited = |incumbents: &str, max| {
        told(&resolve(&snapshot(rows), &ManifestSet::default(), &running(incumbents), &node(), max))
    };
    assert_eq!(limited("", 5), "run [v:b w:b x:a y:a z:a] hold [] say []");
    assert_eq!(limited("", 2), "run [y:a z:a] hold [] say [a(too-many-pods) b(too-many-pods) b(too-many-pods)]");
    assert_eq!(limited("v:b", 2), "run [v:b z:a] hold [] say [a(too-many-pods) a(too-many-pods) b(too-many-pods)]");
    assert_eq!(limited("v:b w:b x:a y:a z:a", 1), "run [v:b w:b x:a y:a z:a] hold [] say []");
    // What is kept takes a place as well; what is being ended does not.
    let rows: &[(&str, Row)] = &[("a", Broken(None)), ("b", Good("x y"))];
    let set = resolve(&snapshot(rows), &ManifestSet::default(), &running("k:a old:gone"), &node(), 2);
    assert_eq!(told(&set), "run [x:b] hold [a] say [b(too-many-pods)]");
}

#[test]
fn diagnostics_name_both_files_and_the_way_out() {
    let rows: &[(&str, Row)] = &[("a", Good("x y x")), ("b", Good("z")), ("c", Good("q z=u")), ("d", Good("w!"))];
    let set = resolve(&snapshot(rows), &ManifestSet::default(), &running("x:gone"), &node(), 0);
    let all: Vec<_> = set.diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    a: metadata.name: documents 1 and 3 of this file have the same name; give one of them another name
    c: metadata.name: pod default/z-n1 belongs to b; this file is refused as a whole; give the pod another name, or remove one of the two files
    d: document 1: spec.restartPolicy: "Sometimes" is not one of Always, OnFailure, Never
    b: pod default/z-n1 is one more than the 0 this node may run; remove another pod, or raise --max-pods
    "#);
}

#[test]
fn a_resolver_resolves_a_pod_once() {
    let mut resolver = Resolver::new(node(), 110);
    let one = snapshot(&[("a", Good("x"))]);
    let first = resolver.resolve(&one, &ManifestSet::default(), &BTreeMap::new());
    let second = resolver.resolve(&one, &first, &BTreeMap::new());
    assert!(Arc::ptr_eq(&first.pods[&key("x")], &second.pods[&key("x")]));
    let edited = resolver.resolve(&snapshot(&[("a", Good("x"))]), &second, &BTreeMap::new());
    assert!(!Arc::ptr_eq(&second.pods[&key("x")], &edited.pods[&key("x")]));
}

/// The objects of a set after some looks: name, value and file of each, and the refused files.
fn objects_after(looks: &[Rows]) -> String {
    let mut set = ManifestSet::default();
    for rows in looks {
        set = resolve(&snapshot(rows), &set, &BTreeMap::new(), &node(), 110);
    }
    let shown = set.objects.iter().map(|(id, object)| {
        let objects::Content::ConfigMap(map) = &object.content else { panic!("{id}") };
        format!("{}/{}={}:{}", id.namespace, id.name, map.data["key"], object.source.path.display())
    });
    let refused = set.diagnostics.iter().map(|d| format!("{}({})", d.path.display(), d.code));
    shown.chain(refused).collect::<Vec<_>>().join(" ")
}

#[test]
fn objects_are_of_the_files_that_are_taken() {
    let table: &[(&str, &[Rows], &str)] = &[
        (
            "beside pods, in any order, by namespace",
            &[&[("a", Good("x #c@1")), ("b", Good("#prod/c@2"))]],
            "default/c=1:a prod/c=2:b",
        ),
        ("last good", &[&[("a", Broken(Some("#c@1")))]], "default/c=1:a"),
        ("gone with its file", &[&[("a", Good("#c@1"))], &[]], ""),
        ("an edit", &[&[("a", Good("#c@1"))], &[("a", Good("#c@2"))]], "default/c=2:a"),
        (
            "newcomers: the first file wins",
            &[&[("a", Good("#c@1")), ("b", Good("#d@2 #c@2"))]],
            "default/c=1:a b(duplicate-object)",
        ),
        (
            "whoever has it keeps it, and a refused file keeps what it had",
            &[&[("b", Good("#c@1 #d@1"))], &[("a", Good("#c@2 #e@2")), ("b", Good("#c@3 #d@3"))]],
            "default/c=3:b default/d=3:b a(duplicate-object)",
        ),
        (
            "a file that loses a pod's name changes no object",
            &[&[("a", Good("x")), ("b", Good("#c@1"))], &[("a", Good("x")), ("b", Good("x #c@2"))]],
            "default/c=1:b b(duplicate-pod)",
        ),
        (
            "renamed file",
            &[&[("b", Good("#c@1"))], &[("a", Good("#c@2")), ("c", Good("#c@1"))]],
            "default/c=1:c a(duplicate-object)",
        ),
        ("twice in a file", &[&[("a", Good("#c@1 #c@2"))]], "a(duplicate-object)"),
    ];
    for (sentence, looks, expected) in table {
        assert_eq!(objects_after(looks), *expected, "{sentence}");
    }
}

#[test]
fn objects_that_did_not_change_are_the_same() {
    let first = resolve(&snapshot(&[("a", Good("#c@1 x"))]), &ManifestSet::default(), &BTreeMap::new(), &node(), 110);
    let second = resolve(&snapshot(&[("a", Good("#c@1 x@j"))]), &first, &BTreeMap::new(), &node(), 110);
    assert!(Arc::ptr_eq(&first.objects, &second.objects));
}

#[test]
fn a_daemon_set_is_only_on_nodes_it_fits() {
    let text = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec:\n  selector: {matchLabels: {a: b}}\n  \
                template:\n    metadata: {labels: {a: b}}\n    spec:\n      nodeSelector: {disk: ssd}\n      \
                containers: [{name: c, image: i:1}]\n";
    let path = PathBuf::from("/m/d.yaml");
    let parsed = parse_file(&path, text.as_bytes(), &ParseOptions::default());
    let objects = Some(Arc::new(parsed.objects));
    let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: Vec::new() };
    let files = [(path.clone(), file)].into();
    let snapshot = Snapshot { state: DirectoryState::Read, files, ..Snapshot::default() };
    let key = PodKey::new("default", format!("d-{NODE}"));
    let resolved = |rules: &NodeRules, runs: bool| {
        let source = ManifestSource { path: path.clone(), document: 0 };
        let incumbents = runs.then(|| (key.clone(), Incumbent { source, uids: BTreeSet::new() }));
        let mut resolver = Resolver::new(node(), 110).with_rules(Arc::new(rules.clone()));
        let set = resolver.resolve(&snapshot, &ManifestSet::default(), &incumbents.into_iter().collect());
        (set.pods.contains_key(&key), set.elsewhere.contains_key(&key), set.held == Held::Files(BTreeSet::new()))
    };
    let mut rules = NodeRules::new(NODE);
    assert_eq!(resolved(&rules, false), (false, true, true));
    assert_eq!(resolved(&rules, true), (false, true, true), "its controller would end it");
    rules.labels.insert("disk".into(), "ssd".into());
    assert_eq!(resolved(&rules, false), (true, false, true));
    let taint = |effect| Taint { key: "k".into(), value: String::new(), effect };
    rules.taints = vec![taint(TaintEffect::NoSchedule)];
    assert_eq!((resolved(&rules, false).0, resolved(&rules, true).0), (false, true), "no start, and no end");
    rules.taints = vec![taint(TaintEffect::NoExecute)];
    assert_eq!((resolved(&rules, false).0, resolved(&rules, true).0), (false, false));
}

#[test]
fn circles_are_found() {
    let pod = |name: &str, after: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, annotations: {{kubelet-lite.io/start-after: \"{after}\"}}}}\n\
             spec: {{containers: [{{name: c, image: i:1}}]}}\n"
        )
    };
    let text = [pod("a", "b"), pod("b", "c"), pod("c", "a"), pod("d", "a"), pod("e", "nobody")].join("---\n");
    let path = PathBuf::from("/m/d.yaml");
    let objects = Some(Arc::new(parse_file(&path, text.as_bytes(), &ParseOptions::default()).objects));
    let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: Vec::new() };
    let snapshot = Snapshot { state: DirectoryState::Read, files: [(path, file)].into(), ..Snapshot::default() };
    let set = resolve(&snapshot, &ManifestSet::default(), &BTreeMap::new(), &node(), 110);
    let told: Vec<_> = set.diagnostics.iter().map(|d| (d.code, d.document, d.message.as_str())).collect();
    let name = |pod: &str| format!("default/{pod}-{NODE}");
    let circle = |pods: [&str; 4]| format!("pods wait for each other in a circle: {}", pods.map(name).join(" after "));
    let (a, b, c) = (circle(["a", "b", "c", "a"]), circle(["b", "c", "a", "b"]), circle(["c", "a", "b", "c"]));
    let code = "start-cycle";
    assert_eq!(told, [(code, Some(0), &*a), (code, Some(1), &*b), (code, Some(2), &*c)]);
    assert_eq!(set.pods.len(), 5, "those that run go on");
}

#[test]
fn a_workload_that_asks_for_none_is_known() {
    let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d, namespace: shop}\nspec:\n  replicas: 0\n  \
                selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      \
                containers: [{name: c, image: i:1}]\n";
    let resolved = |text: &str| {
        let parsed = parse_file(Path::new("/m/d.yaml"), text.as_bytes(), &ParseOptions::default());
        let objects = Some(Arc::new(parsed.objects));
        let file = ManifestFile { last_good: objects.clone(), objects, diagnostics: Vec::new() };
        let files = [(PathBuf::from("/m/d.yaml"), file)].into();
        let snapshot = Snapshot { state: DirectoryState::Read, files, ..Snapshot::default() };
        let set = resolve(&snapshot, &ManifestSet::default(), &BTreeMap::new(), &node(), 110);
        (set.pods.into_keys().collect::<Vec<_>>(), set.none.into_iter().collect::<Vec<_>>())
    };
    let key = || vec![PodKey::new("shop", format!("d-0-{NODE}"))];
    assert_eq!(resolved(text), (Vec::new(), key()));
    assert_eq!(resolved(&text.replace("replicas: 0", "replicas: 1")), (key(), Vec::new()));
}
