//! The conditions under which a vote is recorded without a look at the case are never wider than the rule in the domain.

use anyhow::{Result, ensure};
use cordon::store::{UNSEEN, Unseen};
use cordon_domain::{
    case::{Case, Counted, Decided, Decision, Escalation, Status, plan::Plan, vote::Vote},
    policy::Disposition,
};
use cordon_tests::{ALICE, BOB, CHANNEL, OTHER_CHANNEL, clicks::GatewayEnv, run_test};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};

/// Cases and clicks beside those with one thing wrong.
const AT_RANDOM: usize = 150;

/// How a case and a click differ from an open case that Alice may decide, and her click on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    Closed,
    Restoring,
    Decided,
    MovedByPolicy,
    Shadow,
    TwoPeople,
    HasVoted,
    VotedForAnotherPlan,
    AnotherHasVoted,
    Escalated,
    OldPlan,
    OldButton,
    AnotherChannel,
    UnknownChannel,
    Stranger,
    Bob,
}

use Difference::*;

const ALL: &[Difference] = &[
    Closed,
    Restoring,
    Decided,
    MovedByPolicy,
    Shadow,
    TwoPeople,
    HasVoted,
    VotedForAnotherPlan,
    AnotherHasVoted,
    Escalated,
    OldPlan,
    OldButton,
    AnotherChannel,
    UnknownChannel,
    Stranger,
    Bob,
];

struct Click {
    approval_id: String,
    channel: Option<&'static str>,
    vote: Vote,
}

fn vote(user: &str, plan_hash: &str) -> Vote {
    cordon_domain::fixtures::vote(user, plan_hash)
}

/// A case and a click on it, with these differences.
fn differing(env: &GatewayEnv, differences: &[Difference]) -> Result<(Case, Click)> {
    let has = |difference| differences.contains(&difference);
    let mut case = env.draft("card.txt")?.with_plan(|plan: &mut Plan| {
        plan.shadow = has(Shadow);
        plan.effect.approvals = if has(TwoPeople) { 2 } else { 1 };
    });
    let plan_hash = case.approval.plan_hash.clone();
    if has(MovedByPolicy) {
        case.disposition = Disposition::Quarantine;
    }
    if has(Closed) {
        case.status = Status::Closed;
    }
    if has(Restoring) {
        case.status = Status::Restoring;
    }
    if has(Difference::Decided) {
        case.approval.decided = Some(Decided {
            what: Decision::Dismiss,
            at: "2026-03-11T09:50:00.000Z".parse().unwrap(),
            mac: None,
        });
    }
    for (difference, user, of) in [
        (HasVoted, ALICE, plan_hash.as_str()),
        (VotedForAnotherPlan, ALICE, "another plan"),
        (AnotherHasVoted, BOB, plan_hash.as_str()),
    ] {
        if has(difference) {
            // Otherwise it would be taken for the click's own, answered and lost.
            case.approval
                .votes
                .push(Vote { at: "2026-03-11T09:48:00.000Z".parse().unwrap(), ..vote(user, of) });
        }
    }
    if has(Escalated) {
        case.approval.escalation = Some(Escalation { at: cordon::clock::now(), why: String::new() });
    }
    let user = match () {
        () if has(Stranger) => "U0MALLORY3",
        () if has(Bob) => BOB,
        () => ALICE,
    };
    let click = Click {
        approval_id: if has(OldButton) { "of an earlier plan".into() } else { case.approval.id.clone() },
        channel: match () {
            () if has(UnknownChannel) => None,
            () if has(AnotherChannel) => Some(OTHER_CHANNEL),
            () => Some(CHANNEL),
        },
        vote: vote(user, if has(OldPlan) { "an earlier plan" } else { &plan_hash }),
    };
    Ok((case, click))
}

/// What the domain says: the vote decides, and is of somebody who may.
fn decides(case: &Case, click: &Click) -> bool {
    let shown = click.channel.is_none_or(|channel| channel == case.plan.channel);
    shown
        && case.takes_votes(&click.approval_id, &click.vote.plan_hash)
        && case.plan.allows(&click.vote.by, case.approval.escalation.is_some())
        && case.count(&click.vote) == Counted::Decides
}

/// Whether the store records the vote under these conditions.
async fn is_recorded(env: &GatewayEnv, conditions: &[&str], case: &Case, click: &Click) -> Result<bool> {
    ensure!(env.cases.open(case, None).await?.stands().is_some(), "the case is new");
    let Click { approval_id, channel, vote } = click;
    let voted = env.cases.vote_under(conditions, &case.case_id, approval_id, *channel, vote).await?;
    let now = env.cases.get(&case.case_id).await?;
    let is_there = now.is_some_and(|now| now.approval.votes.len() > case.approval.votes.len());
    ensure!(
        is_there == matches!(voted, Unseen::Decided(_)),
        "the answer is not what is on record: {voted:?}"
    );
    Ok(is_there)
}

#[test]
fn a_vote_without_a_look_is_recorded_only_where_the_rule_lets_it_decide() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let mut rng = SmallRng::seed_from_u64(7);
        let mut all: Vec<Vec<Difference>> = ALL.iter().map(|difference| vec![*difference]).collect();
        all.push(Vec::new());
        all.extend((0..AT_RANDOM).map(|_| {
            let count = rng.random_range(2..5);
            ALL.choose_multiple(&mut rng, count).copied().collect()
        }));
        for differences in all {
            let (case, click) = differing(env, &differences)?;
            let (recorded, decides) =
                (is_recorded(env, UNSEEN, &case, &click).await?, decides(&case, &click));
            ensure!(!recorded || decides, "recorded against the rule: {differences:?}");
            // The usual click needs no look.
            let usual = decides && case.approval.votes.is_empty();
            ensure!(recorded == usual, "a usual click takes the long way: {differences:?}");
        }
        Ok(())
    })
}

#[test]
fn without_any_one_of_the_conditions_a_vote_is_recorded_against_the_rule() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        for left_out in UNSEEN {
            let conditions: Vec<&str> = UNSEEN.iter().copied().filter(|it| it != left_out).collect();
            let mut is_found = false;
            for difference in ALL {
                let (case, click) = differing(env, &[*difference])?;
                is_found |= is_recorded(env, &conditions, &case, &click).await? && !decides(&case, &click);
            }
            ensure!(is_found, "nothing needs the condition {left_out:?}");
        }
        Ok(())
    })
}
