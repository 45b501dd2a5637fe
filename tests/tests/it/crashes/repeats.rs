//! Every activity, done twice: Step Functions gives a task out again whenever it does not hear of its end.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cordon::{app::activities::CATALOG, clock, store::Exposures};
use cordon_domain::finding::{ObjectVersion, bare_etag};
use cordon_tests::{CHANNEL, eventually, finding_document, report, run_test};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{fixture::Fixture, scenario::SCENARIOS};

/// Found by Macie.
pub(super) const CARD: &str = "Card Number: 5163200000000008\nExpiry Date: 08/20\n";

/// What a task is, and which bucket it is about.
pub(super) struct TaskSetup {
    pub(super) input: Value,
    bucket: String,
}

#[test]
fn every_activity_succeeds_when_repeated() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let mut broken = Vec::new();
        for entry in CATALOG {
            broken.extend(repeat(fixture, entry.stem).await.err().map(|e| format!("{}: {e:#}", entry.stem)));
        }
        let total = CATALOG.len();
        report(&format!("PROOF repeated_activities total={total} survived={}", total - broken.len()));
        ensure!(broken.is_empty(), "not idempotent:\n{}", broken.join("\n"));
        Ok(())
    })
}

/// The same answer twice, and everything as it was after the first time.
async fn repeat(fixture: &Fixture, stem: &str) -> Result<()> {
    let TaskSetup { input, bucket } = set_up(fixture, stem).await.context("it could not be set up")?;
    let before = snapshot(fixture, &bucket).await?;
    let mut first = done(fixture, stem, &input).await?;
    let after = snapshot(fixture, &bucket).await?;
    ensure!(before != after, "it has no effect, so nothing is proved");
    let mut second = done(fixture, stem, &input).await.context("the second time")?;
    for answer in [&mut first, &mut second] {
        for member in told_of_this_time(stem) {
            answer[member] = Value::Null;
        }
    }
    ensure!(first == second, "it answered {first} and then {second}");
    let in_the_end = snapshot(fixture, &bucket).await?;
    for (what, then) in &after {
        let now = &in_the_end[what];
        ensure!(now == then, "the second time had an effect on {what}: {now:#?}\nafter the first: {then:#?}");
    }
    Ok(())
}

/// Members of the answer that tell what was new, or when, and of nothing else.
fn told_of_this_time(stem: &str) -> &'static [&'static str] {
    match stem {
        "record_access_finding" => &["recorded"],
        "sync_access_findings" => &["news"],
        "close_cycle" => &["closed_at"],
        _ => &[],
    }
}

pub(super) async fn done(fixture: &Fixture, stem: &str, input: &Value) -> Result<Value> {
    fixture.worker.run_once(stem, input.to_string()).await.map_err(|failure| anyhow!("{stem}: {failure:?}"))
}

