//! Who is who in Slack, remembered for a while: Slack allows few such questions a minute.

use std::{fmt, time::Duration};

use cordon_domain::case::{Case, vote::Voter};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

use super::api::{Slack, SlackError, lookups::Lookups};

/// How long a click waits to hear who is in a group: it must be answered within three seconds.
const PATIENCE: Duration = Duration::from_millis(1_200);

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

    /// The voter that this person is for a case, if they may decide it. Who is named in the plan waits for nothing.
    ///
    /// # Errors
    /// When Slack does not say in time who is in a group: nobody may decide as its member then, and nobody is known not
    /// to be one.
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
        let deadline = Instant::now() + PATIENCE;
        let groups = case.plan.approver_groups.iter();
        let mut looking: FuturesUnordered<_> =
            groups.map(|group| async move { (group, self.members(group).await) }).collect();
        let mut unknown = None;
        loop {
            match timeout_at(deadline, looking.next()).await {
                Ok(Some((group, Ok(members)))) if members.iter().any(|member| member == user) => {
                    return Ok(Some(voter(Some(group))));
                }
                Ok(Some((_, Ok(_)))) => {}
                Ok(Some((_, Err(error)))) => unknown = Some(error),
                Ok(None) => return unknown.map_or(Ok(None), Err),
                Err(_) => return Err(SlackError::Unreachable("no answer in time".into())),
            }
        }
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
        let (slack, asked) = (self.slack.clone(), group.to_owned());
        self.groups.get(group, async move { slack.group_members(&asked).await }).await
    }

    async fn is_active(&self, user: &str) -> Result<bool, SlackError> {
        let (slack, asked) = (self.slack.clone(), user.to_owned());
        self.active.get(user, async move { slack.is_active(&asked).await }).await
    }
}
