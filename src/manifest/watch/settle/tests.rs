use super::*;
use Sign::{Arrived, Closed, Left, Made, Touched, Written};

/// Milliseconds after a start that lies well after the axis' zero.
fn at(ms: u64) -> Timestamp {
    Timestamp::from_duration(Duration::from_secs(1000) + Duration::from_millis(ms))
}

/// What stands under a name: inode and version of the content; version 0 is empty.
fn regular(ino: u64, version: u64) -> Seen {
    let version_time = i64::try_from(version).unwrap();
    Seen::Regular(Fingerprint { dev: 1, ino, size: version, mtime: (version_time, 0), ctime: (version_time, 0) })
}

/// A settle with a directory. Every look reads what is ready.
#[derive(Default)]
struct Sim {
    settle: Settle,
    files: BTreeMap<PathBuf, (Seen, Timestamp)>,
}

impl Sim {
    /// One whose first look was at 0 and found nothing.
    fn started() -> Self {
        let mut sim = Self::default();
        sim.look(0, "");
        sim
    }

    /// Puts a file there, changed by the file system's clock at `ms`.
    fn put(&mut self, name: &str, seen: Seen, ms: u64) -> &mut Self {
        self.files.insert(name.into(), (seen, at(ms)));
        self
    }

    fn remove(&mut self, name: &str) -> &mut Self {
        self.files.remove(Path::new(name));
        self
    }

    fn sign(&mut self, ms: u64, name: &str, sign: Sign) -> &mut Self {
        self.settle.note(Path::new(name), sign, at(ms));
        self
    }

    /// Looks at `ms`, and expects in one line what comes of it.
    #[track_caller]
    fn look(&mut self, ms: u64, expected: &str) -> &mut Self {
        let look = self.settle.look(self.files.clone(), at(ms));
        let told = |word: &str, path: &Path| format!("{word} {}", path.display());
        let mut all: Vec<_> = look.ready.iter().map(|path| told("read", path)).collect();
        let since = |since: &Timestamp| since.since(at(0)).as_millis();
        all.extend(look.gone.iter().map(|(path, gone)| format!("gone {} since {}", path.display(), since(gone))));
        all.extend(look.renamed.iter().map(|(from, to)| format!("{} is {}", from.display(), to.display())));
        all.extend(look.restless.iter().map(|path| told("restless", path)));
        assert_eq!(all.join(", "), expected, "at {ms}");
        for path in look.ready {
            let seen = self.files[&path].0.clone();
            self.settle.taken(&path, seen, at(ms));
        }
        self
    }

    /// Expects to be woken at `ms`.
    #[track_caller]
    fn wakes(&mut self, ms: impl Into<Option<u64>>) -> &mut Self {
        assert_eq!(self.settle.wake(), ms.into().map(at));
        self
    }
}

#[test]
fn at_the_first_look_old_files_are_read_at_once_and_young_ones_wait() {
    let mut sim = Sim::default();
    sim.put("old", regular(1, 1), 0).put("young", regular(2, 1), 900).put("odd", Seen::Unusable("FIFO".into()), 0);
    sim.look(1000, "read odd, read old").wakes(1050).look(1049, "").look(1050, "read young").wakes(None);
    sim.look(9000, "").wakes(None);
}

#[test]
fn the_file_systems_clock_is_not_believed_later() {
    // A server whose clock is far behind, then far ahead; nothing was told by inotify.
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 0).look(5000, "").wakes(5150).look(5150, "read a");
    sim.put("a", regular(1, 2), 99_000).look(6000, "").wakes(6150).look(6150, "read a").wakes(None);
}

#[test]
fn what_arrives_by_a_rename_is_read_at_once_and_once_more_when_quiet() {
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 999).sign(1000, "a", Arrived).wakes(1000).look(1001, "read a");
    sim.wakes(1150).look(1150, "read a").wakes(None);
    // The second rename within the same tick of the file system's clock.
    sim.sign(2000, "a", Arrived).look(2001, "read a").look(2150, "read a").wakes(None);
    // Somebody goes on writing to what he renamed.
    sim.sign(3000, "a", Arrived).sign(3001, "a", Written).put("a", regular(1, 2), 3001).look(3002, "");
    sim.sign(3003, "a", Closed).wakes(3153).look(3153, "read a").wakes(None);
}

