//! What a decision of policy would come to, in words: for shadow mode, and for people who ask before they change a
//! policy.

use super::{Disposition, OnExpiry, Versions};
use crate::case::plan::Plan;

/// One sentence: what happens to the object, and who is asked. Where the plan names nobody and no channel, these are
/// the fallback ones.
pub fn preview(disposition: Disposition, plan: &Plan) -> String {
    let versions = match plan.effect.versions {
        Versions::Reported => "the version that the finding names",
        Versions::All => "every version of the object",
    };
    let channel = match plan.channel.as_str() {
        "" => "the default channel",
        channel => channel,
    };
    match disposition {
        Disposition::Ignore => "Nothing would happen, and nobody would hear of it.".into(),
        Disposition::Quarantine => {
            format!("Policy alone would move {versions} to quarantine at once, and tell it in {channel}.")
        }
        Disposition::Review => {
            let times = match (plan.effect.rounds, plan.effect.on_expiry) {
                (_, OnExpiry::AskAgain) => ", until they decide".to_owned(),
                (1, _) => String::new(),
                (rounds, _) => format!(", up to {rounds} times"),
            };
            let agree = if plan.effect.approvals > 1 { " Two people would have to agree." } else { "" };
            let expiry = match plan.effect.on_expiry {
                OnExpiry::Leave => " Without a decision the object would stay where it is.",
                OnExpiry::AskAgain => "",
                OnExpiry::Quarantine => " Without a decision the object would be moved to quarantine.",
            };
            format!(
                "{} would be asked in {channel}{times} whether to move {versions} to quarantine.{agree}{expiry}",
                asked(plan)
            )
        }
    }
}

fn asked(plan: &Plan) -> String {
    let groups = plan.effect.approvers.groups.iter().map(|group| format!("the group {group}"));
    let mut who: Vec<_> = plan.effect.approvers.users.iter().cloned().chain(groups).collect();
    let last = who.pop();
    match (who.as_slice(), last) {
        (_, None) => "The fallback approvers".into(),
        ([], Some(last)) => last,
        (others, Some(last)) => format!("{} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::case;

    #[test]
    fn it_says_what_would_happen_and_who_would_be_asked() {
        let mut plan = (*case(Disposition::Review).plan).clone();
        let review = |plan: &Plan| preview(Disposition::Review, plan);
        assert_eq!(
            review(&plan),
            "U0ALICE001 or the group S0SECURITY would be asked in C0SECURITY whether to move the version that the \
             finding names to quarantine. Without a decision the object would stay where it is."
        );
        (plan.effect.approvals, plan.effect.rounds, plan.effect.on_expiry) = (2, 3, OnExpiry::Quarantine);
        plan.effect.versions = Versions::All;
        (plan.effect.approvers.users, plan.effect.approvers.groups, plan.channel) =
            (Vec::new(), Vec::new(), String::new());
        assert_eq!(
            review(&plan),
            "The fallback approvers would be asked in the default channel, up to 3 times whether to move every version \
             of the object to quarantine. Two people would have to agree. Without a decision the object would be moved \
             to quarantine."
        );
        plan.effect.on_expiry = OnExpiry::AskAgain;
        assert!(review(&plan).contains(", until they decide whether"), "{}", review(&plan));
        assert!(preview(Disposition::Quarantine, &plan).starts_with("Policy alone would move every version"));
        assert!(preview(Disposition::Ignore, &plan).starts_with("Nothing"));
    }
}
