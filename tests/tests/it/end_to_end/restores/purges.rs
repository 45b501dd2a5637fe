//! What is in quarantine: listed, shown and purged.

use super::*;

#[test]
fn what_is_in_quarantine_is_listed_shown_and_purged_and_no_key_steers_the_terminal() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("kept").await?;
        let key = "a\u{1b}[2J\u{202e}\u{9b}b.txt";
        let (object, case_id) = quarantined(env, &bucket, key, "the secret").await?;
        let (_, other) = quarantined(env, &bucket, "other.txt", "another secret").await?;

        let list = async |more: &[&str]| {
            env.cordon(&[&["quarantine", "list", "--bucket", "kept-*"], more].concat()).await
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
        let nothing = env.cordon(&["quarantine", "list", "--bucket", "no-such-*", "--json"]).await?;
        assert_eq!((nothing.code, nothing.json()?), (Some(0), json!([])));

        let said = env.cordon(&["quarantine", "show", &case_id]).await?;
        for says in ["Macie", "in quarantine", "checksum agree", r"a\u{1b}[2J"] {
            let says = if says == "Macie" { env.case(&object).await?.finding.id } else { says.to_owned() };
            assert!(said.out.contains(&says), "{says} is not in {said:?}");
        }
        let shown = env.cordon(&["quarantine", "show", &case_id, "--json"]).await?;
        let case = env.case(&object).await?;
        assert_eq!(shown.json()?["manifest"]["entries"][0]["source"]["key"], key);
        assert!(!shown.out.contains(&case.approval.id), "the name of the buttons is no one's business");

        let purge = ["quarantine", "purge", &case_id, "--reason", "GDPR-17"];
        let unsure = env.cordon(&purge).await?;
        assert_eq!(unsure.code, Some(1), "{unsure:?}");
        assert!(unsure.err.contains("--yes"), "{unsure:?}");
        assert_eq!(copies(env, &case_id, &bucket).await?.len(), 2);
        let said = env.cordon(&[&purge[..], &["--yes", "--json"]].concat()).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!((&said.json()?[0]["result"], &said.json()?[0]["versions"]), (&json!("purged"), &json!(1)));
        assert_eq!(copies(env, &case_id, &bucket).await?, ["1/manifest.json"], "the evidence stays");
        let message = env.shows(&bucket, "was deleted from quarantine").await?;
        assert!(message["blocks"].to_string().contains("GDPR-17"), "{message}");

        let said = restore(env, &case_id, &["--json"]).await?;
        assert_eq!((said.code, &said.json()?[0]["code"]), (Some(1), &json!("Purged")), "{said:?}");
        assert!(said.json()?[0]["detail"].as_str().unwrap_or_default().contains("GDPR-17"), "{said:?}");
        let again = env.cordon(&[&purge[..], &["--yes"]].concat()).await?;
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.out.contains("deleted before"), "{again:?}");
        let said = list(&[]).await?;
        assert!(
            said.out.lines().any(|line| line.starts_with(&case_id) && line.contains("  purged")),
            "{said:?}"
        );
        assert_eq!(copies(env, &other, &bucket).await?.len(), 2, "the other case is untouched");
        Ok(())
    })
}

#[test]
fn a_purge_that_broke_off_is_finished_by_the_same_command() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("half-purged").await?;
        let (object, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        let purge = Purge {
            requested_by: "arn:aws:iam::111122223333:user/olivia".into(),
            reason: "GDPR-18".into(),
            requested_at: clock::now(),
            done_at: None,
        };
        let case: Case = env.case(&object).await?;
        env.cases()?.request_purge(&case, &purge).await?.context("it is recorded")?;
        let said = restore(env, &case_id, &[]).await?;
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.out.contains("is being deleted from quarantine"), "{said:?}");
        let said = env.cordon(&["quarantine", "purge", &case_id, "--reason", "GDPR-18", "--yes"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(copies(env, &case_id, &bucket).await?, ["1/manifest.json"]);
        assert!(env.case(&object).await?.quarantine.purge.is_some_and(|purge| purge.done_at.is_some()));
        Ok(())
    })
}

#[test]
fn a_person_who_is_no_purger_purges_nothing_and_blocks_nothing() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("not-purged").await?;
        let (object, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        let purge = ["quarantine", "purge", &case_id, "--reason", "r", "--yes"];
        let mut command = env.cordon_command(&purge)?;
        let unset = CommandOutput::of(command.env_remove("CORDON_PURGER_ROLE_ARN").output().await?);
        assert_eq!(unset.code, Some(1), "{unset:?}");
        assert!(unset.err.contains("Terraform's `purgers`"), "{unset:?}");
        let mut command = env.cordon_command(&purge)?;
        let another = format!("arn:aws:iam::{}:role/cordon-mover", env.sandbox.account());
        let refused = CommandOutput::of(command.env("CORDON_PURGER_ROLE_ARN", another).output().await?);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.out.contains("Terraform's `purgers` names who may"), "{refused:?}");
        assert_eq!(env.case(&object).await?.quarantine.purge, None, "it can be put back still");
        assert_eq!(copies(env, &case_id, &bucket).await?.len(), 2);
        Ok(())
    })
}

#[test]
fn who_may_send_to_every_queue_of_the_account_asks_for_no_purge() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let iam = aws_sdk_iam::Client::new(&env.root);
        let account = env.sandbox.account();
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}}]});
        iam.create_role().role_name("power").assume_role_policy_document(trust.to_string()).send().await?;
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*",
            "Resource": "*"}]});
        let put =
            iam.put_role_policy().role_name("power").policy_name("all").policy_document(all.to_string());
        put.send().await?;
        let sqs = aws_sdk_sqs::Client::new(&signed_as(&env.root, account, "power").await?);
        let send = async |name: &str| -> Result<bool> {
            let url = env.setting("worker", name).await?;
            Ok(sqs.send_message().queue_url(url).message_body("{}").send().await.is_ok())
        };
        assert!(!send("CORDON_PURGES_QUEUE_URL").await?, "it may ask for purges");
        assert!(send("CORDON_APPROVALS_QUEUE_URL").await?, "the role works");
        Ok(())
    })
}
