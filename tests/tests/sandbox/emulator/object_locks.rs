//! Object Lock.

use anyhow::{Context, Result};
use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::DateTime,
    types::{ObjectLockLegalHoldStatus, ObjectLockMode},
};
use serde_json::json;

use super::{
    buckets::Bucket,
    harness::{in_bare_sandbox, root, s3, unique},
    principals::session,
};

async fn lockable() -> Result<Bucket> {
    let bucket = Bucket { client: s3(&root().await), name: unique("locks") };
    bucket.client.create_bucket().bucket(&bucket.name).object_lock_enabled_for_bucket(true).send().await?;
    Ok(bucket)
}

/// In a year, to the second.
fn next_year() -> DateTime {
    DateTime::from_secs(jiff::Timestamp::now().as_second() + 365 * 86_400)
}

fn retained(put: PutObjectFluentBuilder, mode: ObjectLockMode) -> PutObjectFluentBuilder {
    put.object_lock_mode(mode).object_lock_retain_until_date(next_year())
}

#[test]
fn a_locked_version_is_not_deleted_but_a_delete_marker_hides_it() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = lockable().await?;
        let put = || bucket.put("k").body(b"content".to_vec().into());
        for locked in [
            put().object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On),
            retained(put(), ObjectLockMode::Governance),
            retained(put(), ObjectLockMode::Compliance),
        ] {
            let version = locked.send().await?.version_id.context("a version id")?;
            let refused = bucket.delete("k").version_id(&version).send().await.err().context("a refusal")?;
            assert_eq!(refused.code(), Some("AccessDenied"));
            assert_eq!(refused.message(), Some("Access Denied because object protected by object lock."));
            assert_eq!(bucket.delete("k").send().await?.delete_marker(), Some(true));
            bucket.head("k").version_id(&version).send().await?;
        }
        Ok(())
    })
}

#[test]
fn lock_settings_and_the_number_of_tags_are_shown_to_those_who_may_read_them() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = lockable().await?;
        let put = retained(bucket.put("k"), ObjectLockMode::Governance).tagging("a=b&c=d");
        put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On).send().await?;
        let version = bucket.head("k").send().await?.version_id.context("a version id")?;
        for also in [
            "s3:GetObjectRetention",
            "s3:GetObjectLegalHold",
            "s3:GetObjectTagging",
            "s3:GetObjectVersionTagging",
        ] {
            let may = ["s3:GetObject", "s3:GetObjectVersion", also];
            let may = json!([{ "Effect": "Allow", "Action": may, "Resource": "*" }]);
            let reader = bucket.seen_by(&session(may, None).await?);
            for (head, tagging) in [
                (reader.head("k"), "s3:GetObjectTagging"),
                (reader.head("k").version_id(&version), "s3:GetObjectVersionTagging"),
            ] {
                let head = head.send().await?;
                let retention = (also == "s3:GetObjectRetention").then_some(ObjectLockMode::Governance);
                assert_eq!(head.object_lock_mode, retention, "{also}");
                let until = head.object_lock_retain_until_date.map(|until| until.secs() / 3_600);
                assert_eq!(until, retention.map(|_| next_year().secs() / 3_600), "{also}");
                let hold = (also == "s3:GetObjectLegalHold").then_some(ObjectLockLegalHoldStatus::On);
                assert_eq!(head.object_lock_legal_hold_status, hold, "{also}");
                assert_eq!(head.tag_count, (also == tagging).then_some(2), "{also}");
            }
        }
        Ok(())
    })
}
