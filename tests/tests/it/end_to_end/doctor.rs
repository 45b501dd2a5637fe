//! `cordon doctor`: what it says of an installation that is well, and of what is not.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_macie2::types::{FindingPublishingFrequency, MacieStatus};
use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};
use cordon_sandbox::slack::{MethodFault, MethodFaultKind};
use cordon_tests::{
    CHANNEL, CommandOutput, TestEnv,
    operator::{self, as_administrator},
    run_test, start_sandbox,
};
use serde_json::{Value, json};

use super::policy::{read, under};

/// What the doctor says with the credentials of who deploys, and with these settings besides.
async fn administrator(
    env: &TestEnv,
    arguments: &[&str],
    settings: &[(&str, &str)],
) -> Result<CommandOutput> {
    let mut command = env.cordon_command(&[&["doctor"], arguments].concat())?;
    as_administrator(&mut command, &env.sandbox).await?;
    for (name, value) in settings {
        command.env(name, value);
    }
    Ok(CommandOutput::of(command.output().await?))
}

/// The worst status of each thing, and what was said of all of them.
fn statuses(said: &CommandOutput) -> Result<BTreeMap<String, String>> {
    let rank = |status: &str| ["ok", "warning", "unknown", "failed"].iter().position(|one| *one == status);
    let mut worst: BTreeMap<String, String> = BTreeMap::new();
    let report = said.json()?;
    for check in report["checks"].as_array().context("checks")? {
        let text = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
        ensure!(check["status"] == "ok" || !text("mend").is_empty(), "nothing to do about {check}");
        let known = worst.entry(text("name")).or_insert_with(|| "ok".into());
        if rank(&text("status")) > rank(known) {
            *known = text("status");
        }
    }
    Ok(worst)
}

/// Where a server says 200 to whatever it is asked; its URL.
fn answers_everything() -> Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}/", listener.local_addr()?);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let _ = answer(connection);
        }
    });
    Ok(url)
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    let _ = connection.read(&mut request)?;
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

