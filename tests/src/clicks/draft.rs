//! Cases that are made by hand.

use anyhow::Result;
use cordon_domain::{
    case::{Case, plan::Plan},
    finding::{Finding, ObjectVersion},
    policy::{Disposition, Versions, answer::PolicyAnswer},
};
use cordon_sandbox::Sandbox;
use serde_json::json;

use crate::test_env::{ALICE, CHANNEL};

/// A case about an object with this key that Alice may decide, not opened yet; `number` tells it from others.
///
/// # Errors
/// Never, as long as findings and plans are read as they are.
pub fn draft(sandbox: &Sandbox, key: &str, number: u32) -> Result<Case> {
    let object = ObjectVersion {
        account: sandbox.account().to_owned(),
        bucket: "finance".into(),
        key: key.to_owned(),
        version_id: None,
        etag: format!("{number:032x}"),
    };
    let finding: Finding = serde_json::from_value(json!({
        "id": &object.case_id()[..32], "finding_type": "SensitiveData:S3Object/Financial", "severity": "High",
        "title": "", "region": sandbox.region(), "created_at": "2026-03-11T09:46:00.000Z", "sample": false,
        "object": object, "size": 16, "last_modified": null, "detections": [], "job_id": null,
    }))?;
    let plan: Plan =
        serde_json::from_value(json!({"object": object, "rule": "by hand", "policy_version": null,
        "disposition": "review", "approvers": {"users": [ALICE], "groups": []}, "channel": CHANNEL}))?;
    let approval = format!("{:032x}", rand::random::<u128>());
    Ok(Case::open(
        finding,
        PolicyAnswer {
            disposition: Disposition::Review,
            versions: Versions::Reported,
            approvals: 1,
            categories: [].into(),
            exposed: None,
        },
        plan,
        "arn:by-hand",
        approval,
        "2026-03-11T09:47:00Z".parse()?,
    ))
}
