//! Clicks as Slack sends them.

use cordon::slack::blocks::actions::QUARANTINE_ACTION;
use cordon_domain::case::Case;
use serde_json::{Value, json};

use crate::test_env::ALICE;

/// The payload of Alice's click on *Quarantine*, in the channel where the case's message is.
pub fn click(case: &Case) -> Value {
    json!({"type": "block_actions", "user": {"id": ALICE, "username": "alice", "team_id": "T0CORDON01"},
        "api_app_id": "A0CORDON01", "container": {"type": "message", "message_ts": "1773222415.000100",
            "channel_id": case.plan.channel, "is_ephemeral": false},
        "team": {"id": "T0CORDON01", "domain": "cordon-sandbox"}, "enterprise": null, "is_enterprise_install": false,
        "channel": {"id": case.plan.channel, "name": "cordon-approvals"},
        "actions": [{"action_id": format!("{QUARANTINE_ACTION}{}", case.approval.id), "block_id": "b", "type": "button",
            "value": format!("{}:{}", case.case_id, case.approval.plan_hash), "action_ts": "1773222415.000100"}]})
}

/// A payload as Slack sends it.
pub fn form(payload: &Value) -> String {
    let encode = percent_encoding::utf8_percent_encode;
    format!("payload={}", encode(&payload.to_string(), percent_encoding::NON_ALPHANUMERIC))
}
