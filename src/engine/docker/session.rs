//! The processes of a command on the host: found by their session and their container's cgroup, and
//! killed. Docker has no verb for that.
//!
//! A session's id is the pid of the command's first process. While any member lives the kernel gives
//! that number to nothing else, and a process elsewhere that got it later is not in the container's
//! cgroup.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    time::{ClockId, clock_gettime},
    unistd::{Pid, SysconfVar, sysconf},
};
use std::{fs, path::Path, time::Duration};

/// How often the session is looked at again after a round of SIGKILL, and how long in between: a
/// process that forks all the time has to be caught, and one that is waiting for a disk takes a while.
const ROUNDS: usize = 50;
const BETWEEN: Duration = Duration::from_millis(20);

/// For how long a process of this machine has been there, if that can be seen.
pub(super) fn age(pid: i32) -> Option<Duration> {
    if pid <= 0 {
        return None;
    }
    let stat = Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let ticks = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let began = Duration::from_millis(stat.began.checked_mul(1000)?.checked_div(ticks)?);
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    Some(now.saturating_sub(began))
}

/// The session of a command.
pub(super) struct Session {
    /// Pid of the command's first process, as the engine tells it.
    pub id: i32,
    /// Engine id of its container.
    pub container: String,
}

impl Session {
    /// Kills all members and returns when they are gone.
    pub async fn kill(self) -> Result<(), String> {
        let (id, container) = (self.id, self.container);
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(BETWEEN).await;
            }
            let container = container.clone();
            let killed = tokio::task::spawn_blocking(move || kill_members(Path::new("/proc"), id, &container)).await;
            match killed.map_err(|error| error.to_string())? {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Err(format!("processes of session {id} are still there after SIGKILL"))
    }
}

/// One round of SIGKILL; how many members there were.
fn kill_members(proc: &Path, session: i32, container: &str) -> Result<usize, String> {
    let members =
        members(proc, session, container).map_err(|error| format!("{} can not be read: {error}", proc.display()))?;
    for pid in &members {
        match kill(Pid::from_raw(*pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(format!("SIGKILL to process {pid} of the command: {error}; this takes CAP_KILL")),
        }
    }
    Ok(members.len())
}

/// The live members of `session` that belong to `container`.
fn members(proc: &Path, session: i32, container: &str) -> std::io::Result<Vec<i32>> {
    let mut members = Vec::new();
    for entry in fs::read_dir(proc)? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // What can not be read has just ended.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let is_member = Stat::parse(&stat).is_some_and(|stat| stat.session == session && !stat.is_dead);
        let in_container = || fs::read_to_string(entry.path().join("cgroup")).is_ok_and(|text| names(&text, container));
        if is_member && in_container() {
            members.push(pid);
        }
    }
    Ok(members)
}

/// Whether a process with these cgroups belongs to the container.
fn names(cgroups: &str, container: &str) -> bool {
    // `/docker/<id>`, `…/docker-<id>.scope`, and whatever the container made below.
    !container.is_empty() && cgroups.lines().any(|line| line.contains(container))
}

/// What is needed of `/proc/<pid>/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    session: i32,
    is_dead: bool,
    /// Clock ticks from the boot to its beginning.
    began: u64,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        // The name may hold spaces and parentheses.
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_ascii_whitespace();
        let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
        // State, parent, process group, session.
        let session = fields.nth(2)?.parse().ok()?;
        // The 22nd field of the line; the session is the sixth.
        let began = fields.nth(15)?.parse().ok()?;
        Some(Self { session, is_dead, began })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let stat = |line: &str| Stat::parse(line).map(|s| (s.session, s.is_dead, s.began));
        let rest = "0 -1 4194560 9 8 7 6 5 4 3 2 20 0 1 0 1234567 2621440 0";
        assert_eq!(stat(&format!("12 (sleep) S 1 12 7 {rest}")), Some((7, false, 1_234_567)));
        assert_eq!(stat(&format!("12 (a) b) (c) Z 1 12 7 {rest}")), Some((7, true, 1_234_567)));
        assert_eq!(stat("12 (sleep) S 1 12 7 0 -1"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn the_age_of_a_process() {
        let own = i32::try_from(std::process::id()).unwrap();
        let (first, second) = (age(own).unwrap(), age(own).unwrap());
        assert!(first <= second && second < Duration::from_secs(24 * 3600), "{first:?} {second:?}");
        assert_eq!((age(0), age(-1), age(i32::MAX)), (None, None, None));
    }

    #[test]
    fn a_member_is_of_the_session_and_of_the_container() {
        let proc = tempfile::tempdir().unwrap();
        let add = |pid: i32, session: i32, state: &str, cgroup: &str| {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir(&dir).unwrap();
            let stat = format!("{pid} (x) {state} 1 1 {session} 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0");
            fs::write(dir.join("stat"), stat).unwrap();
            fs::write(dir.join("cgroup"), format!("5:memory:{cgroup}\n0::/\n")).unwrap();
        };
        add(10, 10, "S", "/docker/7f");
        add(11, 10, "R", "/system.slice/docker-7f.scope/below");
        add(12, 10, "Z", "/docker/7f");
        add(13, 13, "S", "/docker/7f");
        // The same number in somebody else's hands.
        add(14, 10, "S", "/user.slice");
        fs::create_dir(proc.path().join("99")).unwrap();
        fs::create_dir(proc.path().join("sys")).unwrap();
        let mut found = members(proc.path(), 10, "7f").unwrap();
        found.sort_unstable();
        assert_eq!(found, [10, 11]);
        assert_eq!(members(proc.path(), 10, "").unwrap(), Vec::<i32>::new());
        assert!(members(&proc.path().join("nowhere"), 10, "7f").is_err());
    }
}
