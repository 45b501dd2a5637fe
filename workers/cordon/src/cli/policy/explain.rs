//! `cordon policy explain`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use cordon_domain::{
    case::{
        Case, Status,
        known_cases::{Event, Standing, is_left_by_person, response},
        plan::Plan,
    },
    finding::Finding,
    policy::{
        Decided, Explanation, Fallback, Policy, answer::PolicyAnswer, decide, preview::preview,
        scope::BucketScope,
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use super::source::{Source, in_force};
use crate::{
    cli::{
        self,
        operator::{Operator, case_id},
        terminal::{self, JsonArray},
    },
    config::{fallback_where_set, scope_where_set},
};

/// Arguments of `cordon policy explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon policy explain event.json
  aws macie2 get-findings --finding-ids d5a83c6d… | cordon policy explain - --policy new-policy.json

A finding may be an EventBridge event, what `aws macie2 get-findings` prints, or bare. Several, in a list or line by line, are
explained in turn.")]
pub(in crate::cli) struct ExplainArguments {
    /// The finding, or several (JSON); `-` is standard input.
    event: Source,
    /// The policy; the one in force where it is left out. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    policy: Option<Source>,
    /// Whether the bucket is exposed, for rules that ask. Unknown where it is left out: then the stricter rule counts.
    #[arg(long, value_name = "true|false")]
    exposed: Option<bool>,
    /// Say too what the finding means for this case, which answers an earlier finding about the same object version.
    /// Requires the operator settings and AWS credentials (see `cordon restore --help`).
    #[arg(long, value_name = "CASE_ID", value_parser = case_id)]
    case: Option<String>,
    /// Print it as JSON: `finding`, `rule`, `passed`, `would`, `summary`, `known_case` and more; for several findings a list, each with
    /// its `index`, and with `error` where it is none.
    #[arg(long)]
    json: bool,
}

/// The policy that is asked, and where it is from.
struct Asked {
    policy: std::result::Result<Policy, String>,
    name: String,
    version: Option<String>,
    fallback: Fallback,
    /// Cordon's own buckets, as far as they are known.
    own: Vec<String>,
    /// What is protected, as far as it is set.
    scope: BucketScope,
    /// The case that answers an earlier finding.
    case: Option<Case>,
}

const POLICY_FINDING: &str =
    "It is a policy finding, about a bucket's settings: Cordon answers findings about objects.";

impl ExplainArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if self.event.is_stdin() && self.policy.as_ref().is_some_and(Source::is_stdin) {
            bail!("only one of finding and policy can come from standard input");
        }
        let documents =
            Finding::documents(&self.event.text()?).with_context(|| format!("{} is not JSON", self.event))?;
        match documents.as_slice() {
            [] => bail!("{} holds no finding", self.event),
            [document] => {
                let finding = Finding::from_document(document)?;
                let asked = self.asked().await?;
                self.say(finding.as_ref(), &asked)?;
                Ok(ExitCode::SUCCESS)
            }
            several => self.explain_in_turn(several).await,
        }
    }

    /// Explains each, and fails if one of them is no finding.
    async fn explain_in_turn(&self, documents: &[Value]) -> anyhow::Result<ExitCode> {
        let asked = self.asked().await?;
        let mut ended = ExitCode::SUCCESS;
        let mut list = self.json.then(JsonArray::default);
        for (index, document) in (1..).zip(documents) {
            let finding = Finding::from_document(document);
            if finding.is_err() {
                ended = ExitCode::FAILURE;
            }
            if let Some(list) = &mut list {
                let mut answer = match &finding {
                    Ok(finding) => self.json_of(finding.as_ref(), &asked),
                    Err(error) => json!({"finding": null, "error": error.to_string()}),
                };
                answer["index"] = json!(index);
                list.push(&answer)?;
                continue;
            }
            terminal::say(&format!("{index} of {}:", documents.len()))?;
            match &finding {
                Ok(finding) => self.say(finding.as_ref(), &asked)?,
                Err(error) => terminal::say(&error.to_string())?,
            }
            if index < documents.len() {
                terminal::say("")?;
            }
        }
        list.map_or(Ok(()), JsonArray::end)?;
        Ok(ended)
    }

    fn say(&self, finding: Option<&Finding>, asked: &Asked) -> std::io::Result<()> {
        if self.json {
            return terminal::say_json(&self.json_of(finding, asked));
        }
        let lines = match finding {
            Some(finding) => self.answer(finding, asked, |answer| answer.lines()),
            None => vec![POLICY_FINDING.into()],
        };
        lines.iter().try_for_each(|line| terminal::say(line))
    }

    fn json_of(&self, finding: Option<&Finding>, asked: &Asked) -> Value {
        match finding {
            Some(finding) => self.answer(finding, asked, |answer| answer.json()),
            None => json!({"finding": null, "summary": POLICY_FINDING}),
        }
    }

    fn answer<T>(&self, finding: &Finding, asked: &Asked, say: impl Fn(&Answer<'_>) -> T) -> T {
        let policy = asked.policy.as_ref().map_err(String::as_str);
        let decided = decide(policy, finding, self.exposed, &asked.fallback);
        let explained = policy.ok().map(|policy| policy.explain(finding, self.exposed));
        let plan = Plan::new(finding, &decided, asked.version.clone()).within(&asked.scope);
        say(&Answer {
            summary: summary(finding, &decided, &plan, asked),
            known_case: asked
                .case
                .as_ref()
                .map(|case| KnownCase::of(case, &PolicyAnswer::new(finding, &decided, self.exposed))),
            finding,
            exposed: self.exposed,
            decided: &decided,
            explained: explained.as_ref(),
            asked,
        })
    }

    async fn asked(&self) -> anyhow::Result<Asked> {
        let case = match &self.case {
            Some(case_id) => match Operator::connect().await?.case(case_id).await? {
                Ok(case) => Some(case),
                Err(refusal) => bail!(refusal.why),
            },
            None => None,
        };
        if let Some(source) = &self.policy {
            return Ok(Asked {
                policy: Ok(source.policy()?),
                name: source.to_string(),
                version: None,
                fallback: fallback_where_set(&cli::environment()),
                own: Vec::new(),
                scope: scope_where_set(&cli::environment()),
                case,
            });
        }
        let operator = Operator::connect().await?;
        let in_force = in_force(&operator).await?;
        Ok(Asked {
            policy: in_force.policy,
            name: "the policy in force".into(),
            version: in_force.version,
            own: vec![operator.config.quarantine_bucket, operator.config.state_bucket],
            scope: scope_where_set(&cli::environment()),
            fallback: operator.config.fallback,
            case,
        })
    }
}

