//! Receives Slack's signed requests.
//!
//! In this order: body limit, time stamp, signature over the raw bytes, and only then parsing; the voter's workspace,
//! the case behind the button, whether this person may decide; the conditional vote; the answer, within Slack's three
//! seconds; the wake-up; and a private note to the person wherever the message does not show what came of the click.

mod answers;
mod connections;
mod health;
mod parts;
mod router;

pub use parts::Gateway;
pub use router::serve;
