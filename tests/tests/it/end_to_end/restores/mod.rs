//! Putting objects back, pausing, and what is in quarantine: what a person does at the command line.

mod obstacles;
mod purges;

use std::{collections::BTreeSet, process::Stdio};

use anyhow::{Context, Result};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, StorageClass, VersioningConfiguration},
};
use cordon::clock;
use cordon_domain::case::{Case, Purge, Restore, Status};
use cordon_tests::{
    ALICE, CommandOutput, FALLBACK, Placed, TestEnv, eventually, run_test, signed_as, vouched_restore,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// Puts an object and waits until policy has moved it to quarantine. Gives back its case id too.
async fn quarantined(env: &TestEnv, bucket: &str, key: &str, text: &str) -> Result<(Placed, String)> {
    let object = env.put(bucket, key, text).await?;
    env.succeeded(&env.respond("Credentials", &object).await?).await?;
    assert!(!env.is_there(bucket, key).await?);
    let case_id = object.version.case_id();
    Ok((object, case_id))
}

async fn restore(env: &TestEnv, case_id: &str, options: &[&str]) -> Result<CommandOutput> {
    env.cordon(&[&["restore", case_id, "--reason", "it was a test"], options].concat()).await
}

async fn text(env: &TestEnv, bucket: &str, key: &str) -> Result<String> {
    let body = env.s3.get_object().bucket(bucket).key(key).send().await?.body.collect().await?;
    Ok(String::from_utf8(body.to_vec())?)
}

/// The names of what is left in quarantine of a case, every version once.
async fn copies(env: &TestEnv, case_id: &str, bucket: &str) -> Result<Vec<String>> {
    let quarantine = env.deployment.output("quarantine_bucket")?;
    let prefix = format!("{}/{bucket}/{case_id}/", env.sandbox.account());
    let listed = env.s3.list_object_versions().bucket(quarantine).prefix(&prefix).send().await?;
    let keys = listed.versions().iter().filter_map(|version| version.key());
    let markers = listed.delete_markers().iter().filter_map(|marker| marker.key());
    Ok(keys.chain(markers).map(|key| key.trim_start_matches(&prefix).to_owned()).collect())
}

#[test]
fn what_was_quarantined_is_put_back_as_it_was_and_the_case_tells_both_moves() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("put-back").await?;
        let key = "reports/a b+c%?&é.csv";
        let put = env
            .s3
            .put_object()
            .bucket(&bucket)
            .key(key)
            .body(ByteStream::from_static(b"id,key"))
            .content_type("text/csv")
            .cache_control("no-store")
            .content_disposition("attachment")
            .metadata("origin", "payroll")
            .tagging("team=finance&year=2026")
            .storage_class(StorageClass::StandardIa)
            .send()
            .await?;
        let object = env.placed(&bucket, key, &put, 6)?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        assert!(!env.is_there(&bucket, key).await?);

        let case_id = object.version.case_id();
        let said = restore(env, &case_id, &[]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with("restored") && said.out.contains(&bucket), "{said:?}");

        let back = env.s3.get_object().bucket(&bucket).key(key).send().await?;
        assert_eq!(back.content_type(), Some("text/csv"));
        assert_eq!(back.cache_control(), Some("no-store"));
        assert_eq!(back.content_disposition(), Some("attachment"));
        assert_eq!(back.metadata().and_then(|all| all.get("origin")).map(String::as_str), Some("payroll"));
        assert_eq!(back.storage_class(), Some(&StorageClass::StandardIa));
        assert_eq!(back.body.collect().await?.to_vec(), b"id,key");
        let tags = env.s3.get_object_tagging().bucket(&bucket).key(key).send().await?;
        let tags: BTreeSet<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(tags, BTreeSet::from([("team", "finance"), ("year", "2026")]));

        let message = env.shows(&bucket, "Put back").await?["blocks"].to_string();
        let principal = env.operator_principal().await?;
        for says in ["Quarantined.", "Decided by policy", "it was a test", &principal] {
            assert!(message.contains(says), "{says} is not in {message}");
        }
        assert_eq!(env.messages(&bucket).len(), 1);
        assert!(copies(env, &case_id, &bucket).await?.contains(&"1/object".to_owned()), "the copy stays");
        Ok(())
    })
}

