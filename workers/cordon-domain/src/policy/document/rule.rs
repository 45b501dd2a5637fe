//! Reads one rule.

use serde_json::Value;

use super::reader::{Place, Reader, is_slack_id};
use crate::{
    finding::Severity,
    policy::{
        AfterRestore, Approvers, Criteria, Detected, Disposition, OnExpiry, Rule, RuleEffect, Verify,
        Versions, criteria::matches, json::Json,
    },
};

/// Every sensitive-data finding type of Macie
/// (<https://docs.aws.amazon.com/macie/latest/user/findings-types.html>).
const FINDING_TYPES: [&str; 5] = [
    "SensitiveData:S3Object/Credentials",
    "SensitiveData:S3Object/CustomIdentifier",
    "SensitiveData:S3Object/Financial",
    "SensitiveData:S3Object/Multiple",
    "SensitiveData:S3Object/Personal",
];

/// Every category of what Macie detects
/// (<https://docs.aws.amazon.com/macie/latest/APIReference/findings-describe.html>).
const CATEGORIES: [&str; 4] =
    ["CREDENTIALS", "CUSTOM_IDENTIFIER", "FINANCIAL_INFORMATION", "PERSONAL_INFORMATION"];

const MEMBERS: [&str; 20] = [
    "name",
    "finding_types",
    "minimum_severity",
    "buckets",
    "keys",
    "accounts",
    "categories",
    "identifiers",
    "minimum_count",
    "exposed",
    "disposition",
    "approvers",
    "approvals",
    "rounds",
    "on_expiry",
    "snooze_seconds",
    "channel",
    "versions",
    "verify",
    "after_restore",
];

