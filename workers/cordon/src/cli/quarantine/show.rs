//! `cordon quarantine show`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use cordon_domain::{
    case::Case,
    manifest::{Entry, Manifest, manifest_beside},
};
use serde_json::json;

use crate::{
    aws::object_session::{Investigator, ObjectSessions, Place},
    cli::{
        case_details::{self, field},
        operator::{Operator, case_id},
        report::copy,
        terminal,
    },
    error::Result,
};

/// Arguments of `cordon quarantine show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon quarantine show 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454

The manifest is shown where CORDON_INVESTIGATOR_ROLE_ARN is set and you may take that role. The object itself is not
read.")]
pub(in crate::cli) struct ShowArguments {
    /// The case.
    #[arg(value_name = "CASE_ID", value_parser = case_id)]
    case_id: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

impl ShowArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let case = match operator.case(&self.case_id).await? {
            Ok(case) => case,
            Err(refusal) => bail!(refusal.why),
        };
        let manifest = operator.manifest(&case).await;
        if self.json {
            let mut record = case_details::record(&case);
            record["manifest"] = json!(manifest.as_ref().and_then(|read| read.as_ref().ok()));
            record["manifest_error"] = json!(manifest.as_ref().and_then(|read| read.as_ref().err()));
            terminal::say_json(&record)?;
        } else {
            for line in case_details::lines(&case).into_iter().chain(proof(&manifest)) {
                terminal::say(&line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The manifest; why it cannot be read; `None` where there is none to be read.
type Read = Option<std::result::Result<Manifest, String>>;

impl Operator {
    /// The manifest beside the copies of a case, read under the investigator's role.
    async fn manifest(&self, case: &Case) -> Read {
        let role_arn = self.config.investigator_role_arn.as_ref()?;
        let key = manifest_beside(copy(case)?);
        let read = self.read_manifest(role_arn, case, &key).await;
        Some(match read {
            Ok(Some(manifest)) => Ok(manifest),
            Ok(None) => Err(format!("There is no manifest {key} in quarantine.")),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn read_manifest(&self, role_arn: &str, case: &Case, key: &str) -> Result<Option<Manifest>> {
        let (bucket, account) = (self.config.quarantine_bucket.clone(), self.config.account.clone());
        // Nothing is copied, so the size of parts does not matter.
        let investigators =
            ObjectSessions::<Investigator>::new(&self.aws, role_arn.to_owned(), bucket, account, i64::MAX);
        let investigator = investigators.open(&Place::of(case.object()), &case.case_id).await?;
        Ok(investigator.manifest(key).await?.map(|(manifest, _)| manifest))
    }
}

fn proof(manifest: &Read) -> Vec<String> {
    match manifest {
        None => Vec::new(),
        Some(Err(why)) => vec![field("Manifest", &format!("not shown: {why}"))],
        Some(Ok(manifest)) => {
            let left = match manifest.versions_left {
                0 => String::new(),
                n => format!("; {n} other versions were left where they are"),
            };
            let verified = format!("verified at {}{left}", manifest.verified_at);
            let mut lines = vec![field("Manifest", &verified)];
            lines.extend(manifest.entries.iter().map(|entry| field("Moved", &moved(entry))));
            lines
        }
    }
}

fn moved(entry: &Entry) -> String {
    format!(
        "{} bytes, version {} to {} (version {}); {}",
        entry.object.size,
        entry.source.version_id.as_deref().unwrap_or("none"),
        entry.quarantine.key,
        entry.quarantine.version_id.as_deref().unwrap_or("none"),
        entry.verification.guarantee
    )
}