#[test]
fn another_object_at_the_place_is_only_replaced_when_told() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("taken").await?;
        let (_, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        env.put(&bucket, "key.txt", "somebody's new work").await?;

        let said = restore(env, &case_id, &["--json"]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        let report = &said.json()?[0];
        assert_eq!((&report["result"], &report["code"]), (&json!("failed"), &json!("ObjectExists")));
        assert!(report["detail"].as_str().unwrap_or_default().contains("--replace"), "{report}");
        assert_eq!(text(env, &bucket, "key.txt").await?, "somebody's new work");
        env.shows(&bucket, "Not put back.").await?;
        env.operator_notice(report["run"].as_str().context("a run")?).await?;

        let said = restore(env, &case_id, &["--replace"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(text(env, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn nothing_goes_back_into_a_shared_bucket_unless_told() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("still-shared").await?;
        let (_, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        env.share(&bucket).await?;
        eventually("Access Analyzer's finding", async || {
            let findings = env.sandbox.access_analyzer().findings();
            Ok(findings.iter().any(|finding| finding.to_string().contains(&bucket)).then_some(()))
        })
        .await?;

        let said = restore(env, &case_id, &["--json"]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        let report = &said.json()?[0];
        assert_eq!(report["code"], "BucketExposed");
        let detail = report["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("--even-if-exposed") && detail.contains("999988887777"), "{detail}");
        assert!(!env.is_there(&bucket, "key.txt").await?);

        let said = restore(env, &case_id, &["--even-if-exposed"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(env.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn many_are_put_back_at_once_and_each_that_cannot_be_says_why() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("many").await?;
        let (one, two) = tokio::join!(
            quarantined(env, &bucket, "one.txt", "first"),
            quarantined(env, &bucket, "two.txt", "second"),
        );
        let ((_, one), (_, two)) = (one?, two?);
        let dismissed = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &dismissed).await?;
        let message = env.asked(&bucket).await?;
        let open = dismissed.version.case_id();
        let unknown = "0".repeat(64);

        let mut command = env.cordon_command(&["restore", &one, "-", "--reason", "all of it", "--json"])?;
        let mut restoring =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let list =
            format!("{two}  2026-03-11  as a list prints it\n{one}\n\n{unknown}\n{}\n{open}\n", &two[..12]);
        restoring.stdin.take().context("a pipe")?.write_all(list.as_bytes()).await?;
        let said = CommandOutput::of(restoring.wait_with_output().await?);
        assert_eq!(said.code, Some(1), "{said:?}");
        let reports = said.json()?;
        let reports = reports.as_array().context("an array")?;
        let result = |case_id: &str| {
            let report = reports.iter().find(|report| report["case_id"] == case_id).unwrap();
            (report["result"].as_str().unwrap(), report["code"].as_str())
        };
        assert_eq!(reports.len(), 4, "each once: {reports:?}");
        for id in [&one, &two] {
            assert_eq!(result(id), ("restored", None));
        }
        assert_eq!(result(&unknown), ("refused", Some("UnknownCase")));
        assert_eq!(result(&open), ("refused", Some("ResponseUnderWay")));
        assert!(env.is_there(&bucket, "one.txt").await? && env.is_there(&bucket, "two.txt").await?);

        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await?;
        let said = restore(env, &open, &[]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("Nothing of it is in quarantine"), "{said:?}");
        Ok(())
    })
}

#[test]
fn a_restore_without_a_reason_is_refused_before_anything_is_asked() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let id = "0".repeat(64);
        for arguments in
            [&["restore", &id][..], &["restore", &id, "--reason", " "], &["pause", "--reason", ""]]
        {
            let said = env.cordon(arguments).await?;
            assert_eq!(said.code, Some(2), "{said:?}");
            assert!(said.err.contains("--reason"), "{said:?}");
        }
        Ok(())
    })
}

#[test]
fn a_restored_object_that_macie_finds_again_joins_its_story() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for versioned in [false, true] {
            let bucket = env.bucket("found-again").await?;
            if versioned {
                let enabled =
                    VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                let call = env.s3.put_bucket_versioning().bucket(&bucket);
                call.versioning_configuration(enabled).send().await?;
            }
            let (object, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
            assert_eq!(restore(env, &case_id, &[]).await?.code, Some(0));
            let case = env.case(&object).await?;
            let restored = case.quarantine.restores[0].last_restored.clone().context("a version")?;
            assert_eq!(restored != object.version, versioned, "a version of its own where there are any");

            let again = env.respond("Credentials", &Placed { version: restored, size: 10 }).await?;
            env.succeeded(&again).await?;
            assert_eq!(env.states(&again).await?, ["TriageFinding", "RouteDisposition", "Done"]);
            assert!(env.is_there(&bucket, "key.txt").await?);
            assert_eq!(env.case(&object).await?.finding_ids.len(), 2);
            env.shows(&bucket, "Put back").await?;
            assert_eq!(env.messages(&bucket).len(), 1);
        }
        Ok(())
    })
}

#[test]
fn where_policy_says_so_people_are_asked_again_about_a_restored_object() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("asks-again").await?;
        let (object, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        assert_eq!(restore(env, &case_id, &[]).await?.code, Some(0));
        let again = env.respond("Credentials", &object).await?;
        let message = env.shows(&bucket, "put back from quarantine before").await?;
        assert!(env.is_there(&bucket, "key.txt").await?, "policy alone does not take it away again");
        assert_eq!(env.click(FALLBACK, &message, "quarantine:").await?, 200);
        env.succeeded(&again).await?;
        assert!(!env.is_there(&bucket, "key.txt").await?);
        let case = env.case(&object).await?;
        assert_eq!((case.generation, case.history[0].quarantine.restores.len()), (2, 1));

        let said = env.cordon(&["quarantine", "show", &case_id]).await?;
        assert!(said.out.contains("generation 1: quarantined"), "{said:?}");
        assert!(said.out.contains(&format!("quarantine by slack:T0CORDON01/{FALLBACK}")), "{said:?}");
        assert_eq!(restore(env, &case_id, &[]).await?.code, Some(0), "the second generation goes back too");
        assert_eq!(text(env, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn while_cordon_is_paused_nothing_moves_in_either_direction() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("paused").await?;
        let (_, earlier) = quarantined(env, &bucket, "earlier.txt", "an earlier secret").await?;
        let paused = env.cordon(&["pause", "--reason", "a rule matches too much", "--json"]).await?;
        assert_eq!(paused.code, Some(0), "{paused:?}");
        assert_eq!(paused.json()?["changed"], true);
        let rest = paused_part(env, &bucket, &earlier).await;
        let resumed = env.cordon(&["resume"]).await?;
        let run = rest?;
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert!(resumed.out.contains("a rule matches too much"), "it says what has ended: {resumed:?}");

        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "key.txt").await?);
        eventually("the restore", async || Ok(env.is_there(&bucket, "earlier.txt").await?.then_some(())))
            .await?;
        env.shows(&bucket, "Put back").await?;
        let again = env.cordon(&["resume", "--json"]).await?;
        assert_eq!((again.code, &again.json()?["changed"]), (Some(0), &json!(false)));
        Ok(())
    })
}

/// What is tried while Cordon is paused; gives back the run that waits.
async fn paused_part(env: &TestEnv, bucket: &str, earlier: &str) -> Result<String> {
    let again = env.cordon(&["pause", "--reason", "me too"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.out.contains("Paused already since") && again.out.contains("matches too much"),
        "{again:?}"
    );

    let object = env.put(bucket, "key.txt", "the secret").await?;
    let run = env.respond("Credentials", &object).await?;
    env.reaches(&run, "AwaitResume").await?;
    env.shows(bucket, "Paused").await?;
    env.shows(bucket, "ordered: a rule matches too much").await?;

    let mut command = env.cordon_command(&["restore", earlier, "--reason", "a test", "--json"])?;
    let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let case = async || env.cases()?.get(earlier).await?.context("a case");
    let restoring = eventually("the restore that waits", async || {
        let case = case().await?;
        Ok(case.waits.resume_token.is_some().then_some(case))
    })
    .await?;
    assert_eq!(restoring.status, Status::Restoring);
    let second = restore(env, earlier, &[]).await?;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.out.contains("A restore is under way, asked for by"), "{second:?}");
    let purge = ["quarantine", "purge", earlier, "--reason", "r", "--yes", "--json"];
    assert_eq!(env.cordon(&purge).await?.json()?[0]["code"], "RestoreUnderWay");
    let listed = env.cordon(&["quarantine", "list", "--bucket", bucket]).await?;
    assert!(listed.out.contains("being put back"), "{listed:?}");

    let pid = waiting.id().context("it runs")?.to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status()?;
    let stopped = CommandOutput::of(waiting.wait_with_output().await?);
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    assert!(stopped.err.contains("goes on without this command"), "{stopped:?}");
    assert!(stopped.err.contains("`cordon resume`"), "it says what it waits for: {stopped:?}");
    assert_eq!(stopped.json()?[0]["result"], "under_way");
    assert_eq!(case().await?.status, Status::Restoring);
    assert!(env.is_there(bucket, "key.txt").await? && !env.is_there(bucket, "earlier.txt").await?);
    Ok(run)
}

#[test]
fn above_the_limit_of_automatic_moves_people_decide() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let state = env.deployment.output("state_bucket")?;
        let get = env.s3.get_object().bucket(state).key("policy.json").send().await?;
        let policy = get.body.collect().await?.to_vec();
        let write = async |bytes: Vec<u8>| {
            env.s3.put_object().bucket(state).key("policy.json").body(ByteStream::from(bytes)).send().await
        };
        let bucket = env.bucket("paused").await?;
        for (limit, moved, says) in [
            ("max_automatic_per_bucket_per_hour", 1, "more than 1 automatic moves in this bucket"),
            ("max_automatic_per_hour", 0, "more than 0 automatic moves in this hour"),
        ] {
            let mut limited: Value = serde_json::from_slice(&policy)?;
            limited[limit] = json!(moved);
            write(limited.to_string().into_bytes()).await?;
            let tried = async {
                for n in 0..moved {
                    quarantined(env, &bucket, &format!("{limit}-{n}"), "the secret").await?;
                }
                let object = env.put(&bucket, limit, "the secret").await?;
                let run = env.respond("Credentials", &object).await?;
                anyhow::Ok((run, env.shows(&bucket, says).await?))
            };
            let tried = tried.await;
            write(policy.clone()).await?;
            let (run, message) = tried?;
            assert!(env.is_there(&bucket, limit).await?);
            assert_eq!(env.click_because(FALLBACK, &message, "dismiss:", "test data").await?, 200);
            env.succeeded(&run).await?;
        }
        Ok(())
    })
}
