use super::*;
use crate::manifest::ManifestFile;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(1000) + Duration::from_millis(ms))
}

/// Pods by name (`namespace/name`), or `bad`.
fn parsed(path: &str, text: &str) -> Parsed {
    if text == "bad" {
        return Parsed { objects: Vec::new(), diagnostics: vec![Diagnostic::error("bad", Path::new(path), "bad")] };
    }
    let pod = |(document, name): (usize, &str)| {
        let mut pod = k8s_openapi::api::core::v1::Pod::default();
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        pod.metadata.namespace = Some(namespace.into());
        pod.metadata.name = Some(name.into());
        Object::Pod { document, pod: Arc::new(pod) }
    };
    Parsed { objects: text.split_whitespace().enumerate().map(pod).collect(), diagnostics: Vec::new() }
}

fn digest(text: &str) -> Digest {
    let mut digest = [0; 32];
    digest.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    digest
}

#[derive(Default)]
struct Book {
    ledger: Ledger,
    now: u64,
}

impl Book {
    /// After a first look that found these files.
    fn with(files: &[(&str, &str)]) -> Self {
        let mut book = Self::default();
        for (path, text) in files {
            book.ledger.take(Path::new(path), digest(text), parsed(path, text), at(0), at(0));
        }
        let present: Vec<PathBuf> = files.iter().map(|(path, _)| path.into()).collect();
        book.ledger.available(present.iter());
        book.ledger.publish();
        book
    }

    /// A file was found to hold this, unchanged since `since`, now.
    fn take(&mut self, path: &str, text: &str, since: u64) -> String {
        let news = self.ledger.take(Path::new(path), digest(text), parsed(path, text), at(since), at(self.now));
        told(&news)
    }

    fn gone(&mut self, path: &str, since: u64) {
        self.ledger.gone(Path::new(path), at(since));
    }

    /// What settles at `ms`.
    fn settle(&mut self, ms: u64, busy: bool) -> String {
        self.now = ms;
        told(&self.ledger.settle(busy, at(ms)).0)
    }

    /// The files as published: `!` refused, then what was good.
    fn files(&self) -> String {
        let file = |(path, file): (&PathBuf, &ManifestFile)| {
            let names = file.last_good.iter().flat_map(|objects| names(objects)).map(|(_, _, name)| name);
            let mark = if file.objects.is_some() { "" } else { "!" };
            format!("{}{mark}={}", path.display(), names.collect::<Vec<_>>().join(","))
        };
        self.ledger.snapshot.files.iter().map(file).collect::<Vec<_>>().join(" ")
    }

    fn wake(&self) -> Option<u128> {
        self.ledger.wake(at(self.now)).map(|wake| wake.since(at(0)).as_millis())
    }
}

