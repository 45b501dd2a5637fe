//! Reads a policy document, and names everything that is wrong with it at once.
//!
//! The Terraform variable `policy` has the same rules in the same words, and a test holds both to the same answers.
//! What only a document can get wrong is told here alone: its shape, and members that are unknown or given twice.

use std::{collections::HashSet, fmt, ops::RangeInclusive};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{AfterRestore, Disposition, Policy, Rule, Verify, Versions, json::Json, matches};
use crate::domain::finding::Severity;

/// Every sensitive-data finding type of Macie
/// (<https://docs.aws.amazon.com/macie/latest/user/findings-types.html>).
const FINDING_TYPES: [&str; 5] = [
    "SensitiveData:S3Object/Credentials",
    "SensitiveData:S3Object/CustomIdentifier",
    "SensitiveData:S3Object/Financial",
    "SensitiveData:S3Object/Multiple",
    "SensitiveData:S3Object/Personal",
];

const MEMBERS: [&str; 5] =
    ["version", "rules", "max_automatic_per_hour", "max_automatic_per_bucket_per_hour", "restorers"];

const RULE_MEMBERS: [&str; 11] = [
    "name",
    "finding_types",
    "minimum_severity",
    "buckets",
    "disposition",
    "approvers",
    "rounds",
    "channel",
    "versions",
    "verify",
    "after_restore",
];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How many characters of a wrong value are shown.
const SHOWN: usize = 64;

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

fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{more}")
}

/// Reads and checks a document.
pub(super) fn read(bytes: &[u8]) -> Result<Policy, InvalidPolicy> {
    let mut reader = Reader::default();
    let whole = |json| Place { path: "$".into(), json };
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if text.len() < bytes.len() {
        reader.tell(&whole(None), "must be UTF-8 without a byte order mark");
    }
    let policy = match serde_json::from_slice(text) {
        Ok(json) => reader.policy(&whole(Some(&json))),
        Err(error) => {
            reader.tell(&whole(None), &format!("must be JSON: {error}"));
            None
        }
    };
    match policy {
        Some(policy) if reader.problems.is_empty() => Ok(policy),
        _ => Err(InvalidPolicy(reader.problems)),
    }
}

/// A place in the document, and what is there.
struct Place<'a> {
    path: String,
    json: Option<&'a Json>,
}

impl Place<'_> {
    fn scalar(&self) -> Option<&Value> {
        match self.json {
            Some(Json::Scalar(value)) => Some(value),
            _ => None,
        }
    }

    fn found(&self) -> String {
        match self.json {
            None => "missing".into(),
            Some(Json::List(_)) => "a list".into(),
            Some(Json::Object(_)) => "an object".into(),
            Some(Json::Scalar(value)) => value.as_str().map_or_else(|| value.to_string(), quoted),
        }
    }
}

/// Whatever cannot be read is a problem and `None`; reading goes on with what comes after it.
#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
    names: HashSet<String>,
    /// Whether a rule was read that matches everything.
    all_matched: bool,
}

impl Reader {
    fn policy(&mut self, place: &Place<'_>) -> Option<Policy> {
        let [version, rules, per_hour, per_bucket, restorers] = self.object(place, MEMBERS)?;
        self.whole(&version, 1..=1, "must be 1, the only version that this release reads");
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
        Some(Policy {
            rules: read.into_iter().collect::<Option<_>>()?,
            max_automatic_per_hour: max_automatic_per_hour?,
            max_automatic_per_bucket_per_hour: max_automatic_per_bucket_per_hour?,
            restorers: restorers?,
        })
    }

    fn limit(&mut self, place: &Place<'_>) -> Option<Option<u32>> {
        self.optional(place, None, |reader, place| {
            let must = "must be a whole number from 0 to 1000000, or left out for no limit";
            reader.whole(place, 0..=1_000_000, must).map(Some)
        })
    }

