//! The manifest directory end to end: real files, inotify, the real parser, and the set of pods that
//! should run, as the daemon puts them together.

#![allow(clippy::unwrap_used, reason = "a test")]
use kubelet_lite::{
    manifest::{
        Held, ManifestSet,
        parse::{ParseOptions, parse_file},
        set::{Incumbent, Resolver},
        watch::{ManifestWatcher, WatchHandle, WatchOptions},
    },
    pod::{ManifestSource, Node, Pod, PodKey},
    time::Clock,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A daemon's view of a directory.
struct Daemon {
    directory: PathBuf,
    handle: WatchHandle,
    resolver: Resolver,
    set: ManifestSet,
    /// What runs, by its labels.
    incumbents: BTreeMap<PodKey, Incumbent>,
    _stop: DropGuard,
}

fn incumbent(source: ManifestSource) -> Incumbent {
    Incumbent { source, uids: BTreeSet::new() }
}

impl Daemon {
    /// A daemon at whose start these pods run: name and file.
    fn start(top: &Path, running: &[(&str, &str)]) -> Self {
        let directory = top.join("manifests");
        let options = WatchOptions { path: directory.clone(), file_check_frequency: Duration::from_secs(20) };
        let parser = |path: &Path, bytes: &[u8]| parse_file(path, bytes, &ParseOptions::default());
        let (watcher, handle) = ManifestWatcher::new(&options, Clock::system(), parser).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(watcher.run(stop.clone()));
        let source = |file: &str| ManifestSource { path: directory.join(file), document: 0 };
        let incumbents = running.iter().map(|(name, file)| (key(name), incumbent(source(file)))).collect();
        Self {
            handle,
            resolver: Resolver::new(Node { name: "n1".into() }, 110),
            set: ManifestSet::default(),
            incumbents,
            _stop: stop.drop_guard(),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Puts a file in place as configuration management does.
    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(".new"), text).unwrap();
        fs::rename(self.path(".new"), self.path(name)).unwrap();
    }

    /// Resolves each snapshot until the set is as expected; says which sets there were.
    async fn until(&mut self, expected: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        let wait = async {
            loop {
                let snapshot = self.handle.snapshots.borrow_and_update().clone();
                self.set = self.resolver.resolve(&snapshot, &self.set, &self.incumbents);
                let told = told(&self.set);
                if seen.last() != Some(&told) {
                    seen.push(told);
                }
                if seen.last().is_some_and(|last| last == expected) {
                    return;
                }
                self.handle.snapshots.changed().await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), wait).await;
        assert!(in_time.is_ok(), "waited for {expected:?}, saw {seen:#?}, findings {:#?}", self.set.diagnostics);
        seen
    }

    fn pod(&self, name: &str) -> Arc<Pod> {
        self.set.pods[&key(name)].clone()
    }
}

fn key(name: &str) -> PodKey {
    PodKey::new("default", format!("{name}-n1"))
}

/// Pods with their files; what is held; the number of findings about several files.
fn told(set: &ManifestSet) -> String {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let pods = set.pods.values().map(|pod| format!("{}:{}", pod.key.name.replace("-n1", ""), name(&pod.source.path)));
    let held = match &set.held {
        Held::Everything => "everything".to_owned(),
        Held::Files(files) => files.iter().map(|path| name(path)).collect::<Vec<_>>().join(" "),
    };
    format!("{} | {held} | {}", pods.collect::<Vec<_>>().join(" "), set.diagnostics.len())
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  containers:\n  - name: c\n    image: {image}\n"
    )
}

fn prepared(files: &[(&str, &str)]) -> tempfile::TempDir {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("manifests")).unwrap();
    for (name, text) in files {
        fs::write(top.path().join("manifests").join(name), text).unwrap();
    }
    top
}

