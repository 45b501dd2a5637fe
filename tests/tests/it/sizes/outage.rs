//! Slack away while many cases open.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cordon::{clock, slack::blocks::message::METADATA_TYPE, store::keys};
use cordon_sandbox::slack::{Outage, RateLimits, Slack};
use cordon_tests::{CHANNEL, eventually_within, report, run_test};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Installation, MAX_CONCURRENCY};

/// What the names of the buckets begin with.
const BUCKETS: &str = "sizes-late-";
/// In so many buckets; in each fewer than what shares one message.
const BUCKET_COUNT: usize = 5;
const CASES: usize = 40;
/// A round lasts a minute here and four hours at users', so an hour is a quarter of it.
const ROUND_SECONDS: u64 = 60;
const HOUR: Duration = Duration::from_secs(ROUND_SECONDS / 4);
/// Until Slack shows every open case once it is back, however fast the clock of the rounds.
const TWO_MINUTES: Duration = Duration::from_secs(120);
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn what_opened_while_slack_was_away_is_shown_within_two_minutes_and_nothing_twice() -> Result<()> {
    run_test(async {
        let installation = Installation::lock().await?;
        installation.with_rounds_of(ROUND_SECONDS, async || show_after_an_outage(&installation).await).await
    })
}

async fn show_after_an_outage(installation: &Installation) -> Result<()> {
    let slack = installation.sandbox.slack();
    // One message a second in a channel, as Slack takes them.
    slack.set_rate_limits(Some(RateLimits::default()));
    let round_seconds = ROUND_SECONDS.to_string();
    let _worker = installation.deployment.start_worker(&[("CORDON_ROUND_SECONDS", &round_seconds)]).await?;
    for n in 0..BUCKET_COUNT {
        installation.s3.create_bucket().bucket(format!("{BUCKETS}{n}")).send().await?;
    }

    slack.set_outage(Outage::ServerError);
    let away = Instant::now();
    let ask = async |n| installation.ask(&format!("{BUCKETS}{}", n % BUCKET_COUNT), n).await;
    stream::iter((0..CASES).map(ask)).buffer_unordered(MAX_CONCURRENCY).try_collect::<()>().await?;
    let cases = eventually_within(DEADLINE, "every case open for an hour", async || {
        let mut open = Vec::new();
        for n in 0..BUCKET_COUNT {
            open.extend(installation.all(&format!("{BUCKETS}{n}")).await?);
        }
        let waiting = open.iter().filter(|case| case.waits.task_token.is_some()).count();
        Ok((waiting == CASES && away.elapsed() > HOUR).then_some(open))
    })
    .await?;
    let executions: Vec<_> = cases.iter().map(|case| case.execution_arn.clone()).collect();
    let cases: BTreeSet<_> = cases.into_iter().map(|case| case.case_id).collect();
    ensure!(shown(slack, &cases).is_empty(), "Slack was away");

    slack.set_outage(Outage::None);
    let back = Instant::now();
    eventually_within(TWO_MINUTES, "every case in Slack", async || {
        Ok((shown(slack, &cases).len() == CASES).then_some(()))
    })
    .await?;
    let took = back.elapsed();
    // What is not due any more is not posted again.
    let records = installation.cases()?;
    eventually_within(DEADLINE, "nothing left to show", async || {
        let due = records.slack_due(clock::now(), None).await?.entries;
        Ok((!cases.iter().any(|case| due.contains(&keys::approval(case)))).then_some(()))
    })
    .await?;
    let shown = shown(slack, &cases);
    let twice = shown.values().filter(|&&times| times > 1).count();
    report(&format!(
        "PROOF slack_outage cases={CASES} shown={} twice={twice} seconds={:.0}",
        shown.len(),
        took.as_secs_f64()
    ));
    ensure!(twice == 0);
    // Nobody decides these cases, and the next test has the installation to itself.
    for execution in executions {
        installation.sfn.stop_execution().execution_arn(execution).send().await?;
    }
    Ok(())
}

/// How often Slack shows each of these cases.
fn shown(slack: &Slack, cases: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let mut shown = BTreeMap::new();
    for message in slack.messages(CHANNEL) {
        let case = message["metadata"]["event_payload"]["case_id"].as_str().unwrap_or_default();
        if message["metadata"]["event_type"] == METADATA_TYPE && cases.contains(case) {
            *shown.entry(case.to_owned()).or_default() += 1;
        }
    }
    shown
}
