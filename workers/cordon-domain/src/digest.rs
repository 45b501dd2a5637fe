//! A digest: one message in Slack for many cases of a bucket that came at once. Each stays a case of its own, with its
//! own run and its own buttons; the message lists them page by page.

use serde::{Deserialize, Serialize};

use super::case::Case;

/// The record in `cases`, beside the cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// [`key`].
    pub case_id: String,
    /// Always 1: a digest is never opened again.
    pub generation: u32,
    /// The Slack channel.
    pub channel: String,
    /// The bucket.
    pub bucket: String,
    /// The cases, in the order in which they came.
    pub members: Vec<String>,
    /// The page that the message shows, from 0.
    pub page: usize,
    /// The latest round of asking that the thread tells of.
    #[serde(default)]
    pub reminded: u32,
    /// The message in Slack, once it was posted.
    #[serde(default)]
    pub slack_ts: Option<String>,
    /// The channel of that message, where it is another.
    #[serde(default)]
    pub slack_channel: Option<String>,
    /// Set just before the first attempt to post.
    #[serde(default)]
    pub slack_intent_at: Option<String>,
    /// When it is due.
    #[serde(default)]
    pub render_due_at: Option<String>,
    /// How often in a row Slack has not taken the message.
    #[serde(default)]
    pub render_failures: u32,
}

/// The beginning of every digest's key.
pub const PREFIX: &str = "digest#";
/// Cases on one page of the message.
pub const PAGE: usize = 8;
/// The most cases of one digest; further ones begin another.
pub const MEMBERS: usize = 400;
/// So many cases of one bucket in a minute have messages of their own.
pub const BURST: u64 = 10;
/// How much of a stored time names the minute, and the hour.
const MINUTE: usize = "2026-03-11T09:47".len();
const HOUR: usize = "2026-03-11T09".len();

/// The key of the digest of this number for a bucket in this hour.
pub fn key(channel: &str, bucket: &str, now: &str, number: usize) -> String {
    format!("{PREFIX}{channel}#{bucket}#{}#{number}", &now[..HOUR])
}

/// The key that counts the cases of a bucket in this minute.
pub fn burst_key(channel: &str, bucket: &str, now: &str) -> String {
    format!("burst#{channel}#{bucket}#{}", &now[..MINUTE])
}

impl Digest {
    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.members.len().div_ceil(PAGE).max(1)
    }

    /// The page that is shown, whatever was asked for.
    pub fn shown_page(&self) -> usize {
        self.page.min(self.pages() - 1)
    }

    /// Whether a click in this channel may be on a button of it.
    pub fn is_shown_in(&self, channel: &str) -> bool {
        channel == self.channel || self.slack_channel.as_deref() == Some(channel)
    }

    /// The cases on the page that is shown.
    pub fn on_page(&self) -> &[String] {
        let first = self.shown_page() * PAGE;
        &self.members[first..self.members.len().min(first + PAGE)]
    }
}

/// The latest asking of undecided cases that a thread can remind of; `None` when nothing is open.
pub fn asked(cases: &[Case]) -> Option<u32> {
    let open = cases.iter().filter(|case| case.takes_votes(&case.approval_id, &case.plan_hash));
    open.filter(|case| case.snooze.is_none()).map(|case| case.asked).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_on_exactly_one_page() {
        let members: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let mut digest = Digest {
            case_id: key("C0SECURITY", "finance", "2026-03-11T09:47:00.000Z", 0),
            generation: 1,
            channel: "C0SECURITY".into(),
            bucket: "finance".into(),
            members: members.clone(),
            page: 0,
            reminded: 0,
            slack_ts: None,
            slack_channel: None,
            slack_intent_at: None,
            render_due_at: None,
            render_failures: 0,
        };
        assert_eq!(digest.case_id, "digest#C0SECURITY#finance#2026-03-11T09#0");
        let mut seen = Vec::new();
        for page in 0..digest.pages() {
            digest.page = page;
            seen.extend(digest.on_page().to_vec());
        }
        assert_eq!(seen, members);
        digest.page = 99;
        assert_eq!(digest.on_page(), &members[16..], "a page that is no longer there shows the last");
    }
}
