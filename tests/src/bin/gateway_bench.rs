//! `gateway-bench [<release build of cordon>]`: the gateway beside an app in slack_bolt, in the same run, against the
//! same stores; without a release build this workspace's debug build, which the lines say.
//!
//! Both verify the signature, record the vote with a conditional UpdateItem, answer, and wake the run. Theirs is what
//! bolt's documentation leads to: Flask under gunicorn with threads, and boto3. Printed are clicks per second of CPU of
//! the server's processes, and how long the answers took; the stores are the sandbox's and not quick, so times compare
//! with each other and with nothing else.

use std::{
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cordon_domain::case::Case;
use cordon_sandbox::{CallFilter, child::Child};
use cordon_tests::{
    clicks::{Answer, GATEWAY, GatewayEnv, TABLE},
    eventually,
};
use futures::{StreamExt, stream};

const CLICKS: usize = 500;
const MAX_CONCURRENCY: usize = 50;
const TARGET: f64 = 8.0;

/// What answering all clicks took.
struct Taken {
    cpu: f64,
    answers: Vec<Duration>,
}

impl Taken {
    fn clicks_per_cpu_second(&self) -> f64 {
        self.answers.len() as f64 / self.cpu
    }

    /// Milliseconds that so many of a hundred answers did not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.answers.len() * percent).div_ceil(100).max(1) - 1;
        self.answers[at].as_secs_f64() * 1_000.0
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let release = env::args().nth(1).map(PathBuf::from);
    let build = if release.is_some() { "release" } else { "debug build" };
    let env = GatewayEnv::set_up().await?;

    let mut gateway = env.gateway(release.as_deref(), &[]).await?;
    let ours = measure(&env, &gateway.url, gateway.process.pid()).await?;
    gateway.process.terminate().await?;

    let (mut bolt, url, version) = bolt(&env).await?;
    let theirs = measure(&env, &url, bolt.pid()).await.with_context(|| bolt.end_of_log())?;
    bolt.terminate().await?;

    let (our_rate, their_rate) = (ours.clicks_per_cpu_second(), theirs.clicks_per_cpu_second());
    let ratio = our_rate / their_rate;
    let verdict = if ratio >= TARGET { "ok" } else { "missed" };
    println!(
        "BENCH gateway_clicks_per_cpu_second ours={our_rate:.0} ({build}) theirs={their_rate:.0} ({version}) \
         ratio={ratio:.1} target={TARGET:.0} {verdict}"
    );
    for percent in [50, 99] {
        println!(
            "BENCH gateway_click_p{percent}_ms ours={:.0} ({build}) theirs={:.0} ({version})",
            ours.percentile(percent),
            theirs.percentile(percent)
        );
    }
    env.sandbox.stop().await;
    Ok(())
}

/// Starts their app; gives back the process, its URL, and what it is.
async fn bolt(env: &GatewayEnv) -> Result<(Child, String, String)> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let list = sources.join("requirements.txt");
    let python = env.sandbox.python(&list).await?;
    let pinned = fs::read_to_string(&list)?;
    let bolt = pinned.lines().find_map(|line| line.strip_prefix("slack-bolt=="));
    let bolt = bolt.and_then(|rest| rest.split_whitespace().next()).context("slack-bolt is pinned")?;

    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    drop(listener);
    let slack = env.sandbox.slack();
    let mut environment = env.sandbox.task_environment(GATEWAY);
    let settings = [
        ("PYTHONPATH", sources.display().to_string()),
        // The SDK of Python reads no other.
        ("AWS_DEFAULT_REGION", env.sandbox.region().to_owned()),
        ("CASES_TABLE", TABLE.to_owned()),
        ("SLACK_API_URL", format!("{}/api/", env.sandbox.slack_url())),
        ("SLACK_BOT_TOKEN", slack.bot_token().to_owned()),
        ("SLACK_SIGNING_SECRET", slack.signing_secret().to_owned()),
    ];
    environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    // As many processes as CPUs, as many threads as clicks come at once.
    let workers = std::thread::available_parallelism()?.get().to_string();
    let threads = MAX_CONCURRENCY.to_string();
    let python = python.to_string_lossy();
    let argv = [
        &python,
        "-m",
        "gunicorn",
        "--bind",
        &address,
        "--workers",
        &workers,
        "--threads",
        &threads,
        "bolt_app:flask_app",
    ];
    let process =
        Child::start("slack_bolt app", &argv, &environment, &env.sandbox.run_dir().join("bolt.log")).await?;
    let url = format!("http://{address}");
    let http = reqwest::Client::builder().no_proxy().build()?;
    eventually("the slack_bolt app", async || {
        Ok(http
            .get(format!("{url}/healthz"))
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
            .then_some(()))
    })
    .await
    .with_context(|| process.end_of_log())?;
    Ok((process, url, format!("slack_bolt {bolt}, gunicorn")))
}

/// Clicks on waiting cases, after some that warm the server up.
async fn measure(env: &GatewayEnv, url: &str, pid: u32) -> Result<Taken> {
    let cases = env.open(CLICKS + MAX_CONCURRENCY).await?;
    env.wait_for(&cases).await?;
    let earlier = env.sandbox.calls().last();
    let (first, counted) = cases.split_at(MAX_CONCURRENCY);
    click_all(env, url, first).await?;
    let before = cpu_of(pid)?;
    let mut answers: Vec<_> = click_all(env, url, counted).await?.iter().map(|answer| answer.took).collect();
    // The runs are woken after the answers.
    eventually("the wake-ups", async || {
        let woken = env.sandbox.calls().select(&CallFilter {
            after: Some(earlier),
            operation: Some("SendTaskSuccess".into()),
            principal: Some(GATEWAY.into()),
            ..CallFilter::default()
        });
        // A run can be woken only with what the vote's record holds.
        Ok((woken.iter().filter(|call| call.status == 200).count() == cases.len()).then_some(()))
    })
    .await?;
    let cpu = cpu_of(pid)? - before;
    answers.sort();
    Ok(Taken { cpu, answers })
}

async fn click_all(env: &GatewayEnv, url: &str, cases: &[Case]) -> Result<Vec<Answer>> {
    let clicks = cases.iter().map(|case| env.click(url, case));
    let answers: Vec<Answer> = stream::iter(clicks).buffer_unordered(MAX_CONCURRENCY).collect().await;
    ensure!(answers.iter().all(|answer| answer.status == 200), "a click was not taken: {answers:?}");
    Ok(answers)
}

/// Seconds of CPU that a process and its children have taken, user and system, those that ended among them.
fn cpu_of(pid: u32) -> Result<f64> {
    let mut ticks = 0.0;
    for entry in fs::read_dir("/proc")? {
        let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else { continue };
        let (head, rest) = stat.rsplit_once(')').context("a process has a name")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let own = head.split_whitespace().next() == Some(&pid.to_string());
        if own || fields[1] == pid.to_string() {
            // utime, stime; and of the parent those of children that it has waited for.
            let counted = if own { 11..15 } else { 11..13 };
            for field in &fields[counted] {
                ticks += field.parse::<f64>()?;
            }
        }
    }
    Ok(ticks / 100.0)
}
