//! The objects a manifest file may declare.

use crate::pod::{
    ManifestSource,
    objects::{Claim, Content, Declared, ObjectId, ObjectKind},
};
use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as api};
use std::{fmt, sync::Arc};

/// One object of a manifest file, as written (old versions of its API group are read as today's).
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `v1` Pod.
    Pod {
        /// Index in the file, from 0, counting list items.
        document: usize,
        /// The object.
        pod: Arc<api::Pod>,
    },
    /// Configuration for the pods beside it.
    Config {
        /// Index in the file, from 0, counting list items.
        document: usize,
        /// The object.
        config: Config,
    },
    /// Something that makes pods from a template.
    Workload {
        /// Index in the file, from 0, counting list items.
        document: usize,
        /// The object.
        workload: Workload,
    },
}

/// An object that pods refer to. Shown without what it holds.
#[derive(Clone, PartialEq)]
pub enum Config {
    /// `v1` ConfigMap.
    ConfigMap(Box<api::ConfigMap>),
    /// `v1` Secret.
    Secret(Box<api::Secret>),
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim(Box<api::PersistentVolumeClaim>),
}

impl Config {
    /// Kind, namespace and name.
    pub fn id(&self) -> ObjectId {
        match self {
            Self::ConfigMap(found) => ObjectId::of(ObjectKind::ConfigMap, &found.metadata),
            Self::Secret(found) => ObjectId::of(ObjectKind::Secret, &found.metadata),
            Self::PersistentVolumeClaim(found) => ObjectId::of(ObjectKind::PersistentVolumeClaim, &found.metadata),
        }
    }

    /// What pods see of it.
    pub fn declared(&self, source: ManifestSource) -> Declared {
        let content = match self {
            Self::ConfigMap(found) => Content::ConfigMap((&**found).into()),
            Self::Secret(found) => Content::Secret((&**found).into()),
            Self::PersistentVolumeClaim(_) => Content::Claim(Claim {}),
        };
        Declared { source, content }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id())
    }
}

/// An object with a pod template.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// `apps/v1` DaemonSet.
    DaemonSet(Box<apps::DaemonSet>),
    /// `apps/v1` Deployment.
    Deployment(Box<apps::Deployment>),
    /// `apps/v1` ReplicaSet.
    ReplicaSet(Box<apps::ReplicaSet>),
    /// `apps/v1` StatefulSet.
    StatefulSet(Box<apps::StatefulSet>),
    /// `v1` ReplicationController.
    ReplicationController(Box<api::ReplicationController>),
    /// `batch/v1` Job.
    Job(Box<batch::Job>),
    /// `batch/v1` CronJob.
    CronJob(Box<batch::CronJob>),
}

impl Object {
    /// The Pod and its index in the file, if it is one.
    pub fn as_pod(&self) -> Option<(usize, &api::Pod)> {
        match self {
            Self::Pod { document, pod } => Some((*document, pod)),
            _ => None,
        }
    }

    /// The configuration object and its index in the file, if it is one.
    pub fn as_config(&self) -> Option<(usize, &Config)> {
        match self {
            Self::Config { document, config } => Some((*document, config)),
            _ => None,
        }
    }
}
