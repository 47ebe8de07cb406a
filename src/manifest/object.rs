//! The objects a manifest file may declare.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as api};

/// One object of a manifest file, as written (old versions of its API group are read as today's).
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// `v1` Pod.
    Pod {
        /// Index in the file, from 0, counting list items.
        document: usize,
        /// The object.
        pod: Box<api::Pod>,
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

/// An object that pods refer to.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// `v1` ConfigMap.
    ConfigMap(Box<api::ConfigMap>),
    /// `v1` Secret.
    Secret(Box<api::Secret>),
    /// `v1` PersistentVolumeClaim.
    PersistentVolumeClaim(Box<api::PersistentVolumeClaim>),
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
