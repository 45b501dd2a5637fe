//! A request by message, broken off after any write, or with the answer of that write lost: delivered again, it comes to
//! what it would have come to, once.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use cordon::{
    app::requests::{self, Kind},
    clock, loops,
    store::keys,
};
use cordon_domain::{
    case::{Case, Decision},
    request::{
        Answer, ApprovalAction, ApprovalRequest, IamRestore, PurgeRequest, PurgeStep, RequestId,
        RestoreRequest,
    },
};
use cordon_sandbox::{Fault, InterceptedCall, Intervention};
use cordon_tests::{request, run_test};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Points,
    approvals::{read, work},
    fixture::{BOBS_ID, Fixture},
    repeats::triaged,
};

/// Somebody whom policy does not know.
const STRANGER: &str = "AROASTRANGER12345678:somebody";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// A vote that decides.
    Decide,
    /// The first vote of two.
    Count,
    Snooze,
    Restore,
    BeginPurge,
}

const ALL: [Asked; 5] = [Asked::Decide, Asked::Count, Asked::Snooze, Asked::Restore, Asked::BeginPurge];

#[test]
fn a_request_is_carried_out_once_wherever_its_worker_is_killed() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let mut all = JoinSet::new();
        for asked in ALL {
            all.spawn(killed_everywhere(fixture, asked));
        }
        let mut points = Points::default();
        for tried in all.join_all().await {
            points.extend(tried?);
        }
        points.prove("requests", "points=")
    })
}

async fn killed_everywhere(fixture: &'static Fixture, asked: Asked) -> Result<Points> {
    let stem = format!("asked-{asked:?}").to_lowercase();
    let _turn = fixture.turn().await;
    let undisturbed = asked.prepare(fixture, &stem).await?;
    let calls = undisturbed.deliver(fixture, |_| Intervention::Pass).await?;
    let expected = undisturbed.facts(fixture).await?;
    let mut points = Points::default();
    for call in calls.iter().filter(|call| call.writes() || call.operation == "StartExecution") {
        for moment in [Intervention::After(Fault::Hang), Intervention::After(Fault::Cut)] {
            let n = call.n;
            let tried = async {
                let end = if moment == Intervention::After(Fault::Cut) { "lost" } else { "killed" };
                let message = asked.prepare(fixture, &format!("{stem}-{n}-{end}")).await?;
                message
                    .deliver(fixture, move |call| if call.n == n { moment } else { Intervention::Pass })
                    .await?;
                // Whether it was answered or not: SQS may deliver any message twice.
                message.deliver(fixture, |_| Intervention::Pass).await?;
                let found = message.facts(fixture).await?;
                ensure!(found == expected, "it came to {found}\nand not to {expected}");
                Ok(())
            };
            points.note(format!("{asked:?}, {call:?} {moment:?}"), tried.await);
        }
    }
    Ok(points)
}

/// A message, and the case that it is about.
pub(super) struct Sent {
    id: RequestId,
    case_id: String,
    pub(super) input: Value,
}

impl Asked {
    async fn prepare(self, fixture: &Fixture, bucket: &str) -> Result<Sent> {
        let rule = if self == Asked::Count { "two-people-" } else { "" };
        let setup = triaged(fixture, format!("{rule}{bucket}")).await?;
        work(fixture, "post_approval", &setup.input).await?;
        let case = read(fixture, setup.input["case_id"].as_str().context("a case")?).await?;
        Ok(match self {
            Asked::Decide => vote(&case, ApprovalAction::Quarantine, BOBS_ID),
            Asked::Count => vote(&case, ApprovalAction::Quarantine, BOBS_ID),
            Asked::Snooze => vote(&case, ApprovalAction::Snooze, STRANGER),
            Asked::Restore => {
                quarantined(fixture, &case).await?;
                restore(&case, STRANGER)
            }
            Asked::BeginPurge => {
                quarantined(fixture, &case).await?;
                purge(&case, PurgeStep::Begin)
            }
        })
    }
}

/// Has a person decide at the command line, and the object moved.
pub(super) async fn quarantined(fixture: &Fixture, case: &Case) -> Result<()> {
    vote(case, ApprovalAction::Quarantine, BOBS_ID).handled(fixture).await?;
    let input = json!({"execution_arn": case.execution_arn, "case_id": case.case_id});
    let moved = fixture.worker.run_once("quarantine_object", input.to_string()).await;
    let moved = moved.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
    let run = json!({"triage": {"case_id": case.case_id}, "move": moved});
    work(fixture, "report_outcome", &json!({"execution_arn": case.execution_arn, "run": run})).await
}

fn sent(id: RequestId, case: &Case, kind: &str, body: &impl serde::Serialize, sender: &str) -> Sent {
    let body = serde_json::to_string(body).expect("plain members");
    let input = json!({"kind": kind, "body": body, "sender": sender, "sent_at": clock::now()});
    Sent { id, case_id: case.case_id.clone(), input }
}

