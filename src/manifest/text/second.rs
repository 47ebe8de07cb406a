//! The second reader: `serde_yaml`, whose grammar is that of libyaml, as Kubernetes' own is.
//!
//! [`super::yaml`] knows places and spelling, this one has the final say on structure and text. A
//! file is taken only where both see the same lists and mappings, so no trick of spelling can make
//! us understand a manifest otherwise than Kubernetes does.

use serde::{
    Deserialize, Deserializer,
    de::{EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
};
use std::fmt;

/// A document as `serde_yaml` sees it: duplicate keys kept, aliases written out.
#[derive(Debug, PartialEq)]
pub enum Second {
    /// Null, a boolean or a number.
    Bare(bool),
    /// Text.
    Text(String),
    /// A list.
    Sequence(Vec<Second>),
    /// A mapping.
    Mapping(Vec<(Second, Second)>),
}

impl Second {
    /// The documents of a text that are not null. Only for texts that [`super::yaml`] has read: its
    /// limits keep this reader's time and memory bounded.
    pub fn read(text: &str) -> Result<Vec<Self>, serde_yaml::Error> {
        let mut documents = Vec::new();
        // The iterator repeats a syntax error for ever: the first one ends the loop.
        for document in serde_yaml::Deserializer::from_str(text) {
            let document = Self::deserialize(document)?;
            if document != Self::Bare(true) {
                documents.push(document);
            }
        }
        Ok(documents)
    }
}

impl<'de> Deserialize<'de> for Second {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecondVisitor)
    }
}

struct SecondVisitor;

impl<'de> Visitor<'de> for SecondVisitor {
    type Value = Second;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    // An empty text.
    fn visit_none<E>(self) -> Result<Second, E> {
        Ok(Second::Bare(true))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Second, D::Error> {
        Second::deserialize(deserializer)
    }

    fn visit_unit<E>(self) -> Result<Second, E> {
        Ok(Second::Bare(true))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Second, E> {
        Ok(Second::Bare(false))
    }

    fn visit_str<E>(self, text: &str) -> Result<Second, E> {
        Ok(Second::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Second, E> {
        Ok(Second::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Second, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Second::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Second, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Second::Mapping(entries))
    }

    // A local tag; the first reader has refused the file already.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Second, A::Error> {
        let (_tag, content): (String, _) = data.variant()?;
        content.newtype_variant()
    }
}
