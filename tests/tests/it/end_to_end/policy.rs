//! What policy decides, which policy does, and what it would do.

use std::panic::{AssertUnwindSafe, resume_unwind};

use anyhow::{Context, Result};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sts::types::Tag;
use cordon_domain::{
    case::{OutcomeResult, Status},
    policy::Disposition,
};
use cordon_tests::{ALICE, POLICY_WRITER, Placed, TestEnv, run_test, signed_as};
use futures::FutureExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::exposures::recorded;

/// The policy object as it is.
pub(super) async fn read(env: &TestEnv) -> Result<Vec<u8>> {
    let get = env.s3.get_object().bucket(env.deployment.output("state_bucket")?).key("policy.json");
    Ok(get.send().await?.body.collect().await?.to_vec())
}

/// Writes the policy object as Terraform does. Gives back its version.
async fn write(env: &TestEnv, bytes: Vec<u8>) -> Result<String> {
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let put = env.s3.put_object().bucket(env.deployment.output("state_bucket")?).key("policy.json");
    let put = put.metadata("sha256", sha256).body(ByteStream::from(bytes)).send().await?;
    Ok(put.version_id().context("the state bucket is versioned")?.to_owned())
}

/// Tries something under a policy of its own, and puts the old one back whatever comes of it.
pub(super) async fn under<T>(
    env: &TestEnv,
    policy: &[u8],
    tried: impl Future<Output = Result<T>>,
) -> Result<T> {
    let before = read(env).await?;
    write(env, policy.to_vec()).await?;
    let tried = AssertUnwindSafe(tried).catch_unwind().await;
    write(env, before).await?;
    tried.unwrap_or_else(|panic| resume_unwind(panic))
}

async fn there(env: &TestEnv, object: &Placed) -> Result<bool> {
    env.is_there(&object.version.bucket, &object.version.key).await
}

#[test]
fn in_shadow_mode_policy_tells_what_it_would_do_and_an_enforcing_one_then_does_it() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("shadow").await?;
        let moved = env.put(&bucket, "key.txt", "the secret").await?;
        let asked = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let mut shadow: Value = serde_json::from_slice(&read(env).await?)?;
        shadow["mode"] = json!("shadow");
        // What is not moved is not counted either.
        shadow["max_automatic_per_hour"] = json!(0);
        under(env, shadow.to_string().as_bytes(), async {
            for (kind, object, disposition, says) in [
                (
                    "Credentials",
                    &moved,
                    Disposition::Quarantine,
                    "would move the version that the finding names",
                ),
                ("Financial", &asked, Disposition::Review, "U0ALICE001 would be asked in C0SECURITY"),
            ] {
                let run = env.respond(kind, object).await?;
                env.succeeded(&run).await?;
                let states = env.states(&run).await?;
                assert_eq!(
                    states,
                    ["TriageFinding", "RouteDisposition", "ReportOutcome", "RouteOutcome", "Done"]
                );
                let case = env.case(object).await?;
                let outcome = case.outcome().context("an outcome")?;
                assert_eq!((case.status, case.disposition), (Status::Closed, disposition));
                assert_eq!(outcome.result, OutcomeResult::Shadow);
                assert!(outcome.detail.contains(says), "{}", outcome.detail);
                assert!(there(env, object).await?);
                let message = env.shows(&bucket, says).await?;
                assert!(message["text"].as_str().unwrap_or_default().starts_with("[SHADOW]"), "{message}");
                assert!(!message["blocks"].to_string().contains("\"button\""), "{message}");
            }
            // The same object again is answered already, as far as a policy in shadow mode goes.
            let again = env.respond("Credentials", &moved).await?;
            env.succeeded(&again).await?;
            assert_eq!(env.states(&again).await?, ["TriageFinding", "RouteDisposition", "Done"]);
            assert_eq!(env.case(&moved).await?.generation, 1);
            Ok(())
        })
        .await?;

        let run = env.respond("Credentials", &moved).await?;
        env.succeeded(&run).await?;
        let case = env.case(&moved).await?;
        assert_eq!(case.generation, 2);
        assert_eq!(case.outcome().context("an outcome")?.result, OutcomeResult::Quarantined);
        assert!(!there(env, &moved).await? && there(env, &asked).await?);
        Ok(())
    })
}

