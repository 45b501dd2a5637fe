//! Terraform and `cordon policy check` agree on what a policy may say: they refuse the same policies with the same
//! sentence, and what Terraform would write is what the worker can read.
//!
//! Only `variables.*.tf` are applied, which need no provider.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use cordon_domain::policy::Policy;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The variables of the module, and what Terraform would write as policy object.
struct Variables {
    directory: TempDir,
}

impl Variables {
    fn of_the_module() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let files = fs::read_dir(repository().join("terraform")).expect("the module");
        for file in files.map(|file| file.expect("a file of the module")) {
            if file.file_name().to_string_lossy().starts_with("variables.") {
                fs::copy(file.path(), directory.path().join(file.file_name())).expect("a copy of it");
            }
        }
        let output = "output \"policy\" { value = jsonencode(local.policy) }\n";
        fs::write(directory.path().join("outputs.tf"), output).expect("a written file");
        Self { directory }
    }

    /// What Terraform warns of.
    fn warnings(&self, policy: &Value) -> Vec<String> {
        self.run(policy, json!({}))
            .1
            .iter()
            .filter(|message| message["@level"] == "warn")
            .map(|message| message["diagnostic"]["detail"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The policy as Terraform writes it, or why it refuses it.
    fn apply(&self, policy: &Value) -> Result<String, Vec<String>> {
        self.apply_with(policy, json!({}))
    }

    /// The same with other values for some variables.
    fn apply_with(&self, policy: &Value, others: Value) -> Result<String, Vec<String>> {
        let (applied, messages) = self.run(policy, others);
        if applied {
            let outputs = messages
                .iter()
                .rfind(|message| message["type"] == "outputs")
                .expect("outputs after the apply");
            return Ok(outputs["outputs"]["policy"]["value"].as_str().expect("a text").to_owned());
        }
        Err(messages
            .iter()
            .filter(|message| message["@level"] == "error")
            .map(|message| message["diagnostic"]["detail"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// Applies; whether that succeeded, and what Terraform said.
    fn run(&self, policy: &Value, others: Value) -> (bool, Vec<Value>) {
        let mut variables = json!({
            "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/cordon:0.1.0",
            "network": {"kind": "existing", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]},
            "analyzer_arn": "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/cordon",
            "slack_app_id": "A0CORDON01",
            "slack_team_id": "T0CORDON01",
            "slack_channel": "C0SECURITY",
            "fallback_approvers": ["U0ALICE001"],
            "policy": policy,
        });
        variables.as_object_mut().expect("an object").extend(others.as_object().expect("an object").clone());
        let file = self.directory.path().join("terraform.tfvars.json");
        fs::write(&file, variables.to_string()).expect("a written file");
        let applied = Command::new("terraform")
            .env("GOGC", "800")
            .args(["apply", "-json", "-auto-approve", "-input=false"])
            .current_dir(self.directory.path())
            .output()
            .expect("terraform is needed in PATH");
        let messages: Vec<Value> = String::from_utf8_lossy(&applied.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        (applied.status.success(), messages)
    }
}

/// The policies that docs/POLICY.md shows.
fn documented() -> Vec<Value> {
    let text = include_str!("../../../docs/POLICY.md");
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split_once("```").expect("a block ends").0);
    blocks.map(|block| serde_json::from_str(block).expect("a documented policy is JSON")).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

fn with(members: Value) -> Value {
    let mut rule = json!({"name": "a-rule", "disposition": "quarantine"});
    rule.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    rule
}

fn one(members: Value) -> Value {
    json!({"version": 1, "rules": [with(members)]})
}

fn two(first: Value, second: Value) -> Value {
    json!({"version": 1, "rules": [with(first), with(second)]})
}

#[test]
fn terraform_and_policy_check_warn_of_the_same_globs() {
    let variables = Variables::of_the_module();
    for (member, globs) in [
        (
            "keys",
            &[
                "*.{csv,xlsx}",
                "[0-9]*.csv",
                "!secret/*",
                " *.csv",
                "*.csv ",
                "s3://b/*.csv",
                "arn:aws:s3:::b/*",
            ][..],
        ),
        ("keys", &["/exports/*", "^exports/.*", ".*\\.csv", "*.csv$"]),
        ("keys", &["*.csv", "exports/2026-??/*", "a}b{c", "a]b[c", "two words.csv", "100%/$*"]),
        ("identifiers", &["{AWS,GCP}_*", "[A-Z]*", "!NAME", "NAME ", "AWS_*", "Employee id"]),
        ("buckets", &["ab", "??", "-logs*", "*-logs.", "a..b", "ab*", "a?c", "*", "www.example.com"]),
    ] {
        for glob in globs {
            let policy = one(json!({member: [glob]}));
            let of_cordon = Policy::parse(policy.to_string().as_bytes()).expect("it is valid").warnings();
            let of_terraform = variables.warnings(&policy);
            assert_eq!(
                of_cordon.is_empty(),
                of_terraform.is_empty(),
                "{member} {glob}: {of_cordon:?} {of_terraform:?}"
            );
            assert!(of_terraform.iter().all(|told| told.contains(glob)), "{glob}: {of_terraform:?}");
        }
    }
}

#[test]
fn the_id_of_a_slack_organization_is_refused_with_the_reason() {
    let variables = Variables::of_the_module();
    let refused = |team: &str| variables.apply_with(&json!({}), json!({"slack_team_id": team}));
    let told = refused("E0ACME0001").expect_err("an organization is refused").join(" ");
    assert!(told.contains("an Enterprise Grid organization (E…) is not supported yet"), "{told}");
    let told = refused("acme").expect_err("a name is refused").join(" ");
    assert!(told.contains("must be the id of a Slack workspace (T…)"), "{told}");
    assert!(refused("T0ACME0001").is_ok());
}

#[test]
fn terraform_and_policy_check_refuse_the_same_policies_with_the_same_sentence() {
    let variables = Variables::of_the_module();
    let name =
        "must be 1 to 64 lower-case letters, digits, hyphens or underscores, the first a letter or digit";
    let severity = "must be Low, Medium or High, as Macie spells them";
    let disposition = "must be quarantine, review or ignore";
    let finding_types = "must be sensitive-data finding types of Macie (such as \
        SensitiveData:S3Object/Financial), or globs of them with * and ?: anything else would never match";
    let empty = "must not be empty: such a rule would never match. Leave";
    let buckets = "must be bucket names (no ARNs), or globs of them with * and ?";
    let rounds = "must be a whole number from 1 to 30";
    let users = "must be Slack user ids (U… or W…), not names: names can be taken over";
    let channel = "must be a Slack channel id (C… or G…) or null";
    let nobody = "must name at least one approver in approvers.users or approvers.groups when its disposition is \
        review";
    let keys = "must be object keys, or globs of them with * and ?, none of them empty";
    let accounts = "must be account ids of 12 digits, or globs of them with * and ?";
    let categories = "must be CREDENTIALS, CUSTOM_IDENTIFIER, FINANCIAL_INFORMATION or PERSONAL_INFORMATION, as \
        Macie spells them";
    let identifiers = "must be names of managed or custom data identifiers (such as CREDIT_CARD_NUMBER), or globs of \
        them with * and ?, none of them empty";
    let count = "must be a whole number from 1 to 1000000";
    let groups = "must be ids of Slack user groups (S…), not their handles";
    let snooze = "must be a whole number from 1 to 604800 (a week)";
    let operator = "must be named by a UserId as `aws sts get-caller-identity` tells it: AIDA… of a user, or \
        AROA…:session of a role";
    let operators = |arn: &str, user: &str| json!({"version": 1, "rules": [], "operators": {arn: user}});
    let olivia = "AIDACKCEVSQ6C2EXAMPLE";
    let asks = "must not set approvers, rounds or channel when its disposition is ignore, which asks nobody";
    let limit = "must be a whole number from 0 to 1000000";
    let unreachable = "must not follow a rule that matches everything: it would never be reached";
    let last = json!({"name": "last"});
    for (policy, sentence) in [
        (json!({"version": 2, "rules": []}), "must be 1, the only version that this release reads"),
        (
            two(json!({"buckets": ["a"]}), json!({})),
            "must be distinct: a case records the rule that decided it",
        ),
        (one(json!({"name": ""})), name),
        (one(json!({"name": "-a"})), name),
        (one(json!({"name": "a rule"})), name),
        (one(json!({"name": "a\n"})), name),
        (one(json!({"name": "a\u{7}"})), name),
        (one(json!({"name": "A"})), name),
        (one(json!({"name": "ä"})), name),
        (one(json!({"name": "a".repeat(65)})), name),
        (one(json!({"minimum_severity": "HIGH"})), severity),
        (one(json!({"minimum_severity": "Critical"})), severity),
        (one(json!({"disposition": "delete"})), disposition),
        (one(json!({"disposition": "Review"})), disposition),
        (one(json!({"finding_types": ["SensitiveData:S3Object/Credential"]})), finding_types),
        (one(json!({"finding_types": ["SensitiveData:S3Object/[CF]*"]})), finding_types),
        (one(json!({"finding_types": ["SensitiveData.S3Object/*"]})), finding_types),
        (one(json!({"finding_types": ["Policy:IAMUser/*"]})), finding_types),
        (one(json!({"finding_types": ["*", ""]})), finding_types),
        (one(json!({"finding_types": []})), empty),
        (one(json!({"buckets": []})), empty),
        (one(json!({"buckets": [""]})), buckets),
        (one(json!({"buckets": ["My_Bucket"]})), buckets),
        (one(json!({"buckets": ["logs-[ab]*"]})), buckets),
        (one(json!({"buckets": ["arn:aws:s3:::finance"]})), buckets),
        (one(json!({"buckets": ["finance/*"]})), buckets),
        (one(json!({"buckets": ["finance\n"]})), buckets),
        (one(json!({"buckets": ["a".repeat(64)]})), buckets),
        (one(json!({"keys": []})), empty),
        (one(json!({"keys": ["a", ""]})), keys),
        (one(json!({"accounts": []})), empty),
        (one(json!({"accounts": ["11112222333"]})), accounts),
        (one(json!({"accounts": ["????????????*?"]})), accounts),
        (one(json!({"accounts": ["production"]})), accounts),
        (one(json!({"accounts": [""]})), accounts),
        (one(json!({"categories": []})), empty),
        (one(json!({"categories": ["FINANCIAL"]})), categories),
        (one(json!({"categories": ["CREDENTIALS", "*"]})), categories),
        (one(json!({"identifiers": []})), empty),
        (one(json!({"identifiers": [""]})), identifiers),
        (one(json!({"minimum_count": 0})), count),
        (one(json!({"minimum_count": 1.5})), count),
        (one(json!({"minimum_count": 1_000_001})), count),
        (one(json!({"approvers": {"groups": ["@security"]}})), groups),
        (one(json!({"approvers": {"groups": ["U0ALICE001"]}})), groups),
        (one(json!({"approvals": 0})), "must be 1 or 2"),
        (one(json!({"approvals": 3})), "must be 1 or 2"),
        (one(json!({"on_expiry": "delete"})), "must be leave, ask_again or quarantine"),
        (one(json!({"snooze_seconds": 0})), snooze),
        (one(json!({"snooze_seconds": 604801})), snooze),
        (one(json!({"snooze_seconds": 2.5})), snooze),
        (json!({"version": 1, "rules": [], "mode": "audit"}), "must be enforce or shadow"),
        (operators("olivia", "U0OLIVIA01"), operator),
        (operators("arn:aws:iam::111122223333:user/olivia", "U0OLIVIA01"), operator),
        (operators("AROADBQP57FF2AEXAMPLE", "U0OLIVIA01"), operator),
        (operators("AROADBQP57FF2AEXAMPLE:a*", "U0OLIVIA01"), operator),
        (operators(olivia, "olivia"), "must be a Slack user id (U… or W…), not a name"),
        (one(json!({"rounds": 0})), rounds),
        (one(json!({"rounds": 31})), rounds),
        (one(json!({"rounds": 1.5})), rounds),
        (one(json!({"rounds": -1})), rounds),
        (one(json!({"approvers": {"users": ["alice"]}})), users),
        (one(json!({"approvers": {"users": ["U0ALICE001", "S0TEAM0001"]}})), users),
        (one(json!({"approvers": {"users": ["U0"]}})), users),
        (one(json!({"approvers": {"users": ["U0ALICE001 "]}})), users),
        (one(json!({"channel": ""})), channel),
        (one(json!({"channel": "#security"})), channel),
        (one(json!({"channel": "D0DIRECT01"})), channel),
        (one(json!({"disposition": "review"})), nobody),
        (one(json!({"disposition": "review", "approvers": {}})), nobody),
        (one(json!({"disposition": "review", "approvers": {"groups": []}})), nobody),
        (one(json!({"disposition": "ignore", "approvers": {"groups": ["S0SECURITY"]}})), asks),
        (one(json!({"disposition": "ignore", "approvers": {"users": ["U0ALICE001"]}})), asks),
        (one(json!({"disposition": "ignore", "rounds": 2})), asks),
        (one(json!({"disposition": "ignore", "channel": "C0SECURITY"})), asks),
        (one(json!({"versions": "latest"})), "must be reported or all"),
        (one(json!({"verify": ""})), "must be standard or full"),
        (one(json!({"after_restore": "ignore"})), "must be join or ask"),
        (json!({"version": 1, "rules": [], "max_automatic_per_hour": 0.5}), limit),
        (json!({"version": 1, "rules": [], "max_automatic_per_hour": 1_000_001}), limit),
        (json!({"version": 1, "rules": [], "max_automatic_per_bucket_per_hour": -1}), limit),
        (json!({"version": 1, "rules": [], "restorers": {"users": ["alice"]}}), users),
        (two(json!({}), last.clone()), unreachable),
        (two(json!({"buckets": ["a", "**"]}), last.clone()), unreachable),
        (two(json!({"keys": ["*"], "accounts": ["1*", "*"]}), last.clone()), unreachable),
        (two(json!({"finding_types": ["SensitiveData:S3Object/*"]}), last.clone()), unreachable),
    ] {
        let terraform = variables.apply(&policy).expect_err(&format!("Terraform refuses {policy}"));
        assert!(
            terraform.len() == 1 && terraform[0].starts_with("policy.") && terraform[0].contains(sentence),
            "Terraform says of {policy}: {terraform:?}"
        );
        let invalid = Policy::parse(policy.to_string().as_bytes())
            .expect_err(&format!("cordon policy check refuses {policy}"));
        let [problem] = invalid.problems() else { panic!("of {policy}: {invalid:?}") };
        assert!(problem.message.starts_with(sentence), "cordon policy check says of {policy}: {problem}");
    }
}

#[test]
fn what_terraform_accepts_it_writes_as_a_policy_that_the_worker_reads() {
    let variables = Variables::of_the_module();
    let last = json!({"name": "last"});
    let several = [
        json!({}),
        one(json!({})),
        one(json!({"name": "0_a-b"})),
        one(json!({"name": "a".repeat(64)})),
        one(json!({"finding_types": ["SensitiveData:S3Object/Credentials", "*Personal", "?ensitiveData:*"]})),
        one(
            json!({"finding_types": null, "minimum_severity": null, "buckets": null, "rounds": null, "channel": null}),
        ),
        one(json!({"buckets": ["a.b-c", "logs-??-*", "a".repeat(63)], "rounds": 30})),
        one(json!({"approvers": {"users": ["W0ALICE001"]}, "channel": "G0PRIVATE1"})),
        one(json!({"disposition": "review", "approvers": {"users": ["U01"]}, "rounds": 2})),
        one(json!({"disposition": "ignore", "rounds": 1, "channel": null, "approvers": {"users": []}})),
        one(json!({"versions": "all", "verify": "full", "after_restore": "ask"})),
        json!({"max_automatic_per_hour": 0, "max_automatic_per_bucket_per_hour": 1_000_000}),
        json!({"restorers": {"users": ["U0ALICE001"]}}),
        json!({"restorers": {}}),
        two(json!({"minimum_severity": "Medium"}), last.clone()),
        two(json!({"buckets": ["a*"]}), last.clone()),
        two(json!({"finding_types": ["*l*"]}), last.clone()),
        two(json!({"keys": ["*.csv"]}), last.clone()),
        two(json!({"accounts": ["1*"]}), last.clone()),
        two(json!({"categories": ["CREDENTIALS"]}), last.clone()),
        two(json!({"identifiers": ["*"]}), last.clone()),
        two(json!({"minimum_count": 1}), last.clone()),
        two(json!({"exposed": false}), last),
        one(json!({"keys": ["exports/é 1?.csv"], "accounts": ["111122223333", "1*2?", "????????????"]})),
        one(
            json!({"categories": ["CREDENTIALS", "CUSTOM_IDENTIFIER", "FINANCIAL_INFORMATION", "PERSONAL_INFORMATION"],
            "identifiers": ["AWS_*", "Employee id"], "minimum_count": 1_000_000, "exposed": true}),
        ),
        one(
            json!({"approvers": {"groups": ["S0SECURITY"]}, "approvals": 2, "on_expiry": "ask_again", "snooze_seconds": 604800}),
        ),
        one(json!({"disposition": "review", "approvers": {"groups": ["S01"]}, "on_expiry": "quarantine"})),
        one(
            json!({"keys": null, "exposed": null, "minimum_count": null, "approvals": null, "approvers": null}),
        ),
        json!({"mode": "shadow"}),
        json!({"mode": "enforce", "operators": {}}),
        json!({"operators": {
            "AIDACKCEVSQ6C2EXAMPLE": "U0OLIVIA01",
            "AROADBQP57FF2AEXAMPLE:olivia@example.com": "W0OLIVIA01",
        }}),
    ];
    let documented = documented();
    assert!(documented.len() > 5, "the sample policies are among them");
    for policy in documented.into_iter().chain(several) {
        let written = variables.apply(&policy).unwrap_or_else(|why| panic!("of {policy}: {why:?}"));
        if let Err(invalid) = Policy::parse(written.as_bytes()) {
            panic!("the worker does not read {written}: {invalid}");
        }
    }
}
