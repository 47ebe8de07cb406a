use super::*;
use notify::event::{CreateKind, DataChange, Flag, MetadataKind, RemoveKind};

fn interest() -> Interest {
    let parts = [
        ("/data/web", vec!["/etc/k/web.yaml"]),
        ("/real/link.yaml", vec!["/etc/k/link.yaml"]),
        ("/real/..data", vec!["/etc/k/link.yaml", "/etc/k/other.yaml"]),
    ];
    Interest {
        directory: Some(("/real".into(), "/etc/k".into())),
        way: ["/etc/k".into(), "/real".into()].into(),
        parts: parts.into_iter().map(|(part, of)| (part.into(), of.into_iter().map(PathBuf::from).collect())).collect(),
        watched: ["/".into(), "/etc".into(), "/real".into(), "/data".into()].into(),
    }
}

#[test]
fn events() {
    let name = |mode| EventKind::Modify(ModifyKind::Name(mode));
    let to = name(RenameMode::To);
    let from = name(RenameMode::From);
    let made = EventKind::Create(CreateKind::File);
    let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    let touched = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let removed = EventKind::Remove(RemoveKind::File);
    let file = |name: &str, sign| Hint::File(format!("/etc/k/{name}").into(), sign);
    let table = [
        // Files of the directory, called as configured.
        (to, "/real/a.yaml", vec![file("a.yaml", Sign::Arrived)]),
        (from, "/real/a.json", vec![file("a.json", Sign::Left)]),
        (made, "/real/a.yml", vec![file("a.yml", Sign::Made)]),
        (written, "/real/a.yml", vec![file("a.yml", Sign::Written)]),
        (touched, "/real/a.yml", vec![file("a.yml", Sign::Touched)]),
        (closed, "/real/a.yml", vec![file("a.yml", Sign::Closed)]),
        (removed, "/real/a.yml", vec![file("a.yml", Sign::Left)]),
        // Our own reading, and what says nothing new.
        (EventKind::Access(AccessKind::Open(AccessMode::Any)), "/real/a.yml", vec![]),
        (EventKind::Access(AccessKind::Close(AccessMode::Read)), "/real/a.yml", vec![]),
        (name(RenameMode::Both), "/real/a.yml", vec![]),
        // Names that are not read.
        (made, "/real/.a.yaml.swp", vec![Hint::Soon]),
        (written, "/real/.a.yaml.swp", vec![]),
        (closed, "/real/a.bak", vec![]),
        (removed, "/real/a.bak", vec![Hint::Soon]),
        // Links, and what they lead to.
        (written, "/data/web", vec![file("web.yaml", Sign::Written)]),
        (written, "/data/beside", vec![]),
        (to, "/real/link.yaml", vec![file("link.yaml", Sign::Arrived)]),
        (to, "/real/..data", vec![Hint::Soon, file("link.yaml", Sign::Arrived), file("other.yaml", Sign::Arrived)]),
        // The way to the directory.
        (to, "/etc/k", vec![Hint::Look]),
        (written, "/etc/k", vec![]),
        (from, "/real", vec![Hint::Lost("/real".into()), Hint::Look, Hint::Look]),
        (removed, "/data", vec![Hint::Lost("/data".into()), Hint::Look]),
        (touched, "/real", vec![Hint::Soon]),
        (made, "/etc/passwd", vec![]),
    ];
    for (kind, path, expected) in table {
        assert_eq!(hints(&Event::new(kind).add_path(path.into()), &interest()), expected, "{kind:?} {path}");
    }
    let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
    assert_eq!(hints(&lost, &interest()), [Hint::Everything]);
    assert_eq!(hints(&Event::new(made), &interest()), [], "no path");
}