/// Sets up what an activity needs.
async fn set_up(fixture: &Fixture, stem: &str) -> Result<TaskSetup> {
    let name = format!("repeated-{}", stem.replace('_', "-"));
    match stem {
        "quarantine_object" | "restore_object" => {
            let back = if stem == "restore_object" { "all versions, back" } else { "all versions" };
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == back).context("it is there")?;
            let task = scenario.prepare(fixture).await?;
            ensure!(task.stem == stem, "the scenario is about {}", task.stem);
            Ok(TaskSetup { input: task.input, bucket: task.case.object().bucket.clone() })
        }
        "triage_finding" => found(fixture, name).await,
        "sweep_findings" => {
            // Those of other tests become old enough at any time.
            for finding in fixture.sandbox.macie().findings() {
                fixture.cases.mark_triaged(finding["id"].as_str().context("an id")?).await?;
            }
            let object = object(fixture, &name).await?;
            // As long as an id may be, and longer than the name of a run.
            let id = format!("{name}{}", "f".repeat(128 - name.len()));
            let mut document =
                finding_document(fixture.sandbox.region(), &id, "Financial", &object, CARD.len());
            // Old enough that its event is not to be expected any more.
            document["createdAt"] = json!(clock::now() - SignedDuration::from_mins(10));
            fixture.sandbox.macie().put_finding(document);
            Ok(TaskSetup { input: json!({}), bucket: name })
        }
        "post_approval" | "rescan_object" => triaged(fixture, name).await,
        "advance_round" => {
            let setup = triaged(fixture, name).await?;
            done(fixture, "post_approval", &setup.input).await?;
            let case = fixture.cases.get(setup.input["case_id"].as_str().context("a case")?).await?;
            let over = clock::now() - SignedDuration::from_secs(1);
            let begun = fixture.cases.begin_round(&case.context("it is on record")?, 1, over).await?;
            begun.stands().context("the round could not be ended")?;
            Ok(setup)
        }
        "report_outcome" => {
            let setup = triaged(fixture, name).await?;
            let run = json!({"triage": {"case_id": setup.input["case_id"]},
                "error": {"Error": "States.Timeout", "Cause": "Nobody took the task."}});
            let input = json!({"execution_arn": setup.input["execution_arn"], "run": run});
            Ok(TaskSetup { input, ..setup })
        }
        "record_access_finding" => {
            let bucket = object(fixture, &name).await?.bucket;
            let detail = json!({"id": name, "resourceType": "AWS::S3::Bucket", "status": "ACTIVE",
                "resource": format!("arn:aws:s3:::{bucket}"), "accountId": fixture.sandbox.account(),
                "updatedAt": clock::now(), "principal": {"AWS": "999988887777"}, "action": ["s3:GetObject"],
                "isPublic": false, "isDeleted": false});
            let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding",
                "detail": detail});
            Ok(TaskSetup { input: json!({"event": event}), bucket })
        }
        "sync_access_findings" => {
            shared(fixture, &name).await?;
            Ok(TaskSetup { input: json!({}), bucket: name })
        }
        "plan_scans" => {
            shared(fixture, &name).await?;
            done(fixture, "sync_access_findings", &json!({})).await?;
            Ok(TaskSetup { input: json!({"cycle": name}), bucket: name })
        }
        "start_scan" => planned(fixture, name).await,
        "report_exposures" => {
            let setup = planned(fixture, name).await?;
            let job = done(fixture, "start_scan", &setup.input).await?;
            eventually("the end of the job", async || {
                let jobs = fixture.sandbox.macie().jobs();
                let ended =
                    jobs.iter().any(|one| one["jobId"] == job["job_id"] && one["jobStatus"] == "COMPLETE");
                Ok(ended.then_some(()))
            })
            .await?;
            let exposures = Exposures::new(
                fixture.dynamodb.clone(),
                fixture.deployment.output("exposures_table")?.into(),
            );
            exposures.finish_job(job["record"].as_str().context("a record")?, None).await?;
            Ok(setup)
        }
        "close_cycle" => {
            let plan = json!({"batches": 0, "scanned": 0, "reported": 0});
            Ok(TaskSetup { input: json!({"cycle": name, "run": {"plan": plan}}), bucket: name })
        }
        _ => bail!("this activity has no case here"),
    }
}

/// A bucket with an object in it.
pub(super) async fn object(fixture: &Fixture, bucket: &str) -> Result<ObjectVersion> {
    fixture.s3.create_bucket().bucket(bucket).send().await?;
    let body = CARD.as_bytes().to_vec().into();
    let put = fixture.s3.put_object().bucket(bucket).key("cards.txt").body(body).send().await?;
    Ok(ObjectVersion {
        account: fixture.sandbox.account().into(),
        bucket: bucket.into(),
        key: "cards.txt".into(),
        version_id: None,
        etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).into(),
    })
}

/// A finding that nobody has answered.
async fn found(fixture: &Fixture, name: String) -> Result<TaskSetup> {
    let object = object(fixture, &name).await?;
    let document = finding_document(fixture.sandbox.region(), &name, "Financial", &object, CARD.len());
    fixture.sandbox.macie().put_finding(document);
    let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": name}});
    Ok(TaskSetup { input: json!({"execution_arn": run(fixture, &name), "event": event}), bucket: name })
}

/// A case that people are to decide.
pub(super) async fn triaged(fixture: &Fixture, name: String) -> Result<TaskSetup> {
    let setup = found(fixture, name).await?;
    let triage = done(fixture, "triage_finding", &setup.input).await?;
    ensure!(triage["disposition"] == "review", "the finding came to {triage}");
    let input = json!({"execution_arn": setup.input["execution_arn"], "case_id": triage["case_id"]});
    Ok(TaskSetup { input, ..setup })
}

fn run(fixture: &Fixture, name: &str) -> String {
    format!(
        "arn:aws:states:{}:{}:execution:cordon:{name}",
        fixture.sandbox.region(),
        fixture.sandbox.account()
    )
}

/// A bucket with an object in it that another account may read, known to Access Analyzer.
pub(super) async fn shared(fixture: &Fixture, bucket: &str) -> Result<()> {
    object(fixture, bucket).await?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
    fixture.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    fixture.sandbox.access_analyzer().bucket_changed(bucket).await;
    Ok(())
}

