//! Putting objects back, pausing, and what is in quarantine: what a person does at the command line.

use std::{collections::BTreeSet, process::Stdio};

use anyhow::{Context, Result};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, StorageClass, VersioningConfiguration},
};
use cordon::clock;
use cordon_domain::case::{Case, Purge, Restore, Status};
use cordon_tests::{ALICE, FALLBACK, OPERATOR, Placed, Said, Stage, eventually, on_stage};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// Puts an object and waits until policy has moved it to quarantine. Gives back its case id too.
async fn quarantined(stage: &Stage, bucket: &str, key: &str, text: &str) -> Result<(Placed, String)> {
    let object = stage.put(bucket, key, text).await?;
    stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
    assert!(!stage.is_there(bucket, key).await?);
    let case_id = object.version.case_id();
    Ok((object, case_id))
}

async fn restore(stage: &Stage, case_id: &str, options: &[&str]) -> Result<Said> {
    stage.cordon(&[&["restore", case_id, "--reason", "it was a test"], options].concat()).await
}

async fn text(stage: &Stage, bucket: &str, key: &str) -> Result<String> {
    let body = stage.s3.get_object().bucket(bucket).key(key).send().await?.body.collect().await?;
    Ok(String::from_utf8(body.to_vec())?)
}

/// The names of what is left in quarantine of a case, every version once.
async fn copies(stage: &Stage, case_id: &str, bucket: &str) -> Result<Vec<String>> {
    let quarantine = stage.deployment.output("quarantine_bucket")?;
    let prefix = format!("{}/{bucket}/{case_id}/", stage.sandbox.account());
    let listed = stage.s3.list_object_versions().bucket(quarantine).prefix(&prefix).send().await?;
    let keys = listed.versions().iter().filter_map(|version| version.key());
    let markers = listed.delete_markers().iter().filter_map(|marker| marker.key());
    Ok(keys.chain(markers).map(|key| key.trim_start_matches(&prefix).to_owned()).collect())
}

#[test]
fn what_was_quarantined_is_put_back_as_it_was_and_the_case_tells_both_moves() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("put-back").await?;
        let key = "reports/a b+c%?&é.csv";
        let put = stage
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
        let object = stage.placed(&bucket, key, &put, 6)?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        assert!(!stage.is_there(&bucket, key).await?);

        let case_id = object.version.case_id();
        let said = restore(stage, &case_id, &[]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.starts_with("restored") && said.out.contains(&bucket), "{said:?}");

        let back = stage.s3.get_object().bucket(&bucket).key(key).send().await?;
        assert_eq!(back.content_type(), Some("text/csv"));
        assert_eq!(back.cache_control(), Some("no-store"));
        assert_eq!(back.content_disposition(), Some("attachment"));
        assert_eq!(back.metadata().and_then(|all| all.get("origin")).map(String::as_str), Some("payroll"));
        assert_eq!(back.storage_class(), Some(&StorageClass::StandardIa));
        assert_eq!(back.body.collect().await?.to_vec(), b"id,key");
        let tags = stage.s3.get_object_tagging().bucket(&bucket).key(key).send().await?;
        let tags: BTreeSet<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        assert_eq!(tags, BTreeSet::from([("team", "finance"), ("year", "2026")]));

        let message = stage.shows(&bucket, "Put back").await?["blocks"].to_string();
        for says in
            ["Quarantined.", "Decided by policy", "it was a test", &format!("assumed-role/{OPERATOR}")]
        {
            assert!(message.contains(says), "{says} is not in {message}");
        }
        assert_eq!(stage.messages(&bucket).len(), 1);
        assert!(copies(stage, &case_id, &bucket).await?.contains(&"1/object".to_owned()), "the copy stays");
        Ok(())
    })
}

