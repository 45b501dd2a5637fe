//! What a replay comes to: findings that would be answered otherwise, grouped by how.

use std::collections::BTreeMap;

use cordon_domain::{
    finding::Finding,
    policy::{Decided, Disposition},
    time::Time,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

/// Counts and groups.
#[derive(Debug)]
pub(super) struct Changes {
    since: Timestamp,
    /// Whether two policies are compared; otherwise the groups show what one does.
    compares: bool,
    findings: usize,
    changed: usize,
    unreadable: usize,
    left_out: usize,
    groups: BTreeMap<Group, Members>,
}

/// Findings that one rule answers now, and another one would, with the same difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Group {
    now: Answer,
    proposed: Answer,
    changes: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Answer {
    disposition: Disposition,
    rule: String,
}

#[derive(Debug, Default)]
struct Members {
    ids: Vec<String>,
    buckets: BTreeMap<String, usize>,
}

/// How many buckets of a group a table shows.
const BUCKETS_SHOWN: usize = 3;

impl Changes {
    pub(super) fn new(since: Timestamp, compares: bool) -> Self {
        Self { since, compares, findings: 0, changed: 0, unreadable: 0, left_out: 0, groups: BTreeMap::new() }
    }

    /// So many findings could not be read.
    pub(super) fn unreadable(&mut self, findings: usize) {
        self.unreadable += findings;
    }

    /// One more finding that no policy decides on: a sample, or about Cordon itself.
    pub(super) fn left_out(&mut self) {
        self.left_out += 1;
    }

    /// What both policies say of a finding.
    pub(super) fn add(&mut self, finding: &Finding, now: &Decided, proposed: &Decided) {
        self.findings += 1;
        let changes = differences(now, proposed);
        self.changed += usize::from(!changes.is_empty());
        if self.compares && changes.is_empty() {
            return;
        }
        let group = Group { now: Answer::of(now), proposed: Answer::of(proposed), changes };
        let members = self.groups.entry(group).or_default();
        members.ids.push(finding.id.clone());
        *members.buckets.entry(finding.object.bucket.clone()).or_default() += 1;
    }

    /// The largest groups first.
    fn sorted(&self) -> Vec<(&Group, &Members)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.ids.len()));
        groups
    }

    pub(super) fn json(&self) -> Value {
        let groups: Vec<_> = self
            .sorted()
            .into_iter()
            .map(|(group, members)| {
                json!({
                    "count": members.ids.len(),
                    "now": group.now,
                    "proposed": group.proposed,
                    "changes": group.changes,
                    "buckets": members.buckets,
                    "finding_ids": members.ids,
                })
            })
            .collect();
        json!({
            "since": Time::from(self.since),
            "findings": self.findings,
            "changed": self.changed,
            "unchanged": self.findings - self.changed,
            "unreadable": self.unreadable,
            "left_out": self.left_out,
            "groups": groups,
        })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut rows = vec![if self.compares {
            ["FINDINGS", "NOW", "PROPOSED", "WHAT CHANGES", "BUCKETS"].map(str::to_owned).to_vec()
        } else {
            ["FINDINGS", "NOW", "BUCKETS"].map(str::to_owned).to_vec()
        }];
        for (group, members) in self.sorted() {
            let mut row = vec![members.ids.len().to_string(), group.now.shown()];
            if self.compares {
                row.extend([group.proposed.shown(), group.changes.join(", ")]);
            }
            row.push(members.shown());
            rows.push(row);
        }
        let mut lines = if rows.len() > 1 { table(&rows) } else { Vec::new() };
        let since = Time::from(self.since);
        lines.push(if self.compares {
            format!(
                "Of {} findings since {since}, {} would be answered otherwise and {} as now.",
                self.findings,
                self.changed,
                self.findings - self.changed
            )
        } else {
            format!("{} findings since {since}.", self.findings)
        });
        if self.left_out > 0 {
            lines
                .push(format!("{} more are samples or about Cordon's own buckets: left out.", self.left_out));
        }
        if self.unreadable > 0 {
            lines.push(format!(
                "{} more could not be read, or are gone by now: what becomes of them is not known.",
                self.unreadable
            ));
        }
        lines
    }
}

impl Answer {
    fn of(decided: &Decided) -> Self {
        Self { disposition: decided.effect.disposition, rule: decided.rule.clone() }
    }

    fn shown(&self) -> String {
        let disposition = self.disposition.to_string().to_lowercase();
        format!("{disposition} ({})", self.rule)
    }
}

impl Members {
    /// The buckets with the most findings.
    fn shown(&self) -> String {
        let mut buckets: Vec<_> = self.buckets.iter().collect();
        buckets.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown: Vec<_> = buckets.iter().take(BUCKETS_SHOWN).map(|(name, _)| name.as_str()).collect();
        let more = buckets.len() - shown.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", shown.join(", "))
    }
}

