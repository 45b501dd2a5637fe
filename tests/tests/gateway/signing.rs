//! Signatures that others than we have made.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use cordon::slack::signature::verify;
use cordon_tests::{
    clicks::{GatewayEnv, click, form},
    run_test,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documented() -> Result<Value> {
    let text = std::fs::read_to_string(directory().join("fixtures/slack-documented-vector.json"))?;
    Ok(serde_json::from_str(&text)?)
}

#[test]
fn the_request_that_slack_documents_is_accepted_and_no_other() -> Result<()> {
    let vector = documented()?;
    let member = |name: &str| vector[name].as_str().context("a text");
    let (timestamp, signature, body) = (member("timestamp")?, member("signature")?, member("body")?);
    let secrets = [member("signing_secret")?.into()];
    let check = |body: &str| {
        let now = timestamp.parse::<i64>()? + 10;
        anyhow::Ok(verify(&secrets, now, Some(timestamp), Some(signature), body.as_bytes()).is_ok())
    };
    ensure!(check(body)?);
    ensure!(!check(&body.replace("roadrunner", "coyote"))?);
    Ok(())
}

#[test]
fn what_slacks_own_library_signs_is_accepted_and_what_is_altered_then_is_not() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let python: PathBuf = env.sandbox.python(&directory().join("python/requirements.txt")).await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = env.open(2).await?;
        let task = json!({
            "url": format!("{}/slack/interactions", gateway.url),
            "signing_secret": env.sandbox.slack().signing_secret(),
            "body": form(&click(&case[0])),
            "other_body": form(&click(&case[1])),
            "documented": documented()?,
        });
        let mut signs = Command::new(python)
            .arg(directory().join("python/signs.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        signs.stdin.take().context("a pipe")?.write_all(task.to_string().as_bytes()).await?;
        let output = signs.wait_with_output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let answers: Value = serde_json::from_slice(&output.stdout)?;
        let expected = json!({
            "slack_sdk accepts what Slack documents": true,
            "as signed": 200,
            "signed again": 200,
            "another body": 401,
            "another time": 401,
            "another secret": 401,
            "another version": 401,
            "an old signature": 401,
        });
        ensure!(answers == expected, "{answers}");
        ensure!(env.votes(&case).await? == [1, 0]);
        Ok(())
    })
}