fn request_id() -> RequestId {
    RequestId::of(rand::random())
}

pub(super) fn vote(case: &Case, action: ApprovalAction, sender: &str) -> Sent {
    let request = ApprovalRequest {
        request_id: request_id(),
        case_id: case.case_id.clone(),
        approval_id: case.approval.id.clone(),
        plan_hash: case.approval.plan_hash.clone(),
        action,
        reason: "a test".into(),
    };
    sent(request.request_id.clone(), case, "approvals", &request, sender)
}

pub(super) fn restore(case: &Case, sender: &str) -> Sent {
    let request = IamRestore {
        request_id: request_id(),
        case_id: case.case_id.clone(),
        reason: "a test".into(),
        replace: false,
        even_if_exposed: false,
        copy_generation: None,
    };
    sent(request.request_id.clone(), case, "restores", &RestoreRequest::Iam(request), sender)
}

fn purge(case: &Case, step: PurgeStep) -> Sent {
    let request = PurgeRequest {
        request_id: request_id(),
        case_id: case.case_id.clone(),
        reason: "a test".into(),
        step,
    };
    sent(request.request_id.clone(), case, "purges", &request, STRANGER)
}

impl Sent {
    /// Delivers it to a process, which is killed at a call that is held; gives back its calls.
    async fn deliver(
        &self,
        fixture: &Fixture,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> Result<Vec<InterceptedCall>> {
        let mut process = fixture.start_activity("requests", &self.input, meet).await?;
        if let Some(answer) = process.answer().await?
            && answer["error"].is_string()
        {
            bail!("it ended with {answer}");
        }
        let calls = process.proxy.calls().into_iter().map(|(call, _)| call).collect();
        process.end().await?;
        Ok(calls)
    }

    /// Has this process handle it; gives back the answer.
    async fn handled(&self, fixture: &Fixture) -> Result<Answer> {
        let (kind, message) = request(&self.input)?;
        requests::handle(&fixture.clients()?, kind, &message).await?;
        fixture.cases.answer(&self.id).await?.context("it is answered")
    }

    /// What must be the same however often it was delivered.
    async fn facts(&self, fixture: &Fixture) -> Result<String> {
        let answer = fixture.cases.answer(&self.id).await?.context("it is answered")?;
        let case = read(fixture, &self.case_id).await?;
        let quarantine = &case.quarantine;
        // A snooze ends at another time in each case.
        let detail = answer.detail.split(" until ").next().unwrap_or_default();
        Ok(format!(
            "{:?} {detail:?} {:?} votes={} {:?} {:?} snoozed={} restores={} run={} purge={}",
            answer.result,
            answer.code,
            case.approval.votes.len(),
            case.decision(),
            case.status,
            case.approval.snooze.is_some(),
            quarantine.restores.len(),
            answer.execution_arn == quarantine.restores.last().map(|restore| restore.execution_arn.clone()),
            quarantine.purge.is_some(),
        ))
    }
}

#[test]
fn what_a_person_may_not_have_is_refused_with_the_reason_and_what_is_delivered_late_changes_nothing()
-> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let _turn = fixture.turn().await;
        let open = async |bucket: &str| -> Result<Case> {
            let setup = triaged(fixture, bucket.to_owned()).await?;
            work(fixture, "post_approval", &setup.input).await?;
            read(fixture, setup.input["case_id"].as_str().context("a case")?).await
        };
        let refused = async |sent: Sent, code: &str| -> Result<()> {
            let answer = sent.handled(fixture).await?;
            ensure!(answer.code.as_deref() == Some(code), "{code}: {answer:?}");
            Ok(())
        };
        let two = open("two-people-refused").await?;
        refused(vote(&two, ApprovalAction::Quarantine, STRANGER), "UnknownPerson").await?;
        ensure!(read(fixture, &two.case_id).await?.approval.votes.is_empty());
        vote(&two, ApprovalAction::Quarantine, BOBS_ID).handled(fixture).await?;
        refused(vote(&two, ApprovalAction::Quarantine, BOBS_ID), "VotedBefore").await?;

        let mut older = vote(&two, ApprovalAction::Dismiss, BOBS_ID);
        older.input["sent_at"] = serde_json::to_value(clock::now() - SignedDuration::from_mins(5))?;
        refused(older, "VotedSince").await?;

        let mut of_another_plan = open("refused").await?;
        "another".clone_into(&mut of_another_plan.approval.plan_hash);
        refused(vote(&of_another_plan, ApprovalAction::Quarantine, BOBS_ID), "CaseChanged").await?;
        refused(restore(&of_another_plan, STRANGER), "ResponseUnderWay").await?;
        refused(purge(&of_another_plan, PurgeStep::Begin), "ResponseUnderWay").await?;
        refused(purge(&of_another_plan, PurgeStep::End), "NotRequested").await?;

