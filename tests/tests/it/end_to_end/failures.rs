//! What becomes of a run when something of Cordon's own fails.

use std::time::Duration;

use anyhow::Result;
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use cordon_domain::case::{OutcomeResult, Status};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{ALICE, TestEnv, eventually, run_test};

/// More than are made while a test looks on.
const COPIES: u32 = 100;

#[test]
fn a_worker_that_is_killed_with_the_task_in_hand_is_followed_by_another() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("killed").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.sandbox.faults().inject(FaultRule {
            service: "s3".into(),
            operation: Some("CopyObject".into()),
            principal: Some("cordon-mover".into()),
            kind: Fault::Latency(Duration::from_secs(30)),
            times: COPIES,
        });
        let run = env.respond("Credentials", &object).await?;
        env.reaches(&run, "QuarantineObject").await?;
        // A call is on record when it has ended, which is too late here.
        eventually("the copy being under way", async || {
            Ok((env.sandbox.faults().left() < COPIES).then_some(()))
        })
        .await?;
        env.replace_worker().await?;
        env.sandbox.faults().clear();
        env.succeeded(&run).await?;
        let history = env.history(&run).await?;
        let timed_out = history.iter().any(|event| event.activity_timed_out_event_details.is_some());
        assert!(timed_out, "the heartbeat of the killed worker was missed: {:?}", env.states(&run).await?);
        assert!(!env.is_there(&bucket, "key.txt").await?);
        env.shows(&bucket, "Quarantined.").await?;
        assert_eq!(env.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_from_outside_closes_its_case() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("stopped").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        env.asked(&bucket).await?;
        env.sfn.stop_execution().execution_arn(&run).cause("stopped by hand").send().await?;
        let message = env.shows(&bucket, "ABORTED").await?;
        assert!(!message["blocks"].to_string().contains("quarantine:"), "the buttons are gone");
        let case = env.case(&object).await?;
        assert_eq!((case.status, case.outcome().unwrap().result), (Status::Closed, OutcomeResult::Failed));
        assert!(env.is_there(&bucket, "card.txt").await?);
        env.operator_notice(run.rsplit(':').next().unwrap()).await?;
        Ok(())
    })
}

#[test]
fn a_quarantine_bucket_that_is_gone_fails_the_run_with_a_sentence_and_leaves_the_object() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let policy = env.s3.get_bucket_policy().bucket(quarantine).send().await?.policy;
        let listed = env.s3.list_object_versions().bucket(quarantine).send().await?;
        for version in listed.versions() {
            env.s3
                .delete_object()
                .bucket(quarantine)
                .set_key(version.key.clone())
                .set_version_id(version.version_id.clone())
                .send()
                .await?;
        }
        env.s3.delete_bucket().bucket(quarantine).send().await?;
        let bucket = env.bucket("no-quarantine").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let run = env.respond("Credentials", &object).await?;
        let ended = env.ended(&run).await;
        env.s3.create_bucket().bucket(quarantine).send().await?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        env.s3.put_bucket_versioning().bucket(quarantine).versioning_configuration(enabled).send().await?;
        env.s3.put_bucket_policy().bucket(quarantine).set_policy(policy).send().await?;
        let ended = ended?;
        assert_eq!((ended.status.as_str(), ended.error()), ("FAILED", Some("RequestRejected")));
        let cause = ended.cause().unwrap_or_default();
        assert!(cause.contains(quarantine) && cause.contains("does not exist"), "{cause}");
        assert!(env.is_there(&bucket, "key.txt").await?);
        env.operator_notice(run.rsplit(':').next().unwrap()).await?;
        env.shows(&bucket, "does not exist").await?;
        Ok(())
    })
}

#[test]
fn each_failure_is_told_once_whether_its_state_machine_can_catch_it_or_not() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let machine = env.machine("access_finding_intake")?;
        let fail = async || {
            let start = env.sfn.start_execution().state_machine_arn(machine);
            let run = start.input("{}").send().await?.execution_arn;
            let ended = env.ended(&run).await?;
            anyhow::Ok((run, ended.error().unwrap_or_default().to_owned()))
        };
        let define = async |definition: &str| {
            env.sfn.update_state_machine().state_machine_arn(machine).definition(definition).send().await
        };
        let (told, error) = fail().await?;
        assert_eq!(error, "InvalidFinding");
        // A path that leads nowhere, as a mistake in a definition would.
        let definition = env.sfn.describe_state_machine().state_machine_arn(machine).send().await?.definition;
        define(&definition.replace("\"event.$\": \"$\"", "\"event.$\": \"$.missing\"")).await?;
        let failed = fail().await;
        define(&definition).await?;
        let (untold, error) = failed?;
        assert_eq!(error, "States.Runtime");
        let notice = env.operator_notice(&untold).await?;
        assert!(notice.contains("ExecutionFailed"), "{notice}");
        // The worker has looked at both.
        assert_eq!((env.notices_read(&told).len(), env.notices_read(&untold).len()), (1, 1));
        Ok(())
    })
}

#[test]
fn with_no_policy_that_can_be_used_a_person_decides() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let state = env.deployment.output("state_bucket")?;
        let good =
            env.s3.get_object().bucket(state).key("policy.json").send().await?.body.collect().await?.to_vec();
        let write = async |bytes: Vec<u8>| {
            env.s3.put_object().bucket(state).key("policy.json").body(ByteStream::from(bytes)).send().await
        };
        let bucket = env.bucket("no-policy").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        // More in a row than are passed over.
        for _ in 0..20 {
            write(b"{\"version\": 1, \"rules\": [{\"name\": \"cut sho".to_vec()).await?;
        }
        let run = env.respond("Credentials", &object).await;
        let message = env.asked(&bucket).await;
        write(good).await?;
        let message = message?;
        assert!(message["blocks"].to_string().contains("no policy"), "{message}");
        assert!(env.is_there(&bucket, "key.txt").await?);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run?).await
    })
}

#[test]
fn throttles_and_lost_connections_are_ridden_out() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("rough").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        for (service, operation, kind, times) in [
            ("macie2", "GetFindings", Fault::Throttle, 2),
            // More than the SDK's own attempts, and calls that a move alone makes: the state is tried again.
            ("s3", "GetBucketVersioning", Fault::Throttle, 7),
            ("dynamodb", "PutItem", Fault::InternalError, 2),
            ("s3", "CopyObject", Fault::Cut, 7),
            ("s3", "DeleteObject", Fault::InternalError, 2),
            ("events", "PutEvents", Fault::Throttle, 2),
        ] {
            env.sandbox.faults().inject(FaultRule {
                service: service.into(),
                operation: Some(operation.into()),
                principal: Some("cordon-".into()),
                kind,
                times,
            });
        }
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;
        let left = env.sandbox.faults().left();
        env.sandbox.faults().clear();
        assert_eq!(left, 0, "not every fault was met");
        let history = env.history(&run).await?;
        let failed = history.iter().filter(|event| event.activity_failed_event_details.is_some()).count();
        assert!(failed >= 2, "no state was tried again");
        assert!(!env.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn a_refusal_by_aws_ends_the_run_with_what_to_do_and_the_object_stays() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("denied").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": "s3:DeleteObject", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
        env.s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await?;
        let run = env.respond("Credentials", &object).await?;
        let ended = env.ended(&run).await?;
        assert_eq!(ended.error(), Some("AccessDenied"));
        assert!(
            ended.cause().unwrap_or_default().contains("Check the role's permissions"),
            "{:?}",
            ended.cause()
        );
        env.shows(&bucket, "Failed.").await?;
        env.operator_notice(&bucket).await?;
        assert!(env.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}
