//! Real inotify on real directories. Waits are bounded and for a value; that nothing happened in between
//! is told by the count of published snapshots, or by what the parser was given.

mod storm;

use super::*;
use crate::manifest::{DirectoryState, Object};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    sync::Mutex,
};

/// A manifest is a list of pod names here; `bad` refuses it, `panic` is a bug of the parser.
fn parse(path: &Path, bytes: &[u8]) -> Parsed {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("panic"), "as asked");
    let pod = |(document, name): (usize, &str)| {
        let mut pod = k8s_openapi::api::core::v1::Pod::default();
        pod.metadata.name = Some(name.into());
        Object::Pod { document, pod: Arc::new(pod) }
    };
    let mut parsed = Parsed::default();
    if text.contains("bad") || text.trim().is_empty() {
        parsed.diagnostics.push(Diagnostic::error("bad", path, "bad"));
    } else {
        parsed.objects = text.split_whitespace().enumerate().map(pod).collect();
    }
    parsed
}

type Parser = Box<dyn Fn(&Path, &[u8]) -> Parsed + Send + Sync>;

/// A directory `manifests` in one of its own, watched.
struct Watched {
    top: tempfile::TempDir,
    handle: WatchHandle,
    /// All that the parser was given, as `file:content`.
    parsed: Arc<Mutex<Vec<String>>>,
    /// Makes the next reading wait for this channel's end.
    hang: Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>>,
    _stop: tokio_util::sync::DropGuard,
}

impl Watched {
    fn start() -> Self {
        Self::start_with("manifests", |top| fs::create_dir(top.join("manifests")).unwrap(), |_| {})
    }