fn summary(finding: &Finding, decided: &Decided, plan: &Plan, asked: &Asked) -> String {
    if asked.own.contains(&finding.object.bucket) {
        return "It is about a bucket of Cordon's own, which Cordon leaves alone whatever policy says."
            .into();
    }
    let mut summary = preview(decided.effect.disposition, plan);
    if let Some(glob) = &plan.protected_by {
        summary.push_str(&format!(" But the bucket is protected (by {glob}): this would only be told."));
    } else if decided.shadow {
        summary.push_str(" But policy is in shadow mode: this would only be told.");
    }
    if finding.sample {
        summary.push_str(" It is a sample finding: there is no object, and nothing would be touched.");
    }
    summary
}

/// What is answered.
struct Answer<'a> {
    finding: &'a Finding,
    exposed: Option<bool>,
    decided: &'a Decided,
    explained: Option<&'a Explanation<'a>>,
    asked: &'a Asked,
    summary: String,
    known_case: Option<KnownCase>,
}

/// What the finding means for a case that is known: the cell of the table *Known cases and new events*.
#[derive(Debug, Serialize)]
struct KnownCase {
    case_id: String,
    standing: &'static str,
    event: &'static str,
    response: &'static str,
}

impl KnownCase {
    fn of(case: &Case, answer: &PolicyAnswer) -> Self {
        // Whether the object is at its place again only the worker may see; where it is not, there is nothing to decide.
        let standing = Standing::of(case, case.status == Status::Open, true);
        let event = Event::of(&case.policy_answer, answer);
        let response = response(standing, event, is_left_by_person(case, false));
        Self {
            case_id: case.case_id.clone(),
            standing: standing.words(),
            event: event.words(),
            response: response.words(),
        }
    }

    fn lines(&self) -> [String; 2] {
        [format!("The case is {}, and {}.", self.standing, self.event), self.response.to_owned()]
    }
}

impl Answer<'_> {
    fn lines(&self) -> Vec<String> {
        let (finding, object) = (self.finding, &self.finding.object);
        let mut lines = vec![
            format!("Finding {}: {}, {}", finding.id, finding.finding_type, finding.severity),
            format!("  in {}/{} of account {}", object.bucket, object.key, object.account),
        ];
        lines.extend(
            finding.detections.iter().map(|d| format!("  {} × {} ({})", d.count, d.name, d.category)),
        );
        lines.extend(finding.incomplete.as_ref().map(|incomplete| format!("  {incomplete}")));
        lines.push(match self.exposed {
            Some(true) => "  the bucket is exposed".into(),
            Some(false) => "  the bucket is not exposed".into(),
            None => "  whether the bucket is exposed is unknown".into(),
        });
        let version = self.asked.version.as_ref().map(|version| format!(" (version {version})"));
        lines.push(format!("Policy: {}{}", self.asked.name, version.unwrap_or_default()));
        for (number, passed) in (1..).zip(self.explained.iter().flat_map(|explained| &explained.passed)) {
            let why: Vec<_> = passed.mismatches.iter().map(|mismatch| mismatch.why.as_str()).collect();
            lines.push(format!("  {number}. {} does not match: {}", passed.rule.name, why.join("; ")));
        }
        lines.push(match self.deciding() {
            Some(number) => {
                format!("  {number}. {} decides: {}", self.decided.rule, self.decided.effect.disposition)
            }
            None => format!("  {}: {}", self.decided.rule, self.decided.effect.disposition),
        });
        lines.push(self.summary.clone());
        lines.extend(self.known_case.iter().flat_map(KnownCase::lines));
        lines
    }

    /// The number of the rule that decides, from 1.
    fn deciding(&self) -> Option<usize> {
        self.explained
            .filter(|explained| explained.rule.is_some())
            .map(|explained| explained.passed.len() + 1)
    }

    fn json(&self) -> Value {
        let passed = (1..).zip(self.explained.iter().flat_map(|explained| &explained.passed)).map(
            |(number, passed): (usize, _)| json!({"number": number, "name": passed.rule.name, "mismatches": passed.mismatches}),
        );
        let rule = self.explained.and_then(|explained| explained.rule);
        json!({
            "finding": self.finding,
            "exposed": self.exposed,
            "policy": {"source": self.asked.name, "version": self.asked.version},
            "rule": rule.map(|rule| json!({"number": self.deciding(), "name": rule.name})),
            "exposure_unknown": self.explained.is_some_and(|explained| explained.unsure),
            "passed": passed.collect::<Vec<_>>(),
            "would": self.decided,
            "summary": self.summary,
            "known_case": self.known_case,
        })
    }
}
