//! A snapshot of the manifest directory → what should run.
//!
//! Pure. A file is taken whole or not at all: a file that loses the name of one pod or object to another
//! file gives all it declares up until the clash is gone, and what it declared before stays desired. Whoever has a name
//! keeps it. Nothing is dropped because something could not be understood.

use super::{
    DirectoryState, Held, ManifestFile, ManifestSet, Object, Snapshot, diagnostic::Diagnostic, order, workloads,
};
use crate::pod::{
    ManifestSource, Node, NodeMismatch, NodeRules, ObjectId, Objects, Pod, PodKey, PodUid, objects::Declared,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Weak},
};

/// Turns snapshots into sets. A function of its arguments; what it remembers only saves the resolving of
/// pods whose file did not change.
#[derive(Debug)]
pub struct Resolver {
    node: Node,
    rules: Option<Arc<NodeRules>>,
    max_pods: usize,
    memo: BTreeMap<PathBuf, (Weak<Vec<Object>>, Arc<Content>)>,
}

/// What a file declares.
#[derive(Debug)]
enum Content {
    /// Nobody knows: it was never good since our start.
    Unknown,
    /// All of this.
    Good(Good),
    /// What can not be on one node, or not at all.
    Impossible(Vec<Diagnostic>),
}

/// What a good file declares.
#[derive(Debug, Default)]
struct Good {
    pods: Vec<Arc<Pod>>,
    none: Vec<PodKey>,
    objects: Vec<(ObjectId, Arc<Declared>)>,
}

/// What is known of a pod that runs, whatever the files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incumbent {
    /// Where it was declared.
    pub source: ManifestSource,
    /// The uids it has; two across an edit.
    pub uids: BTreeSet<PodUid>,
}

/// What only one pod or object of a node can have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Name(PodKey),
    Uid(PodUid),
    Object(ObjectId),
}

/// Why a file is refused although it is good by itself.
struct Clash {
    claim: Claim,
    /// The pod or object of this file that claims it.
    document: usize,
    /// Who has it.
    holder: PathBuf,
}

/// What should run, given a look at the directory, what was to run before it, and where each pod that
/// runs was declared and which uids it has (`incumbents`, from the sandboxes' labels; where `previous` names
/// another file, it is right, since a label does not follow the renaming of its file). At most `max_pods` run, but what runs
/// already is not stopped for that.
pub fn resolve(
    snapshot: &Snapshot,
    previous: &ManifestSet,
    incumbents: &BTreeMap<PodKey, Incumbent>,
    node: &Node,
    max_pods: usize,
) -> ManifestSet {
    Resolver::new(node.clone(), max_pods).resolve(snapshot, previous, incumbents)
}

impl Resolver {
    /// A resolver for this node.
    pub fn new(node: Node, max_pods: usize) -> Self {
        Self { node, rules: None, max_pods, memo: BTreeMap::new() }
    }

