//! Reads a policy document, and names everything that is wrong with it at once.
//!
//! The Terraform variable `policy` has the same rules in the same words, and a test holds both to the same answers.
//! What only a document can get wrong is told here alone: its shape, and members that are unknown or given twice.

mod reader;
mod rule;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use self::reader::{Place, Reader, is_slack_id};
use super::{Mode, Policy, json::Json, quoted};
use crate::policy::encoding::{Encoding, decode};

const MEMBERS: [&str; 7] = [
    "version",
    "mode",
    "rules",
    "max_automatic_per_hour",
    "max_automatic_per_bucket_per_hour",
    "restorers",
    "operators",
];

/// Why a policy is refused: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct InvalidPolicy(Vec<Problem>);

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// Where, as JSONPath.
    pub path: String,
    /// The number of the rule, from 1; `None` for the document itself.
    pub rule: Option<usize>,
    /// The rule's name, if it has one.
    pub name: Option<String>,
    /// What must be, and what is.
    pub message: String,
}

impl InvalidPolicy {
    /// All of it, at least one.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

/// The first problem in one sentence, short enough for a case record and for Slack.
impl fmt::Display for InvalidPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => only.fmt(formatter),
            [first, more @ ..] => write!(formatter, "{first} (and {} more)", more.len()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)?;
        match (self.rule, &self.name) {
            (Some(rule), Some(name)) => write!(formatter, " (rule {rule}, {})", quoted(name))?,
            (Some(rule), None) => write!(formatter, " (rule {rule})")?,
            (None, _) => {}
        }
        write!(formatter, ": {}", self.message)
    }
}

/// Reads and checks a document.
pub(super) fn read(bytes: &[u8]) -> Result<Policy, InvalidPolicy> {
    let mut reader = Reader::default();
    let whole = |json| Place { path: "$".into(), json };
    let encoding = Encoding::of(bytes);
    if encoding != Encoding::Utf8 {
        let told = format!("must be UTF-8 without a byte order mark; it is {}", encoding.name());
        reader.tell(&whole(None), &told);
    }
    // What else is wrong is told nevertheless.
    let policy = match decode(bytes).as_deref().map(serde_json::from_str) {
        Err(_) if encoding != Encoding::Utf8 => None,
        Err(_) => {
            reader.tell(&whole(None), "must be UTF-8; it has bytes that are not");
            None
        }
        Ok(read) => reader.policy_in(read),
    };
    match policy {
        Some(policy) if reader.problems.is_empty() => Ok(policy),
        _ => Err(InvalidPolicy(reader.problems)),
    }
}

impl Reader {
    fn policy_in(&mut self, read: serde_json::Result<Json>) -> Option<Policy> {
        let whole = |json| Place { path: "$".into(), json };
        match read {
            Ok(json) => self.policy(&whole(Some(&json))),
            Err(error) => {
                self.tell(&whole(None), &format!("must be JSON: {error}"));
                None
            }
        }
    }

    fn policy(&mut self, place: &Place<'_>) -> Option<Policy> {
        let [version, mode, rules, per_hour, per_bucket, restorers, operators] =
            self.object(place, MEMBERS)?;
        self.whole(&version, 1..=1, "must be 1, the only version that this release reads");
        let mode = self.optional(&mode, Mode::default(), |reader, place| {
            reader.word(place, "must be enforce or shadow")
        });
        let mut read = Vec::new();
        for (number, rule) in (1..).zip(self.list(&rules)?) {
            let before = self.problems.len();
            read.push(self.rule(&rule));
            let name = rule.json.and_then(|json| json.member("name")?.text());
            for problem in &mut self.problems[before..] {
                (problem.rule, problem.name) = (Some(number), name.map(str::to_owned));
            }
        }
        let max_automatic_per_hour = self.limit(&per_hour);
        let max_automatic_per_bucket_per_hour = self.limit(&per_bucket);
        let restorers = self.optional(&restorers, Vec::new(), Self::users);
        let operators = self.optional(&operators, BTreeMap::new(), Self::operators);
        Some(Policy {
            mode: mode?,
            rules: read.into_iter().collect::<Option<_>>()?,
            max_automatic_per_hour: max_automatic_per_hour?,
            max_automatic_per_bucket_per_hour: max_automatic_per_bucket_per_hour?,
            restorers: restorers?,
            operators: operators?,
        })
    }

    fn limit(&mut self, place: &Place<'_>) -> Option<Option<u32>> {
        self.optional(place, None, |reader, place| {
            let must = "must be a whole number from 0 to 1000000, or left out for no limit";
            reader.whole(place, 0..=1_000_000, must).map(Some)
        })
    }

    /// Who is who on the command line: ids of IAM principals with Slack user ids.
    fn operators(&mut self, place: &Place<'_>) -> Option<BTreeMap<String, String>> {
        let mut operators = BTreeMap::new();
        for (principal, user) in self.members(place)? {
            if !is_principal(principal) {
                self.tell(
                    &user,
                    "must be named by a UserId as `aws sts get-caller-identity` tells it: AIDA… of a user, or \
                     AROA…:session of a role",
                );
            }
            let must = "must be a Slack user id (U… or W…), not a name: names can be taken over";
            let Some(read) = self.text(&user, |text| is_slack_id(text, &['U', 'W']), must) else { continue };
            if operators.insert(principal.to_owned(), read).is_some() {
                self.tell(&user, "must not be there twice");
            }
        }
        Some(operators)
    }
}

/// Whether a text is the id of somebody who calls AWS: a user, or a session of a role. Unlike an ARN it is never given to
/// another who is made with the same name later
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
fn is_principal(id: &str) -> bool {
    let is_unique_id = |id: &str, prefix: &str| {
        id.strip_prefix(prefix).is_some_and(|rest| {
            (12..=124).contains(&rest.len())
                && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
    };
    match id.split_once(':') {
        None => is_unique_id(id, "AIDA"),
        Some((role, session)) => {
            is_unique_id(role, "AROA")
                && (2..=64).contains(&session.len())
                && session.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
        }
    }
}

#[cfg(test)]
mod tests;
