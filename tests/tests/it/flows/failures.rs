//! How a flow ends when a part of it fails.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::harness::{Flow, HASTY, in_bare_sandbox};

/// Status, error and cause of a run that has ended.
async fn ended(flow: &Flow, run: &str) -> Result<(String, Option<String>, Option<String>)> {
    let end = flow.end(run).await?;
    Ok((end.status.as_str().to_owned(), end.error, end.cause))
}

fn failed(error: &str, cause: &str) -> (String, Option<String>, Option<String>) {
    ("FAILED".into(), Some(error.into()), Some(cause.into()))
}

/// The flows that end with a report, and how each comes to it: with its move failed, or done.
const REPORTING: [(&str, &str); 2] =
    [("finding_response", "quarantine_object"), ("object_restore", "restore_object")];

/// Starts a flow that comes to its move.
async fn started(flow: &Flow, stem: &str) -> Result<String> {
    let run = flow.start(json!({"case_id": "c", "request_id": "r", "approval": "approval#c"})).await?;
    if stem == "finding_response" {
        flow.does(
            "triage_finding",
            json!({"disposition": "quarantine", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
    }
    Ok(run)
}

#[test]
fn a_report_that_fails_leaves_the_first_error_and_both_are_told() -> Result<()> {
    in_bare_sandbox(async {
        for (stem, moves) in REPORTING {
            let flow = Flow::new(HASTY, stem).await?;
            let run = started(&flow, stem).await?;
            flow.fails(moves, "AccessDenied", "The first failure.").await?;
            let input = flow.fails("report_outcome", "RequestRejected", "The second failure.").await?;
            ensure!(input["run"]["error"]["Error"] == "AccessDenied", "{input}");
            assert_eq!(ended(&flow, &run).await?, failed("AccessDenied", "The first failure."), "{stem}");
            let notice = flow.notice().await?.to_string();
            for says in ["AccessDenied", "The first failure.", "RequestRejected", "The second failure.", &run]
            {
                assert!(notice.contains(says), "{says:?} is not told by {stem}: {notice}");
            }
        }
        Ok(())
    })
}

#[test]
fn a_report_that_fails_alone_is_what_the_run_fails_with() -> Result<()> {
    in_bare_sandbox(async {
        for (stem, moves) in REPORTING {
            let flow = Flow::new(HASTY, stem).await?;
            let run = started(&flow, stem).await?;
            flow.does(moves, json!({"result": "quarantined"})).await?;
            flow.fails("report_outcome", "RequestRejected", "The record was refused.").await?;
            assert_eq!(
                ended(&flow, &run).await?,
                failed("RequestRejected", "The record was refused."),
                "{stem}"
            );
            let notice = flow.notice().await?.to_string();
            assert!(
                notice.contains("The record was refused.") && notice.contains("not recorded"),
                "{notice}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_failed_outcome_never_ends_green() -> Result<()> {
    in_bare_sandbox(async {
        for (stem, moves) in REPORTING {
            let flow = Flow::new(HASTY, stem).await?;
            let run = started(&flow, stem).await?;
            flow.does(moves, json!({"result": "something new"})).await?;
            let report = json!({"outcome": "failed", "detail": "An unexpected result.",
                "failure": {"Error": "Unknown", "Cause": "An unexpected result."}});
            flow.does("report_outcome", report).await?;
            assert_eq!(ended(&flow, &run).await?, failed("Unknown", "An unexpected result."), "{stem}");
            let notice = flow.notice().await?;
            assert_eq!(
                (&notice["code"], &notice["why"]),
                (&json!("Unknown"), &json!("An unexpected result."))
            );
        }
        Ok(())
    })
}

/// As from a worker that is older than its state machine.
#[test]
fn an_error_ends_red_whatever_the_report_says() -> Result<()> {
    in_bare_sandbox(async {
        for (stem, moves) in REPORTING {
            let flow = Flow::new(HASTY, stem).await?;
            let run = started(&flow, stem).await?;
            flow.fails(moves, "AccessDenied", "Refused.").await?;
            flow.does("report_outcome", json!({"outcome": "quarantined", "detail": "All is well."})).await?;
            assert_eq!(ended(&flow, &run).await?, failed("AccessDenied", "Refused."), "{stem}");
            assert_eq!(flow.notice().await?["why"], "Refused.");
        }
        Ok(())
    })
}

#[test]
fn a_new_object_that_cannot_be_scanned_leaves_the_outcome_and_is_told() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        let run = started(&flow, "finding_response").await?;
        flow.fails("quarantine_object", "ObjectChanged", "Somebody wrote it again.").await?;
        flow.fails("rescan_object", "AccessDenied", "Macie refused.").await?;
        let notice = "The new object could not be scanned (Macie refused). Scan it in Macie by hand.";
        let report = json!({"outcome": "object_changed", "detail": "…", "notice": notice});
        let input = flow.does("report_outcome", report).await?;
        assert_eq!(input["run"]["error"], Value::Null, "the move did not fail");
        assert_eq!(input["run"]["rescan"], json!({"Error": "AccessDenied", "Cause": "Macie refused."}));
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        assert_eq!(flow.notice().await?["what"], notice);
        Ok(())
    })
}

#[test]
fn a_failed_sync_stops_neither_sweep_nor_plan_and_the_cycle_ends_as_failed() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "exposure_cycle").await?;
        let run = flow.start(json!({})).await?;
        flow.fails("sync_access_findings", "AccessDenied", "Access Analyzer refused.").await?;
        flow.fails("sweep_findings", "RequestRejected", "Macie refused.").await?;
        flow.does(
            "plan_scans",
            json!({"bucket": "b", "key": "k", "batches": 0, "scanned": 0, "reported": 0}),
        )
        .await?;
        let failure = json!({"Error": "AccessDenied", "Cause": "Two steps failed."});
        let input = flow.does("close_cycle", json!({"failure": failure})).await?;
        assert_eq!(input["run"]["failed"]["sync"]["Cause"], "Access Analyzer refused.");
        assert_eq!(input["run"]["failed"]["sweep"]["Error"], "RequestRejected");
        assert_eq!(ended(&flow, &run).await?, failed("AccessDenied", "Two steps failed."));
        assert_eq!(flow.notice().await?["why"], "Two steps failed.");
        Ok(())
    })
}

