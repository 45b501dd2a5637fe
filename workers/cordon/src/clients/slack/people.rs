//! Who is who in Slack, remembered for a while: Slack allows few such questions a minute.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{Slack, SlackError};
use crate::domain::{case::Case, vote::Voter};

/// How long an answer counts. A person who has left a group may decide no longer than this.
const FRESH: Duration = Duration::from_secs(60);

/// The members of user groups, and who can still log in.
#[derive(Debug)]
pub struct People {
    slack: Slack,
    groups: Mutex<HashMap<String, (Instant, Vec<String>)>>,
    active: Mutex<HashMap<String, (Instant, bool)>>,
}

impl People {
    /// Nobody is known yet.
    pub fn new(slack: Slack) -> Self {
        Self { slack, groups: Mutex::default(), active: Mutex::default() }
    }

    /// The voter that this person is for a case, if they may decide it.
    ///
    /// # Errors
    /// As Slack says: who is in a group is then not known, and nobody may decide as its member.
    pub async fn voter(&self, case: &Case, team: &str, user: &str) -> Result<Option<Voter>, SlackError> {
        let voter = |group: Option<&String>| Voter::Slack {
            team: team.into(),
            user: user.into(),
            group: group.cloned(),
        };
        let themselves = voter(None);
        if case.plan.allows(&themselves, case.escalation.is_some()) {
            return Ok(Some(themselves));
        }
        for group in &case.plan.approver_groups {
            if self.members(group).await?.iter().any(|member| member == user) {
                return Ok(Some(voter(Some(group))));
            }
        }
        Ok(None)
    }

    /// How many people can decide a case before it is escalated.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn approvers(&self, case: &Case) -> Result<usize, SlackError> {
        let mut people: Vec<String> = Vec::new();
        for user in &case.plan.approvers {
            if self.is_active(user).await? {
                people.push(user.clone());
            }
        }
        for group in &case.plan.approver_groups {
            people.extend(self.members(group).await?);
        }
        people.sort_unstable();
        people.dedup();
        Ok(people.len())
    }

    async fn members(&self, group: &str) -> Result<Vec<String>, SlackError> {
        // Held across the call, so that many clicks at once ask once.
        let mut groups = self.groups.lock().await;
        if let Some((at, members)) = groups.get(group)
            && at.elapsed() < FRESH
        {
            return Ok(members.clone());
        }
        let members = self.slack.group_members(group).await?;
        groups.insert(group.to_owned(), (Instant::now(), members.clone()));
        Ok(members)
    }

    async fn is_active(&self, user: &str) -> Result<bool, SlackError> {
        let mut active = self.active.lock().await;
        if let Some((at, is_active)) = active.get(user)
            && at.elapsed() < FRESH
        {
            return Ok(*is_active);
        }
        let is_active = self.slack.is_active(user).await?;
        active.insert(user.to_owned(), (Instant::now(), is_active));
        Ok(is_active)
    }
}