#[test]
fn a_rule_can_ask_whether_the_bucket_is_exposed() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let (shared, private) = (env.bucket("rule-shared").await?, env.bucket("rule-private").await?);
        env.share(&shared).await?;
        recorded(env, &shared).await?;
        // Only who has read all access findings knows that a bucket is not exposed.
        env.cycle().await?;
        let policy = json!({"version": 1, "rules": [
            {"name": "exposed-leaves", "buckets": ["rule-*"], "exposed": true, "disposition": "quarantine"},
            {"name": "private-stays", "buckets": ["rule-*"], "exposed": false, "disposition": "ignore"},
        ]});
        under(env, policy.to_string().as_bytes(), async {
            let exposed = env.put(&shared, "card.txt", "5163200000000008").await?;
            env.succeeded(&env.respond("Financial", &exposed).await?).await?;
            assert_eq!(env.case(&exposed).await?.plan.rule, "exposed-leaves");
            assert!(!there(env, &exposed).await?);
            let hidden = env.put(&private, "card.txt", "5163200000000008").await?;
            let run = env.respond("Financial", &hidden).await?;
            env.succeeded(&run).await?;
            assert_eq!(env.states(&run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
            assert!(there(env, &hidden).await?);
            // Nobody watches the buckets of another account, so that one may be exposed.
            let mut elsewhere = env.put(&private, "other.txt", "5163200000000008").await?;
            elsewhere.version.account = "444455556666".into();
            let run = env.respond("Financial", &elsewhere).await?;
            env.ended(&run).await?;
            let rule = env.case(&elsewhere).await?.plan.rule.clone();
            assert_eq!(rule, "exposed-leaves (whether the bucket is exposed is unknown)");
            Ok(())
        })
        .await
    })
}

#[test]
fn while_exposures_cannot_be_read_the_stricter_answer_counts_and_people_are_told() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("unread").await?;
        let policy = json!({"version": 1, "rules": [
            {"name": "exposed-asks", "buckets": ["unread-*"], "exposed": true, "disposition": "review",
                "approvers": {"users": [ALICE]}},
            {"name": "private-stays", "buckets": ["unread-*"], "exposed": false, "disposition": "ignore"},
        ]});
        let iam = aws_sdk_iam::Client::new(&env.root);
        let (role, name) = (env.deployment.output("worker_role_name")?, "no-exposures");
        let table = env.deployment.output("exposures_table")?;
        let deny = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*",
            "Resource": [format!("arn:aws:dynamodb:*:*:table/{table}"), format!("arn:aws:dynamodb:*:*:table/{table}/*")]}]});
        let put = iam.put_role_policy().role_name(role).policy_name(name);
        put.policy_document(deny.to_string()).send().await?;
        let asked = under(env, policy.to_string().as_bytes(), async {
            let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
            let run = env.respond("Financial", &object).await?;
            Ok((run, env.asked(&bucket).await?, object))
        })
        .await;
        iam.delete_role_policy().role_name(role).policy_name(name).send().await?;
        let (run, message, object) = asked?;
        let blocks = message["blocks"].to_string();
        assert!(blocks.contains("*Who can reach the bucket:* not known at the moment"), "{blocks}");
        assert!(blocks.contains("whether the bucket is exposed is unknown"), "{blocks}");
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!there(env, &object).await?);
        Ok(())
    })
}

#[test]
fn while_the_newest_policy_cannot_be_used_the_last_good_one_is_and_operators_are_told() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let good = write(env, read(env).await?).await?;
        let bucket = env.bucket("bad-policy").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let wrong = br#"{"version": 1, "rules": [{"name": "nonsense", "disposition": "shred"}]}"#;
        under(env, wrong, async {
            env.succeeded(&env.respond("Credentials", &object).await?).await?;
            let plan = env.case(&object).await?.plan;
            assert_eq!((plan.rule.as_str(), plan.policy_version.as_ref()), ("credentials", Some(&good)));
            assert!(!there(env, &object).await?);
            // Other tests have operators told of other policies.
            let notice = env.operator_notice(&good).await?;
            assert!(notice.contains("shred") && notice.contains("PolicyUnusable"), "{notice}");
            // The gateway reads it in the same way.
            let message = env.shows(&bucket, "restore:").await?;
            assert_eq!(env.click_because(ALICE, &message, "restore:", "a false alarm").await?, 200);
            env.shows(&bucket, "Put back").await?;
            // And so does the person who asks what is in force.
            let event = env.finding_document("e1", "Credentials", &object);
            let directory = tempfile::tempdir()?;
            let file = directory.path().join("finding.json");
            std::fs::write(&file, event.to_string())?;
            let said = env.cordon(&["policy", "explain", file.to_str().context("a path")?, "--json"]).await?;
            assert_eq!(said.json()?["policy"]["version"], json!(good), "{said:?}");
            assert!(said.err.contains("cannot be used") && said.err.contains("shred"), "{said:?}");
            Ok(())
        })
        .await
    })
}

