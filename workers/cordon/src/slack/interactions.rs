//! What Slack says that a person did: a click on a button, or a modal sent.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    config::SlackConfig,
    slack::{
        blocks::{
            actions::{DISMISS_ACTION, PAGE_ACTION, QUARANTINE_ACTION, RESTORE_ACTION, SNOOZE_ACTION},
            modal,
        },
        capability::Capability,
        signature::Verified,
    },
};

/// A click on a button or a modal, as far as Cordon reads it. Slack's other members may come and go.
#[derive(Deserialize)]
struct Interaction {
    #[serde(rename = "type")]
    kind: String,
    user: User,
    #[serde(default)]
    api_app_id: Option<String>,
    #[serde(default)]
    team: Option<Team>,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(default)]
    trigger_id: Option<String>,
    /// Text, if it is one; a click counts whatever this is.
    #[serde(default)]
    response_url: Value,
    #[serde(default)]
    actions: Vec<ButtonAction>,
    #[serde(default)]
    view: Option<Value>,
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
struct ButtonAction {
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

/// Who is told what became of a click, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clicker {
    /// The user id.
    pub(crate) user: String,
    /// Where the button is; a modal is in no channel.
    pub(crate) channel: Option<String>,
    /// Where the click can be answered.
    pub(crate) response_url: Option<Capability>,
}

/// Something that a person asks of Cordon.
#[derive(Debug, PartialEq)]
pub(crate) struct Click {
    pub(crate) by: Clicker,
    /// The user's own workspace: channels may be shared with strangers.
    pub(crate) team: String,
    /// The app whose button it is.
    pub(crate) app: Option<String>,
    pub(crate) action: Action,
    pub(crate) approval_id: String,
    pub(crate) case_id: String,
    pub(crate) plan_hash: String,
    /// Lets a modal be opened.
    pub(crate) trigger_id: Option<Capability>,
    /// What the person wrote in the modal.
    pub(crate) reason: Option<String>,
}

/// What a button is for, and so what a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The object away.
    Quarantine,
    /// The object left where it is.
    Dismiss,
    /// To be asked later.
    Snooze,
    /// The object back.
    Restore,
    /// Another page of a digest.
    Page,
}

impl Action {
    /// One word for records and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Dismiss => "dismiss",
            Self::Snooze => "snooze",
            Self::Restore => "restore",
            Self::Page => "page",
        }
    }

    /// What an action id asks for, and the approval id in it.
    fn of(action_id: &str) -> Option<(Self, &str)> {
        [
            (QUARANTINE_ACTION, Self::Quarantine),
            (DISMISS_ACTION, Self::Dismiss),
            (SNOOZE_ACTION, Self::Snooze),
            (RESTORE_ACTION, Self::Restore),
            (PAGE_ACTION, Self::Page),
        ]
        .into_iter()
        .find_map(|(prefix, action)| Some((action, action_id.strip_prefix(prefix)?)))
    }
}

impl Click {
    /// Reads what Slack has sent: one form field, `payload`, with JSON in it
    /// (<https://docs.slack.dev/interactivity/handling-user-interaction>).
    ///
    /// # Errors
    /// What is not as it should be.
    pub(crate) fn read(body: Verified<'_>) -> Result<Self, &'static str> {
        let (_, payload) = url::form_urlencoded::parse(body.bytes())
            .find(|(name, _)| name == "payload")
            .ok_or("no field named payload")?;
        serde_json::from_str::<Interaction>(&payload).map_err(|_| "a payload of another shape")?.click()
    }

    /// Whether the person is of the workspace, and the button of the app, that an installation works with.
    ///
    /// # Errors
    /// Which of both is another one.
    pub(crate) fn is_of(&self, slack: &SlackConfig) -> Result<(), &'static str> {
        if self.team != slack.team_id {
            return Err("a user of another workspace");
        }
        if self.app.as_ref() != Some(&slack.app_id) {
            return Err("a button of another app");
        }
        Ok(())
    }
}