/// The batch of a shared bucket that is to be scanned.
async fn planned(fixture: &Fixture, name: String) -> Result<TaskSetup> {
    shared(fixture, &name).await?;
    done(fixture, "sync_access_findings", &json!({})).await?;
    let planned = done(fixture, "plan_scans", &json!({"cycle": name})).await?;
    let place = |member: &str| planned[member].as_str().unwrap_or_default();
    let plan = fixture.s3.get_object().bucket(place("bucket")).key(place("key")).send().await?;
    let batches: Vec<Value> = serde_json::from_slice(&plan.body.collect().await?.into_bytes())?;
    let ours = |batch: &Value| batch["kind"] == "scan" && batch.to_string().contains(&format!("{name:?}"));
    let batch = batches.into_iter().find(ours).context("the bucket is not to be scanned")?;
    Ok(TaskSetup { input: json!({"batch": batch}), bucket: name })
}

/// Everything that an activity can have an effect on, without the times of the last look.
async fn snapshot(fixture: &Fixture, bucket: &str) -> Result<BTreeMap<&'static str, Vec<Value>>> {
    let (macie, hub, slack) =
        (fixture.sandbox.macie(), fixture.sandbox.security_hub(), fixture.sandbox.slack());
    let copies = format!("{}/{bucket}/", fixture.sandbox.account());
    let members = |of: &Value, names: &[&str]| names.iter().map(|name| of[*name].clone()).collect();
    let mut world = BTreeMap::from([
        ("cases", records(fixture, "cases_table").await?),
        ("exposures", records(fixture, "exposures_table").await?),
        ("the source", versions(fixture, bucket, "").await?),
        ("quarantine", versions(fixture, &fixture.quarantine, &copies).await?),
        (
            "Slack",
            slack.messages(CHANNEL).iter().map(|one| members(one, &["ts", "thread_ts", "text"])).collect(),
        ),
        ("Macie's jobs", macie.jobs().iter().map(|job| job["jobId"].clone()).collect()),
        (
            "Security Hub",
            hub.findings()
                .iter()
                .map(|one| members(one, &["Id", "CreatedAt", "RecordState", "Title"]))
                .collect(),
        ),
    ]);
    // Whatever has a key here is written whole, so that a second time leaves the same keys.
    let state = fixture.deployment.output("state_bucket")?;
    let listed =
        fixture.s3.list_objects_v2().bucket(state).prefix(format!("cycles/{bucket}/")).send().await?;
    world.insert("state", listed.contents().iter().map(|object| json!(object.key())).collect());
    let machine = &fixture.deployment.outputs()["state_machine_arns"]["finding_response"];
    let sfn = aws_sdk_sfn::Client::new(&fixture.sandbox.sdk_config().await);
    let runs = sfn.list_executions().state_machine_arn(machine.as_str().unwrap_or_default()).send().await?;
    // Runs that an event began are named by a UUID.
    let swept = runs.executions().iter().map(|run| run.name()).filter(|name| !name.contains('-'));
    world.insert("runs", swept.map(Value::from).collect());
    Ok(world)
}

/// The records of a table, in the order of their texts.
async fn records(fixture: &Fixture, table: &str) -> Result<Vec<Value>> {
    let scan = fixture.dynamodb.scan().table_name(fixture.deployment.output(table)?);
    let mut items = scan.into_paginator().items().send();
    let mut records = Vec::new();
    while let Some(item) = items.next().await {
        let mut record: Value = serde_dynamo::from_item(item?)?;
        if let Some(members) = record.as_object_mut() {
            members.retain(|name, _| {
                !["triaged_at", "until", "slack_due_at", "expires_at"].contains(&name.as_str())
            });
        }
        records.push(record);
    }
    records.sort_by_key(Value::to_string);
    Ok(records)
}

/// Key and version id of what is under a prefix, delete markers among them; nothing where there is no bucket.
async fn versions(fixture: &Fixture, bucket: &str, prefix: &str) -> Result<Vec<Value>> {
    let listed = fixture.s3.list_object_versions().bucket(bucket).prefix(prefix).send().await;
    let Ok(listed) = listed else { return Ok(Vec::new()) };
    let versions = listed.versions().iter().map(|version| json!([version.key(), version.version_id()]));
    let markers = listed.delete_markers().iter().map(|marker| json!([marker.key(), marker.version_id()]));
    Ok(versions.chain(markers).collect())
}
