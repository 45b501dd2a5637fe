//! Every item of the two tables: its key, what it holds, and who writes it.
//!
//! # `cases` (key: `id`)
//!
//! | `id` | Attributes | Written by |
//! |---|---|---|
//! | `case#<case id>` | what a case is about: `case_id`, `generation`, `plan_hash`, `opened_at`, `finding_ids`, `finding`, `policy_answer`, `disposition`, `plan` (its text), `plan_mac`, `history`; `bucket` and `short_id` for their indexes | the worker, when a case is opened, joined or renewed |
//! | `approval#<case id>` | how it stands: `case_id`, `generation`, `execution_arn`, `status`, `approval_id`, `plan_hash`, `votes`, `decided`, `snooze`, `refused`, the round, tokens, `copies`, `restores`, `purge`, `closing`; `channel` and `sole_approvers`, which the conditions of a vote ask for; attributes of the indexes below | worker, gateway, and the state machines (tokens) |
//! | `message#<case id>` | where Slack shows it: [`cordon_domain::slack_message::SlackMessage`], `claimed_until`, `claim` | the worker |
//! | `digest#<channel>#<bucket>#<hour>#<number>` | [`cordon_domain::digest::Digest`], `claimed_until`, `claim` | the worker; the gateway turns pages |
//! | `burst#<channel>#<bucket>#<minute>` | `cases`: how many came | the worker |
//! | `finding#<finding id>` | `triaged_at` | the worker |
//! | `restored#<case id>` | `original`: the case whose restore has made this object version | the worker |
//! | `rate_limit#<hour>[#<bucket>[#<prefix>]]` | `moves`: automatic moves in that hour | the worker |
//! | `rate_limit_mark#<case id>#<generation>#<execution>` | `hour`, `given_back`: that a move is counted | the worker |
//! | `notice#<what>` | `told_at`, `told_by`, `leased_until`: when operators were told of something, and who is about to | the worker |
//! | `request#<request id>` | [`cordon_domain::request::Answer`], `sender`: what came of a request by message | the worker |
//! | `pause` | [`cordon_domain::pause::Pause`] | operators |
//!
//! Sparse indexes, keys only: an item has the attributes only while it belongs in the index.
//!
//! | Index | Hash and range | Holds |
//! |---|---|---|
//! | `open` | `is_open`, `open_since` (time and execution) | cases and restores at which an execution is at work |
//! | `slack_due` | `slack_due`, `slack_due_at` | cases and digests that Slack does not show as they are |
//! | `waiting` | `is_waiting`, `waiting_since` | cases whose execution is to be woken: decided, or paused |
//! | `quarantined` | `is_quarantined`, `quarantined_at` | cases that have copies, or had |
//! | `by_bucket` | `bucket`, `opened_at` | every case |
//! | `by_short_id` | `short_id` | every case |
//!
//! `expires_at` is the TTL of what nobody asks for any more; it only tidies.
//!
//! # `exposures` (keys: `bucket_arn`, `item`)
//!
//! | `bucket_arn`, `item` | Attributes |
//! |---|---|
//! | bucket, `access#<finding id>` | [`cordon_domain::exposure::access_finding::AccessFinding`], `seen`, `missing_from_list`; `expires_at` once it was taken away |
//! | bucket, `bucket` | [`cordon_domain::exposure::BucketRecord`]: claim, revision, failures in a row, `due` |
//! | bucket, `scan#latest` | [`cordon_domain::exposure::ScanRecord`] |
//! | bucket, `report#latest` | [`cordon_domain::exposure::ReportRecord`] |
//! | bucket, `object#<case id>` | [`cordon_domain::exposure::reported_object::ReportedObject`], `ended_at`, `ended_because`, `expires_at` |
//! | batch, `job` | [`cordon_domain::exposure::JobRecord`], `due`; `expires_at` once nothing waits for it |
//! | `lease`, `lease` | `holder`, `held_until`, `epoch` |
//! | `sweep`, `sweep` | `until`: up to when findings have been swept |
//! | `sync`, `sync` | `until`: up to when access findings have been read |

use cordon_domain::{request::RequestId, time::Time};

/// The hash of an index that everything in it shares.
pub(super) const YES: &str = "yes";
/// The key of the pause.
pub(super) const PAUSE: &str = "pause";
/// The beginning of every digest's key.
pub const DIGEST: &str = "digest#";
const CASE: &str = "case#";
const APPROVAL: &str = "approval#";
const MESSAGE: &str = "message#";

/// The attributes of a case that its `case#` item holds; its other attributes are in the `approval#` item.
pub(super) const OF_CASE: &[&str] = &[
    "case_id",
    "generation",
    "plan_hash",
    "opened_at",
    "finding_ids",
    "finding",
    "policy_answer",
    "disposition",
    "plan",
    "plan_mac",
    "history",
];
/// Those that both items hold: they belong together when these are alike.
pub(super) const OF_BOTH: &[&str] = &["case_id", "generation", "plan_hash"];

