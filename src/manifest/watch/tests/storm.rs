//! Random edits of all kinds; in the end the snapshot is what the directory holds, by events alone.

use super::*;

/// A small generator, so that a failing seed replays.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Puts a link in place as `ln -sfn` does.
fn link(watched: &Watched, target: &str, name: &str) {
    let tmp = watched.path("outside-link");
    fs::remove_file(&tmp).ok();
    symlink(target, &tmp).unwrap();
    fs::rename(tmp, watched.path(name)).unwrap();
}

fn edit(watched: &Watched, dice: &mut Dice, step: u64) {
    let name = ["a", "b", "c"][usize::try_from(dice.roll(3)).unwrap()];
    let path = format!("manifests/{name}.yaml");
    let text = if dice.roll(6) == 0 { "bad".to_owned() } else { format!("{name}{} s{step}", dice.roll(3)) };
    let target = format!("t{}", dice.roll(2));
    match dice.roll(12) {
        0 | 1 => watched.put(&path, &text),
        2 | 3 => watched.write(&path, &text),
        4 => drop(fs::remove_file(watched.path(&path))),
        5 => drop(fs::rename(watched.path("manifests/a.yaml"), watched.path("manifests/b.yaml"))),
        6 => link(watched, &format!("../{target}/pod"), "manifests/l.yaml"),
        7 => watched.put(&format!("{target}/pod"), &text),
        8 => watched.write(&format!("{target}/pod"), &text),
        9 => {
            fs::remove_dir_all(watched.path("manifests")).unwrap();
            fs::create_dir(watched.path("manifests")).unwrap();
            watched.write(&path, &text);
        }
        10 => {
            fs::create_dir(watched.path("next")).unwrap();
            watched.write(&format!("next/{name}.yaml"), &text);
            watched.rename("manifests", &format!("old{step}"));
            watched.rename("next", "manifests");
            link(watched, &format!("../{target}/pod"), "manifests/l.yaml");
        }
        _ => {
            let version = format!("manifests/..{step}");
            fs::create_dir(watched.path(&version)).unwrap();
            watched.write(&format!("{version}/d.yaml"), &text);
            link(watched, &format!("..{step}"), "manifests/..data");
            link(watched, "..data/d.yaml", "manifests/d.yaml");
        }
    }
}

/// What is there, in the words of [`Watched::told`], without what refused files held before.
fn truth(watched: &Watched) -> String {
    let names = fs::read_dir(watched.path("manifests")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.filter(|name| scan::is_manifest_name(name)).collect();
    names.sort();
    let told = names.iter().map(|name| {
        let name = name.to_str().unwrap();
        let text = fs::read_to_string(watched.path("manifests").join(name)).unwrap_or_default();
        if text.is_empty() || text == "bad" { format!("{name}!") } else { format!("{name}={}", text.replace(' ', ",")) }
    });
    told.collect::<Vec<_>>().join(" ")
}

fn is_true(snapshot: &Snapshot, truth: &str) -> bool {
    let told = Watched::told(snapshot);
    let told = told.split(' ').map(|file| if file.contains("!=") { &file[..=file.find('!').unwrap()] } else { file });
    snapshot.state == DirectoryState::Read && told.collect::<Vec<_>>().join(" ") == truth
}

async fn storm(seed: u64) {
    let prepare =
        |top: &Path| ["manifests", "t0", "t1"].iter().for_each(|name| fs::create_dir(top.join(name)).unwrap());
    let watched = Watched::start_with("manifests", prepare, |_| {});
    let mut dice = Dice(seed);
    for step in 0..25 {
        edit(&watched, &mut dice, step);
        let pause = [0, 0, 0, 1, 5, 40, 170][usize::try_from(dice.roll(7)).unwrap()];
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if dice.roll(8) == 0 {
            let truth = truth(&watched);
            reach(&watched, &truth, seed).await;
        }
    }
    let truth = truth(&watched);
    reach(&watched, &truth, seed).await;
}

async fn reach(watched: &Watched, truth: &str, seed: u64) {
    let mut snapshots = watched.handle.snapshots.clone();
    let wait = snapshots.wait_for(|snapshot| is_true(snapshot, truth));
    let reached = tokio::time::timeout(Duration::from_secs(60), wait).await.is_ok();
    let last = Watched::told(&watched.handle.snapshots.borrow());
    assert!(reached, "seed {seed}: the directory holds {truth:?}, told is {last:?}");
}

#[tokio::test]
async fn events_alone_lead_to_what_the_directory_holds() {
    let seeds: u64 = std::env::var("KUBELET_LITE_STORMS").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let mut storms = tokio::task::JoinSet::new();
    for seed in 0..seeds {
        storms.spawn(storm(seed));
        if storms.len() >= 8 {
            storms.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(result) = storms.join_next().await {
        result.unwrap();
    }
}
