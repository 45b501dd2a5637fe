//! Secrets that a task definition puts into the environment.

use anyhow::{Context, bail};
use aws_sdk_secretsmanager::Client;
use serde_json::Value;

/// The value behind a `valueFrom`: a secret's ARN, optionally followed by `:json_key:version_stage:version_id`, each of which
/// may be empty. The client acts for the execution role.
pub(super) async fn resolve(client: &Client, value_from: &str) -> anyhow::Result<String> {
    const FAILED: &str = "ResourceInitializationError: unable to pull secrets or registry auth";
    let reference = Reference::parse(value_from)?;
    let request = client
        .get_secret_value()
        .secret_id(&reference.arn)
        .set_version_stage(reference.version_stage)
        .set_version_id(reference.version_id);
    let answer = request.send().await.with_context(|| format!("{FAILED}: {}", reference.arn))?;
    let text =
        answer.secret_string().with_context(|| format!("{FAILED}: {} is not a text", reference.arn))?;
    let Some(key) = &reference.json_key else { return Ok(text.to_owned()) };
    let value: Option<Value> = serde_json::from_str(text).ok();
    let value = value.and_then(|value| value[key].as_str().map(str::to_owned));
    value.with_context(|| format!("{FAILED}: {} did not contain json key {key}", reference.arn))
}

#[derive(Debug, PartialEq, Eq)]
struct Reference {
    arn: String,
    json_key: Option<String>,
    version_stage: Option<String>,
    version_id: Option<String>,
}

impl Reference {
    fn parse(value_from: &str) -> anyhow::Result<Reference> {
        // arn:aws:secretsmanager:<region>:<account>:secret:<name> is seven parts, then come the optional three.
        let parts: Vec<&str> = value_from.split(':').collect();
        if parts.len() < 7 || parts.len() > 10 || parts[2] != "secretsmanager" {
            bail!("{value_from} does not refer to a secret");
        }
        let part =
            |index: usize| parts.get(index).filter(|part| !part.is_empty()).map(|part| (*part).to_owned());
        Ok(Reference {
            arn: parts[..7].join(":"),
            json_key: part(7),
            version_stage: part(8),
            version_id: part(9),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_may_name_a_json_key_and_leave_the_version_open() {
        let arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:cordon/slack-AbCdEf";
        let reference = Reference::parse(&format!("{arn}:bot_token::")).expect("a reference");
        assert_eq!(reference.arn, arn);
        assert_eq!(reference.json_key.as_deref(), Some("bot_token"));
        assert_eq!((reference.version_stage, reference.version_id), (None, None));
        assert_eq!(Reference::parse(arn).expect("a reference").json_key, None);
        let staged = Reference::parse(&format!("{arn}::AWSPREVIOUS:")).expect("a reference");
        assert_eq!(staged.version_stage.as_deref(), Some("AWSPREVIOUS"));
        assert!(Reference::parse("cordon/slack").is_err());
    }
}
