//! A digest: one message in Slack for many cases of a bucket that came at once. Each stays a case of its own, with its
//! own run and its own buttons; the message lists them page by page.

use serde::{Deserialize, Serialize};

use super::{case::Case, slack_message::SlackMessage};

/// The record in `cases`, beside the cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its key.
    pub id: String,
    /// The bucket.
    pub bucket: String,
    /// The cases, in the order in which they came.
    pub members: Vec<String>,
    /// The page that the message shows, from 0.
    pub page: usize,
    /// The message.
    #[serde(flatten)]
    pub message: SlackMessage,
}

/// Always: a digest is never opened again.
pub const GENERATION: u32 = 1;
/// Cases on one page of the message.
pub const PAGE: usize = 8;
/// The most cases of one digest; further ones begin another.
pub const MEMBERS: usize = 400;
/// So many cases of one bucket in a minute have messages of their own.
pub const BURST: u64 = 10;

impl Digest {
    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.members.len().div_ceil(PAGE).max(1)
    }

    /// The page that is shown, whatever was asked for.
    pub fn shown_page(&self) -> usize {
        self.page.min(self.pages() - 1)
    }

    /// The cases on the page that is shown.
    pub fn on_page(&self) -> &[String] {
        let first = self.shown_page() * PAGE;
        &self.members[first..self.members.len().min(first + PAGE)]
    }
}

/// The latest asking of undecided cases that a thread can remind of; `None` when nothing is open.
pub fn asked(cases: &[Case]) -> Option<u32> {
    let open = cases.iter().filter(|case| case.takes_votes(&case.approval.id, &case.approval.plan_hash));
    open.filter(|case| case.approval.snooze.is_none()).map(|case| case.approval.asked).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_on_exactly_one_page() {
        let members: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let mut digest = Digest {
            id: "digest#1".into(),
            bucket: "finance".into(),
            members: members.clone(),
            page: 0,
            message: SlackMessage::new(GENERATION, "C0SECURITY"),
        };
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
