//! How it stands with what a pod refers to, as far as decisions need it.

use super::{ContainerName, ImageVolume};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt, fmt::Write};

/// Annotation of a pod: `"true"` restarts a container when what its environment takes from ConfigMaps,
/// Secrets, labels and annotations has changed.
pub const ANNOTATION_RESTART_ON_CHANGE: &str = "kubelet-lite.io/restart-on-change";

/// References of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodReferences {
    /// Containers whose environment refers to anything.
    pub containers: BTreeMap<ContainerName, ContainerReferences>,
    /// Its volumes that are written here.
    pub volumes: VolumeReferences,
    /// Its `image` volumes that are on the disk, complete: nothing more is made of their images.
    pub image_volumes: Vec<ImageVolume>,
}

/// How it stands with volumes whose content is written here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeReferences {
    /// An object that must be there is not; the kubelet's words. What was written of it before stays.
    pub missing: Option<String>,
    /// How it stands with all others.
    pub state: VolumeState,
    /// Containers that could not be made now, since a volume that they use is not there.
    pub lacking: BTreeMap<ContainerName, VolumeLack>,
}

/// Why a volume that a container uses is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeLack {
    /// It can not be written; the kubelet's words.
    Missing(String),
    /// It can be, and nobody has seen yet that it was.
    Awaited,
}

/// How what is on the disk compares with what should be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VolumeState {
    /// It is as it should be, or there is nothing to write.
    #[default]
    Settled,
    /// It may be what was right before, or missing.
    Outdated,
}

impl PodReferences {
    /// Whether an `image` volume is there, whatever its pull policy.
    pub fn has(&self, volume: &ImageVolume) -> bool {
        self.image_volumes.iter().any(|made| made.name == volume.name && made.image == volume.image)
    }

    /// Why a container can not be made now, in the kubelet's words.
    pub fn missing(&self, container: &ContainerName) -> Option<&str> {
        match self.containers.get(container)? {
            ContainerReferences::Missing(what) => Some(what),
            ContainerReferences::Invalid | ContainerReferences::Resolved(_) => None,
        }
    }

    /// Whether an instance made with `recorded` would have another environment now, or none.
    pub fn is_stale(&self, container: &ContainerName, recorded: Option<&EnvironmentHash>) -> bool {
        let gone = matches!(
            self.containers.get(container),
            Some(ContainerReferences::Missing(_) | ContainerReferences::Invalid)
        );
        recorded.is_some() && gone || self.has_changed(container, recorded)
    }

    /// Whether an instance made with `recorded` could be made anew with another environment.
    pub fn has_changed(&self, container: &ContainerName, recorded: Option<&EnvironmentHash>) -> bool {
        match (self.containers.get(container), recorded) {
            (Some(ContainerReferences::Resolved(now)), Some(recorded)) => now.differs(recorded),
            _ => false,
        }
    }
}

/// What a container's environment takes from ConfigMaps and Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerReferences {
    /// Something that must be there is not; the kubelet's words.
    Missing(String),
    /// Something is no value for a variable, which is told when the container is to be made.
    Invalid,
    /// All is there.
    Resolved(EnvironmentHash),
}

/// Keyed hash of what an environment takes from ConfigMaps and Secrets, as in `v1:5f2c…:3f2a…`: a
/// change can be told without the values, which can not be guessed from it without the key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EnvironmentHash {
    /// Which key; empty if there is none.
    key: String,
    digest: String,
}

const VERSION: &str = "v1";
const KEY_ID: usize = 8;
const DIGEST: usize = 32;

impl EnvironmentHash {
    /// Stands for a hash that no key is there for; nothing differs from it.
    pub fn unknown() -> Self {
        Self { key: String::new(), digest: String::new() }
    }

    /// Whether it can be compared with another.
    pub fn is_known(&self) -> bool {
        !self.key.is_empty()
    }