impl Reader {
    pub(super) fn rule(&mut self, place: &Place<'_>) -> Option<Rule> {
        if self.all_matched {
            self.tell(place, "must not follow a rule that matches everything: it would never be reached");
        }
        let [
            name,
            types,
            severity,
            buckets,
            keys,
            accounts,
            categories,
            identifiers,
            count,
            exposed,
            disposition,
            approvers,
            approvals,
            rounds,
            on_expiry,
            snooze_seconds,
            channel,
            versions,
            verify,
            after_restore,
        ] = self.object(place, MEMBERS)?;
        let name = self.name(&name);
        let detected = [categories, identifiers, count];
        let criteria = self.criteria(&[types, severity, buckets, keys, accounts, exposed], &detected);
        self.all_matched |= criteria.as_ref().is_some_and(matches_everything);
        let disposition = self.word(&disposition, "must be quarantine, review or ignore");
        let approvers = self.optional(&approvers, Approvers::default(), Self::approvers);
        let approvals =
            self.optional(&approvals, 1, |reader, place| reader.whole(place, 1..=2, "must be 1 or 2"));
        let rounds = self.optional(&rounds, 1, |reader, place| {
            reader.whole(place, 1..=30, "must be a whole number from 1 to 30")
        });
        let on_expiry = self.optional(&on_expiry, OnExpiry::default(), |reader, place| {
            reader.word(place, "must be leave, ask_again or quarantine")
        });
        let snooze_seconds = self.optional(&snooze_seconds, 86_400, |reader, place| {
            reader.whole(place, 1..=604_800, "must be a whole number from 1 to 604800 (a week)")
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

        let approved = approvers.as_ref().map(|approvers| *approvers != Approvers::default());
        if disposition == Some(Disposition::Review) && approved == Some(false) {
            self.tell(
                place,
                "must name at least one approver in approvers.users or approvers.groups when its disposition is review",
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

        Some(Rule {
            name: name?,
            criteria: criteria?,
            channel: channel?,
            effect: RuleEffect {
                disposition: disposition?,
                approvers: approvers?,
                approvals: approvals?,
                rounds: rounds?,
                on_expiry: on_expiry?,
                snooze_seconds: snooze_seconds?,
                versions: versions?,
                verify: verify?,
                after_restore: after_restore?,
            },
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

    fn criteria(
        &mut self,
        [types, severity, buckets, keys, accounts, exposed]: &[Place<'_>; 6],
        detected: &[Place<'_>; 3],
    ) -> Option<Criteria> {
        let finding_types = self.globs(
            types,
            |glob| FINDING_TYPES.iter().any(|finding_type| matches(glob, finding_type)),
            "must be sensitive-data finding types of Macie (such as SensitiveData:S3Object/Financial), or globs of \
             them with * and ?: anything else would never match",
            "finding types",
        );
        let minimum_severity = self.optional(severity, Severity::Low, |reader, place| {
            reader.word(place, "must be Low, Medium or High, as Macie spells them")
        });
        let must = "must be bucket names (no ARNs), or globs of them with * and ?";
        let buckets = self.globs(buckets, is_bucket_glob, must, "bucket names");
        let must = "must be object keys, or globs of them with * and ?, none of them empty";
        let keys = self.globs(keys, |key| !key.is_empty(), must, "object keys");
        let must = "must be account ids of 12 digits, or globs of them with * and ?";
        let accounts = self.globs(accounts, is_account_glob, must, "account ids");
        let detected = self.detected(detected);
        let exposed = self.optional(exposed, None, |reader, place| {
            let exposed = place.scalar().and_then(Value::as_bool);
            reader.some(exposed, place, "must be true or false").map(Some)
        });
        Some(Criteria {
            finding_types: finding_types?,
            minimum_severity: minimum_severity?,
            buckets: buckets?,
            keys: keys?,
            accounts: accounts?,
            detected: detected?,
            exposed: exposed?,
        })
    }

    fn detected(&mut self, [categories, identifiers, count]: &[Place<'_>; 3]) -> Option<Option<Detected>> {
        let asked = [categories, identifiers, count].iter().any(|place| place.json.is_some());
        let must = "must be CREDENTIALS, CUSTOM_IDENTIFIER, FINANCIAL_INFORMATION or PERSONAL_INFORMATION, as Macie \
            spells them";
        let categories =
            self.some_texts(categories, |category| CATEGORIES.contains(&category), must, "categories");
        let must = "must be names of managed or custom data identifiers (such as CREDIT_CARD_NUMBER), or globs of them \
            with * and ?, none of them empty";
        let identifiers =
            self.some_texts(identifiers, |identifier| !identifier.is_empty(), must, "identifiers");
        let minimum_count = self.optional(count, 1, |reader, place| {
            reader.whole(place, 1..=1_000_000, "must be a whole number from 1 to 1000000")
        });
        let detected =
            Detected { categories: categories?, identifiers: identifiers?, minimum_count: minimum_count? };
        Some(asked.then_some(detected))
    }

    fn globs(
        &mut self,
        place: &Place<'_>,
        valid: fn(&str) -> bool,
        must: &str,
        what: &str,
    ) -> Option<Vec<String>> {
        let globs = self.some_texts(place, valid, must, what)?;
        Some(if place.json.is_none() { vec!["*".into()] } else { globs })
    }

    /// At least one text where the member is there at all.
    fn some_texts(
        &mut self,
        place: &Place<'_>,
        valid: fn(&str) -> bool,
        must: &str,
        what: &str,
    ) -> Option<Vec<String>> {
        let texts =
            self.optional(place, Vec::new(), |reader, place| reader.texts(place, valid, must, what))?;
        if texts.is_empty() && place.json.is_some() {
            self.tell(place, "must not be empty: such a rule would never match. Leave it out to match all");
        }
        Some(texts)
    }

    fn approvers(&mut self, place: &Place<'_>) -> Option<Approvers> {
        let [users, groups] = self.object(place, ["users", "groups"])?;
        let users = self.optional(&users, Vec::new(), Self::user_ids);
        let must = "must be ids of Slack user groups (S…), not their handles";
        let groups = self.optional(&groups, Vec::new(), |reader, place| {
            reader.texts(place, |text| is_slack_id(text, &['S']), must, "ids of user groups")
        });
        Some(Approvers { users: users?, groups: groups? })
    }

    fn channel(&mut self, place: &Place<'_>) -> Option<Option<String>> {
        if let Some(Json::Scalar(Value::Null)) = place.json {
            return Some(None);
        }
        let must = "must be a Slack channel id (C… or G…) or null";
        self.text(place, |text| is_slack_id(text, &['C', 'G']), must).map(Some)
    }
}

fn matches_everything(criteria: &Criteria) -> bool {
    let every_type = |glob: &String| FINDING_TYPES.iter().all(|finding_type| matches(glob, finding_type));
    let every_text = |globs: &[String]| globs.iter().any(|glob| glob.chars().all(|c| c == '*'));
    criteria.minimum_severity == Severity::Low
        && criteria.finding_types.iter().any(every_type)
        && every_text(&criteria.buckets)
        && every_text(&criteria.keys)
        && every_text(&criteria.accounts)
        && criteria.detected.is_none()
        && criteria.exposed.is_none()
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

/// Whether some account id can match.
fn is_account_glob(text: &str) -> bool {
    let stars = text.chars().filter(|&c| c == '*').count();
    let digits = text.len() - stars;
    text.chars().all(|c| c.is_ascii_digit() || "*?".contains(c)) && (digits == 12 || stars > 0 && digits < 12)
}