    /// With what DaemonSets ask of the node. Without, each has its share here.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<NodeRules>) -> Self {
        self.rules = Some(rules);
        self
    }

    /// As [`resolve`].
    pub fn resolve(
        &mut self,
        snapshot: &Snapshot,
        previous: &ManifestSet,
        incumbents: &BTreeMap<PodKey, Incumbent>,
    ) -> ManifestSet {
        self.memo.retain(|path, _| snapshot.files.contains_key(path));
        let contents: BTreeMap<&Path, Arc<Content>> =
            snapshot.files.iter().map(|(path, file)| (path.as_path(), self.content(path, file))).collect();
        let owners = Owners { previous, incumbents };
        let clashes = clashes(&contents, &owners);

        let mut set = ManifestSet { generation: snapshot.generation, ..ManifestSet::default() };
        let mut objects = Objects::default();
        let mut held = BTreeSet::new();
        for (path, content) in &contents {
            if let (Content::Good(good), None) = (&**content, clashes.get(path)) {
                for pod in &good.pods {
                    match self.belongs_here(pod, &owners) {
                        Ok(()) => drop(set.pods.insert(pod.key.clone(), pod.clone())),
                        Err(mismatch) => drop(set.elsewhere.insert(pod.key.clone(), mismatch)),
                    }
                }
                set.none.extend(good.none.iter().cloned());
                good.objects.iter().for_each(|(id, object)| objects.insert(id.clone(), object.clone()));
                continue;
            }
            match (&**content, clashes.get(path)) {
                (Content::Impossible(diagnostics), _) => set.diagnostics.extend(diagnostics.iter().cloned()),
                (Content::Good(good), Some(clash)) => set.diagnostics.push(clash.diagnostic(path, &good.pods)),
                _ => {}
            }
            let kept = previous.objects.iter().filter(|(_, object)| object.source.path == *path);
            kept.for_each(|(id, object)| objects.insert(id.clone(), object.clone()));
            let mut before = previous.pods.values().filter(|pod| pod.source.path == *path).peekable();
            if before.peek().is_none() {
                held.insert(path.to_path_buf());
            }
            set.pods.extend(before.map(|pod| (pod.key.clone(), pod.clone())));
        }
        if let Some(gone) = &snapshot.gone {
            for (key, Incumbent { source, .. }) in incumbents {
                let known = snapshot.files.contains_key(&source.path) || gone.contains(&source.path);
                if !known && !set.pods.contains_key(key) && !previous.pods.contains_key(key) {
                    set.diagnostics.push(orphan(key, source));
                    held.insert(source.path.clone());
                }
            }
        }
        // The same one, if it holds the same: those who compare need not look into it.
        set.objects = if objects == *previous.objects { previous.objects.clone() } else { Arc::new(objects) };
        set.held = match snapshot.state {
            DirectoryState::Read => Held::Files(held),
            DirectoryState::Unread | DirectoryState::Unavailable(_) => Held::Everything,
        };
        self.limit(&mut set, &owners);
        set.diagnostics.extend(order::cycles(&set.pods));
        set
    }

    /// Whether this node has the pod: its share of a DaemonSet is only on nodes that it fits. One that
    /// runs stays as long as the controller of DaemonSets would leave it.
    fn belongs_here(&self, pod: &Pod, owners: &Owners<'_>) -> Result<(), NodeMismatch> {
        match &self.rules {
            Some(rules) if pod.standing.is_daemon => match owners.of_name(&pod.key) {
                Some(_) => rules.keeps(&pod.spec),
                None => rules.admits(&pod.spec),
            },
            _ => Ok(()),
        }
    }

    fn content(&mut self, path: &Path, file: &ManifestFile) -> Arc<Content> {
        let Some(objects) = file.objects.as_ref().or(file.last_good.as_ref()) else {
            return Arc::new(Content::Unknown);
        };
        if let Some((of, content)) = self.memo.get(path)
            && std::ptr::eq(of.as_ptr(), Arc::as_ptr(objects))
        {
            return content.clone();
        }
        let content = Arc::new(content_of(path, objects, &self.node));
        self.memo.insert(path.to_owned(), (Arc::downgrade(objects), content.clone()));
        content
    }

    /// Refuses the pods that are too many, in the order of their files.
    fn limit(&self, set: &mut ManifestSet, owners: &Owners<'_>) {
        let kept = owners.incumbents.iter();
        let is_kept = |key: &PodKey, pod: &Incumbent| !set.pods.contains_key(key) && set.held.holds(&pod.source);
        let kept = kept.filter(|(key, pod)| is_kept(key, pod)).count();
        let (old, mut new): (Vec<_>, Vec<_>) =
            set.pods.values().cloned().partition(|pod| owners.of_name(&pod.key).is_some());
        let room = self.max_pods.saturating_sub(kept.saturating_add(old.len()));
        new.sort_by(|a, b| a.source.cmp(&b.source));
        for pod in new.into_iter().skip(room) {
            set.pods.remove(&pod.key);
            let message = format!("pod {} is one more than the {} this node may run", pod.key, self.max_pods);
            let diagnostic = Diagnostic::error("too-many-pods", &pod.source.path, message);
            set.diagnostics.push(diagnostic.suggest("remove another pod, or raise --max-pods"));
        }
    }
}

