//! Label and field selectors. Pure.

use std::collections::BTreeMap;

/// One term of a selector: what is asked of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    DoesNotExist,
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// `labelSelector`: all terms hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LabelSelector(Vec<Term>);

/// `fieldSelector`: all terms hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSelector(Vec<Term>);

impl LabelSelector {
    /// Reads `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, joined by commas.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let terms = parts(text).into_iter().map(|part| label_term(&part));
        terms.collect::<Result<_, _>>().map(Self).map_err(|part: String| {
            format!("unable to parse requirement: {part:?} is none of k, !k, k=v, k!=v, k in (a,b), k notin (a,b)")
        })
    }

    pub(super) fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.0.iter().all(|term| term.matches(labels.and_then(|labels| labels.get(&term.key)).map(String::as_str)))
    }
}

impl FieldSelector {
    /// Reads `k=v`, `k==v`, `k!=v`, joined by commas; `known` says which fields there are.
    pub(super) fn parse(text: &str, known: &[&str]) -> Result<Self, String> {
        let mut terms = Vec::new();
        for part in parts(text) {
            let Some(term) = equality(&part) else {
                return Err(format!("invalid field selector: {part:?} is none of k=v, k==v, k!=v"));
            };
            if !known.contains(&term.key.as_str()) {
                return Err(format!("field label not supported: {}", term.key));
            }
            terms.push(term);
        }
        Ok(Self(terms))
    }

    /// Whether an object with these fields is selected; one that is missing is empty.
    pub(super) fn matches(&self, field: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|term| term.matches(Some(field(&term.key).as_deref().unwrap_or_default())))
    }
}

impl Term {
    fn matches(&self, value: Option<&str>) -> bool {
        let is_one_of = |list: &[String]| value.is_some_and(|value| list.iter().any(|one| one == value));
        match &self.test {
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
            Test::In(list) => is_one_of(list),
            Test::NotIn(list) => !is_one_of(list),
        }
    }
}

/// The text between the commas that stand in no parentheses.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != ',' || depth > 0 => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    let trimmed = parts.into_iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}

fn equality(part: &str) -> Option<Term> {
    let (key, value, negated) = match part.split_once("!=") {
        Some((key, value)) => (key, value, true),
        None => {
            let (key, value) = part.split_once('=')?;
            (key, value.strip_prefix('=').unwrap_or(value), false)
        }
    };
    let (key, values) = (key.trim().to_owned(), vec![value.trim().to_owned()]);
    (!key.is_empty()).then_some(Term { key, test: if negated { Test::NotIn(values) } else { Test::In(values) } })
}

fn label_term(part: &str) -> Result<Term, String> {
    let refused = || part.to_owned();
    let is_key = |key: &str| !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || "()!=,".contains(c));
    if let Some((words, list)) = part.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        let values: Vec<String> = list.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = words.split_whitespace();
        let (key, operator, rest) = (words.next(), words.next(), words.next());
        let test = match (operator, rest) {
            (Some("in"), None) => Test::In(values),
            (Some("notin"), None) => Test::NotIn(values),
            _ => return Err(refused()),
        };
        let key = key.filter(|key| is_key(key)).ok_or_else(refused)?;
        return Ok(Term { key: key.to_owned(), test });
    }
    if part.contains('=') {
        return equality(part).filter(|term| is_key(&term.key)).ok_or_else(refused);
    }
    let (key, test) = match part.strip_prefix('!') {
        Some(key) => (key.trim(), Test::DoesNotExist),
        None => (part, Test::Exists),
    };
    if is_key(key) { Ok(Term { key: key.to_owned(), test }) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_selected() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("tier".to_owned(), "front".to_owned())]);
        for (text, expected) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("other", false),
            ("!other", true),
            ("app=web", true),
            ("app==web", true),
            (" app = web , tier=front ", true),
            ("app=web,tier=back", false),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app in (db),tier", false),
            ("app notin (db, web)", false),
            ("other notin (db)", true),
        ] {
            let selector = LabelSelector::parse(text).unwrap();
            assert_eq!(selector.matches(Some(&labels)), expected, "{text}");
        }
        assert!(!LabelSelector::parse("app").unwrap().matches(None));
        for text in ["=web", "a b", "app on (web)", "app in web)", "in (a)", "!", "a in b (c)"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn fields_are_selected() {
        let known = ["metadata.name", "status.phase"];
        let field = |name: &str| (name == "metadata.name").then(|| "web".to_owned());
        for (text, expected) in [
            ("", true),
            ("metadata.name=web", true),
            ("metadata.name==web,status.phase=", true),
            ("metadata.name!=web", false),
            ("status.phase!=Running", true),
        ] {
            assert_eq!(FieldSelector::parse(text, &known).unwrap().matches(field), expected, "{text}");
        }
        let error = FieldSelector::parse("spec.x=1", &known).unwrap_err();
        assert_eq!(error, "field label not supported: spec.x");
        assert!(FieldSelector::parse("metadata.name", &known).is_err());
    }
}
