//! What Terraform has deployed: rules, policy, services.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use cordon_domain::policy::{Mode, Policy};

use super::Check;
use crate::{
    app::policy_in_force::policy_in_force,
    aws::{ecs, ecs::Service, events::Events, state_bucket::StateBucket},
    config::Installation,
};

/// How the rule of each installation ends that takes up Macie's findings (`terraform/locals.tf`).
const MACIE_RULE: &str = "-macie-findings";

pub(super) async fn event_rules(aws: &SdkConfig, installation: &Installation, tell: &mut dyn FnMut(Check)) {
    const NAME: &str = "event_rules";
    let events = Events::new(aws_sdk_eventbridge::Client::new(aws), String::new());
    let (mut missing, mut off, mut unanswered) = (Vec::new(), Vec::new(), None);
    for rule in &installation.event_rules {
        match events.takes_events(rule).await {
            Ok(Some(true)) => {}
            Ok(Some(false)) => off.push(rule.as_str()),
            Ok(None) => missing.push(rule.as_str()),
            Err(error) => unanswered = Some(error),
        }
    }
    let apply = "apply Terraform again";
    tell(if !missing.is_empty() {
        Check::failed(NAME, format!("these EventBridge rules are not there: {}", missing.join(", ")), apply)
    } else if !off.is_empty() {
        Check::failed(
            NAME,
            format!(
                "these EventBridge rules are off, so what they take up is not answered: {}",
                off.join(", ")
            ),
            "apply Terraform again; if it leaves them off, set enabled to true",
        )
    } else if let Some(error) = unanswered {
        Check::unanswered(NAME, &error)
    } else {
        Check::ok(NAME, format!("all {} are on", installation.event_rules.len()))
    });
}

/// Looks for other installations, which answer for the same buckets unless each has its own.
pub(super) async fn others(aws: &SdkConfig, installation: &Installation, tell: &mut dyn FnMut(Check)) {
    const NAME: &str = "other_installations";
    let events = Events::new(aws_sdk_eventbridge::Client::new(aws), String::new());
    tell(match events.rules_ending(MACIE_RULE).await {
        Ok(mut rules) => {
            rules.retain(|rule| !installation.event_rules.contains(rule));
            beside(NAME, &rules, &installation.scope.buckets)
        }
        Err(error) => Check::unanswered(NAME, &error),
    });
}

fn beside(name: &'static str, rules: &[String], buckets: &[String]) -> Check {
    let others: Vec<_> = rules.iter().filter_map(|rule| rule.strip_suffix(MACIE_RULE)).collect();
    let others = others.join(", ");
    if others.is_empty() {
        return Check::ok(name, "there is none in this Region");
    }
    if buckets.iter().any(|glob| glob == "*") {
        return Check::warning(
            name,
            format!(
                "{others} answers Macie's findings in this Region too, and this one answers for every bucket"
            ),
            "give each installation its own buckets (Terraform's variable buckets), or both respond to the same finding",
        );
    }
    Check::ok(
        name,
        format!("{others} is in this Region too; this one answers for {} only", buckets.join(", ")),
    )
}

/// Gives back the channels that messages go to.
pub(super) async fn policy(
    aws: &SdkConfig,
    installation: &Installation,
    tell: &mut dyn FnMut(Check),
) -> BTreeSet<String> {
    const NAME: &str = "policy";
    let mut channels = BTreeSet::from([installation.channel.clone()]);
    let (bucket, account) = (installation.state_bucket.clone(), installation.account.clone());
    let state = StateBucket::new(aws_sdk_s3::Client::new(aws), bucket, account);
    // A policy that these credentials may not read is unknown; the worker would take it for one that cannot be used.
    if let Err(error) = state.get(&installation.policy_key).await {
        tell(Check::unanswered(NAME, &error));
        return channels;
    }
    let in_force = match policy_in_force(&state, &installation.policy_key).await {
        Ok(in_force) => in_force,
        Err(error) => {
            tell(Check::unanswered(NAME, &error));
            return channels;
        }
    };
    let mend = "mend it in Terraform's variable policy, and apply; `cordon policy check` explains";
    if let Some(unusable) = &in_force.unusable {
        let instead = match &in_force.version {
            Some(version) => format!("version {version} is in force instead"),
            None => "every finding is reviewed by the fallback approvers".into(),
        };
        tell(Check::failed(
            NAME,
            format!("the newest policy cannot be used ({}); {instead}", unusable.why),
            mend,
        ));
    }
    let Ok(policy) = in_force.policy else { return channels };
    channels.extend(policy.rules.iter().filter_map(|rule| rule.channel.clone()));
    if let Some(version) = &in_force.by_hand {
        tell(Check::warning(
            NAME,
            format!("version {version} was not written by Terraform"),
            "take it into Terraform's variable policy, or apply Terraform again; CloudTrail shows who wrote it",
        ));
    }
    if in_force.unusable.is_none() {
        tell(described(NAME, &policy, in_force.version.as_deref()));
    }
    channels
}