    fn start_with(path: &str, prepare: impl FnOnce(&Path), adjust: impl FnOnce(&mut ManifestWatcher<Parser>)) -> Self {
        let top = tempfile::tempdir().unwrap();
        prepare(top.path());
        let parsed = Arc::new(Mutex::new(Vec::new()));
        let log = parsed.clone();
        let hang: Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>> = Arc::default();
        let hangs = hang.clone();
        let parser: Parser = Box::new(move |path, bytes| {
            let wait = hangs.lock().unwrap().take();
            wait.map(|end| end.recv());
            let name = path.file_name().unwrap().to_string_lossy();
            log.lock().unwrap().push(format!("{name}:{}", String::from_utf8_lossy(bytes)));
            parse(path, bytes)
        });
        let options = WatchOptions { path: top.path().join(path), file_check_frequency: Duration::from_secs(3600) };
        let (mut watcher, handle) = ManifestWatcher::new(&options, Clock::system(), parser).unwrap();
        adjust(&mut watcher);
        let stop = CancellationToken::new();
        tokio::spawn(watcher.run(stop.clone()));
        Self { top, handle, parsed, hang, _stop: stop.drop_guard() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    /// Puts a file in place by a rename.
    fn put(&self, name: &str, text: &str) {
        self.write("outside", text);
        self.rename("outside", name);
    }

    /// The snapshot in one line: `!` refused, then what it held when it was good; state if not read.
    fn told(snapshot: &Snapshot) -> String {
        let names = |objects: &Option<Arc<Vec<Object>>>| {
            let names = objects.iter().flat_map(|objects| objects.iter().filter_map(Object::as_pod));
            names.map(|(_, pod)| pod.metadata.name.clone().unwrap()).collect::<Vec<_>>().join(",")
        };
        let file = |(path, file): (&PathBuf, &crate::manifest::ManifestFile)| {
            let name = path.file_name().unwrap().to_string_lossy();
            let mark = if file.objects.is_some() { "" } else { "!" };
            format!("{name}{mark}={}", names(&file.last_good))
        };
        let files = snapshot.files.iter().map(file).collect::<Vec<_>>().join(" ");
        match &snapshot.state {
            DirectoryState::Unread => format!("unread {files}"),
            DirectoryState::Read => files,
            DirectoryState::Unavailable(_) => format!("unavailable {files}"),
        }
    }

    /// Waits for a state.
    async fn until(&self, expected: &str) -> Arc<Snapshot> {
        let mut snapshots = self.handle.snapshots.clone();
        let wait = snapshots.wait_for(|snapshot| Self::told(snapshot) == expected);
        let result = tokio::time::timeout(Duration::from_secs(60), wait).await.map(|found| found.unwrap().clone());
        result
            .unwrap_or_else(|_| panic!("waited for {expected:?}, is {:?}", Self::told(&self.handle.snapshots.borrow())))
    }

    fn generation(&self) -> u64 {
        self.handle.snapshots.borrow().generation
    }

    fn parsed(&self) -> Vec<String> {
        self.parsed.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn names() {
    let watched = Watched::start_with(
        "manifests/",
        |top| {
            let directory = top.join("manifests");
            fs::create_dir_all(directory.join("sub.d")).unwrap();
            for name in ["a.yaml", "b.yml", "c.json", "a.yaml.bak", "a.yaml~", ".a.yaml", "README", "d.YAML"] {
                fs::write(directory.join(name), "x").unwrap();
            }
        },
        |_| {},
    );
    let snapshot = watched.until("a.yaml=x b.yml=x c.json=x").await;
    let ignored =
        snapshot.ignored.iter().map(|(path, reason)| (path.file_name().unwrap().to_str().unwrap(), reason.as_str()));
    let other = "does not end in .yaml, .yml or .json";
    let expected = [
        (".a.yaml", "is hidden"),
        ("README", other),
        ("a.yaml.bak", other),
        ("a.yaml~", other),
        ("d.YAML", other),
        ("sub.d", "is a directory; only files directly in the manifest directory are read"),
    ];
    assert_eq!(ignored.collect::<Vec<_>>(), expected);
    assert!(snapshot.files.contains_key(&watched.path("manifests/a.yaml")));
    // One that stays is told, one that goes is no more.
    fs::remove_file(watched.path("manifests/README")).unwrap();
    watched.write("manifests/late", "x");
    let late = watched.path("manifests/late");
    let mut snapshots = watched.handle.snapshots.clone();
    let told = snapshots.wait_for(|snapshot| snapshot.ignored.contains_key(&late));
    let told = tokio::time::timeout(Duration::from_secs(60), told).await.unwrap().unwrap().clone();
    assert!(!told.ignored.contains_key(&watched.path("manifests/README")));
}

#[tokio::test]
async fn files_come_change_break_and_go() {
    let watched = Watched::start();
    assert_eq!(watched.until("").await.state, DirectoryState::Read);
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    watched.write("manifests/b.yaml", "y");
    watched.until("a.yaml=x b.yaml=y").await;
    watched.put("manifests/a.yaml", "x z");
    watched.until("a.yaml=x,z b.yaml=y").await;
    watched.put("manifests/a.yaml", "bad");
    let refused = watched.until("a.yaml!=x,z b.yaml=y").await;
    assert_eq!(refused.files[&watched.path("manifests/a.yaml")].diagnostics[0].code, "bad");
    watched.put("manifests/a.yaml", "z");
    watched.until("a.yaml=z b.yaml=y").await;
    fs::remove_file(watched.path("manifests/a.yaml")).unwrap();
    watched.rename("manifests/b.yaml", "elsewhere");
    watched.until("").await;
}

#[tokio::test]
async fn an_editor_that_takes_the_file_away_first() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    let before = watched.until("a.yaml=x").await.generation;
    watched.rename("manifests/a.yaml", "manifests/a.yaml~");
    watched.write("manifests/a.yaml", "x y");
    fs::remove_file(watched.path("manifests/a.yaml~")).unwrap();
    watched.until("a.yaml=x,y").await;
    assert_eq!(watched.generation(), before + 1, "no state in between");
}

#[tokio::test]
async fn a_slow_writer_is_waited_for() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    let before = watched.until("a.yaml=x").await.generation;
    let mut file = File::create(watched.path("manifests/a.yaml")).unwrap();
    for chunk in ["one ", "two ", "three"] {
        file.write_all(chunk.as_bytes()).unwrap();
        tokio::time::sleep(QUIET * 2).await;
        watched.handle.rescan().await;
    }
    // Others do not wait for it.
    watched.put("manifests/b.yaml", "y");
    watched.until("a.yaml=x b.yaml=y").await;
    drop(file);
    watched.until("a.yaml=one,two,three b.yaml=y").await;
    assert_eq!(watched.generation(), before + 2);
    let texts: Vec<_> = watched.parsed().into_iter().filter(|text| text.starts_with("a.yaml")).collect();
    assert_eq!(texts, ["a.yaml:x", "a.yaml:one two three"]);
}

#[tokio::test]
async fn an_endless_writer_holds_up_nobody_else() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.put("manifests/c.yaml", "z");
    watched.until("a.yaml=x c.yaml=z").await;
    let path = watched.path("manifests/a.yaml");
    let (stop, mut stopped) = oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut file = File::create(path).unwrap();
        while stopped.try_recv().is_err() {
            file.write_all(b"w ").unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    watched.put("manifests/b.yaml", "y");
    watched.until("a.yaml=x b.yaml=y c.yaml=z").await;
    watched.put("manifests/b.yaml", "bad");
    watched.until("a.yaml=x b.yaml!=y c.yaml=z").await;
    fs::remove_file(watched.path("manifests/c.yaml")).unwrap();
    watched.until("a.yaml=x b.yaml!=y").await;
    stop.send(()).unwrap();
    writer.await.unwrap();
}

#[tokio::test]
async fn a_touch_is_no_news() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    let before = watched.until("a.yaml=x").await.generation;
    watched.write("manifests/a.yaml", "x");
    watched.handle.rescan().await;
    watched.put("manifests/b.yaml", "y");
    watched.until("a.yaml=x b.yaml=y").await;
    assert_eq!(watched.generation(), before + 1);
    assert_eq!(watched.parsed(), ["a.yaml:x", "b.yaml:y"]);
}

#[tokio::test]
async fn a_renamed_file_keeps_its_history() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    watched.put("manifests/a.yaml", "bad");
    let before = watched.until("a.yaml!=x").await.generation;
    watched.rename("manifests/a.yaml", "manifests/b.yaml");
    let renamed = watched.until("b.yaml!=x").await;
    assert_eq!(renamed.generation, before + 1);
    let path = watched.path("manifests/b.yaml");
    assert_eq!(renamed.files[&path].diagnostics[0].path, path);
}