#[test]
fn another_object_at_the_place_is_only_replaced_when_told() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("taken").await?;
        let (_, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        stage.put(&bucket, "key.txt", "somebody's new work").await?;

        let said = restore(stage, &case_id, &["--json"]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        let report = &said.json()?[0];
        assert_eq!((&report["result"], &report["code"]), (&json!("failed"), &json!("ObjectExists")));
        assert!(report["detail"].as_str().unwrap_or_default().contains("--replace"), "{report}");
        assert_eq!(text(stage, &bucket, "key.txt").await?, "somebody's new work");
        stage.shows(&bucket, "Not put back.").await?;
        stage.operators_told(report["run"].as_str().context("a run")?).await?;

        let said = restore(stage, &case_id, &["--replace"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(text(stage, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn nothing_goes_back_into_a_shared_bucket_unless_told() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("still-shared").await?;
        let (_, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        stage.share(&bucket).await?;
        eventually("Access Analyzer's finding", async || {
            let findings = stage.sandbox.access_analyzer().findings();
            Ok(findings.iter().any(|finding| finding.to_string().contains(&bucket)).then_some(()))
        })
        .await?;

        let said = restore(stage, &case_id, &["--json"]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        let report = &said.json()?[0];
        assert_eq!(report["code"], "BucketExposed");
        let detail = report["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("--even-if-exposed") && detail.contains("999988887777"), "{detail}");
        assert!(!stage.is_there(&bucket, "key.txt").await?);

        let said = restore(stage, &case_id, &["--even-if-exposed"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(stage.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn many_are_put_back_at_once_and_each_that_cannot_be_says_why() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("many").await?;
        let (one, two) = tokio::join!(
            quarantined(stage, &bucket, "one.txt", "first"),
            quarantined(stage, &bucket, "two.txt", "second"),
        );
        let ((_, one), (_, two)) = (one?, two?);
        let dismissed = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &dismissed).await?;
        let message = stage.asked(&bucket).await?;
        let open = dismissed.version.case_id();
        let unknown = "0".repeat(64);

        let mut command = stage.cordon_command(&["restore", &one, "-", "--reason", "all of it", "--json"])?;
        let mut restoring =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let list =
            format!("{two}  2026-03-11  as a list prints it\n{one}\n\n{unknown}\n{}\n{open}\n", &two[..12]);
        restoring.stdin.take().context("a pipe")?.write_all(list.as_bytes()).await?;
        let said = Said::of(restoring.wait_with_output().await?);
        assert_eq!(said.code, Some(1), "{said:?}");
        let reports = said.json()?;
        let reports = reports.as_array().context("an array")?;
        let result = |case_id: &str| {
            let report = reports.iter().find(|report| report["case_id"] == case_id).unwrap();
            (report["result"].as_str().unwrap(), report["code"].as_str())
        };
        assert_eq!(reports.len(), 5, "each once: {reports:?}");
        for id in [&one, &two] {
            assert_eq!(result(id), ("restored", None));
        }
        assert_eq!(result(&unknown), ("refused", Some("UnknownCase")));
        assert_eq!(result(&two[..12]), ("refused", Some("UnknownCase")));
        assert_eq!(result(&open), ("refused", Some("ResponseUnderWay")));
        assert!(stage.is_there(&bucket, "one.txt").await? && stage.is_there(&bucket, "two.txt").await?);

        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await?;
        let said = restore(stage, &open, &[]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("Nothing of it is in quarantine"), "{said:?}");
        Ok(())
    })
}

#[test]
fn a_restore_without_a_reason_is_refused_before_anything_is_asked() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let id = "0".repeat(64);
        for arguments in
            [&["restore", &id][..], &["restore", &id, "--reason", " "], &["pause", "--reason", ""]]
        {
            let said = stage.cordon(arguments).await?;
            assert_eq!(said.code, Some(2), "{said:?}");
            assert!(said.err.contains("--reason"), "{said:?}");
        }
        Ok(())
    })
}

#[test]
fn a_restored_object_that_macie_finds_again_joins_its_story() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        for versioned in [false, true] {
            let bucket = stage.bucket("found-again").await?;
            if versioned {
                let enabled =
                    VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                let call = stage.s3.put_bucket_versioning().bucket(&bucket);
                call.versioning_configuration(enabled).send().await?;
            }
            let (object, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
            assert_eq!(restore(stage, &case_id, &[]).await?.code, Some(0));
            let case = stage.case(&object).await?;
            let restored = case.restores[0].restored[0].clone();
            assert_eq!(restored != object.version, versioned, "a version of its own where there are any");

            let again = stage.respond("Credentials", &Placed { version: restored, size: 10 }).await?;
            stage.succeeded(&again).await?;
            assert_eq!(stage.states(&again).await?, ["TriageFinding", "RouteDisposition", "Done"]);
            assert!(stage.is_there(&bucket, "key.txt").await?);
            assert_eq!(stage.case(&object).await?.finding_ids.len(), 2);
            assert_eq!(stage.messages(&bucket).len(), 1);
        }
        Ok(())
    })
}

#[test]
fn where_policy_says_so_people_are_asked_again_about_a_restored_object() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("asks-again").await?;
        let (object, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        assert_eq!(restore(stage, &case_id, &[]).await?.code, Some(0));
        let again = stage.respond("Credentials", &object).await?;
        let message = stage.shows(&bucket, "put back from quarantine before").await?;
        assert!(stage.is_there(&bucket, "key.txt").await?, "policy alone does not take it away again");
        assert_eq!(stage.click(FALLBACK, &message, "quarantine:").await?, 200);
        stage.succeeded(&again).await?;
        assert!(!stage.is_there(&bucket, "key.txt").await?);
        let case = stage.case(&object).await?;
        assert_eq!((case.generation, case.history[0].restores.len()), (2, 1));

        let said = stage.cordon(&["quarantine", "show", &case_id]).await?;
        assert!(said.out.contains("generation 1: quarantined"), "{said:?}");
        assert!(said.out.contains(&format!("quarantine by slack:T0CORDON01/{FALLBACK}")), "{said:?}");
        assert_eq!(restore(stage, &case_id, &[]).await?.code, Some(0), "the second generation goes back too");
        assert_eq!(text(stage, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn while_cordon_is_paused_nothing_moves_in_either_direction() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("paused").await?;
        let (_, earlier) = quarantined(stage, &bucket, "earlier.txt", "an earlier secret").await?;
        let paused = stage.cordon(&["pause", "--reason", "a rule matches too much", "--json"]).await?;
        assert_eq!(paused.code, Some(0), "{paused:?}");
        assert_eq!(paused.json()?["changed"], true);
        let rest = paused_part(stage, &bucket, &earlier).await;
        let resumed = stage.cordon(&["resume"]).await?;
        let run = rest?;
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert!(resumed.out.contains("a rule matches too much"), "it says what has ended: {resumed:?}");

        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "key.txt").await?);
        eventually("the restore", async || Ok(stage.is_there(&bucket, "earlier.txt").await?.then_some(())))
            .await?;
        stage.shows(&bucket, "Put back").await?;
        let again = stage.cordon(&["resume", "--json"]).await?;
        assert_eq!((again.code, &again.json()?["changed"]), (Some(0), &json!(false)));
        Ok(())
    })
}

/// What is tried while Cordon is paused; gives back the run that waits.
async fn paused_part(stage: &Stage, bucket: &str, earlier: &str) -> Result<String> {
    let again = stage.cordon(&["pause", "--reason", "me too"]).await?;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(
        again.out.contains("Paused already since") && again.out.contains("matches too much"),
        "{again:?}"
    );

    let object = stage.put(bucket, "key.txt", "the secret").await?;
    let run = stage.respond("Credentials", &object).await?;
    stage.reaches(&run, "AwaitResume").await?;
    stage.shows(bucket, "Paused").await?;
    stage.shows(bucket, "ordered: a rule matches too much").await?;

    let mut command = stage.cordon_command(&["restore", earlier, "--reason", "a test", "--json"])?;
    let waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let case = async || stage.cases()?.get(earlier).await?.context("a case");
    let restoring = eventually("the restore that waits", async || {
        let case = case().await?;
        Ok(case.resume_token.is_some().then_some(case))
    })
    .await?;
    assert_eq!(restoring.status, Status::Restoring);
    let second = restore(stage, earlier, &[]).await?;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.out.contains("A restore is under way, asked for by"), "{second:?}");
    let purge = ["quarantine", "purge", earlier, "--reason", "r", "--yes", "--json"];
    assert_eq!(stage.cordon(&purge).await?.json()?[0]["code"], "RestoreUnderWay");
    let listed = stage.cordon(&["quarantine", "list", "--bucket", bucket]).await?;
    assert!(listed.out.contains("being put back"), "{listed:?}");

    let pid = waiting.id().context("it runs")?.to_string();
    std::process::Command::new("kill").args(["-INT", &pid]).status()?;
    let stopped = Said::of(waiting.wait_with_output().await?);
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    assert!(stopped.err.contains("goes on without this command"), "{stopped:?}");
    assert!(stopped.err.contains("`cordon resume`"), "it says what it waits for: {stopped:?}");
    assert_eq!(stopped.json()?[0]["result"], "under_way");
    assert_eq!(case().await?.status, Status::Restoring);
    assert!(stage.is_there(bucket, "key.txt").await? && !stage.is_there(bucket, "earlier.txt").await?);
    Ok(run)
}

