//! `cordon doctor`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{
    operator::credentials,
    terminal::{self, Progress},
};
use crate::{
    app::doctor::{self, Check, Status},
    config::DoctorConfig,
};

/// Nothing that was looked at is wrong, and not everything could be looked at.
const INCOMPLETE: u8 = 3;

/// Arguments of `cordon doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  AWS_REGION=eu-central-1 cordon doctor
  cordon doctor --buckets --json | jq '.checks[] | select(.status != \"ok\")'

Before there is an installation it looks at the account alone. Run it with the credentials that you deploy with: an operator's
may not read Slack's secret. Nothing is changed. The exit code is 0 when all is well or worth a warning at most, 1 when something
does not work, and 3 when nothing is known to be wrong but not everything could be looked at.")]
pub(super) struct DoctorArguments {
    /// Look at the settings of every bucket of the Region too: what keeps Cordon from moving its objects.
    #[arg(long)]
    buckets: bool,
    /// Print JSON: `status`, and `checks` with `name`, `status` (ok, warning, failed, unknown), `what`, `mend`.
    #[arg(long)]
    json: bool,
}

impl DoctorArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let config = DoctorConfig::read(&super::environment())?;
        let aws = credentials(&config.region).await?;
        let mut checks = Vec::new();
        let mut unread = None;
        let mut tell = |check: Check| {
            if !self.json
                && let Err(error) = terminal::say(&line(&check))
            {
                unread.get_or_insert(error);
            }
            checks.push(check);
        };
        let account = doctor::run(&aws, &config, &mut tell).await;
        if let Some(account) = account.filter(|_| self.buckets) {
            let mut progress: Option<Progress> = None;
            let mut count = |_done: usize, of: usize| match &mut progress {
                Some(progress) => progress.advance(1),
                None => progress.insert(Progress::new(of)).advance(1),
            };
            let scope = config.installation.as_ref().map(|installation| &installation.scope);
            doctor::examine_buckets(&aws, &config.region, &account, scope, &mut tell, &mut count).await;
        }
        // Who reads no more, as `grep -q` does, still gets the exit code.
        let unless_unread =
            |error: anyhow::Error| if terminal::is_unread(&error) { Ok(()) } else { Err(error) };
        unread.map_or(Ok(()), |error| unless_unread(error.into()))?;
        let is = |status| checks.iter().any(|check| check.status == status);
        let (status, code) = if is(Status::Failed) {
            (Status::Failed, ExitCode::FAILURE)
        } else if is(Status::Unknown) {
            (Status::Unknown, ExitCode::from(INCOMPLETE))
        } else if is(Status::Warning) {
            (Status::Warning, ExitCode::SUCCESS)
        } else {
            (Status::Ok, ExitCode::SUCCESS)
        };
        if self.json {
            terminal::say_json(&json!({"status": status, "checks": checks}))
                .or_else(|error| unless_unread(error.into()))?;
        }
        Ok(code)
    }
}

fn line(check: &Check) -> String {
    let status = match check.status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Failed => "FAILED",
        Status::Unknown => "unknown",
    };
    let what = check.what.trim_end_matches('.');
    let mend = check.mend.as_ref().map(|mend| format!(" → {mend}.")).unwrap_or_else(|| ".".into());
    format!("{status:<8} {:<14} {what}{mend}", check.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_the_case_and_what_to_do() {
        let check = Check {
            name: "macie",
            status: Status::Failed,
            what: "Macie is off.".into(),
            mend: Some("turn it on".into()),
        };
        assert_eq!(line(&check), "FAILED   macie          Macie is off → turn it on.");
        let well = Check { status: Status::Ok, what: "on".into(), mend: None, ..check };
        assert_eq!(line(&well), "ok       macie          on.");
    }
}
