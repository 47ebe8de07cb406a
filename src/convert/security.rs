//! Security contexts: pod and container level → Docker's fields. None is ever dropped.

use super::{ConvertError, NodeFacts, error::Subject};
use crate::{
    engine::ImageDetails,
    pod::{Container, Pod, hash::app_armor_annotation},
};
use bollard::models::HostConfig;
use k8s_openapi::api::core::v1 as api;

/// Type of a seccomp profile that is a file of the node.
const LOCALHOST: &str = "Localhost";
const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

/// A container's security settings over its pod's.
struct Effective {
    pod: api::PodSecurityContext,
    container: api::SecurityContext,
}

/// `User` of a container: `runAsUser`, else the image's user without its group, else root; with
/// `runAsGroup` after it.
pub(super) fn user(
    pod: &Pod,
    container: &Container,
    image: &ImageDetails,
    subject: &Subject,
) -> Result<String, ConvertError> {
    let mounts_over_passwd = mounts_over_passwd(container);
    let Effective { pod, container } = Effective::of(pod, container);
    let run_as = container.run_as_user.or(pod.run_as_user);
    let of_image = image.user.split(':').next().unwrap_or_default();
    if container.run_as_non_root.or(pod.run_as_non_root) == Some(true) {
        let root = |who| Err(ConvertError::RunsAsRoot { subject: subject.clone(), who });
        match (run_as, of_image.parse::<i64>()) {
            (Some(0), _) => return root("runAsUser is 0"),
            (Some(_), _) => {}
            (None, _) if of_image.is_empty() => return root("the image names no user"),
            (None, Ok(0)) => return root("the image's user is 0"),
            (None, Ok(_)) => {}
            (None, Err(_)) if mounts_over_passwd => {
                return Err(ConvertError::UnknownUser {
                    subject: subject.clone(),
                    user: of_image.to_owned(),
                    why: "a volume is mounted over its /etc/passwd",
                });
            }
            // Looked up in the image before the start: see `named_user`.
            (None, Err(_)) => {}
        }
    }
    let user = match run_as {
        Some(uid) => uid.to_string(),
        None if of_image.is_empty() => "0".to_owned(),
        None => of_image.to_owned(),
    };
    Ok(match container.run_as_group.or(pod.run_as_group) {
        Some(gid) => format!("{user}:{gid}"),
        None => user,
    })
}

/// The seccomp profile of the node that a container wants: a path below `<root-dir>/seccomp`.
pub fn seccomp_profile(pod: &Pod, container: &Container) -> Option<String> {
    let effective = Effective::of(pod, container);
    let profile = effective.seccomp_profile().filter(|profile| profile.type_ == LOCALHOST)?;
    Some(profile.localhost_profile.clone().unwrap_or_default())
}

/// Puts a container's security settings into its host configuration.
pub(super) fn apply(
    host: &mut HostConfig,
    pod: &Pod,
    container: &Container,
    seccomp_profile: Option<&Result<String, String>>,
    subject: &Subject,
    node: &NodeFacts,
) -> Result<(), ConvertError> {
    let effective = Effective::of(pod, container);
    let Effective { pod: pod_context, container: context } = &effective;
    let privileged = context.privileged == Some(true);
    host.privileged = privileged.then_some(true);
    host.readonly_rootfs = context.read_only_root_filesystem.filter(|yes| *yes);
    if let Some(capabilities) = &context.capabilities {
        host.cap_add = capabilities.add.clone().filter(|list| !list.is_empty());
        host.cap_drop = capabilities.drop.clone().filter(|list| !list.is_empty());
    }
    host.group_add = groups(pod_context, subject)?;
    match context.proc_mount.as_deref() {
        // The engine's own lists are upstream's, and newer engines know more paths to hide.
        None | Some("" | "Default") => {}
        Some("Unmasked") => {
            host.masked_paths = Some(Vec::new());
            host.readonly_paths = Some(Vec::new());
        }
        Some(other) => {
            return Err(unknown(subject, "securityContext.procMount", other, "Default, Unmasked"));
        }
    }
    let mut options = selinux(context.se_linux_options.as_ref().or(pod_context.se_linux_options.as_ref()));
    if context.allow_privilege_escalation == Some(false) {
        options.push(NO_NEW_PRIVILEGES.to_owned());
    }
    options.extend(effective.seccomp(seccomp_profile, subject, node)?);
    if let Some(app_armor) = effective.app_armor(pod, container, subject)? {
        if app_armor.is_confined() && !node.app_armor {
            // Such an engine takes the option and does nothing.
            let why =
                "Cannot enforce AppArmor: this engine has none; remove it, or run the pod where AppArmor is enabled";
            let field = "securityContext.appArmorProfile".to_owned();
            return Err(ConvertError::Unsupported { subject: subject.clone(), field, why: why.to_owned() });
        }
        options.extend(app_armor.option());
    }
    host.security_opt = Some(options).filter(|list| !list.is_empty());
    Ok(())
}