#[test]
fn above_the_limit_of_automatic_moves_people_decide() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let state = stage.deployment.output("state_bucket")?;
        let get = stage.s3.get_object().bucket(state).key("policy.json").send().await?;
        let policy = get.body.collect().await?.to_vec();
        let write = async |bytes: Vec<u8>| {
            stage.s3.put_object().bucket(state).key("policy.json").body(ByteStream::from(bytes)).send().await
        };
        let bucket = stage.bucket("brake").await?;
        for (limit, moved, says) in [
            ("max_automatic_per_bucket_per_hour", 1, "more than 1 automatic moves in this bucket"),
            ("max_automatic_per_hour", 0, "more than 0 automatic moves in this hour"),
        ] {
            let mut limited: Value = serde_json::from_slice(&policy)?;
            limited[limit] = json!(moved);
            write(limited.to_string().into_bytes()).await?;
            let tried = async {
                for n in 0..moved {
                    quarantined(stage, &bucket, &format!("{limit}-{n}"), "the secret").await?;
                }
                let object = stage.put(&bucket, limit, "the secret").await?;
                let run = stage.respond("Credentials", &object).await?;
                anyhow::Ok((run, stage.shows(&bucket, says).await?))
            };
            let tried = tried.await;
            write(policy.clone()).await?;
            let (run, message) = tried?;
            assert!(stage.is_there(&bucket, limit).await?);
            assert_eq!(stage.click_because(FALLBACK, &message, "dismiss:", "test data").await?, 200);
            stage.succeeded(&run).await?;
        }
        Ok(())
    })
}