/// What a file declares, or why it can not be.
fn content_of(path: &Path, objects: &[Object], node: &Node) -> Content {
    let mut diagnostics = Vec::new();
    let mut pods: Vec<Arc<Pod>> = Vec::new();
    let mut claimed: BTreeMap<Claim, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (document, config) in objects.iter().flat_map(workloads::configs_of) {
        let id = config.id();
        if let Some(first) = claimed.insert(Claim::Object(id.clone()), document) {
            let message = format!("documents {} and {} of this file are both {id}", first + 1, document + 1);
            let diagnostic = Diagnostic::error("duplicate-object", path, message).field("metadata.name");
            diagnostics.push(diagnostic.document(document).suggest("give one of them another name"));
        }
        let source = ManifestSource { path: path.to_owned(), document };
        found.push((id, Arc::new(config.declared(source))));
    }
    for made in objects.iter().filter_map(workloads::pod_of) {
        let document = made.document;
        let source = ManifestSource { path: path.to_owned(), document };
        match Pod::from_made(made.pod, made.identity.as_deref(), source, node) {
            Ok(pod) => {
                let taken =
                    claims(&pod).find_map(|claim| claimed.get(&claim).map(|first: &usize| (claim.words(), *first)));
                if let Some(((field, what), first)) = taken {
                    let documents = format!("documents {} and {}", first + 1, document + 1);
                    let message = format!("{documents} of this file have the same {what}");
                    let diagnostic = Diagnostic::error("duplicate-pod", path, message).field(field).document(document);
                    diagnostics.push(diagnostic.suggest(format!("give one of them another {what}")));
                }
                claimed.extend(claims(&pod).map(|claim| (claim, document)));
                pods.push(Arc::new(pod));
            }
            Err(error) => {
                let message = format!("document {}: {error}", document + 1);
                diagnostics.push(Diagnostic::error("impossible-pod", path, message).document(document));
            }
        }
    }
    let none = objects.iter().filter_map(workloads::asked_for_none).filter_map(|made| Pod::key_of(&made, node));
    if diagnostics.is_empty() {
        Content::Good(Good { pods, none: none.collect(), objects: found })
    } else {
        Content::Impossible(diagnostics)
    }
}

/// Who had what before this snapshot.
struct Owners<'a> {
    previous: &'a ManifestSet,
    incumbents: &'a BTreeMap<PodKey, Incumbent>,
}

impl Owners<'_> {
    fn of_name(&self, key: &PodKey) -> Option<&Path> {
        let previous = self.previous.pods.get(key).map(|pod| &pod.source);
        previous.or_else(|| self.incumbents.get(key).map(|pod| &pod.source)).map(|source| source.path.as_path())
    }

    /// Whoever runs with it, else whose it was to be.
    fn of_uid(&self, uid: &PodUid) -> Option<&Path> {
        let running = self.incumbents.iter().filter(|(_, pod)| pod.uids.contains(uid)).map(|(key, _)| key);
        let wanted = self.previous.pods.values().filter(|pod| pod.uid == *uid).map(|pod| &pod.key);
        running.chain(wanted).find_map(|key| self.of_name(key))
    }

    /// Whether one of these pods or objects is exactly what was there before, from a file that is gone.
    fn moved(&self, content: &Content, contents: &BTreeMap<&Path, Arc<Content>>) -> bool {
        let Content::Good(good) = content else { return false };
        let is_gone = |source: &ManifestSource| !contents.contains_key(&*source.path);
        let same = |before: &Pod, pod: &Pod| before.uid == pod.uid && before.config_hash == pod.config_hash;
        let pod_moved = |pod: &Arc<Pod>| {
            let before = self.previous.pods.get(&pod.key);
            before.is_some_and(|before| is_gone(&before.source) && same(before, pod))
        };
        good.pods.iter().any(pod_moved)
            || good.objects.iter().any(|(id, object)| {
                let before = self.previous.objects.get(id);
                before.is_some_and(|before| is_gone(&before.source) && before.content == object.content)
            })
    }

    fn of(&self, claim: &Claim) -> Option<&Path> {
        match claim {
            Claim::Name(key) => self.of_name(key),
            Claim::Uid(uid) => self.of_uid(uid),
            Claim::Object(id) => self.previous.objects.get(id).map(|object| object.source.path.as_path()),
        }
    }
}

