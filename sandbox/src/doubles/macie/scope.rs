//! Which objects a job looks at.

use serde_json::Value;

use crate::doubles::{ApiError, strings};

/// One condition. All have to hold.
#[derive(Debug, PartialEq)]
pub(super) enum Term {
    /// The key begins with one of these.
    Key(Vec<String>),
    /// The time of the last change, in seconds.
    LastModified(Comparator, i64),
    /// Bytes.
    Size(Comparator, i64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Comparator {
    Eq,
    Gt,
    Gte,
    Lt,
    Lte,
    Ne,
}

impl Comparator {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "EQ" => Self::Eq,
            "GT" => Self::Gt,
            "GTE" => Self::Gte,
            "LT" => Self::Lt,
            "LTE" => Self::Lte,
            "NE" => Self::Ne,
            _ => return None,
        })
    }

    fn holds(self, one: i64, other: i64) -> bool {
        match self {
            Self::Eq => one == other,
            Self::Gt => one > other,
            Self::Gte => one >= other,
            Self::Lt => one < other,
            Self::Lte => one <= other,
            Self::Ne => one != other,
        }
    }
}

impl Term {
    pub(super) fn holds(&self, key: &str, last_modified: i64, size: i64) -> bool {
        match self {
            Self::Key(beginnings) => beginnings.iter().any(|beginning| key.starts_with(beginning)),
            Self::LastModified(comparator, wanted) => comparator.holds(last_modified, *wanted),
            Self::Size(comparator, wanted) => comparator.holds(size, *wanted),
        }
    }
}

/// The scope in a job's definition.
pub(super) fn of(definition: &Value) -> Result<Vec<Term>, ApiError> {
    let scoping = &definition["scoping"];
    if !scoping["excludes"].is_null() {
        return Err(ApiError::lacking("Macie jobs that exclude objects"));
    }
    scoping["includes"]["and"].as_array().into_iter().flatten().map(term).collect()
}

fn term(term: &Value) -> Result<Term, ApiError> {
    let term = &term["simpleScopeTerm"];
    let (key, comparator) = (term["key"].as_str().unwrap_or_default(), term["comparator"].as_str());
    let (comparator, values) = (comparator.unwrap_or_default(), strings(&term["values"]));
    let invalid = || ApiError::validation(format!("{key} {comparator} {values:?} is no condition of a job"));
    let one = || match values.as_slice() {
        [value] => Ok(value.as_str()),
        _ => Err(invalid()),
    };
    match key {
        "OBJECT_KEY" if comparator == "STARTS_WITH" && !values.is_empty() => Ok(Term::Key(values)),
        "OBJECT_LAST_MODIFIED_DATE" => {
            let at: jiff::Timestamp = one()?.parse().map_err(|_| invalid())?;
            Ok(Term::LastModified(Comparator::read(comparator).ok_or_else(invalid)?, at.as_second()))
        }
        "OBJECT_SIZE" => {
            let size = one()?.parse().map_err(|_| invalid())?;
            Ok(Term::Size(Comparator::read(comparator).ok_or_else(invalid)?, size))
        }
        "OBJECT_KEY" => Err(invalid()),
        _ => Err(ApiError::lacking("conditions of Macie jobs other than on key, time and size")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scoped(terms: Value) -> Result<Vec<Term>, ApiError> {
        let terms: Vec<_> =
            terms.as_array().expect("a list").iter().map(|term| json!({"simpleScopeTerm": term})).collect();
        of(&json!({"scoping": {"includes": {"and": terms}}}))
    }

    #[test]
    fn all_conditions_have_to_hold() {
        let terms = scoped(json!([
            {"key": "OBJECT_KEY", "comparator": "STARTS_WITH", "values": ["a", "b"]},
            {"key": "OBJECT_LAST_MODIFIED_DATE", "comparator": "GTE", "values": ["1970-01-01T00:01:00Z"]},
            {"key": "OBJECT_SIZE", "comparator": "EQ", "values": ["7"]},
        ]))
        .expect("a scope");
        let holds = |key, modified, size| terms.iter().all(|term| term.holds(key, modified, size));
        assert!(holds("b/c", 60, 7));
        assert!(!holds("c", 60, 7) && !holds("a", 59, 7) && !holds("a", 60, 8));
        assert!(of(&json!({})).expect("no scope").is_empty());
    }

    #[test]
    fn a_condition_that_macie_does_not_have_is_refused() {
        for (key, comparator, values) in [
            ("OBJECT_KEY", "EQ", json!(["a"])),
            ("OBJECT_SIZE", "STARTS_WITH", json!(["1"])),
            ("OBJECT_SIZE", "EQ", json!(["1", "2"])),
            ("OBJECT_LAST_MODIFIED_DATE", "GTE", json!(["yesterday"])),
        ] {
            let term = json!([{"key": key, "comparator": comparator, "values": values}]);
            assert_eq!(scoped(term).expect_err(key).code, "ValidationException");
        }
    }
}