#[tokio::test]
async fn all_ways_to_write_pods_are_read() {
    let two = format!("---\n{}---\n# nothing\n---\n{}", pod("a", "i"), pod("b", "i"));
    let list = r#"{"apiVersion":"v1","kind":"List","items":[
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"},"spec":{"containers":[{"name":"c","image":"i"}]}},
        {"apiVersion":"v1","kind":"Pod","metadata":{"name":"d"},"spec":{"containers":[{"name":"c","image":"i"}]}}]}"#;
    let top = prepared(&[
        ("two.yaml", &two),
        ("list.json", list),
        ("one.yml", &pod("e", "i")),
        ("two.yaml.bak", &pod("a", "other")),
        (".hidden.yaml", &pod("f", "i")),
    ]);
    let mut daemon = Daemon::start(top.path(), &[]);
    daemon.until("a:two.yaml b:two.yaml c:list.json d:list.json e:one.yml |  | 0").await;
    assert_eq!(daemon.pod("d").source.document, 1);
    assert_eq!(daemon.handle.snapshots.borrow().ignored.len(), 2);
}

#[tokio::test]
async fn a_bad_edit_stops_nothing_and_is_named() {
    let top = prepared(&[("web.yaml", &pod("web", "i:1")), ("db.yaml", &pod("db", "i:1"))]);
    let mut daemon = Daemon::start(top.path(), &[]);
    daemon.until("db:db.yaml web:web.yaml |  | 0").await;
    let web = daemon.pod("web");
    // One bad document refuses the file.
    daemon.put("web.yaml", &format!("{}---\nkind: Pod\n", pod("other", "i")));
    let path = daemon.path("web.yaml");
    let mut snapshots = daemon.handle.snapshots.clone();
    let refused = snapshots.wait_for(|snapshot| snapshot.files[&path].objects.is_none());
    let refused = tokio::time::timeout(Duration::from_secs(60), refused).await.expect("it is refused").unwrap().clone();
    assert!(refused.files[&path].diagnostics.iter().any(|d| d.is_error() && d.path == path));
    daemon.until("db:db.yaml web:web.yaml |  | 0").await;
    assert!(Arc::ptr_eq(&web, &daemon.pod("web")));
    // An empty one, and one that a full disk cut short.
    daemon.put("web.yaml", "");
    daemon.put("db.yaml", &pod("db", "i:2")[..40]);
    daemon.handle.rescan().await;
    daemon.until("db:db.yaml web:web.yaml |  | 0").await;
    daemon.put("web.yaml", &pod("web", "i:2"));
    daemon.put("db.yaml", &pod("db", "i:1"));
    let seen = daemon.until("db:db.yaml web:web.yaml |  | 0").await;
    assert_eq!(seen.len(), 1);
    // Broken, and deleted.
    daemon.put("web.yaml", "{");
    fs::remove_file(daemon.path("web.yaml")).unwrap();
    daemon.until("db:db.yaml |  | 0").await;
}

#[tokio::test]
async fn renaming_a_file_restarts_nothing() {
    let top = prepared(&[("web.yaml", &pod("web", "i:1"))]);
    let mut daemon = Daemon::start(top.path(), &[]);
    daemon.until("web:web.yaml |  | 0").await;
    let before = daemon.pod("web");
    fs::rename(daemon.path("web.yaml"), daemon.path("frontend.yaml")).unwrap();
    let seen = daemon.until("web:frontend.yaml |  | 0").await;
    assert_eq!(seen, ["web:web.yaml |  | 0", "web:frontend.yaml |  | 0"]);
    let after = daemon.pod("web");
    assert_eq!((&before.uid, &before.config_hash), (&after.uid, &after.config_hash));
    // The name is now the new file's, although the label of what runs says otherwise.
    daemon.incumbents = [(key("web"), incumbent(before.source.clone()))].into();
    daemon.put("web.yaml", &pod("web", "i:2"));
    daemon.until("web:frontend.yaml | web.yaml | 1").await;
    assert_eq!(daemon.pod("web").config_hash, before.config_hash);
    fs::remove_file(daemon.path("frontend.yaml")).unwrap();
    daemon.until("web:web.yaml |  | 0").await;
    assert_ne!(daemon.pod("web").config_hash, before.config_hash);
}

