//! Every activity, done twice: Step Functions gives a task out again whenever it does not hear of its end.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cordon::{app::activities::CATALOG, clock, store::Exposures};
use cordon_domain::{
    finding::{ObjectVersion, bare_etag},
    time,
};
use cordon_tests::{CHANNEL, eventually, finding_document, on_stage, report};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{scenario::SCENARIOS, scene::Scene};

/// Found by Macie.
pub(super) const CARD: &str = "Card Number: 5163200000000008\nExpiry Date: 08/20\n";

/// What a task is, and which bucket it is about.
pub(super) struct Given {
    pub(super) input: Value,
    bucket: String,
}

#[test]
fn every_activity_succeeds_when_repeated() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        let mut broken = Vec::new();
        for entry in CATALOG {
            broken.extend(repeat(scene, entry.stem).await.err().map(|e| format!("{}: {e:#}", entry.stem)));
        }
        let total = CATALOG.len();
        report(&format!("PROOF repeated_activities total={total} survived={}", total - broken.len()));
        ensure!(broken.is_empty(), "not idempotent:\n{}", broken.join("\n"));
        Ok(())
    })
}

/// The same answer twice, and everything as it was after the first time.
async fn repeat(scene: &Scene, stem: &str) -> Result<()> {
    let Given { input, bucket } = given(scene, stem).await.context("it could not be set up")?;
    let before = world(scene, &bucket).await?;
    let mut first = done(scene, stem, &input).await?;
    let after = world(scene, &bucket).await?;
    ensure!(before != after, "it has no effect, so nothing is proved");
    let mut second = done(scene, stem, &input).await.context("the second time")?;
    for answer in [&mut first, &mut second] {
        for member in told_of_this_time(stem) {
            answer[member] = Value::Null;
        }
    }
    ensure!(first == second, "it answered {first} and then {second}");
    let in_the_end = world(scene, &bucket).await?;
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

pub(super) async fn done(scene: &Scene, stem: &str, input: &Value) -> Result<Value> {
    scene.worker.run_once(stem, input.to_string()).await.map_err(|failure| anyhow!("{stem}: {failure:?}"))
}

/// Sets up what an activity needs.
async fn given(scene: &Scene, stem: &str) -> Result<Given> {
    let name = format!("repeated-{}", stem.replace('_', "-"));
    match stem {
        "quarantine_object" | "restore_object" => {
            let back = if stem == "restore_object" { "all versions, back" } else { "all versions" };
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == back).context("it is there")?;
            let task = scenario.prepare(scene).await?;
            ensure!(task.stem == stem, "the scenario is about {}", task.stem);
            Ok(Given { input: task.input, bucket: task.case.object().bucket.clone() })
        }
        "triage_finding" => found(scene, name).await,
        "sweep_findings" => {
            let object = object(scene, &name).await?;
            // As long as an id may be, and longer than the name of a run.
            let id = format!("{name}{}", "f".repeat(128 - name.len()));
            let mut document =
                finding_document(scene.sandbox.region(), &id, "Financial", &object, CARD.len());
            // Old enough that its event is not to be expected any more.
            document["createdAt"] = json!(time::stored(Timestamp::now() - SignedDuration::from_mins(10)));
            scene.sandbox.macie().put_finding(document);
            Ok(Given { input: json!({}), bucket: name })
        }
        "post_approval" | "rescan_object" => triaged(scene, name).await,
        "advance_round" => {
            let given = triaged(scene, name).await?;
            done(scene, "post_approval", &given.input).await?;
            let case = scene.cases.get(given.input["case_id"].as_str().context("a case")?).await?;
            let over = time::stored(Timestamp::now() - SignedDuration::from_secs(1));
            let begun = scene.cases.begin_round(&case.context("it is on record")?, 1, &over, None).await?;
            begun.stands().context("the round could not be ended")?;
            Ok(given)
        }
        "report_outcome" => {
            let given = triaged(scene, name).await?;
            let run = json!({"triage": {"case_id": given.input["case_id"]},
                "error": {"Error": "States.Timeout", "Cause": "Nobody took the task."}});
            let input = json!({"execution_arn": given.input["execution_arn"], "run": run});
            Ok(Given { input, ..given })
        }
        "record_access_finding" => {
            let bucket = object(scene, &name).await?.bucket;
            let detail = json!({"id": name, "resourceType": "AWS::S3::Bucket", "status": "ACTIVE",
                "resource": format!("arn:aws:s3:::{bucket}"), "accountId": scene.sandbox.account(),
                "updatedAt": clock::now(), "principal": {"AWS": "999988887777"}, "action": ["s3:GetObject"],
                "isPublic": false, "isDeleted": false});
            let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding",
                "detail": detail});
            Ok(Given { input: json!({"event": event}), bucket })
        }
        "sync_access_findings" => {
            shared(scene, &name).await?;
            Ok(Given { input: json!({}), bucket: name })
        }
        "plan_scans" => {
            shared(scene, &name).await?;
            done(scene, "sync_access_findings", &json!({})).await?;
            Ok(Given { input: json!({"cycle": name}), bucket: name })
        }
        "start_scan" => planned(scene, name).await,
        "report_exposures" => {
            let given = planned(scene, name).await?;
            let job = done(scene, "start_scan", &given.input).await?;
            eventually("the end of the job", async || {
                let jobs = scene.sandbox.macie().jobs();
                let ended =
                    jobs.iter().any(|one| one["jobId"] == job["job_id"] && one["jobStatus"] == "COMPLETE");
                Ok(ended.then_some(()))
            })
            .await?;
            let exposures =
                Exposures::new(scene.dynamodb.clone(), scene.deployment.output("exposures_table")?.into());
            exposures.finish_job(job["record"].as_str().context("a record")?, None).await?;
            Ok(given)
        }
        "close_cycle" => {
            let plan = json!({"batches": 0, "scanned": 0, "reported": 0});
            Ok(Given { input: json!({"cycle": name, "run": {"plan": plan}}), bucket: name })
        }
        _ => bail!("this activity has no case here"),
    }
}