#[tokio::test]
async fn a_link_and_its_target() {
    let watched = Watched::start_with(
        "manifests",
        |top| {
            fs::create_dir_all(top.join("manifests")).unwrap();
            fs::create_dir_all(top.join("one")).unwrap();
            fs::create_dir_all(top.join("two")).unwrap();
            fs::write(top.join("one/pod"), "x").unwrap();
            symlink("one", top.join("current")).unwrap();
            symlink("../current/pod", top.join("manifests/a.yaml")).unwrap();
        },
        |_| {},
    );
    watched.until("a.yaml=x").await;
    // The target is written to.
    watched.write("one/pod", "y");
    watched.until("a.yaml=y").await;
    // Replaced.
    watched.put("one/pod", "z");
    watched.until("a.yaml=z").await;
    // A link on the way leads elsewhere.
    watched.write("two/pod", "w");
    symlink("two", watched.path("next")).unwrap();
    watched.rename("next", "current");
    watched.until("a.yaml=w").await;
    watched.put("two/pod", "v");
    watched.until("a.yaml=v").await;
    // The link itself is replaced.
    symlink("../one/pod", watched.path("link")).unwrap();
    watched.rename("link", "manifests/a.yaml");
    watched.until("a.yaml=z").await;
    // The target is gone: that is no removal.
    fs::remove_file(watched.path("one/pod")).unwrap();
    let dangling = watched.until("a.yaml!=z").await;
    let text = dangling.files[&watched.path("manifests/a.yaml")].diagnostics[0].to_string();
    assert!(text.contains("is a link to ../one/pod, which does not exist"), "{text}");
    watched.write("one/pod", "u");
    watched.until("a.yaml=u").await;
}

#[tokio::test]
async fn a_config_map_swap_acts_on_all_files_together() {
    let version = |top: &Path, name: &str, text: &str| {
        let directory = top.join("manifests").join(name);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("a.yaml"), format!("a{text}")).unwrap();
        fs::write(directory.join("b.yaml"), format!("b{text}")).unwrap();
        symlink(name, top.join("manifests/..data_tmp")).unwrap();
        fs::rename(top.join("manifests/..data_tmp"), top.join("manifests/..data")).unwrap();
    };
    let watched = Watched::start_with(
        "manifests",
        |top| {
            version(top, "..1", "1");
            symlink("..data/a.yaml", top.join("manifests/a.yaml")).unwrap();
            symlink("..data/b.yaml", top.join("manifests/b.yaml")).unwrap();
        },
        |_| {},
    );
    watched.until("a.yaml=a1 b.yaml=b1").await;
    version(watched.top.path(), "..2", "2");
    fs::remove_dir_all(watched.path("manifests/..1")).unwrap();
    watched.until("a.yaml=a2 b.yaml=b2").await;
    version(watched.top.path(), "..3", "3");
    watched.until("a.yaml=a3 b.yaml=b3").await;
    assert_eq!(watched.parsed().len(), 6);
}

