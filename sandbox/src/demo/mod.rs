//! The main job, shown: the real Terraform, the real binary and the real state machines, at work on three buckets.
//!
//! Nothing here drives Cordon. The demo lays the scene, lets events do the rest, prints what happens as it happens,
//! and in the end looks whether everything is where it should be.

mod audience;
mod ending;
mod runs;
mod scene;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::deployment::Deployment;
use crate::process::child::Child;
use crate::sandbox::{Options, Sandbox};
use audience::Audience;
use runs::Runs;
use scene::Scene;

/// Between two looks at what has happened.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest that the flow takes where nobody is waited for: a cycle a minute, and a job of seconds.
const DEADLINE: Duration = Duration::from_secs(180);
/// The visitor who may decide.
const APPROVER: &str = "U0ALICE001";

/// Runs the demo until its end has been checked. With `once` it clicks by itself; without, it waits for the visitor's
/// click and leaves everything standing until it is stopped.
///
/// # Errors
/// One sentence, if something could not be started or did not happen in time.
pub(crate) async fn run(options: Options, once: bool) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let step = |text: &str| println!("{:6.1} s  {text}", began.elapsed().as_secs_f32());
    println!(
        "Cordon's main job on this machine. Nothing of Cordon is faked; only AWS and Slack are doubled.\n"
    );
    step("Starting the sandbox (the first time it fetches the emulator's Python packages)");
    let mut sandbox = Sandbox::start(options).await?;
    step("Applying the Terraform; this is the longest step");
    let deployment = Deployment::apply(&sandbox, json!({"schedule_expression": "rate(1 minutes)"})).await?;
    step("Starting worker and gateway, each with the credentials of its task role");
    let grace = [("CORDON_SHUTDOWN_GRACE_SECONDS", "2")];
    let mut worker = deployment.start_worker(&grace).await?;
    let (mut gateway, _) = deployment.start_gateway(&[]).await?;
    step("Making three buckets: private; shared with account 999988887777; shared, but excluded by tag");
    let scene = Scene::lay(&sandbox).await?;
    step("The next cycle starts within a minute: it scans the shared bucket and skips the excluded one");
    println!("\n{}", sandbox.directions());

    let mut audience = Audience::new(&sandbox, began, once);
    let mut runs = Runs::new(&sandbox, &deployment, began).await?;
    let mut deadline = Instant::now() + DEADLINE;
    loop {
        let looked = async {
            runs.look().await?;
            audience.look(&sandbox).await
        }
        .await;
        // A look fails where a process is gone: its end is the reason to tell.
        tokio::select! {
            why = death(&mut worker, &mut gateway, &mut sandbox) => bail!(why),
            () = tokio::time::sleep(PAUSE) => looked?,
        }
        if audience.has_seen_the_end() && runs.running().is_empty() {
            break;
        }
        if audience.is_waiting_for_a_click() {
            deadline = Instant::now() + DEADLINE;
        }
        if Instant::now() > deadline {
            bail!(
                "the demo did not come to its end within {} s; still running: {:?}\n{}",
                DEADLINE.as_secs(),
                runs.running(),
                last_words(&worker, &gateway)
            );
        }
    }

    println!("\nEvery run, its states and their durations\n");
    runs.print_summary();
    println!("\nThe end state\n");
    let as_it_should_be = ending::check(&sandbox, &deployment, &scene, &runs).await?;
    if !once {
        println!("\nLook around: {}/ . Ctrl-C ends the sandbox.", sandbox.slack_url());
        bail!(death(&mut worker, &mut gateway, &mut sandbox).await);
    }
    worker.terminate().await?;
    gateway.terminate().await?;
    sandbox.stop().await;
    println!("\n{:6.1} s in all", began.elapsed().as_secs_f32());
    Ok(if as_it_should_be { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Completes when worker, gateway or emulator has ended by itself, and says which.
async fn death(worker: &mut Child, gateway: &mut Child, sandbox: &mut Sandbox) -> String {
    tokio::select! {
        why = worker.ended() => why,
        why = gateway.ended() => why,
        why = sandbox.emulator_ended() => why,
    }
}

fn last_words(worker: &Child, gateway: &Child) -> String {
    format!(
        "The end of the worker's log:\n{}\nThe end of the gateway's log:\n{}",
        worker.end_of_log(),
        gateway.end_of_log()
    )
}
