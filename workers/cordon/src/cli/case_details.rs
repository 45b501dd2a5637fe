//! What a case has gone through, for people and for programs.

use cordon_domain::{
    case::{Case, Closing, Paused, Purge, QuarantineCopy, Restore, RestoreResult, vote::Vote},
    policy::Disposition,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::quarantine::state;

/// The case for programs, without the tokens and button names that it holds.
pub(super) fn record(case: &Case) -> Value {
    json!({
        "case_id": case.case_id,
        "generation": case.generation,
        "status": case.status,
        "state": state::of_copies(case),
        "object": case.object(),
        "finding": case.finding,
        "finding_ids": case.finding_ids,
        "policy_answer": case.policy_answer,
        "disposition": case.disposition,
        "renewal": case.approval.renewal,
        "plan": *case.plan,
        "plan_hash": case.approval.plan_hash,
        "run": case.execution_arn,
        "opened_at": case.opened_at,
        "decided": without_codes(&case.approval.decided),
        "votes": without_codes(&case.approval.votes),
        "round": case.approval.round,
        "round_ends_at": case.approval.round_ends_at,
        "snooze": case.approval.snooze,
        "escalation": case.approval.escalation,
        "refused": case.approval.refused,
        "reach": case.approval.reach,
        "paused": case.waits.paused,
        "copies": case.quarantine.copies,
        "closing": case.closing,
        "restores": without_codes(&case.quarantine.restores),
        "purge": case.quarantine.purge,
        "history": without_codes(&case.history),
    })
}

/// A part of a record without the worker's codes in it, which are nobody else's business.
pub(super) fn without_codes(part: &impl Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("mac");
                members.values_mut().for_each(strip);
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(part).expect("members are plain");
    strip(&mut value);
    value
}

/// The case for people, a line each.
pub(super) fn lines(case: &Case) -> Vec<String> {
    let (object, finding) = (case.object(), &case.finding);
    let version = object.version_id.as_deref().unwrap_or("none (unversioned)");
    let found: Vec<_> = finding.detections.iter().map(|d| format!("{} × {}", d.count, d.name)).collect();
    let state = state::of_copies(case).map_or_else(
        || format!("{} (nothing in quarantine)", case.status.name()),
        |state| state.replace('_', " "),
    );
    let mut lines = vec![
        field("Case", &format!("{}, generation {}", case.case_id, case.generation)),
        field("State", &state),
        field("Object", &format!("{}/{}", object.bucket, object.key)),
        field("Version", &format!("{version}, ETag {}", object.etag)),
        field("Account", &format!("{}, {}", object.account, finding.region)),
        field("Finding", &format!("{}, {}: {}", finding.finding_type, finding.severity, found.join(", "))),
        field("Finding ids", &case.finding_ids.join(", ")),
    ];
    lines.extend(finding.incomplete.as_ref().map(|incomplete| field("Scan", &incomplete.to_string())));
    lines.extend([
        field("Rule", &rule(case)),
        field("Opened", &format!("{} by the run {}", case.opened_at, case.execution_arn)),
    ]);
    lines.extend(
        case.approval
            .renewal
            .as_ref()
            .map(|renewal| field("Renewed", &format!("at {}: {}", renewal.at, renewal.why))),
    );
    if case.takes_votes(&case.approval.id, &case.approval.plan_hash)
        && case.disposition == Disposition::Review
    {
        lines.push(field("Who decides", &approvers(case)));
        let ends =
            case.approval.round_ends_at.map_or_else(|| "not begun".to_owned(), |ends| ends.to_string());
        lines.push(field(
            "Round",
            &format!("{} of {}, until {ends}", case.approval.round, case.plan.effect.rounds),
        ));
    }
    if let Some(reach) = &case.approval.reach {
        let reach = if reach.is_empty() { "nobody outside".to_owned() } else { reach.join(", ") };
        lines.push(field("Reach", &reach));
    }
    lines.extend(case.approval.votes.iter().map(|vote| field("Vote", &voted(vote))));
    lines.extend(case.approval.snooze.as_ref().map(|snooze| {
        field("Snooze", &format!("until {}, by {} at {}", snooze.until, snooze.by, snooze.at))
    }));
    lines.extend(
        case.approval
            .escalation
            .as_ref()
            .map(|escalation| field("Escalation", &format!("at {}: {}", escalation.at, escalation.why))),
    );
    lines.extend(
        case.approval.refused.iter().map(|refused| {
            field("Refused", &format!("{} by {} at {}", refused.asked, refused.by, refused.at))
        }),
    );
    lines.extend(case.waits.paused.as_ref().map(|Paused { at, by }| {
        let why = format!("as {} ordered ({})", by.paused_by, by.reason);
        field("Paused", &format!("since {at}, {why}; it goes on after `cordon resume`"))
    }));
    lines.extend(case.closing.as_ref().map(|closing| field("Outcome", &ended(closing))));
    lines.extend(case.quarantine.copies.iter().map(|copy| field("Copy", &copied(copy))));
    lines.extend(case.quarantine.restores.iter().map(|restore| field("Restore", &asked_back(restore))));
    lines.extend(case.quarantine.purge.as_ref().map(|purge| field("Purge", &purged(purge))));
    for past in &case.history {
        let end = past.closing.as_ref().map_or_else(|| "without an outcome".to_owned(), ended);
        lines.push(field("Earlier", &format!("generation {}: {end}", past.generation)));
        lines.extend(past.quarantine.copies.iter().map(|copy| field("", &format!("copy {}", copied(copy)))));
        lines.extend(
            past.quarantine
                .restores
                .iter()
                .map(|restore| field("", &format!("restore {}", asked_back(restore)))),
        );
    }
    lines
}

fn approvers(case: &Case) -> String {
    let plan = &case.plan;
    let mut who: Vec<&str> =
        plan.effect.approvers.groups.iter().chain(&plan.effect.approvers.users).map(String::as_str).collect();
    if case.approval.escalation.is_some() {
        who.extend(plan.fallback_approvers.iter().map(String::as_str));
    }
    let needed =
        if plan.effect.approvals > 1 { format!("{} of ", plan.effect.approvals) } else { String::new() };
    format!("{needed}{} in Slack, and whoever IAM lets", who.join(", "))
}

pub(super) fn field(name: &str, value: &str) -> String {
    format!("{name:<12} {value}")
}

fn rule(case: &Case) -> String {
    let policy = case.plan.policy_version.as_deref().unwrap_or("unknown");
    let what = match case.disposition {
        Disposition::Quarantine => "quarantines at once",
        Disposition::Review => "asks people",
        Disposition::Ignore => "ignores",
    };
    format!("{} {what} (policy version {policy})", case.plan.rule)
}

fn voted(vote: &Vote) -> String {
    let reason = vote.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} by {} at {}{reason}", vote.decision.name(), vote.by, vote.at)
}

