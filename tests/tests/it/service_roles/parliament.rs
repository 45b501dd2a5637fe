//! What parliament finds in the policies of the module, and what says beside them why it is as it should be:
//! `# parliament:skip=<issue> <part of the detail>: <reason>`, in the document that it is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Installation;

const MARK: &str = "# parliament:skip=";

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    policy: String,
    issue: String,
    detail: String,
}

/// A reason beside a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Skip {
    policy: String,
    issue: String,
    /// What the detail contains.
    part: String,
}

impl Skip {
    fn covers(&self, finding: &Finding) -> bool {
        self.policy == finding.policy.split(' ').next().unwrap_or_default()
            && self.issue == finding.issue
            && finding.detail.contains(&self.part)
    }
}

/// A document's statements as IAM has them.
fn policy(document: &Value) -> Value {
    let statements = document["statement"].as_array().into_iter().flatten();
    json!({"Version": "2012-10-17", "Statement": statements.map(statement).collect::<Vec<_>>()})
}

fn statement(of: &Value) -> Value {
    let is_none = |name: &str| of[name].as_array().is_none_or(Vec::is_empty);
    assert!(
        ["not_actions", "not_resources", "not_principals"].into_iter().all(is_none),
        "this does not write what {of} leaves out"
    );
    let mut written = Map::new();
    written.insert("Effect".into(), of["effect"].as_str().unwrap_or("Allow").into());
    for (from, to) in [("sid", "Sid"), ("actions", "Action"), ("resources", "Resource")] {
        if !of[from].is_null() {
            written.insert(to.into(), of[from].clone());
        }
    }
    let mut principals = BTreeMap::<&str, Vec<&Value>>::new();
    for one in of["principals"].as_array().into_iter().flatten() {
        let identifiers = one["identifiers"].as_array().into_iter().flatten();
        principals.entry(one["type"].as_str().unwrap_or_default()).or_default().extend(identifiers);
    }
    if !principals.is_empty() {
        let is_anybody = principals.contains_key("*");
        written.insert("Principal".into(), if is_anybody { "*".into() } else { json!(principals) });
        // The trust of a role names no resource, and parliament wants one: it is the role.
        written.entry("Resource").or_insert_with(|| "arn:aws:iam::111122223333:role/itself".into());
    }
    let mut conditions = BTreeMap::<&str, BTreeMap<&str, Value>>::new();
    for one in of["condition"].as_array().into_iter().flatten() {
        let (test, variable) = (one["test"].as_str(), one["variable"].as_str());
        let values = one["values"].as_array().map_or(&[][..], Vec::as_slice);
        let value = if let [only] = values { only.clone() } else { json!(values) };
        conditions.entry(test.unwrap_or_default()).or_default().insert(variable.unwrap_or_default(), value);
    }
    if !conditions.is_empty() {
        written.insert("Condition".into(), json!(conditions));
    }
    Value::Object(written)
}

fn found_in(policies: &BTreeMap<String, Value>) -> Result<BTreeSet<Finding>> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let runtime = tokio::runtime::Runtime::new()?;
    let interpreter = runtime.block_on(cordon_sandbox::python(&python.join("requirements.txt")))?;
    let mut child = Command::new(interpreter)
        .arg(python.join("iam_policies.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("a pipe")?.write_all(serde_json::to_string(policies)?.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "parliament could not read the policies: its error is above");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The reasons beside the documents of the module.
fn skips() -> Result<BTreeSet<Skip>> {
    let mut skips = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            read_skips(&fs::read_to_string(path)?, &mut skips)?;
        }
    }
    Ok(skips)
}

fn read_skips(text: &str, skips: &mut BTreeSet<Skip>) -> Result<()> {
    let mut document = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("data \"aws_iam_policy_document\" \"") {
            document = rest.trim_end_matches("\" {");
        }
        if let Some((_, rest)) = line.split_once(MARK) {
            let (what, reason) = rest.split_once(": ").with_context(|| format!("{line} says no reason"))?;
            ensure!(reason.len() > 10, "{line} says no reason");
            let (issue, part) = what.split_once(' ').unwrap_or((what, ""));
            skips.insert(Skip { policy: document.to_owned(), issue: issue.into(), part: part.into() });
        }
    }
    Ok(())
}

/// What no reason covers, and reasons that cover nothing.
fn compare<'a>(found: &'a BTreeSet<Finding>, skips: &'a BTreeSet<Skip>) -> (Vec<&'a Finding>, Vec<&'a Skip>) {
    let open = found.iter().filter(|finding| !skips.iter().any(|skip| skip.covers(finding)));
    let idle = skips.iter().filter(|skip| !found.iter().any(|finding| skip.covers(finding)));
    (open.collect(), idle.collect())
}

#[test]
fn parliament_finds_nothing_that_has_no_reason_beside_it() -> Result<()> {
    let documents = Installation::rendered()
        .resources
        .iter()
        .filter(|resource| resource["type"] == "aws_iam_policy_document")
        .map(|resource| {
            let name = resource["name"].as_str().unwrap_or_default();
            // Of several that one block makes, each is a policy.
            let index = resource["index"].as_str().map(|index| format!(" {index}")).unwrap_or_default();
            (format!("{name}{index}"), policy(&resource["values"]))
        });
    let mut policies: BTreeMap<String, Value> = documents.collect();
    for policy in
        ["investigator_trust", "purger_trust", "requests purges", "state_machine_trust object_restore"]
    {
        ensure!(
            policies.keys().any(|name| name.starts_with(policy)),
            "{policy} is not rendered: {:?}",
            policies.keys()
        );
    }
    let skips = skips()?;
    let found = found_in(&policies)?;
    let (open, idle) = compare(&found, &skips);
    assert!(open.is_empty() && idle.is_empty(), "no reason for {open:#?}; nothing to excuse by {idle:#?}");

    // It sees what is wrong: an action that there is not, and a star where a resource can be named.
    let allows = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]});
    policies = BTreeMap::from([
        ("worker".into(), allows("s3:ReadObject")),
        ("gateway".into(), allows("dynamodb:DeleteItem")),
    ]);
    let found = found_in(&policies)?;
    let issues: BTreeSet<_> = compare(&found, &skips).0.into_iter().map(|finding| &*finding.issue).collect();
    assert!(issues.contains("UNKNOWN_ACTION") && issues.contains("RESOURCE_STAR"), "{issues:?}");
    Ok(())
}

#[test]
fn a_reason_covers_its_own_document_and_issue_only() -> Result<()> {
    let text = "data \"aws_iam_policy_document\" \"mover\" {\n  # parliament:skip=UNKNOWN_ACTION Annotation: newer than its list\n}";
    let mut skips = BTreeSet::new();
    read_skips(text, &mut skips)?;
    let finding = |policy: &str, detail: &str| Finding {
        policy: policy.into(),
        issue: "UNKNOWN_ACTION".into(),
        detail: detail.into(),
    };
    let found =
        BTreeSet::from([finding("mover", "s3:GetObjectAnnotation"), finding("mover", "s3:ReadObject")]);
    assert_eq!(compare(&found, &skips), (vec![&finding("mover", "s3:ReadObject")], vec![]));
    let found = BTreeSet::from([finding("worker", "s3:GetObjectAnnotation")]);
    assert_eq!(compare(&found, &skips).1.len(), 1);
    assert!(read_skips("  # parliament:skip=RESOURCE_STAR", &mut skips).is_err(), "it says no reason");
    Ok(())
}
