//! Ends what a private engine leaves: processes, mounts, control groups, its bridge, its directory.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Kills every process started for `dir` and removes every trace of it.
pub fn clean_up(dir: &Path) {
    // A shim may just be starting another process: look until none is left.
    for _ in 0..200 {
        let family = family_of(dir);
        if family.is_empty() {
            break;
        }
        for pid in family {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        block(Duration::from_millis(10));
    }
    for mount in mounts_below(dir) {
        let _ = Command::new("umount").arg("-l").arg(mount).status();
    }
    remove_control_groups(dir);
    remove_shim_sockets(dir);
    if let Some(bridge) = bridge_of(dir) {
        let _ = Command::new("ip").args(["link", "del", &bridge]).status();
    }
    let _ = fs::remove_dir_all(dir);
}

/// The bridge that was made for `dir`: it carries the path as its alias.
pub fn bridge_of(dir: &Path) -> Option<String> {
    let links = fs::read_dir("/sys/class/net").ok()?;
    let mut names = links.flatten().filter_map(|link| link.file_name().into_string().ok());
    names.find(|name| {
        let alias = fs::read_to_string(format!("/sys/class/net/{name}/ifalias")).unwrap_or_default();
        Path::new(alias.trim_end()) == dir
    })
}

/// Processes that name `dir` in their command line, and all their descendants, except this process.
fn family_of(dir: &Path) -> BTreeSet<i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    // Not those of another whose name only begins like this one.
    let dir = format!("{}/", dir.display());
    let mut family = BTreeSet::new();
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some((state, parent)) = stat(pid) else { continue };
        if state == 'Z' || pid == own {
            continue;
        }
        parents.insert(pid, parent);
        // Only the engine's own programs: a test's name or a shell may mention the directory too.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let program = line.split('\0').next().and_then(|p| p.rsplit('/').next()).unwrap_or_default();
        if line.contains(&dir) && ["dockerd", "containerd", "containerd-shim-runc-v2"].contains(&program) {
            family.insert(pid);
        }
    }
    loop {
        let children: Vec<i32> = parents
            .iter()
            .filter(|(pid, parent)| family.contains(*parent) && !family.contains(*pid))
            .map(|(pid, _)| *pid)
            .collect();
        if children.is_empty() {
            return family;
        }
        family.extend(children);
    }
}

/// State letter and parent of a process.
fn stat(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Removes the control groups of the engine in `dir` from every hierarchy.
fn remove_control_groups(dir: &Path) {
    let Some(name) = dir.file_name() else { return };
    let root = Path::new("/sys/fs/cgroup");
    remove_group(&root.join(name));
    for hierarchy in fs::read_dir(root).into_iter().flatten().flatten() {
        remove_group(&hierarchy.path().join(name));
    }
}

/// Removes an empty group with all below it.
fn remove_group(group: &Path) {
    for below in fs::read_dir(group).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&below.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Sockets that killed shims leave in a directory common to the machine.
fn remove_shim_sockets(dir: &Path) {
    let bundles = dir.join("containerd-state/io.containerd.runtime.v2.task");
    let spaces = fs::read_dir(bundles).into_iter().flatten().flatten();
    for bundle in spaces.flat_map(|space| fs::read_dir(space.path()).into_iter().flatten().flatten()) {
        let address = fs::read_to_string(bundle.path().join("address")).unwrap_or_default();
        if let Some(socket) = address.strip_prefix("unix://") {
            let _ = fs::remove_file(socket);
        }
    }
}

/// Mount points below `dir`, innermost first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    let mut below: Vec<PathBuf> = points.filter(|point| point.starts_with(dir)).collect();
    below.reverse();
    below
}

/// For `Drop`, which can not await.
#[expect(clippy::disallowed_methods, reason = "nothing else runs while a test cleans up")]
fn block(time: Duration) {
    std::thread::sleep(time);
}