/// How many digits of a case id people are shown, and may give instead of it.
pub const SHORT_ID: usize = 12;
/// How much of a stored time names the minute, and the hour.
const MINUTE: usize = "2026-03-11T09:47".len();
const HOUR: usize = "2026-03-11T09".len();

fn beginning(time: Time, length: usize) -> String {
    time.to_string()[..length].to_owned()
}

/// What a case is about.
pub(super) fn case(case_id: &str) -> String {
    format!("{CASE}{case_id}")
}

/// How a case stands. State machines write tokens there.
pub fn approval(case_id: &str) -> String {
    format!("{APPROVAL}{case_id}")
}

/// Where Slack shows a case.
pub fn message(case_id: &str) -> String {
    format!("{MESSAGE}{case_id}")
}

/// The case that a key of an index belongs to.
pub(super) fn case_id(key: &str) -> Option<&str> {
    [CASE, APPROVAL].iter().find_map(|prefix| key.strip_prefix(prefix))
}

/// The range key of the index `open`: so that the reconciler reads no case whose execution is running.
pub(super) fn open_since(since: Time, execution_arn: &str) -> String {
    format!("{since}#{execution_arn}")
}

pub(super) fn digest(channel: &str, bucket: &str, now: Time, number: usize) -> String {
    format!("{DIGEST}{channel}#{bucket}#{}#{number}", beginning(now, HOUR))
}

pub(super) fn burst(channel: &str, bucket: &str, now: Time) -> String {
    format!("burst#{channel}#{bucket}#{}", beginning(now, MINUTE))
}

pub(super) fn triaged(finding_id: &str) -> String {
    format!("finding#{finding_id}")
}

pub(super) fn restored(case_id: &str) -> String {
    format!("restored#{case_id}")
}

/// The hour of a stored time, as counters name it.
pub(super) fn hour(now: Time) -> String {
    beginning(now, HOUR)
}

/// The counter of the moves of an hour, in all or in a bucket.
pub(super) fn moves(hour: &str, bucket: Option<&str>) -> String {
    match bucket {
        None => format!("rate_limit#{hour}"),
        Some(bucket) => format!("rate_limit#{hour}#{bucket}"),
    }
}

/// The counter of the moves of an hour below one prefix of a bucket. A bucket's name has no `#`, and what follows is the prefix.
pub(super) fn moves_below(hour: &str, bucket: &str, prefix: &str) -> String {
    format!("rate_limit#{hour}#{bucket}#{prefix}")
}

pub(super) fn counted_move(case_id: &str, generation: u32, execution_arn: &str) -> String {
    format!("rate_limit_mark#{case_id}#{generation}#{execution_arn}")
}

/// What came of a request.
pub(super) fn request(id: &RequestId) -> String {
    format!("request#{}", id.as_str())
}

/// When operators were told of something.
pub fn notice(of: &str) -> String {
    format!("notice#{of}")
}

/// The items of `exposures`: their second key, and of those that are no bucket's both.
pub(super) mod exposures {
    use cordon_domain::exposure::reported_object::ReportedObject;

    /// Values of `due`, by which the index `due` finds what is to be looked at.
    pub(in crate::store) const DUE_BUCKET: &str = "bucket";
    pub(in crate::store) const DUE_JOB: &str = "job";

    pub(in crate::store) const BUCKET: &str = "bucket";
    pub(in crate::store) const JOB: &str = "job";
    pub(in crate::store) const SCAN: &str = "scan#latest";
    pub(in crate::store) const REPORT: &str = "report#latest";
    pub(in crate::store) const LEASE: &str = "lease";
    pub(in crate::store) const SWEEP: &str = "sweep";
    pub(in crate::store) const SYNC: &str = "sync";
    /// The beginning of every access finding's.
    pub(in crate::store) const ACCESS: &str = "access#";
    /// The beginning of every reported object's.
    pub(in crate::store) const OBJECT: &str = "object#";

    pub(in crate::store) fn access(finding_id: &str) -> String {
        format!("{ACCESS}{finding_id}")
    }

    pub(in crate::store) fn object(object: &ReportedObject) -> String {
        format!("{OBJECT}{}", object.finding.object.case_id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::fixtures::time;

    #[test]
    fn keys_of_kinds_differ_and_lead_back_to_the_case() {
        assert_eq!(case_id(&case("a1")), Some("a1"));
        assert_eq!(case_id(&approval("a1")), Some("a1"));
        assert_eq!(case_id(&digest("C0", "finance", time("2026-03-11T09:47:00.000Z"), 0)), None);
        assert_eq!(digest("C0", "b", time("2026-03-11T09:47:00.000Z"), 2), "digest#C0#b#2026-03-11T09#2");
        assert_eq!(burst("C0", "b", time("2026-03-11T09:47:00.000Z")), "burst#C0#b#2026-03-11T09:47");
    }
}