#[test]
fn a_restore_whose_run_was_never_started_is_started_by_the_reconciler() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("unstarted").await?;
        let (object, _) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        let machine = stage.machine("object_restore")?.replace(":stateMachine:", ":execution:");
        let request = Restore {
            request_id: "5e1f".repeat(8),
            execution_arn: format!("{machine}:{}", "5e1f".repeat(8)),
            requested_by: "arn:aws:iam::111122223333:user/olivia".into(),
            reason: "the command was ended at this moment".into(),
            replace: false,
            even_if_exposed: false,
            requested_at: clock::now(),
            restored: Vec::new(),
            outcome: None,
        };
        let case = stage.case(&object).await?;
        stage.cases()?.request_restore(&case, &request).await?.stands().context("it is recorded")?;
        stage.shows(&bucket, "Put back").await?;
        assert_eq!(text(stage, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn what_is_in_quarantine_is_listed_shown_and_purged_and_no_key_steers_the_terminal() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("kept").await?;
        let key = "a\u{1b}[2J\u{202e}\u{9b}b.txt";
        let (object, case_id) = quarantined(stage, &bucket, key, "the secret").await?;
        let (_, other) = quarantined(stage, &bucket, "other.txt", "another secret").await?;

        let list = async |more: &[&str]| {
            stage.cordon(&[&["quarantine", "list", "--bucket", "kept-*"], more].concat()).await
        };
        let said = list(&["--since", "1h"]).await?;
        let line = said.out.lines().find(|line| line.starts_with(&case_id)).context("a line")?;
        for says in ["in quarantine", "policy rule credentials", r"a\u{1b}[2J\u{202e}\u{9b}b.txt"] {
            assert!(line.contains(says), "{says} is not in {line:?}");
        }
        let said = list(&["--json"]).await?;
        assert!(!said.out.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{said:?}");
        let listed = said.json()?;
        let entries = listed.as_array().context("an array")?;
        assert_eq!(
            (entries[0]["case_id"].as_str(), entries.len()),
            (Some(other.as_str()), 2),
            "newest first"
        );
        assert_eq!((&entries[1]["key"], &entries[1]["state"]), (&json!(key), &json!("in_quarantine")));
        assert_eq!(list(&["--limit", "1", "--json"]).await?.json()?.as_array().map(Vec::len), Some(1));
        let nothing = stage.cordon(&["quarantine", "list", "--bucket", "no-such-*", "--json"]).await?;
        assert_eq!((nothing.code, nothing.json()?), (Some(0), json!([])));

        let said = stage.cordon(&["quarantine", "show", &case_id]).await?;
        for says in ["Macie", "in quarantine", "checksum agree", r"a\u{1b}[2J"] {
            let says = if says == "Macie" { stage.case(&object).await?.finding.id } else { says.to_owned() };
            assert!(said.out.contains(&says), "{says} is not in {said:?}");
        }
        let shown = stage.cordon(&["quarantine", "show", &case_id, "--json"]).await?;
        let case = stage.case(&object).await?;
        assert_eq!(shown.json()?["manifest"]["entries"][0]["source"]["key"], key);
        assert!(!shown.out.contains(&case.approval_id), "the name of the buttons is no one's business");

        let purge = ["quarantine", "purge", &case_id, "--reason", "GDPR-17"];
        let unsure = stage.cordon(&purge).await?;
        assert_eq!(unsure.code, Some(1), "{unsure:?}");
        assert!(unsure.err.contains("--yes"), "{unsure:?}");
        assert_eq!(copies(stage, &case_id, &bucket).await?.len(), 2);
        let said = stage.cordon(&[&purge[..], &["--yes", "--json"]].concat()).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!((&said.json()?[0]["result"], &said.json()?[0]["versions"]), (&json!("purged"), &json!(1)));
        assert_eq!(copies(stage, &case_id, &bucket).await?, ["1/manifest.json"], "the evidence stays");
        let message = stage.shows(&bucket, "was deleted from quarantine").await?;
        assert!(message["blocks"].to_string().contains("GDPR-17"), "{message}");

        let said = restore(stage, &case_id, &["--json"]).await?;
        assert_eq!((said.code, &said.json()?[0]["code"]), (Some(1), &json!("Purged")), "{said:?}");
        assert!(said.json()?[0]["detail"].as_str().unwrap_or_default().contains("GDPR-17"), "{said:?}");
        let again = stage.cordon(&[&purge[..], &["--yes"]].concat()).await?;
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.out.contains("deleted before"), "{again:?}");
        let said = list(&[]).await?;
        assert!(
            said.out.lines().any(|line| line.starts_with(&case_id) && line.contains("  purged")),
            "{said:?}"
        );
        assert_eq!(copies(stage, &other, &bucket).await?.len(), 2, "the other case is untouched");
        Ok(())
    })
}

