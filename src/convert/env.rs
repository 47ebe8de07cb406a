//! A container's environment: `envFrom`, then `env` in order, with references expanded and the downward
//! API filled in.

use super::{
    ConvertError, EnvFiles, NodeFacts, SandboxFacts, env_file,
    error::Subject,
    expand,
    references::{self, References, Taken},
};
use crate::pod::{Container, Pod, quantity::Quantity};
use k8s_openapi::api::core::v1 as api;
use std::net::IpAddr;

/// The variables, in the order of the manifest; the last entry of a name wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment(Vec<Variable>);

#[derive(Clone, PartialEq, Eq)]
struct Variable {
    name: String,
    value: String,
    /// Its value is a Secret's, or has one in it: it may be told to the container alone.
    confidential: bool,
}

impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Environment {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|variable| variable.value.as_str())
    }

    fn find(&self, name: &str) -> Option<&Variable> {
        self.0.iter().find(|variable| variable.name == name)
    }

    fn set(&mut self, name: &str, value: String, confidential: bool) {
        match self.0.iter_mut().find(|variable| variable.name == name) {
            Some(variable) => (variable.value, variable.confidential) = (value, confidential),
            None => self.0.push(Variable { name: name.to_owned(), value, confidential }),
        }
    }

    /// Expands the references of a command, an argument or a path.
    pub(super) fn expand(&self, text: &str) -> String {
        expand(text, |name| self.get(name))
    }

    /// Whether the expansion of a text would hold something of a Secret.
    pub(super) fn is_confidential(&self, text: &str) -> bool {
        let found = std::cell::Cell::new(false);
        expand(text, |name| {
            let variable = self.find(name)?;
            found.set(found.get() || variable.confidential);
            Some(&variable.value)
        });
        found.get()
    }

    /// `NAME=value` for each.
    pub(super) fn into_list(self) -> Vec<String> {
        self.0.into_iter().map(|variable| format!("{}={}", variable.name, variable.value)).collect()
    }
}

/// What the variables of one container are made from.
pub(super) struct Scope<'a> {
    pub pod: &'a Pod,
    pub container: &'a Container,
    pub sandbox: &'a SandboxFacts<'a>,
    pub env_files: &'a EnvFiles,
    pub node: &'a NodeFacts,
    pub subject: &'a Subject,
}

/// The container's environment, without what its image has.
pub(super) fn environment(scope: &Scope<'_>) -> Result<Environment, ConvertError> {
    let container = &scope.container.api;
    let mut environment = Environment::default();
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        let field = format!("envFrom[{index}]");
        for (name, taken) in scope.references().env_from(source)? {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(scope.invalid(&field, "a key with its prefix is no name: it has a '=' or is empty"));
            }
            scope.take(&mut environment, &format!("{field}[{name}]"), &name, taken)?;
        }
    }
    for entry in container.env.iter().flatten() {
        let field = format!("env[{}]", entry.name);
        if entry.name.is_empty() || entry.name.contains(['=', '\0']) {
            return Err(scope.invalid(&field, "a name has at least one character, and no '='"));
        }
        let Some(source) = &entry.value_from else {
            // A reference sees only what was declared before it.
            let text = entry.value.as_deref().unwrap_or_default();
            let (value, confidential) = (environment.expand(text), environment.is_confidential(text));
            scope.take(&mut environment, &field, &entry.name, Taken { value, confidential })?;
            continue;
        };
        let taken = if references::is_reference(source) {
            // What is optional and not there is not set.
            let Some(taken) = scope.references().value_from(source)? else { continue };
            taken
        } else if let Some(reference) = &source.file_key_ref {
            let Some(taken) = scope.file_key(&format!("{field}.valueFrom.fileKeyRef"), reference)? else { continue };
            taken
        } else {
            Taken { value: scope.value_from(&format!("{field}.valueFrom"), source)?, confidential: false }
        };
        scope.take(&mut environment, &field, &entry.name, taken)?;
    }
    Ok(environment)
}

