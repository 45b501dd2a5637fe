//! What every command of a person starts from: settings, credentials, who they are, and the cases that they name.

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Read},
};

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use cordon_domain::{
    case::{Case, vote::MAX_REASON_CHARS},
    policy::encoding::decode,
};
use wildmatch::WildMatch;

use crate::{
    app::refusals::Refusal,
    aws::{self, sts},
    config::OperatorConfig,
    error::{Error, Result},
    store::{Cases, keys},
};

/// A person at work.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) config: OperatorConfig,
    pub(super) aws: SdkConfig,
    pub(super) cases: Cases,
    /// Their ARN.
    pub(super) caller: String,
}

/// The digits of a case id: SHA-256 in hex.
const CASE_ID: usize = 64;
const NO_CASE_ID: &str = "is not a case id, which has 64 hexadecimal digits, or the first 12 of them as Slack shows them; \
     `cordon approvals list` and `cordon quarantine list` show them whole";

impl Operator {
    /// Reads the settings and asks AWS whose credentials these are.
    pub(super) async fn connect() -> anyhow::Result<Self> {
        let config = OperatorConfig::read(&super::environment())?;
        let aws = credentials(&config.region).await?;
        let caller = sts::caller(&aws).await.map_err(|error| match (aws.endpoint_url(), &error) {
            (Some(url), Error::Retryable(_)) => {
                anyhow!(
                    "{error}; AWS is looked for at {url}, because AWS_ENDPOINT_URL or the AWS profile says so"
                )
            }
            _ => error.into(),
        })?;
        if caller.account != config.account {
            bail!(
                "your AWS credentials are of account {}, and Cordon runs in {}; choose others with AWS_PROFILE",
                caller.account,
                config.account
            );
        }
        let cases = Cases::new(aws_sdk_dynamodb::Client::new(&aws), config.cases_table.clone());
        Ok(Self { config, aws, cases, caller: caller.arn })
    }

    /// The case of this id, or why there is none.
    ///
    /// # Errors
    /// As classified.
    pub(super) async fn case(&self, case_id: &str) -> Result<std::result::Result<Case, Refusal>> {
        let case = if is_case_id(case_id, keys::SHORT_ID) {
            match self.cases.cases_of_short_id(case_id).await?.as_slice() {
                [] => None,
                [case_id] => self.cases.get(case_id).await?,
                [..] => {
                    return Ok(Err(unknown("Several cases begin so; give the whole id.")));
                }
            }
        } else if is_case_id(case_id, CASE_ID) {
            self.cases.get(case_id).await?
        } else {
            return Ok(Err(unknown(&format!("This {NO_CASE_ID}."))));
        };
        Ok(case.ok_or_else(Refusal::unknown_case))
    }
}

/// AWS as a person's credentials open it, or what to do where there are none.
pub(super) async fn credentials(region: &str) -> anyhow::Result<SdkConfig> {
    aws::sdk_config(region).await.map_err(|error| {
        let environment = super::environment();
        if let Some(url) = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            return anyhow!(
                "no AWS credentials come from {url}, which AWS_CONTAINER_CREDENTIALS_FULL_URI names ({}); if it is \
                 a sandbox's, see that it still runs, or unset the variable",
                error.root_cause()
            );
        }
        anyhow!(
            "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with \
             SSO run `eval \"$(aws configure export-credentials --format env)\"` first ({})",
            error.root_cause()
        )
    })
}

fn unknown(why: &str) -> Refusal {
    Refusal::new("UnknownCase", why)
}

/// A reason as given on the command line.
///
/// # Errors
/// When it says nothing, or too much.
pub(super) fn reason(text: &str) -> std::result::Result<String, String> {
    let reason = text.trim();
    match reason.chars().count() {
        0 => Err("say why, for those who read the record later".into()),
        n if n > MAX_REASON_CHARS => {
            Err(format!("it has {n} characters; {MAX_REASON_CHARS} are the most: name a ticket instead"))
        }
        _ => Ok(reason.to_owned()),
    }
}

/// A case id as given on the command line.
///
/// # Errors
/// When it cannot be one.
pub(super) fn case_id(text: &str) -> std::result::Result<String, String> {
    let is_one = is_case_id(text, CASE_ID) || is_case_id(text, keys::SHORT_ID);
    if is_one { Ok(text.to_owned()) } else { Err(format!("it {NO_CASE_ID}")) }
}

/// The same, or `-` for standard input.
///
/// # Errors
/// As there.
pub(super) fn case_id_or_input(text: &str) -> std::result::Result<String, String> {
    if text == "-" { Ok(text.to_owned()) } else { case_id(text) }
}

fn is_case_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A glob over bucket names as given on the command line.
///
/// # Errors
/// When it is empty.
pub(super) fn glob(text: &str) -> std::result::Result<WildMatch, String> {
    if text.is_empty() {
        return Err("an empty glob matches no bucket".into());
    }
    Ok(WildMatch::new(text))
}

/// The case ids that were named, each once. `-` stands for those on standard input: the first word of each line.
pub(super) fn case_ids(named: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for name in named {
        if name != "-" {
            ids.push(name.clone());
            continue;
        }
        let mut bytes = Vec::new();
        if io::stdin().is_terminal() {
            super::terminal::note("Case ids, one a line; end with Ctrl-D:");
        }
        io::stdin().read_to_end(&mut bytes).context("standard input cannot be read")?;
        let text = decode(&bytes).map_err(|why| anyhow!("standard input cannot be read as text: {why}"))?;
        ids.extend(first_words(&text));
    }
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    // A case may be named whole, and by its first digits again.
    let whole: Vec<String> = ids.iter().filter(|id| id.len() == CASE_ID).cloned().collect();
    ids.retain(|id| id.len() == CASE_ID || !whole.iter().any(|whole| whole.starts_with(id.as_str())));
    if ids.is_empty() {
        bail!("no case ids came from standard input; `cordon quarantine list` prints them");
    }
    Ok(ids)
}

fn first_words(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        for nothing in ["", "  \n"] {
            assert!(reason(nothing).is_err());
        }
        assert!(reason(&"x".repeat(1_001)).unwrap_err().contains("1001"));
        assert_eq!(reason(" it was a test file ").unwrap(), "it was a test file");
    }

    #[test]
    fn only_whole_case_ids_and_those_of_slack_are_taken_and_a_dash_where_there_may_be_many() {
        let whole = "812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454";
        for id in [whole, &whole[..12]] {
            assert_eq!(case_id(id).as_deref(), Ok(id));
        }
        for wrong in ["", "-", &whole[..11], &whole[..13], &whole.to_uppercase(), &format!("{whole}0")] {
            assert!(case_id(wrong).unwrap_err().contains("64 hexadecimal digits"), "{wrong}");
        }
        assert_eq!(case_id_or_input("-").as_deref(), Ok("-"));
        assert!(case_id_or_input("--").is_err());
    }

    #[test]
    fn a_list_of_cases_can_be_piped_in_as_it_is() {
        let words: Vec<_> = first_words("aa  finance/a b.txt\n\n  bb\n").collect();
        assert_eq!(words, ["aa", "bb"]);
    }
}