#[test]
fn an_installation_that_is_well_is_told_so_and_what_is_not_is_named_with_its_mend() -> Result<()> {
    run_test(async {
        // It takes the app out of the channel, and others close channels.
        let (env, _alone) = TestEnv::alone().await?;
        let well = administrator(env, &["--json"], &[]).await?;
        let mut told = statuses(&well)?;
        told.remove("policy").context("the policy was looked at")?;
        let names = [
            "analyzer",
            "credentials",
            "event_rules",
            "gateway",
            "gateways",
            "macie",
            "other_installations",
            "protected_buckets",
            "security_hub",
            "slack_app",
            "slack_channel",
            "slack_scopes",
            "slack_secret",
            "slack_token",
            "workers",
        ];
        let expected: BTreeMap<_, _> = names.map(|name| (name.to_owned(), "ok".to_owned())).into();
        assert_eq!(told, expected, "{well:?}");
        assert_eq!(well.code, Some(0), "{well:?}");
        assert!(!well.out.contains(env.sandbox.slack().signing_secret()), "a secret is shown");

        let events = aws_sdk_eventbridge::Client::new(&env.sandbox.sdk_config().await);
        let off = events.put_rule().name("switched-off").event_pattern(r#"{"source": ["cordon"]}"#);
        off.state(RuleState::Disabled).send().await?;
        let says_yes = answers_everything()?;
        for (setting, value, name, says) in [
            (
                "CORDON_ANALYZER_ARN",
                "arn:aws:access-analyzer:us-east-1:444455556666:analyzer/cordon",
                "analyzer",
                "is of another account or Region",
            ),
            (
                "CORDON_ANALYZER_ARN",
                "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/another",
                "analyzer",
                "there is no analyzer",
            ),
            ("CORDON_CLUSTER", "elsewhere", "workers", ""),
            ("CORDON_EVENT_RULES", "cordon-macie-findings,no-such-rule", "event_rules", "are not there"),
            ("CORDON_EVENT_RULES", "cordon-macie-findings,switched-off", "event_rules", "are off"),
            ("CORDON_GATEWAY_URL", "http://127.0.0.1:9/", "gateway", "nobody answers at"),
            ("CORDON_GATEWAY_URL", "", "gateway", "nobody can click"),
            ("CORDON_GATEWAY_URL", env.sandbox.endpoint(), "gateway", "healthz answers 4"),
            ("CORDON_GATEWAY_URL", &says_yes, "gateway", "to what is not signed by Slack"),
            ("CORDON_SLACK_APP_ID", "A0ANOTHER1", "slack_app", ""),
            ("CORDON_SLACK_CHANNEL", "C0NOWHERE0", "slack_channel", ""),
            ("CORDON_SLACK_TEAM_ID", "T0ANOTHER1", "slack_token", ""),
        ] {
            let said = administrator(env, &["--json"], &[(setting, value)]).await?;
            assert_eq!(statuses(&said)?.get(name).map(String::as_str), Some("failed"), "{setting}: {said:?}");
            assert_eq!(said.code, Some(1), "{setting}: {said:?}");
            assert!(said.out.contains(says), "{setting} {says}: {said:?}");
        }
        events.delete_rule().name("switched-off").send().await?;
        let said = administrator(env, &["--json"], &[("CORDON_PROTECTED_BUCKETS", "")]).await?;
        assert_eq!(statuses(&said)?["protected_buckets"], "warning", "{said:?}");
        let slack = env.sandbox.slack();
        let told = async |name: &str| -> Result<Option<String>> {
            Ok(statuses(&administrator(env, &["--json"], &[]).await?)?.remove(name))
        };
        slack.set_shared(CHANNEL, true);
        assert_eq!(told("slack_channel").await?.as_deref(), Some("warning"));
        slack.set_shared(CHANNEL, false);
        slack.set_member(CHANNEL, false);
        assert_eq!(told("slack_channel").await?.as_deref(), Some("failed"));
        slack.set_member(CHANNEL, true);
        // Nothing but the doctor needs this one.
        slack.set_scope("channels:read", false);
        assert_eq!(told("slack_scopes").await?.as_deref(), Some("failed"));
        assert_eq!(told("slack_channel").await?.as_deref(), Some("unknown"));
        slack.set_scope("channels:read", true);
        let another = "research-macie-findings";
        events.put_rule().name(another).event_pattern(r#"{"source": ["aws.macie"]}"#).send().await?;
        let beside = told("other_installations").await;
        events.delete_rule().name(another).send().await?;
        assert_eq!(beside?.as_deref(), Some("warning"));

        // What is switched off, or slow.
        let root = env.sandbox.sdk_config().await;
        let macie = aws_sdk_macie2::Client::new(&root);
        let publish = async |frequency| {
            macie.update_macie_session().finding_publishing_frequency(frequency).send().await
        };
        publish(FindingPublishingFrequency::SixHours).await?;
        let slow = told("macie").await;
        publish(FindingPublishingFrequency::FifteenMinutes).await?;
        assert_eq!(slow?.as_deref(), Some("warning"));
        macie.update_macie_session().status(MacieStatus::Paused).send().await?;
        env.sandbox.security_hub().set_off(true);
        let said = administrator(env, &["--json"], &[]).await;
        macie.update_macie_session().status(MacieStatus::Enabled).send().await?;
        env.sandbox.security_hub().set_off(false);
        let said = said?;
        let told_of = statuses(&said)?;
        assert_eq!((&*told_of["macie"], &*told_of["security_hub"]), ("failed", "failed"), "{said:?}");
        assert!(said.out.contains("Macie is suspended"), "{said:?}");

        // What Slack refuses, and secrets that are not Slack's.
        slack.inject(MethodFault {
            method: Some("auth.test".into()),
            channel: None,
            kind: MethodFaultKind::Refused("token_revoked".into()),
            times: None,
        });
        let refused = told("slack_token").await;
        slack.clear_faults();
        assert_eq!(refused?.as_deref(), Some("failed"));
        let secrets = aws_sdk_secretsmanager::Client::new(&root);
        let other = json!({"bot_token": slack.bot_token(), "signing_secret": "another"}).to_string();
        let other = secrets.create_secret().name("another-app").secret_string(other).send().await?.arn;
        let other = other.context("a secret has an ARN")?;
        let missing =
            format!("arn:aws:secretsmanager:us-east-1:{}:secret:none-AbCdEf", env.sandbox.account());
        for (arn, name, says) in [
            (&other, "gateway", "refuses what is signed with the secret"),
            (&missing, "slack_secret", "secret"),
        ] {
            let said = administrator(env, &["--json"], &[("CORDON_SLACK_SECRET_ARN", arn)]).await?;
            assert_eq!(statuses(&said)?[name], "failed", "{said:?}");
            assert!(said.out.contains(says), "{says}: {said:?}");
        }

        // Policies that somebody has written past Terraform.
        let good = read(env).await?;
        let unusable = br#"{"version": 1, "rules": 7}"#;
        let said = under(env, unusable, administrator(env, &["--json"], &[])).await?;
        assert_eq!(statuses(&said)?["policy"], "failed", "{said:?}");
        assert!(said.out.contains("the newest policy cannot be used"), "{said:?}");
        let by_hand = under(env, &good, async {
            let put = env.s3.put_object().bucket(env.deployment.output("state_bucket")?).key("policy.json");
            put.body(good.clone().into()).send().await?;
            administrator(env, &["--json"], &[]).await
        });
        let said = by_hand.await?;
        assert_eq!(statuses(&said)?["policy"], "warning", "{said:?}");
        assert!(said.out.contains("was not written by Terraform"), "{said:?}");

        for elsewhere in [("CORDON_ACCOUNT_ID", "444455556666"), ("AWS_REGION", "eu-west-1")] {
            let said = administrator(env, &[], &[elsewhere]).await?;
            assert!(said.out.starts_with("FAILED   credentials"), "{said:?}");
            assert_eq!(said.out.lines().count(), 1, "nothing elsewhere is looked at: {said:?}");
        }
        Ok(())
    })
}

#[test]
fn what_an_operator_may_not_see_is_unknown_and_before_deployment_the_account_alone_is_looked_at() -> Result<()>
{
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let said = env.cordon(&["doctor", "--json"]).await?;
        let told = statuses(&said)?;
        let of = |status: &str| {
            told.iter().filter(|(_, one)| *one == status).map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!((of("failed"), of("unknown")), (vec![], vec!["gateway", "slack_secret"]), "{said:?}");
        assert_eq!((said.code, &said.json()?["status"]), (Some(3), &json!("unknown")), "{said:?}");

        // Nor is a policy that they may not read one that cannot be used.
        let elsewhere = env.bucket("doctor-policy").await?;
        let mut command = env.cordon_command(&["doctor", "--json"])?;
        command.env("CORDON_STATE_BUCKET", &elsewhere);
        let said = CommandOutput::of(command.output().await?);
        assert_eq!(statuses(&said)?.get("policy").map(String::as_str), Some("unknown"), "{said:?}");

        // Somebody who stops reading, as `grep -q` does, still gets the exit code.
        let mut command = env.cordon_command(&["doctor"])?;
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        drop(child.stdout.take());
        assert_eq!(child.wait().await?.code(), Some(3));

        let mut command = env.cordon_command(&["doctor"])?;
        let settings: Vec<_> = command.as_std().get_envs().map(|(name, _)| name.to_owned()).collect();
        for name in settings.iter().filter(|name| name.to_string_lossy().starts_with("CORDON_")) {
            command.env_remove(name);
        }
        let said = CommandOutput::of(command.output().await?);
        assert_eq!(said.code, Some(3), "{said:?}");
        let names: Vec<_> = said.out.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(names, ["credentials", "macie", "analyzer", "security_hub", "installation"], "{said:?}");
        Ok(())
    })
}

#[test]
fn an_account_where_nothing_is_on_is_told_what_to_turn_on() -> Result<()> {
    run_test(async {
        let sandbox = start_sandbox().await?;
        let mut command = operator::command(&sandbox, None, &["doctor", "--json"])?;
        as_administrator(&mut command, &sandbox).await?;
        let said = CommandOutput::of(command.output().await?);
        let told = statuses(&said)?;
        for (name, mend) in [
            ("macie", "aws macie2 enable-macie"),
            ("analyzer", "aws accessanalyzer create-analyzer"),
            ("security_hub", "aws securityhub enable-security-hub"),
        ] {
            assert_eq!(told[name], "failed", "{said:?}");
            assert!(said.out.contains(mend), "{mend}: {said:?}");
        }
        assert_eq!(said.code, Some(1), "{said:?}");
        sandbox.stop().await;
        Ok(())
    })
}

#[test]
fn buckets_that_cannot_be_acted_on_are_named_with_the_reason() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let denied = env.bucket("doctor-denied").await?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Keep", "Effect": "Deny", "Principal": "*",
            "Action": "s3:DeleteObject*", "Resource": format!("arn:aws:s3:::{denied}/*"),
            "Condition": {"StringEquals": {"aws:PrincipalTag/never": "set"}}}]});
        env.s3.put_bucket_policy().bucket(&denied).policy(policy.to_string()).send().await?;
        let locked = format!("{denied}-locked");
        env.s3.create_bucket().bucket(&locked).object_lock_enabled_for_bucket(true).send().await?;
        let kept = DefaultRetention::builder().mode(ObjectLockRetentionMode::Compliance).days(30).build();
        let lock = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(ObjectLockRule::builder().default_retention(kept).build())
            .build();
        env.s3.put_object_lock_configuration().bucket(&locked).object_lock_configuration(lock).send().await?;

        let kms = aws_sdk_kms::Client::new(&env.root);
        let account = env.sandbox.account();
        let app = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:role/app")}});
        let administers = json!({"Effect": "Allow", "Action": ["kms:Describe*", "kms:Get*", "kms:Put*"], "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}});
        let under_key = async |stem: &str, statements: Value| -> Result<(String, String)> {
            let bucket = env.bucket(stem).await?;
            let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
            let key = kms.create_key().policy(policy).send().await?.key_metadata.context("a key")?;
            let by_default = ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::AwsKms)
                .kms_master_key_id(key.arn.context("an ARN")?)
                .build()?;
            let rule =
                ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default);
            let rules = ServerSideEncryptionConfiguration::builder().rules(rule.build()).build()?;
            let put = env.s3.put_bucket_encryption().bucket(&bucket);
            put.server_side_encryption_configuration(rules).send().await?;
            Ok((bucket, key.key_id))
        };
        let (closed, key) = under_key("doctor-closed", json!([app, administers])).await?;
        // As AWS answers about a key that names nobody but its user.
        let (hidden, _) = under_key("doctor-hidden", json!([app])).await?;

        let said = administrator(env, &["--buckets", "--json"], &[]).await?;
        let report = said.json()?;
        let checks = report["checks"].as_array().context("checks")?;
        let why = |bucket: &str| {
            let about = checks.iter().find(|check| check["name"] == "buckets" && check["what"] == bucket);
            about.and_then(|check| check["mend"].as_str()).unwrap_or_default().to_owned()
        };
        assert!(why(&denied).contains("statement Keep of its bucket policy may deny"), "{said:?}");
        assert!(
            why(&closed).contains("whose policy leaves its use neither to IAM nor to Cordon"),
            "{said:?}"
        );
        assert!(why(&hidden).contains("which may not be looked at"), "{said:?}");
        kms.disable_key().key_id(&key).send().await?;
        let said_later = administrator(env, &["--buckets", "--json"], &[]).await?;
        assert!(said_later.out.contains("whose state is Disabled"), "{said_later:?}");
        assert!(why(&locked).contains("Object Lock keeps each new version for 30 days"), "{said:?}");
        let summed_up = |check: &Value| {
            check["name"] == "buckets"
                && check["what"].as_str().is_some_and(|what| what.contains("were examined"))
        };
        assert!(checks.iter().any(summed_up), "{said:?}");
        Ok(())
    })
}