#[tokio::test]
async fn a_pod_moves_between_files_that_are_written_in_place() {
    let both = format!("{}---\n{}", pod("a", "i"), pod("b", "i"));
    let top = prepared(&[("one.yaml", &both), ("two.yaml", &pod("c", "i"))]);
    let mut daemon = Daemon::start(top.path(), &[]);
    daemon.until("a:one.yaml b:one.yaml c:two.yaml |  | 0").await;
    fs::write(daemon.path("one.yaml"), pod("a", "i")).unwrap();
    fs::write(daemon.path("two.yaml"), format!("{}---\n{}", pod("b", "i"), pod("c", "i"))).unwrap();
    let seen = daemon.until("a:one.yaml b:two.yaml c:two.yaml |  | 0").await;
    assert!(seen.iter().all(|set| set.contains("b:")), "{seen:#?}");
}

#[tokio::test]
async fn the_pod_that_runs_keeps_its_name_across_our_restart() {
    let top = prepared(&[("a.yaml", &pod("web", "i:2")), ("b.yaml", &pod("web", "i:1"))]);
    let mut daemon = Daemon::start(top.path(), &[("web", "b.yaml")]);
    daemon.until("web:b.yaml | a.yaml | 1").await;
    assert!(daemon.set.diagnostics[0].to_string().contains("a.yaml: metadata.name: pod default/web-n1 belongs to"));
    fs::remove_file(daemon.path("a.yaml")).unwrap();
    daemon.until("web:b.yaml |  | 0").await;
}

#[tokio::test]
async fn what_runs_survives_our_restart_over_a_broken_file() {
    let top = prepared(&[("frontend.yaml", "kind: Pod"), ("db.yaml", &pod("db", "i"))]);
    // "web" runs from a file that has since been renamed; "old" from one that is there.
    let mut daemon = Daemon::start(top.path(), &[("old", "frontend.yaml"), ("web", "web.yaml"), ("db", "db.yaml")]);
    daemon.until("db:db.yaml | frontend.yaml web.yaml | 1").await;
    assert!(daemon.set.held.holds(&daemon.incumbents[&key("web")].source));
    assert!(daemon.set.held.holds(&daemon.incumbents[&key("old")].source));
    // What is removed before our eyes is not held.
    fs::remove_file(daemon.path("db.yaml")).unwrap();
    daemon.until(" | frontend.yaml web.yaml | 1").await;
    assert!(!daemon.set.held.holds(&daemon.incumbents[&key("db")].source));
    daemon.put("frontend.yaml", &pod("web", "i"));
    daemon.until("web:frontend.yaml |  | 0").await;
    assert!(!daemon.set.held.holds(&daemon.incumbents[&key("old")].source));
}

#[tokio::test]
async fn a_directory_that_is_away_stops_nothing() {
    let top = prepared(&[("web.yaml", &pod("web", "i"))]);
    fs::rename(top.path().join("manifests"), top.path().join("away")).unwrap();
    let mut daemon = Daemon::start(top.path(), &[("web", "web.yaml")]);
    daemon.until(" | everything | 0").await;
    fs::rename(top.path().join("away"), top.path().join("manifests")).unwrap();
    daemon.until("web:web.yaml |  | 0").await;
    fs::rename(top.path().join("manifests"), top.path().join("away")).unwrap();
    daemon.until("web:web.yaml | everything | 0").await;
    // An empty directory, on the other hand, is meant.
    fs::create_dir(top.path().join("manifests")).unwrap();
    daemon.until(" |  | 0").await;
}

#[tokio::test]
async fn a_hundred_and_ten_files_at_once() {
    let top = prepared(&[]);
    let mut daemon = Daemon::start(top.path(), &[]);
    daemon.until(" |  | 0").await;
    for n in 0..111 {
        daemon.put(&format!("p{n:03}.yaml"), &pod(&format!("p{n:03}"), "i"));
    }
    let all: Vec<_> = (0..110).map(|n| format!("p{n:03}:p{n:03}.yaml")).collect();
    let expected = format!("{} |  | 1", all.join(" "));
    daemon.until(&expected).await;
    assert_eq!(daemon.set.diagnostics[0].code, "too-many-pods");
    fs::remove_dir_all(daemon.path("")).unwrap();
    fs::create_dir(daemon.path("")).unwrap();
    daemon.until(" |  | 0").await;
}
