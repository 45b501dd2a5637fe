//! Findings, cases and exposures for tests, of this crate and of others.

use crate::{
    case::{
        Case, Closing, Decided, Decision, Outcome, OutcomeResult,
        plan::Plan,
        vote::{Vote, Voter},
    },
    exposure::{
        PlannedBucket, SensitiveObject,
        access_finding::{AccessFinding, AccessStatus},
    },
    finding::{Detection, Finding, ObjectVersion, Severity},
    policy::{self, Approvers, Disposition, RuleEffect, answer::PolicyAnswer},
    time::Time,
};

/// A time, from its text.
pub fn time(text: &str) -> Time {
    text.parse().expect("a test names a time")
}

/// A finding about an object in a bucket.
pub fn finding(finding_type: &str, severity: Severity, bucket: &str) -> Finding {
    Finding {
        id: "ba3c75616234b8a67797b8000371aaba".into(),
        finding_type: finding_type.into(),
        severity,
        title: "The S3 object contains credentials".into(),
        region: "us-east-1".into(),
        created_at: time("2026-03-11T09:46:53.031Z"),
        sample: false,
        object: ObjectVersion {
            account: "111122223333".into(),
            bucket: bucket.into(),
            key: "deploy keys/a&b <prod>".into(),
            version_id: None,
            etag: "07b21b45c9ed4a3fabf8173be102d9c2".into(),
        },
        size: Some(1168),
        last_modified: Some(time("2026-03-11T09:02:17.000Z")),
        owner: Some("payments".into()),
        detections: vec![Detection {
            category: "CREDENTIALS".into(),
            name: "AWS_CREDENTIALS".into(),
            count: 2,
        }],
        incomplete: None,
        job_id: Some("3ce05dbb7ec5505def334104bde0f1a2".into()),
    }
}

/// An open case, of which policy has said this; Alice or the group S0SECURITY may decide.
pub fn case(disposition: Disposition) -> Case {
    let finding = finding("SensitiveData:S3Object/Credentials", Severity::High, "finance");
    let approvers = Approvers { users: vec!["U0ALICE001".into()], groups: vec!["S0SECURITY".into()] };
    let decided = policy::Decided {
        rule: "credentials".into(),
        effect: RuleEffect::new(disposition, approvers),
        fallback_approvers: vec!["U0FALLBACK".into()],
        channel: "C0SECURITY".into(),
        shadow: false,
    };
    let plan = Plan::new(&finding, &decided, Some("v1".into()));
    let answer = PolicyAnswer::new(&finding, &decided, None);
    Case::open(finding, answer, plan, "arn:run", "a1b2c3".into(), time("2026-03-11T09:47:00.000Z"))
}

/// That a case has ended so.
pub fn closing(result: OutcomeResult, detail: &str) -> Closing {
    let outcome = Outcome { result, detail: detail.into(), code: None };
    Closing { outcome, at: time("2026-03-11T09:55:00.000Z") }
}

/// That somebody, or nobody in time, has decided so.
pub fn decided(what: Decision) -> Decided {
    Decided { what, at: time("2026-03-11T09:50:00.000Z"), mac: None }
}

/// A vote for quarantine, by Slack.
pub fn vote(user: &str, plan_hash: &str) -> Vote {
    Vote {
        decision: Decision::Quarantine,
        by: Voter::Slack { team: "T0CORDON01".into(), user: user.into(), group: None },
        reason: None,
        at: time("2026-03-11T09:50:00.000Z"),
        plan_hash: plan_hash.into(),
        mac: None,
    }
}

/// A bucket in a plan.
pub fn planned_bucket() -> PlannedBucket {
    PlannedBucket {
        arn: "arn:aws:s3:::finance".into(),
        name: "finance".into(),
        account: "111122223333".into(),
        revision: 1,
    }
}

/// A finding of access from another account.
pub fn access(status: AccessStatus) -> AccessFinding {
    AccessFinding {
        finding_id: "2222".into(),
        bucket_arn: "arn:aws:s3:::finance".into(),
        account: "111122223333".into(),
        status,
        updated_at: time("2026-03-11T01:14:07.482Z"),
        principal: Some("AWS 999988887777".into()),
        actions: vec!["s3:GetObject".into()],
        is_public: Some(false),
        error: None,
    }
}

/// An object in the bucket, with sensitive data in it.
pub fn sensitive_object(key: &str) -> SensitiveObject {
    let mut finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
    finding.object.key = key.into();
    SensitiveObject::new(finding, None)
}
