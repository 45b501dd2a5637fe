//! What Slack shows: messages and modals as functions of the records.

pub mod actions;
mod approval;
pub mod case;
pub mod digest;
mod limits;
pub mod message;
pub mod modal;
pub mod mrkdwn;
#[cfg(test)]
mod snapshots;
