//! Slack away while many cases open.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use cordon::slack::blocks::case::METADATA_TYPE;
use cordon_domain::case::Status;
use cordon_sandbox::slack::{Outage, RateLimits, Slack};
use cordon_tests::{CHANNEL, eventually_within, report};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{AT_ONCE, Installation};

/// In so many buckets; in each fewer than what shares one message.
const BUCKETS: usize = 5;
const CASES: usize = 40;
/// A round lasts a minute here and four hours at users', so an hour is a quarter of it.
const ROUND_SECONDS: u64 = 60;
const HOUR: Duration = Duration::from_secs(ROUND_SECONDS / 4);
/// Until Slack shows every open case once it is back, however fast the clock of the rounds.
const TWO_MINUTES: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn what_opened_while_slack_was_away_is_shown_within_two_minutes_and_nothing_twice() -> Result<()> {
    let installation = Installation::new(json!({"round_seconds": ROUND_SECONDS})).await?;
    let slack = installation.sandbox.slack();
    // One message a second in a channel, as Slack takes them.
    slack.set_rate_limits(Some(RateLimits::default()));
    let _worker = installation.deployment.start_worker(&[]).await?;
    for n in 0..BUCKETS {
        installation.s3.create_bucket().bucket(format!("late-{n}")).send().await?;
    }

    slack.set_outage(Outage::ServerError);
    let away = Instant::now();
    let ask = |n| {
        let installation = &installation;
        async move { installation.ask(&format!("late-{}", n % BUCKETS), n).await }
    };
    stream::iter((0..CASES).map(ask)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let cases = installation.cases()?;
    eventually_within(PATIENCE, "every case open for an hour", async || {
        let (open, _) = cases.in_status(Status::Open, None).await?;
        let waiting = open.iter().filter(|case| case.task_token.is_some()).count();
        Ok((waiting == CASES && away.elapsed() > HOUR).then_some(()))
    })
    .await?;
    ensure!(shown(slack).is_empty(), "Slack was away");

    slack.set_outage(Outage::None);
    let back = Instant::now();
    eventually_within(TWO_MINUTES, "every case in Slack", async || {
        Ok((shown(slack).len() == CASES).then_some(()))
    })
    .await?;
    let took = back.elapsed();
    // What is not due any more is not posted again.
    eventually_within(PATIENCE, "nothing left to show", async || {
        Ok(cases.render_due().await?.is_empty().then_some(()))
    })
    .await?;
    let twice = shown(slack).values().filter(|&&times| times > 1).count();
    report(&format!(
        "PROOF slack_outage cases={CASES} shown={} twice={twice} seconds={:.0}",
        shown(slack).len(),
        took.as_secs_f64()
    ));
    ensure!(twice == 0);
    Ok(())
}

/// How often Slack shows each case.
fn shown(slack: &Slack) -> BTreeMap<String, usize> {
    let mut shown = BTreeMap::new();
    for message in slack.messages(CHANNEL) {
        if message["metadata"]["event_type"] == METADATA_TYPE {
            *shown.entry(message["metadata"]["event_payload"]["case_id"].to_string()).or_default() += 1;
        }
    }
    shown
}