    fn rule(&mut self, place: &Place<'_>) -> Option<Rule> {
        if self.all_matched {
            self.tell(place, "must not follow a rule that matches everything: it would never be reached");
        }
        let [
            name,
            types,
            severity,
            buckets,
            disposition,
            approvers,
            rounds,
            channel,
            versions,
            verify,
            after_restore,
        ] = self.object(place, RULE_MEMBERS)?;
        let name = self.name(&name);
        let finding_types = self.globs(
            &types,
            |glob| FINDING_TYPES.iter().any(|finding_type| matches(glob, finding_type)),
            "must be sensitive-data finding types of Macie (such as SensitiveData:S3Object/Financial), or globs of \
             them with * and ?: anything else would never match",
        );
        let minimum_severity = self.optional(&severity, Severity::Low, |reader, place| {
            reader.word(place, "must be Low, Medium or High, as Macie spells them")
        });
        let buckets = self.globs(
            &buckets,
            is_bucket_glob,
            "must be bucket names (no ARNs), or globs of them with * and ?",
        );
        let disposition = self.word(&disposition, "must be quarantine, review or ignore");
        let approvers = self.optional(&approvers, Vec::new(), Self::users);
        let rounds = self.optional(&rounds, 1, |reader, place| {
            reader.whole(place, 1..=30, "must be a whole number from 1 to 30")
        });
        let channel = self.optional(&channel, None, Self::channel);
        let versions = self.optional(&versions, Versions::default(), |reader, place| {
            reader.word(place, "must be reported or all")
        });
        let verify = self.optional(&verify, Verify::default(), |reader, place| {
            reader.word(place, "must be standard or full")
        });
        let after_restore = self.optional(&after_restore, AfterRestore::default(), |reader, place| {
            reader.word(place, "must be join or ask")
        });

        let approved = approvers.as_ref().map(|users| !users.is_empty());
        if disposition == Some(Disposition::Review) && approved == Some(false) {
            self.tell(
                place,
                "must name at least one approver in approvers.users when its disposition is review",
            );
        }
        let asks = approved == Some(true)
            || rounds.is_some_and(|rounds| rounds != 1)
            || channel.as_ref().is_some_and(Option::is_some);
        if disposition == Some(Disposition::Ignore) && asks {
            self.tell(
                place,
                "must not set approvers, rounds or channel when its disposition is ignore, which asks nobody",
            );
        }
        let every_type = |glob: &String| FINDING_TYPES.iter().all(|finding_type| matches(glob, finding_type));
        let every_bucket = |glob: &String| glob.chars().all(|character| character == '*');
        self.all_matched |= minimum_severity == Some(Severity::Low)
            && finding_types.iter().flatten().any(every_type)
            && buckets.iter().flatten().any(every_bucket);

        Some(Rule {
            name: name?,
            finding_types: finding_types?,
            minimum_severity: minimum_severity?,
            buckets: buckets?,
            disposition: disposition?,
            approvers: approvers?,
            rounds: rounds?,
            channel: channel?,
            versions: versions?,
            verify: verify?,
            after_restore: after_restore?,
        })
    }

    fn name(&mut self, place: &Place<'_>) -> Option<String> {
        let must =
            "must be 1 to 64 lower-case letters, digits, hyphens or underscores, the first a letter or digit";
        let name = self.text(place, is_name, must)?;
        if !self.names.insert(name.clone()) {
            self.refuse(place, "must be distinct: a case records the rule that decided it");
        }
        Some(name)
    }

    fn globs(&mut self, place: &Place<'_>, valid: fn(&str) -> bool, must: &str) -> Option<Vec<String>> {
        let globs =
            self.optional(place, vec!["*".into()], |reader, place| reader.texts(place, valid, must))?;
        if globs.is_empty() {
            self.tell(place, "must not be empty: such a rule would never match. Leave it out to match all");
        }
        Some(globs)
    }