/// The files that are refused for what another file has, with the first reason for each.
///
/// Refusals only ever grow while this runs: a refused file keeps all it had, which may cost another
/// file a name that it was about to take over.
fn clashes<'a>(contents: &BTreeMap<&'a Path, Arc<Content>>, owners: &Owners<'_>) -> BTreeMap<&'a Path, Clash> {
    let mut claimed_by: BTreeMap<&'a Path, Vec<(Claim, usize)>> = BTreeMap::new();
    for (path, content) in contents {
        if let Content::Good(good) = &**content {
            let pods = good.pods.iter().flat_map(|pod| claims(pod).map(|claim| (claim, pod.source.document)));
            let objects = good.objects.iter().map(|(id, object)| (Claim::Object(id.clone()), object.source.document));
            claimed_by.insert(path, pods.chain(objects).collect());
        }
    }
    let mut refused: BTreeMap<&'a Path, Clash> = BTreeMap::new();
    loop {
        let before = refused.len();
        // The owner stays: whether it claims the name still, or can not be taken as it stands and so
        // keeps what it had.
        for (path, all) in &claimed_by {
            let lost = all.iter().find_map(|(claim, document)| {
                let owner = owners.of(claim).filter(|owner| owner != path)?;
                let keeps = match &**contents.get(owner)? {
                    Content::Unknown | Content::Impossible(_) => true,
                    Content::Good(_) => {
                        let mut its = claimed_by.get(owner).into_iter().flatten();
                        refused.contains_key(owner) || its.any(|(its, _)| its == claim)
                    }
                };
                keeps.then(|| Clash { claim: claim.clone(), document: *document, holder: owner.to_owned() })
            });
            if let (Some(clash), false) = (lost, refused.contains_key(path)) {
                refused.insert(path, clash);
            }
        }
        if refused.len() > before {
            continue;
        }
        // Among newcomers one that changes nothing wins (the owner under another name), else the file
        // that sorts first.
        let mut first: BTreeMap<&Claim, &Path> = BTreeMap::new();
        let mut losers = Vec::new();
        let mut newcomers: Vec<_> = claimed_by.iter().filter(|(path, _)| !refused.contains_key(*path)).collect();
        newcomers.sort_by_key(|(path, _)| !contents.get(*path).is_some_and(|content| owners.moved(content, contents)));
        for (path, all) in newcomers {
            match all.iter().find_map(|(claim, document)| Some((claim, document, *first.get(claim)?))) {
                Some((claim, document, holder)) => {
                    losers
                        .push((*path, Clash { claim: claim.clone(), document: *document, holder: holder.to_owned() }));
                }
                None => first.extend(all.iter().map(|(claim, _)| (claim, *path))),
            }
        }
        if losers.is_empty() {
            return refused;
        }
        refused.extend(losers);
    }
}

fn claims(pod: &Pod) -> impl Iterator<Item = Claim> {
    [Claim::Name(pod.key.clone()), Claim::Uid(pod.uid.clone())].into_iter()
}

impl Claim {
    /// The field and what the user calls it.
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Name(_) => ("metadata.name", "name"),
            Self::Uid(_) => ("metadata.uid", "uid"),
            Self::Object(_) => ("metadata.name", "name"),
        }
    }
}

impl Clash {
    fn diagnostic(&self, path: &Path, pods: &[Arc<Pod>]) -> Diagnostic {
        let (field, what) = self.claim.words();
        let holder = self.holder.display();
        let pod = pods.iter().find(|pod| pod.source.document == self.document);
        let name = pod.map(|pod| pod.key.to_string()).unwrap_or_default();
        let (code, thing, message) = match &self.claim {
            Claim::Name(_) => ("duplicate-pod", "pod", format!("pod {name} belongs to {holder}")),
            Claim::Uid(uid) => ("duplicate-pod", "pod", format!("uid {uid} of pod {name} belongs to {holder}")),
            Claim::Object(id) => ("duplicate-object", "object", format!("{id} belongs to {holder}")),
        };
        let object = match &self.claim {
            Claim::Object(id) => format!("{} {}", id.kind.as_str(), id.name),
            Claim::Name(_) | Claim::Uid(_) => String::new(),
        };
        Diagnostic::error(code, path, format!("{message}; this file is refused as a whole"))
            .object(object)
            .field(field)
            .document(self.document)
            .suggest(format!("give the {thing} another {what}, or remove one of the two files"))
    }
}

fn orphan(key: &PodKey, source: &ManifestSource) -> Diagnostic {
    let message = format!(
        "pod {key} runs from this file, which is not here; it is kept, since a file that is refused ever since \
         our start may be this one under another name"
    );
    Diagnostic::warning("kept-pod", &source.path, message).suggest("mend or remove the refused file")
}

#[cfg(test)]
mod tests;