/// The members in which two answers differ, in the words of a policy. Another rule alone is no difference, and what is
/// ignored has no more than its disposition.
fn differences(now: &Decided, proposed: &Decided) -> Vec<&'static str> {
    if [now, proposed].iter().any(|answer| answer.effect.disposition == Disposition::Ignore) {
        return if now.effect.disposition == proposed.effect.disposition {
            Vec::new()
        } else {
            vec!["disposition"]
        };
    }
    let differ = [
        ("disposition", now.effect.disposition != proposed.effect.disposition),
        ("mode", now.shadow != proposed.shadow),
        ("approvers", now.effect.approvers != proposed.effect.approvers),
        ("approvals", now.effect.approvals != proposed.effect.approvals),
        ("rounds", now.effect.rounds != proposed.effect.rounds),
        ("on_expiry", now.effect.on_expiry != proposed.effect.on_expiry),
        ("snooze_seconds", now.effect.snooze_seconds != proposed.effect.snooze_seconds),
        ("channel", now.channel != proposed.channel),
        ("versions", now.effect.versions != proposed.effect.versions),
        ("verify", now.effect.verify != proposed.effect.verify),
        ("after_restore", now.effect.after_restore != proposed.effect.after_restore),
    ];
    differ.into_iter().filter(|(_, differs)| *differs).map(|(member, _)| member).collect()
}

/// Columns with two blanks between them; the last one as long as it likes.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            // Numbers to the right.
            if column == 0 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use cordon_domain::fixtures::finding;
    use cordon_domain::{
        finding::Severity,
        policy::{Fallback, Policy, decide},
    };

    fn changes(compares: bool) -> Changes {
        let policy = |rules: Value| {
            Policy::parse(json!({"version": 1, "rules": rules}).to_string().as_bytes()).unwrap()
        };
        let alice = json!({"users": ["U0ALICE001"]});
        let now = policy(json!([{"name": "ask", "disposition": "review", "approvers": alice}]));
        let proposed = policy(json!([
            {"name": "site", "buckets": ["www"], "disposition": "ignore"},
            {"name": "keys", "finding_types": ["*Credentials"], "disposition": "quarantine", "approvers": alice},
            {"name": "ask-twice", "buckets": ["finance"], "disposition": "review", "approvers": alice, "rounds": 2},
            {"name": "as-before", "disposition": "review", "approvers": alice},
        ]));
        let fallback = Fallback { approvers: vec!["U0FALLBACK".into()], channel: "C0SECURITY".into() };
        let mut changes = Changes::new("2026-03-11T09:00:00Z".parse().unwrap(), compares);
        for (kind, bucket) in [
            ("Credentials", "a"),
            ("Credentials", "b"),
            ("Credentials", "b"),
            ("Credentials", "c"),
            ("Credentials", "d"),
            ("Financial", "finance"),
            ("Financial", "www"),
            ("Financial", "elsewhere"),
        ] {
            let finding = finding(&format!("SensitiveData:S3Object/{kind}"), Severity::High, bucket);
            let answer = |policy| decide(Ok(policy), &finding, None, &fallback);
            changes.add(&finding, &answer(&now), &answer(if compares { &proposed } else { &now }));
        }
        changes.unreadable(2);
        changes
    }

    #[test]
    fn what_would_change_is_grouped_and_the_largest_group_is_first() {
        assert_eq!(
            changes(true).lines(),
            [
                "FINDINGS  NOW           PROPOSED            WHAT CHANGES  BUCKETS",
                "       5  review (ask)  quarantine (keys)   disposition   b, a, c and 1 more",
                "       1  review (ask)  ignore (site)       disposition   www",
                "       1  review (ask)  review (ask-twice)  rounds        finance",
                "Of 8 findings since 2026-03-11T09:00:00.000Z, 7 would be answered otherwise and 1 as now.",
                "2 more could not be read, or are gone by now: what becomes of them is not known.",
            ]
        );
        let json = changes(true).json();
        assert_eq!(
            (&json["changed"], &json["unchanged"], &json["unreadable"]),
            (&json!(7), &json!(1), &json!(2))
        );
        assert_eq!(json["groups"][0]["buckets"]["b"], 2);
        assert_eq!(json["groups"][0]["finding_ids"].as_array().unwrap().len(), 5);
        assert_eq!(json["groups"][1]["proposed"], json!({"disposition": "ignore", "rule": "site"}));
    }

    #[test]
    fn a_policy_alone_is_shown_rule_by_rule() {
        let alone = changes(false);
        assert_eq!(alone.lines()[1], "       8  review (ask)  b, a, c and 4 more");
        assert_eq!(alone.lines()[2], "8 findings since 2026-03-11T09:00:00.000Z.");
        assert_eq!(alone.json()["changed"], 0);
    }
}
