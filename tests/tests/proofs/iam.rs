//! Every grant of the roles whose calls the front door sees is used by the suite, or a comment beside its statement says why no
//! test can use it, and names a page: `# Unseen: why (page)`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{lines, rendered};

/// Documents of policies, and the role that each is for as the sandboxes name it.
const DOCUMENTS: [(&str, &str); 7] = [
    ("gateway", "gateway"),
    ("investigator", "investigator"),
    ("mover", "mover"),
    ("operator", "sandbox-operator"),
    ("purger", "purger"),
    ("restorer", "restorer"),
    ("worker", "worker"),
];
const MARK: &str = "# Unseen: ";
/// What tests have roles refused on purpose, by document. What else is refused is missing, and so is what is here and nobody may
/// do anywhere, but for [`NEVER_GRANTED`].
const REFUSED_ON_PURPOSE: [(&str, &str); 16] = [
    // As the gateway somebody forges records, requests and executions: `crashes::forgeries`.
    ("gateway", "dynamodb:UpdateItem"),
    ("gateway", "sqs:SendMessage"),
    ("gateway", "states:StartExecution"),
    // Sessions for other objects and buckets, and the two ways to stop them: `moves::sessions`, `crashes::stopped`.
    ("mover", "s3:DeleteObject"),
    ("mover", "s3:GetBucketVersioning"),
    ("mover", "s3:GetObject"),
    ("mover", "s3:ListBucket"),
    ("mover", "s3:PutObject"),
    ("restorer", "s3:DeleteObject"),
    ("restorer", "s3:GetObject"),
    ("restorer", "s3:ListBucket"),
    // A table that the worker may not read: `end_to_end::failures`.
    ("worker", "dynamodb:Query"),
    // What the operator's policy leaves to others: `end_to_end::doctor`, `restores::purges`.
    ("operator", "s3:GetObject"),
    ("operator", "secretsmanager:GetSecretValue"),
    ("operator", "sqs:SendMessage"),
    ("operator", "sts:AssumeRole"),
];

/// Of these what the document is to allow nowhere.
const NEVER_GRANTED: [(&str, &str); 4] = [
    ("gateway", "states:StartExecution"),
    ("operator", "secretsmanager:GetSecretValue"),
    ("operator", "sts:AssumeRole"),
    ("restorer", "s3:DeleteObject"),
];

/// An action that a statement of a document allows.
type Grant = (String, String, String);

/// What came of one evaluation, as the emulator has written it down.
#[derive(Debug, Deserialize)]
struct Decision {
    role: String,
    action: String,
    /// Absent where it was refused.
    statement: Option<String>,
}

/// The document that a role of any installation has.
fn document(role: &str) -> Option<&'static str> {
    let part = role.trim_end_matches("-us-east-1");
    DOCUMENTS
        .iter()
        .find(|(_, name)| {
            part == *name || part.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('-'))
        })
        .map(|(document, _)| *document)
}

fn granted() -> Result<BTreeSet<Grant>> {
    let resources = rendered()?;
    let mut grants = BTreeSet::new();
    for (document, _) in DOCUMENTS {
        let found =
            resources.iter().find(|one| one["type"] == "aws_iam_policy_document" && one["name"] == document);
        let statements =
            found.with_context(|| format!("no document {document}"))?["values"]["statement"].clone();
        for statement in
            statements.as_array().into_iter().flatten().filter(|statement| statement["effect"] != "Deny")
        {
            let sid = statement["sid"]
                .as_str()
                .with_context(|| format!("a statement of {document} has no name"))?;
            for action in statement["actions"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                grants.insert((document.to_owned(), sid.to_owned(), action.to_owned()));
            }
        }
    }
    Ok(grants)
}

/// The statements with a reason beside them: document and name, and the actions that it is for (all, where it names none).
fn reasoned() -> Result<BTreeMap<(String, String), Vec<String>>> {
    let mut reasons = BTreeMap::new();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
    for entry in fs::read_dir(module)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            read_reasons(&fs::read_to_string(path)?, &mut reasons)?;
        }
    }
    Ok(reasons)
}