#[test]
fn a_purge_that_broke_off_is_finished_by_the_same_command() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("half-purged").await?;
        let (object, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        let purge = Purge {
            requested_by: "arn:aws:iam::111122223333:user/olivia".into(),
            reason: "GDPR-18".into(),
            requested_at: clock::now(),
            done_at: None,
        };
        let case: Case = stage.case(&object).await?;
        stage.cases()?.request_purge(&case, &purge).await?.context("it is recorded")?;
        let said = restore(stage, &case_id, &[]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("is being deleted from quarantine"), "{said:?}");
        let said = stage.cordon(&["quarantine", "purge", &case_id, "--reason", "GDPR-18", "--yes"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(copies(stage, &case_id, &bucket).await?, ["1/manifest.json"]);
        assert!(stage.case(&object).await?.purge.is_some_and(|purge| purge.done_at.is_some()));
        Ok(())
    })
}

#[test]
fn a_person_who_is_no_purger_purges_nothing_and_blocks_nothing() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("not-purged").await?;
        let (object, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        let purge = ["quarantine", "purge", &case_id, "--reason", "r", "--yes"];
        let mut command = stage.cordon_command(&purge)?;
        let unset = Said::of(command.env_remove("CORDON_PURGER_ROLE_ARN").output().await?);
        assert_eq!(unset.code, Some(1), "{unset:?}");
        assert!(unset.err.contains("Terraform's `purgers`"), "{unset:?}");
        let mut command = stage.cordon_command(&purge)?;
        let another = format!("arn:aws:iam::{}:role/cordon-mover", stage.sandbox.account());
        let refused = Said::of(command.env("CORDON_PURGER_ROLE_ARN", another).output().await?);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.out.contains("Terraform's `purgers` names who may"), "{refused:?}");
        assert_eq!(stage.case(&object).await?.purge, None, "it can be put back still");
        assert_eq!(copies(stage, &case_id, &bucket).await?.len(), 2);
        Ok(())
    })
}