/// A bucket with an object in it.
pub(super) async fn object(scene: &Scene, bucket: &str) -> Result<ObjectVersion> {
    scene.s3.create_bucket().bucket(bucket).send().await?;
    let body = CARD.as_bytes().to_vec().into();
    let put = scene.s3.put_object().bucket(bucket).key("cards.txt").body(body).send().await?;
    Ok(ObjectVersion {
        account: scene.sandbox.account().into(),
        bucket: bucket.into(),
        key: "cards.txt".into(),
        version_id: None,
        etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).into(),
    })
}

/// A finding that nobody has answered.
async fn found(scene: &Scene, name: String) -> Result<Given> {
    let object = object(scene, &name).await?;
    let document = finding_document(scene.sandbox.region(), &name, "Financial", &object, CARD.len());
    scene.sandbox.macie().put_finding(document);
    let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": name}});
    Ok(Given { input: json!({"execution_arn": run(scene, &name), "event": event}), bucket: name })
}

/// A case that people are to decide.
pub(super) async fn triaged(scene: &Scene, name: String) -> Result<Given> {
    let given = found(scene, name).await?;
    let triage = done(scene, "triage_finding", &given.input).await?;
    ensure!(triage["disposition"] == "review", "the finding came to {triage}");
    let input = json!({"execution_arn": given.input["execution_arn"], "case_id": triage["case_id"]});
    Ok(Given { input, ..given })
}

fn run(scene: &Scene, name: &str) -> String {
    format!("arn:aws:states:{}:{}:execution:cordon:{name}", scene.sandbox.region(), scene.sandbox.account())
}

