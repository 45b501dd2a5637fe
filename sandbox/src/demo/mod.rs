//! The end-to-end demo: the real Terraform, the real binary and the real state machines, at work on three buckets.
//!
//! Nothing here drives Cordon. The demo creates its [fixtures], lets events do the rest, prints the [progress], and in
//! the end [checks] whether everything is where it should be.

mod checks;
mod executions;
mod fixtures;
mod output;
mod progress;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::deployment::Deployment;
use crate::directions::Directions;
use crate::ecs::RunningTask;
use crate::operator;
use crate::process::child::last_lines;
use crate::sandbox::{Options, Sandbox};
use executions::Executions;
use fixtures::Fixtures;
use output::Output;
use progress::ProgressPrinter;

/// Between two looks at what has happened.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The longest that the flow takes where nobody is waited for: a cycle a minute, and a job of seconds.
const DEADLINE: Duration = Duration::from_secs(180);
/// The visitor who may decide.
const APPROVER: &str = "U0ALICE001";

/// How the demo runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    /// It clicks by itself and ends after the checks. Without, it waits for the visitor's click and leaves everything
    /// standing until it is stopped.
    pub(crate) once: bool,
    /// Standard output is one line of JSON that says where everything is; the rest goes to standard error.
    pub(crate) json: bool,
}

/// Runs the demo until its end has been checked.
///
/// # Errors
/// One sentence, if something could not be started or did not happen in time.
pub(crate) async fn run(options: Options, mode: Mode) -> anyhow::Result<ExitCode> {
    let output = Output::new(Instant::now(), mode.json);
    output.line("Cordon end to end on this machine. Nothing of Cordon is faked; AWS and Slack are.\n");
    output.event("Starting the sandbox (the first time it fetches the emulator's Python packages)");
    let mut sandbox = Sandbox::start(options).await?;
    output.event("Applying the Terraform; then ECS starts worker and gateway as it declares");
    let operators = [operator::arn()];
    let variables =
        json!({"schedule_expression": "rate(1 minutes)", "investigators": operators, "purgers": operators});
    let deployment = Deployment::apply(&sandbox, variables).await?;
    operator::create(&sandbox).await?;
    operator::permit(&sandbox, &deployment).await?;
    output.event(
        "Creating three buckets: private; shared with account 999988887777; shared, but excluded by tag",
    );
    let fixtures = Fixtures::create(&sandbox).await?;
    output.event(
        "The next cycle starts within a minute: it scans the shared bucket and skips the excluded one",
    );
    let directions = Directions::new(&sandbox, Some(&deployment))?;
    if mode.json {
        let _ = writeln!(std::io::stdout(), "{}", directions.to_json());
    }
    output.line(format_args!("\n{directions}"));

    let mut progress = ProgressPrinter::new(&sandbox, output, mode.once);
    let mut executions = Executions::new(&sandbox, &deployment, output).await?;
    let mut deadline = Instant::now() + DEADLINE;
    loop {
        let updated = async {
            executions.update().await?;
            progress.update(&sandbox).await
        }
        .await;
        // An update fails where the emulator has ended: its end is the reason to give.
        tokio::select! {
            why = sandbox.emulator_ended() => bail!(why),
            () = tokio::time::sleep(POLL_INTERVAL) => updated?,
        }
        if progress.is_complete() && executions.running().is_empty() {
            break;
        }
        if progress.is_waiting_for_a_click() {
            deadline = Instant::now() + DEADLINE;
        }
        if Instant::now() > deadline {
            bail!(
                "the demo did not come to its end within {} s; still running: {}\n{}",
                DEADLINE.as_secs(),
                executions.running().join(", "),
                ends_of_logs(&sandbox)
            );
        }
    }

    output.line("\nEvery execution, its states and their durations\n");
    executions.print_summary();
    output.line("\nThe end state\n");
    let all_hold = checks::check(&sandbox, &deployment, &fixtures, &executions, output).await?;
    if !mode.once {
        output.line(if all_hold {
            "\nEverything is as it should be."
        } else {
            "\nNot everything is as it should be: see WRONG above, and the logs."
        });
        output.line(directions.what_next());
        output.line("\nCtrl-C ends the sandbox, and everything in it is gone.");
        bail!(sandbox.emulator_ended().await);
    }
    sandbox.stop().await;
    output.line("");
    output.event("in all");
    output.line(if all_hold {
        "\nEverything is as it should be. Next: `make demo` waits for your click; docs/DEPLOY.md is about your account."
    } else {
        "\nNot everything is as it should be: see WRONG above, and the logs."
    });
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ends_of_logs(sandbox: &Sandbox) -> String {
    let end = |task: RunningTask| {
        format!("The end of the {}'s log:\n{}", task.container, last_lines(&task.log, 15))
    };
    sandbox.tasks().into_iter().map(end).collect::<Vec<_>>().join("\n")
}
