//! Reports that Security Hub does not take, or takes only in part.

use super::*;

#[test]
fn security_hub_that_is_off_for_ten_cycles_costs_one_job() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let hub = fixture.sandbox.security_hub();
        shared(fixture, "hub-off").await?;
        let off = Off::of(hub);
        for n in 0..10 {
            let ended = cycle(fixture, &format!("hub-off-{n}"), "hub-off").await?;
            let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
            assert_eq!(code, "AccessDenied");
            if n == 9 {
                let at_once = cycle(fixture, "hub-off-at-once", "hub-off").await?;
                assert_eq!(jobs_about(fixture, "hub-off"), 1);
                assert!(at_once.is_empty(), "it is not tried again in the next cycle: {at_once:?}");
            }
            make_due(fixture, "hub-off").await?;
        }
        drop(off);
        assert_eq!(jobs_about(fixture, "hub-off"), 1);
        let ended = cycle(fixture, "hub-on", "hub-off").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(fixture, "hub-off").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(fixture, "hub-off"), 1);
        Ok(())
    })
}

#[test]
fn security_hub_that_does_not_answer_costs_one_job() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "hub-away").await?;
        for n in 0..3 {
            let name = format!("hub-away-{n}");
            for batch in plan(fixture, &name, "hub-away").await? {
                scan(fixture, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
                let input = json!({"batch": batch});
                let away = |call: &InterceptedCall| match call.service.as_str() {
                    "securityhub" => Intervention::Instead(Fault::Unavailable),
                    _ => Intervention::Pass,
                };
                let mut process = fixture.start_activity("report_exposures", &input, away).await?;
                let answer = process.answer().await?.context("nothing is held")?;
                assert_eq!(answer["error"], RETRYABLE, "{answer}");
            }
            let meanwhile = plan(fixture, &format!("{name}-other"), "hub-away").await?;
            assert!(meanwhile.is_empty(), "between two attempts another cycle has it: {meanwhile:?}");
            let bucket = record(fixture, "hub-away", "bucket").await?.context("a record")?;
            assert_eq!(bucket.get("report_failures"), None, "an attempt that is repeated counts for nothing");
            // Step Functions gives up, and the claim of this cycle expires.
            update(fixture, "hub-away", "bucket", "SET claimed_until = :past", &[(":past", long_ago())])
                .await?;
            make_due(fixture, "hub-away").await?;
        }
        let ended = cycle(fixture, "hub-back", "hub-away").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(fixture, "hub-away").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(fixture, "hub-away"), 1);
        Ok(())
    })
}

#[test]
fn a_finding_that_security_hub_refuses_costs_one_job_and_holds_up_no_other_bucket() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let hub = fixture.sandbox.security_hub();
        shared(fixture, "hub-refuses").await?;
        shared(fixture, "hub-takes").await?;
        hub.refuse_findings_about("arn:aws:s3:::hub-refuses", true);
        for n in 0..10 {
            let ended = cycle(fixture, &format!("hub-refuses-{n}"), "hub-refuses").await?;
            let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
            assert_eq!(code, "ImportRejected");
            assert_eq!(reported(fixture, "hub-takes").context("the other's")?["RecordState"], "ACTIVE");
            make_due(fixture, "hub-refuses").await?;
        }
        hub.refuse_findings_about("arn:aws:s3:::hub-refuses", false);
        let ended = cycle(fixture, "hub-relents", "hub-refuses").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(fixture, "hub-refuses").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(fixture, "hub-refuses"), 1);
        Ok(())
    })
}