/// Where users have their names.
pub const PASSWD: &str = "/etc/passwd";

/// Whether something of the pod's lies over the image's list of users, so that one can not tell which the
/// engine will read.
fn mounts_over_passwd(container: &Container) -> bool {
    let mounts = container.api.volume_mounts.iter().flatten();
    mounts.map(|m| m.mount_path.trim_end_matches('/')).any(|path| ["", "/etc", PASSWD].contains(&path))
}

/// Whether the user that a container was made with has to be looked up before its start: `runAsNonRoot`
/// is asked for, and `user` is a name of its image.
pub fn named_user<'u>(pod: &Pod, container: &Container, user: &'u str) -> Option<&'u str> {
    let Effective { pod, container } = Effective::of(pod, container);
    let must_not_be_root = container.run_as_non_root.or(pod.run_as_non_root) == Some(true)
        && container.run_as_user.or(pod.run_as_user).is_none();
    let user = user.split(':').next().unwrap_or_default();
    (must_not_be_root && user.parse::<i64>().is_err()).then_some(user)
}

/// Refuses a named user that is root by the image's `/etc/passwd`, or is not in it.
pub fn check_named_user(pod: &Pod, container: &Container, user: &str, passwd: &str) -> Result<(), ConvertError> {
    let subject = Subject { pod: pod.key.clone(), container: Some(container.name.clone()) };
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let id = lines.find(|fields| fields.first() == Some(&user)).and_then(|fields| fields.get(2)?.parse::<u32>().ok());
    match id {
        Some(0) => Err(ConvertError::RunsAsRoot { subject, who: "the image's user has the id 0 in its /etc/passwd" }),
        Some(_) => Ok(()),
        None => {
            Err(ConvertError::UnknownUser { subject, user: user.to_owned(), why: "its /etc/passwd has no such user" })
        }
    }
}

/// Puts the pod's security settings into its sandbox's configuration; the user goes beside it.
pub(super) fn apply_sandbox(
    host: &mut HostConfig,
    pod: &Pod,
    subject: &Subject,
) -> Result<Option<String>, ConvertError> {
    let context = pod.spec.security_context.clone().unwrap_or_default();
    host.group_add = groups(&context, subject)?;
    // The engine's seccomp profile always suits the pause program.
    let mut options = selinux(context.se_linux_options.as_ref());
    options.push(NO_NEW_PRIVILEGES.to_owned());
    host.security_opt = Some(options);
    let sysctls = context.sysctls.iter().flatten();
    let sysctls = sysctls.map(|s| (s.name.replace('/', "."), s.value.clone())).collect();
    host.sysctls = Some(sysctls).filter(|map: &std::collections::HashMap<_, _>| !map.is_empty());
    Ok(context.run_as_user.map(|uid| match context.run_as_group {
        Some(gid) => format!("{uid}:{gid}"),
        None => uid.to_string(),
    }))
}

/// `fsGroup` first, then the supplemental groups.
fn groups(context: &api::PodSecurityContext, subject: &Subject) -> Result<Option<Vec<String>>, ConvertError> {
    match context.supplemental_groups_policy.as_deref() {
        None | Some("" | "Merge") => {}
        Some("Strict") => {
            let why = "Docker always adds the groups that the image gives its user; write Merge".to_owned();
            let field = "securityContext.supplementalGroupsPolicy".to_owned();
            return Err(ConvertError::Unsupported { subject: subject.clone(), field, why });
        }
        Some(other) => {
            return Err(unknown(subject, "securityContext.supplementalGroupsPolicy", other, "Merge, Strict"));
        }
    }
    let groups = context.fs_group.iter().chain(context.supplemental_groups.iter().flatten());
    Ok(Some(groups.map(ToString::to_string).collect::<Vec<_>>()).filter(|list| !list.is_empty()))
}

fn selinux(options: Option<&api::SELinuxOptions>) -> Vec<String> {
    let Some(options) = options else { return Vec::new() };
    let parts = [("user", &options.user), ("role", &options.role), ("type", &options.type_), ("level", &options.level)];
    let written = parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    written.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("label={name}:{value}")).collect()
}

/// An AppArmor profile that a manifest asks for.
enum AppArmor {
    RuntimeDefault,
    Unconfined,
    Localhost(String),
}