#[test]
fn a_manifest_that_somebody_has_changed_puts_nothing_back() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("tampered").await?;
        let (object, case_id) = quarantined(stage, &bucket, "key.txt", "the secret").await?;
        let quarantine = stage.deployment.output("quarantine_bucket")?;
        let copy = stage.case(&object).await?.quarantine_copy.context("a copy")?;
        let manifest = copy.key.replace("/object", "/manifest.json");
        let good = text(stage, quarantine, &manifest).await?;
        let another = |change: &dyn Fn(&mut Value)| -> Result<String> {
            let mut changed = serde_json::from_str(&good)?;
            change(&mut changed);
            Ok(changed.to_string())
        };
        // Nobody but the mover may write there.
        let policy = stage.s3.get_bucket_policy().bucket(quarantine).send().await?.policy;
        stage.s3.delete_bucket_policy().bucket(quarantine).send().await?;
        let mut said = Vec::new();
        for (what, bad) in [
            ("cut short", good[..good.len() / 2].to_owned()),
            ("of another case", another(&|manifest| manifest["case_id"] = json!("0".repeat(64)))?),
            (
                "of another account",
                another(&|manifest| manifest["entries"][0]["source"]["account"] = json!("999988887777"))?,
            ),
            (
                "of another copy",
                another(&|manifest| manifest["entries"][0]["quarantine"]["key"] = json!("policy.json"))?,
            ),
            (
                "of another size",
                another(&|manifest| manifest["entries"][0]["verification"]["size"] = json!(3))?,
            ),
            ("of nothing", another(&|manifest| manifest["entries"] = json!([]))?),
        ] {
            let body = ByteStream::from(bad.into_bytes());
            stage.s3.put_object().bucket(quarantine).key(&manifest).body(body).send().await?;
            said.push((what, restore(stage, &case_id, &["--json"]).await));
            stage.s3.delete_object().bucket(&bucket).key("key.txt").send().await?;
        }
        stage.s3.put_bucket_policy().bucket(quarantine).set_policy(policy).send().await?;
        let mut put_back = Vec::new();
        for (what, said) in said {
            let said = said?;
            if said.json()?[0]["result"] != "failed" || said.code != Some(1) {
                put_back.push((what, said));
            }
        }
        assert!(put_back.is_empty(), "{put_back:?}");
        Ok(())
    })
}
