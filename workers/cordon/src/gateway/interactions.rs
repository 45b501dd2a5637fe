//! What a click says, and what is done about it.

use serde::Deserialize;

use super::router::Gateway;
use crate::{
    clients::{
        restores::{self, Request},
        slack::Slack,
    },
    domain::{
        case::{Case, Decision, Status, Vote},
        message::{self, DISMISS_ACTION, QUARANTINE_ACTION, RESTORE_ACTION},
        time,
    },
    error::Error,
};

/// A click on a button, as far as Cordon reads it. Slack's other members may come and go.
#[derive(Debug, Deserialize)]
pub(super) struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    #[serde(default)]
    team: Option<Team>,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Debug, Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    team_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Team {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Channel {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Action {
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

/// A click that means something to Cordon.
#[derive(Debug, PartialEq)]
pub(super) struct Click {
    pub(super) user: String,
    /// The user's own workspace: channels may be shared with strangers.
    pub(super) team: String,
    pub(super) channel: String,
    pub(super) asks: Asks,
    pub(super) approval_id: String,
    pub(super) case_id: String,
    pub(super) plan_hash: String,
}

/// What a button is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// A vote.
    Decision(Decision),
    /// The object back.
    Restore,
}

impl Interaction {
    /// The click, or what is not as it should be.
    pub(super) fn click(self) -> Result<Click, &'static str> {
        if self.kind != "block_actions" {
            return Err("not a click on a button");
        }
        let [action] = <[Action; 1]>::try_from(self.actions).map_err(|_| "not exactly one action")?;
        let (asks, approval_id) = [
            (QUARANTINE_ACTION, Asks::Decision(Decision::Quarantine)),
            (DISMISS_ACTION, Asks::Decision(Decision::Dismiss)),
            (RESTORE_ACTION, Asks::Restore),
        ]
        .into_iter()
        .find_map(|(prefix, asks)| Some((asks, action.action_id.strip_prefix(prefix)?)))
        .ok_or("an unknown action")?;
        let value = action.value.ok_or("an action without value")?;
        let (case_id, plan_hash) = value.split_once(':').ok_or("an action with a foreign value")?;
        Ok(Click {
            team: self.user.team_id.or(self.team.map(|team| team.id)).ok_or("a user without workspace")?,
            user: self.user.id,
            channel: self.channel.ok_or("no channel")?.id,
            asks,
            approval_id: approval_id.to_owned(),
            case_id: case_id.to_owned(),
            plan_hash: plan_hash.to_owned(),
        })
    }
}

/// What a click came to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The vote is on record; the run is to be woken with this token, if it waits already.
    Voted { token: Option<String> },
    /// The request to have the object back is on record.
    Restoring,
    /// Not a request that Slack's own button would make: logged, and not explained.
    Refused(&'static str),
    /// Nothing changes, and the person is told why in private.
    Told(String),
}

/// Judges a click and records the vote or the request. The record decides, whatever the message in Slack still shows.
pub(super) async fn judge(gateway: &Gateway, click: &Click) -> Result<Verdict, Error> {
    let cases = &gateway.cases;
    if click.team != gateway.config.common.slack.team_id {
        return Ok(Verdict::Refused("a user of another workspace"));
    }
    let Some(case) = cases.get(&click.case_id).await? else { return Ok(Verdict::Refused("an unknown case")) };
    if case.plan.channel != click.channel {
        return Ok(Verdict::Refused("another channel than the case's"));
    }
    let decision = match click.asks {
        Asks::Decision(decision) => decision,
        Asks::Restore => return restore(gateway, &case, click).await,
    };
    if let Some(verdict) = ended(&case, click) {
        return Ok(verdict);
    }
    if !case.plan.allows(&click.user) {
        return Ok(Verdict::Told("You are not among the people who may decide this case.".into()));
    }
    let vote = Vote {
        decision,
        user: click.user.clone(),
        team: click.team.clone(),
        at: time::now(),
        plan_hash: click.plan_hash.clone(),
    };
    if let Some(case) = cases.vote(&case.case_id, &click.approval_id, &vote).await? {
        return Ok(Verdict::Voted { token: case.task_token });
    }
    // Somebody else was faster, or the case changed between the two looks.
    match cases.get(&click.case_id).await? {
        Some(case) => {
            Ok(ended(&case, click).unwrap_or(Verdict::Refused("a case that does not take the vote")))
        }
        None => Ok(Verdict::Refused("an unknown case")),
    }
}

/// Restoring is authorised apart from deciding: by the policy in force now.
async fn restore(gateway: &Gateway, case: &Case, click: &Click) -> Result<Verdict, Error> {
    if let Some(verdict) = outdated(case, click) {
        return Ok(verdict);
    }
    let (policy, _) = gateway.state.policy(&gateway.config.policy_key).await?;
    let restorers = policy.map(|policy| policy.restorers);
    if let Some(refused) = not_a_restorer(&click.user, restorers) {
        return Ok(Verdict::Told(refused));
    }
    let request = Request {
        by: format!("slack:{}/{}", click.team, click.user),
        reason: "asked for in Slack".into(),
        replace: false,
        even_if_exposed: false,
    };
    let machine = &gateway.config.object_restore_arn;
    match restores::request(&gateway.cases, &gateway.step_functions, machine, case, request).await? {
        Some(_) => Ok(Verdict::Restoring),
        None => Ok(Verdict::Told(
            "The object is being put back already, or is no longer in quarantine; look at the message."
                .into(),
        )),
    }
}

/// Why this person may not have objects back, if so.
fn not_a_restorer(user: &str, restorers: Result<Vec<String>, String>) -> Option<String> {
    match restorers {
        Err(why) => Some(format!(
            "The policy, which says who may have objects back, cannot be read ({}). An operator can: `cordon restore`.",
            message::escape(&why, 500)
        )),
        Ok(restorers) if restorers.iter().any(|restorer| restorer == user) => None,
        Ok(_) => {
            Some("You are not among the people who may have objects back (`restorers` in policy).".into())
        }
    }
}

fn outdated(case: &Case, click: &Click) -> Option<Verdict> {
    (case.approval_id != click.approval_id || case.plan_hash != click.plan_hash).then(|| {
        Verdict::Told(
            "This button belongs to an earlier state of the case; look at its newest message.".into(),
        )
    })
}

/// Why there is nothing left to decide with this button, if so.
fn ended(case: &Case, click: &Click) -> Option<Verdict> {
    if let Some(verdict) = outdated(case, click) {
        return Some(verdict);
    }
    if case.decision.is_some() {
        return Some(Verdict::Told(format!("Already decided. {}", message::decider(case))));
    }
    if case.status == Status::Closed {
        let detail =
            case.outcome.as_ref().map(|outcome| message::escape(&outcome.detail, 1_000)).unwrap_or_default();
        return Some(Verdict::Told(format!("This case is closed. {detail}")));
    }
    None
}

/// Tells the person who clicked; that they are not told is no reason to fail.
pub(super) async fn tell(slack: &Slack, click: &Click, text: &str) {
    if let Err(error) = slack.tell_privately(&click.channel, &click.user, text).await {
        tracing::warn!(slack.user = click.user, error.message = %error, "a person could not be told");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(action_id: &str, value: &str) -> serde_json::Value {
        json!({"type": "block_actions", "user": {"id": "U0ALICE001", "team_id": "T0CORDON01"},
            "team": {"id": "T0CORDON01", "domain": "example"}, "enterprise": null, "channel": {"id": "C0SECURITY", "name": "x"},
            "actions": [{"action_id": action_id, "value": value, "type": "button"}]})
    }

    fn click(payload: serde_json::Value) -> Result<Click, &'static str> {
        serde_json::from_value::<Interaction>(payload).unwrap().click()
    }

    #[test]
    fn a_click_names_person_case_and_decision() {
        let click = click(payload("quarantine:a1", "case:plan")).unwrap();
        assert_eq!(click.asks, Asks::Decision(Decision::Quarantine));
        assert_eq!(
            (click.approval_id.as_str(), click.case_id.as_str(), click.plan_hash.as_str()),
            ("a1", "case", "plan")
        );
    }

    #[test]
    fn only_who_policy_names_may_have_the_object_back() {
        let refused = |restorers| not_a_restorer("U0ALICE001", restorers).is_some();
        assert!(!refused(Ok(vec!["U0BOB00002".into(), "U0ALICE001".into()])));
        assert!(refused(Ok(vec![])));
        assert!(refused(Ok(vec!["U0BOB00002".into()])));
        assert!(refused(Err("it is cut short".into())));
        assert_eq!(click(payload("restore:a1", "case:plan")).unwrap().asks, Asks::Restore);
    }

    #[test]
    fn the_workspace_is_the_users_own_and_not_the_channels() {
        let mut shared = payload("dismiss:a1", "case:plan");
        shared["user"]["team_id"] = json!("T0STRANGER");
        assert_eq!(click(shared).unwrap().team, "T0STRANGER");
    }

    #[test]
    fn what_is_not_a_click_on_our_buttons_is_refused() {
        for strange in [payload("delete:a1", "case:plan"), payload("quarantine:a1", "case"), payload("", "")]
        {
            assert!(click(strange).is_err());
        }
        let mut two = payload("quarantine:a1", "case:plan");
        two["actions"] = json!([two["actions"][0], two["actions"][0]]);
        assert!(click(two).is_err());
        let mut modal = payload("quarantine:a1", "case:plan");
        modal["type"] = json!("view_submission");
        assert!(click(modal).is_err());
    }
}