impl Scope<'_> {
    fn references(&self) -> References<'_> {
        References { objects: &self.node.objects, namespace: &self.pod.key.namespace, subject: self.subject }
    }

    fn take(&self, to: &mut Environment, field: &str, name: &str, taken: Taken) -> Result<(), ConvertError> {
        if taken.value.contains('\0') {
            return Err(self.invalid(field, "its value has a NUL character, which no environment can hold"));
        }
        to.set(name, taken.value, taken.confidential);
        Ok(())
    }

    fn unsupported(&self, field: &str, why: &str) -> ConvertError {
        ConvertError::Unsupported { subject: self.subject.clone(), field: field.to_owned(), why: why.to_owned() }
    }

    fn invalid(&self, field: &str, why: &str) -> ConvertError {
        ConvertError::Invalid { subject: self.subject.clone(), field: field.to_owned(), why: why.to_owned() }
    }

    fn value_from(&self, field: &str, source: &api::EnvVarSource) -> Result<String, ConvertError> {
        if let Some(reference) = &source.field_ref {
            return self.field_ref(&format!("{field}.fieldRef.fieldPath"), &reference.field_path);
        }
        if let Some(reference) = &source.resource_field_ref {
            return self.resource_field_ref(&format!("{field}.resourceFieldRef"), reference);
        }
        Err(self
            .invalid(field, "it names no source; write fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef"))
    }

    /// A variable of a file; `None` if it is not there and need not be. It may be a secret.
    fn file_key(&self, field: &str, reference: &api::FileKeySelector) -> Result<Option<Taken>, ConvertError> {
        let api::FileKeySelector { volume_name, path, key, optional } = reference;
        let file = self.env_files.get(&(volume_name.clone(), path.clone()));
        let text = match file.unwrap_or(&Ok(None)) {
            Ok(text) => text.as_deref(),
            Err(why) => return Err(self.invalid(field, &format!("the file {path:?} can not be read: {why}"))),
        };
        let found = env_file::value(text.unwrap_or_default(), key)
            .map_err(|why| self.invalid(field, &format!("couldn't parse env file {path:?}: {why}")))?;
        match found {
            Some(value) => Ok(Some(Taken { value, confidential: true })),
            None if *optional == Some(true) => Ok(None),
            None if text.is_none() => Err(self.invalid(
                field,
                &format!("volume {volume_name} has no file {path:?}; write it in an init container, or set optional"),
            )),
            None => Err(self.invalid(field, &format!("environment variable key {key:?} not found in file {path:?}"))),
        }
    }

    /// A field of the pod (`fieldpath.go`, `podFieldSelectorRuntimeValue`).
    fn field_ref(&self, field: &str, path: &str) -> Result<String, ConvertError> {
        let (pod, list) = (self.pod, |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>());
        Ok(match path {
            "metadata.name" => pod.key.name.clone(),
            "metadata.namespace" => pod.key.namespace.clone(),
            "metadata.uid" => pod.uid.to_string(),
            "spec.nodeName" => self.node.node.name.clone(),
            "spec.serviceAccountName" => pod.spec.service_account_name.clone().unwrap_or_default(),
            "status.hostIP" => list(&self.host_ips(field)?).into_iter().next().unwrap_or_default(),
            "status.hostIPs" => list(&self.host_ips(field)?).join(","),
            "status.podIP" => list(&self.pod_ips(field)?).into_iter().next().unwrap_or_default(),
            "status.podIPs" => list(&self.pod_ips(field)?).join(","),
            _ => references::metadata_value(pod, path).ok_or_else(|| {
                let why = format!(
                    "{path:?} can not be a variable; write metadata.name, metadata.namespace, metadata.uid, \
                     metadata.labels['KEY'], metadata.annotations['KEY'], spec.nodeName, \
                     spec.serviceAccountName, status.hostIP, status.hostIPs, status.podIP or status.podIPs"
                );
                self.invalid(field, &why)
            })?,
        })
    }

    fn host_ips(&self, field: &str) -> Result<Vec<IpAddr>, ConvertError> {
        if self.node.node_ips.is_empty() {
            return Err(self.unsupported(field, "the node's address is not known yet; give it a route, or --node-ip"));
        }
        Ok(self.node.node_ips.clone())
    }

    /// With hostNetwork the pod's addresses are the node's.
    fn pod_ips(&self, field: &str) -> Result<Vec<IpAddr>, ConvertError> {
        if self.pod.host_network { self.host_ips(field) } else { Ok(self.sandbox.ips.to_vec()) }
    }

    /// An amount of a container of this pod, in units of the divisor, rounded up.
    pub(super) fn resource_field_ref(
        &self,
        field: &str,
        reference: &api::ResourceFieldSelector,
    ) -> Result<String, ConvertError> {
        let named = reference.container_name.as_deref().filter(|name| !name.is_empty());
        let container = match named {
            None => self.container,
            Some(name) => {
                let found = self.pod.containers.iter().find(|c| c.name.as_str() == name);
                found.ok_or_else(|| self.invalid(field, &format!("the pod has no container {name:?}")))?
            }
        };
        let quantity = |text: &str| Quantity::parse(text).map_err(|error| self.invalid(field, &error.to_string()));
        let divisor = match &reference.divisor {
            Some(divisor) => quantity(&divisor.0)?,
            None => Quantity::default(),
        };
        let (resources, of_pod) = (container.api.resources.as_ref(), self.pod.spec.resources.as_ref());
        let (list, name) = match reference.resource.split_once('.') {
            Some(("limits", name)) => (resources.and_then(|r| r.limits.as_ref()), name),
            Some(("requests", name)) => (resources.and_then(|r| r.requests.as_ref()), name),
            _ => (None, ""),
        };
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !name.starts_with("hugepages-") {
            let why = format!(
                "resource {:?} is not known; write limits or requests, a dot, and cpu, memory, ephemeral-storage or \
                 hugepages-SIZE",
                reference.resource
            );
            return Err(self.invalid(field, &why));
        }
        let amount = match list.and_then(|l| l.get(name)) {
            Some(amount) => quantity(&amount.0)?,
            // The pod's own limit is the node's share of the container.
            None if reference.resource.starts_with("limits.") => {
                match of_pod.and_then(|r| r.limits.as_ref()?.get(name)) {
                    Some(amount) => quantity(&amount.0)?,
                    None => self.allocatable(field, name)?,
                }
            }
            None => Quantity::default(),
        };
        Ok(amount.divided_by(divisor).to_string())
    }

    /// What stands for a limit that is not set: all that the node has.
    fn allocatable(&self, field: &str, name: &str) -> Result<Quantity, ConvertError> {
        let text = match name {
            "cpu" => self.node.cpus.to_string(),
            "memory" => self.node.memory_total.to_string(),
            "ephemeral-storage" => match self.node.ephemeral_storage {
                Some(bytes) => bytes.to_string(),
                None => {
                    let why = "the container has no such limit, and the node's is not known; set one";
                    return Err(self.unsupported(field, why));
                }
            },
            _ => "0".to_owned(),
        };
        Quantity::parse(&text).map_err(|error| self.invalid(field, &error.to_string()))
    }
}

/// The key of a subscript such as `metadata.labels['app']`.
pub(super) fn key_of<'a>(path: &'a str, map: &str) -> Option<&'a str> {
    path.strip_prefix(map)?.strip_prefix("['")?.strip_suffix("']")
}

#[cfg(test)]
mod tests;
