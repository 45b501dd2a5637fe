//! The look that Macie takes at an object that was written again since its finding.

use anyhow::{Context, Result, ensure};
use aws_sdk_macie2::types::{
    JobType, ManagedDataIdentifierSelector, S3BucketDefinitionForJob, S3JobDefinition,
};
use cordon_domain::finding::{ObjectVersion, bare_etag};
use cordon_tests::{eventually, finding_document, run_test};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{fixture::Fixture, repeats::done};

const CARD: &[u8] = b"Card Number: 5163200000000008\n";

/// A case whose object was written again, as the input of the task.
async fn changed(fixture: &Fixture, name: &str, key: &str, job_id: Option<&str>) -> Result<Value> {
    fixture.s3.create_bucket().bucket(name).send().await?;
    let put = async |bytes: &[u8]| {
        let put = fixture.s3.put_object().bucket(name).key(key).body(bytes.to_vec().into()).send().await?;
        put.e_tag.context("a PUT answers with an ETag")
    };
    let object = ObjectVersion {
        account: fixture.sandbox.account().into(),
        bucket: name.into(),
        key: key.into(),
        version_id: None,
        etag: bare_etag(&put(b"what the finding was about").await?).into(),
    };
    let mut document = finding_document(fixture.sandbox.region(), name, "Financial", &object, 26);
    if let Some(job_id) = job_id {
        document["classificationDetails"]["jobId"] = json!(job_id);
        document["classificationDetails"]["originType"] = json!("SENSITIVE_DATA_DISCOVERY_JOB");
    }
    fixture.sandbox.macie().put_finding(document);
    let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": name}});
    let run = format!("arn:aws:states:us-east-1:{}:execution:cordon:{name}", fixture.sandbox.account());
    let triage = done(fixture, "triage_finding", &json!({"execution_arn": run, "event": event})).await?;
    put(CARD).await?;
    Ok(json!({"execution_arn": run, "case_id": triage["case_id"]}))
}

/// Does the task; gives back its answer and the job that it created.
async fn rescanned(fixture: &Fixture, input: &Value) -> Result<(Value, Value)> {
    let answer = done(fixture, "rescan_object", input).await?;
    let job = fixture.sandbox.macie().jobs().into_iter().find(|job| job["jobId"] == answer["job_id"]);
    let job = job.with_context(|| format!("there is no job of {answer}"))?;
    ensure!(job["clientToken"].as_str().is_some_and(|token| token.len() <= 64), "{job}");
    Ok((answer, job))
}

#[test]
fn a_rescan_looks_for_what_the_job_of_the_finding_looked_for() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let macie = aws_sdk_macie2::Client::new(&fixture.sandbox.sdk_config().await);
        fixture.sandbox.macie().put_own_identifiers(&["our-numbers", "our-tests"]);
        let bucket =
            S3BucketDefinitionForJob::builder().account_id(fixture.sandbox.account()).buckets("elsewhere");
        let job = macie
            .create_classification_job()
            .client_token("the job of the finding")
            .name("monthly")
            .job_type(JobType::OneTime)
            .managed_data_identifier_selector(ManagedDataIdentifierSelector::Include)
            .managed_data_identifier_ids("CREDIT_CARD_NUMBER")
            .custom_data_identifier_ids("our-numbers")
            .allow_list_ids("our-tests")
            .s3_job_definition(S3JobDefinition::builder().bucket_definitions(bucket.build()).build())
            .send()
            .await?;
        let input = changed(fixture, "rescan-as-the-job", "k", job.job_id()).await?;
        let (answer, rescan) = rescanned(fixture, &input).await?;
        ensure!(rescan["managedDataIdentifierSelector"] == "INCLUDE", "{rescan}");
        ensure!(rescan["managedDataIdentifierIds"] == json!(["CREDIT_CARD_NUMBER"]), "{rescan}");
        ensure!(rescan["customDataIdentifierIds"] == json!(["our-numbers"]), "{rescan}");
        ensure!(rescan["allowListIds"] == json!(["our-tests"]), "{rescan}");
        ensure!(answer["detail"].to_string().contains("what the job of the finding looked for"), "{answer}");

        let input = changed(fixture, "rescan-of-a-lost-job", "k", Some("0123456789abcdef")).await?;
        let (answer, rescan) = rescanned(fixture, &input).await?;
        ensure!(rescan["managedDataIdentifierSelector"] == "RECOMMENDED", "{rescan}");
        ensure!(answer["detail"].to_string().contains("what Macie recommends, because"), "{answer}");
        Ok(())
    })
}