impl Interaction {
    /// What the person asks, or what is not as it should be.
    fn click(self) -> Result<Click, &'static str> {
        let team = self.user.team_id.or(self.team.map(|team| team.id)).ok_or("a user without workspace")?;
        let (channel, response_url, action_id, value, reason) = match self.kind.as_str() {
            "block_actions" => {
                let [action] =
                    <[ButtonAction; 1]>::try_from(self.actions).map_err(|_| "not exactly one action")?;
                let value = action.value.ok_or("an action without value")?;
                let response_url = self.response_url.as_str().map(Capability::new);
                (Some(self.channel.ok_or("no channel")?.id), response_url, action.action_id, value, None)
            }
            "view_submission" => {
                let sent = modal::read(&self.view.ok_or("no view")?).ok_or("a modal of another shape")?;
                (None, sent.response_url, sent.action_id, sent.value, Some(sent.reason))
            }
            _ => return Err("neither a click on a button nor a modal"),
        };
        let (action, approval_id) = Action::of(&action_id).ok_or("an unknown action")?;
        let (case_id, plan_hash) = value.split_once(':').ok_or("an action with a foreign value")?;
        Ok(Click {
            team,
            app: self.api_app_id,
            by: Clicker { user: self.user.id, channel, response_url },
            action,
            approval_id: approval_id.to_owned(),
            case_id: case_id.to_owned(),
            plan_hash: plan_hash.to_owned(),
            trigger_id: self.trigger_id.map(Capability::new),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(action_id: &str, value: &str) -> Value {
        json!({"type": "block_actions", "api_app_id": "A0CORDON01", "user": {"id": "U0ALICE001", "team_id": "T0CORDON01"},
            "team": {"id": "T0CORDON01", "domain": "example"}, "enterprise": null, "channel": {"id": "C0SECURITY", "name": "x"},
            "trigger_id": "1.2.abc", "response_url": "https://hooks.slack.com/actions/T/1/x", "actions": [{"action_id": action_id, "value": value, "type": "button"}]})
    }

    fn click(payload: Value) -> Result<Click, &'static str> {
        serde_json::from_value::<Interaction>(payload).unwrap().click()
    }

    #[test]
    fn a_click_names_person_case_and_what_is_asked() {
        for (action, asks) in [
            ("quarantine:a1", Action::Quarantine),
            ("dismiss:a1", Action::Dismiss),
            ("snooze:a1", Action::Snooze),
            ("restore:a1", Action::Restore),
        ] {
            let click = click(payload(action, "case:plan")).unwrap();
            assert_eq!((click.action, action.split_once(':').unwrap().0), (asks, asks.name()));
            assert_eq!((click.approval_id.as_str(), click.case_id.as_str()), ("a1", "case"));
            assert_eq!((click.plan_hash.as_str(), click.reason), ("plan", None));
        }
    }

    #[test]
    fn a_modal_says_what_its_button_asked_for_and_why() {
        let url = "https://hooks.slack.com/actions/T/1/x";
        let opened = json!({"action_id": "dismiss:a1", "value": "case:plan", "response_url": url});
        let view = json!({"private_metadata": opened.to_string(),
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": " test data \n"}}}}});
        let mut sent = payload("", "");
        sent["type"] = json!("view_submission");
        sent["view"] = view;
        sent.as_object_mut()
            .unwrap()
            .retain(|name, _| !["channel", "actions", "response_url"].contains(&name.as_str()));
        let click = click(sent).unwrap();
        assert_eq!((click.action, click.reason.as_deref()), (Action::Dismiss, Some("test data")));
        assert_eq!((click.by.channel, click.by.response_url), (None, Some(Capability::new(url))));
    }

    #[test]
    fn what_a_click_can_be_answered_by_is_kept_and_never_shown() {
        let mut payload = payload("dismiss:a1", "case:plan");
        let read = click(payload.clone()).unwrap();
        assert_eq!(read.by.response_url, Some(Capability::new("https://hooks.slack.com/actions/T/1/x")));
        let shown = format!("{read:?}");
        assert!(!shown.contains("hooks.slack.com") && !shown.contains("1.2.abc"), "{shown}");
        payload["response_url"] = json!(7);
        assert_eq!(click(payload).unwrap().by.response_url, None, "the click counts nevertheless");
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
        let mut shortcut = payload("quarantine:a1", "case:plan");
        shortcut["type"] = json!("shortcut");
        assert!(click(shortcut).is_err());
    }
}
