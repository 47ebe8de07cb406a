//! Field paths in Kubernetes notation: `spec.containers[1].ports[0].hostPort`, `metadata.labels[app]`.

use std::fmt;

/// A path that lives on the stack: each step points at the one before.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The document itself.
    Root,
    /// A field of a struct.
    Field(&'a str),
    /// An item of a list.
    Index(usize),
    /// A key of a map.
    Key(&'a str),
}

impl Path<'static> {
    /// The document.
    pub const ROOT: Self = Self { parent: None, step: Step::Root };
}

impl<'a> Path<'a> {
    /// A field of what stands here.
    pub fn field<'b>(&'b self, name: &'b str) -> Path<'b>
    where
        'a: 'b,
    {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// An item of the list here.
    pub fn index<'b>(&'b self, index: usize) -> Path<'b>
    where
        'a: 'b,
    {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// A key of the map here.
    pub fn key<'b>(&'b self, key: &'b str) -> Path<'b>
    where
        'a: 'b,
    {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    /// The steps from the document down, without the root.
    pub fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        let mut here = Some(*self);
        while let Some(path) = here {
            if path.step != Step::Root {
                steps.push(path.step);
            }
            here = path.parent.copied();
        }
        steps.reverse();
        steps
    }

    /// What this is a part of; `None` for the document.
    pub fn parent(&self) -> Option<Path<'a>> {
        self.parent.copied()
    }

    /// The last step.
    pub fn last(&self) -> Step<'a> {
        self.step
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.steps().iter().enumerate() {
            match step {
                Step::Root => {}
                Step::Field(name) if position == 0 => write!(f, "{name}")?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_notation() {
        let (spec, metadata) = (Path::ROOT.field("spec"), Path::ROOT.field("metadata"));
        let containers = spec.field("containers");
        let container = containers.index(1);
        assert_eq!(container.field("image").to_string(), "spec.containers[1].image");
        assert_eq!(metadata.field("labels").key("a.b/c").to_string(), "metadata.labels[a.b/c]");
        assert_eq!(Path::ROOT.to_string(), "");
        assert_eq!(Path::ROOT.field("items").index(0).field("kind").to_string(), "items[0].kind");
    }
}
