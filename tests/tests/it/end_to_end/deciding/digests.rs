//! Many cases in one message.

use super::*;

#[test]
fn a_burst_shares_one_message_that_is_turned_page_by_page_and_each_case_stays_its_own() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        // People are asked until they decide, for so many take longer to open than a round lasts.
        let bucket = env.bucket("expiry-asks-burst").await?;
        let mut runs = Vec::new();
        for n in 0..30 {
            let object = env.put(&bucket, &format!("card-{n}.txt"), &format!("5163200000000008 {n}")).await?;
            runs.push((env.respond("Financial", &object).await?, object));
        }
        for (run, _) in &runs {
            env.reaches(run, "AwaitDecision").await?;
        }
        let mut listed = Vec::new();
        for (run, object) in runs {
            if let Some(digest) = env.message_of(&object).await?.digest {
                listed.push((run, object, digest));
            }
        }
        // Two minutes at most, so ten or twenty have messages of their own.
        assert!((10..=20).contains(&listed.len()), "{}", listed.len());
        let (run, object, digest) = listed.last().context("a case that is listed")?;
        let shown = async || {
            let all = env.messages(&bucket);
            let digests = all.into_iter().filter(|message| message["metadata"].to_string().contains(digest));
            anyhow::Ok(<[Value; 1]>::try_from(digests.collect::<Vec<_>>()).ok().map(|[only]| only))
        };
        let button = format!("quarantine:{}", env.case(object).await?.approval.id);
        let message = eventually("the case in the digest", async || {
            let Some(message) = shown().await? else { return Ok(None) };
            if blocks(&message).contains(&button) {
                return Ok(Some(message));
            }
            // Its buttons are on a later page.
            if blocks(&message).contains("Next page") {
                // While everything is busy it may be answered with an error, and people click again.
                let _ = env.click(BOB, &message, "page:").await;
            }
            Ok(None)
        })
        .await?;
        assert_eq!(env.click(ALICE, &message, &button).await?, 200);
        env.succeeded(run).await?;
        assert!(!env.is_there(&bucket, &object.version.key).await?);
        eventually("the end in the digest", async || {
            Ok(shown().await?.filter(|message| blocks(message).contains("Quarantined.")))
        })
        .await?;
        let (other, _, _) = listed.first().context("another case")?;
        env.reaches(other, "AwaitDecision").await?;
        for (run, ..) in &listed[..listed.len() - 1] {
            env.sfn.stop_execution().execution_arn(run).send().await?;
        }
        Ok(())
    })
}

#[test]
fn a_case_that_only_a_digest_shows_expires_like_any_other() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("review-listed").await?;
        let mut runs = Vec::new();
        // More than a minute may pass, and each has ten with messages of their own.
        for n in 0..24 {
            let object = env.put(&bucket, &format!("card-{n}.txt"), &format!("5163200000000008 {n}")).await?;
            runs.push((env.respond("Financial", &object).await?, object));
        }
        let mut listed = 0;
        for (run, object) in &runs {
            env.succeeded(run).await?;
            listed += usize::from(env.message_of(object).await?.digest.is_some());
            assert_eq!(
                env.case(object).await?.outcome().context("an outcome")?.result,
                OutcomeResult::Expired
            );
        }
        assert!(listed > 0, "none was listed");
        Ok(())
    })
}
