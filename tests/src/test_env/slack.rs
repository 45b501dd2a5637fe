//! What Slack shows, and the clicks on it.

use anyhow::{Context, Result};
use serde_json::Value;

use super::{CHANNEL, TestEnv};
use crate::eventually;

impl TestEnv {
    /// The messages that speak of a bucket.
    pub fn messages(&self, bucket: &str) -> Vec<Value> {
        let all = self.sandbox.slack().messages(CHANNEL);
        all.into_iter().filter(|message| message["blocks"].to_string().contains(bucket)).collect()
    }

    /// Waits until Slack shows a message about a bucket with this in it.
    pub async fn shows(&self, bucket: &str, text: &str) -> Result<Value> {
        eventually(&format!("a message about {bucket} with {text:?}"), async || {
            Ok(self.messages(bucket).into_iter().find(|message| message["blocks"].to_string().contains(text)))
        })
        .await
    }

    /// Waits until Slack asks about a bucket; gives back the message.
    pub async fn asked(&self, bucket: &str) -> Result<Value> {
        self.shows(bucket, "quarantine:").await
    }

    /// Clicks a button of a message; the answer's HTTP status.
    pub async fn click(&self, user: &str, message: &Value, action: &str) -> Result<u16> {
        let ts = message["ts"].as_str().context("a message has a ts")?;
        let id = action_id(message, action).context("the message has such a button")?;
        Ok(self.sandbox.slack().click(user, CHANNEL, ts, &id).await.status)
    }

    /// Clicks a button that asks why, and sends the modal with this reason; the answer's HTTP status.
    pub async fn click_because(&self, user: &str, message: &Value, action: &str, why: &str) -> Result<u16> {
        let status = self.click(user, message, action).await?;
        if status != 200 {
            return Ok(status);
        }
        let modal = self.modal(user, message, action).await?;
        Ok(self.sandbox.slack().submit(&modal, why).await.status)
    }

    /// Waits for the modal that a button of this message opens, and gives its id.
    pub async fn modal(&self, user: &str, message: &Value, action: &str) -> Result<String> {
        let action = action_id(message, action).context("the message has such a button")?;
        eventually(&format!("a modal for {action}"), async || {
            let modals = self.sandbox.slack().modals(user);
            let modal =
                modals.iter().rev().find(|modal| modal["private_metadata"].to_string().contains(&action));
            Ok(modal.and_then(|modal| modal["id"].as_str().map(str::to_owned)))
        })
        .await
    }
}

/// The action id of a button.
fn action_id(message: &Value, action: &str) -> Option<String> {
    let blocks = message["blocks"].as_array()?;
    let actions = blocks.iter().filter(|block| block["type"] == "actions");
    let buttons = actions.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    // The last, for a page is turned forward.
    let ids: Vec<_> = buttons.filter_map(|button| button["action_id"].as_str()).collect();
    ids.into_iter().rfind(|id| id.starts_with(action)).map(str::to_owned)
}
