//! Who is who in Slack, remembered for a while: Slack allows few such questions a minute.

use std::fmt;

use super::api::{Slack, SlackError, lookups::Lookups};

/// The members of user groups, and who can still log in.
pub struct People {
    slack: Slack,
    groups: Lookups<Vec<String>>,
    active: Lookups<bool>,
}

impl fmt::Debug for People {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("People").finish_non_exhaustive()
    }
}

impl People {
    /// Nobody is known yet.
    pub fn new(slack: Slack) -> Self {
        Self { slack, groups: Lookups::default(), active: Lookups::default() }
    }

    /// The user ids of the members of a user group.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn members(&self, group: &str) -> Result<Vec<String>, SlackError> {
        let (slack, asked) = (self.slack.clone(), group.to_owned());
        self.groups.get(group, async move { slack.group_members(&asked).await }).await
    }

    /// Whether a user can still log in.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn is_active(&self, user: &str) -> Result<bool, SlackError> {
        let (slack, asked) = (self.slack.clone(), user.to_owned());
        self.active.get(user, async move { slack.is_active(&asked).await }).await
    }
}
