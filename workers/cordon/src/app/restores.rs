//! Asking for quarantined objects back: the request is on record before its execution is started, so whoever is ended in
//! between, the reconciler starts it.

use cordon_domain::{
    case::{Case, Restore},
    request::RequestId,
    time::Time,
};
use serde_json::{Value, json};

use super::{
    clients::Clients,
    policy_in_force::policy_in_force,
    refusals::{Refusal, unavailable},
};
use crate::{
    aws::{state_bucket::StateBucket, step_functions::StepFunctions},
    error::Result,
    store::keys,
};

/// The most restores of one generation of a case: its record has room for so many.
const MAX_RESTORES: usize = 50;

/// Who asks, and for what.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What it is known by; also the name of the execution.
    pub(crate) id: RequestId,
    /// The id of an IAM principal, or a Slack user as `slack:<team>/<user>`.
    pub(crate) by: String,
    /// When they asked.
    pub(crate) at: Time,
    /// Why.
    pub(crate) reason: String,
    /// Whether another object that is at the place by now may be replaced.
    pub(crate) replace: bool,
    /// Whether the bucket may still be shared.
    pub(crate) even_if_exposed: bool,
    /// Which of the case's copies; the newest where none is named.
    pub(crate) copy_generation: Option<u32>,
}

/// Records the request with the worker's code over it and starts its execution; gives back the execution, or why there is
/// none. Asked again for the same request, it goes on where it was.
///
/// # Errors
/// As classified. An execution that cannot be started now is started by the reconciler, for the request is on record.
pub(crate) async fn request(
    clients: &Clients,
    case: &Case,
    request: Request,
) -> Result<std::result::Result<String, Refusal>> {
    let machine = &clients.config.object_restore_arn;
    if let Some(earlier) = recorded(case, &request.id) {
        start_or_leave(clients, &case.case_id, earlier).await;
        return Ok(Ok(earlier.execution_arn.clone()));
    }
    if let Some(refusal) = refusal(case, request.copy_generation) {
        return Ok(Err(refusal));
    }
    let id = request.id.as_str();
    let mut restore = Restore {
        request_id: id.to_owned(),
        execution_arn: format!("{}:{id}", machine.replace(":stateMachine:", ":execution:")),
        requested_by: request.by,
        reason: request.reason,
        replace: request.replace,
        even_if_exposed: request.even_if_exposed,
        copy_generation: request.copy_generation,
        requested_at: request.at,
        mac: None,
        versions_restored: 0,
        last_restored: None,
        outcome: None,
    };
    restore.mac = Some(clients.macs.generate(&case.restore_message(&restore)).await?);
    if clients.cases.request_restore(case, &restore).await?.stands().is_none() {
        let now = clients.cases.get(&case.case_id).await?;
        let refusal = now.as_ref().and_then(|now| refusal(now, request.copy_generation));
        return Ok(Err(refusal.unwrap_or_else(Refusal::overtaken)));
    }
    start_or_leave(clients, &case.case_id, &restore).await;
    Ok(Ok(restore.execution_arn))
}

async fn start_or_leave(clients: &Clients, case_id: &str, restore: &Restore) {
    let machine = &clients.config.object_restore_arn;
    if let Err(error) = start(&clients.step_functions, machine, case_id, restore).await {
        tracing::warn!(case.id = case_id, error.message = %error, "restore not started; the reconciler will");
    }
}

/// Whether the request is on record already.
pub(crate) fn is_recorded(case: &Case, id: &RequestId) -> bool {
    recorded(case, id).is_some()
}

/// The request as it is on record, in this generation or an earlier one.
fn recorded<'a>(case: &'a Case, id: &RequestId) -> Option<&'a Restore> {
    let earlier = case.history.iter().flat_map(|past| &past.quarantine.restores);
    earlier.chain(&case.quarantine.restores).find(|restore| restore.request_id == id.as_str())
}

/// Why a case cannot be put back, if so.
pub(crate) fn refusal(case: &Case, copy_generation: Option<u32>) -> Option<Refusal> {
    if let Some(purge) = &case.quarantine.purge {
        let why = match &purge.done_at {
            Some(at) => format!("Its copy was deleted from quarantine at {at}"),
            None => "Its copy is being deleted from quarantine".into(),
        };
        let why = format!(
            "{why}, as {} asked ({}); there is nothing to put back.",
            purge.requested_by, purge.reason
        );
        return Some(Refusal::new("Purged", why));
    }
    if case.quarantine.restores.len() >= MAX_RESTORES {
        let why = "It was put back too often for its record; copy it out of quarantine by hand.";
        return Some(Refusal::new("TooManyRestores", why));
    }
    unavailable(case).or_else(|| without_copy(case, copy_generation?))
}

/// Why the copies of this generation cannot be put back, if there are none.
fn without_copy(case: &Case, wanted: u32) -> Option<Refusal> {
    let generations: Vec<_> = case.quarantine.copies.iter().map(|copy| copy.generation).collect();
    (!generations.contains(&wanted)).then(|| {
        let there = generations.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let why = format!("It has no copy of generation {wanted}, but of {there}; name one of these.");
        Refusal::new("UnknownCopy", why)
    })
}

/// Why a Slack user may not have objects put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRestorer {
    /// The policy in force does not name them.
    NotNamed,
    /// The policy cannot be read, which is no refusal of the person.
    PolicyUnreadable(String),
}

/// Why a Slack user may not have objects put back by the policy in force now, if so. It is asked apart from who decides.
///
/// # Errors
/// As classified, where asking again may help.
pub(crate) async fn no_restorer(
    state: &StateBucket,
    policy_key: &str,
    user: &str,
) -> Result<Option<NoRestorer>> {
    Ok(match policy_in_force(state, policy_key).await?.policy {
        Ok(policy) if policy.restorers.iter().any(|restorer| restorer == user) => None,
        Ok(_) => Some(NoRestorer::NotNamed),
        Err(why) => Some(NoRestorer::PolicyUnreadable(why)),
    })
}

/// Starts the execution of a request, unless it was started before.
///
/// # Errors
/// As classified.
pub(crate) async fn start(
    step_functions: &StepFunctions,
    object_restore_arn: &str,
    case_id: &str,
    restore: &Restore,
) -> Result<()> {
    step_functions.start(object_restore_arn, &restore.request_id, &input(case_id, restore)).await
}

fn input(case_id: &str, restore: &Restore) -> Value {
    json!({"case_id": case_id, "request_id": restore.request_id, "approval": keys::approval(case_id)})
}

#[cfg(test)]
mod tests {
    use cordon_domain::{
        case::{QuarantineCopy, Status},
        fixtures::case,
        policy::Disposition,
    };

    use super::*;

    #[test]
    fn a_generation_that_has_made_no_copy_is_refused_before_anything_starts() {
        let mut case = case(Disposition::Quarantine);
        case.status = Status::Closed;
        case.quarantine.copies =
            [1, 3].map(|generation| QuarantineCopy { generation, key: "k".into() }).to_vec();
        assert_eq!(refusal(&case, Some(3)), None);
        let refusal = refusal(&case, Some(9)).unwrap();
        assert_eq!(refusal.why, "It has no copy of generation 9, but of 1, 3; name one of these.");
    }
}