/// A bucket with an object in it that another account may read, known to Access Analyzer.
pub(super) async fn shared(scene: &Scene, bucket: &str) -> Result<()> {
    object(scene, bucket).await?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
    scene.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    scene.sandbox.access_analyzer().bucket_changed(bucket).await;
    Ok(())
}

/// The batch of a shared bucket that is to be scanned.
async fn planned(scene: &Scene, name: String) -> Result<Given> {
    shared(scene, &name).await?;
    done(scene, "sync_access_findings", &json!({})).await?;
    let planned = done(scene, "plan_scans", &json!({"cycle": name})).await?;
    let place = |member: &str| planned[member].as_str().unwrap_or_default();
    let plan = scene.s3.get_object().bucket(place("bucket")).key(place("key")).send().await?;
    let batches: Vec<Value> = serde_json::from_slice(&plan.body.collect().await?.into_bytes())?;
    let ours = |batch: &Value| batch["kind"] == "scan" && batch.to_string().contains(&format!("{name:?}"));
    let batch = batches.into_iter().find(ours).context("the bucket is not to be scanned")?;
    Ok(Given { input: json!({"batch": batch}), bucket: name })
}

/// Everything that an activity can have an effect on, without the times of the last look.
async fn world(scene: &Scene, bucket: &str) -> Result<BTreeMap<&'static str, Vec<Value>>> {
    let (macie, hub, slack) = (scene.sandbox.macie(), scene.sandbox.security_hub(), scene.sandbox.slack());
    let copies = format!("{}/{bucket}/", scene.sandbox.account());
    let members = |of: &Value, names: &[&str]| names.iter().map(|name| of[*name].clone()).collect();
    let mut world = BTreeMap::from([
        ("cases", records(scene, "cases_table").await?),
        ("exposures", records(scene, "exposures_table").await?),
        ("the source", versions(scene, bucket, "").await?),
        ("quarantine", versions(scene, &scene.quarantine, &copies).await?),
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
    let state = scene.deployment.output("state_bucket")?;
    let listed = scene.s3.list_objects_v2().bucket(state).prefix(format!("cycles/{bucket}/")).send().await?;
    world.insert("state", listed.contents().iter().map(|object| json!(object.key())).collect());
    let machine = &scene.deployment.outputs()["state_machine_arns"]["finding_response"];
    let sfn = aws_sdk_sfn::Client::new(&scene.sandbox.sdk_config().await);
    let runs = sfn.list_executions().state_machine_arn(machine.as_str().unwrap_or_default()).send().await?;
    // Runs that an event began are named by a UUID.
    let swept = runs.executions().iter().map(|run| run.name()).filter(|name| !name.contains('-'));
    world.insert("runs", swept.map(Value::from).collect());
    Ok(world)
}

/// The records of a table, in the order of their texts.
async fn records(scene: &Scene, table: &str) -> Result<Vec<Value>> {
    let scan = scene.dynamodb.scan().table_name(scene.deployment.output(table)?);
    let mut items = scan.into_paginator().items().send();
    let mut records = Vec::new();
    while let Some(item) = items.next().await {
        let mut record: Value = serde_dynamo::from_item(item?)?;
        if let Some(members) = record.as_object_mut() {
            members.retain(|name, _| !["triaged_at", "until", "render_due_at"].contains(&name.as_str()));
        }
        records.push(record);
    }
    records.sort_by_key(Value::to_string);
    Ok(records)
}

/// Key and version id of what is under a prefix, delete markers among them; nothing where there is no bucket.
async fn versions(scene: &Scene, bucket: &str, prefix: &str) -> Result<Vec<Value>> {
    let listed = scene.s3.list_object_versions().bucket(bucket).prefix(prefix).send().await;
    let Ok(listed) = listed else { return Ok(Vec::new()) };
    let versions = listed.versions().iter().map(|version| json!([version.key(), version.version_id()]));
    let markers = listed.delete_markers().iter().map(|marker| json!([marker.key(), marker.version_id()]));
    Ok(versions.chain(markers).collect())
}