#[tokio::test]
async fn the_directory_goes_and_comes_again() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    fs::remove_dir_all(watched.path("manifests")).unwrap();
    let away = watched.until("unavailable a.yaml=x").await;
    let reason = format!("{} does not exist", watched.path("manifests").display());
    assert_eq!(away.state, DirectoryState::Unavailable(reason));
    fs::create_dir(watched.path("manifests")).unwrap();
    watched.write("manifests/a.yaml", "y");
    watched.until("a.yaml=y").await;
    // The new directory is watched.
    watched.put("manifests/a.yaml", "z");
    watched.until("a.yaml=z").await;
    fs::remove_file(watched.path("manifests/a.yaml")).unwrap();
    watched.until("").await;
}

#[tokio::test]
async fn the_directory_is_exchanged() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    fs::create_dir(watched.path("next")).unwrap();
    watched.write("next/b.yaml", "y");
    watched.rename("manifests", "old");
    watched.rename("next", "manifests");
    watched.until("b.yaml=y").await;
    watched.put("old/c.yaml", "old");
    watched.put("manifests/b.yaml", "z");
    watched.until("b.yaml=z").await;
    assert!(!watched.parsed().iter().any(|text| text.contains("old")));
}

#[tokio::test]
async fn missing_ancestors_and_links_to_the_directory() {
    let watched = Watched::start_with("etc/k/manifests", |top| fs::create_dir(top.join("real")).unwrap(), |_| {});
    let missing = watched.until("unavailable ").await;
    let expected = format!(
        "{} can not be reached: {} does not exist",
        watched.path("etc/k/manifests").display(),
        watched.path("etc").display()
    );
    assert_eq!(missing.state, DirectoryState::Unavailable(expected));
    watched.write("real/a.yaml", "x");
    fs::create_dir_all(watched.path("etc/k")).unwrap();
    symlink("../../real", watched.path("etc/k/manifests")).unwrap();
    let found = watched.until("a.yaml=x").await;
    assert!(found.files.contains_key(&watched.path("etc/k/manifests/a.yaml")), "called as configured");
    fs::create_dir(watched.path("other")).unwrap();
    watched.write("other/a.yaml", "y");
    symlink(watched.path("other"), watched.path("etc/k/tmp")).unwrap();
    watched.rename("etc/k/tmp", "etc/k/manifests");
    watched.until("a.yaml=y").await;
}

