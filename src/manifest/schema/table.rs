use super::Struct;
pub static ROOTS: &[&Struct] = &[];
