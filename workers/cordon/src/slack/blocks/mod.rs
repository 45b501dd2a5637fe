//! What Slack shows: messages and modals as functions of the records.

mod approval;
pub mod case;
pub mod digest;
mod limits;
pub mod modal;
pub mod mrkdwn;
#[cfg(test)]
mod snapshots;