    fn users(&mut self, place: &Place<'_>) -> Option<Vec<String>> {
        let must = "must be Slack user ids (U… or W…), not names: names can be taken over";
        let [users] = self.object(place, ["users"])?;
        self.optional(&users, Vec::new(), |reader, place| {
            reader.texts(place, |text| is_slack_id(text, ['U', 'W']), must)
        })
    }

    fn channel(&mut self, place: &Place<'_>) -> Option<Option<String>> {
        if let Some(Json::Scalar(Value::Null)) = place.json {
            return Some(None);
        }
        let must = "must be a Slack channel id (C… or G…) or null";
        self.text(place, |text| is_slack_id(text, ['C', 'G']), must).map(Some)
    }

    fn optional<T>(
        &mut self,
        place: &Place<'_>,
        default: T,
        read: impl FnOnce(&mut Self, &Place<'_>) -> Option<T>,
    ) -> Option<T> {
        if place.json.is_none() { Some(default) } else { read(self, place) }
    }

    /// The places of these members, and no other member.
    fn object<'a, const N: usize>(&mut self, place: &Place<'a>, names: [&str; N]) -> Option<[Place<'a>; N]> {
        let Some(json @ Json::Object(members)) = place.json else {
            self.refuse(place, "must be an object");
            return None;
        };
        for (index, (name, _)) in members.iter().enumerate() {
            if members[..index].iter().any(|(earlier, _)| earlier == name) {
                self.tell(place, &format!("must not have {} twice", quoted(name)));
            } else if !names.contains(&name.as_str()) {
                let known = names.join(", ");
                self.tell(place, &format!("must not have {}, only: {known}", quoted(name)));
            }
        }
        Some(names.map(|name| Place { path: format!("{}.{name}", place.path), json: json.member(name) }))
    }

    fn list<'a>(&mut self, place: &Place<'a>) -> Option<Vec<Place<'a>>> {
        let Some(Json::List(elements)) = place.json else {
            self.refuse(place, "must be a list");
            return None;
        };
        let place_of = |(index, json)| Place { path: format!("{}[{index}]", place.path), json: Some(json) };
        Some(elements.iter().enumerate().map(place_of).collect())
    }

    fn texts(&mut self, place: &Place<'_>, valid: fn(&str) -> bool, must: &str) -> Option<Vec<String>> {
        let texts: Vec<_> = self.list(place)?.iter().map(|element| self.text(element, valid, must)).collect();
        texts.into_iter().collect()
    }

    fn text(&mut self, place: &Place<'_>, valid: fn(&str) -> bool, must: &str) -> Option<String> {
        let text = place.json.and_then(Json::text).filter(|text| valid(text)).map(str::to_owned);
        self.some(text, place, must)
    }

    /// One of the words of an enum.
    fn word<T: DeserializeOwned>(&mut self, place: &Place<'_>, must: &str) -> Option<T> {
        let word = place.scalar().and_then(|value| serde_json::from_value(value.clone()).ok());
        self.some(word, place, must)
    }

    fn whole(&mut self, place: &Place<'_>, range: RangeInclusive<u32>, must: &str) -> Option<u32> {
        let number = place.scalar().and_then(|value| u32::try_from(value.as_u64()?).ok());
        self.some(number.filter(|number| range.contains(number)), place, must)
    }

    fn some<T>(&mut self, value: Option<T>, place: &Place<'_>, must: &str) -> Option<T> {
        if value.is_none() {
            self.refuse(place, must);
        }
        value
    }

    /// Tells what must be, and what is.
    fn refuse(&mut self, place: &Place<'_>, must: &str) {
        self.tell(place, &format!("{must}; it is {}", place.found()));
    }

    fn tell(&mut self, place: &Place<'_>, message: &str) {
        let (path, message) = (place.path.clone(), message.to_owned());
        self.problems.push(Problem { path, rule: None, name: None, message });
    }
}

fn is_name(text: &str) -> bool {
    let first = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    text.len() <= 64
        && text.starts_with(first)
        && text.chars().all(|character| first(character) || "-_".contains(character))
}