fn read_reasons(text: &str, reasons: &mut BTreeMap<(String, String), Vec<String>>) -> Result<()> {
    let (mut document, mut reason) = (String::new(), None);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("data \"aws_iam_policy_document\" \"") {
            rest.trim_end_matches("\" {").clone_into(&mut document);
        }
        let line = line.trim();
        if let Some(said) = line.strip_prefix(MARK) {
            ensure!(said.contains("https://"), "a reason in {document} names no page: {said}");
            let (actions, _) =
                said.split_once(": ").filter(|(actions, _)| is_actions(actions)).unwrap_or_default();
            let named = actions.split(", ").filter(|action| !action.is_empty()).map(str::to_owned).collect();
            reason = Some(named);
        }
        if let Some(sid) = line.strip_prefix("sid").and_then(|rest| rest.split('"').nth(1))
            && let Some(reason) = reason.take()
        {
            reasons.insert((document.clone(), sid.to_owned()), reason);
        }
    }
    Ok(())
}

fn is_actions(text: &str) -> bool {
    text.split(", ").all(|action| action.split_once(':').is_some_and(|(_, name)| !name.contains([' ', '/'])))
}

/// What is wrong: grants that nobody used and nobody gives a reason for; what was used and is not granted; and reasons for
/// what is used after all.
#[derive(Debug, Default, PartialEq)]
struct Differences {
    unused: Vec<Grant>,
    missing: Vec<Grant>,
    idle_reasons: Vec<(String, String)>,
}

fn compare(
    granted: &BTreeSet<Grant>,
    used: &BTreeSet<Grant>,
    reasons: &BTreeMap<(String, String), Vec<String>>,
) -> (usize, Differences) {
    let has_reason = |(document, sid, action): &Grant| {
        let found = reasons.get(&(document.clone(), sid.clone()));
        found.is_some_and(|actions| actions.is_empty() || actions.contains(action))
    };
    let (reasoned, unused): (Vec<_>, Vec<_>) = granted.difference(used).cloned().partition(has_reason);
    let is_idle = |(document, sid): &&(String, String)| {
        let of_it = |grant: &&Grant| grant.0 == *document && grant.1 == *sid;
        granted.iter().any(|grant| of_it(&&grant.clone())) && !reasoned.iter().any(|grant| of_it(&grant))
    };
    let differences = Differences {
        unused,
        missing: used.difference(granted).cloned().collect(),
        idle_reasons: reasons.keys().filter(is_idle).cloned().collect(),
    };
    (reasoned.len(), differences)
}

