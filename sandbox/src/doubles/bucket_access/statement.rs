//! Statements of a bucket policy: whom each reaches, on what condition, and what another one denies.

use serde_json::{Map, Value};

use crate::doubles::text;

/// Conditions that, with a fixed value, keep a grant to everyone from being public.
const NARROWING: [&str; 14] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:userid",
    "aws:vpcsourceip",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

/// One condition key of a statement.
pub(super) struct Condition {
    operator: String,
    /// As written, for the finding.
    pub(super) name: String,
    /// Lower case, for comparison: condition keys are case-insensitive.
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Condition {
    fn is_positive(&self) -> bool {
        let operator = self.operator.to_lowercase();
        !operator.contains("not") && !operator.ends_with("ifexists") && operator != "null"
    }

    /// Whether it makes a grant to everyone something less than public.
    pub(super) fn narrows(&self) -> bool {
        self.is_positive()
            && NARROWING.contains(&self.key.as_str())
            && !self.values.is_empty()
            && self.values.iter().all(|value| is_fixed(&self.key, value))
    }

    /// Whether it lets through only principals or sources of this account: the zone of trust.
    pub(super) fn confines_to(&self, account: &str) -> bool {
        let account_in = |value: &String| {
            value == account || value.split(':').nth(4).is_some_and(|in_arn| in_arn == account)
        };
        self.is_positive()
            && ["aws:principalaccount", "aws:sourceaccount", "aws:principalarn", "s3:dataaccesspointaccount"]
                .contains(&self.key.as_str())
            && !self.values.is_empty()
            && self.values.iter().all(account_in)
    }
}

fn is_fixed(key: &str, value: &str) -> bool {
    match key {
        // S3 counts ranges wider than /8 (IPv4) and /32 (IPv6) as everyone.
        "aws:sourceip" | "aws:vpcsourceip" => {
            let width: u8 =
                value.split_once('/').map_or(Some(128), |(_, bits)| bits.parse().ok()).unwrap_or(0);
            width >= if value.contains(':') { 32 } else { 8 }
        }
        // An ARN pattern is fixed when at least the account in it is.
        "aws:sourcearn" | "aws:principalarn" | "s3:dataaccesspointarn" => {
            value.split(':').nth(4).is_some_and(|account| !account.contains(['*', '?']))
        }
        _ => !value.contains(['*', '?']),
    }
}

pub(super) fn condition_of(statement: &Value) -> Vec<Condition> {
    let empty = Map::new();
    let mut found = vec![];
    for (operator, keys) in statement["Condition"].as_object().unwrap_or(&empty) {
        for (name, values) in keys.as_object().unwrap_or(&empty) {
            found.push(Condition {
                operator: operator.clone(),
                name: name.clone(),
                key: name.to_lowercase(),
                values: one_or_many(values).into_iter().map(text).collect(),
            });
        }
    }
    found
}

/// Every principal of a statement as kind and identity; an Allow with NotPrincipal reaches everyone else.
pub(super) fn principals_of(statement: &Value) -> Vec<(String, String)> {
    if !statement["NotPrincipal"].is_null() {
        return vec![("AWS".to_owned(), "*".to_owned())];
    }
    match &statement["Principal"] {
        Value::String(all) => vec![("AWS".to_owned(), all.clone())],
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, who)| one_or_many(who).into_iter().map(|who| (kind.clone(), text(who))))
            .collect(),
        _ => vec![],
    }
}

/// The principal as a finding names it, or `None` when it is inside the zone of trust.
pub(super) fn external(
    (kind, who): (String, String),
    account: &str,
    owner_id: &str,
) -> Option<(String, String)> {
    match kind.as_str() {
        "AWS" if who == "*" => Some((kind, who)),
        "AWS" => {
            let in_arn = who.split(':').nth(4).unwrap_or(&who);
            if in_arn == account {
                return None;
            }
            let whole_account = !who.contains(':') || who.ends_with(":root");
            let named = if whole_account { in_arn.to_owned() } else { who.clone() };
            Some((kind, named))
        }
        "CanonicalUser" if who == owner_id => None,
        "CanonicalUser" | "Federated" => Some((kind, who)),
        // AWS services act for the account that owns the bucket.
        _ => None,
    }
}

pub(super) fn stated_actions(statement: &Value) -> Vec<String> {
    if statement["NotAction"].is_null() {
        one_or_many(&statement["Action"]).into_iter().map(text).collect()
    } else {
        vec!["s3:*".to_owned()]
    }
}

pub(super) fn actions_of(statement: &Value) -> Vec<String> {
    stated_actions(statement).into_iter().map(|action| action.to_lowercase()).collect()
}

pub(super) fn concerns(statement: &Value, bucket: &str) -> bool {
    let arn = format!("arn:aws:s3:::{bucket}");
    let resources = one_or_many(&statement["Resource"]);
    resources.is_empty()
        || resources.iter().map(|resource| text(resource)).any(|resource| {
            let of_bucket = resource.split('/').next().unwrap_or_default();
            matches_pattern(of_bucket, &arn)
        })
}

/// Whether an unconditional Deny takes this action from this principal on all that the Allow names.
pub(super) fn denies(deny: &Value, principal: &(String, String), action: &str, allow: &Value) -> bool {
    deny["Effect"] == "Deny"
        && condition_of(deny).is_empty()
        && deny["NotPrincipal"].is_null()
        && deny["NotAction"].is_null()
        && principals_of(deny).iter().any(|denied| denied.1 == "*" || denied == principal)
        && actions_of(deny).iter().any(|pattern| matches_pattern(pattern, &action.to_lowercase()))
        && one_or_many(&allow["Resource"]).into_iter().all(|allowed| {
            one_or_many(&deny["Resource"])
                .into_iter()
                .any(|denied| matches_pattern(&text(denied), &text(allowed)))
        })
}

pub(super) fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => vec![],
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    }
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn wildcards_match_as_iam_matches_them() {
        assert!(matches_pattern("s3:*", "s3:getobject"));
        assert!(matches_pattern("arn:aws:s3:::demo*", "arn:aws:s3:::demo"));
        assert!(matches_pattern("s3:get?bject", "s3:getobject"));
        assert!(!matches_pattern("s3:put*", "s3:getobject"));
        assert!(!matches_pattern("arn:aws:s3:::demo", "arn:aws:s3:::demo2"));
    }
}
