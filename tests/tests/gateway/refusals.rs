//! What is refused, and what the log of the process says about it.

use anyhow::{Context, Result, ensure};
use cordon_tests::{
    clicks::{GatewayEnv, click, form, slack_secret},
    eventually, run_test,
};
use serde_json::{Value, json};

const MARK: &str = "a-mark-that-only-the-body-holds";

#[test]
fn what_no_button_of_ours_sends_is_refused_and_logged_without_secrets() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let mut gateway = env.gateway(None, &[]).await?;
        let case = env.open(1).await?;
        env.wait_for(&case).await?;
        let case = env.cases.get(&case[0].case_id).await?.context("the case is there")?;
        let tampered = |change: &dyn Fn(&mut Value)| {
            let mut payload = click(&case);
            payload["response_url"] = json!(MARK);
            change(&mut payload);
            form(&payload)
        };
        let to_refuse: [(&str, &[u16], String); 9] = [
            (
                "an unknown action",
                &[400],
                tampered(&|click| click["actions"][0]["action_id"] = json!("delete:1")),
            ),
            ("another workspace", &[400], tampered(&|click| click["user"]["team_id"] = json!("T0STRANGER"))),
            ("another app", &[400], tampered(&|click| click["api_app_id"] = json!("A0ANOTHER1"))),
            ("another app", &[400], tampered(&|click| click["api_app_id"] = json!(null))),
            ("another channel", &[400], tampered(&|click| click["channel"]["id"] = json!("C0ELSEWHERE"))),
            (
                "an unknown case",
                &[400],
                tampered(&|click| {
                    click["actions"][0]["value"] =
                        json!(format!("{}:{}", "0".repeat(64), case.approval.plan_hash));
                }),
            ),
            // Both are what an outdated message sends, so the person may be told.
            (
                &case.case_id,
                &[200, 400],
                tampered(&|click| click["actions"][0]["action_id"] = json!("quarantine:0")),
            ),
            (
                &case.case_id,
                &[200, 400],
                tampered(&|click| {
                    click["actions"][0]["value"] = json!(format!("{}:{}", case.case_id, "0".repeat(64)));
                }),
            ),
            ("another shape", &[400], form(&json!({"type": MARK}))),
        ];
        let mut logged = 0;
        for (reason, statuses, body) in &to_refuse {
            let answer = env.send(&gateway.url, body).await;
            ensure!(statuses.contains(&answer.status), "{reason}: {answer:?}");
            let log = std::fs::read_to_string(gateway.process.log())?;
            let new: Vec<&str> = log.lines().skip(logged).collect();
            ensure!(new.iter().any(|line| line.contains(reason)), "no line about {reason} in {new:?}");
            logged += new.len();
        }
        let genuine = form(&click(&case));
        let http = reqwest::Client::builder().no_proxy().build()?;
        let now = jiff::Timestamp::now().as_second();
        let late = now - 400;
        for (timestamp, signature) in [
            (now, "v0=0123456789abcdef".to_owned()),
            (now + 1, env.sandbox.slack().sign(now, genuine.as_bytes())),
            (late, env.sandbox.slack().sign(late, genuine.as_bytes())),
        ] {
            let request = http
                .post(format!("{}/slack/interactions", gateway.url))
                .header("x-slack-request-timestamp", timestamp)
                .header("x-slack-signature", &signature)
                .body(genuine.clone());
            ensure!(request.send().await?.status() == 401);
            let log = std::fs::read_to_string(gateway.process.log())?;
            ensure!(!log.contains(&signature), "a signature is in the log");
        }
        ensure!(gateway.process.terminate().await?.success());
        let log = std::fs::read_to_string(gateway.process.log())?;
        for reason in ["the signature does not match", "the time stamp is out of the window"] {
            ensure!(log.contains(reason), "{reason} is not in the log");
        }
        let token = case.waits.task_token.as_deref().context("a token")?;
        let slack = env.sandbox.slack();
        for secret in [slack.signing_secret(), slack.bot_token(), token, MARK, "payload="] {
            ensure!(!log.contains(secret), "{secret:?} is in the log");
        }
        let after = env.cases.get(&case.case_id).await?.context("the case is there")?;
        ensure!(
            after.approval.votes.is_empty()
                && after.approval.decided.is_none()
                && after.approval.snooze.is_none()
        );
        Ok(())
    })
}

#[test]
fn a_body_that_is_too_large_is_refused_and_the_largest_is_not() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        for (bytes, status) in [(256 * 1024, 400), (256 * 1024 + 1, 413), (1 << 20, 413)] {
            let answer = env.send(&gateway.url, &"x".repeat(bytes)).await;
            ensure!(answer.status == status, "{bytes} bytes: {answer:?}");
        }
        Ok(())
    })
}

#[test]
fn while_the_signing_secret_is_replaced_both_are_taken_and_afterwards_one() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let right = slack_secret(&env.sandbox);
        let (slacks, another) = (&right["signing_secret"], json!("another-secret"));
        let value = |current: &Value, previous: Option<&Value>| json!({"bot_token": right["bot_token"], "signing_secret": current, "previous_signing_secret": previous});
        for (secret, status) in [
            (value(&another, Some(slacks)), 200),
            (value(slacks, Some(&another)), 200),
            (value(slacks, Some(&json!(""))), 200),
            (value(&another, None), 401),
        ] {
            env.put_slack_secret(&secret).await?;
            let gateway = env.gateway(None, &[]).await?;
            let case = env.open(1).await?;
            let answer = env.click(&gateway.url, &case[0]).await;
            ensure!(answer.status == status, "{answer:?}");
            ensure!(env.votes(&case).await? == [usize::from(status == 200)]);
            if status == 401 {
                // Without a restart.
                env.put_slack_secret(&right).await?;
                eventually("the new secret", async || {
                    Ok((env.click(&gateway.url, &case[0]).await.status == 200).then_some(()))
                })
                .await?;
            }
        }
        Ok(())
    })
}

#[test]
fn without_a_secret_clicks_are_refused_until_it_is_put_and_the_health_check_says_so() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let right = slack_secret(&env.sandbox);
        env.put_slack_secret(&json!({"bot_token": right["bot_token"]})).await?;
        let gateway = env.started_gateway(None, &[]).await?;
        let case = env.open(1).await?;
        eventually("an answer", async || {
            Ok((env.click(&gateway.url, &case[0]).await.status == 503).then_some(()))
        })
        .await?;
        ensure!(env.get(&gateway, "/livez").await?.0 == 200, "no restart would help");
        let (status, told) = env.get(&gateway, "/healthz").await?;
        ensure!(status == 503 && told == "Slack's secret cannot be read\n", "{status} {told}");
        let log = gateway.process.end_of_log();
        ensure!(
            log.contains("put-secret-value") && !log.contains(right["bot_token"].as_str().unwrap_or("?")),
            "{log}"
        );
        env.put_slack_secret(&right).await?;
        eventually("the secret", async || {
            Ok((env.click(&gateway.url, &case[0]).await.status == 200).then_some(()))
        })
        .await?;
        ensure!(env.votes(&case).await? == [1]);
        Ok(())
    })
}

#[test]
fn a_look_at_the_certificate_is_answered() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("{}/slack/interactions", gateway.url);
        for body in ["ssl_check=1", "token=x&ssl_check=1"] {
            ensure!(http.post(&url).body(body).send().await?.status() == 200, "unsigned");
            ensure!(env.send(&gateway.url, body).await.status == 200, "signed");
        }
        ensure!(http.post(&url).body("ssl_check=0").send().await?.status() == 401);
        Ok(())
    })
}
