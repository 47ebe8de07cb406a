//! What fields each struct of the API has, and of what type: a table made from the API types
//! themselves (`tests/schema.rs`), so that it can not drift from what is decoded.
//!
//! A manifest is checked against it before it is decoded, since a decoder stops at its first
//! complaint and an operator wants all of them.

mod check;
mod suggest;
mod table;

pub use check::check;
pub use suggest::nearest_word;

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Text.
    String,
    /// `true` or `false`.
    Bool,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// An amount, as in `500m` or `1Gi`; a number will do.
    Quantity,
    /// A whole number or text.
    IntOrString,
    /// A point in time, RFC 3339.
    Time,
    /// Bytes, in base64.
    Bytes,
    /// Anything.
    Any,
    /// A list.
    List(&'static Type),
    /// A map from text.
    Map(&'static Type),
    /// A struct.
    Struct(&'static Struct),
}

/// A struct of the API.
#[derive(Debug)]
pub struct Struct {
    /// Its name in the API, as in `PodSpec`.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [(&'static str, Type)],
}

impl Struct {
    /// The type of a field.
    pub fn field(&self, name: &str) -> Option<&'static Type> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, ty)| ty)
    }
}

impl Type {
    /// The struct inside lists and maps, if any.
    pub fn innermost(&self) -> Option<&'static Struct> {
        match self {
            Self::List(inner) | Self::Map(inner) => inner.innermost(),
            Self::Struct(inner) => Some(inner),
            _ => None,
        }
    }
}

/// The struct of a kind that is decoded: `Pod`, `ConfigMap`…
pub fn of_kind(kind: &str) -> Option<&'static Struct> {
    table::ROOTS.iter().copied().find(|root| root.name == kind)
}

#[cfg(test)]
mod tests;