#[test]
fn a_written_file_is_read_when_it_is_closed_and_quiet() {
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 1000).sign(1000, "a", Made).sign(1000, "a", Written).sign(1001, "a", Closed);
    sim.wakes(1151).look(1100, "").look(1151, "read a").wakes(None);
    // Several rounds, as a shell script appends.
    sim.put("a", regular(1, 2), 2000).sign(2000, "a", Written).sign(2000, "a", Closed);
    sim.put("a", regular(1, 3), 2100).sign(2100, "a", Written).sign(2100, "a", Closed);
    sim.look(2150, "").wakes(2250).look(2250, "read a");
    // Not told by inotify yet, but newer than what it told.
    sim.sign(3000, "a", Written).sign(3000, "a", Closed).put("a", regular(1, 4), 3149);
    sim.look(3150, "").wakes(3299).look(3299, "read a");
    // Touched, not changed: read, since a change within a tick looks the same.
    sim.sign(4000, "a", Touched).look(4150, "read a").wakes(None);
}

#[test]
fn an_open_file_is_given_more_time() {
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 1000).sign(1000, "a", Made).sign(1000, "a", Written).look(1200, "").wakes(6000);
    sim.put("a", regular(1, 2), 4000).sign(4000, "a", Written).look(6000, "").wakes(9000);
    // Whoever has it open and is silent for so long may as well be dead.
    sim.look(9000, "read a");
    // Made and empty: the content is to come.
    sim.put("b", regular(2, 0), 10_000).sign(10_000, "b", Made).look(10_200, "").wakes(15_000);
    sim.put("b", regular(2, 1), 10_300).sign(10_300, "b", Written).sign(10_301, "b", Closed).look(10_451, "read b");
    // Made, and not empty: a hard link.
    sim.put("c", regular(3, 1), 20_000).sign(20_000, "c", Made).look(20_150, "read c");
    // Signs were lost: the same, until it is quiet for long.
    sim.sign(30_000, "a", Written).put("a", regular(1, 3), 30_000);
    sim.settle.doubt();
    sim.look(30_150, "read b, read c").wakes(35_000).look(35_000, "read a");
}

#[test]
fn a_restless_file_is_told_once_and_delays_nobody() {
    let mut sim = Sim::started();
    let mut version = 0;
    let mut write = |sim: &mut Sim, ms| {
        version += 1;
        sim.put("a", regular(1, version), ms).sign(ms, "a", Written);
    };
    for ms in (1000..11_000).step_by(100) {
        write(&mut sim, ms);
        sim.look(ms + 50, "");
        assert!(sim.settle.is_busy());
    }
    write(&mut sim, 11_000);
    sim.put("b", regular(2, 1), 11_000).sign(11_000, "b", Arrived).look(11_050, "read b, restless a");
    assert!(!sim.settle.is_busy());
    write(&mut sim, 12_000);
    sim.look(12_050, "read b").sign(12_100, "a", Closed).look(12_250, "read a").wakes(None);
    write(&mut sim, 20_000);
    sim.look(20_001, "");
    for ms in (20_100..30_000).step_by(100) {
        write(&mut sim, ms);
    }
    sim.wakes(30_001).look(30_001, "restless a");
}

#[test]
fn a_file_that_goes_is_told_with_the_time() {
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 0).put("b", regular(2, 1), 0).put("c", regular(3, 1), 0);
    sim.look(1000, "").look(1150, "read a, read b, read c").wakes(None);
    sim.remove("a").sign(2000, "a", Left).wakes(2150).look(2150, "gone a since 2000").wakes(None);
    // Not told by inotify: since it was missed.
    sim.remove("b")
        .look(3000, "gone a since 2000, gone b since 3000")
        .look(4000, "gone a since 2000, gone b since 3000");
    sim.settle.forget(Path::new("a"));
    sim.look(5000, "gone b since 3000");
    // Back again, as it was: no need to read.
    sim.put("b", regular(2, 1), 0).look(6000, "").wakes(None);
    // Told about a directory that is no more.
    sim.remove("b").sign(7000, "b", Left);
    sim.settle.forget_signs();
    sim.look(7100, "gone b since 7100");
    // Back, and to be read again for another reason.
    sim.settle.doubt_file(Path::new("b"));
    sim.look(7200, "gone b since 7100")
        .put("b", regular(2, 1), 0)
        .look(7300, "")
        .wakes(7450)
        .look(7450, "read b")
        .remove("b");
    sim.look(7500, "gone b since 7500").wakes(None);
    // Never read, and gone.
    sim.put("d", regular(4, 1), 8000).sign(8000, "d", Made).look(8001, "gone b since 7500");
    sim.remove("d").look(8100, "gone b since 7500").wakes(None);
    assert!(!sim.settle.is_busy());
}