fn is_bucket_glob(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.*?".contains(c);
    (1..=63).contains(&text.len()) && text.chars().all(allowed)
}

fn is_slack_id(text: &str, kinds: [char; 2]) -> bool {
    text.len() >= 3
        && text.starts_with(kinds)
        && text.chars().all(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What is wrong with a document, a line each.
    fn told(document: &str) -> Vec<String> {
        let invalid = Policy::parse(document.as_bytes()).expect_err(document);
        invalid.problems().iter().map(ToString::to_string).collect()
    }

    fn rule(members: Value) -> Value {
        let mut rule = json!({"name": "a", "disposition": "quarantine"});
        rule.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        rule
    }

    #[test]
    fn what_is_left_out_matches_all_and_asks_once() {
        let document = json!({"version": 1, "rules": [rule(json!({}))]}).to_string();
        let expected = Rule {
            name: "a".into(),
            finding_types: vec!["*".into()],
            minimum_severity: Severity::Low,
            buckets: vec!["*".into()],
            disposition: Disposition::Quarantine,
            approvers: Vec::new(),
            rounds: 1,
            channel: None,
            versions: Versions::Reported,
            verify: Verify::Standard,
            after_restore: AfterRestore::Join,
        };
        assert_eq!(Policy::parse(document.as_bytes()).unwrap().rules, [expected]);
    }

    #[test]
    fn everything_wrong_is_told_at_once_each_with_its_place() {
        let document = json!({"version": 2, "also": true, "rules": [
            {"name": "ask", "disposition": "shred", "channel": "", "approvers": {"users": ["U0ALICE001", "bob"]}},
            {"name": "ask", "disposition": "review", "rounds": 1.5},
            7,
        ]});
        assert_eq!(
            told(&document.to_string()),
            [
                r#"$: must not have "also", only: version, rules, max_automatic_per_hour, max_automatic_per_bucket_per_hour, restorers"#,
                r#"$.version: must be 1, the only version that this release reads; it is 2"#,
                r#"$.rules[0].disposition (rule 1, "ask"): must be quarantine, review or ignore; it is "shred""#,
                r#"$.rules[0].approvers.users[1] (rule 1, "ask"): must be Slack user ids (U… or W…), not names: names can be taken over; it is "bob""#,
                r#"$.rules[0].channel (rule 1, "ask"): must be a Slack channel id (C… or G…) or null; it is """#,
                r#"$.rules[1] (rule 2, "ask"): must not follow a rule that matches everything: it would never be reached"#,
                r#"$.rules[1].name (rule 2, "ask"): must be distinct: a case records the rule that decided it; it is "ask""#,
                r#"$.rules[1].rounds (rule 2, "ask"): must be a whole number from 1 to 30; it is 1.5"#,
                r#"$.rules[1] (rule 2, "ask"): must name at least one approver in approvers.users when its disposition is review"#,
                r#"$.rules[2] (rule 3): must not follow a rule that matches everything: it would never be reached"#,
                r#"$.rules[2] (rule 3): must be an object; it is 7"#,
            ]
        );
        let invalid = Policy::parse(document.to_string().as_bytes()).unwrap_err();
        let first = &invalid.problems()[0];
        assert_eq!(invalid.to_string(), format!("{first} (and 10 more)"), "one sentence for a case record");
    }

    #[test]
    fn a_document_of_another_shape_is_refused() {
        for (document, says) in [
            ("", "$: must be JSON: EOF"),
            ("{", "$: must be JSON: EOF"),
            ("{} {}", "$: must be JSON: trailing characters"),
            ("null", "$: must be an object; it is null"),
            ("[1, []]", "$: must be an object; it is a list"),
            ("{}", "$.version: must be 1, the only version that this release reads; it is missing"),
            (r#"{"version": "1", "rules": []}"#, r#"$.version: must be 1"#),
            (r#"{"version": 1}"#, "$.rules: must be a list; it is missing"),
            (r#"{"version": 1, "rules": {}}"#, "$.rules: must be a list; it is an object"),
            (
                r#"{"version": 1, "rules": [["a", ["*"], "Low", ["*"], "quarantine"]]}"#,
                "$.rules[0] (rule 1): must be an object; it is a list",
            ),
            (r#"{"version": 1, "rules": [], "rules": []}"#, r#"$: must not have "rules" twice"#),
            ("\u{feff}{\"version\": 1, \"rules\": []}", "$: must be UTF-8 without a byte order mark"),
        ] {
            let told = told(document);
            assert!(told.iter().any(|line| line.starts_with(says)), "{document}: {told:?}");
        }
    }

    #[test]
    fn a_rule_of_another_shape_is_refused() {
        for (members, says) in [
            (
                json!({"approvers": ["U0ALICE001"]}),
                ".approvers (rule 1, \"a\"): must be an object; it is a list",
            ),
            (
                json!({"approvers": [["U0ALICE001"]]}),
                ".approvers (rule 1, \"a\"): must be an object; it is a list",
            ),
            (
                json!({"approvers": {"user": []}}),
                ".approvers (rule 1, \"a\"): must not have \"user\", only: users",
            ),
            (json!({"buckets": "*"}), ".buckets (rule 1, \"a\"): must be a list; it is \"*\""),
            (json!({"buckets": null}), ".buckets (rule 1, \"a\"): must be a list; it is null"),
            (json!({"buckets": [7]}), ".buckets[0] (rule 1, \"a\"): must be bucket names"),
            (json!({"bucket": ["x"]}), " (rule 1, \"a\"): must not have \"bucket\", only: name, "),
            (json!({"name": null}), ".name (rule 1): must be 1 to 64 lower-case letters"),
            (json!({"disposition": ["quarantine"]}), ".disposition (rule 1, \"a\"): must be quarantine"),
            (
                json!({"disposition": {"quarantine": null}}),
                ".disposition (rule 1, \"a\"): must be quarantine",
            ),
        ] {
            let document = json!({"version": 1, "rules": [rule(members)]}).to_string();
            let told = told(&document);
            assert!(told[0].starts_with(&format!("$.rules[0]{says}")), "{document}: {told:?}");
        }
    }

    #[test]
    fn what_is_shown_of_a_wrong_value_is_short_and_has_no_control_characters() {
        for name in ["a\nb".to_owned(), "a\u{9b}31m".to_owned(), "a\u{202e}".to_owned(), "A".repeat(100_000)]
        {
            let document = json!({"version": 1, "rules": [rule(json!({"name": name}))]}).to_string();
            let told = told(&document);
            assert_eq!(told.len(), 1);
            assert!(told[0].len() < 400 && !told[0].contains(&name), "{}", told[0]);
            assert!(!told[0].contains(char::is_control), "{}", told[0]);
        }
    }

    proptest! {
        #[test]
        fn any_document_is_read_or_refused_with_a_reason(document in "[\\[\\]{}:,\"a-z0-9*]{0,40}|\\PC{0,60}") {
            if let Err(invalid) = Policy::parse(document.as_bytes()) {
                prop_assert!(!invalid.problems().is_empty());
            }
        }

        #[test]
        fn a_rule_with_every_member_as_terraform_writes_it_is_read(
            bucket in "[a-z0-9.*?-]{1,63}", severity in "Low|Medium|High", user in "[UW][A-Z0-9]{2,10}", rounds in 1u32..=30,
        ) {
            let rule = json!({
                "name": "ask", "finding_types": ["SensitiveData:*"], "minimum_severity": severity, "buckets": [bucket],
                "disposition": "review", "approvers": {"users": [user]}, "rounds": rounds, "channel": null,
            });
            let document = json!({"version": 1, "rules": [rule]}).to_string();
            prop_assert!(Policy::parse(document.as_bytes()).is_ok(), "{}", document);
        }
    }
}