fn told(news: &[News]) -> String {
    let one = |news: &News| match news {
        News::Accepted { file, pods, .. } => format!("accepted {} {pods}", file.display()),
        News::Changed { file, pods, .. } => format!("changed {} {pods}", file.display()),
        News::Refused { file, diagnostics } => format!("refused {} {}", file.display(), diagnostics[0].code),
        News::Removed { file } => format!("removed {}", file.display()),
        News::Renamed { from, to } => format!("renamed {} {}", from.display(), to.display()),
        News::Restless { file } => format!("restless {}", file.display()),
        News::Ignored { file, reason } => format!("ignored {} {reason}", file.display()),
        News::Unavailable { reason } => format!("unavailable {reason}"),
        News::Available => "available".into(),
    };
    news.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_adds_or_changes_counts_at_once() {
    let mut book = Book::with(&[]);
    assert_eq!(book.take("a", "x", 0), "accepted a 1");
    assert_eq!(book.take("a", "x y", 0), "changed a 2");
    assert_eq!(book.take("a", "bad", 0), "refused a bad");
    assert_eq!(book.files(), "a!=x,y");
    assert_eq!(book.take("a", "bad", 0), "", "said once");
    assert_eq!(book.take("a", "x y", 0), "changed a 2");
    assert_eq!(book.take("b", "bad", 0), "refused b bad");
    assert_eq!(book.files(), "a=x,y b!=");
    assert_eq!(book.wake(), None);
}

#[test]
fn what_removes_a_pod_waits_until_nothing_happens() {
    let mut book = Book::with(&[("a", "x y"), ("b", "z")]);
    book.now = 1000;
    assert_eq!(book.take("a", "y", 1000), "");
    assert_eq!(book.files(), "a=x,y b=z");
    assert_eq!(book.wake(), Some(1150));
    assert_eq!(book.settle(1149, false), "");
    // A second removal begins: both wait for it.
    book.gone("b", 1100);
    assert_eq!(book.settle(1200, false), "");
    assert_eq!(book.wake(), Some(1250));
    assert_eq!(book.settle(1250, false), "changed a 1; removed b");
    assert_eq!(book.files(), "a=y");
    assert_eq!(book.wake(), None);
}

#[test]
fn a_removal_waits_for_other_files_but_not_for_ever() {
    let mut book = Book::with(&[("a", "x")]);
    book.gone("a", 1000);
    assert_eq!(book.settle(1200, true), "");
    assert_eq!(book.wake(), Some(2500));
    assert_eq!(book.settle(2500, true), "removed a");
}

#[test]
fn a_removal_is_called_off() {
    let mut book = Book::with(&[("a", "x y"), ("b", "z"), ("c", "w")]);
    book.now = 1000;
    // The file is back, as it was.
    book.gone("b", 1000);
    book.ledger.present([PathBuf::from("b")].iter());
    // The edit is undone, or made worse.
    assert_eq!(book.take("a", "y", 1000), "");
    assert_eq!(book.ledger.digest(Path::new("a")), Some(digest("y")), "read again: no news");
    assert_eq!(book.take("a", "x y", 1000), "");
    assert_eq!(book.take("c", "v", 1000), "");
    assert_eq!(book.take("c", "bad", 1000), "refused c bad");
    assert_eq!(book.settle(9000, false), "");
    assert_eq!(book.files(), "a=x,y b=z c!=w");
    // The directory went away.
    book.gone("a", 9000);
    assert_eq!(book.take("b", "v", 9000), "");
    assert_eq!(book.ledger.forget_deferred(), [PathBuf::from("b")], "to be read again");
    assert_eq!(told(&book.ledger.unavailable("gone".into())), "unavailable gone");
    assert_eq!(told(&book.ledger.unavailable("gone".into())), "", "said once");
    assert_eq!(book.settle(19_000, false), "");
    assert_eq!(told(&book.ledger.available([].iter())), "available");
    assert_eq!(told(&book.ledger.available([].iter())), "");
    assert_eq!(book.files(), "a=x,y b=z c!=w");
}

#[test]
fn a_pod_that_moves_is_not_removed_in_between() {
    // First from here, then there.
    let mut book = Book::with(&[("a", "x y"), ("b", "z")]);
    book.now = 1000;
    assert_eq!(book.take("a", "y", 1000), "");
    assert_eq!(book.take("b", "z x", 1000), "changed b 2");
    assert_eq!(book.settle(1001, false), "changed a 1");
    // First there, then from here; and a file that becomes part of another.
    book.now = 5000;
    assert_eq!(book.take("b", "z x y", 5000), "changed b 3");
    book.gone("a", 5100);
    assert_eq!(book.settle(5101, false), "removed a");
    // Long after: that is a removal.
    book.now = 9000;
    assert_eq!(book.take("c", "x", 9000), "accepted c 1");
    book.gone("b", 9500);
    assert_eq!(book.settle(9501, false), "");
    assert_eq!(book.settle(9650, false), "removed b");
    // The same name in another namespace is another pod.
    book.now = 20_000;
    assert_eq!(book.take("c", "prod/x", 20_000), "");
    assert_eq!(book.take("d", "default/x", 20_000), "accepted d 1");
    assert_eq!(book.settle(20_001, false), "changed c 1");
}

#[test]
fn a_renamed_file_keeps_its_history() {
    let mut book = Book::with(&[("a", "x"), ("never", "bad")]);
    assert_eq!(book.take("a", "bad", 1000), "refused a bad");
    book.gone("a", 2000);
    assert_eq!(told(&book.ledger.renamed(Path::new("a"), Path::new("b"))), "renamed a b");
    assert_eq!(book.settle(9000, false), "");
    assert_eq!(book.files(), "b!=x never!=");
    assert_eq!(book.ledger.digest(Path::new("b")), None, "its findings still name the old path");
    assert_eq!(told(&book.ledger.renamed(Path::new("never"), Path::new("still"))), "renamed never still");
    assert_eq!(book.ledger.unknown, Some(["still".into()].into()));
    assert_eq!(told(&book.ledger.renamed(Path::new("what"), Path::new("that"))), "");
}

#[test]
fn gone_files_are_told_while_a_file_is_refused_since_the_start() {
    let gone = |book: &mut Book| book.ledger.publish().map(|snapshot| snapshot.gone.clone());
    let mut book = Book::with(&[("a", "bad"), ("b", "y"), ("c", "z"), ("d", "bad")]);
    book.gone("b", 1000);
    assert_eq!(book.settle(2000, false), "removed b");
    assert_eq!(gone(&mut book), Some(Some(["b".into()].into())));
    // It is back; a refused file that goes was not known to declare anything.
    book.take("b", "y", 3000);
    book.gone("d", 3000);
    assert_eq!(book.settle(4000, false), "removed d");
    assert_eq!(gone(&mut book), Some(Some([].into())));
    // The last unknown file is understood; later refusals are about files whose past is known.
    book.take("a", "x", 5000);
    assert_eq!(gone(&mut book), Some(None));
    book.take("e", "bad", 6000);
    book.gone("c", 6000);
    book.settle(7000, false);
    assert_eq!(gone(&mut book), Some(None));
    assert_eq!(gone(&mut book), None, "no change");
}

#[test]
fn a_file_that_is_not_read_yet_at_the_first_look_is_unknown() {
    let mut ledger = Ledger::default();
    ledger.available([PathBuf::from("a")].iter());
    let snapshot = ledger.publish().unwrap();
    assert_eq!(snapshot.files[Path::new("a")], ManifestFile::default());
    assert_eq!((&snapshot.gone, snapshot.generation), (&Some([].into()), 1));
    // It may go before it was ever read.
    let found = |path: &str| BTreeMap::from([(PathBuf::from(path), ())]);
    assert_eq!((ledger.missing(&found("a")), ledger.missing(&found("b"))), (vec![], vec![PathBuf::from("a")]));
    ledger.take(Path::new("a"), digest("x"), parsed("a", "x"), at(0), at(0));
    assert_eq!(ledger.publish().unwrap().gone, None);
}

#[test]
fn a_restless_file_says_so_until_it_is_read() {
    let mut book = Book::with(&[("a", "x")]);
    let codes = |book: &Book, path: &str| -> Vec<_> {
        book.ledger.snapshot.files[Path::new(path)].diagnostics.iter().map(|d| (d.code, d.is_error())).collect()
    };
    assert_eq!(told(&book.ledger.restless(Path::new("a"))), "restless a");
    assert_eq!(told(&book.ledger.restless(Path::new("b"))), "restless b");
    assert_eq!(codes(&book, "a"), [("restless-file", false)]);
    assert_eq!(book.files(), "a=x b!=");
    book.ledger.same(Path::new("a"));
    assert_eq!(codes(&book, "a"), []);
    assert_eq!(book.take("b", "bad", 0), "refused b bad");
    assert_eq!(codes(&book, "b"), [("bad", true)]);
}

#[test]
fn names_that_are_not_read_count_when_they_last() {
    let mut book = Book::default();
    let found = |names: &[&str]| names.iter().map(|name| (PathBuf::from(name), "odd".to_owned())).collect();
    let ignored =
        |book: &Book| book.ledger.snapshot.ignored.keys().map(|p| p.display().to_string()).collect::<Vec<_>>();
    assert_eq!(told(&book.ledger.strangers(found(&["s"]), at(0))), "ignored s odd");
    book.ledger.available([].iter());
    assert_eq!(told(&book.ledger.strangers(found(&["s", "t", "u"]), at(1000))), "");
    assert_eq!(book.ledger.wake(at(1000)), Some(at(1150)));
    assert_eq!(told(&book.ledger.strangers(found(&["s", "u"]), at(1150))), "ignored u odd");
    assert_eq!(ignored(&book), ["s", "u"]);
    assert_eq!(told(&book.ledger.strangers(found(&["u"]), at(1200))), "");
    assert_eq!(ignored(&book), ["u"]);
    assert_eq!(book.ledger.wake(at(1200)), None);
}