#[test]
fn a_renamed_file_is_known_again_when_its_old_name_stays_away() {
    let mut sim = Sim::started();
    sim.put("a", regular(1, 1), 0).look(500, "").look(650, "read a");
    sim.remove("a").put("b", regular(1, 1), 1000).sign(1000, "a", Left).sign(1000, "b", Arrived);
    sim.look(1001, "gone a since 1000").wakes(1150).look(1150, "read b, a is b").wakes(None);
    // An editor's copy of the old file, whose name comes back.
    sim.remove("b").put("b.old", regular(1, 1), 2000).sign(2000, "b", Left).sign(2000, "b.old", Arrived);
    sim.look(2001, "gone b since 2000");
    sim.put("b", regular(2, 2), 2010).sign(2010, "b", Made).sign(2010, "b", Closed).look(2011, "read b.old");
    sim.look(2160, "read b, read b.old").wakes(None);
    // The same inode with other content is another file.
    sim.remove("b").put("c", regular(2, 3), 3000).sign(3000, "b", Left).sign(3000, "c", Arrived);
    sim.look(3001, "read c, gone b since 3000");
    // One file can not become two.
    sim.remove("b.old").put("d", regular(1, 1), 4000).put("e", regular(1, 1), 4000);
    sim.look(4000, "read c, gone b since 3000, gone b.old since 4000");
    sim.look(4150, "read d, read e, gone b since 3000, b.old is d");
}

#[test]
fn a_file_that_changes_while_it_is_read_waits_again() {
    let mut settle = Settle::default();
    let found: BTreeMap<PathBuf, _> = [("a".into(), (regular(1, 1), at(0)))].into();
    assert_eq!(settle.look(found.clone(), at(1000)).ready, [PathBuf::from("a")]);
    settle.disturbed(Path::new("a"), at(1001));
    assert_eq!(settle.wake(), Some(at(1151)));
    assert!(settle.look(found.clone(), at(1100)).ready.is_empty());
    assert_eq!(settle.look(found, at(1151)).ready, [PathBuf::from("a")]);
}

proptest::proptest! {
    /// Whatever happens, a file is read within the quiet time of the last thing that happened (the long
    /// one if its writer never closed it), never while somebody goes on writing, and then there is rest.
    #[test]
    fn every_file_is_read_in_the_end(steps in proptest::collection::vec((0_u64..3, 0_u8..8, 1_u64..400), 1..60)) {
        let mut sim = Sim::started();
        let (mut now, mut version) = (1000, 0);
        let mut read: BTreeMap<PathBuf, Seen> = BTreeMap::new();
        let mut look = |sim: &mut Sim, now: u64| {
            let look = sim.settle.look(sim.files.clone(), at(now));
            for path in look.ready {
                let seen = sim.files[&path].0.clone();
                sim.settle.taken(&path, seen.clone(), at(now));
                read.insert(path, seen);
            }
            for (from, to) in &look.renamed {
                read.remove(from);
                assert!(sim.files.contains_key(to));
            }
            for (path, since) in look.gone {
                assert!(!sim.files.contains_key(&path));
                if at(now).since(since) >= QUIET {
                    sim.settle.forget(&path);
                    read.remove(&path);
                }
            }
            read.clone()
        };
        for (file, what, pause) in steps {
            let name = format!("f{file}");
            version += 1;
            match what {
                0 => drop(sim.remove(&name).sign(now, &name, Left)),
                1 => drop(sim.remove(&name)),
                2 => drop(sim.put(&name, regular(version, version), now - 1).sign(now, &name, Arrived)),
                3 => drop(sim.put(&name, regular(file, version), now).sign(now, &name, Written)),
                4 => drop(sim.put(&name, regular(file, version), now).sign(now, &name, Closed)),
                5 => drop(sim.put(&name, regular(file, version), now)),
                6 => drop(sim.put(&name, regular(version, 0), now).sign(now, &name, Made)),
                _ => sim.settle.doubt(),
            }
            now += pause;
            if pause % 3 == 0 {
                look(&mut sim, now);
            }
        }
        for _ in 0..50 {
            look(&mut sim, now);
            now = sim.settle.wake().map_or(now + 200, |wake| u64::try_from(wake.since(at(0)).as_millis()).unwrap().max(now));
        }
        let last = look(&mut sim, now);
        let expected: BTreeMap<_, _> = sim.files.iter().map(|(path, (seen, _))| (path.clone(), seen.clone())).collect();
        assert_eq!(last, expected);
        assert_eq!(sim.settle.wake(), None);
        assert!(!sim.settle.is_busy());
    }
}