        let case = open("purge-refused").await?;
        quarantined(fixture, &case).await?;
        refused(vote(&case, ApprovalAction::Dismiss, BOBS_ID), "DecidedBefore").await?;
        let mut forgotten = purge(&case, PurgeStep::Begin);
        forgotten.input["sent_at"] = serde_json::to_value(clock::now() - SignedDuration::from_mins(5))?;
        refused(forgotten, "TooLate").await?;
        ensure!(read(fixture, &case.case_id).await?.quarantine.purge.is_none(), "it can be put back still");
        purge(&case, PurgeStep::Begin).handled(fixture).await?;
        refused(purge(&case, PurgeStep::End), "CopiesLeft").await?;
        refused(restore(&case, STRANGER), "Purged").await?;
        let purge = read(fixture, &case.case_id).await?.quarantine.purge.context("a purge")?;
        ensure!(purge.done_at.is_none() && purge.requested_by == STRANGER);

        let unknown = Case { case_id: "0".repeat(64), ..case };
        refused(vote(&unknown, ApprovalAction::Dismiss, BOBS_ID), "UnknownCase").await?;
        let mut of_a_later_release = vote(&two, ApprovalAction::Dismiss, BOBS_ID);
        let body =
            of_a_later_release.input["body"].as_str().context("a body")?.replace("dismiss", "delegate");
        of_a_later_release.input["body"] = body.into();
        refused(of_a_later_release, "NotUnderstood").await?;
        let approval = read(fixture, &two.case_id).await?.approval;
        ensure!((approval.votes.len(), approval.decided) == (1, None));
        Ok(())
    })
}

#[test]
fn while_neither_gateway_nor_slack_is_there_a_command_decides_and_has_an_object_put_back() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let setup = triaged(fixture, "by-command".into()).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?;
        work(fixture, "post_approval", &setup.input).await?;
        fixture.sandbox.slack().set_outage(cordon_sandbox::slack::Outage::ServerError);
        // The part of a worker that takes requests; no gateway runs in this installation.
        let stop = CancellationToken::new();
        let taking = tokio::spawn(loops::requests::run(Arc::new(fixture.clients()?), stop.clone()));
        let worked = async {
            let said =
                fixture.cordon(&["approvals", "approve", case_id, "--reason", "a test", "--json"]).await?;
            ensure!((said.code, &said.json()?[0]["result"]) == (Some(0), &json!("decided")), "{said:?}");
            let case = read(fixture, case_id).await?;
            let input = json!({"execution_arn": case.execution_arn, "case_id": case_id});
            let moved = fixture.worker.run_once("quarantine_object", input.to_string()).await;
            ensure!(moved.is_ok(), "{moved:?}");
            let run = json!({"triage": {"case_id": case_id}, "move": moved.unwrap_or_default()});
            let report = json!({"execution_arn": case.execution_arn, "run": run});
            fixture.worker.run_once("report_outcome", report.to_string()).await.ok().context("reported")?;
            let said =
                fixture.cordon(&["restore", case_id, "--reason", "a test", "--no-wait", "--json"]).await?;
            ensure!((said.code, &said.json()?[0]["result"]) == (Some(0), &json!("under_way")), "{said:?}");
            let restore = read(fixture, case_id).await?.open_restore().cloned().context("a restore")?;
            let request = json!({"case_id": case_id, "request_id": restore.request_id,
                "approval": keys::approval(case_id)});
            let input = json!({"execution_arn": restore.execution_arn, "request": request});
            let back = fixture.worker.run_once("restore_object", input.to_string()).await;
            ensure!(back.is_ok(), "{back:?}");
            anyhow::Ok(())
        };
        let worked = worked.await;
        fixture.sandbox.slack().set_outage(cordon_sandbox::slack::Outage::None);
        stop.cancel();
        taking.await?;
        worked
    })
}

#[test]
fn when_no_worker_answers_the_command_says_so_and_what_it_asked_for_is_not_lost() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let setup = triaged(fixture, "unanswered".into()).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?;
        work(fixture, "post_approval", &setup.input).await?;
        let said = fixture.cordon(&["approvals", "dismiss", case_id, "--reason", "a test", "--json"]).await?;
        let report = &said.json()?[0];
        ensure!((said.code, &report["code"]) == (Some(1), &json!("NoWorker")), "{said:?}");
        let detail = report["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains("no worker has answered within a minute"), "{detail}");
        ensure!(read(fixture, case_id).await?.decision().is_none());
        // A worker starts.
        let clients = fixture.clients()?;
        let queue = Kind::Approvals.queue(&clients);
        let message = queue.receive().await?.pop().context("the request is still there")?;
        requests::handle(&clients, Kind::Approvals, &message).await?;
        queue.delete(&message).await?;
        ensure!(read(fixture, case_id).await?.decision() == Some(Decision::Dismiss));
        Ok(())
    })
}