    /// Reads a label's text; `None` for a version this build does not know.
    pub fn parse(label: &str) -> Option<Self> {
        let (version, rest) = label.split_once(':')?;
        let (key, digest) = rest.split_once(':')?;
        let right = version == VERSION && key.len() == KEY_ID && digest.len() == DIGEST;
        right.then(|| Self { key: key.to_owned(), digest: digest.to_owned() })
    }

    /// Whether both were made with the same key from other values. With different keys nobody can
    /// tell, and what can not be told restarts nothing.
    pub fn differs(&self, other: &Self) -> bool {
        self.is_known() && self.key == other.key && self.digest != other.digest
    }
}

impl fmt::Display for EnvironmentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}:{}:{}", self.key, self.digest)
    }
}

impl fmt::Debug for EnvironmentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The key of this root directory's hashes. Whoever has it could try values against labels.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvironmentKey([u8; Self::LENGTH]);

impl EnvironmentKey {
    /// Bytes of a key.
    pub const LENGTH: usize = 32;

    /// Takes random bytes.
    pub fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// As [`Self::hash`], of what labels and annotations of the pod are part of: with a key of its own, since
    /// nobody can tell how such an environment compares with the hash of an older one without them.
    pub fn hash_with_metadata(&self, parts: &[Option<(String, String)>]) -> EnvironmentHash {
        Self(Sha256::digest([b"kubelet-lite/environment-key/metadata/v1", self.0.as_slice()].concat()).into())
            .hash(parts)
    }

    /// Hashes names and values; `None` stands for a variable that is not set.
    pub fn hash(&self, parts: &[Option<(String, String)>]) -> EnvironmentHash {
        let id = hex(&Sha256::digest([b"kubelet-lite/environment-key/v1", self.0.as_slice()].concat()));
        // Each length before its bytes, so that no two lists look the same.
        let mut message = Vec::new();
        for part in parts {
            let texts = part.iter().flat_map(|(name, value)| [name, value]);
            message.push(u8::from(part.is_some()));
            for text in texts {
                message.extend((text.len() as u64).to_be_bytes());
                message.extend(text.as_bytes());
            }
        }
        let key = hmac::digest::Key::<Hmac<Sha256>>::from(self.block());
        let mac = Hmac::<Sha256>::new(&key).chain_update(&message).finalize().into_bytes();
        EnvironmentHash { key: id[..KEY_ID].to_owned(), digest: hex(&mac)[..DIGEST].to_owned() }
    }

    /// The key padded to the hash's block, as HMAC has it.
    fn block(&self) -> [u8; 64] {
        let mut block = [0; 64];
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        block
    }
}

impl fmt::Debug for EnvironmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &[(&str, &str)]) -> Vec<Option<(String, String)>> {
        text.iter().map(|(name, value)| Some(((*name).to_owned(), (*value).to_owned()))).collect()
    }

    #[test]
    fn hashes_tell_a_change_and_nothing_else() {
        let (one, two) = (EnvironmentKey::new([1; 32]), EnvironmentKey::new([2; 32]));
        let hash = one.hash(&parts(&[("A", "a"), ("B", "b")]));
        assert_eq!(EnvironmentHash::parse(&hash.to_string()), Some(hash.clone()));
        assert!(!hash.differs(&one.hash(&parts(&[("A", "a"), ("B", "b")]))));
        for other in [parts(&[("A", "a"), ("B", "c")]), parts(&[("A", "aB"), ("", "b")]), vec![None, None], Vec::new()]
        {
            assert!(hash.differs(&one.hash(&other)), "{other:?}");
        }
        let elsewhere = two.hash(&parts(&[("A", "x")]));
        assert!(!hash.differs(&elsewhere) && !elsewhere.differs(&hash), "another key tells nothing");
        assert!(!hash.differs(&EnvironmentHash::unknown()) && !EnvironmentHash::unknown().differs(&hash));
        for label in ["", "v1", "v2:00000000:00000000000000000000000000000000", "v1:0:0", "v1::"] {
            assert_eq!(EnvironmentHash::parse(label), None, "{label:?}");
        }
        assert_eq!(format!("{one:?}"), "(hidden)");
    }
}