#[test]
fn a_cycle_without_a_plan_is_closed_all_the_same() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "exposure_cycle").await?;
        let run = flow.start(json!({})).await?;
        flow.does("sync_access_findings", json!({})).await?;
        flow.does("sweep_findings", json!({})).await?;
        flow.fails("plan_scans", "AccessDenied", "The plan was refused.").await?;
        let failure = json!({"Error": "AccessDenied", "Cause": "The plan was refused."});
        let input = flow.does("close_cycle", json!({"failure": failure})).await?;
        assert_eq!(input["run"]["failed"]["plan"]["Error"], "AccessDenied");
        assert_eq!(ended(&flow, &run).await?, failed("AccessDenied", "The plan was refused."));
        assert_eq!(flow.notice().await?["code"], "AccessDenied");
        Ok(())
    })
}

#[test]
fn a_cycle_that_cannot_be_closed_tells_all_that_failed() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "exposure_cycle").await?;
        let run = flow.start(json!({})).await?;
        flow.fails("sync_access_findings", "InvalidFinding", "A finding cannot be read.").await?;
        flow.does("sweep_findings", json!({})).await?;
        flow.does(
            "plan_scans",
            json!({"bucket": "b", "key": "k", "batches": 0, "scanned": 0, "reported": 0}),
        )
        .await?;
        flow.fails("close_cycle", "AccessDenied", "The summary was refused.").await?;
        assert_eq!(ended(&flow, &run).await?, failed("AccessDenied", "The summary was refused."));
        let notice = flow.notice().await?.to_string();
        for says in ["InvalidFinding", "A finding cannot be read.", "The summary was refused."] {
            assert!(notice.contains(says), "{says:?} is not told: {notice}");
        }
        Ok(())
    })
}

#[test]
fn a_cycle_in_which_nothing_failed_ends_green() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "exposure_cycle").await?;
        let run = flow.start(json!({})).await?;
        flow.does("sync_access_findings", json!({})).await?;
        flow.does("sweep_findings", json!({})).await?;
        flow.does(
            "plan_scans",
            json!({"bucket": "b", "key": "k", "batches": 0, "scanned": 0, "reported": 0}),
        )
        .await?;
        let input = flow.does("close_cycle", json!({"batches": 0})).await?;
        assert_eq!(input["run"]["failed"], Value::Null);
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        Ok(())
    })
}

#[test]
fn a_batch_fails_with_its_first_error_and_the_cycle_goes_on() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "exposure_cycle").await?;
        let plan = json!([{"kind": "scan", "number": 0}, {"kind": "report", "number": 1}]);
        let bucket = flow.name.replace('_', "-");
        flow.s3.create_bucket().bucket(&bucket).send().await?;
        let body = plan.to_string().into_bytes().into();
        flow.s3.put_object().bucket(&bucket).key("plan.json").body(body).send().await?;
        let run = flow.start(json!({})).await?;
        flow.does("sync_access_findings", json!({})).await?;
        flow.does("sweep_findings", json!({})).await?;
        let planned =
            json!({"bucket": bucket, "key": "plan.json", "batches": 2, "scanned": 1, "reported": 1});
        flow.does("plan_scans", planned).await?;
        flow.fails("start_scan", "ScanFailed", "Macie refused the job.").await?;
        flow.does("report_exposures", json!({})).await?;
        let notice = flow.notice().await?;
        assert_eq!(
            (&notice["code"], &notice["why"]),
            (&json!("ScanFailed"), &json!("Macie refused the job."))
        );
        flow.does("close_cycle", json!({"batches": 2, "batches_failed": 1})).await?;
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        Ok(())
    })
}