/// The grants that were used; and what was refused and no test wants refused, as grants of no statement. What tests want refused
/// is to be refused somewhere, and elsewhere allowed.
fn read_decisions(decisions: Vec<Decision>) -> (BTreeSet<Grant>, BTreeSet<Grant>) {
    let (mut used, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut as_wanted = BTreeSet::new();
    for Decision { role, action, statement } in decisions {
        let Some(document) = document(&role) else { continue };
        match statement {
            // An administrator's or a test's own policies have no names.
            Some(sid) if sid.is_empty() => {}
            Some(sid) => {
                used.insert((document.to_owned(), sid, action));
            }
            None if REFUSED_ON_PURPOSE.contains(&(document, &*action)) => {
                as_wanted.insert((document, action));
            }
            None => {
                refused.insert((document.to_owned(), String::new(), action));
            }
        }
    }
    for pair in REFUSED_ON_PURPOSE {
        let (document, action) = (pair.0.to_owned(), pair.1.to_owned());
        let is_used = used.iter().any(|(of, _, what)| *of == document && *what == action);
        if is_used == NEVER_GRANTED.contains(&pair) || !as_wanted.contains(&(pair.0, action.clone())) {
            refused.insert((document, String::new(), action));
        }
    }
    (used, refused)
}

#[test]
fn every_grant_is_used_or_has_its_reason_beside_it() -> Result<()> {
    let (granted, reasons) = (granted()?, reasoned()?);
    let (used, refused) = read_decisions(lines::<Decision>("decisions-")?);
    let (reasoned, mut differences) = compare(&granted, &used, &reasons);
    differences.missing.extend(refused);
    println!(
        "PROOF iam granted={} used={} reasoned={reasoned} missing={}",
        granted.len(),
        granted.intersection(&used).count(),
        differences.missing.len()
    );
    ensure!(differences == Differences::default(), "{differences:#?}");
    Ok(())
}

#[test]
fn a_grant_too_many_or_too_few_is_found() -> Result<()> {
    let grant = |sid: &str, action: &str| ("worker".to_owned(), sid.to_owned(), action.to_owned());
    let granted = BTreeSet::from([grant("Read", "s3:GetObject"), grant("Key", "kms:Decrypt")]);
    let used = BTreeSet::from([grant("Read", "s3:GetObject")]);
    let mut reasons = BTreeMap::new();
    let text = "data \"aws_iam_policy_document\" \"worker\" {\n  statement {\n    # Unseen: kms:Decrypt: the emulator asks nobody (https://docs.aws.amazon.com/kms).\n    sid = \"Key\"\n";
    read_reasons(text, &mut reasons)?;
    assert_eq!(compare(&granted, &used, &reasons), (1, Differences::default()));

    let mut planted = granted.clone();
    planted.insert(grant("Read", "s3:PutObject"));
    assert_eq!(compare(&planted, &used, &reasons).1.unused, [grant("Read", "s3:PutObject")]);
    let mut removed = granted.clone();
    removed.remove(&grant("Read", "s3:GetObject"));
    assert_eq!(compare(&removed, &used, &reasons).1.missing, [grant("Read", "s3:GetObject")]);
    // Without the grant the call is refused, and that is seen.
    let decision = |action: &str, statement: Option<&str>| Decision {
        role: "cordon-worker-us-east-1".into(),
        action: action.into(),
        statement: statement.map(str::to_owned),
    };
    let on_purpose = |granted: bool| {
        let pairs = REFUSED_ON_PURPOSE.into_iter();
        pairs.flat_map(move |pair| {
            let (document, action) = pair;
            let role = DOCUMENTS.iter().find(|(of, _)| *of == document).map_or("", |(_, role)| *role);
            let decided = |statement: Option<&str>| Decision {
                role: role.into(),
                action: action.into(),
                statement: statement.map(str::to_owned),
            };
            let is_granted = granted && !NEVER_GRANTED.contains(&pair);
            [Some(decided(None)), is_granted.then(|| decided(Some("Sid")))].into_iter().flatten()
        })
    };
    let decisions = [decision("s3:GetObject", None), decision("kms:Decrypt", Some("Key"))];
    let (used, refused) = read_decisions(decisions.into_iter().chain(on_purpose(true)).collect());
    assert!(used.contains(&grant("Key", "kms:Decrypt")));
    assert_eq!(refused, BTreeSet::from([grant("", "s3:GetObject")]));
    let (_, refused) = read_decisions(on_purpose(false).collect());
    assert_eq!(refused.len(), REFUSED_ON_PURPOSE.len() - NEVER_GRANTED.len(), "nobody may do it any more");
    let all = granted.clone();
    assert_eq!(compare(&granted, &all, &reasons).1.idle_reasons, [("worker".into(), "Key".into())]);
    assert!(read_reasons("# Unseen: because", &mut reasons).is_err(), "it names no page");
    assert_eq!(
        (document("cordon-worker-us-east-1"), document("other-mover")),
        (Some("worker"), Some("mover"))
    );
    assert_eq!(document("power"), None);
    Ok(())
}
