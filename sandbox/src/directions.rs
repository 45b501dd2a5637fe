//! Where a running sandbox is, and what another shell needs in its environment to use it.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::deployment::Deployment;
use crate::operator;
use crate::process::child::sibling;
use crate::sandbox::Sandbox;

/// Variables that would win over the ones to export, or send what is for this machine to a proxy.
const UNSET: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "HTTP_PROXY",
    "http_proxy",
];

/// Names and values to export.
type Environment = BTreeMap<String, String>;

/// What `up` and `demo` print: for people with [`Display`], with `--json` as one line. Credentials in it open nothing
/// but this sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Directions {
    /// The process to stop.
    pid: u32,
    endpoint: String,
    account: String,
    region: String,
    slack_url: String,
    /// Lists the calls that came through the front door.
    calls_url: String,
    pub(crate) run_dir: PathBuf,
    /// To be the account's administrator.
    administrator_environment: Environment,
    /// To be an operator of Cordon.
    operator_environment: Environment,
    /// Whether Cordon is deployed, so that the operator's environment is complete.
    cordon_is_deployed: bool,
}

impl Directions {
    /// Of a sandbox in which the [operator's role](operator::create) exists.
    ///
    /// # Errors
    /// If an output of the Terraform is missing.
    pub(crate) fn new(sandbox: &Sandbox, deployment: Option<&Deployment>) -> anyhow::Result<Directions> {
        Ok(Directions {
            pid: std::process::id(),
            endpoint: sandbox.endpoint().to_owned(),
            account: sandbox.account().to_owned(),
            region: sandbox.region().to_owned(),
            slack_url: format!("{}/", sandbox.slack_url()),
            calls_url: format!("{}/_sandbox/calls", sandbox.endpoint()),
            run_dir: sandbox.run_dir().to_owned(),
            administrator_environment: sandbox.environment().into_iter().collect(),
            operator_environment: operator::environment(sandbox, deployment)?.into_iter().collect(),
            cordon_is_deployed: deployment.is_some(),
        })
    }

    /// What to try in a demo that has come to its end.
    pub(crate) fn what_next(&self) -> String {
        let cordon = cordon();
        format!(
            "\nWhat to try next, in another shell with the exports of an operator from above:\n\n\
             \x20 {cordon} quarantine list\n\
             \x20 {cordon} quarantine show CASE_ID\n\
             \x20 {cordon} restore CASE_ID --reason \"a try\" --even-if-exposed   (the bucket is still shared)\n\
             \x20 {cordon} pause --reason \"a try\"; {cordon} resume\n\
             \x20 the messages: {}",
            self.slack_url
        )
    }

    /// As one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text and numbers are JSON")
    }
}

impl Display for Directions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "  AWS    {}   account {}, {}", self.endpoint, self.account, self.region)?;
        writeln!(f, "  Slack  {}", self.slack_url)?;
        writeln!(f, "  Logs   {}", self.run_dir.display())?;
        writeln!(f, "  Calls  {}\n", self.calls_url)?;
        writeln!(f, "In another shell, as the account's administrator:\n")?;
        exports(f, &self.administrator_environment)?;
        writeln!(f, "\nIn another shell, as an operator of Cordon:\n")?;
        exports(f, &self.operator_environment)?;
        if self.cordon_is_deployed {
            let cordon = cordon();
            writeln!(f, "\n  {cordon} approvals list")?;
            writeln!(f, "  {cordon} approvals approve CASE_ID --reason \"a try\"   (instead of the click)")?;
            writeln!(f, "  {cordon} quarantine list")?;
        } else {
            writeln!(
                f,
                "\nOnce you have deployed Cordon, give the operator its policy (as the administrator) and its settings, where\n\
                 your Terraform is:\n\n\
                 \x20 aws iam attach-role-policy --role-name {} --policy-arn \"$(terraform output -raw operator_policy_arn)\"\n\
                 \x20 eval \"$(terraform output -json operator_environment | jq -r 'to_entries[] | \"export \\(.key)=\\(.value | @sh)\"')\"",
                operator::ROLE
            )?;
        }
        writeln!(f, "\nVersion 1 of the aws CLI takes the endpoint of sqs from --endpoint-url only.")
    }
}

/// The command line, where this build has it.
fn cordon() -> String {
    sibling("cordon").unwrap_or_else(|_| PathBuf::from("cordon")).display().to_string()
}

/// Lines for a shell to paste: first unset what would get in the way, then export.
fn exports(f: &mut Formatter<'_>, environment: &Environment) -> fmt::Result {
    writeln!(f, "  unset {}", UNSET.join(" "))?;
    for (name, value) in environment {
        writeln!(f, "  export {name}={}", shlex::try_quote(value).map_err(|_| fmt::Error)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions() -> Directions {
        let environment = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        Directions {
            pid: 7,
            endpoint: "http://127.0.0.1:4566".into(),
            account: "111122223333".into(),
            region: "us-east-1".into(),
            slack_url: "http://127.0.0.1:8300/".into(),
            calls_url: "http://127.0.0.1:4566/_sandbox/calls".into(),
            run_dir: "/tmp/runs/1".into(),
            administrator_environment: environment(&[("AWS_ACCESS_KEY_ID", "111122223333")]),
            operator_environment: environment(&[("CORDON_POLICY_KEY", "it's a policy; $(x)")]),
            cordon_is_deployed: true,
        }
    }

    #[test]
    fn a_shell_takes_every_value_as_it_is() {
        let text = directions().to_string();
        let script: String = text
            .lines()
            .filter(|line| line.starts_with("  export "))
            .map(|line| format!("{line}\n"))
            .collect();
        let shell = std::process::Command::new("sh")
            .args(["-c", &format!("{script}\nprintf '%s|%s' \"$AWS_ACCESS_KEY_ID\" \"$CORDON_POLICY_KEY\"")])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&shell.stdout), "111122223333|it's a policy; $(x)");
    }

    #[test]
    fn as_json_it_is_one_line_with_the_environments_by_name() {
        let json = directions().to_json();
        assert_eq!(json.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["operator_environment"]["CORDON_POLICY_KEY"], "it's a policy; $(x)");
        assert_eq!(serde_json::from_str::<Directions>(&json).expect("the same"), directions());
    }
}
