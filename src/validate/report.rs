//! Everything a report says, whatever its form.

use super::{
    ValidateArgs,
    input::{self, Inputs},
    set,
};
use crate::{
    manifest::{
        Config, ManifestSet, Object,
        diagnostic::{Diagnostic, Severity},
        parse::{ParseOptions, locate},
        set::resolve,
    },
    pod::Node,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A report.
#[derive(Debug)]
pub struct Report {
    /// The files, in order of their names.
    pub files: Vec<FileReport>,
    /// Everything found, file by file, in order of place.
    pub diagnostics: Vec<Diagnostic>,
    /// Texts for excerpts.
    pub texts: BTreeMap<PathBuf, String>,
}

/// A file of a report.
#[derive(Debug)]
pub struct FileReport {
    /// Its name.
    pub path: PathBuf,
    /// Whether the daemon would take it.
    pub accepted: bool,
    /// What it declares, if it is good by itself.
    pub objects: Vec<ObjectName>,
}

/// What an object is called.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, `default` when not given.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Report {
    /// Judges the files together and orders what was found.
    pub fn new(inputs: Inputs, args: &ValidateArgs, options: &ParseOptions) -> Self {
        let Inputs { snapshot, mut texts, has_directory } = inputs;
        let mut diagnostics: Vec<Diagnostic> =
            snapshot.files.values().flat_map(|file| file.diagnostics.iter().cloned()).collect();
        let node = Node { name: args.hostname_override.clone() };
        let resolved = resolve(&snapshot, &ManifestSet::default(), &BTreeMap::new(), &node, args.max_pods);
        let mut together = set::host_ports(&resolved, &snapshot);
        let missing_pods = set::missing_pods(&resolved, &snapshot);
        together.extend(resolved.diagnostics);
        if has_directory {
            together.extend(set::missing_references(&snapshot));
            together.extend(missing_pods);
            together.extend(set::ignored_names(&snapshot));
        }
        together.retain(|found| found.is_error() || !options.silenced.contains(found.code));
        for found in &mut together {
            place(found, &mut texts);
        }
        diagnostics.extend(together);
        // The order within a file is that of its lines.
        let order = |d: &Diagnostic| (d.path.clone(), d.place.is_none(), d.place.map(|p| (p.line, p.column)));
        diagnostics.sort_by_key(order);
        let refused: BTreeSet<_> = diagnostics.iter().filter(|d| d.is_error()).map(|d| d.path.clone()).collect();
        let files = snapshot.files.into_iter().map(|(path, file)| FileReport {
            accepted: !refused.contains(&path),
            objects: file.objects.iter().flat_map(|objects| objects.iter().map(object_name)).collect(),
            path,
        });
        Self { files: files.collect(), diagnostics, texts }
    }

    /// Whether nothing would be refused.
    pub fn is_clean(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many findings of a severity there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// How many files would be refused.
    pub fn refused(&self) -> usize {
        self.files.iter().filter(|file| !file.accepted).count()
    }
}

/// Finds the place of a finding about several files, which was made without the text.
fn place(found: &mut Diagnostic, texts: &mut BTreeMap<PathBuf, String>) {
    let Some(document) = found.document.filter(|_| found.place.is_none()) else { return };
    if !texts.contains_key(&found.path)
        && let Ok(bytes) = std::fs::read(&found.path)
    {
        texts.insert(found.path.clone(), input::text(&bytes));
    }
    let text = texts.get(&found.path);
    found.place = text.and_then(|text| locate(text, document, &found.field));
}

fn object_name(object: &Object) -> ObjectName {
    let (kind, metadata) = match object {
        Object::Pod { pod, .. } => ("Pod", &pod.metadata),
        Object::Config { config: Config::ConfigMap(o), .. } => ("ConfigMap", &o.metadata),
        Object::Config { config: Config::Secret(o), .. } => ("Secret", &o.metadata),
        Object::Config { config: Config::PersistentVolumeClaim(o), .. } => ("PersistentVolumeClaim", &o.metadata),
        Object::Workload { workload, .. } => (workload.kind(), workload.metadata()),
    };
    named(kind, metadata)
}

fn named(kind: &'static str, metadata: &ObjectMeta) -> ObjectName {
    let namespace = metadata.namespace.clone().filter(|n| !n.is_empty()).unwrap_or_else(|| "default".into());
    ObjectName { kind, namespace, name: metadata.name.clone().unwrap_or_default() }
}