fn ended(Closing { outcome, at }: &Closing) -> String {
    let code = outcome.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code} at {at}: {}", outcome.result.name(), outcome.detail)
}

fn copied(copy: &QuarantineCopy) -> String {
    format!("{} (of generation {})", copy.key, copy.generation)
}

fn asked_back(restore: &Restore) -> String {
    let options = [(restore.replace, ", --replace"), (restore.even_if_exposed, ", --even-if-exposed")];
    let options: String = options.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    let end = restore.outcome.as_ref().map_or_else(
        || "under way".to_owned(),
        |outcome| {
            let code = outcome.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            let result = match outcome.result {
                RestoreResult::Restored => "put back",
                RestoreResult::Failed => "not put back",
            };
            format!("{result}{code} at {}: {}", outcome.at, outcome.detail)
        },
    );
    format!("by {} at {} ({}{options}): {end}", restore.requested_by, restore.requested_at, restore.reason)
}

fn purged(purge: &Purge) -> String {
    let end = purge.done_at.as_ref().map_or_else(
        || "not finished; run `cordon quarantine purge` again".to_owned(),
        |at| format!("done at {at}"),
    );
    format!("by {} at {} ({}): {end}", purge.requested_by, purge.requested_at, purge.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::{
        case::{Decision, OutcomeResult, Status},
        finding::Incomplete,
        fixtures::{case, closing, decided, time, vote},
    };

    /// A case with everything that can be said of one.
    fn full() -> Case {
        let mut earlier = case(Disposition::Review);
        earlier.status = Status::Closed;
        earlier.closing = Some(closing(OutcomeResult::Expired, "Nobody decided in time."));
        let mut case = case(Disposition::Review).after(earlier);
        case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
        case.approval.decided = Some(decided(Decision::Quarantine));
        case.approval.reach = Some(vec!["AWS 999988887777".into()]);
        case.status = Status::Closed;
        case.closing = Some(closing(OutcomeResult::Quarantined, "Moved to the quarantine bucket."));
        case.quarantine.copies = vec![QuarantineCopy { generation: 2, key: "a/b/c/2/object".into() }];
        case.quarantine.purge = Some(Purge {
            requested_by: "arn:paul".into(),
            reason: "GDPR-17".into(),
            requested_at: time("2026-03-11T10:00:00.000Z"),
            done_at: Some(time("2026-03-11T10:01:00.000Z")),
        });
        case
    }

    #[test]
    fn a_case_in_full_for_people_and_for_programs() {
        insta::assert_snapshot!(lines(&full()).join("\n"));
        insta::assert_json_snapshot!(record(&full()));
        insta::assert_snapshot!(lines(&case(Disposition::Review)).join("\n"));
    }

    #[test]
    fn what_macie_could_not_read_is_shown() {
        let mut case = case(Disposition::Review);
        let scan =
            |case: &Case| lines(case).into_iter().find(|line| line.contains("Macie could read only a part"));
        assert_eq!(scan(&case), None);
        case.finding.incomplete = Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
        assert!(scan(&case).is_some_and(|line| line.contains("(ARCHIVE_CONTAINS_UNPROCESSED_FILES)")));
        assert_eq!(record(&case)["finding"]["incomplete"]["code"], "PARTIAL");
    }
}
