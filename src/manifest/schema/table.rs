//! The table. Written by `UPDATE_SCHEMA=1 cargo test --test schema`; do not edit.

use super::{Struct, Type};

/// Kinds that are decoded.
#[rustfmt::skip]
pub static ROOTS: &[&Struct] = &[&POD, &CONFIG_MAP, &SECRET, &PERSISTENT_VOLUME_CLAIM, &REPLICATION_CONTROLLER, &DAEMON_SET, &DEPLOYMENT, &REPLICA_SET, &STATEFUL_SET, &JOB, &CRON_JOB];

#[rustfmt::skip]
static AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE: Struct = Struct { name: "AWSElasticBlockStoreVolumeSource", fields: &[("fsType", Type::String), ("partition", Type::Int32), ("readOnly", Type::Bool), ("volumeID", Type::String)] };
#[rustfmt::skip]
static AFFINITY: Struct = Struct { name: "Affinity", fields: &[("nodeAffinity", Type::Struct(&NODE_AFFINITY)), ("podAffinity", Type::Struct(&POD_AFFINITY)), ("podAntiAffinity", Type::Struct(&POD_ANTI_AFFINITY))] };
#[rustfmt::skip]
static APP_ARMOR_PROFILE: Struct = Struct { name: "AppArmorProfile", fields: &[("localhostProfile", Type::String), ("type", Type::String)] };
#[rustfmt::skip]
static AZURE_DISK_VOLUME_SOURCE: Struct = Struct { name: "AzureDiskVolumeSource", fields: &[("cachingMode", Type::String), ("diskName", Type::String), ("diskURI", Type::String), ("fsType", Type::String), ("kind", Type::String), ("readOnly", Type::Bool)] };
#[rustfmt::skip]
static AZURE_FILE_VOLUME_SOURCE: Struct = Struct { name: "AzureFileVolumeSource", fields: &[("readOnly", Type::Bool), ("secretName", Type::String), ("shareName", Type::String)] };
#[rustfmt::skip]
static CSI_VOLUME_SOURCE: Struct = Struct { name: "CSIVolumeSource", fields: &[("driver", Type::String), ("fsType", Type::String), ("nodePublishSecretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("readOnly", Type::Bool), ("volumeAttributes", Type::Map(&Type::String))] };
#[rustfmt::skip]
static CAPABILITIES: Struct = Struct { name: "Capabilities", fields: &[("add", Type::List(&Type::String)), ("drop", Type::List(&Type::String))] };
#[rustfmt::skip]
static CEPH_FS_VOLUME_SOURCE: Struct = Struct { name: "CephFSVolumeSource", fields: &[("monitors", Type::List(&Type::String)), ("path", Type::String), ("readOnly", Type::Bool), ("secretFile", Type::String), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("user", Type::String)] };
#[rustfmt::skip]
static CINDER_VOLUME_SOURCE: Struct = Struct { name: "CinderVolumeSource", fields: &[("fsType", Type::String), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("volumeID", Type::String)] };
#[rustfmt::skip]
static CLUSTER_TRUST_BUNDLE_PROJECTION: Struct = Struct { name: "ClusterTrustBundleProjection", fields: &[("labelSelector", Type::Struct(&LABEL_SELECTOR)), ("name", Type::String), ("optional", Type::Bool), ("path", Type::String), ("signerName", Type::String)] };
#[rustfmt::skip]
static CONFIG_MAP: Struct = Struct { name: "ConfigMap", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("binaryData", Type::Map(&Type::Bytes)), ("data", Type::Map(&Type::String)), ("immutable", Type::Bool), ("metadata", Type::Struct(&OBJECT_META))] };
#[rustfmt::skip]
static CONFIG_MAP_ENV_SOURCE: Struct = Struct { name: "ConfigMapEnvSource", fields: &[("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static CONFIG_MAP_KEY_SELECTOR: Struct = Struct { name: "ConfigMapKeySelector", fields: &[("key", Type::String), ("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static CONFIG_MAP_PROJECTION: Struct = Struct { name: "ConfigMapProjection", fields: &[("items", Type::List(&Type::Struct(&KEY_TO_PATH))), ("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static CONFIG_MAP_VOLUME_SOURCE: Struct = Struct { name: "ConfigMapVolumeSource", fields: &[("defaultMode", Type::Int32), ("items", Type::List(&Type::Struct(&KEY_TO_PATH))), ("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static CONTAINER: Struct = Struct { name: "Container", fields: &[("args", Type::List(&Type::String)), ("command", Type::List(&Type::String)), ("env", Type::List(&Type::Struct(&ENV_VAR))), ("envFrom", Type::List(&Type::Struct(&ENV_FROM_SOURCE))), ("image", Type::String), ("imagePullPolicy", Type::String), ("lifecycle", Type::Struct(&LIFECYCLE)), ("livenessProbe", Type::Struct(&PROBE)), ("name", Type::String), ("ports", Type::List(&Type::Struct(&CONTAINER_PORT))), ("readinessProbe", Type::Struct(&PROBE)), ("resizePolicy", Type::List(&Type::Struct(&CONTAINER_RESIZE_POLICY))), ("resources", Type::Struct(&RESOURCE_REQUIREMENTS)), ("restartPolicy", Type::String), ("restartPolicyRules", Type::List(&Type::Struct(&CONTAINER_RESTART_RULE))), ("securityContext", Type::Struct(&SECURITY_CONTEXT)), ("startupProbe", Type::Struct(&PROBE)), ("stdin", Type::Bool), ("stdinOnce", Type::Bool), ("terminationMessagePath", Type::String), ("terminationMessagePolicy", Type::String), ("tty", Type::Bool), ("volumeDevices", Type::List(&Type::Struct(&VOLUME_DEVICE))), ("volumeMounts", Type::List(&Type::Struct(&VOLUME_MOUNT))), ("workingDir", Type::String)] };
#[rustfmt::skip]
static CONTAINER_PORT: Struct = Struct { name: "ContainerPort", fields: &[("containerPort", Type::Int32), ("hostIP", Type::String), ("hostPort", Type::Int32), ("name", Type::String), ("protocol", Type::String)] };
#[rustfmt::skip]
static CONTAINER_RESIZE_POLICY: Struct = Struct { name: "ContainerResizePolicy", fields: &[("resourceName", Type::String), ("restartPolicy", Type::String)] };
#[rustfmt::skip]
static CONTAINER_RESTART_RULE: Struct = Struct { name: "ContainerRestartRule", fields: &[("action", Type::String), ("exitCodes", Type::Struct(&CONTAINER_RESTART_RULE_ON_EXIT_CODES))] };
#[rustfmt::skip]
static CONTAINER_RESTART_RULE_ON_EXIT_CODES: Struct = Struct { name: "ContainerRestartRuleOnExitCodes", fields: &[("operator", Type::String), ("values", Type::List(&Type::Int32))] };
#[rustfmt::skip]
static CRON_JOB: Struct = Struct { name: "CronJob", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&CRON_JOB_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static CRON_JOB_SPEC: Struct = Struct { name: "CronJobSpec", fields: &[("concurrencyPolicy", Type::String), ("failedJobsHistoryLimit", Type::Int32), ("jobTemplate", Type::Struct(&JOB_TEMPLATE_SPEC)), ("schedule", Type::String), ("startingDeadlineSeconds", Type::Int64), ("successfulJobsHistoryLimit", Type::Int32), ("suspend", Type::Bool), ("timeZone", Type::String)] };
#[rustfmt::skip]
static DAEMON_SET: Struct = Struct { name: "DaemonSet", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&DAEMON_SET_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static DAEMON_SET_SPEC: Struct = Struct { name: "DaemonSetSpec", fields: &[("minReadySeconds", Type::Int32), ("revisionHistoryLimit", Type::Int32), ("selector", Type::Struct(&LABEL_SELECTOR)), ("template", Type::Struct(&POD_TEMPLATE_SPEC)), ("updateStrategy", Type::Struct(&DAEMON_SET_UPDATE_STRATEGY))] };
#[rustfmt::skip]
static DAEMON_SET_UPDATE_STRATEGY: Struct = Struct { name: "DaemonSetUpdateStrategy", fields: &[("rollingUpdate", Type::Struct(&ROLLING_UPDATE_DAEMON_SET)), ("type", Type::String)] };
#[rustfmt::skip]
static DEPLOYMENT: Struct = Struct { name: "Deployment", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&DEPLOYMENT_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static DEPLOYMENT_SPEC: Struct = Struct { name: "DeploymentSpec", fields: &[("minReadySeconds", Type::Int32), ("paused", Type::Bool), ("progressDeadlineSeconds", Type::Int32), ("replicas", Type::Int32), ("revisionHistoryLimit", Type::Int32), ("selector", Type::Struct(&LABEL_SELECTOR)), ("strategy", Type::Struct(&DEPLOYMENT_STRATEGY)), ("template", Type::Struct(&POD_TEMPLATE_SPEC))] };
#[rustfmt::skip]
static DEPLOYMENT_STRATEGY: Struct = Struct { name: "DeploymentStrategy", fields: &[("rollingUpdate", Type::Struct(&ROLLING_UPDATE_DEPLOYMENT)), ("type", Type::String)] };
#[rustfmt::skip]
static DOWNWARD_API_PROJECTION: Struct = Struct { name: "DownwardAPIProjection", fields: &[("items", Type::List(&Type::Struct(&DOWNWARD_API_VOLUME_FILE)))] };
#[rustfmt::skip]
static DOWNWARD_API_VOLUME_FILE: Struct = Struct { name: "DownwardAPIVolumeFile", fields: &[("fieldRef", Type::Struct(&OBJECT_FIELD_SELECTOR)), ("mode", Type::Int32), ("path", Type::String), ("resourceFieldRef", Type::Struct(&RESOURCE_FIELD_SELECTOR))] };
#[rustfmt::skip]
static DOWNWARD_API_VOLUME_SOURCE: Struct = Struct { name: "DownwardAPIVolumeSource", fields: &[("defaultMode", Type::Int32), ("items", Type::List(&Type::Struct(&DOWNWARD_API_VOLUME_FILE)))] };
#[rustfmt::skip]
static EMPTY_DIR_VOLUME_SOURCE: Struct = Struct { name: "EmptyDirVolumeSource", fields: &[("medium", Type::String), ("sizeLimit", Type::Quantity)] };
#[rustfmt::skip]
static ENV_FROM_SOURCE: Struct = Struct { name: "EnvFromSource", fields: &[("configMapRef", Type::Struct(&CONFIG_MAP_ENV_SOURCE)), ("prefix", Type::String), ("secretRef", Type::Struct(&SECRET_ENV_SOURCE))] };
#[rustfmt::skip]
static ENV_VAR: Struct = Struct { name: "EnvVar", fields: &[("name", Type::String), ("value", Type::String), ("valueFrom", Type::Struct(&ENV_VAR_SOURCE))] };
#[rustfmt::skip]
static ENV_VAR_SOURCE: Struct = Struct { name: "EnvVarSource", fields: &[("configMapKeyRef", Type::Struct(&CONFIG_MAP_KEY_SELECTOR)), ("fieldRef", Type::Struct(&OBJECT_FIELD_SELECTOR)), ("fileKeyRef", Type::Struct(&FILE_KEY_SELECTOR)), ("resourceFieldRef", Type::Struct(&RESOURCE_FIELD_SELECTOR)), ("secretKeyRef", Type::Struct(&SECRET_KEY_SELECTOR))] };
#[rustfmt::skip]
static EPHEMERAL_CONTAINER: Struct = Struct { name: "EphemeralContainer", fields: &[("args", Type::List(&Type::String)), ("command", Type::List(&Type::String)), ("env", Type::List(&Type::Struct(&ENV_VAR))), ("envFrom", Type::List(&Type::Struct(&ENV_FROM_SOURCE))), ("image", Type::String), ("imagePullPolicy", Type::String), ("lifecycle", Type::Struct(&LIFECYCLE)), ("livenessProbe", Type::Struct(&PROBE)), ("name", Type::String), ("ports", Type::List(&Type::Struct(&CONTAINER_PORT))), ("readinessProbe", Type::Struct(&PROBE)), ("resizePolicy", Type::List(&Type::Struct(&CONTAINER_RESIZE_POLICY))), ("resources", Type::Struct(&RESOURCE_REQUIREMENTS)), ("restartPolicy", Type::String), ("restartPolicyRules", Type::List(&Type::Struct(&CONTAINER_RESTART_RULE))), ("securityContext", Type::Struct(&SECURITY_CONTEXT)), ("startupProbe", Type::Struct(&PROBE)), ("stdin", Type::Bool), ("stdinOnce", Type::Bool), ("targetContainerName", Type::String), ("terminationMessagePath", Type::String), ("terminationMessagePolicy", Type::String), ("tty", Type::Bool), ("volumeDevices", Type::List(&Type::Struct(&VOLUME_DEVICE))), ("volumeMounts", Type::List(&Type::Struct(&VOLUME_MOUNT))), ("workingDir", Type::String)] };
#[rustfmt::skip]
static EPHEMERAL_VOLUME_SOURCE: Struct = Struct { name: "EphemeralVolumeSource", fields: &[("volumeClaimTemplate", Type::Struct(&PERSISTENT_VOLUME_CLAIM_TEMPLATE))] };
#[rustfmt::skip]
static EXEC_ACTION: Struct = Struct { name: "ExecAction", fields: &[("command", Type::List(&Type::String))] };
#[rustfmt::skip]
static FC_VOLUME_SOURCE: Struct = Struct { name: "FCVolumeSource", fields: &[("fsType", Type::String), ("lun", Type::Int32), ("readOnly", Type::Bool), ("targetWWNs", Type::List(&Type::String)), ("wwids", Type::List(&Type::String))] };
#[rustfmt::skip]
static FILE_KEY_SELECTOR: Struct = Struct { name: "FileKeySelector", fields: &[("key", Type::String), ("optional", Type::Bool), ("path", Type::String), ("volumeName", Type::String)] };
#[rustfmt::skip]
static FLEX_VOLUME_SOURCE: Struct = Struct { name: "FlexVolumeSource", fields: &[("driver", Type::String), ("fsType", Type::String), ("options", Type::Map(&Type::String)), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE))] };
#[rustfmt::skip]
static FLOCKER_VOLUME_SOURCE: Struct = Struct { name: "FlockerVolumeSource", fields: &[("datasetName", Type::String), ("datasetUUID", Type::String)] };
#[rustfmt::skip]
static GCE_PERSISTENT_DISK_VOLUME_SOURCE: Struct = Struct { name: "GCEPersistentDiskVolumeSource", fields: &[("fsType", Type::String), ("partition", Type::Int32), ("pdName", Type::String), ("readOnly", Type::Bool)] };
#[rustfmt::skip]
static GRPC_ACTION: Struct = Struct { name: "GRPCAction", fields: &[("port", Type::Int32), ("service", Type::String)] };
#[rustfmt::skip]
static GIT_REPO_VOLUME_SOURCE: Struct = Struct { name: "GitRepoVolumeSource", fields: &[("directory", Type::String), ("repository", Type::String), ("revision", Type::String)] };
#[rustfmt::skip]
static GLUSTERFS_VOLUME_SOURCE: Struct = Struct { name: "GlusterfsVolumeSource", fields: &[("endpoints", Type::String), ("path", Type::String), ("readOnly", Type::Bool)] };
#[rustfmt::skip]
static HTTP_GET_ACTION: Struct = Struct { name: "HTTPGetAction", fields: &[("host", Type::String), ("httpHeaders", Type::List(&Type::Struct(&HTTP_HEADER))), ("path", Type::String), ("port", Type::IntOrString), ("scheme", Type::String)] };
#[rustfmt::skip]
static HTTP_HEADER: Struct = Struct { name: "HTTPHeader", fields: &[("name", Type::String), ("value", Type::String)] };
#[rustfmt::skip]
static HOST_ALIAS: Struct = Struct { name: "HostAlias", fields: &[("hostnames", Type::List(&Type::String)), ("ip", Type::String)] };
#[rustfmt::skip]
static HOST_PATH_VOLUME_SOURCE: Struct = Struct { name: "HostPathVolumeSource", fields: &[("path", Type::String), ("type", Type::String)] };
#[rustfmt::skip]
static ISCSI_VOLUME_SOURCE: Struct = Struct { name: "ISCSIVolumeSource", fields: &[("chapAuthDiscovery", Type::Bool), ("chapAuthSession", Type::Bool), ("fsType", Type::String), ("initiatorName", Type::String), ("iqn", Type::String), ("iscsiInterface", Type::String), ("lun", Type::Int32), ("portals", Type::List(&Type::String)), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("targetPortal", Type::String)] };
#[rustfmt::skip]
static IMAGE_VOLUME_SOURCE: Struct = Struct { name: "ImageVolumeSource", fields: &[("pullPolicy", Type::String), ("reference", Type::String)] };
#[rustfmt::skip]
static JOB: Struct = Struct { name: "Job", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&JOB_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static JOB_SPEC: Struct = Struct { name: "JobSpec", fields: &[("activeDeadlineSeconds", Type::Int64), ("backoffLimit", Type::Int32), ("backoffLimitPerIndex", Type::Int32), ("completionMode", Type::String), ("completions", Type::Int32), ("managedBy", Type::String), ("manualSelector", Type::Bool), ("maxFailedIndexes", Type::Int32), ("parallelism", Type::Int32), ("podFailurePolicy", Type::Struct(&POD_FAILURE_POLICY)), ("podReplacementPolicy", Type::String), ("selector", Type::Struct(&LABEL_SELECTOR)), ("successPolicy", Type::Struct(&SUCCESS_POLICY)), ("suspend", Type::Bool), ("template", Type::Struct(&POD_TEMPLATE_SPEC)), ("ttlSecondsAfterFinished", Type::Int32)] };
#[rustfmt::skip]
static JOB_TEMPLATE_SPEC: Struct = Struct { name: "JobTemplateSpec", fields: &[("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&JOB_SPEC))] };
#[rustfmt::skip]
static KEY_TO_PATH: Struct = Struct { name: "KeyToPath", fields: &[("key", Type::String), ("mode", Type::Int32), ("path", Type::String)] };
#[rustfmt::skip]
static LABEL_SELECTOR: Struct = Struct { name: "LabelSelector", fields: &[("matchExpressions", Type::List(&Type::Struct(&LABEL_SELECTOR_REQUIREMENT))), ("matchLabels", Type::Map(&Type::String))] };
#[rustfmt::skip]
static LABEL_SELECTOR_REQUIREMENT: Struct = Struct { name: "LabelSelectorRequirement", fields: &[("key", Type::String), ("operator", Type::String), ("values", Type::List(&Type::String))] };
#[rustfmt::skip]
static LIFECYCLE: Struct = Struct { name: "Lifecycle", fields: &[("postStart", Type::Struct(&LIFECYCLE_HANDLER)), ("preStop", Type::Struct(&LIFECYCLE_HANDLER)), ("stopSignal", Type::String)] };
#[rustfmt::skip]
static LIFECYCLE_HANDLER: Struct = Struct { name: "LifecycleHandler", fields: &[("exec", Type::Struct(&EXEC_ACTION)), ("httpGet", Type::Struct(&HTTP_GET_ACTION)), ("sleep", Type::Struct(&SLEEP_ACTION)), ("tcpSocket", Type::Struct(&TCP_SOCKET_ACTION))] };
#[rustfmt::skip]
static LOCAL_OBJECT_REFERENCE: Struct = Struct { name: "LocalObjectReference", fields: &[("name", Type::String)] };
#[rustfmt::skip]
static MANAGED_FIELDS_ENTRY: Struct = Struct { name: "ManagedFieldsEntry", fields: &[("apiVersion", Type::String), ("fieldsType", Type::String), ("fieldsV1", Type::Any), ("manager", Type::String), ("operation", Type::String), ("subresource", Type::String), ("time", Type::Time)] };
#[rustfmt::skip]
static NFS_VOLUME_SOURCE: Struct = Struct { name: "NFSVolumeSource", fields: &[("path", Type::String), ("readOnly", Type::Bool), ("server", Type::String)] };
#[rustfmt::skip]
static NODE_AFFINITY: Struct = Struct { name: "NodeAffinity", fields: &[("preferredDuringSchedulingIgnoredDuringExecution", Type::List(&Type::Struct(&PREFERRED_SCHEDULING_TERM))), ("requiredDuringSchedulingIgnoredDuringExecution", Type::Struct(&NODE_SELECTOR))] };
#[rustfmt::skip]
static NODE_SELECTOR: Struct = Struct { name: "NodeSelector", fields: &[("nodeSelectorTerms", Type::List(&Type::Struct(&NODE_SELECTOR_TERM)))] };
#[rustfmt::skip]
static NODE_SELECTOR_REQUIREMENT: Struct = Struct { name: "NodeSelectorRequirement", fields: &[("key", Type::String), ("operator", Type::String), ("values", Type::List(&Type::String))] };
#[rustfmt::skip]
static NODE_SELECTOR_TERM: Struct = Struct { name: "NodeSelectorTerm", fields: &[("matchExpressions", Type::List(&Type::Struct(&NODE_SELECTOR_REQUIREMENT))), ("matchFields", Type::List(&Type::Struct(&NODE_SELECTOR_REQUIREMENT)))] };
#[rustfmt::skip]
static OBJECT_FIELD_SELECTOR: Struct = Struct { name: "ObjectFieldSelector", fields: &[("apiVersion", Type::String), ("fieldPath", Type::String)] };
#[rustfmt::skip]
static OBJECT_META: Struct = Struct { name: "ObjectMeta", fields: &[("annotations", Type::Map(&Type::String)), ("creationTimestamp", Type::Time), ("deletionGracePeriodSeconds", Type::Int64), ("deletionTimestamp", Type::Time), ("finalizers", Type::List(&Type::String)), ("generateName", Type::String), ("generation", Type::Int64), ("labels", Type::Map(&Type::String)), ("managedFields", Type::List(&Type::Struct(&MANAGED_FIELDS_ENTRY))), ("name", Type::String), ("namespace", Type::String), ("ownerReferences", Type::List(&Type::Struct(&OWNER_REFERENCE))), ("resourceVersion", Type::String), ("selfLink", Type::String), ("uid", Type::String)] };
#[rustfmt::skip]
static OWNER_REFERENCE: Struct = Struct { name: "OwnerReference", fields: &[("apiVersion", Type::String), ("blockOwnerDeletion", Type::Bool), ("controller", Type::Bool), ("kind", Type::String), ("name", Type::String), ("uid", Type::String)] };
#[rustfmt::skip]
static PERSISTENT_VOLUME_CLAIM: Struct = Struct { name: "PersistentVolumeClaim", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&PERSISTENT_VOLUME_CLAIM_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static PERSISTENT_VOLUME_CLAIM_SPEC: Struct = Struct { name: "PersistentVolumeClaimSpec", fields: &[("accessModes", Type::List(&Type::String)), ("dataSource", Type::Struct(&TYPED_LOCAL_OBJECT_REFERENCE)), ("dataSourceRef", Type::Struct(&TYPED_OBJECT_REFERENCE)), ("resources", Type::Struct(&VOLUME_RESOURCE_REQUIREMENTS)), ("selector", Type::Struct(&LABEL_SELECTOR)), ("storageClassName", Type::String), ("volumeAttributesClassName", Type::String), ("volumeMode", Type::String), ("volumeName", Type::String)] };
#[rustfmt::skip]
static PERSISTENT_VOLUME_CLAIM_TEMPLATE: Struct = Struct { name: "PersistentVolumeClaimTemplate", fields: &[("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&PERSISTENT_VOLUME_CLAIM_SPEC))] };
#[rustfmt::skip]
static PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE: Struct = Struct { name: "PersistentVolumeClaimVolumeSource", fields: &[("claimName", Type::String), ("readOnly", Type::Bool)] };
#[rustfmt::skip]
static PHOTON_PERSISTENT_DISK_VOLUME_SOURCE: Struct = Struct { name: "PhotonPersistentDiskVolumeSource", fields: &[("fsType", Type::String), ("pdID", Type::String)] };
#[rustfmt::skip]
static POD: Struct = Struct { name: "Pod", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&POD_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static POD_AFFINITY: Struct = Struct { name: "PodAffinity", fields: &[("preferredDuringSchedulingIgnoredDuringExecution", Type::List(&Type::Struct(&WEIGHTED_POD_AFFINITY_TERM))), ("requiredDuringSchedulingIgnoredDuringExecution", Type::List(&Type::Struct(&POD_AFFINITY_TERM)))] };
#[rustfmt::skip]
static POD_AFFINITY_TERM: Struct = Struct { name: "PodAffinityTerm", fields: &[("labelSelector", Type::Struct(&LABEL_SELECTOR)), ("matchLabelKeys", Type::List(&Type::String)), ("mismatchLabelKeys", Type::List(&Type::String)), ("namespaceSelector", Type::Struct(&LABEL_SELECTOR)), ("namespaces", Type::List(&Type::String)), ("topologyKey", Type::String)] };
#[rustfmt::skip]
static POD_ANTI_AFFINITY: Struct = Struct { name: "PodAntiAffinity", fields: &[("preferredDuringSchedulingIgnoredDuringExecution", Type::List(&Type::Struct(&WEIGHTED_POD_AFFINITY_TERM))), ("requiredDuringSchedulingIgnoredDuringExecution", Type::List(&Type::Struct(&POD_AFFINITY_TERM)))] };
#[rustfmt::skip]
static POD_CERTIFICATE_PROJECTION: Struct = Struct { name: "PodCertificateProjection", fields: &[("certificateChainPath", Type::String), ("credentialBundlePath", Type::String), ("keyPath", Type::String), ("keyType", Type::String), ("maxExpirationSeconds", Type::Int32), ("signerName", Type::String), ("userAnnotations", Type::Map(&Type::String))] };
#[rustfmt::skip]
static POD_DNS_CONFIG: Struct = Struct { name: "PodDNSConfig", fields: &[("nameservers", Type::List(&Type::String)), ("options", Type::List(&Type::Struct(&POD_DNS_CONFIG_OPTION))), ("searches", Type::List(&Type::String))] };
#[rustfmt::skip]
static POD_DNS_CONFIG_OPTION: Struct = Struct { name: "PodDNSConfigOption", fields: &[("name", Type::String), ("value", Type::String)] };
#[rustfmt::skip]
static POD_FAILURE_POLICY: Struct = Struct { name: "PodFailurePolicy", fields: &[("rules", Type::List(&Type::Struct(&POD_FAILURE_POLICY_RULE)))] };
#[rustfmt::skip]
static POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT: Struct = Struct { name: "PodFailurePolicyOnExitCodesRequirement", fields: &[("containerName", Type::String), ("operator", Type::String), ("values", Type::List(&Type::Int32))] };
#[rustfmt::skip]
static POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN: Struct = Struct { name: "PodFailurePolicyOnPodConditionsPattern", fields: &[("status", Type::String), ("type", Type::String)] };
#[rustfmt::skip]
static POD_FAILURE_POLICY_RULE: Struct = Struct { name: "PodFailurePolicyRule", fields: &[("action", Type::String), ("onExitCodes", Type::Struct(&POD_FAILURE_POLICY_ON_EXIT_CODES_REQUIREMENT)), ("onPodConditions", Type::List(&Type::Struct(&POD_FAILURE_POLICY_ON_POD_CONDITIONS_PATTERN)))] };
#[rustfmt::skip]
static POD_OS: Struct = Struct { name: "PodOS", fields: &[("name", Type::String)] };
#[rustfmt::skip]
static POD_READINESS_GATE: Struct = Struct { name: "PodReadinessGate", fields: &[("conditionType", Type::String)] };
#[rustfmt::skip]
static POD_RESOURCE_CLAIM: Struct = Struct { name: "PodResourceClaim", fields: &[("name", Type::String), ("resourceClaimName", Type::String), ("resourceClaimTemplateName", Type::String)] };
#[rustfmt::skip]
static POD_SCHEDULING_GATE: Struct = Struct { name: "PodSchedulingGate", fields: &[("name", Type::String)] };
#[rustfmt::skip]
static POD_SCHEDULING_GROUP: Struct = Struct { name: "PodSchedulingGroup", fields: &[("podGroupName", Type::String)] };
#[rustfmt::skip]
static POD_SECURITY_CONTEXT: Struct = Struct { name: "PodSecurityContext", fields: &[("appArmorProfile", Type::Struct(&APP_ARMOR_PROFILE)), ("fsGroup", Type::Int64), ("fsGroupChangePolicy", Type::String), ("runAsGroup", Type::Int64), ("runAsNonRoot", Type::Bool), ("runAsUser", Type::Int64), ("seLinuxChangePolicy", Type::String), ("seLinuxOptions", Type::Struct(&SE_LINUX_OPTIONS)), ("seccompProfile", Type::Struct(&SECCOMP_PROFILE)), ("supplementalGroups", Type::List(&Type::Int64)), ("supplementalGroupsPolicy", Type::String), ("sysctls", Type::List(&Type::Struct(&SYSCTL))), ("windowsOptions", Type::Struct(&WINDOWS_SECURITY_CONTEXT_OPTIONS))] };
#[rustfmt::skip]
static POD_SPEC: Struct = Struct { name: "PodSpec", fields: &[("activeDeadlineSeconds", Type::Int64), ("affinity", Type::Struct(&AFFINITY)), ("automountServiceAccountToken", Type::Bool), ("containers", Type::List(&Type::Struct(&CONTAINER))), ("dnsConfig", Type::Struct(&POD_DNS_CONFIG)), ("dnsPolicy", Type::String), ("enableServiceLinks", Type::Bool), ("ephemeralContainers", Type::List(&Type::Struct(&EPHEMERAL_CONTAINER))), ("hostAliases", Type::List(&Type::Struct(&HOST_ALIAS))), ("hostIPC", Type::Bool), ("hostNetwork", Type::Bool), ("hostPID", Type::Bool), ("hostUsers", Type::Bool), ("hostname", Type::String), ("hostnameOverride", Type::String), ("imagePullSecrets", Type::List(&Type::Struct(&LOCAL_OBJECT_REFERENCE))), ("initContainers", Type::List(&Type::Struct(&CONTAINER))), ("nodeName", Type::String), ("nodeSelector", Type::Map(&Type::String)), ("os", Type::Struct(&POD_OS)), ("overhead", Type::Map(&Type::Quantity)), ("preemptionPolicy", Type::String), ("priority", Type::Int32), ("priorityClassName", Type::String), ("readinessGates", Type::List(&Type::Struct(&POD_READINESS_GATE))), ("resourceClaims", Type::List(&Type::Struct(&POD_RESOURCE_CLAIM))), ("resources", Type::Struct(&RESOURCE_REQUIREMENTS)), ("restartPolicy", Type::String), ("runtimeClassName", Type::String), ("schedulerName", Type::String), ("schedulingGates", Type::List(&Type::Struct(&POD_SCHEDULING_GATE))), ("schedulingGroup", Type::Struct(&POD_SCHEDULING_GROUP)), ("securityContext", Type::Struct(&POD_SECURITY_CONTEXT)), ("serviceAccount", Type::String), ("serviceAccountName", Type::String), ("setHostnameAsFQDN", Type::Bool), ("shareProcessNamespace", Type::Bool), ("subdomain", Type::String), ("terminationGracePeriodSeconds", Type::Int64), ("tolerations", Type::List(&Type::Struct(&TOLERATION))), ("topologySpreadConstraints", Type::List(&Type::Struct(&TOPOLOGY_SPREAD_CONSTRAINT))), ("volumes", Type::List(&Type::Struct(&VOLUME)))] };
#[rustfmt::skip]
static POD_TEMPLATE_SPEC: Struct = Struct { name: "PodTemplateSpec", fields: &[("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&POD_SPEC))] };
#[rustfmt::skip]
static PORTWORX_VOLUME_SOURCE: Struct = Struct { name: "PortworxVolumeSource", fields: &[("fsType", Type::String), ("readOnly", Type::Bool), ("volumeID", Type::String)] };
#[rustfmt::skip]
static PREFERRED_SCHEDULING_TERM: Struct = Struct { name: "PreferredSchedulingTerm", fields: &[("preference", Type::Struct(&NODE_SELECTOR_TERM)), ("weight", Type::Int32)] };
#[rustfmt::skip]
static PROBE: Struct = Struct { name: "Probe", fields: &[("exec", Type::Struct(&EXEC_ACTION)), ("failureThreshold", Type::Int32), ("grpc", Type::Struct(&GRPC_ACTION)), ("httpGet", Type::Struct(&HTTP_GET_ACTION)), ("initialDelaySeconds", Type::Int32), ("periodSeconds", Type::Int32), ("successThreshold", Type::Int32), ("tcpSocket", Type::Struct(&TCP_SOCKET_ACTION)), ("terminationGracePeriodSeconds", Type::Int64), ("timeoutSeconds", Type::Int32)] };
#[rustfmt::skip]
static PROJECTED_VOLUME_SOURCE: Struct = Struct { name: "ProjectedVolumeSource", fields: &[("defaultMode", Type::Int32), ("sources", Type::List(&Type::Struct(&VOLUME_PROJECTION)))] };
#[rustfmt::skip]
static QUOBYTE_VOLUME_SOURCE: Struct = Struct { name: "QuobyteVolumeSource", fields: &[("group", Type::String), ("readOnly", Type::Bool), ("registry", Type::String), ("tenant", Type::String), ("user", Type::String), ("volume", Type::String)] };
#[rustfmt::skip]
static RBD_VOLUME_SOURCE: Struct = Struct { name: "RBDVolumeSource", fields: &[("fsType", Type::String), ("image", Type::String), ("keyring", Type::String), ("monitors", Type::List(&Type::String)), ("pool", Type::String), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("user", Type::String)] };
#[rustfmt::skip]
static REPLICA_SET: Struct = Struct { name: "ReplicaSet", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&REPLICA_SET_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static REPLICA_SET_SPEC: Struct = Struct { name: "ReplicaSetSpec", fields: &[("minReadySeconds", Type::Int32), ("replicas", Type::Int32), ("selector", Type::Struct(&LABEL_SELECTOR)), ("template", Type::Struct(&POD_TEMPLATE_SPEC))] };
#[rustfmt::skip]
static REPLICATION_CONTROLLER: Struct = Struct { name: "ReplicationController", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&REPLICATION_CONTROLLER_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static REPLICATION_CONTROLLER_SPEC: Struct = Struct { name: "ReplicationControllerSpec", fields: &[("minReadySeconds", Type::Int32), ("replicas", Type::Int32), ("selector", Type::Map(&Type::String)), ("template", Type::Struct(&POD_TEMPLATE_SPEC))] };
#[rustfmt::skip]
static RESOURCE_CLAIM: Struct = Struct { name: "ResourceClaim", fields: &[("name", Type::String), ("request", Type::String)] };
#[rustfmt::skip]
static RESOURCE_FIELD_SELECTOR: Struct = Struct { name: "ResourceFieldSelector", fields: &[("containerName", Type::String), ("divisor", Type::Quantity), ("resource", Type::String)] };
#[rustfmt::skip]
static RESOURCE_REQUIREMENTS: Struct = Struct { name: "ResourceRequirements", fields: &[("claims", Type::List(&Type::Struct(&RESOURCE_CLAIM))), ("limits", Type::Map(&Type::Quantity)), ("requests", Type::Map(&Type::Quantity))] };
#[rustfmt::skip]
static ROLLING_UPDATE_DAEMON_SET: Struct = Struct { name: "RollingUpdateDaemonSet", fields: &[("maxSurge", Type::IntOrString), ("maxUnavailable", Type::IntOrString)] };
#[rustfmt::skip]
static ROLLING_UPDATE_DEPLOYMENT: Struct = Struct { name: "RollingUpdateDeployment", fields: &[("maxSurge", Type::IntOrString), ("maxUnavailable", Type::IntOrString)] };
#[rustfmt::skip]
static ROLLING_UPDATE_STATEFUL_SET_STRATEGY: Struct = Struct { name: "RollingUpdateStatefulSetStrategy", fields: &[("maxUnavailable", Type::IntOrString), ("partition", Type::Int32)] };
#[rustfmt::skip]
static SE_LINUX_OPTIONS: Struct = Struct { name: "SELinuxOptions", fields: &[("level", Type::String), ("role", Type::String), ("type", Type::String), ("user", Type::String)] };
#[rustfmt::skip]
static SCALE_IO_VOLUME_SOURCE: Struct = Struct { name: "ScaleIOVolumeSource", fields: &[("fsType", Type::String), ("gateway", Type::String), ("protectionDomain", Type::String), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("sslEnabled", Type::Bool), ("storageMode", Type::String), ("storagePool", Type::String), ("system", Type::String), ("volumeName", Type::String)] };
#[rustfmt::skip]
static SECCOMP_PROFILE: Struct = Struct { name: "SeccompProfile", fields: &[("localhostProfile", Type::String), ("type", Type::String)] };
#[rustfmt::skip]
static SECRET: Struct = Struct { name: "Secret", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("data", Type::Map(&Type::Bytes)), ("immutable", Type::Bool), ("metadata", Type::Struct(&OBJECT_META)), ("stringData", Type::Map(&Type::String)), ("type", Type::String)] };
#[rustfmt::skip]
static SECRET_ENV_SOURCE: Struct = Struct { name: "SecretEnvSource", fields: &[("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static SECRET_KEY_SELECTOR: Struct = Struct { name: "SecretKeySelector", fields: &[("key", Type::String), ("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static SECRET_PROJECTION: Struct = Struct { name: "SecretProjection", fields: &[("items", Type::List(&Type::Struct(&KEY_TO_PATH))), ("name", Type::String), ("optional", Type::Bool)] };
#[rustfmt::skip]
static SECRET_VOLUME_SOURCE: Struct = Struct { name: "SecretVolumeSource", fields: &[("defaultMode", Type::Int32), ("items", Type::List(&Type::Struct(&KEY_TO_PATH))), ("optional", Type::Bool), ("secretName", Type::String)] };
#[rustfmt::skip]
static SECURITY_CONTEXT: Struct = Struct { name: "SecurityContext", fields: &[("allowPrivilegeEscalation", Type::Bool), ("appArmorProfile", Type::Struct(&APP_ARMOR_PROFILE)), ("capabilities", Type::Struct(&CAPABILITIES)), ("privileged", Type::Bool), ("procMount", Type::String), ("readOnlyRootFilesystem", Type::Bool), ("runAsGroup", Type::Int64), ("runAsNonRoot", Type::Bool), ("runAsUser", Type::Int64), ("seLinuxOptions", Type::Struct(&SE_LINUX_OPTIONS)), ("seccompProfile", Type::Struct(&SECCOMP_PROFILE)), ("windowsOptions", Type::Struct(&WINDOWS_SECURITY_CONTEXT_OPTIONS))] };
#[rustfmt::skip]
static SERVICE_ACCOUNT_TOKEN_PROJECTION: Struct = Struct { name: "ServiceAccountTokenProjection", fields: &[("audience", Type::String), ("expirationSeconds", Type::Int64), ("path", Type::String)] };
#[rustfmt::skip]
static SLEEP_ACTION: Struct = Struct { name: "SleepAction", fields: &[("seconds", Type::Int64)] };
#[rustfmt::skip]
static STATEFUL_SET: Struct = Struct { name: "StatefulSet", fields: &[("apiVersion", Type::String), ("kind", Type::String), ("metadata", Type::Struct(&OBJECT_META)), ("spec", Type::Struct(&STATEFUL_SET_SPEC)), ("status", Type::Any)] };
#[rustfmt::skip]
static STATEFUL_SET_ORDINALS: Struct = Struct { name: "StatefulSetOrdinals", fields: &[("start", Type::Int32)] };
#[rustfmt::skip]
static STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY: Struct = Struct { name: "StatefulSetPersistentVolumeClaimRetentionPolicy", fields: &[("whenDeleted", Type::String), ("whenScaled", Type::String)] };
#[rustfmt::skip]
static STATEFUL_SET_SPEC: Struct = Struct { name: "StatefulSetSpec", fields: &[("minReadySeconds", Type::Int32), ("ordinals", Type::Struct(&STATEFUL_SET_ORDINALS)), ("persistentVolumeClaimRetentionPolicy", Type::Struct(&STATEFUL_SET_PERSISTENT_VOLUME_CLAIM_RETENTION_POLICY)), ("podManagementPolicy", Type::String), ("replicas", Type::Int32), ("revisionHistoryLimit", Type::Int32), ("selector", Type::Struct(&LABEL_SELECTOR)), ("serviceName", Type::String), ("template", Type::Struct(&POD_TEMPLATE_SPEC)), ("updateStrategy", Type::Struct(&STATEFUL_SET_UPDATE_STRATEGY)), ("volumeClaimTemplates", Type::List(&Type::Struct(&PERSISTENT_VOLUME_CLAIM)))] };
#[rustfmt::skip]
static STATEFUL_SET_UPDATE_STRATEGY: Struct = Struct { name: "StatefulSetUpdateStrategy", fields: &[("rollingUpdate", Type::Struct(&ROLLING_UPDATE_STATEFUL_SET_STRATEGY)), ("type", Type::String)] };
#[rustfmt::skip]
static STORAGE_OS_VOLUME_SOURCE: Struct = Struct { name: "StorageOSVolumeSource", fields: &[("fsType", Type::String), ("readOnly", Type::Bool), ("secretRef", Type::Struct(&LOCAL_OBJECT_REFERENCE)), ("volumeName", Type::String), ("volumeNamespace", Type::String)] };
#[rustfmt::skip]
static SUCCESS_POLICY: Struct = Struct { name: "SuccessPolicy", fields: &[("rules", Type::List(&Type::Struct(&SUCCESS_POLICY_RULE)))] };
#[rustfmt::skip]
static SUCCESS_POLICY_RULE: Struct = Struct { name: "SuccessPolicyRule", fields: &[("succeededCount", Type::Int32), ("succeededIndexes", Type::String)] };
#[rustfmt::skip]
static SYSCTL: Struct = Struct { name: "Sysctl", fields: &[("name", Type::String), ("value", Type::String)] };
#[rustfmt::skip]
static TCP_SOCKET_ACTION: Struct = Struct { name: "TCPSocketAction", fields: &[("host", Type::String), ("port", Type::IntOrString)] };
#[rustfmt::skip]
static TOLERATION: Struct = Struct { name: "Toleration", fields: &[("effect", Type::String), ("key", Type::String), ("operator", Type::String), ("tolerationSeconds", Type::Int64), ("value", Type::String)] };
#[rustfmt::skip]
static TOPOLOGY_SPREAD_CONSTRAINT: Struct = Struct { name: "TopologySpreadConstraint", fields: &[("labelSelector", Type::Struct(&LABEL_SELECTOR)), ("matchLabelKeys", Type::List(&Type::String)), ("maxSkew", Type::Int32), ("minDomains", Type::Int32), ("nodeAffinityPolicy", Type::String), ("nodeTaintsPolicy", Type::String), ("topologyKey", Type::String), ("whenUnsatisfiable", Type::String)] };
#[rustfmt::skip]
static TYPED_LOCAL_OBJECT_REFERENCE: Struct = Struct { name: "TypedLocalObjectReference", fields: &[("apiGroup", Type::String), ("kind", Type::String), ("name", Type::String)] };
#[rustfmt::skip]
static TYPED_OBJECT_REFERENCE: Struct = Struct { name: "TypedObjectReference", fields: &[("apiGroup", Type::String), ("kind", Type::String), ("name", Type::String), ("namespace", Type::String)] };
#[rustfmt::skip]
static VOLUME: Struct = Struct { name: "Volume", fields: &[("awsElasticBlockStore", Type::Struct(&AWS_ELASTIC_BLOCK_STORE_VOLUME_SOURCE)), ("azureDisk", Type::Struct(&AZURE_DISK_VOLUME_SOURCE)), ("azureFile", Type::Struct(&AZURE_FILE_VOLUME_SOURCE)), ("cephfs", Type::Struct(&CEPH_FS_VOLUME_SOURCE)), ("cinder", Type::Struct(&CINDER_VOLUME_SOURCE)), ("configMap", Type::Struct(&CONFIG_MAP_VOLUME_SOURCE)), ("csi", Type::Struct(&CSI_VOLUME_SOURCE)), ("downwardAPI", Type::Struct(&DOWNWARD_API_VOLUME_SOURCE)), ("emptyDir", Type::Struct(&EMPTY_DIR_VOLUME_SOURCE)), ("ephemeral", Type::Struct(&EPHEMERAL_VOLUME_SOURCE)), ("fc", Type::Struct(&FC_VOLUME_SOURCE)), ("flexVolume", Type::Struct(&FLEX_VOLUME_SOURCE)), ("flocker", Type::Struct(&FLOCKER_VOLUME_SOURCE)), ("gcePersistentDisk", Type::Struct(&GCE_PERSISTENT_DISK_VOLUME_SOURCE)), ("gitRepo", Type::Struct(&GIT_REPO_VOLUME_SOURCE)), ("glusterfs", Type::Struct(&GLUSTERFS_VOLUME_SOURCE)), ("hostPath", Type::Struct(&HOST_PATH_VOLUME_SOURCE)), ("image", Type::Struct(&IMAGE_VOLUME_SOURCE)), ("iscsi", Type::Struct(&ISCSI_VOLUME_SOURCE)), ("name", Type::String), ("nfs", Type::Struct(&NFS_VOLUME_SOURCE)), ("persistentVolumeClaim", Type::Struct(&PERSISTENT_VOLUME_CLAIM_VOLUME_SOURCE)), ("photonPersistentDisk", Type::Struct(&PHOTON_PERSISTENT_DISK_VOLUME_SOURCE)), ("portworxVolume", Type::Struct(&PORTWORX_VOLUME_SOURCE)), ("projected", Type::Struct(&PROJECTED_VOLUME_SOURCE)), ("quobyte", Type::Struct(&QUOBYTE_VOLUME_SOURCE)), ("rbd", Type::Struct(&RBD_VOLUME_SOURCE)), ("scaleIO", Type::Struct(&SCALE_IO_VOLUME_SOURCE)), ("secret", Type::Struct(&SECRET_VOLUME_SOURCE)), ("storageos", Type::Struct(&STORAGE_OS_VOLUME_SOURCE)), ("vsphereVolume", Type::Struct(&VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE))] };
#[rustfmt::skip]
static VOLUME_DEVICE: Struct = Struct { name: "VolumeDevice", fields: &[("devicePath", Type::String), ("name", Type::String)] };
#[rustfmt::skip]
static VOLUME_MOUNT: Struct = Struct { name: "VolumeMount", fields: &[("mountPath", Type::String), ("mountPropagation", Type::String), ("name", Type::String), ("readOnly", Type::Bool), ("recursiveReadOnly", Type::String), ("subPath", Type::String), ("subPathExpr", Type::String)] };
#[rustfmt::skip]
static VOLUME_PROJECTION: Struct = Struct { name: "VolumeProjection", fields: &[("clusterTrustBundle", Type::Struct(&CLUSTER_TRUST_BUNDLE_PROJECTION)), ("configMap", Type::Struct(&CONFIG_MAP_PROJECTION)), ("downwardAPI", Type::Struct(&DOWNWARD_API_PROJECTION)), ("podCertificate", Type::Struct(&POD_CERTIFICATE_PROJECTION)), ("secret", Type::Struct(&SECRET_PROJECTION)), ("serviceAccountToken", Type::Struct(&SERVICE_ACCOUNT_TOKEN_PROJECTION))] };
#[rustfmt::skip]
static VOLUME_RESOURCE_REQUIREMENTS: Struct = Struct { name: "VolumeResourceRequirements", fields: &[("limits", Type::Map(&Type::Quantity)), ("requests", Type::Map(&Type::Quantity))] };
#[rustfmt::skip]
static VSPHERE_VIRTUAL_DISK_VOLUME_SOURCE: Struct = Struct { name: "VsphereVirtualDiskVolumeSource", fields: &[("fsType", Type::String), ("storagePolicyID", Type::String), ("storagePolicyName", Type::String), ("volumePath", Type::String)] };
#[rustfmt::skip]
static WEIGHTED_POD_AFFINITY_TERM: Struct = Struct { name: "WeightedPodAffinityTerm", fields: &[("podAffinityTerm", Type::Struct(&POD_AFFINITY_TERM)), ("weight", Type::Int32)] };
#[rustfmt::skip]
static WINDOWS_SECURITY_CONTEXT_OPTIONS: Struct = Struct { name: "WindowsSecurityContextOptions", fields: &[("gmsaCredentialSpec", Type::String), ("gmsaCredentialSpecName", Type::String), ("hostProcess", Type::Bool), ("runAsUserName", Type::String)] };
