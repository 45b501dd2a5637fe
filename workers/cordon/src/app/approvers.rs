//! Who may decide a case: its plan says so, and Slack knows who is in the groups that the plan names.

use std::time::Duration;

use cordon_domain::case::{Case, vote::Voter};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};

use crate::slack::{api::SlackError, people::People};

/// What a click needs for its answer once it is known who is in a group.
const ANSWER_TIME: Duration = Duration::from_millis(400);
/// What Slack is given at least. A click that has less left is late rather than refused because Slack was not asked.
const LEAST_TIME: Duration = Duration::from_millis(400);
/// How long a late click waits to hear who is in a group.
const LATE_TIMEOUT: Duration = Duration::from_millis(1_200);

/// The voter that a Slack user is for a case, if they may decide it. Who is named in the plan waits for nothing; for a
/// group, Slack is asked until shortly before the click's answer is `due`.
///
/// # Errors
/// When Slack does not say in time who is in a group: nobody may decide as its member then, and nobody is known not to be
/// one.
pub(crate) async fn voter(
    people: &People,
    case: &Case,
    team: &str,
    user: &str,
    due: Instant,
) -> Result<Option<Voter>, SlackError> {
    let voter =
        |group: Option<&String>| Voter::Slack { team: team.into(), user: user.into(), group: group.cloned() };
    let themselves = voter(None);
    if case.plan.allows(&themselves, case.approval.escalation.is_some()) {
        return Ok(Some(themselves));
    }
    let (now, in_time) = (Instant::now(), due - ANSWER_TIME);
    let deadline = if now + LEAST_TIME <= in_time { in_time } else { now + LATE_TIMEOUT };
    let groups = case.plan.effect.approvers.groups.iter();
    let mut lookups: FuturesUnordered<_> =
        groups.map(|group| async move { (group, people.members(group).await) }).collect();
    let mut unknown = None;
    loop {
        match timeout_at(deadline, lookups.next()).await {
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
pub(crate) async fn count(people: &People, case: &Case) -> Result<usize, SlackError> {
    let mut approvers: Vec<String> = Vec::new();
    for user in &case.plan.effect.approvers.users {
        if people.is_active(user).await? {
            approvers.push(user.clone());
        }
    }
    for group in &case.plan.effect.approvers.groups {
        approvers.extend(people.members(group).await?);
    }
    approvers.sort_unstable();
    approvers.dedup();
    Ok(approvers.len())
}