#[test]
fn a_rescan_looks_for_what_automated_discovery_looks_for() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let macie = fixture.sandbox.macie();
        macie.put_own_identifiers(&["our-numbers", "our-tests"]);
        let (card, key) = ("CREDIT_CARD_NUMBER", "AWS_CREDENTIALS");
        for (n, template, selector, managed, custom) in [
            (0, None, "RECOMMENDED", Value::Null, Value::Null),
            (1, Some(json!({"includes": {}})), "RECOMMENDED", Value::Null, Value::Null),
            (
                2,
                Some(json!({
                    "includes": {"managedDataIdentifierIds": [card, key], "customDataIdentifierIds": ["our-numbers"],
                        "allowListIds": ["our-tests"]},
                    "excludes": {"managedDataIdentifierIds": [key]},
                })),
                "INCLUDE",
                json!([card]),
                json!(["our-numbers"]),
            ),
        ] {
            macie.set_inspection_template(template);
            let input = changed(fixture, &format!("rescan-automated-{n}"), "k", None).await?;
            let (_, rescan) = rescanned(fixture, &input).await?;
            ensure!(rescan["managedDataIdentifierSelector"] == selector, "{n}: {rescan}");
            ensure!(rescan["managedDataIdentifierIds"] == managed, "{n}: {rescan}");
            ensure!(rescan["customDataIdentifierIds"] == custom, "{n}: {rescan}");
        }
        macie.set_inspection_template(None);
        Ok(())
    })
}

#[test]
fn a_rescan_of_a_short_key_reads_the_object_and_no_other() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let bucket = "rescan-short-key";
        let input = changed(fixture, bucket, "a", None).await?;
        // Written just now too.
        let other = fixture.s3.put_object().bucket(bucket).key("another").body([CARD, CARD].concat().into());
        other.send().await?;
        let (_, job) = rescanned(fixture, &input).await?;
        eventually("the end of the job", async || {
            let jobs = fixture.sandbox.macie().jobs();
            let ended = |one: &&Value| one["jobId"] == job["jobId"] && one["jobStatus"] == "COMPLETE";
            Ok(jobs.iter().find(ended).map(|_| ()))
        })
        .await?;
        let findings = fixture.sandbox.macie().findings();
        let of_job = findings.iter().filter(|one| one["classificationDetails"]["jobId"] == job["jobId"]);
        let keys: Vec<_> = of_job.map(|one| &one["resourcesAffected"]["s3Object"]["key"]).collect();
        ensure!(keys == ["a"], "Macie found something in {keys:?}");

        fixture.s3.delete_object().bucket(bucket).key("a").send().await?;
        let gone = done(fixture, "rescan_object", &input).await?;
        ensure!(gone["job_id"].is_null() && gone["detail"].to_string().contains("gone"), "{gone}");
        Ok(())
    })
}

#[test]
fn an_object_that_cordon_may_not_see_is_scanned_with_what_was_written_since() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let bucket = "rescan-unseen";
        let input = changed(fixture, bucket, "k", None).await?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:GetObject",
            "Principal": {"AWS": fixture.settings["CORDON_MOVER_ROLE_ARN"]},
            "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
        fixture.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
        let (answer, job) = rescanned(fixture, &input).await?;
        ensure!(answer["detail"].to_string().contains("may not look at the object"), "{answer}");
        let terms = &job["s3JobDefinition"]["scoping"]["includes"]["and"];
        ensure!(terms[1]["simpleScopeTerm"]["comparator"] == "GTE" && terms[2].is_null(), "{terms}");
        Ok(())
    })
}

#[test]
fn rescans_that_come_faster_than_macie_takes_jobs_are_to_be_repeated() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let mut inputs = Vec::new();
        for n in 0..20 {
            inputs.push(changed(fixture, &format!("rescan-many-{n}"), "k", None).await?);
        }
        fixture.sandbox.macie().set_create_interval(Some(std::time::Duration::from_secs(3_600)));
        let first =
            join_all(inputs.iter().map(|input| fixture.worker.run_once("rescan_object", input.to_string())));
        let first = first.await;
        fixture.sandbox.macie().set_create_interval(None);
        let codes: Vec<_> = first.iter().filter_map(|result| result.as_ref().err()).collect();
        ensure!(codes.len() == 19, "{codes:?}");
        ensure!(codes.iter().all(|failure| failure.code == "Retryable"), "{codes:?}");
        for input in &inputs {
            rescanned(fixture, input).await?;
        }
        Ok(())
    })
}