#[tokio::test]
async fn what_is_no_regular_file_is_never_opened() {
    let watched = Watched::start_with(
        "manifests",
        |top| {
            let directory = top.join("manifests");
            fs::create_dir_all(directory.join("d.yaml")).unwrap();
            nix::unistd::mkfifo(&directory.join("f.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
            symlink("/dev/zero", directory.join("z.yaml")).unwrap();
            symlink("l.yaml", directory.join("l.yaml")).unwrap();
            std::os::unix::net::UnixListener::bind(directory.join("s.yaml")).unwrap();
            fs::write(directory.join("a.yaml"), "x").unwrap();
        },
        |_| {},
    );
    let snapshot = watched.until("a.yaml=x d.yaml!= f.yaml!= l.yaml!= s.yaml!= z.yaml!=").await;
    let text = snapshot.files.values().flat_map(|file| &file.diagnostics).map(|d| d.message.clone());
    assert_eq!(
        text.collect::<Vec<_>>(),
        [
            "is a directory, which is never read as a manifest",
            "is a FIFO, which is never read as a manifest",
            "can not be looked at: Too many levels of symbolic links (os error 40)",
            "is a socket, which is never read as a manifest",
            "is a device, which is never read as a manifest",
        ]
    );
}

#[tokio::test]
async fn too_large_a_file() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    let large = File::create(watched.path("large")).unwrap();
    large.set_len((10 << 20) + 1).unwrap();
    watched.rename("large", "manifests/a.yaml");
    let refused = watched.until("a.yaml!=x").await;
    let text = refused.files[&watched.path("manifests/a.yaml")].diagnostics[0].to_string();
    assert!(text.ends_with("the file has 10485761 bytes, more than 10 MiB; split it"), "{text}");
    assert_eq!(watched.parsed(), ["a.yaml:x"]);
}

#[tokio::test]
async fn a_fault_of_the_parser_costs_one_file() {
    let watched = Watched::start();
    watched.until("").await;
    watched.put("manifests/a.yaml", "panic");
    let refused = watched.until("a.yaml!=").await;
    assert_eq!(refused.files[&watched.path("manifests/a.yaml")].diagnostics[0].code, "internal-error");
    watched.put("manifests/b.yaml", "y");
    watched.until("a.yaml!= b.yaml=y").await;
}

#[tokio::test]
async fn a_file_system_that_does_not_answer_is_told_and_holds_nobody_up() {
    let watched = Watched::start_with(
        "manifests",
        |top| {
            fs::create_dir(top.join("manifests")).unwrap();
            fs::write(top.join("manifests/a.yaml"), "x").unwrap();
        },
        |watcher| watcher.unanswered = Duration::from_millis(20),
    );
    watched.until("a.yaml=x").await;
    // As the reading of a file hangs, so does this: until the other end is opened.
    let (end, hang) = std::sync::mpsc::channel::<()>();
    *watched.hang.lock().unwrap() = Some(hang);
    watched.put("manifests/a.yaml", "y");
    let away = watched.until("unavailable a.yaml=x").await;
    let reason = format!("{} has not answered for 0 s", watched.path("manifests").display());
    assert_eq!(away.state, DirectoryState::Unavailable(reason));
    drop(end);
    watched.until("a.yaml=y").await;
}

#[tokio::test]
async fn a_single_file_of_any_name() {
    let watched = Watched::start_with("pods.conf", |top| fs::write(top.join("pods.conf"), "x").unwrap(), |_| {});
    watched.until("pods.conf=x").await;
    watched.write("beside.yaml", "beside");
    watched.put("pods.conf", "y");
    watched.until("pods.conf=y").await;
    watched.write("pods.conf", "z");
    watched.until("pods.conf=z").await;
    let before = watched.generation();
    watched.rename("pods.conf", "pods.conf~");
    watched.write("pods.conf", "w");
    watched.until("pods.conf=w").await;
    assert_eq!(watched.generation(), before + 1);
    fs::remove_file(watched.path("pods.conf")).unwrap();
    assert_eq!(watched.until("").await.state, DirectoryState::Read);
    watched.write("pods.conf", "v");
    watched.until("pods.conf=v").await;
}

#[tokio::test]
async fn a_single_file_that_is_missing_at_the_start() {
    let watched = Watched::start_with("sub/pod.yaml", |_| {}, |_| {});
    watched.until("unavailable ").await;
    fs::create_dir(watched.path("sub")).unwrap();
    watched.until("").await;
    watched.put("sub/pod.yaml", "x");
    watched.until("pod.yaml=x").await;
    fs::remove_dir_all(watched.path("sub")).unwrap();
    watched.until("unavailable pod.yaml=x").await;
}

#[tokio::test]
async fn a_directory_that_became_a_file() {
    let watched = Watched::start();
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    fs::remove_dir_all(watched.path("manifests")).unwrap();
    watched.put("manifests", "y");
    watched.until("unavailable a.yaml=x").await;
}

#[tokio::test]
async fn without_inotify_the_periodic_look_finds_all() {
    // It believes that it watches, and hears nothing.
    let deaf = |watcher: &mut ManifestWatcher<Parser>| {
        watcher.frequency = Duration::from_millis(20);
        let directory = watcher.path.clone();
        let lookout = watcher.lookout.as_mut().unwrap();
        for path in directory.ancestors() {
            lookout.watched.insert(path.to_owned(), scan::ident(&fs::metadata(path).unwrap()));
        }
    };
    let watched = Watched::start_with("manifests", |top| fs::create_dir(top.join("manifests")).unwrap(), deaf);
    watched.until("").await;
    watched.put("manifests/a.yaml", "x");
    watched.until("a.yaml=x").await;
    watched.write("manifests/a.yaml", "x y");
    watched.until("a.yaml=x,y").await;
    fs::remove_file(watched.path("manifests/a.yaml")).unwrap();
    watched.until("").await;
}

#[tokio::test]
async fn files_refused_since_the_start_are_told_from_later_ones() {
    let watched = Watched::start_with(
        "manifests",
        |top| {
            fs::create_dir(top.join("manifests")).unwrap();
            fs::write(top.join("manifests/a.yaml"), "bad").unwrap();
            fs::write(top.join("manifests/b.yaml"), "y").unwrap();
        },
        |_| {},
    );
    assert_eq!(watched.until("a.yaml!= b.yaml=y").await.gone, Some([].into()));
    fs::remove_file(watched.path("manifests/b.yaml")).unwrap();
    assert_eq!(watched.until("a.yaml!=").await.gone, Some([watched.path("manifests/b.yaml")].into()));
    watched.put("manifests/a.yaml", "x");
    assert_eq!(watched.until("a.yaml=x").await.gone, None);
}