impl AppArmor {
    fn is_confined(&self) -> bool {
        !matches!(self, Self::Unconfined)
    }

    /// The engine's default profile is what it applies when asked for nothing.
    fn option(&self) -> Option<String> {
        match self {
            Self::RuntimeDefault => None,
            Self::Unconfined => Some("apparmor=unconfined".to_owned()),
            Self::Localhost(name) => Some(format!("apparmor={name}")),
        }
    }
}

impl Effective {
    fn of(pod: &Pod, container: &Container) -> Self {
        Self {
            pod: pod.spec.security_context.clone().unwrap_or_default(),
            container: container.api.security_context.clone().unwrap_or_default(),
        }
    }

    fn seccomp_profile(&self) -> Option<&api::SeccompProfile> {
        self.container.seccomp_profile.as_ref().or(self.pod.seccomp_profile.as_ref())
    }

    fn seccomp(
        &self,
        local: Option<&Result<String, String>>,
        subject: &Subject,
        node: &NodeFacts,
    ) -> Result<Option<String>, ConvertError> {
        let profile = self.seccomp_profile();
        let unconfined = || Some("seccomp=unconfined".to_owned());
        match profile.map(|p| p.type_.as_str()) {
            None => Ok(if node.seccomp_default { None } else { unconfined() }),
            // The engine's default profile is what it applies when asked for nothing.
            Some("RuntimeDefault") => Ok(None),
            Some("Unconfined") => Ok(unconfined()),
            Some(LOCALHOST) => {
                let compact = |text: &str| serde_json::from_str(text).map(|json: serde_json::Value| json.to_string());
                let read = match local {
                    Some(Ok(text)) => compact(text).map_err(|error| format!("it is not JSON: {error}")),
                    Some(Err(why)) => Err(why.clone()),
                    None => Err("it was not looked for".to_owned()),
                };
                let invalid = |why| ConvertError::Invalid {
                    subject: subject.clone(),
                    field: "securityContext.seccompProfile.localhostProfile".to_owned(),
                    why: format!("the profile can not be used: {why}"),
                };
                read.map(|profile| Some(format!("seccomp={profile}"))).map_err(invalid)
            }
            Some(other) => {
                let expected = "RuntimeDefault, Unconfined, Localhost";
                Err(unknown(subject, "securityContext.seccompProfile.type", other, expected))
            }
        }
    }

    /// The profile that is asked for, if one is.
    fn app_armor(&self, pod: &Pod, container: &Container, subject: &Subject) -> Result<Option<AppArmor>, ConvertError> {
        const FIELD: &str = "securityContext.appArmorProfile";
        let local = |profile: &str| Ok(Some(AppArmor::Localhost(profile.to_owned())));
        if let Some(profile) = self.container.app_armor_profile.as_ref().or(self.pod.app_armor_profile.as_ref()) {
            let localhost = profile.localhost_profile.as_deref().filter(|name| !name.is_empty());
            return match (profile.type_.as_str(), localhost) {
                ("RuntimeDefault", _) => Ok(Some(AppArmor::RuntimeDefault)),
                ("Unconfined", _) => Ok(Some(AppArmor::Unconfined)),
                ("Localhost", Some(name)) => local(name),
                ("Localhost", None) => Err(ConvertError::Invalid {
                    subject: subject.clone(),
                    field: format!("{FIELD}.localhostProfile"),
                    why: "type Localhost needs the name of a loaded profile".to_owned(),
                }),
                (other, _) => {
                    Err(unknown(subject, &format!("{FIELD}.type"), other, "RuntimeDefault, Unconfined, Localhost"))
                }
            };
        }
        let key = app_armor_annotation(container.name.as_str());
        let annotations = pod.written.metadata.annotations.as_ref();
        match annotations.and_then(|a| a.get(&key)).map(String::as_str) {
            None | Some("") => Ok(None),
            Some("runtime/default") => Ok(Some(AppArmor::RuntimeDefault)),
            Some("unconfined") => Ok(Some(AppArmor::Unconfined)),
            Some(other) => match other.strip_prefix("localhost/").filter(|name| !name.is_empty()) {
                Some(name) => local(name),
                None => {
                    let field = format!("metadata.annotations[{key}]");
                    Err(unknown(subject, &field, other, "runtime/default, unconfined, localhost/PROFILE"))
                }
            },
        }
    }
}

fn unknown(subject: &Subject, field: &str, value: &str, expected: &str) -> ConvertError {
    ConvertError::Invalid {
        subject: subject.clone(),
        field: field.to_owned(),
        why: format!("{value:?} is not one of {expected}"),
    }
}

#[cfg(test)]
mod tests;
