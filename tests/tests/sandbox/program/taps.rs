//! What stands between one process and the front door.

use super::*;

/// SDK settings of a process with this role behind a proxy; no call is repeated.
async fn behind(proxy: &InterceptingProxy, sandbox: &Sandbox, role: &str) -> Result<SdkConfig> {
    let environment = proxy.environment(role);
    let session = fetch_credentials(&environment).await?;
    let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let keys =
        Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")), None, "proxy");
    let endpoint = environment.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").context("an endpoint")?;
    let builder = with_keys(sandbox, keys).await.into_builder().endpoint_url(&endpoint.1);
    Ok(builder.retry_config(aws_config::retry::RetryConfig::disabled()).build())
}

#[test]
fn a_proxy_counts_the_calls_of_its_process_and_holds_one_before_or_after_it_is_carried_out() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = s3(&sandbox.sdk_config().await);
        role(&sandbox, "intercepted", &["s3:*"]).await?;
        for (intervention, bucket, exists) in [
            (Intervention::Instead(Fault::Hang), "held-before", false),
            (Intervention::After(Fault::Hang), "held-after", true),
        ] {
            let proxy = sandbox
                .intercept(move |call| if call.n == 2 { intervention } else { Intervention::Pass })
                .await?;
            let process = s3(&behind(&proxy, &sandbox, "intercepted").await?);
            process.list_buckets().send().await?;
            root.list_buckets().send().await?;
            let create = tokio::spawn(process.create_bucket().bucket(bucket).send());
            tokio::time::timeout(Duration::from_secs(10), proxy.held()).await.context("nothing was held")?;
            create.abort();
            assert_eq!(root.head_bucket().bucket(bucket).send().await.is_ok(), exists);
            let call = |n, operation: &str| InterceptedCall {
                n,
                service: "s3".into(),
                operation: operation.into(),
                alone: true,
            };
            let expected =
                [(call(1, "ListBuckets"), Intervention::Pass), (call(2, "CreateBucket"), intervention)];
            assert_eq!(proxy.calls(), expected);
        }
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn a_late_call_waits_to_be_released_and_a_call_that_comes_meanwhile_is_not_alone() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = s3(&sandbox.sdk_config().await);
        role(&sandbox, "late", &["s3:*"]).await?;
        let proxy = sandbox
            .intercept(
                |call| if call.operation == "CreateBucket" { Intervention::Hold } else { Intervention::Pass },
            )
            .await?;
        let process = s3(&behind(&proxy, &sandbox, "late").await?);
        let create = tokio::spawn(process.create_bucket().bucket("late").send());
        tokio::time::timeout(Duration::from_secs(10), proxy.held()).await.context("nothing was held")?;
        process.list_buckets().send().await?;
        assert!(root.head_bucket().bucket("late").send().await.is_err(), "it is not carried out before");
        proxy.release();
        create.await??;
        process.head_bucket().bucket("late").send().await?;
        let calls: Vec<_> =
            proxy.calls().into_iter().map(|(call, _)| (call.operation, call.alone, call.n)).collect();
        let expected = [("CreateBucket", true, 1), ("ListBuckets", false, 2), ("HeadBucket", true, 3)];
        assert_eq!(calls, expected.map(|(operation, alone, n)| (operation.to_owned(), alone, n)));
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn what_a_proxy_does_to_a_call_looks_as_it_does_on_aws() -> Result<()> {
    with_sandbox(async {
        let sandbox = start_sandbox().await?;
        let root = s3(&sandbox.sdk_config().await);
        root.create_bucket().bucket("copies").send().await?;
        root.put_object().bucket("copies").key("from").send().await?;
        role(&sandbox, "copier", &["s3:*"]).await?;

        let copy =
            InterceptedCall { n: 1, service: "s3".into(), operation: "CopyObject".into(), alone: true };
        let faults = copy.faults();
        assert!(faults.contains(&Intervention::After(Fault::ErrorInOk)));
        for (n, fault) in faults.into_iter().enumerate() {
            let proxy = sandbox.intercept(move |_| fault).await?;
            let process = s3(&behind(&proxy, &sandbox, "copier").await?);
            let key = format!("to-{n}");
            let call =
                process.copy_object().copy_source("copies/from").bucket("copies").key(&key).send().await;
            let error = call.err().with_context(|| format!("{fault:?} is an error"))?;
            let (Intervention::Instead(ending) | Intervention::After(ending)) = fault else {
                bail!("{fault:?}")
            };
            let code = match ending {
                Fault::Hang | Fault::Cut | Fault::Latency(_) => None,
                Fault::Throttle => Some("SlowDown"),
                Fault::InternalError | Fault::ErrorInOk => Some("InternalError"),
                Fault::Unavailable => Some("ServiceUnavailable"),
                Fault::RequestTimeout => Some("RequestTimeout"),
                Fault::ExpiredToken => Some("ExpiredToken"),
                Fault::PackedPolicyTooLarge { .. } => bail!("{fault:?} is no fault of S3"),
            };
            assert_eq!(error.code(), code, "{fault:?}: {error:?}");
            let exists = root.head_object().bucket("copies").key(&key).send().await.is_ok();
            assert_eq!(exists, matches!(fault, Intervention::After(_)), "{fault:?}");
        }

        let proxy = sandbox.intercept(|_| Intervention::Instead(Fault::Throttle)).await?;
        let sts = aws_sdk_sts::Client::new(&behind(&proxy, &sandbox, "copier").await?);
        let error = sts.get_caller_identity().send().await.err().context("throttled")?;
        assert_eq!(error.code(), Some("Throttling"));
        sandbox.stop().await;
        Ok(())
    })
}