fn described(name: &'static str, policy: &Policy, version: Option<&str>) -> Check {
    let warnings = policy.warnings();
    if let Some(warning) = warnings.first() {
        let more =
            if warnings.len() > 1 { format!(", and {} more", warnings.len() - 1) } else { String::new() };
        return Check::warning(name, format!("{warning}{more}"), "`cordon policy check` lists all");
    }
    let version = version.unwrap_or("unknown");
    match policy.mode {
        Mode::Shadow => Check::warning(
            name,
            format!("version {version} is in shadow mode: it tells what it would do, and nothing is moved"),
            "when what it tells is right, set mode to enforce",
        ),
        Mode::Enforce if policy.rules.is_empty() => Check::warning(
            name,
            format!("version {version} has no rules: every finding is reviewed by the fallback approvers"),
            "write rules for what needs no person: docs/POLICY.md",
        ),
        Mode::Enforce => Check::ok(name, format!("version {version}, {} rules", policy.rules.len())),
    }
}

pub(super) async fn services(aws: &SdkConfig, installation: &Installation, tell: &mut dyn FnMut(Check)) {
    let client = aws_sdk_ecs::Client::new(aws);
    for (name, part, idle) in [
        ("workers", "worker", "every task waits, and nothing is lost"),
        ("gateways", "gateway", "nobody can click; people decide by `cordon approvals`"),
    ] {
        tell(match ecs::service(&client, &installation.cluster, part).await {
            Ok(service) => running(name, part, idle, &installation.cluster, service),
            Err(error) => Check::unanswered(name, &error),
        });
    }
}

fn running(name: &'static str, part: &str, idle: &str, cluster: &str, service: Option<Service>) -> Check {
    let Some(service) = service else {
        return Check::failed(
            name,
            format!("the cluster {cluster} has no service {part}: {idle}"),
            "apply Terraform again",
        );
    };
    let (desired, healthy) = (service.desired, service.healthy);
    if desired == 0 {
        return Check::failed(
            name,
            format!("no {part} is to run: {idle}"),
            format!("set enabled to true and {part}_count to at least 1, and apply"),
        );
    }
    let why = service.last_event.map(|event| format!(" ECS says: {event}")).unwrap_or_default();
    let look = format!(
        "look at the reasons of stopped tasks in the ECS console, and at the log group of the {part}"
    );
    match healthy {
        0 => Check::failed(name, format!("none of {desired} is well: {idle}.{why}"), look),
        healthy if healthy < desired => {
            Check::warning(name, format!("{healthy} of {desired} are well.{why}"), look)
        }
        healthy => Check::ok(name, format!("{healthy} of {desired} are well")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Status;

    #[test]
    fn two_installations_have_buckets_of_their_own() {
        let beside = |rules: &[&str], buckets: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            beside("other_installations", &owned(rules), &owned(buckets))
        };
        assert_eq!(beside(&[], &["*"]).status, Status::Ok);
        assert_eq!(beside(&["research-macie-findings"], &["finance-*"]).status, Status::Ok);
        let both = beside(&["research-macie-findings"], &["*"]);
        assert_eq!(both.status, Status::Warning);
        assert!(both.what.starts_with("research answers"), "{}", both.what);
    }

    #[test]
    fn a_service_is_well_when_all_its_tasks_are() {
        let status = |desired, healthy| {
            let service = Service { desired, healthy, last_event: Some("unable to place a task".into()) };
            running("workers", "worker", "nothing happens", "cordon", Some(service))
        };
        assert_eq!(status(2, 2).status, Status::Ok);
        assert_eq!(status(2, 1).status, Status::Warning);
        let none = status(2, 0);
        assert_eq!(none.status, Status::Failed);
        assert!(none.what.ends_with("ECS says: unable to place a task"), "{}", none.what);
        assert!(status(0, 0).mend.unwrap().contains("worker_count"));
        assert_eq!(running("workers", "worker", "", "cordon", None).status, Status::Failed);
    }
}
