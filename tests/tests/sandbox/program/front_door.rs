//! That the front door changes nothing on the way, and lets in only who may.

use super::*;

#[test]
fn an_operation_that_a_double_lacks_is_refused_by_name() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let macie = aws_sdk_macie2::Client::new(&sandbox.sdk_config().await);
        let error = macie.list_allow_lists().send().await.err().context("it is lacking")?;
        assert_eq!(error.raw_response().map(|answer| answer.status().as_u16()), Some(501));
        let message = error.message().unwrap_or_default();
        assert!(message.contains("macie2") && message.contains("GET /allow-lists"), "{message}");
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn keys_with_odd_characters_survive_the_front_door() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = s3(&sandbox.sdk_config().await);
        root.create_bucket().bucket("odd").send().await?;
        // Session keys are verified, so a path that was changed on the way would also break the signature.
        let config = role(&sandbox, "odd-reader", &["s3:*"]).await?;
        let task = s3(&config);
        let keys = [
            "a/../b",
            "./a",
            "trailing/",
            "two//slashes",
            "/leading",
            "%2F and 100%",
            "plus+blank ",
            "ü 漢字 🙂",
            "q?x=1&y#z",
            "semi;colon:@,=$!'()*",
            "back\\slash",
            "..",
            "dir/..",
            "a/%2e%2e/b",
        ];
        for key in keys {
            let put =
                task.put_object().bucket("odd").key(key).body(ByteStream::from(key.as_bytes().to_vec()));
            put.send().await.with_context(|| format!("put {key:?}"))?;
        }
        let mut expected = keys.map(str::to_owned).to_vec();
        expected.sort();
        let listed = task.list_objects_v2().bucket("odd").send().await?;
        let mut listed: Vec<String> =
            listed.contents().iter().filter_map(|o| o.key()).map(str::to_owned).collect();
        listed.sort();
        assert_eq!(listed, expected);
        for key in keys {
            let got = task
                .get_object()
                .bucket("odd")
                .key(key)
                .send()
                .await
                .with_context(|| format!("get {key:?}"))?;
            assert_eq!(got.body.collect().await?.to_vec(), key.as_bytes(), "{key:?}");
        }
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn session_keys_are_verified_and_policies_enforced_for_emulator_and_doubles_alike() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = sandbox.sdk_config().await;
        s3(&root).create_bucket().bucket("guarded").send().await?;
        aws_sdk_macie2::Client::new(&root).enable_macie().send().await?;

        let config = role(&sandbox, "finder", &["macie2:ListFindings", "s3:ListBucket"]).await?;
        s3(&config).list_objects_v2().bucket("guarded").send().await?;
        let macie = aws_sdk_macie2::Client::new(&config);
        macie.list_findings().send().await?;

        let denied = macie.list_classification_jobs().send().await.err().context("not allowed")?;
        assert_eq!(denied.code(), Some("AccessDeniedException"));
        let denied =
            s3(&config).put_object().bucket("guarded").key("k").send().await.err().context("not allowed")?;
        assert_eq!(denied.code(), Some("AccessDenied"));

        let session = fetch_credentials(&sandbox.task_environment("finder")).await?;
        let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
        let forged =
            Credentials::new(text("AccessKeyId"), "not the secret", Some(text("Token")), None, "forged");
        let forged = with_keys(&sandbox, forged).await;
        let refused =
            aws_sdk_macie2::Client::new(&forged).list_findings().send().await.err().context("forged")?;
        assert_eq!(refused.code(), Some("InvalidSignatureException"));
        let refused = s3(&forged).list_objects_v2().bucket("guarded").send().await.err().context("forged")?;
        assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));

        let stranger =
            with_keys(&sandbox, Credentials::new("AKIAIOSFODNN7EXAMPLE", "x", None, None, "stranger")).await;
        let refused = aws_sdk_macie2::Client::new(&stranger)
            .list_findings()
            .send()
            .await
            .err()
            .context("unknown key")?;
        assert_eq!(refused.code(), Some("UnrecognizedClientException"));
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn container_credentials_are_for_the_holder_of_the_roles_token_only() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        role(&sandbox, "worker", &["s3:*"]).await?;
        role(&sandbox, "gateway", &["s3:*"]).await?;
        let environment = sandbox.task_environment("worker");
        let session = fetch_credentials(&environment).await?;
        assert_eq!(session["RoleArn"], "arn:aws:iam::111122223333:role/worker");
        assert!(session["AccessKeyId"].as_str().is_some_and(|key| key.starts_with("ASIA")), "{session}");
        assert!(session["Expiration"].as_str().is_some_and(|time| time.ends_with('Z')), "{session}");

        let of_worker = environment.iter().find(|(name, _)| name == "AWS_CONTAINER_AUTHORIZATION_TOKEN");
        let of_worker = of_worker.context("a token")?.1.clone();
        for (role, token, status) in [("gateway", of_worker, 403), ("worker", String::new(), 403)] {
            let url = format!("{}/_sandbox/credentials/{role}", sandbox.endpoint());
            assert_eq!(http()?.get(url).header("authorization", token).send().await?.status(), status);
        }
        assert!(fetch_credentials(&sandbox.task_environment("nobody")).await.is_err());
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn calls_are_recorded_with_operation_principal_and_status() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = sandbox.sdk_config().await;
        s3(&root).create_bucket().bucket("seen").send().await?;
        s3(&root).put_object().bucket("seen").key("from").send().await?;
        let config = role(&sandbox, "cordon-mover", &["s3:*", "states:*", "iam:ListRoles", "sts:*"]).await?;
        s3(&config).copy_object().copy_source("seen/from").bucket("seen").key("to").send().await?;
        aws_sdk_sfn::Client::new(&config).list_activities().send().await?;
        aws_sdk_iam::Client::new(&config).list_roles().send().await?;

        let by_mover = CallFilter { principal: Some("role/cordon-mover/".into()), ..CallFilter::default() };
        let seen = sandbox.calls().select(&by_mover);
        let seen: Vec<_> =
            seen.iter().map(|c| (c.service.as_str(), c.operation.as_str(), c.status)).collect();
        assert_eq!(
            seen,
            [("s3", "CopyObject", 200), ("states", "ListActivities", 200), ("iam", "ListRoles", 200)]
        );

        let url = format!("{}/_sandbox/calls?service=s3&operation=CreateBucket", sandbox.endpoint());
        let listed: Value = http()?.get(url).send().await?.json().await?;
        let call = &listed["calls"][0];
        assert_eq!((&call["path"], &call["access_key"]), (&json!("/seen/"), &json!("111122223333")));
        assert_eq!(call["principal"], Value::Null, "the root user has none");
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn faults_meet_the_calls_they_are_meant_for_in_the_services_own_form() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let once = aws_config::retry::RetryConfig::disabled();
        let root = sandbox.sdk_config().await.into_builder().retry_config(once).build();
        let (sfn, s3) = (aws_sdk_sfn::Client::new(&root), s3(&root));
        let fault = |service: &str, operation: &str, kind| FaultRule {
            service: service.into(),
            operation: Some(operation.into()),
            principal: None,
            kind,
            times: 1,
        };

        sandbox.faults().inject(fault("states", "ListActivities", Fault::Throttle));
        sfn.list_state_machines().send().await?;
        let error = sfn.list_activities().send().await.err().context("throttled")?;
        assert_eq!(error.code(), Some("ThrottlingException"));
        sfn.list_activities().send().await?;

        sandbox.faults().inject(fault("s3", "ListBuckets", Fault::InternalError));
        let error = s3.list_buckets().send().await.err().context("a server error")?;
        assert_eq!(error.code(), Some("InternalError"));

        sandbox.faults().inject(fault("s3", "ListBuckets", Fault::Cut));
        let error = s3.list_buckets().send().await.err().context("cut")?;
        assert!(error.raw_response().is_none(), "{error:?}");
        let cut = sandbox
            .calls()
            .select(&CallFilter { operation: Some("ListBuckets".into()), ..CallFilter::default() });
        assert_eq!(cut.last().map(|call| call.status), Some(0));

        // The same over HTTP, for a double.
        let faults = format!("{}/_sandbox/faults", sandbox.endpoint());
        let slow = json!({"service": "macie2", "kind": "latency", "latency_ms": 300, "times": 1});
        http()?.post(&faults).json(&slow).send().await?.error_for_status()?;
        let began = Instant::now();
        aws_sdk_macie2::Client::new(&root).enable_macie().send().await?;
        assert!(began.elapsed() >= Duration::from_millis(300));

        sandbox.faults().inject(fault("s3", "ListBuckets", Fault::Cut));
        http()?.delete(&faults).send().await?.error_for_status()?;
        s3.list_buckets().send().await?;
        let nonsense =
            http()?.post(&faults).json(&json!({"service": "s3", "kind": "rain", "times": 1})).send().await?;
        assert_eq!(nonsense.status(), 400);
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn a_poll_that_hangs_up_does_not_swallow_the_next_task() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        role(&sandbox, "m", &["states:*"]).await?;
        let sfn = aws_sdk_sfn::Client::new(&sandbox.sdk_config().await);
        let activity = sfn.create_activity().name("a").send().await?.activity_arn().to_owned();
        let definition =
            json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": true}}});
        let machine = sfn
            .create_state_machine()
            .name("m")
            .definition(definition.to_string())
            .role_arn("arn:aws:iam::111122223333:role/m")
            .send()
            .await?;

        let poll = tokio::spawn(sfn.get_activity_task().activity_arn(&activity).send());
        // The answer to another request on the way shows that the emulator is at work; the poll then waits there.
        sfn.list_activities().send().await?;
        poll.abort();
        let hung_up = CallFilter { operation: Some("GetActivityTask".into()), ..CallFilter::default() };
        let noticed = async || sandbox.calls().select(&hung_up).iter().any(|call| call.status == 499);
        let abandoned = poll.await.is_err_and(|error| error.is_cancelled());
        assert!(abandoned);
        until("the front door notices", noticed).await?;

        sfn.start_execution().state_machine_arn(machine.state_machine_arn()).input("{}").send().await?;
        let task = sfn.get_activity_task().activity_arn(&activity).send();
        let task =
            tokio::time::timeout(Duration::from_secs(10), task).await.context("the task was swallowed")??;
        assert!(task.task_token().is_some_and(|token| !token.is_empty()));
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn an_upload_that_waits_for_100_continue_is_taken() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        s3(&sandbox.sdk_config().await).create_bucket().bucket("waits").send().await?;
        let address = sandbox.endpoint().trim_start_matches("http://").to_owned();
        let status = tokio::task::spawn_blocking(move || -> Result<String> {
            use std::io::Write;
            let mut stream = std::net::TcpStream::connect(&address)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let scope = "111122223333/20260101/us-east-1/s3/aws4_request";
            write!(
                stream,
                "PUT /waits/k HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5\r\nExpect: 100-continue\r\nAuthorization: \
                 AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\nConnection: close\r\n\r\n"
            )?;
            let mut first = [0; 25];
            stream.read_exact(&mut first)?;
            ensure!(first.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&first));
            stream.write_all(b"hello")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.lines().next().unwrap_or_default().to_owned())
        });
        assert_eq!(status.await??, "HTTP/1.1 200 OK");
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn the_stock_aws_cli_works_for_every_service_used() -> Result<()> {
    with_sandbox(async {
        if Command::new("aws").arg("--version").output().is_err() {
            println!("SKIPPED: the aws CLI is not installed");
            return Ok(());
        }
        let sandbox = start_sandbox().await?;
        let commands = [
            "sts get-caller-identity",
            "s3 mb s3://by-cli",
            "s3api list-objects-v2 --bucket by-cli",
            "dynamodb list-tables",
            "stepfunctions list-state-machines",
            "events list-rules",
            "scheduler list-schedules",
            "sns list-topics",
            "secretsmanager list-secrets",
            "kms list-keys",
            "iam list-roles",
            "logs describe-log-groups",
            "cloudwatch describe-alarms",
            "macie2 enable-macie",
            "macie2 list-findings",
            "accessanalyzer list-analyzers",
            "securityhub enable-security-hub",
            "securityhub get-findings",
            // Version 1 knows no other way for this service.
            &format!("sqs list-queues --endpoint-url {}", sandbox.endpoint()),
        ];
        for command in commands {
            let mut aws = tokio::process::Command::new("aws");
            aws.args(command.split(' ')).envs(sandbox.environment()).env("AWS_PAGER", "");
            for unset in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"] {
                aws.env_remove(unset);
            }
            let output = aws.output().await?;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "aws {command}: {said}");
        }
        sandbox.stop().await;
        Ok(())
    })
}