#[test]
fn a_replay_shows_what_another_policy_would_have_done_with_past_findings() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("replayed").await?;
        for n in 0..3 {
            let object = env.put(&bucket, &format!("{n}.txt"), "5163200000000008").await?;
            env.finding("Financial", &object);
        }
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.finding("Credentials", &object);
        let mut lacking = env.finding_document("1acc1acc1acc1acc1acc1acc1acc2acc", "Financial", &object);
        lacking["resourcesAffected"]["s3Object"] = json!(null);
        env.sandbox.macie().put_finding(lacking);

        let proposed = json!({"version": 1, "rules": [
            {"name": "cards-leave", "buckets": [bucket], "categories": ["FINANCIAL_INFORMATION"], "disposition": "quarantine"},
            {"name": "credentials", "finding_types": ["*Credentials"], "disposition": "quarantine"},
            {"name": "financial", "finding_types": ["*Financial"], "disposition": "review", "approvers": {"users": [ALICE]}},
        ]});
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("policy.json");
        std::fs::write(&file, proposed.to_string())?;
        let replay = ["policy", "replay", "--policy", file.to_str().context("a path")?, "--since", "1h"];
        let said = env.cordon(&[&replay[..], &["--json"]].concat()).await?;
        let replayed = said.json()?;
        let groups = replayed["groups"].as_array().context("groups")?;
        let ours: Vec<_> = groups.iter().filter(|group| !group["buckets"][&bucket].is_null()).collect();
        let [group] = ours.as_slice() else { panic!("{said:?}") };
        assert_eq!((&group["count"], &group["buckets"][&bucket]), (&json!(3), &json!(3)), "{group}");
        assert_eq!(group["now"], json!({"disposition": "review", "rule": "financial"}));
        assert_eq!(group["proposed"], json!({"disposition": "quarantine", "rule": "cards-leave"}));
        assert_eq!(group["changes"][0], "disposition");
        assert_eq!(group["finding_ids"].as_array().map(Vec::len), Some(3));
        assert!(replayed["unreadable"].as_u64() >= Some(1), "{replayed}");

        let table = env.cordon(&replay).await?.out;
        for says in
            ["WHAT CHANGES", "review (financial)", "quarantine (cards-leave)", &bucket, "could not be read"]
        {
            assert!(table.contains(says), "{says} is not in {table}");
        }
        assert!(env.messages(&bucket).is_empty(), "nobody is told, and nothing is touched");
        Ok(())
    })
}

#[test]
fn from_a_protected_bucket_nothing_is_moved_and_iam_gives_nobody_a_mover_for_it() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("tfstate").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;
        let case = env.case(&object).await?;
        let outcome = case.outcome().context("an outcome")?;
        assert_eq!((outcome.result, case.disposition), (OutcomeResult::Shadow, Disposition::Quarantine));
        assert!(outcome.detail.starts_with("The bucket is protected (by *tfstate*)"), "{outcome:?}");
        let message = env.shows(&bucket, "*protected*").await?;
        assert!(message["text"].as_str().unwrap_or_default().starts_with("[PROTECTED]"), "{message}");
        assert!(there(env, &object).await?);

        // What the worker thinks of a bucket is not what keeps it away.
        let sts = aws_sdk_sts::Client::new(&env.worker_config().await?);
        let may_assume = async |role: &str| -> Result<bool> {
            let arn = format!("arn:aws:iam::{}:role/{}", env.sandbox.account(), env.deployment.output(role)?);
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
            let tags = vec![tag("CordonBucket", &bucket)?, tag("CordonCase", "c0ffee")?];
            let call = sts.assume_role().role_arn(arn).role_session_name("wide").set_tags(Some(tags));
            Ok(call.send().await.is_ok())
        };
        assert!(!may_assume("mover_role_name").await?, "the mover can be taken for a protected bucket");
        assert!(may_assume("restorer_role_name").await?, "what was moved before can be put back");
        Ok(())
    })
}

#[test]
fn operators_are_told_of_a_policy_that_terraform_has_not_written() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let before = read(env).await?;
        let put = env.s3.put_object().bucket(env.deployment.output("state_bucket")?).key("policy.json");
        let by_hand = put.body(ByteStream::from(before.clone())).send().await?;
        let version = by_hand.version_id().context("the state bucket is versioned")?;
        let told = env.operator_notice(version).await;
        write(env, before).await?;
        let told = told?;
        assert!(told.contains("was not written by Terraform"), "{told}");
        Ok(())
    })
}

/// Who may write to every bucket does not thereby write the policy.
#[test]
fn nobody_but_those_who_are_named_writes_the_policy() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let iam = aws_sdk_iam::Client::new(&env.root);
        let account = env.sandbox.account();
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}}]});
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "kms:*"],
            "Resource": "*"}]});
        let state = env.deployment.output("state_bucket")?;
        let as_it_is = read(env).await?;
        for (role, is_named) in [("writer", false), (POLICY_WRITER, true)] {
            iam.create_role().role_name(role).assume_role_policy_document(trust.to_string()).send().await?;
            let put = iam.put_role_policy().role_name(role).policy_name("all");
            put.policy_document(all.to_string()).send().await?;
            let s3 = aws_sdk_s3::Client::new(&signed_as(&env.root, account, role).await?);
            let put = async |key: &str| {
                let sha256 = hex::encode(Sha256::digest(&as_it_is));
                let put = s3.put_object().bucket(state).key(key).metadata("sha256", sha256);
                put.body(as_it_is.clone().into()).send().await
            };
            assert!(put("elsewhere.json").await.is_ok(), "{role} works");
            assert_eq!(put("policy.json").await.is_ok(), is_named, "{role} writes the policy");
            if !is_named {
                let delete = s3.delete_object().bucket(state).key("policy.json");
                assert!(delete.send().await.is_err(), "{role} removes the policy");
            }
        }
        Ok(())
    })
}
