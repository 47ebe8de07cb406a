use super::*;
use std::os::unix::fs::symlink;

/// A directory `pods`, with the words on mounts in files beside it.
struct Place {
    top: tempfile::TempDir,
    lookout: Lookout,
}

impl Place {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("pods")).unwrap();
        let (mut lookout, _) = Lookout::new(top.path().join("pods"));
        lookout.mountinfo = top.path().join("mountinfo");
        lookout.fstab = top.path().join("fstab");
        let place = Self { top, lookout };
        place.mounted(&[]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().canonicalize().unwrap().join(name)
    }

    /// `/` and these are mounted.
    fn mounted(&self, names: &[&str]) {
        let line = |path: &Path| format!("1 1 1:1 / {} rw - ext4 /dev/x rw\n", path.display());
        let rest: String = names.iter().map(|name| line(&self.path(name))).collect();
        fs::write(self.path("mountinfo"), line(Path::new("/")) + &rest).unwrap();
    }

    /// Exchanges the directory, as mounting and unmounting do.
    fn exchange(&self, files: &[&str]) {
        // The old one stays, so that its inode is not used again.
        let old = fs::read_dir(self.path("")).unwrap().count();
        fs::rename(self.path("pods"), self.path(&format!("old{old}"))).unwrap();
        fs::create_dir(self.path("pods")).unwrap();
        files.iter().for_each(|name| fs::write(self.path("pods").join(name), "x").unwrap());
    }

    /// The names found, or why not.
    fn look(&mut self) -> String {
        let top = self.path("").display().to_string();
        match self.lookout.look().listing {
            Ok(listing) => {
                let names = listing.files.keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
                format!("[{}]", names.collect::<Vec<_>>().join(" "))
            }
            Err(reason) => reason.replace(&top, ""),
        }
    }

    fn watched(&self) -> Vec<String> {
        let top = self.path("");
        let below = self.lookout.watched.keys().filter_map(|path| path.strip_prefix(&top).ok());
        below.map(|path| path.display().to_string()).collect()
    }
}

#[test]
fn a_file_system_that_went_away_is_not_an_empty_directory() {
    let mut place = Place::new();
    place.mounted(&["pods"]);
    place.exchange(&["a.yaml"]);
    assert_eq!(place.look(), "[a.yaml]");
    place.mounted(&[]);
    place.exchange(&[]);
    let away = "pods was mounted and is not any more; mount it, or restart to go on without it";
    assert_eq!(place.look(), away);
    assert_eq!(place.look(), away);
    // Nor are the files that lie below the mount point what was meant.
    place.exchange(&["below.yaml"]);
    assert_eq!(place.look(), away);
    place.mounted(&["pods"]);
    place.exchange(&["a.yaml", "b.yaml"]);
    assert_eq!(place.look(), "[a.yaml b.yaml]");
    // Mounted anew: what it holds counts, even nothing.
    place.exchange(&[]);
    assert_eq!(place.look(), "[]");
}

#[test]
fn an_empty_directory_that_fstab_wants_mounted_is_not_believed() {
    let mut place = Place::new();
    fs::write(place.path("fstab"), format!("/dev/x {} ext4 nofail 0 0\n", place.path("").display())).unwrap();
    let reason = " is in /etc/fstab and not mounted, and there are no manifests below it";
    assert_eq!(place.look(), reason);
    fs::write(place.path("pods/a.yaml"), "x").unwrap();
    assert_eq!(place.look(), "[a.yaml]");
    fs::remove_file(place.path("pods/a.yaml")).unwrap();
    assert_eq!(place.look(), reason);
    place.mounted(&[""]);
    assert_eq!(place.look(), "[]");
}

#[test]
fn without_proc_a_directory_is_what_it_is() {
    let mut place = Place::new();
    place.mounted(&["pods"]);
    assert_eq!(place.look(), "[]");
    fs::write(place.path("fstab"), format!("/dev/x {} ext4\n", place.path("pods").display())).unwrap();
    fs::remove_file(place.path("mountinfo")).unwrap();
    place.exchange(&[]);
    assert_eq!(place.look(), "[]");
}

#[test]
fn what_leads_to_the_manifests_is_watched_and_no_more() {
    let mut place = Place::new();
    fs::create_dir_all(place.path("app/v1")).unwrap();
    fs::write(place.path("app/v1/web"), "x").unwrap();
    symlink("v1", place.path("app/current")).unwrap();
    place.look();
    assert_eq!(place.watched(), ["", "pods"]);
    symlink("../app/current/web", place.path("pods/a.yaml")).unwrap();
    assert_eq!(place.look(), "[a.yaml]");
    assert_eq!(place.watched(), ["", "app", "app/v1", "pods"]);
    fs::remove_file(place.path("pods/a.yaml")).unwrap();
    place.look();
    assert_eq!(place.watched(), ["", "pods"]);
    fs::remove_dir_all(place.path("pods")).unwrap();
    assert_eq!(place.look(), "pods does not exist");
    assert_eq!(place.watched(), [""]);
}

#[test]
fn links_to_very_many_places_are_left_to_the_periodic_look() {
    let mut place = Place::new();
    for n in 0..80 {
        fs::create_dir(place.path(&format!("d{n}"))).unwrap();
        fs::write(place.path(&format!("d{n}/web")), "x").unwrap();
        symlink(format!("../d{n}/web"), place.path(&format!("pods/p{n}.yaml"))).unwrap();
    }
    let found = place.lookout.look();
    assert_eq!(found.listing.unwrap().files.len(), 80);
    assert_eq!(place.watched().len(), MAX_WATCHES);
    assert_eq!(found.trouble.as_deref(), Some("links lead to 18 directories more than are watched"));
}

#[test]
fn a_watcher_that_fails_is_told_and_tried_again() {
    let mut place = Place::new();
    let busy = notify::Error::new(notify::ErrorKind::MaxFilesWatch);
    assert_eq!(trouble(&busy), "the limit fs.inotify.max_user_watches is reached");
    let files = notify::Error::io(io::Error::from_raw_os_error(nix::errno::Errno::EMFILE as i32));
    assert_eq!(trouble(&files), "the limit fs.inotify.max_user_instances, or of open files, is reached");
    // A panic of the watcher costs the watches, which the next look makes anew.
    place.look();
    let failed = place.lookout.ask(|_| panic!("as if its thread had ended"));
    assert_eq!(failed.unwrap_err().to_string(), "the watching thread is not there");
    assert!(place.watched().is_empty());
    assert!(place.lookout.look().trouble.is_none());
    assert_eq!(place.watched(), ["", "pods"]);
}
